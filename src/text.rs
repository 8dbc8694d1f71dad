// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A text screen read as text: characters, attributes and the cursor's place.

use std::ops::Range;

use vm_memory::bitmap::Bitmap;

use crate::planes::GROUP_BYTES;
use crate::scanout::{Cursor, Mode, Scanout, TextMode};
use crate::vram::Vram;

/// A character cell, as the guest wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cell {
    /// The character's number in the font that the guest loaded: code page 437, as a rule.
    pub character: u8,
    /// Colours: foreground in bits 3:0, background in bits 6:4 (7:4 where nothing blinks).
    pub attribute: u8,
}

/// The characters on a text screen: for logs, for tests, and for those who can't see it.
///
/// ```
/// use stdvga::{Config, StdVga};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut vga = StdVga::new(Config::default())?;
/// // A guest sets a text mode of two columns and a row, switches the palette on, and writes.
/// let _ = vga.port_write(0x3b4, &[0x01, 1]);
/// let _ = vga.port_write(0x3c0, &[0x20]);
/// vga.vram().write(0, b"H\x07\0\0i\x07\0\0");
///
/// let screen = vga.scanout().text(vga.vram()).ok_or("no text")?;
/// assert_eq!((screen.columns, screen.rows), (2, 1));
/// let row: String = screen.row(0).iter().map(|cell| char::from(cell.character)).collect();
/// assert_eq!(row, "Hi");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextScreen {
    /// Characters in a row.
    pub columns: u32,
    /// Rows of characters.
    pub rows: u32,
    /// Column and row of the cursor, both from 0, where it's switched on and on the screen.
    pub cursor: Option<(u32, u32)>,
    cells: Vec<Cell>,
}

impl TextScreen {
    /// The cells of a row, counted from 0 at the top; empty behind the last row.
    pub fn row(&self, row: u32) -> &[Cell] {
        let mut rows = self.cells.chunks(self.columns.max(1) as usize);
        rows.nth(row as usize).unwrap_or_default()
    }
}

impl Scanout {
    /// The characters on the screen, read from `vram`. `None` unless it's a text mode whose picture
    /// shows.
    ///
    /// Those of cells that don't lie in VRAM are 0.
    pub fn text<B: Bitmap>(&self, vram: &Vram<B>) -> Option<TextScreen> {
        match &self.mode {
            Mode::Text(mode) if mode.is_drawable() => Some(read(mode, vram)),
            _ => None,
        }
    }
}

impl Cursor {
    /// Its column, if it's in the row of cells at `address`.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "a cell has four bytes"
    )]
    fn column(&self, address: u32, columns: u32) -> Option<u32> {
        let within = self.address.checked_sub(address)?;
        let column = within / GROUP_BYTES as u32;
        (within.is_multiple_of(GROUP_BYTES as u32) && column < columns).then_some(column)
    }
}

/// The first byte of each row of cells, from the top of the screen down.
///
/// A split screen restarts at byte 0 with the row after the one in which the line compare falls, as in
/// QEMU: hardware splits between lines.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "at most 1024 rows of 32 lines"
)]
pub(crate) fn row_addresses(mode: &TextMode) -> impl Iterator<Item = u32> + use<> {
    let TextMode {
        rows,
        cell_height,
        layout,
        ..
    } = *mode;
    let mut next = layout.start;
    (0..rows).map(move |row| {
        let address = next;
        let first_line = row * cell_height;
        let split =
            first_line < layout.line_compare && layout.line_compare <= first_line + cell_height;
        next = if split {
            0
        } else {
            address.saturating_add(layout.pitch)
        };
        address
    })
}

/// The part of VRAM that the row of cells at `address` lies in. As in QEMU, it ends where VRAM does, and cells
/// behind that don't show.
#[expect(clippy::arithmetic_side_effects, reason = "at most 256 columns")]
pub(crate) fn row_span<B: Bitmap>(vram: &Vram<B>, address: u32, columns: u32) -> Range<u64> {
    let start = u64::from(address);
    let end = start + u64::from(columns) * GROUP_BYTES as u64;
    start..end.min(vram.len()).max(start)
}

/// Whether all cells lie in VRAM.
pub(crate) fn lies_in<B: Bitmap>(vram: &Vram<B>, mode: &TextMode) -> bool {
    row_addresses(mode)
        .map(|address| row_span(vram, address, mode.columns))
        .all(|span| cells_in(&span) == mode.columns as usize)
}

/// How many cells lie in such a part, the last one perhaps not wholly.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a span ends where it starts or behind, and lies in VRAM"
)]
pub(crate) fn cells_in(span: &Range<u64>) -> usize {
    (span.end - span.start).div_ceil(GROUP_BYTES as u64) as usize
}

/// Reads the screen of a drawable mode.
#[expect(clippy::arithmetic_side_effects, reason = "at most 16000 cells")]
fn read<B: Bitmap>(mode: &TextMode, vram: &Vram<B>) -> TextScreen {
    let mut cells = Vec::with_capacity((mode.columns * mode.rows) as usize);
    let mut bytes = vec![0; mode.columns as usize * GROUP_BYTES];
    let mut cursor = None;
    for (row, address) in (0..).zip(row_addresses(mode)) {
        vram.read(u64::from(address), &mut bytes);
        let inside = cells_in(&row_span(vram, address, mode.columns));
        for (column, cell) in bytes.as_chunks::<GROUP_BYTES>().0.iter().enumerate() {
            let [character, attribute, ..] = *cell;
            cells.push(if column < inside {
                Cell {
                    character,
                    attribute,
                }
            } else {
                Cell::default()
            });
        }
        let column = mode
            .cursor
            .and_then(|cursor| cursor.column(address, mode.columns));
        cursor = cursor.or(column.map(|column| (column, row)));
    }
    TextScreen {
        columns: mode.columns,
        rows: mode.rows,
        cursor,
        cells,
    }
}
