//! A text screen read as text: characters, attributes and the cursor's place.

use vm_memory::bitmap::Bitmap;

use crate::scanout::TextMode;
use crate::vram::Vram;

/// A character cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cell {
    /// The character's number in the font that the guest loaded: code page 437, as a rule.
    pub character: u8,
    /// Colours: foreground in bits 3:0, background in bits 6:4 (7:4 where nothing blinks).
    pub attribute: u8,
}

/// The characters on a text screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextScreen {
    /// Characters in a row.
    pub columns: u32,
    /// Rows.
    pub rows: u32,
    /// Column and row of the cursor, where it's switched on and on the screen.
    pub cursor: Option<(u32, u32)>,
    cells: Vec<Cell>,
}

impl TextScreen {
    /// The cells of a row, counted from 0 at the top; empty behind the last row.
    pub fn row(&self, row: u32) -> &[Cell] {
        let columns = self.columns as usize;
        let start = columns * row as usize;
        self.cells.get(start..start + columns).unwrap_or_default()
    }
}

/// The first byte of each row of cells, from the top of the screen down.
///
/// A split screen restarts at byte 0 with the row after the one in which the line compare falls.
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

/// Reads a row of cells into `bytes`, four bytes a cell: character, attribute and two of other planes.
/// Tells how many of the cells lie in VRAM.
pub(crate) fn read_row<B: Bitmap>(vram: &Vram<B>, address: u32, bytes: &mut [u8]) -> usize {
    vram.read(u64::from(address), bytes);
    let inside = vram.len().saturating_sub(u64::from(address)).div_ceil(4);
    inside.min(bytes.len() as u64 / 4) as usize
}

/// Reads the screen of a drawable mode.
pub(crate) fn read<B: Bitmap>(mode: &TextMode, vram: &Vram<B>) -> TextScreen {
    let mut cells = Vec::with_capacity((mode.columns * mode.rows) as usize);
    let mut bytes = vec![0; mode.columns as usize * 4];
    let mut cursor = None;
    for (row, address) in (0..).zip(row_addresses(mode)) {
        let inside = read_row(vram, address, &mut bytes);
        for (column, cell) in (0_u32..).zip(bytes.chunks_exact(4)) {
            cells.push(if (column as usize) < inside {
                Cell {
                    character: cell[0],
                    attribute: cell[1],
                }
            } else {
                Cell::default()
            });
            let is_here = mode
                .cursor
                .is_some_and(|cursor| cursor.address == address + 4 * column);
            if is_here && cursor.is_none() {
                cursor = Some((column, row));
            }
        }
    }
    TextScreen {
        columns: mode.columns,
        rows: mode.rows,
        cursor,
        cells,
    }
}
