// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Graphics: rows of VRAM as planes, palette indices or direct colours.

mod rows;

use vm_memory::VolatileSlice;
use vm_memory::bitmap::{Bitmap, BitmapSlice};

use self::rows::{Row, Rows};
use super::Frame;
use super::kernels::{GROUP_PIXELS, Palette, Pixel, Tier};
use crate::damage::Damage;
use crate::dirty::{BAND, Dirty};
use crate::planes::GROUP_BYTES;
use crate::scanout::{Format, GraphicsMode};
use crate::vram::Vram;

/// Bytes of a cache line, on most CPUs.
const CACHE_LINE: usize = 64;

/// Draws graphics, and remembers what it drew.
#[derive(Debug)]
pub(super) struct Renderer {
    /// The mode of the picture on the surface, if this renderer drew it.
    mode: Option<GraphicsMode>,
    rows: Rows,
    /// The bytes of each row as they were drawn, if refreshes compare. Each row has room for the longest.
    shown: Vec<u8>,
    pen: Pen,
}

impl Renderer {
    pub fn new() -> Self {
        Self {
            mode: None,
            rows: Rows::default(),
            shown: Vec::new(),
            pen: Pen::new(),
        }
    }

    /// Notes that its picture isn't on the surface any more.
    pub fn forget(&mut self) {
        self.mode = None;
        self.shown = Vec::new();
    }

    /// Brings the picture up to date.
    pub fn refresh<B: Bitmap>(
        &mut self,
        frame: &mut Frame<'_, '_, B>,
        mode: &GraphicsMode,
        palette: &[u32; 256],
    ) -> Damage {
        let is_another = self.mode != Some(*mode);
        if is_another {
            self.mode = Some(*mode);
            self.rows.lay_out(mode, frame.vram);
        }
        let is_recolored = mode.format.has_palette() && self.pen.palette.colors() != palette;
        if is_recolored {
            self.pen.palette = Palette::new(palette);
        }
        let all = is_another || is_recolored;
        match frame.dirty {
            Dirty::Compare => self.draw_changed(frame, mode, all),
            Dirty::Pages(_) if !all => self.draw_dirty(frame, mode),
            Dirty::Pages(_) | Dirty::All => self.draw_all(frame, mode),
        }
    }

    fn draw_all<B: Bitmap>(&mut self, frame: &mut Frame<'_, '_, B>, mode: &GraphicsMode) -> Damage {
        self.shown = Vec::new();
        let Rows { rows, wrap, .. } = &self.rows;
        self.pen.draw_rows(frame, mode, rows.iter(), *wrap);
        Damage::whole(mode.size)
    }

    /// Draws the rows that lie in dirty pages.
    fn draw_dirty<B: Bitmap>(
        &mut self,
        frame: &mut Frame<'_, '_, B>,
        mode: &GraphicsMode,
    ) -> Damage {
        self.shown = Vec::new();
        let mut damage = Damage::NONE;
        let Rows {
            rows,
            bands,
            all,
            wrap,
            ..
        } = &self.rows;
        let dirty = frame.dirty;
        if !dirty.touches(all.clone()) {
            return damage;
        }
        for (rows, band) in rows.chunks(BAND).zip(bands) {
            if !dirty.touches(band.clone()) {
                continue;
            }
            let rows = rows
                .iter()
                .filter(|row| row.is_dirty(dirty, *wrap))
                .inspect(|row| damage.add_lines(row.line, row.lines, mode.size.width));
            self.pen.draw_rows(frame, mode, rows, *wrap);
        }
        damage
    }

    /// Draws the rows whose bytes differ from those drawn before, or all.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "a picture has at most 12000 rows, none longer than `len`"
    )]
    fn draw_changed<B: Bitmap>(
        &mut self,
        frame: &mut Frame<'_, '_, B>,
        mode: &GraphicsMode,
        all: bool,
    ) -> Damage {
        let Rows {
            rows, wrap, len, ..
        } = &self.rows;
        let all = all || self.shown.is_empty();
        self.shown.resize(rows.len() * len, 0);
        let mut damage = Damage::NONE;
        for (row, shown) in rows.iter().zip(self.shown.chunks_exact_mut((*len).max(1))) {
            let shown = &mut shown[..row.len as usize];
            let bytes = self.pen.fetch(frame.vram, row, *wrap);
            if all || bytes != shown {
                shown.copy_from_slice(bytes);
                self.pen.draw_fetched(frame, mode, row);
                damage.add_lines(row.line, row.lines, mode.size.width);
            }
        }
        damage
    }
}

/// Draws rows.
#[derive(Debug)]
struct Pen {
    palette: Palette,
    /// Buffers for a row's bytes, and for its palette indices.
    bytes: Vec<u8>,
    indices: Vec<u8>,
}

impl Pen {
    fn new() -> Self {
        Self {
            palette: Palette::new(&[0; 256]),
            bytes: Vec::new(),
            indices: Vec::new(),
        }
    }

    /// Draws rows. Rows that are consecutive in VRAM and on the surface, without gaps, are drawn as one.
    fn draw_rows<'a, B: Bitmap>(
        &mut self,
        frame: &mut Frame<'_, '_, B>,
        mode: &GraphicsMode,
        rows: impl Iterator<Item = &'a Row>,
        wrap: u32,
    ) {
        let has_gaps = frame.surface.stride != mode.size.width as usize;
        let joins = !has_gaps && pixel(mode.format, &self.palette).is_some();
        let mut waiting: Option<Row> = None;
        for row in rows {
            if let Some(joined) = waiting.and_then(|before| before.join(row, wrap))
                && joins
            {
                waiting = Some(joined);
            } else if let Some(before) = waiting.replace(*row) {
                self.draw(frame, mode, &before, wrap);
            }
        }
        if let Some(last) = waiting {
            self.draw(frame, mode, &last, wrap);
        }
    }

    /// Draws the lines of a row.
    fn draw<B: Bitmap>(
        &mut self,
        frame: &mut Frame<'_, '_, B>,
        mode: &GraphicsMode,
        row: &Row,
        wrap: u32,
    ) {
        let vram = frame.vram;
        let slice = || vram.slice(row.start.into(), row.len as usize);
        match pixel(mode.format, &self.palette).and_then(|pixel| Some((pixel, slice()?))) {
            Some((pixel, bytes)) => draw_pixels(frame, mode, row, pixel, &bytes),
            None => {
                self.fetch(frame.vram, row, wrap);
                self.draw_fetched(frame, mode, row);
            }
        }
    }

    fn fetch<B: Bitmap>(&mut self, vram: &Vram<B>, row: &Row, wrap: u32) -> &[u8] {
        self.bytes.resize(row.len as usize, 0);
        row.fetch(vram, wrap, &mut self.bytes);
        &self.bytes
    }

    /// Draws the lines of the row that was fetched.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "`indices` has room for the row's pixels from any place in a cache line on"
    )]
    fn draw_fetched<B: Bitmap>(
        &mut self,
        frame: &mut Frame<'_, '_, B>,
        mode: &GraphicsMode,
        row: &Row,
    ) {
        let Self {
            palette,
            bytes,
            indices,
        } = self;
        if let Some(pixel) = pixel(mode.format, palette) {
            return draw_pixels(
                frame,
                mode,
                row,
                pixel,
                &VolatileSlice::from(&mut bytes[..]),
            );
        }
        let tier = frame.tier;
        let mut groups = |indices_of: fn(Tier, &[u8], u8, &mut [u8]), doubled, line: &mut [u32]| {
            // Starts at a cache line, because vectors that span two lines are slow to read back.
            let len = bytes.len() / GROUP_BYTES * GROUP_PIXELS;
            indices.resize(len + CACHE_LINE, 0);
            let start = indices.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE);
            let indices = &mut indices[start..][..len];
            indices_of(tier, bytes, mode.planes, indices);
            let shifted = indices.get(row.panning as usize..).unwrap_or_default();
            if doubled {
                tier.colors_16_doubled(shifted, palette, line);
            } else {
                tier.colors_16(shifted, palette, line);
            }
        };
        let draw = |line: &mut [u32]| match mode.format {
            Format::Planar { doubled } => groups(Tier::planar, doubled, line),
            Format::Cga { doubled } => groups(Tier::cga, doubled, line),
            _ => tier.colors_256_doubled(bytes, palette, line),
        };
        let Row { line, lines, .. } = *row;
        frame.surface.draw_lines(line, lines, mode.size.width, draw);
    }
}

/// Draws the lines of a row of pixels, or the line of each of several joined rows.
#[expect(clippy::arithmetic_side_effects, reason = "a pixel has a byte or more")]
fn draw_pixels<B: Bitmap>(
    frame: &mut Frame<'_, '_, B>,
    mode: &GraphicsMode,
    row: &Row,
    pixel: Pixel<'_>,
    bytes: &VolatileSlice<'_, impl BitmapSlice>,
) {
    let tier = frame.tier;
    let Row { line, lines, .. } = *row;
    let draw = |line: &mut [u32]| tier.row(pixel, bytes, line);
    let width = row.len / mode.format.bytes_per_pixel();
    frame.surface.draw_lines(line, lines, width, draw);
}

/// What each pixel of a format is, if it's one or more whole bytes.
fn pixel(format: Format, palette: &Palette) -> Option<Pixel<'_>> {
    match format {
        Format::Planar { .. } | Format::Cga { .. } | Format::Indexed8Doubled => None,
        Format::Indexed8 => Some(Pixel::Color256(palette)),
        Format::Rgb555(order) => Some(Pixel::Rgb555(order)),
        Format::Rgb565(order) => Some(Pixel::Rgb565(order)),
        Format::Rgb888(order) => Some(Pixel::Rgb888(order)),
        Format::Xrgb8888(order) => Some(Pixel::Xrgb8888(order)),
    }
}
