// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the display thread keeps: a surface that follows the guest's screen, and the progress lines.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use stdvga::{Dirty, Rect, Scanout, Screen, Surface, Vram};

use super::messages::Limited;
use super::picture::Picture;
use super::vnc::Viewers;
use crate::say;

/// Lines at once about what strangers do.
const MOST_NOTES: u32 = 100;

/// Pixels of the largest picture that is shown: the guest chooses the size.
const MOST_PIXELS: u64 = 7680 * 4320;

/// The host's side of the VGA. A VMM with a window would show the picture in it.
pub struct Display {
    screen: Screen,
    /// What it shows.
    pub picture: Picture,
    is_too_large: bool,
    mode: String,
    mode_lines: ModeLines,
    start: Instant,
    notes: Limited,
    viewers: Option<Viewers>,
}

impl Display {
    /// A display of a machine that started at `start`, for those who may watch it.
    pub fn new(start: Instant, viewers: Option<Viewers>) -> Self {
        Self {
            screen: Screen::new(),
            picture: Picture::default(),
            is_too_large: false,
            mode: String::new(),
            mode_lines: ModeLines::new(start),
            start,
            notes: Limited::new(MOST_NOTES),
            viewers,
        }
    }

    /// Those who may watch.
    pub fn viewers(&self) -> Option<&Viewers> {
        self.viewers.as_ref()
    }

    /// Shows another device, and black until that has drawn: the last one's picture is nobody else's.
    pub fn start_anew(&mut self) {
        self.screen = Screen::new();
        self.mode.clear();
        self.is_too_large = false;
        self.show_black();
    }

    /// Whether the guest's picture is larger than any that is shown: black stands in for it.
    pub fn is_too_large(&self) -> bool {
        self.is_too_large
    }

    /// Draws what changed. Returns whether anything did.
    pub fn refresh(&mut self, scanout: &Scanout, vram: &Vram, dirty: Dirty<'_>) -> Result<bool> {
        let size = self.screen.size(scanout);
        let is_too_large = size.pixels() > MOST_PIXELS;
        let new_mode = self.follow_mode(scanout, is_too_large);
        // A VMM with a window passes the time that goes by, and the cursor blinks. Here it stands
        // still: blinking is no change.
        let now = Duration::ZERO;
        if is_too_large {
            if !self.is_too_large {
                self.is_too_large = true;
                self.show_black();
            }
            self.screen.skip(scanout, now);
            return Ok(new_mode);
        }
        self.is_too_large = false;
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

    /// Writes the picture as a PNG, unless the guest's isn't shown.
    pub fn save(&self, path: &Path) -> Result<()> {
        ensure!(
            !self.is_too_large,
            "no picture is written to {}: the guest's is too large to show ({})",
            path.display(),
            self.mode
        );
        self.picture.save(path)
    }

    /// Reports what happens.
    pub fn say(&self, what: &str) {
        say(self.line(what));
    }

    /// Reports what strangers can cause as often as they like: up to 100 lines at once, and then one a second.
    pub fn note(&self, what: &str) {
        self.notes.say(self.line(what));
    }

    fn line(&self, what: &str) -> String {
        let seconds = self.start.elapsed().as_secs_f64();
        format!("{seconds:7.2} s  {what}")
    }

    /// Reports the mode if it's another one. Returns whether it is.
    fn follow_mode(&mut self, scanout: &Scanout, is_too_large: bool) -> bool {
        let mode = scanout.mode().to_string();
        let is_new = mode != self.mode;
        self.mode = mode;
        if let Some(left_out) = self.mode_lines.next(is_new, Instant::now()) {
            let too_large = if is_too_large {
                ": too large to show"
            } else {
                ""
            };
            let left_out = match left_out {
                0 => String::new(),
                count => format!(" (mode changes left out before this one: {count})"),
            };
            self.say(&format!("{}{too_large}{left_out}", self.mode));
        }
        is_new
    }

    /// Shows a black picture of the size that there is before any.
    fn show_black(&mut self) {
        self.picture = Picture::default();
        let size = self.picture.size();
        if let Some(viewers) = &self.viewers {
            let all = Rect { x: 0, y: 0, size };
            viewers.show(size, &self.picture.pixels, &[all]);
        }
    }
}

/// When changes of the mode are reported, so that a guest can't fill the terminal: one a second, and
/// a few at once after some quiet seconds.
struct ModeLines {
    /// When the last line's second is over, or that of a line further on.
    due: Instant,
    /// Changes since the last line.
    changes: u64,
}

impl ModeLines {
    /// The time that a line takes.
    const EACH: Duration = Duration::from_secs(1);
    /// How long before its time a line may come.
    const AHEAD: Duration = Duration::from_secs(4);

    fn new(now: Instant) -> Self {
        Self {
            due: now,
            changes: 0,
        }
    }

    /// Returns whether there's something to report now, as the number of changes that had no line before it.
    fn next(&mut self, changed: bool, now: Instant) -> Option<u64> {
        self.changes += u64::from(changed);
        if self.changes == 0 || self.due > now + Self::AHEAD {
            return None;
        }
        self.due = self.due.max(now) + Self::EACH;
        let changes = std::mem::take(&mut self.changes);
        Some(changes - 1)
    }
}

#[cfg(test)]
mod tests {
    use stdvga::{Config, Dirty, StdVga};

    use super::*;

    /// Sets a DISPI mode of 4 bits a pixel, and makes all colours white.
    fn draw(vga: &mut StdVga, width: u16, height: u16) {
        let mode = [(1_u16, width), (2, height), (3, 4), (4, 0x41)];
        for (register, value) in mode {
            let _ = vga.port_write(0x1ce, &register.to_le_bytes());
            let _ = vga.port_write(0x1d0, &value.to_le_bytes());
        }
        vga.port_read(0x3ba, &mut [0]); // the index comes next
        let _ = vga.port_write(0x3c0, &[0x20]);
        let _ = vga.port_write(0x3c8, &[0]);
        for _ in 0..3 * 16 {
            let _ = vga.port_write(0x3c9, &[0x3f]);
        }
    }

    fn refreshed(display: &mut Display, vga: &StdVga) {
        let result = display.refresh(&vga.scanout(), vga.vram(), Dirty::Compare);
        result.expect("the surface has the picture's size");
    }

    /// A display that shows a picture, and the device that drew it.
    fn showing() -> (Display, StdVga) {
        let mut vga = StdVga::new(Config::default()).unwrap();
        let mut display = Display::new(Instant::now(), None);
        draw(&mut vga, 320, 200);
        refreshed(&mut display, &vga);
        assert!(!display.picture.is_black(), "{}", vga.scanout().mode());
        (display, vga)
    }

    #[test]
    fn the_last_devices_picture_is_gone_once_another_one_is_shown() {
        let (mut display, _) = showing();
        display.start_anew();
        let picture = &display.picture;
        assert_eq!(picture.size(), Picture::default().size());
        assert!(picture.is_black());
    }

    #[test]
    fn a_picture_that_is_too_large_shows_black_and_is_not_written() {
        let (mut display, mut vga) = showing();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        draw(&mut vga, 8000, 4160);
        for _ in 0..2 {
            refreshed(&mut display, &vga);
            assert!(display.picture.is_black(), "the last picture is shown");
            let error = display.save(&path).unwrap_err().to_string();
            let words = ["x.png", "too large", "8000x4160"];
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
            assert!(!path.exists());
        }
        for (width, height) in [(640, 480), (320, 200)] {
            draw(&mut vga, width, height);
            refreshed(&mut display, &vga);
            assert!(!display.picture.is_black(), "{width}x{height} isn't shown");
            display.save(&path).unwrap();
            draw(&mut vga, 8000, 4160);
            refreshed(&mut display, &vga);
        }
    }

    #[test]
    fn a_mode_that_stays_is_reported_at_once_and_one_of_many_is_counted() {
        let start = Instant::now();
        let mut lines = ModeLines::new(start);
        assert_eq!(lines.next(true, start), Some(0));
        assert_eq!(lines.next(false, start), None);
        // A change in each of 25 frames a second, for a minute.
        let (mut said, mut left_out) = (1, 0);
        for frame in 1..=25 * 60 {
            let now = start + Duration::from_millis(40) * frame;
            if let Some(more) = lines.next(true, now) {
                said += 1;
                left_out += more;
            }
        }
        assert!((60..=66).contains(&said), "{said} lines in a minute");
        // Then a mode stays: it's reported, and every change was counted.
        let now = start + Duration::from_secs(62);
        if let Some(more) = lines.next(false, now) {
            said += 1;
            left_out += more;
        }
        assert_eq!(said + left_out, 1 + 25 * 60);
        assert_eq!(lines.next(false, now), None);
    }
}
