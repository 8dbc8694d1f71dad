//! What the display thread keeps: a surface that follows the guest's screen, and the progress line.

use std::time::{Duration, Instant};

use anyhow::Result;
use stdvga::{Dirty, Scanout, Screen, Size, Surface, Vram};

use crate::picture::Picture;
use crate::terminal;
use crate::vnc::Viewers;

/// Pixels of the largest picture that is shown: the guest chooses the size.
const MOST_PIXELS: u64 = 7680 * 4320;

/// The host's side of the VGA. A VMM with a window would show `pixels` in it.
pub struct Display {
    screen: Screen,
    size: Size,
    pixels: Vec<u32>,
    mode: String,
    start: Instant,
    viewers: Option<Viewers>,
}

impl Display {
    /// A display of a machine that started at `start`, for those who may watch it.
    pub fn new(start: Instant, viewers: Option<Viewers>) -> Self {
        Self {
            screen: Screen::new(),
            size: Size {
                width: 0,
                height: 0,
            },
            pixels: Vec::new(),
            mode: String::new(),
            start,
            viewers,
        }
    }

    /// Those who may watch.
    pub fn viewers(&self) -> Option<&Viewers> {
        self.viewers.as_ref()
    }

    /// Draws what changed. Returns whether anything did.
    pub fn refresh(&mut self, scanout: &Scanout, vram: &Vram, dirty: Dirty<'_>) -> Result<bool> {
        let mode = scanout.mode().to_string();
        let new_mode = mode != self.mode;
        if new_mode {
            self.say(&mode);
            self.mode = mode;
        }
        let size = self.screen.size(scanout);
        if size.pixels() > MOST_PIXELS {
            if new_mode {
                self.say("too large to show");
            }
            // One that has drawn nothing draws all, once there's a picture again.
            self.screen = Screen::new();
            return Ok(new_mode);
        }
        if size != self.size {
            self.size = size;
            self.pixels = vec![0; size.pixels() as usize];
        }
        // A VMM with a window passes the time that goes by, and the cursor blinks. Here it stands
        // still: blinking is no change.
        let now = Duration::ZERO;
        let surface = Surface {
            pixels: &mut self.pixels,
            stride: size.width as usize,
        };
        let damage = self.screen.refresh(scanout, vram, dirty, now, surface)?;
        if let Some(viewers) = &self.viewers {
            viewers.show(size, &self.pixels, damage.rects());
        }
        Ok(new_mode || !damage.is_empty())
    }

    /// What it shows.
    pub fn picture(self) -> Picture {
        Picture {
            width: self.size.width,
            height: self.size.height,
            pixels: self.pixels,
        }
    }

    /// Whether there's nothing to see.
    pub fn is_black(&self) -> bool {
        self.pixels.iter().all(|pixel| *pixel == 0)
    }

    /// Tells the user what happens.
    pub fn say(&self, what: &str) {
        let seconds = self.start.elapsed().as_secs_f64();
        terminal::say(format_args!("{seconds:7.2} s  {what}"));
    }
}
