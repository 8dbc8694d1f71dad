// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Whole pictures, drawn and merely copied.

use std::hint::black_box;

use stdvga::{Dirty, Kernels, Screen};
use stdvga_testing::driver::*;

use super::Measure;
use super::display::Display;

/// A picture that a guest shows.
pub struct Picture {
    pub name: &'static str,
    /// The most time that drawing it should take, in times of copying it.
    pub goal: f64,
    set_mode: fn(&mut Guest),
}

pub const PICTURES: [Picture; 12] = [
    picture("text_80x25", 1.4, Guest::mode_03h),
    picture("planar_640x480", 1.5, |guest| guest.planar_mode(640, 480)),
    picture("planar_doubled", 1.1, mode_0dh),
    picture("mode_13h", 1.6, Guest::mode_13h),
    picture("vbe8_1024x768", 3.0, vbe_8),
    picture("vbe15_1080p", 0.7, |guest| guest.vbe_mode(1920, 1080, 15)),
    picture("vbe16_1080p", 0.7, |guest| guest.vbe_mode(1920, 1080, 16)),
    picture("vbe16be_1080p", 0.7, |guest| big_endian(guest, 16)),
    picture("vbe24_1080p", 0.7, |guest| guest.vbe_mode(1920, 1080, 24)),
    picture("vbe32_1080p", 1.0, |guest| guest.vbe_mode(1920, 1080, 32)),
    picture("vbe32be_1080p", 1.0, |guest| big_endian(guest, 32)),
    picture("vbe32_4k", 1.0, |guest| guest.vbe_mode(3840, 2160, 32)),
];

const fn picture(name: &'static str, goal: f64, set_mode: fn(&mut Guest)) -> Picture {
    Picture {
        name,
        goal,
        set_mode,
    }
}

/// 320x200 in 16 planar colours, each pixel shown as two by two.
fn mode_0dh(guest: &mut Guest) {
    guest.planar_mode(320, 400);
    guest.crtc(MAXIMUM_SCAN_LINE, 0x40 | DOUBLE_SCAN);
    guest.sequencer(CLOCKING_MODE, EIGHT_DOTS | DOT_CLOCK_HALF);
}

fn vbe_8(guest: &mut Guest) {
    guest.vbe_mode(1024, 768, 8);
    for index in 0..=255 {
        guest.dac(index, [index, index >> 2, !index]);
    }
}

fn big_endian(guest: &mut Guest, bpp: u16) {
    guest.vbe_mode(1920, 1080, bpp);
    guest.mmio_write(EXTENDED_BYTE_ORDER, &BIG_ENDIAN.to_le_bytes());
}

impl Picture {
    /// Measures what drawing is compared with: writing and copying as many bytes as the picture has.
    pub fn measure_copying(&self, to: &mut impl Measure) {
        let bytes = || {
            let scanout = self.guest().vga.scanout();
            4 * Screen::new().size(&scanout).pixels() as usize
        };
        to.measure(&format!("{}/memset", self.name), || {
            let mut pixels = vec![0_u8; bytes()];
            move || black_box(&mut pixels[..]).fill(black_box(0x5a))
        });
        to.measure(&format!("{}/memcpy", self.name), || {
            let mut pixels = vec![0_u8; bytes()];
            let vram = vec![0x5a_u8; bytes()];
            move || black_box(&mut pixels[..]).copy_from_slice(black_box(&vram))
        });
    }

    /// Measures drawing all of it.
    pub fn measure_drawing(&self, to: &mut impl Measure) {
        let kernels = [("ours", Kernels::Detected), ("portable", Kernels::Portable)];
        for (name, kernels) in kernels {
            to.measure(&format!("{}/{name}", self.name), || {
                let mut display = Display::new(self.guest(), kernels);
                move || {
                    black_box(display.refresh(Dirty::All));
                }
            });
        }
    }

    fn guest(&self) -> Guest {
        // As much as the largest needs.
        let mut guest = Guest::with_vram(64);
        (self.set_mode)(&mut guest);
        guest
    }
}
