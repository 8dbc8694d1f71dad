// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A text screen read as text: characters, attributes and the cursor's position.

use std::fmt;
use std::ops::Range;

use vm_memory::bitmap::Bitmap;

use crate::planes::GROUP_BYTES;
use crate::scanout::{Cursor, Mode, Scanout, TextMode};
use crate::vram::Vram;

/// Code page 437, as in the fonts of PCs, including the pictures of its control characters. Characters 0 and
/// 255 look like blanks.
#[rustfmt::skip]
const CODE_PAGE_437: [char; 256] = [
    ' ', '☺', '☻', '♥', '♦', '♣', '♠', '•', '◘', '○', '◙', '♂', '♀', '♪', '♫', '☼',
    '►', '◄', '↕', '‼', '¶', '§', '▬', '↨', '↑', '↓', '→', '←', '∟', '↔', '▲', '▼',
    ' ', '!', '"', '#', '$', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '@', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', '[', '\\', ']', '^', '_',
    '`', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '{', '|', '}', '~', '⌂',
    'Ç', 'ü', 'é', 'â', 'ä', 'à', 'å', 'ç', 'ê', 'ë', 'è', 'ï', 'î', 'ì', 'Ä', 'Å',
    'É', 'æ', 'Æ', 'ô', 'ö', 'ò', 'û', 'ù', 'ÿ', 'Ö', 'Ü', '¢', '£', '¥', '₧', 'ƒ',
    'á', 'í', 'ó', 'ú', 'ñ', 'Ñ', 'ª', 'º', '¿', '⌐', '¬', '½', '¼', '¡', '«', '»',
    '░', '▒', '▓', '│', '┤', '╡', '╢', '╖', '╕', '╣', '║', '╗', '╝', '╜', '╛', '┐',
    '└', '┴', '┬', '├', '─', '┼', '╞', '╟', '╚', '╔', '╩', '╦', '╠', '═', '╬', '╧',
    '╨', '╤', '╥', '╙', '╘', '╒', '╓', '╫', '╪', '┘', '┌', '█', '▄', '▌', '▐', '▀',
    'α', 'ß', 'Γ', 'π', 'Σ', 'σ', 'µ', 'τ', 'Φ', 'Θ', 'Ω', 'δ', '∞', 'φ', 'ε', '∩',
    '≡', '±', '≥', '≤', '⌠', '⌡', '÷', '≈', '°', '∙', '·', '√', 'ⁿ', '²', '■', '\u{a0}',
];

/// A character cell, as the guest wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Cell {
    /// The character's number in the font that the guest loaded.
    pub character: u8,
    /// Colours: foreground in bits 3:0, background in bits 6:4 (7:4 if nothing blinks).
    pub attribute: u8,
}

impl Cell {
    /// The character in Unicode, assuming that the guest's font has code page 437, as firmware loads it.
    /// Number 0 is a blank.
    #[expect(clippy::indexing_slicing, reason = "there are 256 characters")]
    pub fn to_char(self) -> char {
        CODE_PAGE_437[usize::from(self.character)]
    }
}

/// The characters on a text screen, for logs, for tests, and for people who can't see it.
///
/// It displays as lines of Unicode ([`Cell::to_char`]), without trailing blanks and blank lines.
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
/// assert_eq!(screen.row(0)[1].attribute, 0x07);
/// assert_eq!(screen.to_string(), "Hi");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextScreen {
    /// Characters in a row.
    pub columns: u32,
    /// Rows of characters.
    pub rows: u32,
    /// Column and row of the cursor, both counted from 0, if it's switched on and on the screen.
    pub cursor: Option<(u32, u32)>,
    cells: Vec<Cell>,
}

impl TextScreen {
    /// The cells of a row. Row 0 is the top one. Empty past the last row.
    pub fn row(&self, row: u32) -> &[Cell] {
        let mut rows = self.cells.chunks(self.columns.max(1) as usize);
        rows.nth(row as usize).unwrap_or_default()
    }
}

impl fmt::Display for TextScreen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for row in self.cells.chunks(self.columns.max(1) as usize) {
            let line: String = row.iter().map(|cell| cell.to_char()).collect();
            text += line.trim_end_matches([' ', '\u{a0}']);
            text.push('\n');
        }
        f.write_str(text.trim_end_matches('\n'))
    }
}

impl Scanout {
    /// The characters on the screen, read from `vram`. `None` unless it's a text mode that is drawn.
    ///
    /// Cells that aren't in VRAM have the character 0.
    pub fn text<B: Bitmap>(&self, vram: &Vram<B>) -> Option<TextScreen> {
        match &self.mode {
            Mode::Text(mode) if mode.is_drawable() => Some(read(mode, vram)),
            _ => None,
        }
    }
}

impl Cursor {
    /// The cursor's column, if it's in the row of cells at `address`.
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

/// The first byte of each row of cells, from top to bottom.
///
/// A split screen restarts at byte 0 with the row after the one that contains the line compare, as in QEMU.
/// Hardware splits between lines.
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

/// The part of VRAM with the row of cells at `address`. As in QEMU, it ends where VRAM does, and later cells
/// don't show.
#[expect(clippy::arithmetic_side_effects, reason = "at most 256 columns")]
pub(crate) fn row_span<B: Bitmap>(vram: &Vram<B>, address: u32, columns: u32) -> Range<u64> {
    let start = u64::from(address);
    let end = start + u64::from(columns) * GROUP_BYTES as u64;
    start..end.min(vram.len()).max(start)
}

/// Whether all cells are in VRAM.
pub(crate) fn lies_in<B: Bitmap>(vram: &Vram<B>, mode: &TextMode) -> bool {
    row_addresses(mode)
        .map(|address| row_span(vram, address, mode.columns))
        .all(|span| cells_in(&span) == mode.columns as usize)
}

/// The number of cells in such a part. The last one may be incomplete.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a span ends at its start or after it, and lies in VRAM"
)]
pub(crate) fn cells_in(span: &Range<u64>) -> usize {
    (span.end - span.start).div_ceil(GROUP_BYTES as u64) as usize
}

/// Reads the text of a drawable mode.
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
