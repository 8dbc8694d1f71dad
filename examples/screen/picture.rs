// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A finished picture: as a PNG file, and as a few lines of text.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result};
use stdvga::Size;

/// Pixels as 0x00RRGGBB, row by row.
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub pixels: Vec<u32>,
}

impl Default for Picture {
    /// Before any picture it's 640x480 and black.
    fn default() -> Self {
        Self::black(Size {
            width: 640,
            height: 480,
        })
    }
}

impl Picture {
    /// One with nothing to see. Its size must be one that fits into memory.
    pub fn black(size: Size) -> Self {
        Self {
            width: size.width,
            height: size.height,
            pixels: vec![0; size.pixels() as usize],
        }
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        Size {
            width: self.width,
            height: self.height,
        }
    }

    /// A row's pixels; none below the picture.
    pub fn row(&self, y: u32) -> &[u32] {
        let start = y as usize * self.width as usize;
        let row = self.pixels.get(start..start + self.width as usize);
        row.unwrap_or_default()
    }

    /// Whether there's nothing to see.
    pub fn is_black(&self) -> bool {
        self.pixels.iter().all(|pixel| *pixel == 0)
    }

    /// Writes a PNG.
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = || format!("the picture can't be written to {}", path.display());
        let file = File::create(path).with_context(failed)?;
        let mut encoder = png::Encoder::new(BufWriter::new(file), self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|pixel| rgb(*pixel)).collect();
        let mut writer = encoder.write_header().with_context(failed)?;
        writer.write_image_data(&bytes).with_context(failed)?;
        writer.finish().with_context(failed)
    }

    /// The picture in `columns` character cells a line, two pixels a cell: in 24-bit colours where
    /// `colour` is set, and as shades otherwise. Nothing at all where it's black.
    pub fn preview(&self, columns: u32, colour: bool) -> String {
        if self.is_black() {
            return String::new();
        }
        let columns = columns.clamp(1, self.width.max(1));
        let rows = (self.height * columns / self.width.max(1))
            .div_ceil(2)
            .max(1);
        let mut text = String::new();
        for row in 0..rows {
            for column in 0..columns {
                let half = |half: u32| self.average((column, columns), (row * 2 + half, rows * 2));
                let (top, bottom) = (half(0), half(1));
                if colour {
                    let ([r, g, b], [r2, g2, b2]) = (top, bottom);
                    text += &format!("\x1b[38;2;{r};{g};{b}m\x1b[48;2;{r2};{g2};{b2}m▀");
                } else {
                    text.push(shade(top, bottom));
                }
            }
            text += if colour { "\x1b[0m\n" } else { "\n" };
        }
        text
    }

    /// The mean colour of one cell of a grid over the picture: `(index, count)` in each direction.
    fn average(&self, column: (u32, u32), row: (u32, u32)) -> [u8; 3] {
        let span = |(index, count): (u32, u32), size: u32| {
            let start = index * size / count;
            start..((index + 1) * size / count).clamp(start + 1, size.max(start + 1))
        };
        let (mut sum, mut count) = ([0u32; 3], 0);
        for y in span(row, self.height) {
            for x in span(column, self.width) {
                let index = y as usize * self.width as usize + x as usize;
                let pixel = rgb(self.pixels.get(index).copied().unwrap_or(0));
                sum = [0, 1, 2].map(|channel| sum[channel] + u32::from(pixel[channel]));
                count += 1;
            }
        }
        sum.map(|channel| (channel / count.max(1)) as u8)
    }
}

fn rgb(pixel: u32) -> [u8; 3] {
    let [_, r, g, b] = pixel.to_be_bytes();
    [r, g, b]
}

/// A character as bright as the mean of two colours.
fn shade(top: [u8; 3], bottom: [u8; 3]) -> char {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    let sum: usize = top
        .iter()
        .chain(&bottom)
        .map(|channel| usize::from(*channel))
        .sum();
    SHADES[sum * SHADES.len() / (6 * 256)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_has_half_as_many_lines_as_the_picture_would_need() {
        let picture = Picture {
            width: 4,
            height: 4,
            pixels: vec![0xffffff; 16],
        };
        assert_eq!(picture.preview(4, false), "████\n████\n");
        assert!(picture.preview(2, true).contains("\x1b[38;2;255;255;255m"));
    }

    #[test]
    fn a_black_picture_has_no_preview() {
        let picture = Picture {
            width: 4,
            height: 4,
            pixels: vec![0; 16],
        };
        assert_eq!(picture.preview(4, false), "");
    }

    #[test]
    fn a_preview_never_asks_for_pixels_that_are_not_there() {
        for (width, height) in [(1, 1), (8, 12000), (16000, 1), (3, 7)] {
            let pixels = vec![0x808080; width as usize * height as usize];
            let picture = Picture {
                width,
                height,
                pixels,
            };
            assert!(picture.preview(80, false).contains('▒'));
        }
    }
}
