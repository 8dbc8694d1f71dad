// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A picture with its own memory.

use std::time::Duration;

use vm_memory::bitmap::Bitmap;

use crate::damage::{Damage, Size};
use crate::dirty::Dirty;
use crate::error::RefreshError;
use crate::scanout::Scanout;
use crate::screen::{Screen, Surface};
use crate::vram::Vram;

/// A [`Screen`] with its own surface, and a limit to its size.
///
/// Use it if you have no surface. A `Picture` belongs to one device, and lives on the display thread.
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
    /// An empty picture, for a device of which nothing was drawn yet.
    ///
    /// The guest chooses the size, up to 16000x12000. A picture with more than `max_pixels` isn't shown. Each
    /// pixel takes four bytes here, and as many again in the screen if refreshes compare.
    pub fn new(max_pixels: u64) -> Self {
        Self::with_screen(Screen::new(), max_pixels)
    }

    /// The same with a given new screen, for example one with other kernels.
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

    /// Brings the picture up to date, and returns the parts of it that may have changed: [`Screen::refresh`]
    /// with the surface in this `Picture`.
    ///
    /// Returns `None` if the picture is too large to show. The previous one then stays. Its marks needn't be
    /// kept, because the next picture that is shown is drawn completely.
    ///
    /// # Errors
    ///
    /// Those of [`Screen::refresh`], and [`RefreshError::Memory`] if there's no memory for a picture of this
    /// size. The previous picture then stays.
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
        // Only now, because after an error the screen relies on the pixels that it drew.
        if let Some(pixels) = another {
            self.pixels.0 = pixels;
            self.size = size;
        }
        Ok(Some(damage))
    }

    /// Width and height of the picture in pixels. 0x0 before the first refresh.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The pixels as 0x00RRGGBB, line by line from the top. A line has [`Picture::size`]'s width, without
    /// gaps.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels.0
    }

    /// The screen that draws this picture.
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
