// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The loops for AVX-512 with VBMI, and GFNI. Others wouldn't be faster than those for AVX2.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "lengths are in the types, and tables are made at compile time"
)]
#![expect(
    clippy::incompatible_msrv,
    reason = "build.rs leaves this out if the compiler is too old for it"
)]

use std::arch::x86_64::*;

use vm_memory::VolatileSlice;
use vm_memory::bitmap::BitmapSlice;

use super::super::plain::{self, by_blocks, chunks};
use super::super::{Palette, Pixel, Work};
use super::avx2;
use super::memory::{load_16, load_32, store_8_pixels, store_32, words};
use crate::config::ByteOrder;
use crate::planes::GROUP_BYTES;

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
pub fn run(work: Work<'_>) {
    match work {
        Work::Planar {
            groups,
            planes,
            indices,
        } => planar(groups, planes, indices),
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
        Work::Colors256Doubled {
            indices,
            palette,
            pixels,
        } => {
            colors_256_doubled(indices, palette, pixels);
        }
        other => avx2::run(other),
    }
}

/// Pixels per block. Its bytes fill as many vectors as a pixel has bytes.
const BLOCK: usize = 64;
/// Pixels per vector.
const PIXELS: usize = 16;
const PLACES: usize = BLOCK / PIXELS;

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
pub fn row<S: BitmapSlice>(pixel: Pixel<'_>, bytes: &VolatileSlice<'_, S>, pixels: &mut [u32]) {
    match pixel {
        Pixel::Color256(palette) => {
            let table = Table::new(palette);
            by_blocks(bytes, pixels, |b, p| colors_256(b, &table, p));
        }
        Pixel::Rgb555(order) => by_blocks(bytes, pixels, |b, p| rgb16(b, &RGB555, order, p)),
        Pixel::Rgb565(order) => by_blocks(bytes, pixels, |b, p| rgb16(b, &RGB565, order, p)),
        Pixel::Rgb888(order) => by_blocks(bytes, pixels, |b, p| rgb888(b, order, p)),
        Pixel::Xrgb8888(order) => by_blocks(bytes, pixels, |b, p| xrgb8888(b, order, p)),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
fn colors_256(indices: &[[u8; 1]; BLOCK], table: &Table, pixels: &mut [u32; BLOCK]) {
    let [indices] = vectors(indices);
    store_block(table.look_up(indices), pixels);
}

/// The bytes of a block as vectors.
#[inline]
#[target_feature(enable = "avx512f")]
fn vectors<const N: usize>(bytes: &[[u8; N]; BLOCK]) -> [__m512i; N] {
    let (chunks, _) = bytes.as_flattened().as_chunks();
    std::array::from_fn(|vector| load_64(&chunks[vector]))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_block(colors: [__m512i; PLACES], pixels: &mut [u32; BLOCK]) {
    let (places, _) = pixels.as_chunks_mut();
    for (colors, place) in colors.into_iter().zip(places) {
        store_16_pixels(colors, place);
    }
}

/// Where the bytes of 16 pixels come from: blue, green, red, and an empty one.
type Places = [u8; 64];
/// The bytes of pixels that are used.
const COMPONENTS: __mmask64 = 0x7777_7777_7777_7777;
/// The lower halves of dwords.
const LOW_WORDS: __mmask64 = 0x3333_3333_3333_3333;

/// The places of 16 pixels of `pixel_bytes` bytes each, starting at byte `first`. `of_pixel` says which bytes
/// of a pixel are blue, green and red.
const fn places(first: usize, pixel_bytes: usize, of_pixel: [usize; 3]) -> Places {
    let mut places = [0; 64];
    let mut byte = 0;
    while byte < 64 {
        if byte % 4 < 3 {
            places[byte] = (first + byte / 4 * pixel_bytes + of_pixel[byte % 4]) as u8;
        }
        byte += 1;
    }
    places
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
fn xrgb8888(bytes: &[[u8; 4]; BLOCK], order: ByteOrder, pixels: &mut [u32; BLOCK]) {
    static LITTLE: Places = places(0, 4, [0, 1, 2]);
    static BIG: Places = places(0, 4, [3, 2, 1]);
    let places = load_64(match order {
        ByteOrder::Little => &LITTLE,
        ByteOrder::Big => &BIG,
    });
    let colors =
        vectors(bytes).map(|bytes| _mm512_maskz_permutexvar_epi8(COMPONENTS, places, bytes));
    store_block(colors, pixels);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
fn rgb888(bytes: &[[u8; 3]; BLOCK], order: ByteOrder, pixels: &mut [u32; BLOCK]) {
    /// Half of the pixels are in the first two vectors. The other half are in the last two, which start at
    /// byte 64.
    const fn all(of_pixel: [usize; 3]) -> [Places; PLACES] {
        [
            places(0, 3, of_pixel),
            places(48, 3, of_pixel),
            places(2 * 48 - 64, 3, of_pixel),
            places(3 * 48 - 64, 3, of_pixel),
        ]
    }
    static LITTLE: [Places; PLACES] = all([0, 1, 2]);
    static BIG: [Places; PLACES] = all([2, 1, 0]);
    let places = match order {
        ByteOrder::Little => &LITTLE,
        ByteOrder::Big => &BIG,
    };
    let [first, second, third] = vectors(bytes);
    let colors = std::array::from_fn(|place| {
        let (low, high) = if place < 2 {
            (first, second)
        } else {
            (second, third)
        };
        let places = load_64(&places[place]);
        _mm512_maskz_permutex2var_epi8(COMPONENTS, low, places, high)
    });
    store_block(colors, pixels);
}

/// How a 16-bit word becomes a pixel of four bytes: for the lowest bit of each byte, the bit of the word. The
/// other bits of the byte are the ones that follow in the word.
struct Fields {
    /// Aligns a component's highest bit with its byte's highest bit.
    high: [u8; 4],
    /// Aligns a component's highest bits with the low bits of its byte that the component itself doesn't
    /// fill.
    low: [u8; 4],
    /// The bits of the pixel that `high` provides. The others come from `low`, or are zeros.
    mask: u32,
}

// The CPU extracts bytes from 64 bits, as from a ring. They hold two words, each with 16 empty bits after it.

/// The start of an empty byte.
const EMPTY: u8 = 16;
/// `BEFORE - n` is n bits before the word's first one: empty bits, those after the other word.
const BEFORE: u8 = 64;

static RGB555: Fields = Fields {
    high: [BEFORE - 3, 2, 7, EMPTY],
    low: [2, 7, 12, EMPTY],
    mask: 0x00f8_f8f8,
};
static RGB565: Fields = Fields {
    high: [BEFORE - 3, 3, 8, EMPTY],
    low: [2, 9, 13, EMPTY],
    mask: 0x00f8_fcf8,
};

/// Like `plain::rgb16`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
fn rgb16(bytes: &[[u8; 2]; BLOCK], fields: &Fields, order: ByteOrder, pixels: &mut [u32; BLOCK]) {
    const fn both(of_pixel: [usize; 3]) -> [Places; 2] {
        [places(0, 2, of_pixel), places(32, 2, of_pixel)]
    }
    static LITTLE: [Places; 2] = both([0, 1, 0]);
    static BIG: [Places; 2] = both([1, 0, 0]);
    // For both words of 64 bits.
    let bits = |[a, b, c, d]: [u8; 4]| {
        let pair = [a, b, c, d, a + 32, b + 32, c + 32, d + 32].map(|bit| bit % 64);
        _mm512_set1_epi64(i64::from_le_bytes(pair))
    };
    let (high, low) = (bits(fields.high), bits(fields.low));
    let high_mask = _mm512_set1_epi32(fields.mask as i32);
    let (places, low_mask) = match order {
        ByteOrder::Little => (&LITTLE, _mm512_set1_epi32(!fields.mask as i32)),
        ByteOrder::Big => (&BIG, _mm512_setzero_si512()),
    };
    let [first, second] = vectors(bytes);
    let colors = std::array::from_fn(|place| {
        let bytes = if place < 2 { first } else { second };
        let places = load_64(&places[place % 2]);
        let words = _mm512_maskz_permutexvar_epi8(LOW_WORDS, places, bytes);
        let high = _mm512_and_si512(_mm512_multishift_epi64_epi8(high, words), high_mask);
        let low = _mm512_and_si512(_mm512_multishift_epi64_epi8(low, words), low_mask);
        _mm512_or_si512(high, low)
    });
    store_block(colors, pixels);
}

/// Where the rows of eight bit matrices are in eight groups. The planes are a matrix's first four rows.
/// They're repeated as the others, whose bits aren't used. GFNI needs the last row first.
static MATRICES: [u8; 64] = {
    let mut bytes = [0; 64];
    let mut byte = 0;
    while byte < 64 {
        bytes[byte] = (byte / 8 * GROUP_BYTES + (7 - byte % 8) % GROUP_BYTES) as u8;
        byte += 1;
    }
    bytes
};

/// Transposes bit matrices. Their rows are planes, and their columns pixels.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
fn planar(groups: &[u8], planes: u8, indices: &mut [u8]) {
    let order = load_64(&MATRICES);
    let identity = _mm512_set1_epi64(i64::from_be_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
    let enabled = _mm512_set1_epi8((planes & 0x0f) as i8);
    let (chunks, (groups, indices)) = chunks::<_, 32, 64>(groups, indices);
    for (groups, indices) in chunks {
        let groups = _mm512_castsi256_si512(load_32(groups));
        let matrices = _mm512_permutexvar_epi8(order, groups);
        let swapped = _mm512_gf2p8affine_epi64_epi8::<0>(identity, matrices);
        store_64(_mm512_and_si512(swapped, enabled), indices);
    }
    plain::planar(groups, planes, indices);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
fn colors_16(indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
    let table = table_16(palette);
    let (chunks, (indices, pixels)) = chunks(indices, pixels);
    for (indices, pixels) in chunks {
        let indices = _mm512_cvtepu8_epi32(load_16(indices));
        store_16_pixels(_mm512_permutexvar_epi32(indices, table), pixels);
    }
    plain::colors_256(indices, palette, pixels);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
fn colors_16_doubled(indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
    let table = table_16(palette);
    let (chunks, (indices, pixels)) = chunks::<_, 16, 32>(indices, pixels);
    for (indices, pixels) in chunks {
        let indices = load_16(indices);
        let left = _mm512_cvtepu8_epi32(_mm_unpacklo_epi8(indices, indices));
        let right = _mm512_cvtepu8_epi32(_mm_unpackhi_epi8(indices, indices));
        let (halves, _) = pixels.as_chunks_mut();
        store_16_pixels(_mm512_permutexvar_epi32(left, table), &mut halves[0]);
        store_16_pixels(_mm512_permutexvar_epi32(right, table), &mut halves[1]);
    }
    plain::colors_doubled(indices, palette, pixels);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
fn table_16(palette: &Palette) -> __m512i {
    let (parts, _) = palette.colors.as_chunks();
    load_16_pixels(&parts[0])
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
fn colors_256_doubled(indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
    let table = Table::new(palette);
    let left = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    let right = _mm512_setr_epi32(8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15);
    let (chunks, (indices, pixels)) = chunks::<_, 64, 128>(indices, pixels);
    for (indices, pixels) in chunks {
        let (places, _) = pixels.as_chunks_mut::<32>();
        for (colors, place) in table.look_up(load_64(indices)).into_iter().zip(places) {
            let (halves, _) = place.as_chunks_mut();
            store_16_pixels(_mm512_permutexvar_epi32(left, colors), &mut halves[0]);
            store_16_pixels(_mm512_permutexvar_epi32(right, colors), &mut halves[1]);
        }
    }
    plain::colors_doubled(indices, palette, pixels);
}

/// Bytes of 256 colours.
struct Table {
    blue: [__m512i; 4],
    green: [__m512i; 4],
    red: [__m512i; 4],
}

impl Table {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
    fn new(palette: &Palette) -> Self {
        let [blue, green, red] = palette.components.each_ref().map(|bytes| {
            let (parts, _) = bytes.as_chunks();
            std::array::from_fn(|part| load_64(&parts[part]))
        });
        Self { blue, green, red }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
    fn look_up(&self, indices: __m512i) -> [__m512i; 4] {
        // Each quarter of the vector gets four of every 16 indices. So unpacking quarters side by side keeps
        // the order.
        let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        let indices = _mm512_permutexvar_epi32(order, indices);
        let bytes = |table: &[__m512i; 4]| {
            let low = _mm512_permutex2var_epi8(table[0], indices, table[1]);
            let high = _mm512_permutex2var_epi8(table[2], indices, table[3]);
            _mm512_mask_blend_epi8(_mm512_movepi8_mask(indices), low, high)
        };
        let (blue, green, red) = (bytes(&self.blue), bytes(&self.green), bytes(&self.red));
        let zero = _mm512_setzero_si512();
        let low = [
            _mm512_unpacklo_epi8(blue, green),
            _mm512_unpacklo_epi8(red, zero),
        ];
        let high = [
            _mm512_unpackhi_epi8(blue, green),
            _mm512_unpackhi_epi8(red, zero),
        ];
        [
            _mm512_unpacklo_epi16(low[0], low[1]),
            _mm512_unpackhi_epi16(low[0], low[1]),
            _mm512_unpacklo_epi16(high[0], high[1]),
            _mm512_unpackhi_epi16(high[0], high[1]),
        ]
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_64(bytes: &[u8; 64]) -> __m512i {
    let [a, b, c, d, e, f, g, h] = words(bytes);
    _mm512_setr_epi64(a, b, c, d, e, f, g, h)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_16_pixels(pixels: &[u32; 16]) -> __m512i {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = pixels.map(|pixel| pixel as i32);
    _mm512_setr_epi32(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_64(vector: __m512i, bytes: &mut [u8; 64]) {
    let (halves, _) = bytes.as_chunks_mut();
    store_32(_mm512_castsi512_si256(vector), &mut halves[0]);
    store_32(_mm512_extracti64x4_epi64::<1>(vector), &mut halves[1]);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_16_pixels(vector: __m512i, pixels: &mut [u32; 16]) {
    let (halves, _) = pixels.as_chunks_mut();
    store_8_pixels(_mm512_castsi512_si256(vector), &mut halves[0]);
    store_8_pixels(_mm512_extracti64x4_epi64::<1>(vector), &mut halves[1]);
}
