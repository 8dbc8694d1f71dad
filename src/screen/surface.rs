// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Where pictures are drawn.

use std::fmt;

use crate::damage::Size;
use crate::error::SurfaceError;

/// The caller's memory that a picture is drawn into. Each pixel is 0x00RRGGBB in 32 bits (DRM's `XRGB8888` on
/// a little-endian host).
///
/// Its lines are `stride` pixels apart. The pixels between a line's end and the next line aren't
/// touched.
#[non_exhaustive]
pub struct Surface<'a> {
    /// The pixels, line by line from the top. Every line except the last takes `stride` of them.
    pub pixels: &'a mut [u32],
    /// Distance between the starts of consecutive lines, in pixels.
    pub stride: usize,
}

impl<'a> Surface<'a> {
    /// A surface of these pixels, with lines that start `stride` pixels apart. Without gaps, that's the
    /// picture's width.
    ///
    /// [`Screen::refresh`](crate::Screen::refresh) checks that a picture fits.
    pub fn new(pixels: &'a mut [u32], stride: usize) -> Self {
        Self { pixels, stride }
    }
}

impl Surface<'_> {
    pub(super) fn check(&self, size: Size) -> Result<(), SurfaceError> {
        let (width, height) = (size.width as usize, size.height as usize);
        if self.stride < width {
            return Err(SurfaceError::Stride {
                stride: self.stride,
                width: size.width,
            });
        }
        let needed = (height.saturating_sub(1))
            .saturating_mul(self.stride)
            .saturating_add(width);
        if self.pixels.len() < needed {
            return Err(SurfaceError::TooSmall {
                pixels: self.pixels.len(),
                needed,
            });
        }
        Ok(())
    }

    /// The pixels from column `x` of line `y` on. The picture's size was checked.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "the size was checked"
    )]
    pub(super) fn from(&mut self, x: u32, y: u32) -> &mut [u32] {
        &mut self.pixels[y as usize * self.stride + x as usize..]
    }

    /// Draws `lines` equal lines of `width` pixels, starting at line `y`. `draw` draws the first one.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "the size was checked"
    )]
    pub(super) fn draw_lines(
        &mut self,
        y: u32,
        lines: u32,
        width: u32,
        draw: impl FnOnce(&mut [u32]),
    ) {
        let (width, stride) = (width as usize, self.stride);
        let pixels = self.from(0, y);
        draw(&mut pixels[..width]);
        for line in 1..lines as usize {
            pixels.copy_within(..width, line * stride);
        }
    }

    #[expect(clippy::indexing_slicing, reason = "the size was checked")]
    pub(super) fn clear(&mut self, size: Size) {
        for line in self
            .pixels
            .chunks_mut(self.stride.max(1))
            .take(size.height as usize)
        {
            line[..size.width as usize].fill(0);
        }
    }
}

impl fmt::Debug for Surface<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surface")
            .field("len", &self.pixels.len())
            .field("stride", &self.stride)
            .finish_non_exhaustive()
    }
}
