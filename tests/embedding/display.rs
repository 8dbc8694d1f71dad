// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What every display thread does.

use std::io;
use std::time::Instant;

use stdvga::{Damage, Dirty, DirtyBitmap, RefreshError, Scanout, Screen, Size, Surface, Vram};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::shared::SharedVga;

/// The host's side of the screen. It lives on the display thread.
pub struct Display {
    screen: Screen,
    vram: Vram,
    start: Instant,
    /// The size of the picture in `pixels`.
    pub size: Size,
    /// The picture: 0x00RRGGBB, rows of `size.width` without gaps.
    pub pixels: Vec<u32>,
}

impl Display {
    /// More than that isn't shown: the guest chooses the size.
    const MOST_PIXELS: u64 = 3840 * 2160;

    pub fn new(vram: Vram) -> Self {
        Self {
            screen: Screen::new(),
            vram,
            start: Instant::now(),
            size: Size {
                width: 0,
                height: 0,
            },
            pixels: Vec::new(),
        }
    }

    /// Draws what changed, and gives it. `None` where the picture is too large to be shown: then the
    /// last one stays.
    pub fn refresh(
        &mut self,
        scanout: &Scanout,
        dirty: Dirty<'_>,
    ) -> Result<Option<Damage>, RefreshError> {
        let size = self.screen.size(scanout);
        if size.pixels() > Self::MOST_PIXELS {
            return Ok(None);
        }
        if size != self.size {
            self.size = size;
            self.pixels = vec![0; size.pixels() as usize];
        }
        let surface = Surface {
            pixels: &mut self.pixels,
            stride: size.width as usize,
        };
        let now = self.start.elapsed();
        let damage = self
            .screen
            .refresh(scanout, &self.vram, dirty, now, surface)?;
        Ok(Some(damage))
    }
}

/// A frame where no log of the guest's writes is kept.
pub fn frame(vga: &SharedVga, display: &mut Display) -> Result<Option<Damage>, RefreshError> {
    let scanout = vga.with(|vga| vga.scanout()); // all that needs the lock
    display.refresh(&scanout, Dirty::Compare)
}

/// A frame where `log` is KVM's dirty log of the slot at BAR0, just read. `words` are
/// `Vram::dirty_words` words that are kept from frame to frame.
pub fn logged_frame(
    vga: &SharedVga,
    display: &mut Display,
    words: &mut [u64],
    log: &[u64],
) -> Result<Option<Damage>, RefreshError> {
    add_log(words, log, 0);
    let scanout = vga.with(|vga| {
        // What the device wrote isn't in KVM's log.
        vga.drain_dirty(words)?;
        Ok::<_, RefreshError>(vga.scanout())
    })?;
    let damage = display.refresh(&scanout, Dirty::Pages(words))?;
    if damage.is_some() {
        words.fill(0);
    }
    Ok(damage)
}

/// ORs the dirty log of a slot that shows VRAM from byte `offset` on into the words of VRAM's pages.
pub fn add_log(words: &mut [u64], log: &[u64], offset: u64) {
    let page = offset as usize / DirtyBitmap::PAGE_SIZE;
    for (index, pages) in log.iter().enumerate() {
        let pages = u128::from(*pages) << (page % 64);
        let words = words.iter_mut().skip(page / 64 + index);
        for (word, pages) in words.zip([pages as u64, (pages >> 64) as u64]) {
            *word |= pages;
        }
    }
}

/// An event for the display thread's loop: the picture's kind, size or format changed.
pub fn mode_event(vga: &SharedVga) -> io::Result<EventFd> {
    let event = EventFd::new(EFD_NONBLOCK)?;
    let of_device = event.try_clone()?;
    vga.with(|vga| vga.set_mode_event(Some(of_device)));
    Ok(event)
}

#[cfg(test)]
mod tests {
    use stdvga::{Config, StdVga};

    use super::*;
    use crate::shared::{GuestMemory, Region};

    /// A VMM that maps nothing: all accesses trap.
    struct NoMemory;

    impl GuestMemory for NoMemory {
        fn map(&mut self, _slot: usize, _region: &Region) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn unmap(&mut self, _slot: usize) {}
    }

    fn vga() -> (SharedVga, Display) {
        let vga = StdVga::new(Config::default()).expect("a valid configuration");
        let display = Display::new(vga.vram().clone());
        (SharedVga::new(vga, NoMemory), display)
    }

    /// Sets a DISPI mode, and switches the palette on.
    fn set_mode(vga: &SharedVga, width: u16, height: u16, bpp: u16) {
        for (register, value) in [(4_u16, 0), (1, width), (2, height), (3, bpp), (4, 1)] {
            vga.write(|vga| vga.port_write(0x1ce, &register.to_le_bytes()));
            vga.write(|vga| vga.port_write(0x1d0, &value.to_le_bytes()));
        }
        vga.write(|vga| vga.port_write(0x3c0, &[0x20]));
    }

    #[test]
    fn a_frame_shows_what_the_device_and_the_guest_wrote() {
        let (vga, mut display) = vga();
        let vram = vga.with(|vga| vga.vram().clone());
        let (mut words, mut log) = (vec![0; vram.dirty_words()], vec![0; vram.dirty_words()]);
        set_mode(&vga, 64, 64, 32);
        let frame = logged_frame(&vga, &mut display, &mut words, &log);
        assert!(frame.is_ok_and(|damage| damage.is_some()));
        assert!(words.iter().all(|word| *word == 0), "the marks were used");

        // What the guest writes is marked in the log, what the device writes in its own bitmap.
        vram.write(4 * 64 * 40, &[0x11]);
        vga.with(|vga| vga.drain_dirty(&mut log))
            .expect("as many words");
        vga.with(|vga| vga.window_write(4, &[0x22]));
        logged_frame(&vga, &mut display, &mut words, &log).expect("a frame");
        assert_eq!((display.pixels[1], display.pixels[64 * 40]), (0x22, 0x11));
    }

    #[test]
    fn a_picture_that_is_too_large_leaves_the_last_one_and_the_marks() {
        let (vga, mut display) = vga();
        set_mode(&vga, 64, 48, 32);
        frame(&vga, &mut display).expect("a frame");
        set_mode(&vga, 4096, 4096, 8);
        let log = vec![1; vga.with(|vga| vga.vram().dirty_words())];
        let mut words = vec![0; log.len()];
        let damage = logged_frame(&vga, &mut display, &mut words, &log);
        assert_eq!(damage, Ok(None));
        assert_eq!((display.size.width, display.size.height), (64, 48));
        assert!(words.iter().all(|word| word & 1 == 1), "{words:x?}");
    }

    #[test]
    fn the_picture_outlives_a_reset() {
        let (vga, mut display) = vga();
        set_mode(&vga, 64, 48, 8);
        vga.write(|vga| vga.port_write(0x3c8, &[1]));
        string(&vga, 0x3c9, &[0x3f, 0x3f, 0x3f]);
        vga.with(|vga| vga.vram().write(5, &[1]));
        frame(&vga, &mut display).expect("a frame");
        let before = display.pixels.clone();
        assert_eq!(before[5], 0x00ff_ffff);
        vga.write(StdVga::reset);
        frame(&vga, &mut display).expect("a frame");
        assert_eq!(display.pixels, before);
    }

    fn string(vga: &SharedVga, port: u16, data: &[u8]) {
        for byte in data {
            vga.write(|vga| vga.port_write(port, &[*byte]));
        }
    }

    #[test]
    fn the_event_comes_once_for_a_changed_mode() {
        let (vga, mut display) = vga();
        let event = mode_event(&vga).expect("an event");
        set_mode(&vga, 64, 48, 8);
        assert_eq!(event.read().expect("a signal"), 1);
        frame(&vga, &mut display).expect("a frame");
        set_mode(&vga, 64, 40, 8);
        assert_eq!(event.read().expect("a signal"), 1);
    }

    #[test]
    fn the_log_of_a_bank_marks_the_pages_of_that_bank() {
        let mut words = [1, 0, 0];
        // The window shows VRAM from 0x30000 on: its first page is page 48.
        add_log(&mut words, &[1 | 1 << 3 | 1 << 16], 0x3_0000);
        assert_eq!(words, [1 | 1 << 48 | 1 << 51, 1, 0]);
    }
}
