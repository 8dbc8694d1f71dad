// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A guest's screen, as a display thread sees it.

use std::time::Duration;

use rand::prelude::*;
use stdvga::{Damage, Dirty, Kernels, Scanout, Screen, Size, Surface};
use stdvga_testing::driver::Guest;

/// Bytes of VRAM in which VGA's own modes, and their fonts, lie.
const VGA_BYTES: usize = 256 << 10;

/// A guest whose VRAM is filled, and what is drawn of it.
pub struct Display {
    pub guest: Guest,
    pub scanout: Scanout,
    screen: Screen,
    size: Size,
    pixels: Vec<u32>,
}

impl Display {
    /// Fills the VRAM that the guest's mode shows, with as many colours, characters or fonts as there are,
    /// and draws it for a first time.
    pub fn new(guest: Guest, kernels: Kernels) -> Self {
        let scanout = guest.vga.scanout();
        let screen = Screen::with_kernels(kernels);
        let size = screen.size(&scanout);
        let pixels = vec![0; size.pixels() as usize];

        let mut content = vec![0; VGA_BYTES.max(size_of_val(&*pixels))];
        SmallRng::seed_from_u64(0).fill_bytes(&mut content);
        guest.vga.vram().write(0, &content);
        let mut display = Self {
            guest,
            scanout,
            screen,
            size,
            pixels,
        };
        display.refresh(Dirty::All);
        display.take_dirty();
        display
    }

    pub fn refresh(&mut self, dirty: Dirty<'_>) -> Damage {
        let surface = Surface::new(&mut self.pixels, self.size.width as usize);
        let vram = self.guest.vga.vram();
        self.screen
            .refresh(&self.scanout, vram, dirty, Duration::ZERO, surface)
            .expect("the surface and the words have the lengths asked for")
    }

    /// Moves the marks out of the device's bitmap.
    pub fn take_dirty(&mut self) -> Vec<u64> {
        self.guest.take_dirty()
    }
}
