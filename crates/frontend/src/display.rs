// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the display thread keeps: a surface that follows the guest's screen, and the progress line.

use std::time::{Duration, Instant};

use anyhow::Result;
use stdvga::{Dirty, Scanout, Screen, Surface, Vram};

use super::picture::Picture;
use super::vnc::Viewers;
use crate::say;

/// Pixels of the largest picture that is shown: the guest chooses the size.
const MOST_PIXELS: u64 = 7680 * 4320;

/// The host's side of the VGA. A VMM with a window would show the picture in it.
pub struct Display {
    screen: Screen,
    /// What it shows.
    pub picture: Picture,
    mode: String,
    start: Instant,
    viewers: Option<Viewers>,
}

impl Display {
    /// A display of a machine that started at `start`, for those who may watch it.
    pub fn new(start: Instant, viewers: Option<Viewers>) -> Self {
        Self {
            screen: Screen::new(),
            picture: Picture::default(),
            mode: String::new(),
            start,
            viewers,
        }
    }

    /// Those who may watch.
    pub fn viewers(&self) -> Option<&Viewers> {
        self.viewers.as_ref()
    }

    /// Shows another device: what was drawn before isn't its picture.
    pub fn start_anew(&mut self) {
        self.screen = Screen::new();
        self.mode.clear();
    }

    /// Draws what changed. Returns whether anything did.
    pub fn refresh(&mut self, scanout: &Scanout, vram: &Vram, dirty: Dirty<'_>) -> Result<bool> {
        let mode = scanout.mode().to_string();
        let new_mode = mode != self.mode;
        if new_mode {
            self.say(&mode);
            self.mode = mode;
        }
        // A VMM with a window passes the time that goes by, and the cursor blinks. Here it stands
        // still: blinking is no change.
        let now = Duration::ZERO;
        let size = self.screen.size(scanout);
        if size.pixels() > MOST_PIXELS {
            if new_mode {
                self.say("too large to show");
            }
            self.screen.skip(scanout, now);
            return Ok(new_mode);
        }
        if size != self.picture.size() {
            self.picture = Picture::black(size);
        }
        let surface = Surface::new(&mut self.picture.pixels, size.width as usize);
        let damage = self.screen.refresh(scanout, vram, dirty, now, surface)?;
        if let Some(viewers) = &self.viewers {
            viewers.show(size, &self.picture.pixels, damage.rects());
        }
        Ok(new_mode || !damage.is_empty())
    }

    /// Tells the user what happens.
    pub fn say(&self, what: &str) {
        let seconds = self.start.elapsed().as_secs_f64();
        say(format_args!("{seconds:7.2} s  {what}"));
    }
}
