// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

use std::time::Duration;

use flate2::{Decompress, FlushDecompress};
use rand::prelude::*;

use super::*;

/// What a viewer sees, whose format is the one that it was told.
struct Viewer(Decompress);

impl Viewer {
    fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// The pixels of a rectangle that is `width` wide, and the ways in which its tiles are sent.
    fn see(&mut self, message: &[u8], width: usize, height: usize) -> (Vec<u32>, Vec<u8>) {
        let (len, data) = message.split_first_chunk().expect("a length");
        assert_eq!(u32::from_be_bytes(*len) as usize, data.len());
        let mut tiles = Vec::with_capacity(5 * width * height + 4096);
        self.0
            .decompress_vec(data, &mut tiles, FlushDecompress::Sync)
            .expect("a zlib stream");
        let (mut pixels, mut kinds) = (vec![0; width * height], Vec::new());
        let mut rest = tiles.into_iter();
        for top in (0..height).step_by(64) {
            for left in (0..width).step_by(64) {
                let (columns, rows) = ((width - left).min(64), (height - top).min(64));
                let kind = rest.next().expect("a tile");
                let tile = decode(kind, &mut rest, columns, rows);
                kinds.push(kind);
                for (y, row) in tile.chunks(columns).enumerate() {
                    let start = (top + y) * width + left;
                    pixels[start..start + columns].copy_from_slice(row);
                }
            }
        }
        assert_eq!(rest.next(), None, "nothing is left");
        (pixels, kinds)
    }
}

fn decode(kind: u8, rest: &mut impl Iterator<Item = u8>, columns: usize, rows: usize) -> Vec<u32> {
    let mut byte = || rest.next().expect("more bytes");
    let mut colours = |count| -> Vec<u32> {
        (0..count)
            .map(|_| u32::from_le_bytes([byte(), byte(), byte(), 0]))
            .collect()
    };
    let count = columns * rows;
    if kind == 0 {
        return colours(count);
    }
    let palette = colours(usize::from(kind & 0x7f));
    let mut pixels = Vec::new();
    match kind {
        1 => pixels = vec![palette[0]; count],
        2..=16 => {
            let bits = match kind {
                2 => 1,
                3..=4 => 2,
                _ => 4,
            };
            for _ in 0..rows {
                let (mut left, mut packed) = (0, 0_u8);
                for _ in 0..columns {
                    if left == 0 {
                        (left, packed) = (8, rest.next().expect("more bytes"));
                    }
                    left -= bits;
                    pixels.push(palette[usize::from(packed >> left & ((1 << bits) - 1))]);
                }
            }
        }
        130.. => {
            while pixels.len() < count {
                let index = rest.next().expect("more bytes");
                let mut len = 1;
                let mut has_more = index & 0x80 != 0;
                while has_more {
                    let more = rest.next().expect("more bytes");
                    len += usize::from(more);
                    has_more = more == 255;
                }
                let colour = palette[usize::from(index & 0x7f)];
                pixels.extend(std::iter::repeat_n(colour, len));
            }
            assert_eq!(pixels.len(), count, "runs end with the tile");
        }
        _ => panic!("a tile of kind {kind} isn't made"),
    }
    pixels
}

fn encode(encoder: &mut Encoder, pixels: &[u32], width: usize) -> Vec<u8> {
    let mut message = Vec::new();
    let format = PixelFormat::default();
    encoder.put(pixels, width, &format, &mut message).unwrap();
    message
}

#[test]
fn tiles_are_sent_in_the_shortest_way_and_seen_as_they_were() {
    let mut rng = SmallRng::seed_from_u64(1);
    let colour = |n: u32| (n * 0x01_0305) & 0xff_ffff;
    let mut random = |colours: u32| -> Vec<u32> {
        let mut pixels: Vec<_> = (0..colours).map(colour).collect();
        pixels.resize_with(64 * 64, || colour(rng.random_range(0..colours)));
        pixels
    };
    let stripes = |colours: u32| (0..64 * 64).map(|n| colour(n / 64 % colours)).collect();
    let mut striped_late: Vec<u32> = vec![7; 64 * 64];
    striped_late[300..].fill(9); // runs of 300 and 3796
    let (mut encoder, mut viewer) = (Encoder::default(), Viewer::new());
    for (pixels, kind) in [
        (random(1), 1),
        (random(2), 2),
        (random(3), 3),
        (random(4), 4),
        (random(5), 5),
        (random(16), 16),
        (random(17), 17 | 0x80),
        (random(127), 127 | 0x80),
        (random(128), 0),
        (random(4096), 0),
        (stripes(2), 2 | 0x80),
        (stripes(64), 64 | 0x80),
        (striped_late, 2 | 0x80),
    ] {
        let message = encode(&mut encoder, &pixels, 64);
        let (seen, kinds) = viewer.see(&message, 64, 64);
        assert_eq!(kinds, [kind]);
        assert!(
            seen == pixels,
            "tiles of kind {kind} aren't seen as they were"
        );
    }
}

#[test]
fn rectangles_of_any_size_are_seen_as_they_were() {
    let (mut encoder, mut viewer) = (Encoder::default(), Viewer::new());
    for seed in 0..300 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let (width, height) = (rng.random_range(1..200), rng.random_range(1..80));
        let colours = [1, 2, 3, 5, 16, 17, 100, 200, 1 << 24][rng.random_range(0..9)];
        let run = rng.random_range(1..600);
        let mut pixels = Vec::new();
        while pixels.len() < width * height {
            let colour = rng.random_range(0..colours);
            pixels.extend(std::iter::repeat_n(colour, rng.random_range(1..=run)));
        }
        pixels.truncate(width * height);
        let message = encode(&mut encoder, &pixels, width);
        let (seen, kinds) = viewer.see(&message, width, height);
        assert!(
            seen == pixels,
            "seed {seed}: {width}x{height}, tiles of kinds {kinds:?}"
        );
    }
}

#[test]
fn what_cannot_be_compressed_becomes_little_longer_than_it_is() {
    let mut rng = SmallRng::seed_from_u64(2);
    let pixels: Vec<u32> = (0..1024 * 64).map(|_| rng.random::<u32>() >> 8).collect();
    let message = encode(&mut Encoder::default(), &pixels, 1024);
    let raw = 3 * pixels.len();
    assert!(
        message.len() < raw + raw / 100 + 100,
        "{} bytes for {raw}",
        message.len()
    );
}

/// Lines of text with the VGA's font replaced by noise of the same density, in 8x16 cells.
fn text(width: usize, height: usize) -> Vec<u32> {
    let mut rng = SmallRng::seed_from_u64(3);
    let font: Vec<[u8; 16]> = (0..96)
        .map(|_| std::array::from_fn(|_| rng.random::<u8>() & rng.random::<u8>()))
        .collect();
    let cells: Vec<usize> = (0..width / 8 * (height / 16 + 1))
        .map(|_| {
            if rng.random_ratio(1, 2) {
                0
            } else {
                rng.random_range(1..96)
            }
        })
        .collect();
    let pixel = |n: usize| {
        let (x, y) = (n % width, n / width);
        let cell = cells[y / 16 * (width / 8) + x / 8];
        let is_set = cell > 0 && font[cell][y % 16] << (x % 8) & 0x80 != 0;
        if is_set { 0xaa_aaaa } else { 0 }
    };
    (0..width * height).map(pixel).collect()
}

/// Smooth colours with a little noise, as a camera's picture has.
fn photo(width: usize, height: usize) -> Vec<u32> {
    let mut rng = SmallRng::seed_from_u64(4);
    let pixel = |n: usize| {
        let (x, y) = ((n % width) as f32, (n / width) as f32);
        let waves = [(0.011, 0.007), (0.005, 0.013), (0.017, 0.003)];
        let noise: u8 = rng.random_range(0..4);
        let channel = |(a, b): (f32, f32)| {
            ((x * a + (y * b).sin() * 3.0).sin() * 110.0 + 120.0) as u8 + noise
        };
        let [r, g, b] = waves.map(channel);
        u32::from_be_bytes([0, r, g, b])
    };
    (0..width * height).map(pixel).collect()
}

/// How long this thread has had a CPU: other programs don't count.
#[cfg(target_os = "linux")]
fn cpu_time() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = times.split(' ').next().unwrap().parse();
    Duration::from_nanos(nanoseconds.unwrap())
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "it measures, in a release build"]
fn measure_a_frame() {
    let (width, height) = (1920, 1080);
    let format = PixelFormat::default();
    for (name, pixels) in [
        ("text", text(width, height)),
        ("photo", photo(width, height)),
    ] {
        let start = cpu_time();
        let mut raw = Vec::with_capacity(4 * pixels.len());
        pixels.iter().for_each(|pixel| format.put(*pixel, &mut raw));
        let (len, time) = (raw.len(), cpu_time() - start);
        println!("{name}, raw: {len} bytes, {time:?}");
        for level in [1, 2, 3, 6] {
            let mut encoder = Encoder::new(Compression::new(level));
            let mut message = Vec::new();
            let start = cpu_time();
            for band in pixels.chunks(64 * width) {
                encoder.put(band, width, &format, &mut message).unwrap();
            }
            let (len, time) = (message.len(), cpu_time() - start);
            println!("{name}, level {level}: {len} bytes, {time:?}");
        }
    }
}
