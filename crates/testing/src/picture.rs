// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Pictures: files of them, and how two differ.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

/// A picture: width, height, and pixels of three bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub size: (u32, u32),
    pub pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// What a surface of 0x00RRGGBB shows.
    pub fn of_surface(size: (u32, u32), pixels: &[u32]) -> Self {
        let rgb = |pixel: &u32| {
            let [_, red, green, blue] = pixel.to_be_bytes();
            [red, green, blue]
        };
        Self {
            size,
            pixels: pixels.iter().map(rgb).collect(),
        }
    }

    /// Loads a PNG, if it's there.
    pub fn load(path: &Path) -> Option<Self> {
        let file = BufReader::new(File::open(path).ok()?);
        let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
        let mut bytes = vec![
            0;
            reader
                .output_buffer_size()
                .expect("a size that fits into memory")
        ];
        let info = reader.next_frame(&mut bytes).expect("a whole PNG");
        assert_eq!(info.color_type, png::ColorType::Rgb, "{}", path.display());
        let pixels = bytes.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
        Some(Self {
            size: (info.width, info.height),
            pixels,
        })
    }

    /// Loads a screendump: a binary portable pixmap, whose rows QEMU pads to whole words.
    pub fn load_dump(path: &Path) -> Self {
        let bytes = fs::read(path).expect("a screendump");
        let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
        let mut line = || lines.next().expect("a pixmap has three lines, and pixels");
        assert_eq!(line(), b"P6", "a binary pixmap");
        let size = String::from_utf8_lossy(line()).into_owned();
        let (width, height) = size.split_once(' ').expect("a width and a height");
        let [width, height] = [width, height].map(|size| size.parse::<u32>().expect("a size"));
        assert_eq!(line(), b"255", "a byte for each component");
        let rows = line();
        let row_len = 3 * width as usize;
        let stride = if rows.len() == row_len * height as usize {
            row_len
        } else {
            row_len.next_multiple_of(4)
        };
        assert_eq!(rows.len(), stride * height as usize, "{width} x {height}");
        let pixels = rows
            .chunks_exact(stride)
            .flat_map(|row| row[..row_len].chunks_exact(3).map(|p| [p[0], p[1], p[2]]))
            .collect();
        Self {
            size: (width, height),
            pixels,
        }
    }

    pub fn save(&self, path: &Path) {
        let file = BufWriter::new(File::create(path).expect("the picture can be written"));
        let mut encoder = png::Encoder::new(file, self.size.0, self.size.1);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::High);
        let mut writer = encoder.write_header().expect("the picture can be written");
        writer
            .write_image_data(self.pixels.as_flattened())
            .expect("the picture can be written");
    }
}

/// Says how two pictures differ, if they do. Both, and one of the pixels that differ, are left in files
/// whose names start with `stem`.
pub fn compare(stem: &Path, actual: &Picture, expected: &Picture) -> Result<(), String> {
    if actual == expected {
        return Ok(());
    }
    let file = |suffix| PathBuf::from(format!("{}-{suffix}.png", stem.display()));
    let see = format!("see {}", file("actual").display());
    actual.save(&file("actual"));
    expected.save(&file("expected"));
    let (width, height) = actual.size;
    if actual.size != expected.size {
        let (expected_width, expected_height) = expected.size;
        return Err(format!(
            "the size is {width} x {height} and not {expected_width} x {expected_height}; {see} and -expected.png"
        ));
    }
    let pairs = || actual.pixels.iter().zip(&expected.pixels);
    let difference = Picture {
        size: actual.size,
        pixels: pairs()
            .map(|(a, b)| if a == b { [0; 3] } else { [255; 3] })
            .collect(),
    };
    difference.save(&file("difference"));
    let count = pairs().filter(|(a, b)| a != b).count();
    let first = pairs().position(|(a, b)| a != b).unwrap_or(0);
    let (x, y) = (first % width as usize, first / width as usize);
    let (a, b) = (actual.pixels[first], expected.pixels[first]);
    Err(format!(
        "pixel ({x}, {y}) is {a:02x?} and not {b:02x?}, the first of {count} that differ; {see}, -expected.png and -difference.png"
    ))
}
