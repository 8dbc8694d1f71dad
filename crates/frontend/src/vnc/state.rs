// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What all threads share: the picture, who watches it, who has connected, and what was typed.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stdvga::{Rect, Size};

use super::guesses::WrongGuesses;
use super::stale::Stale;
use super::updates::Update;
use super::viewer::{Viewer, shown_size};
use crate::keys::Keyboard;
use crate::picture::Picture;

/// Viewers at a time.
pub(super) const MOST_VIEWERS: usize = 16;
/// Keys that wait for the guest: what's pressed then is lost.
pub(super) const MOST_KEYS: usize = 256;
/// How long a viewer must have asked for nothing until it makes room for another.
pub(super) const IDLE: Duration = Duration::from_secs(10);
/// How long a connection that hasn't said hello must have been there until it makes room.
pub(super) const SILENT: Duration = Duration::from_secs(2);

/// Somebody who connected.
pub(super) struct Connection {
    pub(super) stream: Arc<TcpStream>,
    pub(super) since: Instant,
    /// It hasn't said hello.
    pub(super) is_greeting: bool,
}

impl Connection {
    /// Makes its threads notice that it's over.
    pub(super) fn end(&self) {
        // It may be over already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) picture: Picture,
    pub(super) viewers: BTreeMap<u64, Viewer>,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) keys: VecDeque<Vec<u8>>,
    pub(super) guesses: WrongGuesses,
    /// The picture won't change any more.
    pub(super) closing: bool,
}

/// What a viewer's sender has to do.
pub(super) enum Next {
    Update(Update),
    /// The viewer got the last picture.
    Finished,
    /// It isn't there any more.
    Gone,
}

impl State {
    pub(super) fn show(&mut self, size: Size, pixels: &[u32], damage: &[Rect]) {
        let resized = size != self.picture.size();
        if !resized && damage.is_empty() {
            return;
        }
        if resized {
            // The old one goes first, lest there's memory for both.
            self.picture.pixels = Vec::new();
            self.picture = Picture {
                width: size.width,
                height: size.height,
                pixels: pixels.to_vec(),
            };
        } else {
            copy(pixels, damage, &mut self.picture);
        }
        for viewer in self.viewers.values_mut() {
            if resized {
                viewer.stale = Stale::all(viewer.size);
            } else {
                damage.iter().for_each(|rect| viewer.stale.add(rect));
            }
        }
    }

    /// What there's to do for a viewer, if anything.
    pub(super) fn next(&mut self, id: u64) -> Option<Next> {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return Some(Next::Gone);
        };
        if let Some(update) = viewer.update(&self.picture) {
            return Some(Next::Update(update));
        }
        (self.closing && viewer.stale.is_empty()).then_some(Next::Finished)
    }

    /// Gives a place to a viewer, if there's one or another makes room. Returns the size that it sees.
    pub(super) fn admit(&mut self, id: u64, now: Instant) -> Option<Size> {
        if self.viewers.len() >= MOST_VIEWERS {
            let idlest = self.idlest(now)?;
            self.viewers.remove(&idlest);
            if let Some(connection) = self.connections.get(&idlest) {
                connection.end();
            }
        }
        let size = shown_size(&self.picture);
        self.viewers.insert(id, Viewer::new(size, now));
        Some(size)
    }

    /// The viewer that has asked for nothing for the longest time.
    pub(super) fn idlest(&self, now: Instant) -> Option<u64> {
        let idle = self.viewers.iter().filter(|(_, viewer)| {
            !viewer.ready && now.saturating_duration_since(viewer.asked) >= IDLE
        });
        idle.min_by_key(|(_, viewer)| viewer.asked)
            .map(|(id, _)| *id)
    }

    /// Ends the connection that hasn't said hello for the longest time. Returns whether there's one.
    pub(super) fn end_longest_silence(&mut self, now: Instant) -> bool {
        let silent = self.connections.values_mut().filter(|connection| {
            connection.is_greeting && now.saturating_duration_since(connection.since) >= SILENT
        });
        let Some(connection) = silent.min_by_key(|connection| connection.since) else {
            return false;
        };
        connection.is_greeting = false;
        connection.end();
        true
    }

    /// Types a key. It's pressed only where there's room, but always released, lest it sticks: what
    /// viewers hold bounds that.
    pub(super) fn type_key(&mut self, keyboard: &mut Keyboard, keysym: u32, down: bool) {
        if !down || self.keys.len() < MOST_KEYS {
            self.type_codes(keyboard.codes(keysym, down));
        }
    }

    pub(super) fn type_codes(&mut self, codes: Vec<u8>) {
        if !codes.is_empty() {
            self.keys.push_back(codes);
        }
    }
}

/// Copies `rects` of a picture's new pixels.
pub(super) fn copy(pixels: &[u32], rects: &[Rect], picture: &mut Picture) {
    for rect in rects {
        for y in rect.y..rect.y + rect.size.height {
            let start = y as usize * picture.width as usize + rect.x as usize;
            let row = start..start + rect.size.width as usize;
            picture.pixels[row.clone()].copy_from_slice(&pixels[row]);
        }
    }
}
