// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a guest's display is plugged into.

use std::time::Duration;

use stdvga::{Damage, Dirty, Screen, Size, Surface};

use super::Guest;

/// What a surface holds where nothing was drawn. No picture has it.
pub const UNTOUCHED: u32 = 0xdead_beef;

/// A monitor: a screen and the surface it draws on.
#[derive(Default)]
pub struct Monitor {
    pub screen: Screen,
    pub size: Option<Size>,
    pub pixels: Vec<u32>,
}

impl Monitor {
    /// Refreshes at `milliseconds`, growing the surface as the picture does.
    pub fn refresh(&mut self, guest: &mut Guest, milliseconds: u64) -> Damage {
        self.refresh_where(guest, Dirty::Compare, milliseconds)
    }

    /// Refreshes with what's known to be dirty.
    pub fn refresh_where(
        &mut self,
        guest: &mut Guest,
        dirty: Dirty<'_>,
        milliseconds: u64,
    ) -> Damage {
        let scanout = guest.vga.scanout();
        let size = self.screen.size(&scanout);
        if self.size != Some(size) {
            self.size = Some(size);
            self.pixels = vec![UNTOUCHED; (size.width * size.height) as usize];
        }
        let surface = Surface::new(&mut self.pixels, size.width as usize);
        self.screen
            .refresh(
                &scanout,
                guest.vga.vram(),
                dirty,
                Duration::from_millis(milliseconds),
                surface,
            )
            .expect("the surface has the size that the screen asked for")
    }

    /// Shows a picture otherwise than by drawing it, after which nothing is left of what was drawn.
    pub fn skip(&mut self, guest: &mut Guest, milliseconds: u64) {
        let now = Duration::from_millis(milliseconds);
        self.screen.skip(&guest.vga.scanout(), now);
        self.pixels.fill(UNTOUCHED);
    }

    pub fn pixel(&self, x: u32, y: u32) -> u32 {
        let width = self.size.expect("a refresh").width;
        self.pixels[(y * width + x) as usize]
    }

    /// `count` pixels from a place on, to the right.
    pub fn row(&self, x: u32, y: u32, count: u32) -> Vec<u32> {
        (x..x + count).map(|x| self.pixel(x, y)).collect()
    }

    pub fn dimensions(&self) -> (u32, u32) {
        let size = self.size.expect("a refresh");
        (size.width, size.height)
    }
}
