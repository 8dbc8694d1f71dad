//! The loops in plain Rust, which say what the others must do.

use super::Glyph;
use crate::config::ByteOrder;

/// Pixels that four bytes, one a plane, hold.
pub const GROUP_PIXELS: usize = 8;
/// Bytes of such a group.
pub const GROUP_BYTES: usize = 4;
/// Dots of a glyph's line that the font holds.
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

/// A byte's bits as pixels: all ones where a bit is set.
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

/// 16 colours: a bit of each plane, the highest bit first.
pub fn planar(groups: &[u8], planes: u8, indices: &mut [u8]) {
    let enabled = enabled(planes);
    for (indices, group) in groups_of(indices, groups) {
        let [a, b, c, d] = std::array::from_fn(|plane| {
            SPREAD[usize::from(group[plane] & enabled[plane])] << plane
        });
        indices.copy_from_slice(&(a | b | c | d).to_le_bytes());
    }
}

/// CGA: two bits of planes 0 and 2 for the first four pixels, of planes 1 and 3 for the others.
pub fn cga(groups: &[u8], planes: u8, indices: &mut [u8]) {
    let enabled = enabled(planes);
    for (indices, group) in groups_of(indices, groups) {
        let [a, b, c, d]: [u8; GROUP_BYTES] =
            std::array::from_fn(|plane| group[plane] & enabled[plane]);
        for (pixel, index) in indices.iter_mut().enumerate() {
            let (low, high) = if pixel < 4 { (a, c) } else { (b, d) };
            let shift = 6 - 2 * (pixel & 3);
            *index = (low >> shift & 3) | (high >> shift & 3) << 2;
        }
    }
}

fn enabled(planes: u8) -> [u8; GROUP_BYTES] {
    std::array::from_fn(|plane| if planes >> plane & 1 != 0 { 0xff } else { 0 })
}

fn groups_of<'a>(
    indices: &'a mut [u8],
    groups: &'a [u8],
) -> impl Iterator<Item = (&'a mut [u8], &'a [u8])> {
    indices
        .chunks_exact_mut(GROUP_PIXELS)
        .zip(groups.chunks_exact(GROUP_BYTES))
}

pub fn colors(indices: &[u8], palette: &[u32; 256], pixels: &mut [u32]) {
    for (pixel, index) in pixels.iter_mut().zip(indices) {
        *pixel = palette[usize::from(*index)];
    }
}

pub fn colors_doubled(indices: &[u8], palette: &[u32; 256], pixels: &mut [u32]) {
    for (pair, index) in pixels.chunks_exact_mut(2).zip(indices) {
        pair.fill(palette[usize::from(*index)]);
    }
}

/// Five bits as eight, with the high bits repeated below.
fn replicate5(value: u16) -> u8 {
    (value << 3 | value >> 2) as u8
}

/// Six bits as eight.
fn replicate6(value: u16) -> u8 {
    (value << 2 | value >> 4) as u8
}

/// Big-endian words keep their low bits zero, as in QEMU.
pub fn rgb555(bytes: &[u8], order: ByteOrder, pixels: &mut [u32]) {
    fn color(word: u16, widen: impl Fn(u16) -> u8) -> u32 {
        let field = |shift: u32| widen(word >> shift & 0x1f);
        u32::from_be_bytes([0, field(10), field(5), field(0)])
    }
    match order {
        ByteOrder::Little => convert(bytes, pixels, |bytes| {
            color(u16::from_le_bytes(bytes), replicate5)
        }),
        ByteOrder::Big => convert(bytes, pixels, |bytes| {
            color(u16::from_be_bytes(bytes), |value| (value << 3) as u8)
        }),
    }
}

/// Big-endian words keep their low bits zero, as in QEMU.
pub fn rgb565(bytes: &[u8], order: ByteOrder, pixels: &mut [u32]) {
    fn color(word: u16, widen5: impl Fn(u16) -> u8, widen6: impl Fn(u16) -> u8) -> u32 {
        let (red, green, blue) = (word >> 11, word >> 5 & 0x3f, word & 0x1f);
        u32::from_be_bytes([0, widen5(red), widen6(green), widen5(blue)])
    }
    match order {
        ByteOrder::Little => convert(bytes, pixels, |bytes| {
            color(u16::from_le_bytes(bytes), replicate5, replicate6)
        }),
        ByteOrder::Big => convert(bytes, pixels, |bytes| {
            let word = u16::from_be_bytes(bytes);
            color(word, |value| (value << 3) as u8, |value| (value << 2) as u8)
        }),
    }
}

pub fn rgb888(bytes: &[u8], order: ByteOrder, pixels: &mut [u32]) {
    match order {
        ByteOrder::Little => convert(bytes, pixels, |[blue, green, red]| {
            u32::from_be_bytes([0, red, green, blue])
        }),
        ByteOrder::Big => convert(bytes, pixels, |[red, green, blue]| {
            u32::from_be_bytes([0, red, green, blue])
        }),
    }
}

pub fn xrgb8888(bytes: &[u8], order: ByteOrder, pixels: &mut [u32]) {
    const RGB: u32 = 0x00ff_ffff;
    match order {
        ByteOrder::Little => convert(bytes, pixels, |bytes| u32::from_le_bytes(bytes) & RGB),
        ByteOrder::Big => convert(bytes, pixels, |bytes| u32::from_be_bytes(bytes) & RGB),
    }
}

fn convert<const N: usize>(bytes: &[u8], pixels: &mut [u32], color: impl Fn([u8; N]) -> u32) {
    for (pixel, bytes) in pixels.iter_mut().zip(bytes.chunks_exact(N)) {
        *pixel = color(std::array::from_fn(|index| bytes[index]));
    }
}

pub fn glyph(glyph: Glyph<'_>, pixels: &mut [u32], stride: usize) {
    let Glyph {
        width,
        foreground,
        background,
        ..
    } = glyph;
    for (line, dots) in pixels.chunks_mut(stride.max(1)).zip(glyph.lines) {
        let Some(line) = line.get_mut(..width) else {
            return;
        };
        let dots =
            DOTS[usize::from(*dots)].map(|mask| background ^ (mask & (foreground ^ background)));
        if width == 2 * GLYPH_DOTS {
            for (pair, color) in line.chunks_exact_mut(2).zip(dots) {
                pair.fill(color);
            }
        } else {
            let (eight, rest) = line.split_at_mut(GLYPH_DOTS.min(width));
            eight.copy_from_slice(&dots[..eight.len()]);
            rest.fill(if glyph.repeats_eighth {
                dots[GLYPH_DOTS - 1]
            } else {
                background
            });
        }
    }
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
        let mut pixel = [0];
        rgb555(&0xc03f_u16.to_le_bytes(), ByteOrder::Little, &mut pixel);
        assert_eq!(pixel, [0x84_08_ff]);
        rgb565(&0x8421_u16.to_le_bytes(), ByteOrder::Little, &mut pixel);
        assert_eq!(pixel, [0x84_86_08]);
    }

    #[test]
    fn colours_are_widened_by_zeros_where_words_are_big_endian() {
        let mut pixel = [0];
        rgb555(&0xc03f_u16.to_be_bytes(), ByteOrder::Big, &mut pixel);
        assert_eq!(pixel, [0x80_08_f8]);
        rgb565(&0x8421_u16.to_be_bytes(), ByteOrder::Big, &mut pixel);
        assert_eq!(pixel, [0x80_84_08]);
    }

    #[test]
    fn bytes_of_direct_colours_come_in_their_order() {
        let mut pixel = [0];
        rgb888(&[1, 2, 3], ByteOrder::Little, &mut pixel);
        assert_eq!(pixel, [0x03_02_01]);
        rgb888(&[1, 2, 3], ByteOrder::Big, &mut pixel);
        assert_eq!(pixel, [0x01_02_03]);
        xrgb8888(&[1, 2, 3, 4], ByteOrder::Little, &mut pixel);
        assert_eq!(pixel, [0x03_02_01], "the fourth byte doesn't show");
        xrgb8888(&[1, 2, 3, 4], ByteOrder::Big, &mut pixel);
        assert_eq!(pixel, [0x02_03_04], "the first byte doesn't show");
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
                lines: &[0x81, 0x81],
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
