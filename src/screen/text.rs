// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Text: characters in the guest's own fonts, and the cursor.

mod copy;
mod marks;

use std::ops::Range;

use vm_memory::bitmap::Bitmap;

use self::copy::PageCopy;
use self::marks::Marks;
use super::Frame;
use super::kernels::Glyph;
use crate::damage::{Damage, Rect, Size};
use crate::dirty::Dirty;
use crate::planes::Group;
use crate::scanout::{Cursor, FONT_BYTES, GLYPH_LINES, TextMode};
use crate::text;
use crate::vram::Vram;

/// Attribute bit 3: the second font, and bright foreground colours.
const SECOND_FONT: u8 = 1 << 3;
/// Attribute bit 7, if text blinks.
const BLINKS: u8 = 1 << 7;
/// Characters whose eighth dot repeats in the ninth: as in QEMU. Hardware starts at 0xc0.
const LINE_GRAPHICS: std::ops::RangeInclusive<u8> = 0xb0..=0xdf;

/// Whether blinking things are visible now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phases {
    pub cursor: bool,
    pub text: bool,
}

/// Everything that a picture depends on, except VRAM and the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    /// The mode without its cursor.
    mode: TextMode,
    colors: [u32; 16],
}

/// The visible part of what blinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Visible {
    /// The cursor, if it's visible.
    cursor: Option<Cursor>,
    /// Whether blinking text is visible.
    text: bool,
}

/// Draws text, and remembers what it drew.
#[derive(Debug, Default)]
pub(super) struct Renderer {
    /// How the picture on the surface was drawn, if this renderer drew it.
    drawn: Option<(Look, Visible)>,
    /// A copy of the VRAM that the picture comes from, and marks on the groups in it that are cells to draw.
    copy: PageCopy,
    marks: Marks,
    /// The range of each row of cells in the copy, as far as it's in VRAM.
    rows: Vec<Range<usize>>,
    /// Where the fonts start.
    fonts: [usize; 2],
}

impl Renderer {
    /// Notes that its picture isn't on the surface any more.
    pub fn forget(&mut self) {
        self.drawn = None;
    }

    /// Brings the picture of a drawable mode up to date, except cells that aren't in VRAM.
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
            #[expect(clippy::indexing_slicing, reason = "16 of 256")]
            colors: std::array::from_fn(|index| palette[index]),
        };
        let visible = Visible {
            cursor: mode.cursor.filter(|_| phases.cursor),
            text: phases.text,
        };
        let last = self.drawn.replace((look, visible));
        let all = match last {
            Some((drawn, old)) if drawn == look && !matches!(frame.dirty, Dirty::All) => {
                self.mark_changes(frame, mode, [old, visible])
            }
            _ => {
                self.lay_out(mode, frame.vram);
                true
            }
        };
        if all {
            self.marks.fill(self.copy.groups().len());
        }
        if self.marks.is_empty() {
            return Damage::NONE;
        }
        let damage = self.draw_marked(frame, &look, visible);
        self.marks.clear();
        if all {
            Damage::whole(mode.size())
        } else {
            damage
        }
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a font starts in the first 64 KiB of its plane, and rows lie in the copy"
    )]
    fn lay_out<B: Bitmap>(&mut self, mode: &TextMode, vram: &Vram<B>) {
        let rows =
            || text::row_addresses(mode).map(|address| text::row_span(vram, address, mode.columns));
        let fonts = mode.fonts.map(u64::from);
        let font_spans = fonts
            .into_iter()
            .map(|start| start..start + FONT_BYTES as u64);
        self.copy.renew(vram, font_spans, rows());

        // Rows that aren't found are past the end of VRAM, and have no cells.
        self.rows.clear();
        self.rows.extend(rows().map(|span| {
            let start = self.copy.find(span.start).unwrap_or(0);
            start..start + text::cells_in(&span)
        }));
        self.fonts = fonts.map(|start| self.copy.find(start).unwrap_or(0));
    }

    /// Marks the cells that look different from before. Returns whether all do, because a font changed.
    fn mark_changes<B: Bitmap>(
        &mut self,
        frame: &Frame<'_, '_, B>,
        mode: &TextMode,
        [old, new]: [Visible; 2],
    ) -> bool {
        if old.cursor != new.cursor {
            for cursor in [old.cursor, new.cursor].into_iter().flatten() {
                if let Some(cell) = self.copy.find(cursor.address.into()) {
                    self.marks.add(cell);
                }
            }
        }
        let font_changed = frame.dirty.touches(self.copy.span())
            && self.copy.update(frame.vram, frame.dirty, &mut self.marks);
        if mode.blink && old.text != new.text {
            for (group, [_, attribute, ..]) in self.copy.groups().iter().enumerate() {
                if attribute & BLINKS != 0 {
                    self.marks.add(group);
                }
            }
        }
        font_changed
    }

    /// Draws the marked cells, and returns where they are.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "rows and fonts lie in the copy, and there are at most 16000 cells"
    )]
    fn draw_marked<B: Bitmap>(
        &self,
        frame: &mut Frame<'_, '_, B>,
        look: &Look,
        visible: Visible,
    ) -> Damage {
        let mut damage = Damage::NONE;
        let groups = self.copy.groups();
        let fonts = self.fonts.map(|start| &groups[start..]);
        let cursor_cell = visible
            .cursor
            .and_then(|cursor| self.copy.find(cursor.address.into()));
        for (row, row_cells) in self.rows.iter().enumerate() {
            for cells in self.marks.runs(row_cells.clone()) {
                let first = cells.start - row_cells.start;
                let columns = first as u32..(first + cells.len()) as u32;
                for (column, cell) in columns.clone().zip(cells) {
                    let cursor = visible.cursor.filter(|_| cursor_cell == Some(cell));
                    let glyph = look.glyph(fonts, groups[cell], visible.text);
                    let place = look.cells(column..column + 1, row);
                    draw_cell(frame, glyph, cursor, place);
                }
                damage.add(look.cells(columns, row));
            }
        }
        damage
    }
}

impl Look {
    /// The rectangle of some cells of a row.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "at most 16000 cells of 16x32 pixels"
    )]
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
    #[expect(
        clippy::indexing_slicing,
        reason = "there are 16 colours, and 256 glyphs from where a font starts, each with as many lines as a cell or more"
    )]
    fn glyph<'a>(&self, fonts: [&'a [Group]; 2], cell: Group, text_visible: bool) -> Glyph<'a> {
        let [character, attribute, ..] = cell;
        let color = |index: u8| self.colors[usize::from(index & 0x0f)];
        let mut foreground = color(attribute);
        let mut background = color(attribute >> 4);
        if self.mode.blink {
            background = color(attribute >> 4 & 7);
            if attribute & BLINKS != 0 && !text_visible {
                foreground = background;
            }
        }
        let font = fonts[usize::from(attribute & SECOND_FONT != 0)];
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

/// Draws a cell, and the cursor over it if it's on this cell.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the cell lies on the surface, and the cursor in the cell"
)]
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
