// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! ZRLE, the encoding of pixels that viewers of all kinds know (RFC 6143, 7.7.6): tiles of few colours,
//! compressed by zlib.

use std::io;

use flate2::{Compress, Compression, FlushCompress};

use super::pixel_format::PixelFormat;

/// Pixels of a tile in each direction.
const TILE: usize = 64;
/// Colours of a palette: beyond that, pixels are sent as they are.
const MOST_COLOURS: usize = 127;
/// Colours whose indices take less than a byte.
const MOST_PACKED: usize = 16;
/// The zlib stream's output is made in pieces of this size.
const PIECE: usize = 16 << 10;

/// A connection's zlib stream. Rectangles must reach the viewer in the order in which they're encoded.
pub struct Encoder {
    zlib: Compress,
    tiles: Vec<u8>,
    tile: Tile,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new(Compression::fast())
    }
}

impl Encoder {
    fn new(level: Compression) -> Self {
        Self {
            zlib: Compress::new(level, true),
            tiles: Vec::new(),
            tile: Tile::default(),
        }
    }

    /// Puts a rectangle's pixels, of which `width` are a row.
    pub fn put(
        &mut self,
        pixels: &[u32],
        width: usize,
        format: &PixelFormat,
        message: &mut Vec<u8>,
    ) -> io::Result<()> {
        self.tiles.clear();
        let width = width.max(1);
        for rows in pixels.chunks(width * TILE) {
            for left in (0..width).step_by(TILE) {
                self.tile.load(rows, width, left);
                self.tile.put(format, &mut self.tiles);
            }
        }
        let start = message.len();
        message.extend([0; 4]);
        self.compress(message)?;
        let len = (message.len() - start - 4) as u32;
        message[start..start + 4].copy_from_slice(&len.to_be_bytes());
        Ok(())
    }

    /// Compresses the tiles so that the viewer can take all of them from what it has got.
    fn compress(&mut self, message: &mut Vec<u8>) -> io::Result<()> {
        let mut taken = 0;
        loop {
            message.reserve(PIECE);
            let before = self.zlib.total_in();
            let rest = self.tiles.get(taken..).unwrap_or_default();
            self.zlib.compress_vec(rest, message, FlushCompress::Sync)?;
            taken += (self.zlib.total_in() - before) as usize;
            // Room that is left means that nothing waits for some.
            if taken == self.tiles.len() && message.len() < message.capacity() {
                return Ok(());
            }
        }
    }
}

/// A tile's colours, and which of them each pixel has.
struct Tile {
    width: usize,
    pixels: Vec<u32>,
    /// The first colours of the tile: one more than a palette may have, if there are so many.
    colours: Vec<u32>,
    /// Indices of colours, for as many pixels as those colours are enough for.
    indices: Vec<u8>,
    /// Where in `colours` a colour is, from its hash on.
    slots: [u8; SLOTS],
}

const SLOTS: usize = 256;
const FREE: u8 = 0xff;

impl Default for Tile {
    fn default() -> Self {
        Self {
            width: 0,
            pixels: Vec::new(),
            colours: Vec::new(),
            indices: Vec::new(),
            slots: [FREE; SLOTS],
        }
    }
}

impl Tile {
    /// Takes the tile that starts at a column of these rows.
    fn load(&mut self, rows: &[u32], width: usize, left: usize) {
        self.width = TILE.min(width - left);
        self.pixels.clear();
        for row in rows.chunks_exact(width) {
            self.pixels.extend(&row[left..left + self.width]);
        }
        self.find_colours();
    }

    fn find_colours(&mut self) {
        self.colours.clear();
        self.indices.clear();
        self.slots.fill(FREE);
        let mut last = None;
        for pixel in &self.pixels {
            let index = match last {
                Some((colour, index)) if colour == *pixel => index,
                _ => find(*pixel, &mut self.colours, &mut self.slots),
            };
            if self.colours.len() > MOST_COLOURS {
                return;
            }
            last = Some((*pixel, index));
            self.indices.push(index);
        }
    }

    /// Puts the tile in the shortest way, before zlib.
    fn put(&self, format: &PixelFormat, tiles: &mut Vec<u8>) {
        let colours = self.colours.len();
        let raw = self.pixels.len() * format.compact_bytes();
        if colours > MOST_COLOURS {
            return self.put_pixels(format, tiles);
        }
        let palette = colours * format.compact_bytes();
        let runs = palette + self.runs().map(run_bytes).sum::<usize>();
        match colours {
            1 => self.put_palette(1, format, tiles),
            2..=MOST_PACKED if palette + self.packed_bytes() <= runs.min(raw) => {
                self.put_palette(colours as u8, format, tiles);
                self.put_packed(tiles);
            }
            _ if runs < raw => {
                self.put_palette(colours as u8 | 0x80, format, tiles);
                self.runs().for_each(|run| put_run(run, tiles));
            }
            _ => self.put_pixels(format, tiles),
        }
    }

    fn put_pixels(&self, format: &PixelFormat, tiles: &mut Vec<u8>) {
        tiles.push(0);
        self.pixels
            .iter()
            .for_each(|pixel| format.put_compact(*pixel, tiles));
    }

    fn put_palette(&self, kind: u8, format: &PixelFormat, tiles: &mut Vec<u8>) {
        tiles.push(kind);
        self.colours
            .iter()
            .for_each(|colour| format.put_compact(*colour, tiles));
    }

    /// Bits of a packed index.
    fn index_bits(&self) -> usize {
        match self.colours.len() {
            ..=2 => 1,
            3..=4 => 2,
            _ => 4,
        }
    }

    fn packed_bytes(&self) -> usize {
        let rows = self.pixels.len() / self.width.max(1);
        rows * (self.width * self.index_bits()).div_ceil(8)
    }

    /// Puts each row's indices, the first pixel in the highest bits, from a new byte on.
    fn put_packed(&self, tiles: &mut Vec<u8>) {
        let bits = self.index_bits();
        for row in self.indices.chunks(self.width) {
            for indices in row.chunks(8 / bits) {
                let packed = indices.iter().enumerate();
                let byte = packed.fold(0, |byte, (place, index)| {
                    byte | index << (8 - bits * (place + 1))
                });
                tiles.push(byte);
            }
        }
    }

    /// Runs of pixels with the same colour: its index, and how many they are.
    fn runs(&self) -> impl Iterator<Item = (u8, usize)> {
        let runs = self.indices.chunk_by(|index, next| index == next);
        runs.map(|run| (run[0], run.len()))
    }
}

/// The index of a colour, which is added if it's new.
fn find(colour: u32, colours: &mut Vec<u32>, slots: &mut [u8; SLOTS]) -> u8 {
    let mut slot = (colour.wrapping_mul(0x9e37_79b1) >> 24) as usize;
    // There are more slots than colours, so that one is free.
    loop {
        let index = slots[slot];
        if index == FREE {
            break;
        }
        if colours[usize::from(index)] == colour {
            return index;
        }
        slot = (slot + 1) % SLOTS;
    }
    let index = colours.len() as u8;
    slots[slot] = index;
    colours.push(colour);
    index
}

fn run_bytes((_, len): (u8, usize)) -> usize {
    if len == 1 { 1 } else { 2 + (len - 1) / 255 }
}

fn put_run((index, len): (u8, usize), tiles: &mut Vec<u8>) {
    if len == 1 {
        tiles.push(index);
        return;
    }
    tiles.push(index | 0x80);
    let rest = len - 1;
    tiles.extend(std::iter::repeat_n(255, rest / 255));
    tiles.push((rest % 255) as u8);
}

#[cfg(test)]
mod tests;
