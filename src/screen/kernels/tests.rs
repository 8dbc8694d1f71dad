// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Pictures are the same, whatever the CPU supports.

use std::fmt::Debug;

use rand::prelude::*;
use rand::rngs::SmallRng;

use super::*;

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];
/// Elements around a loop's slices, which it mustn't touch.
const MARGIN: usize = 64;

/// Compares the results of all tiers that this CPU can run. The elements have `MARGIN` others around them.
fn compare<T: Copy + Debug + PartialEq>(
    what: &str,
    elements: usize,
    blank: T,
    draw: impl Fn(Tier, &mut [T]),
) {
    let drawn = |tier| {
        let mut output = vec![blank; elements + 2 * MARGIN];
        draw(tier, &mut output);
        output
    };
    let plain = drawn(Tier::Portable);
    for tier in Tier::detected() {
        let output = drawn(tier);
        let difference = output.iter().zip(&plain).position(|(a, b)| a != b);
        if let Some(index) = difference {
            panic!(
                "{what}, {tier:?}, element {index} of {}: {:x?} instead of {:x?}",
                output.len(),
                output[index],
                plain[index],
            );
        }
    }
}

/// Compares the tiers' results for the first 0, 1, 2... bytes, at any alignment. `output_of` returns the
/// number of resulting elements. There's room for that many, and for more or fewer.
fn compare_lengths<T: Copy + Debug + PartialEq>(
    what: &str,
    bytes: &[u8],
    output_of: impl Fn(usize) -> usize,
    blank: T,
    draw: impl Fn(Tier, &[u8], &mut [T]),
) {
    let mut rng = SmallRng::seed_from_u64(1);
    for length in 0..bytes.len() - MARGIN {
        let all = output_of(length);
        for room in [all, rng.random_range(0..=2 * all + 1)] {
            let (from, to) = (rng.random_range(0..MARGIN), rng.random_range(0..MARGIN));
            compare(
                &format!("{what}, {length} bytes from {from}, room for {room} from {to}"),
                room,
                blank,
                |tier, output| draw(tier, &bytes[from..][..length], &mut output[to..][..room]),
            );
        }
    }
}

fn random_bytes(rng: &mut SmallRng, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.random()).collect()
}

#[test]
fn planes_give_the_same_indices() {
    let bytes = random_bytes(&mut SmallRng::seed_from_u64(2), 300);
    for planes in (0..0x10).chain([0xff]) {
        for (name, draw) in [
            ("planar", Tier::planar as fn(Tier, &[u8], u8, &mut [u8])),
            ("cga", Tier::cga),
        ] {
            compare_lengths(
                &format!("{name}, planes {planes:#x}"),
                &bytes,
                |length| 2 * length,
                0xcc,
                |tier, groups, indices| draw(tier, groups, planes, indices),
            );
        }
    }
}

#[test]
fn indices_give_the_same_colours() {
    let mut rng = SmallRng::seed_from_u64(3);
    let palette = Palette::new(&std::array::from_fn(|_| rng.random_range(0..1 << 24)));
    let bytes = random_bytes(&mut rng, 400);
    let nibbles: Vec<u8> = bytes.iter().map(|byte| byte & 0x0f).collect();
    for (name, indices, pixels_each, draw) in [
        (
            "16 colours",
            &nibbles,
            1,
            Tier::colors_16 as fn(Tier, &[u8], &Palette, &mut [u32]),
        ),
        ("16 doubled", &nibbles, 2, Tier::colors_16_doubled),
        ("256 doubled", &bytes, 2, Tier::colors_256_doubled),
    ] {
        compare_lengths(
            name,
            indices,
            |length| pixels_each * length,
            u32::MAX,
            |tier, indices, pixels| draw(tier, indices, &palette, pixels),
        );
    }
}

fn draw_row(tier: Tier, pixel: Pixel<'_>, bytes: &[u8], pixels: &mut [u32]) {
    let mut bytes = bytes.to_vec();
    tier.row(pixel, &VolatileSlice::from(&mut bytes[..]), pixels);
}

#[test]
fn rows_of_whole_bytes_give_the_same_pixels() {
    let mut rng = SmallRng::seed_from_u64(4);
    let palette = Palette::new(&std::array::from_fn(|_| rng.random_range(0..1 << 24)));
    let bytes = random_bytes(&mut rng, 1100);
    for order in ORDERS {
        for (pixel_bytes, pixel) in [
            (1, Pixel::Color256(&palette)),
            (2, Pixel::Rgb555(order)),
            (2, Pixel::Rgb565(order)),
            (3, Pixel::Rgb888(order)),
            (4, Pixel::Xrgb8888(order)),
        ] {
            compare_lengths(
                &format!("{pixel:?}"),
                &bytes,
                |length| length / pixel_bytes,
                u32::MAX,
                |tier, bytes, pixels| draw_row(tier, pixel, bytes, pixels),
            );
        }
    }
}

#[test]
fn every_16_bit_word_gives_the_same_pixel() {
    let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    for order in ORDERS {
        for pixel in [Pixel::Rgb555(order), Pixel::Rgb565(order)] {
            compare(
                &format!("{pixel:?}, all words"),
                1 << 16,
                u32::MAX,
                |tier, pixels| draw_row(tier, pixel, &bytes, pixels),
            );
        }
    }
}

#[test]
fn glyphs_give_the_same_cells() {
    let mut rng = SmallRng::seed_from_u64(5);
    for width in [8, 9, 16] {
        for height in 0..=32 {
            for stride in [0, width - 1, width, width + 1, 720] {
                let lines: Vec<Group> = (0..height).map(|_| rng.random()).collect();
                let glyph = Glyph {
                    lines: &lines,
                    width,
                    repeats_eighth: rng.random(),
                    foreground: rng.random(),
                    background: rng.random(),
                };
                // Up to the cell's last pixel, and other lengths.
                let cell = (height * stride + width).saturating_sub(stride);
                for room in [
                    cell,
                    cell.saturating_sub(1),
                    rng.random_range(0..=cell + 16),
                ] {
                    let start = rng.random_range(0..MARGIN);
                    compare(
                        &format!("{glyph:?}, stride {stride}, {room} pixels from {start}"),
                        room,
                        7,
                        |tier, pixels| tier.glyph(glyph, &mut pixels[start..][..room], stride),
                    );
                }
            }
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn what_the_cpu_has_is_used_where_that_is_wanted() {
    let has_avx512 = is_x86_feature_detected!("avx512vbmi") && is_x86_feature_detected!("gfni");
    match Tier::new(Kernels::Detected) {
        Tier::Avx512(_) => assert!(has_avx512),
        Tier::Avx2(_) => assert!(is_x86_feature_detected!("avx2") && !has_avx512),
        Tier::Portable => assert!(!is_x86_feature_detected!("avx2")),
    }
    assert!(matches!(Tier::new(Kernels::Portable), Tier::Portable));
}
