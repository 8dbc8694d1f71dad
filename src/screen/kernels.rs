// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The inner loops: bytes of VRAM -> palette indices -> pixels.
//!
//! A loop works on as many elements as both its slices have.

mod plain;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use vm_memory::VolatileSlice;
use vm_memory::bitmap::BitmapSlice;

use crate::config::ByteOrder;
use crate::planes::Group;

pub(super) use plain::GROUP_PIXELS;

/// The loops that a [`Screen`](crate::Screen) uses.
///
/// All draw the same pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernels {
    /// The fastest loops for this CPU. Its features are detected once.
    #[default]
    Detected,
    /// Loops that run on every CPU of the architecture that the crate was compiled for.
    Portable,
}

/// The colours of the indices, prepared for lookups.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    colors: [u32; 256],
    /// Each colour twice.
    doubled: [[u32; 2]; 256],
    /// All pairs of the first 16. The low half of an index is the left one's.
    pairs_16: [[u32; 2]; 256],
    /// Blue, green and red of each colour, for lookups in the CPU's registers.
    #[cfg(target_arch = "x86_64")]
    components: [[u8; 256]; 3],
}

impl Palette {
    #[expect(clippy::indexing_slicing, reason = "halves of a byte")]
    pub fn new(colors: &[u32; 256]) -> Self {
        Self {
            colors: *colors,
            doubled: colors.map(|color| [color; 2]),
            pairs_16: std::array::from_fn(|pair| [colors[pair & 0x0f], colors[pair >> 4]]),
            #[cfg(target_arch = "x86_64")]
            components: [0, 1, 2].map(|byte: usize| colors.map(|color| color.to_le_bytes()[byte])),
        }
    }

    pub fn colors(&self) -> &[u32; 256] {
        &self.colors
    }
}

/// How a character cell is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glyph<'a> {
    /// The dots of each line as in VRAM: a byte of plane 2, its highest bit the leftmost dot.
    pub lines: &'a [Group],
    /// Width of the cell in pixels: 8, 9 or 16.
    pub width: usize,
    /// Whether a ninth pixel repeats the eighth. Otherwise it's background.
    pub repeats_eighth: bool,
    pub foreground: u32,
    pub background: u32,
}

/// The arguments of a loop from slice to slice. The function of [`Tier`] with the same name says what it
/// does.
pub(super) enum Work<'a> {
    Planar {
        groups: &'a [u8],
        planes: u8,
        indices: &'a mut [u8],
    },
    Cga {
        groups: &'a [u8],
        planes: u8,
        indices: &'a mut [u8],
    },
    Colors16 {
        indices: &'a [u8],
        palette: &'a Palette,
        pixels: &'a mut [u32],
    },
    Colors16Doubled {
        indices: &'a [u8],
        palette: &'a Palette,
        pixels: &'a mut [u32],
    },
    Colors256Doubled {
        indices: &'a [u8],
        palette: &'a Palette,
        pixels: &'a mut [u32],
    },
}

/// How a pixel of one or more whole bytes becomes a colour.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pixel<'a> {
    /// A one-byte index.
    Color256(&'a Palette),
    /// A 16-bit word of 5, 5 and 5 bits.
    Rgb555(ByteOrder),
    /// A 16-bit word of 5, 6 and 5 bits.
    Rgb565(ByteOrder),
    /// 24 bits.
    Rgb888(ByteOrder),
    /// 32 bits, of which eight aren't used.
    Xrgb8888(ByteOrder),
}

/// Sets of loops, each compiled for certain CPUs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tier {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
}

impl Tier {
    pub fn new(kernels: Kernels) -> Self {
        match kernels {
            Kernels::Detected => Self::detected().next().unwrap_or(Self::Portable),
            Kernels::Portable => Self::Portable,
        }
    }

    /// The sets that this CPU can run, fastest first.
    fn detected() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let accelerated = [
            x86::Avx512::detect().map(Self::Avx512),
            x86::Avx2::detect().map(Self::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let accelerated: [Option<Self>; 0] = [];
        accelerated.into_iter().flatten().chain([Self::Portable])
    }

    fn run(self, work: Work<'_>) {
        match self {
            Self::Portable => plain::run(work),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(cpu) => cpu.run(work),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(cpu) => cpu.run(work),
        }
    }

    /// Converts each group to eight indices. Planes whose bit in `planes` is clear read as zeros.
    pub fn planar(self, groups: &[u8], planes: u8, indices: &mut [u8]) {
        self.run(Work::Planar {
            groups,
            planes,
            indices,
        });
    }

    /// The same for CGA: the first four indices are two bits each from planes 0 and 2, the others from planes
    /// 1 and 3.
    pub fn cga(self, groups: &[u8], planes: u8, indices: &mut [u8]) {
        self.run(Work::Cga {
            groups,
            planes,
            indices,
        });
    }

    /// Looks up indices below 16.
    pub fn colors_16(self, indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
        self.run(Work::Colors16 {
            indices,
            palette,
            pixels,
        });
    }

    /// Looks up indices below 16, each of which gives two pixels.
    pub fn colors_16_doubled(self, indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
        self.run(Work::Colors16Doubled {
            indices,
            palette,
            pixels,
        });
    }

    /// Looks up indices, each of which gives two pixels.
    pub fn colors_256_doubled(self, indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
        self.run(Work::Colors256Doubled {
            indices,
            palette,
            pixels,
        });
    }

    /// Converts a row in memory that others may write meanwhile.
    ///
    /// It's fetched block by block. One block is converted while the next is being loaded.
    pub fn row<S: BitmapSlice>(
        self,
        pixel: Pixel<'_>,
        bytes: &VolatileSlice<'_, S>,
        pixels: &mut [u32],
    ) {
        match self {
            Self::Portable => plain::row(pixel, bytes, pixels),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(cpu) => cpu.row(pixel, bytes, pixels),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(cpu) => cpu.row(pixel, bytes, pixels),
        }
    }

    /// Draws a character cell that starts at the first of `pixels`, and whose lines are `stride` pixels
    /// apart.
    pub fn glyph(self, glyph: Glyph<'_>, pixels: &mut [u32], stride: usize) {
        match self {
            Self::Portable => plain::glyph(glyph, pixels, stride),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(cpu) => cpu.glyph(glyph, pixels, stride),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(cpu) => cpu.glyph(glyph, pixels, stride),
        }
    }
}
