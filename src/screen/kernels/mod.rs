//! The inner loops: bytes of VRAM -> palette indices -> pixels.
//!
//! A loop works on as many elements as both its slices have.

mod plain;

use crate::config::ByteOrder;

pub(super) use plain::{GROUP_BYTES, GROUP_PIXELS};

/// The loops that a [`Screen`](crate::Screen) uses.
///
/// All draw the same pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernels {
    /// Those that are fastest on this CPU, of which the features are looked up once.
    #[default]
    Detected,
    /// Those that run on every CPU of the architecture that the crate was compiled for.
    Portable,
}

/// The colours that indices stand for, prepared for lookups.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    colors: [u32; 256],
}

impl Palette {
    pub fn new(colors: &[u32; 256]) -> Self {
        Self { colors: *colors }
    }

    pub fn colors(&self) -> &[u32; 256] {
        &self.colors
    }
}

/// How a character cell is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glyph<'a> {
    /// A byte for each line, its highest bit the leftmost dot.
    pub lines: &'a [u8],
    /// Width of the cell in pixels: 8, 9 or 16.
    pub width: usize,
    /// Whether a ninth pixel repeats the eighth; it's background otherwise.
    pub repeats_eighth: bool,
    pub foreground: u32,
    pub background: u32,
}

/// The tier of loops that was chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tier(());

impl Tier {
    pub fn new(kernels: Kernels) -> Self {
        match kernels {
            Kernels::Detected | Kernels::Portable => Self(()),
        }
    }

    /// The tier for a picture of that many pixels, all of which are drawn.
    pub fn for_picture(self, _pixels: u64) -> Self {
        self
    }

    /// Groups of four bytes, one a plane, as eight indices each. Planes whose bit in `planes` is clear
    /// read as zeros.
    pub fn planar(self, groups: &[u8], planes: u8, indices: &mut [u8]) {
        plain::planar(groups, planes, indices);
    }

    /// The same for CGA: two bits each of planes 0 and 2, then of planes 1 and 3.
    pub fn cga(self, groups: &[u8], planes: u8, indices: &mut [u8]) {
        plain::cga(groups, planes, indices);
    }

    /// Looks up indices below 16.
    pub fn colors_16(self, indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
        plain::colors(indices, &palette.colors, pixels);
    }

    /// Looks up indices below 16, each of which gives two pixels.
    pub fn colors_16_doubled(self, indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
        plain::colors_doubled(indices, &palette.colors, pixels);
    }

    /// Looks up indices.
    pub fn colors_256(self, indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
        plain::colors(indices, &palette.colors, pixels);
    }

    /// Looks up indices, each of which gives two pixels.
    pub fn colors_256_doubled(self, indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
        plain::colors_doubled(indices, &palette.colors, pixels);
    }

    /// 16-bit words of 5, 5 and 5 bits.
    pub fn rgb555(self, bytes: &[u8], order: ByteOrder, pixels: &mut [u32]) {
        plain::rgb555(bytes, order, pixels);
    }

    /// 16-bit words of 5, 6 and 5 bits.
    pub fn rgb565(self, bytes: &[u8], order: ByteOrder, pixels: &mut [u32]) {
        plain::rgb565(bytes, order, pixels);
    }

    /// 24 bits.
    pub fn rgb888(self, bytes: &[u8], order: ByteOrder, pixels: &mut [u32]) {
        plain::rgb888(bytes, order, pixels);
    }

    /// 32 bits, of which eight don't show.
    pub fn xrgb8888(self, bytes: &[u8], order: ByteOrder, pixels: &mut [u32]) {
        plain::xrgb8888(bytes, order, pixels);
    }

    /// Draws a character cell whose first pixel is that of `pixels`, and whose lines are `stride`
    /// pixels apart.
    pub fn glyph(self, glyph: Glyph<'_>, pixels: &mut [u32], stride: usize) {
        plain::glyph(glyph, pixels, stride);
    }
}
