// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The loops for AVX2. Others wouldn't be faster than the plain ones.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "lengths are in the types, and tables are made at compile time"
)]

use std::arch::x86_64::*;

use vm_memory::VolatileSlice;
use vm_memory::bitmap::BitmapSlice;

use super::super::plain::{Rest, by_blocks, chunks};
use super::super::{GROUP_PIXELS, Glyph, Palette, Pixel, Work, plain};
use super::memory::{load_16, load_32, store_8_pixels, store_32};
use crate::config::ByteOrder;
use crate::planes::{GROUP_BYTES, group_mask};

/// Bytes of a vector.
const BYTES: usize = 32;
/// Bytes per half of a vector. Most instructions that move bytes can't move them to the other half.
const HALF: usize = 16;

#[target_feature(enable = "avx2")]
pub fn run(work: Work<'_>) {
    match work {
        Work::Planar {
            groups,
            planes,
            indices,
        } => {
            let (groups, indices) = transpose(groups, planes, indices, &PLANAR);
            plain::planar(groups, planes, indices);
        }
        Work::Cga {
            groups,
            planes,
            indices,
        } => {
            let (groups, indices) = transpose(groups, planes, indices, &CGA);
            plain::cga(groups, planes, indices);
        }
        Work::Colors16 {
            indices,
            palette,
            pixels,
        } => colors_16(indices, palette, pixels),
        Work::Colors16Doubled {
            indices,
            palette,
            pixels,
        } => {
            colors_16_doubled(indices, palette, pixels);
        }
        other => plain::run(other),
    }
}

/// Pixels per block, by measurement.
const BLOCK: usize = 128;
/// Three vectors: few enough to be converted in registers, without being read back from the block.
const BLOCK_24_BITS: usize = 32;
const BLOCK_32_BITS: usize = 64;

#[target_feature(enable = "avx2")]
pub fn row<S: BitmapSlice>(pixel: Pixel<'_>, bytes: &VolatileSlice<'_, S>, pixels: &mut [u32]) {
    use ByteOrder::{Big, Little};
    match pixel {
        Pixel::Color256(_) => plain::row(pixel, bytes, pixels),
        Pixel::Rgb555(Little) => by_blocks(bytes, pixels, |b, p| rgb16::<5, false>(b, p)),
        Pixel::Rgb555(Big) => by_blocks(bytes, pixels, |b, p| rgb16::<5, true>(b, p)),
        Pixel::Rgb565(Little) => by_blocks(bytes, pixels, |b, p| rgb16::<6, false>(b, p)),
        Pixel::Rgb565(Big) => by_blocks(bytes, pixels, |b, p| rgb16::<6, true>(b, p)),
        Pixel::Rgb888(order) => by_blocks(bytes, pixels, |b, p| rgb888(b, order, p)),
        Pixel::Xrgb8888(order) => {
            by_blocks::<4, BLOCK_32_BITS>(bytes, pixels, |b, p| plain::xrgb8888(b, order, p));
        }
    }
}

/// Where the four bits of 32 indices are in 16 bytes of groups.
struct Bits {
    /// The byte that contains the bit.
    bytes: [[u8; BYTES]; 4],
    /// The bit in that byte.
    masks: [[u8; BYTES]; 4],
}

static PLANAR: Bits = Bits::new(false);
static CGA: Bits = Bits::new(true);

impl Bits {
    const fn new(cga: bool) -> Self {
        let mut bits = Self {
            bytes: [[0; BYTES]; 4],
            masks: [[0; BYTES]; 4],
        };
        let mut bit = 0;
        while bit < 4 {
            let mut index = 0;
            while index < BYTES {
                let group = index / GROUP_PIXELS;
                let pixel = index % GROUP_PIXELS;
                let (plane, place) = if cga {
                    ((bit & 2) + pixel / 4, 7 - 2 * (pixel % 4) - (1 - bit % 2))
                } else {
                    (bit, 7 - pixel)
                };
                bits.bytes[bit][index] = (group * GROUP_BYTES + plane) as u8;
                bits.masks[bit][index] = 1 << place;
                index += 1;
            }
            bit += 1;
        }
        bits
    }
}

/// Converts groups to indices. Returns the rest of both.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose<'a>(groups: &'a [u8], planes: u8, indices: &'a mut [u8], bits: &Bits) -> Rest<'a, u8> {
    let enabled = _mm_set1_epi32(group_mask(planes) as i32);
    let bytes = bits.bytes.each_ref().map(|bytes| load_32(bytes));
    let masks = bits.masks.each_ref().map(|masks| load_32(masks));
    let (chunks, rest) = chunks::<_, HALF, BYTES>(groups, indices);
    for (groups, indices) in chunks {
        let groups = _mm256_broadcastsi128_si256(_mm_and_si128(load_16(groups), enabled));
        let bit = |bit: usize| {
            let found = _mm256_and_si256(_mm256_shuffle_epi8(groups, bytes[bit]), masks[bit]);
            let set = _mm256_cmpeq_epi8(found, masks[bit]);
            _mm256_and_si256(set, _mm256_set1_epi8(1 << bit))
        };
        let low = _mm256_or_si256(bit(0), bit(1));
        let high = _mm256_or_si256(bit(2), bit(3));
        store_32(_mm256_or_si256(low, high), indices);
    }
    rest
}

#[inline]
#[target_feature(enable = "avx2")]
fn colors_16(indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
    let table = Table::new(palette);
    let order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    let (chunks, (indices, pixels)) = chunks::<_, BYTES, BYTES>(indices, pixels);
    for (indices, pixels) in chunks {
        let indices = _mm256_permutevar8x32_epi32(load_32(indices), order);
        table.draw(indices, pixels);
    }
    plain::colors_256(indices, palette, pixels);
}

#[inline]
#[target_feature(enable = "avx2")]
fn colors_16_doubled(indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
    let table = Table::new(palette);
    let order = _mm256_setr_epi8(
        0, 0, 1, 1, 4, 4, 5, 5, 8, 8, 9, 9, 12, 12, 13, 13, //
        2, 2, 3, 3, 6, 6, 7, 7, 10, 10, 11, 11, 14, 14, 15, 15,
    );
    let (chunks, (indices, pixels)) = chunks::<_, HALF, BYTES>(indices, pixels);
    for (indices, pixels) in chunks {
        let indices = _mm256_broadcastsi128_si256(load_16(indices));
        table.draw(_mm256_shuffle_epi8(indices, order), pixels);
    }
    plain::colors_doubled(indices, palette, pixels);
}

/// Bytes of the first 16 colours.
struct Table {
    blue: __m256i,
    green: __m256i,
    red: __m256i,
}

impl Table {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(palette: &Palette) -> Self {
        let [blue, green, red] = palette.components.each_ref().map(|bytes| {
            let (parts, _) = bytes.as_chunks();
            _mm256_broadcastsi128_si256(load_16(&parts[0]))
        });
        Self { blue, green, red }
    }

    /// Draws 32 pixels. For every eight indices, the first four are in the vector's lower half, and the
    /// others in its upper half. So unpacking both halves side by side keeps the order.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn draw(&self, indices: __m256i, pixels: &mut [u32; BYTES]) {
        let blue = _mm256_shuffle_epi8(self.blue, indices);
        let green = _mm256_shuffle_epi8(self.green, indices);
        let red = _mm256_shuffle_epi8(self.red, indices);
        let zero = _mm256_setzero_si256();
        let low = [
            _mm256_unpacklo_epi8(blue, green),
            _mm256_unpacklo_epi8(red, zero),
        ];
        let high = [
            _mm256_unpackhi_epi8(blue, green),
            _mm256_unpackhi_epi8(red, zero),
        ];
        let (places, _) = pixels.as_chunks_mut();
        store_8_pixels(_mm256_unpacklo_epi16(low[0], low[1]), &mut places[0]);
        store_8_pixels(_mm256_unpackhi_epi16(low[0], low[1]), &mut places[1]);
        store_8_pixels(_mm256_unpacklo_epi16(high[0], high[1]), &mut places[2]);
        store_8_pixels(_mm256_unpackhi_epi16(high[0], high[1]), &mut places[3]);
    }
}

/// Like `plain::rgb16`. The byte order is a constant, because the compiler generates worse code for
/// multiplications by variable factors.
#[inline]
#[target_feature(enable = "avx2")]
fn rgb16<const GREEN_BITS: i32, const BIG: bool>(
    bytes: &[[u8; 2]; BLOCK],
    pixels: &mut [u32; BLOCK],
) {
    let swap = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14,
    ));
    let left = |words, bits| _mm256_sll_epi16(words, _mm_cvtsi32_si128(bits));
    let right = |words, bits| _mm256_srl_epi16(words, _mm_cvtsi32_si128(bits));
    let only = |words, mask: u16| _mm256_and_si256(words, _mm256_set1_epi16(mask as i16));
    // Five bits at the top of a word, times 33 << 3, give eight bits at the top of the product: the five, and
    // their highest three again. Times 32 << 3, zeros follow instead.
    let factor: i16 = if BIG { 32 << 3 } else { 33 << 3 };
    let widen = |words, factor| _mm256_mulhi_epu16(words, _mm256_set1_epi16(factor));
    let red_mask: u16 = 0x1f << (5 + GREEN_BITS);
    let red_factor = factor << (6 - GREEN_BITS);
    let green_mask: u16 = (1 << GREEN_BITS) - 1;

    let (chunks, _) = bytes.as_flattened().as_chunks();
    let (pixels, _) = pixels.as_chunks_mut::<{ BYTES / 2 }>();
    for (bytes, pixels) in chunks.iter().zip(pixels) {
        // Unpacking takes the lower quarter of both halves, and then the upper one. With this order of
        // quarters, the pixels come out in order.
        let mut words = _mm256_permute4x64_epi64::<0b11_01_10_00>(load_32(bytes));
        if BIG {
            words = _mm256_shuffle_epi8(words, swap);
        }
        let red = widen(only(words, red_mask), red_factor);
        let blue = widen(left(words, 11), factor);
        // In the upper byte. Blue will replace the lower one.
        let green = if BIG {
            only(
                left(words, 11 - GREEN_BITS),
                green_mask << (16 - GREEN_BITS),
            )
        } else {
            // The product contains the field twice: at the top, and repeated below.
            let aligned = only(
                right(words, GREEN_BITS - 5),
                green_mask << (10 - GREEN_BITS),
            );
            let factor = if GREEN_BITS == 6 { 65 } else { 66 };
            _mm256_mullo_epi16(aligned, _mm256_set1_epi16(factor))
        };
        let low = _mm256_blendv_epi8(green, blue, _mm256_set1_epi16(0xff));
        let (places, _) = pixels.as_chunks_mut();
        store_8_pixels(_mm256_unpacklo_epi16(low, red), &mut places[0]);
        store_8_pixels(_mm256_unpackhi_epi16(low, red), &mut places[1]);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn rgb888(bytes: &[[u8; 3]; BLOCK_24_BITS], order: ByteOrder, pixels: &mut [u32; BLOCK_24_BITS]) {
    let places = _mm256_broadcastsi128_si256(match order {
        ByteOrder::Little => _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1),
        ByteOrder::Big => _mm_setr_epi8(2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1),
    });
    let (vectors, _) = bytes.as_flattened().as_chunks();
    let [a, b, c] = std::array::from_fn(|vector| load_32(&vectors[vector]));
    // The dwords of eight pixels each. Three of them go to each half. The fourth one there doesn't matter.
    let dwords = [
        a,
        _mm256_blend_epi32::<0b1100_0000>(b, a),
        _mm256_blend_epi32::<0b1111_0000>(c, b),
        c,
    ];
    let orders = [
        _mm256_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5),
        _mm256_setr_epi32(6, 7, 0, 0, 1, 2, 3, 3),
        _mm256_setr_epi32(4, 5, 6, 6, 7, 0, 1, 1),
        _mm256_setr_epi32(2, 3, 4, 4, 5, 6, 7, 7),
    ];
    let (pixels, _) = pixels.as_chunks_mut();
    for ((dwords, order), pixels) in dwords.into_iter().zip(orders).zip(pixels) {
        let halves = _mm256_permutevar8x32_epi32(dwords, order);
        store_8_pixels(_mm256_shuffle_epi8(halves, places), pixels);
    }
}

#[target_feature(enable = "avx2")]
pub fn glyph(glyph: Glyph<'_>, pixels: &mut [u32], stride: usize) {
    let Glyph {
        lines,
        width,
        repeats_eighth,
        foreground,
        background,
    } = glyph;
    let colors = [background, foreground].map(|color| _mm256_set1_epi32(color as i32));
    let draw = |dots: u8, places: __m256i, pixels: &mut [u32; 8]| {
        let found = _mm256_and_si256(_mm256_set1_epi8(dots as i8), places);
        let set = _mm256_cmpeq_epi32(found, places);
        store_8_pixels(_mm256_blendv_epi8(colors[0], colors[1], set), pixels);
    };
    let eight = _mm256_setr_epi32(0x80, 0x40, 0x20, 0x10, 8, 4, 2, 1);
    match width {
        16 => {
            let left = _mm256_setr_epi32(0x80, 0x80, 0x40, 0x40, 0x20, 0x20, 0x10, 0x10);
            let right = _mm256_setr_epi32(8, 8, 4, 4, 2, 2, 1, 1);
            plain::draw_lines(lines, pixels, stride, |dots, line: &mut [u32; 16]| {
                let (halves, _) = line.as_chunks_mut();
                draw(dots, left, &mut halves[0]);
                draw(dots, right, &mut halves[1]);
            });
        }
        // Two loops, since most glyphs needn't look at a dot twice.
        9 if repeats_eighth => plain::draw_lines(lines, pixels, stride, |dots, line| {
            let [first @ .., ninth]: &mut [u32; 9] = line;
            draw(dots, eight, first);
            *ninth = if dots & 1 != 0 {
                foreground
            } else {
                background
            };
        }),
        9 => plain::draw_lines(lines, pixels, stride, |dots, line| {
            let [first @ .., ninth]: &mut [u32; 9] = line;
            draw(dots, eight, first);
            *ninth = background;
        }),
        _ => plain::draw_lines(lines, pixels, stride, |dots, line| draw(dots, eight, line)),
    }
}
