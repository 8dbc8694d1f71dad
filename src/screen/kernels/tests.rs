//! That all tiers draw the same.

use std::fmt::Debug;

use rand::prelude::*;
use rand::rngs::SmallRng;

use super::*;

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

/// The tiers of this CPU but for the plain loops, as they draw small pictures and large ones.
fn tiers() -> impl Iterator<Item = Tier> {
    Tier::detected()
        .into_iter()
        .flat_map(|tier| [tier, tier.for_picture(u64::MAX)])
}

fn random_bytes(rng: &mut SmallRng, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.random()).collect()
}

fn random_palette(rng: &mut SmallRng) -> Palette {
    Palette::new(&std::array::from_fn(|_| rng.random::<u32>() & 0x00ff_ffff))
}

/// Compares what tiers make of the same elements, wherever they lie, where there is as much room as
/// `ratio` says, more, or less. None may touch what lies around it.
fn compare<T: Copy + Debug + PartialEq>(
    name: &str,
    input: &[u8],
    ratio: (usize, usize),
    blank: T,
    draw: impl Fn(Tier, &[u8], &mut [T]),
) {
    const MARGIN: usize = 64;
    let mut rng = SmallRng::seed_from_u64(1);
    for length in 0..input.len() / 2 {
        let fitting = length * ratio.1 / ratio.0;
        for room in [fitting, rng.random_range(0..=fitting + 70)] {
            let start = rng.random_range(0..MARGIN);
            let input = &input[start..][..length];
            let result = |tier| {
                let mut output = vec![blank; room + 2 * MARGIN];
                draw(tier, input, &mut output[start..][..room]);
                output
            };
            let expected = result(Tier::new(Kernels::Portable));
            for tier in tiers() {
                let output = result(tier);
                let difference = (0..output.len()).find(|&index| output[index] != expected[index]);
                if let Some(index) = difference {
                    panic!(
                        "{name}, {tier:?}, {length} bytes, room for {room}: {:?} instead of {:?} \
                         at {index}, where the room starts at {start}",
                        output[index], expected[index],
                    );
                }
            }
        }
    }
}

#[test]
fn tiers_find_the_same_indices_in_planes() {
    let mut rng = SmallRng::seed_from_u64(2);
    let bytes = random_bytes(&mut rng, 500);
    for planes in 0..=0xff {
        compare(
            &format!("planar, planes {planes:#x}"),
            &bytes,
            (1, 2),
            0xcc,
            |tier, groups, indices| {
                tier.planar(groups, planes, indices);
            },
        );
        compare(
            &format!("cga, planes {planes:#x}"),
            &bytes,
            (1, 2),
            0xcc,
            |tier, groups, indices| {
                tier.cga(groups, planes, indices);
            },
        );
    }
}

#[test]
fn tiers_look_up_the_same_colours() {
    let mut rng = SmallRng::seed_from_u64(3);
    let palette = random_palette(&mut rng);
    let bytes = random_bytes(&mut rng, 800);
    let nibbles: Vec<u8> = bytes.iter().map(|byte| byte & 0x0f).collect();
    compare(
        "16 colours",
        &nibbles,
        (1, 1),
        1,
        |tier, indices, pixels| {
            tier.colors_16(indices, &palette, pixels);
        },
    );
    compare(
        "16 doubled colours",
        &nibbles,
        (1, 2),
        1,
        |tier, indices, pixels| {
            tier.colors_16_doubled(indices, &palette, pixels);
        },
    );
    compare("256 colours", &bytes, (1, 1), 1, |tier, indices, pixels| {
        tier.colors_256(indices, &palette, pixels);
    });
    compare(
        "256 doubled colours",
        &bytes,
        (1, 2),
        1,
        |tier, indices, pixels| {
            tier.colors_256_doubled(indices, &palette, pixels);
        },
    );
}

#[test]
fn tiers_make_the_same_of_direct_colours() {
    let mut rng = SmallRng::seed_from_u64(4);
    let bytes = random_bytes(&mut rng, 1600);
    for order in ORDERS {
        compare(
            &format!("rgb555, {order:?}"),
            &bytes,
            (2, 1),
            1,
            |tier, bytes, pixels| {
                tier.rgb555(bytes, order, pixels);
            },
        );
        compare(
            &format!("rgb565, {order:?}"),
            &bytes,
            (2, 1),
            1,
            |tier, bytes, pixels| {
                tier.rgb565(bytes, order, pixels);
            },
        );
        compare(
            &format!("rgb888, {order:?}"),
            &bytes,
            (3, 1),
            1,
            |tier, bytes, pixels| {
                tier.rgb888(bytes, order, pixels);
            },
        );
        compare(
            &format!("xrgb8888, {order:?}"),
            &bytes,
            (4, 1),
            1,
            |tier, bytes, pixels| {
                tier.xrgb8888(bytes, order, pixels);
            },
        );
    }
}

#[test]
fn tiers_make_the_same_of_every_16_bit_word() {
    let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    for order in ORDERS {
        for (name, draw) in [
            (
                "rgb555",
                Tier::rgb555 as fn(Tier, &[u8], ByteOrder, &mut [u32]),
            ),
            ("rgb565", Tier::rgb565),
        ] {
            let result = |tier| {
                let mut pixels = vec![0; 1 << 16];
                draw(tier, &bytes, order, &mut pixels);
                pixels
            };
            let expected = result(Tier::new(Kernels::Portable));
            for tier in tiers() {
                let pixels = result(tier);
                for word in 0..pixels.len() {
                    assert_eq!(
                        pixels[word], expected[word],
                        "{name}, {order:?}, {tier:?}: {word:#x}"
                    );
                }
            }
        }
    }
}

#[test]
fn tiers_draw_the_same_glyphs() {
    let mut rng = SmallRng::seed_from_u64(5);
    for width in [8, 9, 16] {
        for height in 0..=32 {
            for stride in [0, width - 1, width, width + 1, width + 40] {
                let lines = random_bytes(&mut rng, height);
                let glyph = Glyph {
                    lines: &lines,
                    width,
                    repeats_eighth: rng.random(),
                    foreground: rng.random(),
                    background: rng.random(),
                };
                let whole = (height * stride + width).saturating_sub(stride);
                for len in [
                    whole,
                    whole.saturating_sub(1),
                    whole + 100,
                    rng.random_range(0..=whole),
                ] {
                    let start = rng.random_range(0..16);
                    let result = |tier: Tier| {
                        let mut pixels = vec![7; start + len + 64];
                        tier.glyph(glyph, &mut pixels[start..][..len], stride);
                        pixels
                    };
                    let expected = result(Tier::new(Kernels::Portable));
                    for tier in tiers() {
                        let pixels = result(tier);
                        for index in 0..pixels.len() {
                            assert_eq!(
                                pixels[index], expected[index],
                                "{tier:?}, pixel {index} of {len} from {start}, stride {stride}: {glyph:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}
