// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A picture in memory of its own.

use std::time::Duration;

use vm_memory::bitmap::Bitmap;

use crate::damage::{Damage, Size};
use crate::dirty::Dirty;
use crate::error::RefreshError;
use crate::scanout::Scanout;
use crate::screen::{Screen, Surface};
use crate::vram::Vram;

/// A [`Screen`] with a surface of its own, and a limit to how large that may get.
///
/// It's for those who don't bring a surface. One belongs to one device, and lives on the display thread.
#[derive(Debug)]
pub struct Picture {
    screen: Screen,
    pixels: Pixels,
    size: Size,
    max_pixels: u64,
}

/// Pixels that `Debug` doesn't print.
#[derive(Default)]
struct Pixels(Vec<u32>);

impl std::fmt::Debug for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pixels").finish_non_exhaustive()
    }
}

impl Picture {
    /// A picture of no size, for a device on which nothing was drawn yet.
    ///
    /// The guest chooses the size: up to 16000x12000. What has more than `max_pixels` isn't shown. A pixel
    /// takes four bytes here, and as many again in the screen if refreshes compare.
    pub fn new(max_pixels: u64) -> Self {
        Self::with_screen(Screen::new(), max_pixels)
    }

    /// The same with a screen on which nothing was drawn: one with other kernels, say.
    pub fn with_screen(screen: Screen, max_pixels: u64) -> Self {
        Self {
            screen,
            pixels: Pixels::default(),
            size: Size {
                width: 0,
                height: 0,
            },
            max_pixels,
        }
    }

    /// Brings the picture up to date, and returns which parts of it may have changed: [`Screen::refresh`] with
    /// the surface that is kept here.
    ///
    /// `None` if the picture is too large to be shown: the last one stays then. Its marks needn't be kept, for
    /// the next one that is shown is drawn whole.
    ///
    /// # Errors
    ///
    /// As [`Screen::refresh`], and [`RefreshError::Memory`] if there's no memory for a picture of this size.
    /// The last one stays then.
    pub fn refresh<B: Bitmap>(
        &mut self,
        scanout: &Scanout,
        vram: &Vram<B>,
        dirty: Dirty<'_>,
        now: Duration,
    ) -> Result<Option<Damage>, RefreshError> {
        let size = self.screen.size(scanout);
        if size.pixels() > self.max_pixels {
            self.screen.skip(scanout, now);
            return Ok(None);
        }
        let mut another = if size == self.size {
            None
        } else {
            Some(pixels_of(size)?)
        };
        let pixels = another.as_mut().unwrap_or(&mut self.pixels.0);
        let surface = Surface::new(pixels, size.width as usize);
        let damage = self.screen.refresh(scanout, vram, dirty, now, surface)?;
        // Only now: after an error, the screen counts on the pixels that it drew.
        if let Some(pixels) = another {
            self.pixels.0 = pixels;
            self.size = size;
        }
        Ok(Some(damage))
    }

    /// Width and height of the picture in pixels: 0x0 before the first refresh.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The pixels, 0x00RRGGBB, line by line from the top. A line has [`Picture::size`]'s width, without gaps.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels.0
    }

    /// The screen that draws it.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }
}

/// Black pixels for a picture of that size.
fn pixels_of(size: Size) -> Result<Vec<u32>, RefreshError> {
    let memory = RefreshError::Memory {
        pixels: size.pixels(),
    };
    let Ok(count) = usize::try_from(size.pixels()) else {
        return Err(memory);
    };
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(count).map_err(|_| memory)?;
    pixels.resize(count, 0);
    Ok(pixels)
}
