//! Text: characters in the guest's own fonts, and the cursor.

use std::ops::Range;

use vm_memory::bitmap::Bitmap;

use super::Frame;
use super::kernels::Glyph;
use crate::damage::{Damage, Rect};
use crate::dirty::{Dirty, DirtyBitmap, around};
use crate::scanout::{Cursor, Size, TextMode};
use crate::text::{self, CELL_BYTES};
use crate::vram::Vram;

/// Lines that a character has in a font, whether they show or not.
const GLYPH_LINES: usize = 32;
/// Bytes of a font's glyphs, once they were taken out of their plane.
const GLYPHS_BYTES: usize = 256 * GLYPH_LINES;
/// Bytes of VRAM between two lines of a character: one for each plane.
const PLANES: usize = 4;
/// Lines in a page.
const PAGE_LINES: usize = DirtyBitmap::PAGE_SIZE / PLANES;
/// The plane that fonts are in.
const FONT_PLANE: u32 = 2;
/// Attribute bit 3: the second font, and bright foreground colours.
const SECOND_FONT: u8 = 1 << 3;
/// Attribute bit 7, where text blinks.
const BLINKS: u8 = 1 << 7;
/// Characters whose eighth dot repeats in the ninth. Hardware starts at 0xc0, QEMU at 0xb0.
const LINE_GRAPHICS: std::ops::RangeInclusive<u8> = 0xb0..=0xdf;

/// Whether what blinks is visible now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phases {
    pub cursor: bool,
    pub text: bool,
}

/// All that a picture depends on, but VRAM and the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    /// The mode without its cursor.
    mode: TextMode,
    colors: [u32; 16],
}

/// A row of cells.
#[derive(Debug)]
struct Row {
    address: u32,
    /// Its part of VRAM.
    span: Range<u64>,
}

/// What is visible at times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Visible {
    cursor: Option<Cursor>,
    /// Whether blinking text is.
    text: bool,
}

/// Why cells are drawn that weren't written.
struct Change {
    /// All are.
    all: bool,
    /// Blinking text was shown or hidden.
    blinked: bool,
    /// The cursor that was, and the one that is, if they differ.
    cursors: [Option<Cursor>; 2],
}

/// Draws text, and remembers what it drew.
#[derive(Debug, Default)]
pub(super) struct Renderer {
    /// How the picture on the surface was drawn, if it's one of this renderer's.
    drawn: Option<(Look, Visible)>,
    /// The fonts in use, a byte for each line of each character.
    fonts: [Vec<u8>; 2],
    /// The cells that were drawn, as they lay in VRAM, row by row.
    cells: Vec<u8>,
    /// Where in VRAM rows of cells lie, and the part that all lie in.
    rows: Vec<Row>,
    span: Range<u64>,
    /// Room for a row of cells, and for a page of a font.
    row: Vec<u8>,
    page: Vec<u8>,
}

impl Renderer {
    /// Takes note that its picture isn't on the surface any more.
    pub fn forget(&mut self) {
        self.drawn = None;
    }

    /// Brings the picture of a drawable mode up to date, but for cells that don't lie in VRAM.
    pub fn refresh<B: Bitmap>(
        &mut self,
        frame: &mut Frame<'_, '_, B>,
        mode: &TextMode,
        palette: &[u32; 256],
        phases: Phases,
    ) -> Damage {
        let look = Look {
            mode: TextMode {
                cursor: None,
                ..*mode
            },
            colors: std::array::from_fn(|index| palette[index]),
        };
        let visible = Visible {
            cursor: mode.cursor.filter(|_| phases.cursor),
            text: phases.text,
        };
        let last = self.drawn.replace((look, visible));
        let last = last.filter(|(drawn, _)| *drawn == look);
        let is_another = last.is_none() || matches!(frame.dirty, Dirty::All);
        if is_another {
            self.lay_out(mode, frame.vram);
        }
        let all = self.load_fonts(frame, mode, is_another) || is_another;
        let old = last.map_or(visible, |(_, visible)| visible);
        let change = Change {
            all,
            blinked: mode.blink && old.text != visible.text,
            cursors: if old.cursor == visible.cursor {
                [None; 2]
            } else {
                [old.cursor, visible.cursor]
            },
        };
        if !change.any() && !frame.dirty.touches(self.span.clone()) {
            return Damage::NONE;
        }

        let mut damage = Damage::NONE;
        for row in 0..self.rows.len() {
            self.refresh_row(frame, &look, visible, &change, row, &mut damage);
        }
        if all {
            Damage::whole(mode.size())
        } else {
            damage
        }
    }

    fn lay_out<B: Bitmap>(&mut self, mode: &TextMode, vram: &Vram<B>) {
        let row_bytes = mode.columns as usize * CELL_BYTES;
        self.row.resize(row_bytes, 0);
        self.cells.resize(mode.rows as usize * row_bytes, 0);
        self.rows.clear();
        self.rows
            .extend(text::row_addresses(mode).map(|address| Row {
                address,
                span: text::row_span(vram, address, mode.columns),
            }));
        let spans = self.rows.iter().map(|row| row.span.clone());
        self.span = spans.reduce(around).unwrap_or_default();
    }

    /// Loads the fonts' pages that may have changed, or all. Tells whether a font changed.
    fn load_fonts<B: Bitmap>(
        &mut self,
        frame: &Frame<'_, '_, B>,
        mode: &TextMode,
        all: bool,
    ) -> bool {
        let may_differ =
            |start: u64, len: usize| all || frame.dirty.touches(start..start + len as u64);
        self.page.resize(DirtyBitmap::PAGE_SIZE, 0);
        let fonts = 1 + usize::from(mode.has_second_font());
        let mut changed = false;
        let mut lines = [0; PAGE_LINES];
        for (font, start) in self.fonts.iter_mut().zip(mode.fonts).take(fonts) {
            font.resize(GLYPHS_BYTES, 0);
            let start = u64::from(start);
            if !may_differ(start, GLYPHS_BYTES * PLANES) {
                continue;
            }
            let parts = font.as_chunks_mut().0;
            for (part, start) in parts
                .iter_mut()
                .zip((start..).step_by(DirtyBitmap::PAGE_SIZE))
            {
                if may_differ(start, DirtyBitmap::PAGE_SIZE) {
                    frame.vram.read(start, &mut self.page);
                    frame.tier.plane(&self.page, FONT_PLANE, &mut lines);
                    changed |= *part != lines;
                    *part = lines;
                }
            }
        }
        changed
    }

    /// Draws the cells of a row that changed, and adds them to the damage.
    fn refresh_row<B: Bitmap>(
        &mut self,
        frame: &mut Frame<'_, '_, B>,
        look: &Look,
        visible: Visible,
        change: &Change,
        number: usize,
        damage: &mut Damage,
    ) {
        let row = &self.rows[number];
        let is_dirty = change.all || frame.dirty.touches(row.span.clone());
        if !is_dirty && !change.any() {
            return;
        }
        let column_of = |cursor: Option<Cursor>| cursor?.column(row.address, look.mode.columns);
        let moved = change.cursors.map(column_of);
        let clean_too = change.all || change.blinked || moved != [None; 2];
        if !is_dirty && !clean_too {
            return;
        }

        let row_bytes = self.row.len();
        let drawn = &mut self.cells[number * row_bytes..][..row_bytes];
        if is_dirty {
            frame.vram.read(u64::from(row.address), &mut self.row);
        } else {
            self.row.copy_from_slice(drawn);
        }
        if self.row == drawn && !clean_too {
            return;
        }

        let inside = text::cells_in(&row.span);
        let cells = &self.row.as_chunks::<CELL_BYTES>().0[..inside];
        let old_cells = &drawn.as_chunks::<CELL_BYTES>().0[..inside];
        // Most cells are as they were.
        let columns = if clean_too {
            0..inside
        } else {
            written(cells, old_cells)
        };
        let cursor_column = column_of(visible.cursor);
        let mut run = 0..0;
        let first = columns.start as u32;
        let pairs = cells[columns.clone()].iter().zip(&old_cells[columns]);
        for (column, (cell, old)) in (first..).zip(pairs) {
            let [character, attribute, ..] = *cell;
            let [old_character, old_attribute, ..] = *old;
            let is_written = [character, attribute] != [old_character, old_attribute];
            let is_drawn_anyway = clean_too
                && (change.all
                    || change.blinked && attribute & BLINKS != 0
                    || moved.contains(&Some(column)));
            if is_written || is_drawn_anyway {
                let is_second = look.mode.has_second_font() && attribute & SECOND_FONT != 0;
                let font = &self.fonts[usize::from(is_second)];
                let glyph = look.glyph(font, character, attribute, visible.text);
                let cursor = visible.cursor.filter(|_| cursor_column == Some(column));
                let cell = look.cells(column..column + 1, number);
                draw_cell(frame, glyph, cursor, cell);
                run = if run.is_empty() { column } else { run.start }..column + 1;
            } else if !run.is_empty() {
                damage.add(look.cells(run, number));
                run = 0..0;
            }
        }
        if !run.is_empty() {
            damage.add(look.cells(run, number));
        }
        drawn.copy_from_slice(&self.row);
    }
}

/// From the first cell that isn't as it was to the last one.
fn written(cells: &[[u8; CELL_BYTES]], old: &[[u8; CELL_BYTES]]) -> Range<usize> {
    let mut pairs = cells.iter().zip(old);
    let first = pairs.position(|(cell, old)| cell != old);
    let last = cells.iter().zip(old).rposition(|(cell, old)| cell != old);
    first
        .zip(last)
        .map_or(0..0, |(first, last)| first..last + 1)
}

impl Change {
    fn any(&self) -> bool {
        self.all || self.blinked || self.cursors != [None; 2]
    }
}

impl Look {
    /// Where cells of a row are.
    fn cells(&self, columns: Range<u32>, row: usize) -> Rect {
        let (width, height) = (self.mode.cell_width, self.mode.cell_height);
        Rect {
            x: columns.start * width,
            y: row as u32 * height,
            size: Size {
                width: (columns.end - columns.start) * width,
                height,
            },
        }
    }

    /// What a cell shows.
    fn glyph<'a>(
        &self,
        font: &'a [u8],
        character: u8,
        attribute: u8,
        text_visible: bool,
    ) -> Glyph<'a> {
        let color = |index: u8| self.colors[usize::from(index & 0x0f)];
        let mut foreground = color(attribute);
        let mut background = color(attribute >> 4);
        if self.mode.blink {
            background = color(attribute >> 4 & 7);
            if attribute & BLINKS != 0 && !text_visible {
                foreground = background;
            }
        }
        let lines = &font[usize::from(character) * GLYPH_LINES..];
        Glyph {
            lines: &lines[..self.mode.cell_height as usize],
            width: self.mode.cell_width as usize,
            repeats_eighth: self.mode.line_graphics && LINE_GRAPHICS.contains(&character),
            foreground,
            background,
        }
    }
}

/// Draws a cell, and the cursor over it if it's there.
fn draw_cell<B: Bitmap>(
    frame: &mut Frame<'_, '_, B>,
    glyph: Glyph<'_>,
    cursor: Option<Cursor>,
    place: Rect,
) {
    let stride = frame.surface.stride;
    let pixels = frame.surface.from(place.x, place.y);
    frame.tier.glyph(glyph, pixels, stride);
    if let Some(cursor) = cursor {
        let first = cursor.first as usize * stride;
        let lines = pixels[first..].chunks_mut(stride);
        for line in lines.take((cursor.last - cursor.first + 1) as usize) {
            line[..glyph.width].fill(glyph.foreground);
        }
    }
}
