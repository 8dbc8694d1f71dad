// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The loops in plain Rust, which define what the others must do.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "bytes, or parts of one, index tables that have an entry for each, and loops go over as many elements as both slices have"
)]

use vm_memory::VolatileSlice;
use vm_memory::bitmap::BitmapSlice;

use super::{Glyph, Palette, Pixel, Work};
use crate::config::ByteOrder;
use crate::planes::{Group, group_mask};

/// Pixels per group.
pub const GROUP_PIXELS: usize = 8;
/// Dots of a glyph's line in the font.
const GLYPH_DOTS: usize = 8;

/// A byte's bits spread over eight bytes, the highest bit in the first.
const SPREAD: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bits = [0; GROUP_PIXELS];
        let mut bit = 0;
        while bit < 8 {
            bits[bit] = (byte >> (7 - bit) & 1) as u8;
            bit += 1;
        }
        table[byte] = u64::from_le_bytes(bits);
        byte += 1;
    }
    table
};

/// A byte's bits as pixels: all ones for each bit that is set.
static DOTS: [[u32; GLYPH_DOTS]; 256] = {
    let mut table = [[0; GLYPH_DOTS]; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut dot = 0;
        while dot < GLYPH_DOTS {
            if byte & 0x80 >> dot != 0 {
                table[byte][dot] = u32::MAX;
            }
            dot += 1;
        }
        byte += 1;
    }
    table
};

pub fn run(work: Work<'_>) {
    match work {
        Work::Planar {
            groups,
            planes,
            indices,
        } => planar(groups, planes, indices),
        Work::Cga {
            groups,
            planes,
            indices,
        } => cga(groups, planes, indices),
        Work::Colors16 {
            indices,
            palette,
            pixels,
        } => colors_16(indices, palette, pixels),
        Work::Colors16Doubled {
            indices,
            palette,
            pixels,
        }
        | Work::Colors256Doubled {
            indices,
            palette,
            pixels,
        } => {
            colors_doubled(indices, palette, pixels);
        }
    }
}

pub fn row<S: BitmapSlice>(pixel: Pixel<'_>, bytes: &VolatileSlice<'_, S>, pixels: &mut [u32]) {
    match pixel {
        Pixel::Color256(palette) => by_blocks::<1, 256>(bytes, pixels, |bytes, pixels| {
            colors_256(bytes.as_flattened(), palette, pixels);
        }),
        Pixel::Rgb555(order) => by_blocks::<2, BLOCK>(bytes, pixels, |bytes, pixels| {
            rgb16::<5>(bytes, order, pixels);
        }),
        Pixel::Rgb565(order) => by_blocks::<2, BLOCK>(bytes, pixels, |bytes, pixels| {
            rgb16::<6>(bytes, order, pixels);
        }),
        Pixel::Rgb888(order) => by_blocks::<3, BLOCK>(bytes, pixels, |bytes, pixels| {
            rgb888(bytes, order, pixels);
        }),
        Pixel::Xrgb8888(order) => by_blocks::<4, BLOCK>(bytes, pixels, |bytes, pixels| {
            xrgb8888(bytes, order, pixels);
        }),
    }
}

/// Pixels per block.
const BLOCK: usize = 128;

/// Draws pixels of `PIXEL_BYTES` bytes each in blocks, as many as there are bytes for.
///
/// A block is small enough that the next one is being loaded while it's converted. The rest after the last
/// whole block is drawn as a block too, whose other bytes don't matter.
#[inline(always)]
pub fn by_blocks<const PIXEL_BYTES: usize, const PIXELS: usize>(
    bytes: &VolatileSlice<'_, impl BitmapSlice>,
    pixels: &mut [u32],
    draw: impl Fn(&[[u8; PIXEL_BYTES]; PIXELS], &mut [u32; PIXELS]),
) {
    let fetch_and_draw = |at: usize, len: usize, pixels: &mut [u32; PIXELS]| {
        if let Ok(slice) = bytes.subslice(at, len * PIXEL_BYTES) {
            // A new one each time, so it needn't be in memory at all.
            let mut block = [[0; PIXEL_BYTES]; PIXELS];
            slice.copy_to(block.as_flattened_mut());
            draw(&block, pixels);
        }
    };
    let count = (bytes.len() / PIXEL_BYTES).min(pixels.len());
    let (blocks, rest) = pixels[..count].as_chunks_mut();
    let mut at = 0;
    for pixels in blocks {
        fetch_and_draw(at, PIXELS, pixels);
        at += PIXELS * PIXEL_BYTES;
    }
    if !rest.is_empty() {
        let mut last = [0; PIXELS];
        fetch_and_draw(at, rest.len(), &mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

/// 16 colours: one bit from each plane, the highest bit first.
pub fn planar(groups: &[u8], planes: u8, indices: &mut [u8]) {
    for (group, indices) in shown_groups(groups, planes, indices) {
        let [a, b, c, d] = std::array::from_fn(|plane| SPREAD[usize::from(group[plane])] << plane);
        *indices = (a | b | c | d).to_le_bytes();
    }
}

/// CGA: two bits from planes 0 and 2 for the first four pixels, from planes 1 and 3 for the others.
pub fn cga(groups: &[u8], planes: u8, indices: &mut [u8]) {
    for ([a, b, c, d], indices) in shown_groups(groups, planes, indices) {
        for (pixel, index) in indices.iter_mut().enumerate() {
            let (low, high) = if pixel < 4 { (a, c) } else { (b, d) };
            let shift = 6 - 2 * (pixel & 3);
            *index = (low >> shift & 3) | (high >> shift & 3) << 2;
        }
    }
}

/// Groups without the hidden planes, each with the place for the indices of its pixels.
#[inline(always)]
fn shown_groups<'a>(
    groups: &'a [u8],
    planes: u8,
    indices: &'a mut [u8],
) -> impl Iterator<Item = (Group, &'a mut [u8; GROUP_PIXELS])> {
    let mask = group_mask(planes).to_le_bytes();
    let (groups, _) = groups.as_chunks();
    let (indices, _) = indices.as_chunks_mut();
    let shown = move |group: &Group| std::array::from_fn(|plane| group[plane] & mask[plane]);
    groups.iter().map(shown).zip(indices)
}

/// Looks up two indices at once.
pub fn colors_16(indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
    let (chunks, (indices, pixels)) = chunks::<_, 8, 8>(indices, pixels);
    for (indices, pixels) in chunks {
        let indices = u64::from_le_bytes(*indices);
        // Every other byte has an index in its low half and the next index in its high half.
        let pairs = (indices | indices >> 4).to_le_bytes();
        let (places, _) = pixels.as_chunks_mut();
        for (place, pair) in places.iter_mut().zip(pairs.iter().step_by(2)) {
            *place = palette.pairs_16[usize::from(*pair)];
        }
    }
    colors_256(indices, palette, pixels);
}

pub fn colors_256(indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
    let color = |index: u8| palette.colors[usize::from(index)];
    // Eight at once, for fewer and wider stores.
    let (chunks, (indices, pixels)) = chunks::<_, 8, 8>(indices, pixels);
    for (indices, pixels) in chunks {
        *pixels = indices.map(color);
    }
    for (index, pixel) in indices.iter().zip(pixels) {
        *pixel = color(*index);
    }
}

pub fn colors_doubled(indices: &[u8], palette: &Palette, pixels: &mut [u32]) {
    let (pairs, _) = pixels.as_chunks_mut();
    for (pair, index) in pairs.iter_mut().zip(indices) {
        *pair = palette.doubled[usize::from(*index)];
    }
}

/// The number of words that are converted together. Measured: with fewer, the compiler doesn't use vectors,
/// and with more, it runs out of registers.
const WORDS: usize = 32;

/// Converts words of 5 bits of red, 5 or 6 of green, and 5 of blue. As in QEMU, components of little-endian
/// words are widened by their high bits, and those of big-endian words by zeros (`docs/conformance.md`).
fn rgb16<const GREEN_BITS: i32>(
    bytes: &[[u8; 2]; BLOCK],
    order: ByteOrder,
    pixels: &mut [u32; BLOCK],
) {
    match order {
        ByteOrder::Little => words::<GREEN_BITS>(bytes, u16::from_le_bytes, replicate, pixels),
        ByteOrder::Big => words::<GREEN_BITS>(bytes, u16::from_be_bytes, pad, pixels),
    }
}

#[inline(always)]
fn words<const GREEN_BITS: i32>(
    bytes: &[[u8; 2]; BLOCK],
    word: impl Fn([u8; 2]) -> u16,
    widen: impl Fn(u16, i32) -> u16,
    pixels: &mut [u32; BLOCK],
) {
    // A field of `bits` bits that starts at bit `lowest`, moved to the top.
    let field = |word: u16, lowest: i32, bits: i32| {
        word << (16 - bits - lowest) & (u16::MAX << (16 - bits))
    };
    let (chunks, _) = bytes.as_chunks::<WORDS>();
    let (places, _) = pixels.as_chunks_mut::<WORDS>();
    for (bytes, pixels) in chunks.iter().zip(places) {
        // First both halves of all pixels, then the pixels. Most of the work is then done on 16-bit elements,
        // of which a vector holds twice as many as of pixels.
        let (mut high, mut low) = ([0; WORDS], [0; WORDS]);
        for ((bytes, high), low) in bytes.iter().zip(&mut high).zip(&mut low) {
            let word = word(*bytes);
            *high = widen(field(word, 5 + GREEN_BITS, 5), 5);
            let green = widen(field(word, 5, GREEN_BITS), GREEN_BITS);
            *low = green << 8 | widen(field(word, 0, 5), 5);
        }
        for ((pixel, high), low) in pixels.iter_mut().zip(high).zip(low) {
            *pixel = u32::from(high) << 16 | u32::from(low);
        }
    }
}

/// The highest `bits` bits of a word as eight bits. The highest of them are repeated below.
fn replicate(field: u16, bits: i32) -> u16 {
    // The product contains the field twice. CPUs can multiply and take the upper half in one step.
    let product = u32::from(field) * (((1 << bits) + 1) << (8 - bits));
    (product >> 16) as u16
}

/// The same with zeros below.
fn pad(field: u16, _bits: i32) -> u16 {
    field >> 8
}

/// The bits of a pixel that are used.
const RGB: u32 = 0x00ff_ffff;

fn rgb888(bytes: &[[u8; 3]; BLOCK], order: ByteOrder, pixels: &mut [u32; BLOCK]) {
    let little = u32::from_le_bytes;
    let big = u32::from_be_bytes;
    match order {
        ByteOrder::Little => triples(
            bytes,
            |four| little(four) & RGB,
            |four| little(four) >> 8,
            pixels,
        ),
        ByteOrder::Big => triples(bytes, |four| big(four) >> 8, |four| big(four) & RGB, pixels),
    }
}

/// Reads four bytes for every three. `first` makes a pixel from the first three of them, `last` from the
/// last.
#[inline(always)]
fn triples(
    bytes: &[[u8; 3]; BLOCK],
    first: impl Fn([u8; 4]) -> u32,
    last: impl Fn([u8; 4]) -> u32,
    pixels: &mut [u32; BLOCK],
) {
    let (bytes, _) = bytes.as_flattened().as_chunks::<24>();
    let (pixels, _) = pixels.as_chunks_mut::<8>();
    for (bytes, pixels) in bytes.iter().zip(pixels) {
        let four = |start: usize| std::array::from_fn(|byte| bytes[start + byte]);
        *pixels = std::array::from_fn(|pixel| match pixel {
            7 => last(four(20)),
            _ => first(four(3 * pixel)),
        });
    }
}

#[inline(always)]
pub fn xrgb8888(bytes: &[[u8; 4]], order: ByteOrder, pixels: &mut [u32]) {
    for (bytes, pixel) in bytes.iter().zip(pixels) {
        *pixel = RGB
            & match order {
                ByteOrder::Little => u32::from_le_bytes(*bytes),
                ByteOrder::Big => u32::from_be_bytes(*bytes),
            };
    }
}

pub fn glyph(glyph: Glyph<'_>, pixels: &mut [u32], stride: usize) {
    let Glyph {
        lines,
        width,
        repeats_eighth,
        foreground,
        background,
    } = glyph;
    let eight = |dots: u8| {
        DOTS[usize::from(dots)].map(|mask| background ^ (mask & (foreground ^ background)))
    };
    match width {
        16 => draw_lines(lines, pixels, stride, |dots, line: &mut [u32; 16]| {
            let eight = eight(dots);
            *line = std::array::from_fn(|pixel| eight[pixel / 2]);
        }),
        9 => {
            let repeated = u8::from(repeats_eighth);
            draw_lines(lines, pixels, stride, |dots, line: &mut [u32; 9]| {
                line[..GLYPH_DOTS].copy_from_slice(&eight(dots));
                line[GLYPH_DOTS] = if dots & repeated != 0 {
                    foreground
                } else {
                    background
                };
            });
        }
        _ => draw_lines(lines, pixels, stride, |dots, line| *line = eight(dots)),
    }
}

/// Draws the lines of a cell that is `WIDTH` pixels wide, until `pixels` ends.
#[inline(always)]
pub fn draw_lines<const WIDTH: usize>(
    lines: &[Group],
    pixels: &mut [u32],
    stride: usize,
    draw: impl Fn(u8, &mut [u32; WIDTH]),
) {
    if stride < WIDTH {
        return;
    }
    let mut below = pixels;
    for [_, _, dots, _] in lines {
        let Some(row) = below.first_chunk_mut() else {
            return;
        };
        draw(*dots, row);
        let Some(rest) = below.get_mut(stride..) else {
            return;
        };
        below = rest;
    }
}

/// The rest of a loop's input and output.
pub type Rest<'a, T> = (&'a [u8], &'a mut [T]);

/// The chunks of both slices, and the rest of both.
#[inline(always)]
pub fn chunks<'a, T, const N: usize, const M: usize>(
    input: &'a [u8],
    output: &'a mut [T],
) -> (
    impl Iterator<Item = (&'a [u8; N], &'a mut [T; M])>,
    Rest<'a, T>,
) {
    let count = (input.len() / N).min(output.len() / M);
    let (input, input_rest) = input.split_at(count * N);
    let (output, output_rest) = output.split_at_mut(count * M);
    let (input, _) = input.as_chunks();
    let (output, _) = output.as_chunks_mut();
    (input.iter().zip(output), (input_rest, output_rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_give_a_bit_each() {
        let mut indices = [0xff; 16];
        planar(&[0x80, 0xc0, 0xe0, 0xf1, 1, 2, 4, 8], 0b1111, &mut indices);
        assert_eq!(indices, [15, 14, 12, 8, 0, 0, 0, 8, 0, 0, 0, 0, 8, 4, 2, 1]);
        planar(&[0xff; 4], 0b1010, &mut indices);
        assert_eq!(indices[..8], [0b1010; 8], "two planes are off");
    }

    #[test]
    fn cga_planes_give_two_bits_each() {
        let mut indices = [0; 8];
        let group = [0b00_01_10_11, 0b11_00_00_00, 0b01_00_00_00, 0b10_00_00_11];
        cga(&group, 0b1111, &mut indices);
        assert_eq!(indices, [4, 1, 2, 3, 11, 0, 0, 12]);
    }

    #[test]
    fn colours_are_widened_by_repeating_their_high_bits_where_words_are_little_endian() {
        // 10000, 00001, 11111; and 10000, 100001, 00001.
        let mut pixels = [0; BLOCK];
        rgb16::<5>(
            &[0xc03f_u16.to_le_bytes(); BLOCK],
            ByteOrder::Little,
            &mut pixels,
        );
        assert_eq!(pixels[0], 0x84_08_ff);
        rgb16::<6>(
            &[0x8421_u16.to_le_bytes(); BLOCK],
            ByteOrder::Little,
            &mut pixels,
        );
        assert_eq!(pixels[0], 0x84_86_08);
    }

    #[test]
    fn colours_are_widened_by_zeros_where_words_are_big_endian() {
        let mut pixels = [0; BLOCK];
        rgb16::<5>(
            &[0xc03f_u16.to_be_bytes(); BLOCK],
            ByteOrder::Big,
            &mut pixels,
        );
        assert_eq!(pixels[0], 0x80_08_f8);
        rgb16::<6>(
            &[0x8421_u16.to_be_bytes(); BLOCK],
            ByteOrder::Big,
            &mut pixels,
        );
        assert_eq!(pixels[0], 0x80_84_08);
    }

    #[test]
    fn bytes_of_direct_colours_come_in_their_order() {
        let mut pixels = [0; BLOCK];
        rgb888(&[[1, 2, 3]; BLOCK], ByteOrder::Little, &mut pixels);
        assert_eq!(pixels[0], 0x03_02_01);
        rgb888(&[[1, 2, 3]; BLOCK], ByteOrder::Big, &mut pixels);
        assert_eq!(pixels[0], 0x01_02_03);
        xrgb8888(&[[1, 2, 3, 4]], ByteOrder::Little, &mut pixels);
        assert_eq!(pixels[0], 0x03_02_01, "the fourth byte doesn't show");
        xrgb8888(&[[1, 2, 3, 4]], ByteOrder::Big, &mut pixels);
        assert_eq!(pixels[0], 0x02_03_04, "the first byte doesn't show");
    }

    #[test]
    fn a_glyph_fills_its_cell_and_nothing_else() {
        for (width, repeats_eighth, expected) in [
            (8, false, [1, 2, 2, 2, 2, 2, 2, 1].as_slice()),
            (9, false, &[1, 2, 2, 2, 2, 2, 2, 1, 2]),
            (9, true, &[1, 2, 2, 2, 2, 2, 2, 1, 1]),
            (16, false, &[1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1]),
        ] {
            let mut pixels = [7; 60];
            let lines = Glyph {
                lines: &[[0, 0, 0x81, 0]; 2],
                width,
                repeats_eighth,
                foreground: 1,
                background: 2,
            };
            glyph(lines, &mut pixels, 20);
            assert_eq!(&pixels[..width], expected, "{width} wide");
            assert_eq!(&pixels[20..20 + width], expected, "{width} wide");
            assert_eq!(pixels[width..20], [7; 20][width..]);
            assert_eq!(pixels[20 + width..], [7; 40][width..]);
        }
    }
}
