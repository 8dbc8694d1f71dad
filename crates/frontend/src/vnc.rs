// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Shows the screen to VNC viewers, who can also type.
//!
//! A viewer asks for an update, and gets it once something changed. Until it asks again, changes add
//! up: a slow viewer gets fewer pictures, and holds up nobody. Each has two threads: one reads what it
//! says, the other sends its updates.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use stdvga::{Rect, Size};

use super::address::Address;
use super::keys::Keyboard;
use super::picture::Picture;
use super::rfb::{self, Message, PixelFormat};
use crate::say;

/// Viewers at a time.
const MOST_VIEWERS: usize = 16;
/// Connections at a time: a few more, for those who haven't said hello.
const MOST_CONNECTIONS: usize = MOST_VIEWERS + 4;
/// Keys that wait for the guest: what's pressed then is lost.
const MOST_KEYS: usize = 256;
/// Pixels in an update, so that it fits into memory: what's left comes with the next one.
const MOST_PIXELS: usize = 4 << 20;
/// RFB has 16 bits for widths and heights.
const LONGEST: u32 = 0xffff;
/// How long viewers may take to say hello, and to get the last picture.
const GREETING: Duration = Duration::from_secs(10);
const FAREWELL: Duration = Duration::from_secs(5);
/// How long a viewer may read nothing of an update.
const UNREAD: Duration = Duration::from_secs(30);

/// Everybody who watches.
pub struct Viewers(Arc<Shared>);

impl Viewers {
    /// Waits for viewers at `address`.
    pub fn listen(address: &Address) -> Result<Self> {
        let listener = address.bind()?;
        let bound = listener.local_addr().context("--vnc")?;
        let viewers = Self::serve(listener)?;
        say(format_args!(
            "VNC viewers can connect to {bound}: no password"
        ));
        Ok(viewers)
    }

    /// Serves those who connect.
    fn serve(listener: TcpListener) -> Result<Self> {
        let viewers = Arc::new(Shared::default());
        let theirs = Arc::clone(&viewers);
        thread::Builder::new()
            .spawn(move || accept(&listener, &theirs))
            .context("no thread for VNC viewers")?;
        Ok(Self(viewers))
    }

    /// Shows a picture, of which `damage` changed.
    pub fn show(&self, size: Size, pixels: &[u32], damage: &[Rect]) {
        let mut state = self.0.lock();
        state.show(size, pixels, damage);
        let State {
            viewers, picture, ..
        } = &*state;
        if viewers.values().any(|viewer| viewer.has_update(picture)) {
            self.0.changed.notify_all();
        }
    }

    /// Takes what was typed: scan codes, at most `room` bytes.
    pub fn take_keys(&self, room: usize) -> Vec<u8> {
        let keys = &mut self.0.lock().keys;
        let mut taken = Vec::new();
        while let Some(codes) = keys.front()
            && taken.len() + codes.len() <= room
        {
            taken.extend(codes);
            keys.pop_front();
        }
        taken
    }

    /// Waits until everybody got the last picture and has gone, though not for ever.
    pub fn finish(&self) {
        let mut state = self.0.lock();
        state.closing = true;
        self.0.changed.notify_all();
        let left = |state: &mut State| !state.viewers.is_empty();
        // Nothing is left to do where it took too long.
        let _ = self.0.changed.wait_timeout_while(state, FAREWELL, left);
    }
}

/// What all threads share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a viewer. Its sender may have waited for that.
    fn change(&self, id: u64, change: impl FnOnce(&mut Viewer)) {
        let State {
            viewers, picture, ..
        } = &mut *self.lock();
        if let Some(viewer) = viewers.get_mut(&id) {
            change(viewer);
            if viewer.has_update(picture) {
                self.changed.notify_all();
            }
        }
    }

    /// Forgets a viewer, and releases the keys that it held.
    fn remove(&self, id: u64, keyboard: &mut Keyboard) {
        let mut state = self.lock();
        state.viewers.remove(&id);
        for codes in keyboard.release_all() {
            state.type_codes(codes);
        }
        self.changed.notify_all();
    }

    /// The next update of a viewer. There's none once it has gone, or got the last picture.
    fn next_update(&self, id: u64) -> Option<Update> {
        let mut state = self.lock();
        loop {
            let State {
                viewers, picture, ..
            } = &mut *state;
            let viewer = viewers.get_mut(&id)?;
            if let Some(update) = viewer.update(picture) {
                return Some(update);
            }
            if viewer.stale.is_empty() && state.closing {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[derive(Default)]
struct State {
    /// Senders share it while they make messages of it.
    picture: Arc<Picture>,
    viewers: BTreeMap<u64, Viewer>,
    keys: VecDeque<Vec<u8>>,
    /// The picture won't change any more.
    closing: bool,
}

impl State {
    fn show(&mut self, size: Size, pixels: &[u32], damage: &[Rect]) {
        let resized = size != self.picture.size();
        if !resized && damage.is_empty() {
            return;
        }
        match Arc::get_mut(&mut self.picture) {
            Some(picture) if !resized => copy(pixels, damage, picture),
            _ => {
                self.picture = Arc::new(Picture {
                    width: size.width,
                    height: size.height,
                    pixels: pixels.to_vec(),
                });
            }
        }
        for viewer in self.viewers.values_mut() {
            if resized {
                viewer.stale = Stale::all(viewer.size);
            } else {
                damage.iter().for_each(|rect| viewer.stale.add(rect));
            }
        }
    }

    /// Types a key. It's pressed only where there's room, but always released, lest it sticks: what
    /// viewers hold bounds that.
    fn type_key(&mut self, keyboard: &mut Keyboard, keysym: u32, down: bool) {
        if !down || self.keys.len() < MOST_KEYS {
            self.type_codes(keyboard.codes(keysym, down));
        }
    }

    fn type_codes(&mut self, codes: Vec<u8>) {
        if !codes.is_empty() {
            self.keys.push_back(codes);
        }
    }
}

/// Copies `rects` of a picture's new pixels.
fn copy(pixels: &[u32], rects: &[Rect], picture: &mut Picture) {
    for rect in rects {
        for y in rect.y..rect.y + rect.size.height {
            let start = y as usize * picture.width as usize + rect.x as usize;
            let row = start..start + rect.size.width as usize;
            picture.pixels[row.clone()].copy_from_slice(&pixels[row]);
        }
    }
}

/// One who watches.
struct Viewer {
    /// The size that it was told last.
    size: Size,
    /// Whether it can be told another one.
    resizable: bool,
    format: PixelFormat,
    stale: Stale,
    /// It's ready for an update.
    ready: bool,
}

impl Viewer {
    fn new(size: Size) -> Self {
        Self {
            size,
            resizable: false,
            format: PixelFormat::default(),
            stale: Stale::all(size),
            ready: false,
        }
    }

    /// Whether the viewer is ready for an update, and something changed.
    fn has_update(&self, picture: &Picture) -> bool {
        self.ready && (self.must_resize(picture) || !self.stale.is_empty())
    }

    fn must_resize(&self, picture: &Picture) -> bool {
        self.resizable && self.size != shown_size(picture)
    }

    /// An update, if there is one. A new size is told first.
    fn update(&mut self, picture: &Arc<Picture>) -> Option<Update> {
        if !self.has_update(picture) {
            return None;
        }
        self.ready = false;
        if self.must_resize(picture) {
            self.size = shown_size(picture);
            self.stale = Stale::all(self.size);
            return Some(Update::Size(self.size));
        }
        Some(Update::Pixels {
            picture: Arc::clone(picture),
            rects: self.stale.take(),
            format: self.format,
        })
    }
}

/// What a viewer gets next. Its message is made without the lock on what threads share: that may take
/// long, and others wait for the lock.
enum Update {
    Size(Size),
    Pixels {
        picture: Arc<Picture>,
        rects: Vec<Rect>,
        format: PixelFormat,
    },
}

impl Update {
    fn into_message(self) -> Vec<u8> {
        match self {
            Self::Size(size) => rfb::resize(size),
            Self::Pixels {
                picture,
                rects,
                format,
            } => rfb::update(&picture, &rects, &format),
        }
    }
}

/// What a viewer can see of a picture.
fn shown_size(picture: &Picture) -> Size {
    let Size { width, height } = picture.size();
    Size {
        width: width.min(LONGEST),
        height: height.min(LONGEST),
    }
}

/// What a viewer hasn't got yet: of each row, all from the first column that changed to the last.
struct Stale {
    width: u32,
    rows: Vec<Range<u32>>,
}

impl Stale {
    /// All of a picture.
    fn all(size: Size) -> Self {
        Self {
            width: size.width,
            rows: vec![0..size.width; size.height as usize],
        }
    }

    /// Adds what of `rect` the viewer can see.
    fn add(&mut self, rect: &Rect) {
        let columns = rect.x..(rect.x + rect.size.width).min(self.width);
        if columns.is_empty() {
            return;
        }
        let rows = self.rows.iter_mut().skip(rect.y as usize);
        for row in rows.take(rect.size.height as usize) {
            *row = if (*row).is_empty() {
                columns.clone()
            } else {
                row.start.min(columns.start)..row.end.max(columns.end)
            };
        }
    }

    /// Takes as much as an update may have: a rectangle for each run of rows that changed alike.
    fn take(&mut self) -> Vec<Rect> {
        let mut pixels = 0;
        let fits = |row: &&Range<u32>| {
            pixels += row.len();
            pixels <= MOST_PIXELS
        };
        let count = self.rows.iter().take_while(fits).count();
        let taken = &mut self.rows[..count];
        let mut rects = Vec::new();
        let mut y = 0;
        for run in taken.chunk_by(|row, below| row == below) {
            let (x, width, height) = (run[0].start, run[0].len() as u32, run.len() as u32);
            if width > 0 {
                let size = Size { width, height };
                rects.push(Rect { x, y, size });
            }
            y += height;
        }
        taken.fill(0..0);
        rects
    }

    fn is_empty(&self) -> bool {
        self.rows.iter().all(Range::is_empty)
    }
}

/// Serves whoever connects.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    // Each connection holds a clone.
    let connections = Arc::new(());
    for (id, stream) in (0..).zip(listener.incoming()) {
        if Arc::strong_count(&connections) > MOST_CONNECTIONS {
            continue; // without a word, for there may be many
        }
        let shared = Arc::clone(shared);
        let connection = Arc::clone(&connections);
        let served = stream.and_then(|stream| {
            let thread = thread::Builder::new();
            thread.spawn(move || {
                serve(&shared, id, &stream);
                drop(connection);
            })
        });
        if let Err(error) = served {
            say(format_args!("a VNC viewer can't connect: {error}"));
            thread::sleep(Duration::from_secs(1));
        }
    }
}

/// Serves a viewer until it goes.
fn serve(shared: &Shared, id: u64, stream: &TcpStream) {
    let mut keyboard = Keyboard::default();
    let result = greet(shared, id, stream).and_then(|()| {
        thread::scope(|scope| {
            let thread = thread::Builder::new();
            let sender = thread.spawn_scoped(scope, || send_updates(shared, id, stream));
            let result = sender.and_then(|_| follow(shared, id, stream, &mut keyboard));
            shared.remove(id, &mut keyboard);
            // The other thread may be in the middle of an update.
            let _ = stream.shutdown(Shutdown::Both);
            result
        })
    });
    let gone = [
        ErrorKind::UnexpectedEof,
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
    ];
    if let Err(error) = result
        && !gone.contains(&error.kind())
    {
        say(format_args!("a VNC viewer was turned away: {error}"));
    }
}

/// Gets to know a viewer.
fn greet(shared: &Shared, id: u64, stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(UNREAD))?;
    let size = shown_size(&shared.lock().picture);
    let deadline = Instant::now() + GREETING;
    rfb::greet(&mut Greeting { stream, deadline }, size)?;
    stream.set_read_timeout(None)?;
    let viewers = &mut shared.lock().viewers;
    if viewers.len() == MOST_VIEWERS {
        return Err(io::Error::other(format!(
            "{MOST_VIEWERS} at a time are the most"
        )));
    }
    viewers.insert(id, Viewer::new(size));
    Ok(())
}

/// A connection until the viewer has said hello, which must be over by the deadline.
struct Greeting<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl Read for Greeting<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(bytes)
    }
}

impl Write for Greeting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Does what a viewer says.
fn follow(shared: &Shared, id: u64, stream: &TcpStream, keyboard: &mut Keyboard) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        match Message::read(&mut stream)? {
            Message::Format(format) => shared.change(id, |viewer| viewer.format = format),
            Message::Encodings { desktop_size } => {
                shared.change(id, |viewer| viewer.resizable = desktop_size);
            }
            Message::Request { incremental, rect } => shared.change(id, |viewer| {
                if !incremental {
                    viewer.stale.add(&rect);
                }
                viewer.ready = true;
            }),
            Message::Key { down, keysym } => {
                shared.lock().type_key(keyboard, keysym, down);
            }
            Message::Other => {}
        }
    }
}

/// Sends a viewer its updates until it goes, or the machine does.
fn send_updates(shared: &Shared, id: u64, mut stream: &TcpStream) {
    while let Some(update) = shared.next_update(id) {
        if stream.write_all(&update.into_message()).is_err() {
            // One that doesn't read may not say anything either: the other thread mustn't wait.
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
    // A viewer that got the last picture goes now, which the other thread notices.
    let _ = stream.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests;
