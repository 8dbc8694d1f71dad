// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The demo program: what a guest without firmware does to get a text screen, and then a picture.
//! It's data, so that a real vCPU and a script can carry out the very same accesses.

use crate::font;
use crate::pci::VGA_ADDRESS;

/// Where the program puts BAR0: below the chipset's addresses, aligned to any size that's allowed.
const FRAMEBUFFER: u32 = 0xe000_0000;
const FONT_WINDOW: u32 = 0xa_0000;
const TEXT_WINDOW: u32 = 0xb_8000;
/// The least VRAM that the picture needs, in MiB.
pub const VRAM_MIB: u32 = 4;

const WIDTH: u32 = 1024;
const HEIGHT: u32 = 768;
const COLUMNS: usize = 80;

/// One thing that the program does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A write to a port, of one byte.
    Out8(u16, u8),
    /// A write to a port, of two bytes.
    Out16(u16, u16),
    /// A write to a port, of four bytes.
    Out32(u16, u32),
    /// A read of one byte from a port, for its side effect.
    In8(u16),
    /// Writes `value` to every dword of an area in memory.
    Fill { area: Area, value: u32 },
    /// Writes `row` to every row of an area in memory.
    Copy { area: Area, row: Vec<u32> },
}

/// A rectangle in memory: rows of `width` dwords that lie `pitch` bytes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    pub address: u32,
    pub pitch: u32,
    pub width: u32,
    pub rows: u32,
}

/// The whole program.
pub fn program() -> Vec<Step> {
    [
        assign_bar(),
        text_mode(),
        text(),
        graphics_mode(),
        picture(),
    ]
    .concat()
}

/// Assigns BAR0, and lets the VGA decode memory.
fn assign_bar() -> Vec<Step> {
    const COMMAND: u32 = 0x04;
    const BAR0: u32 = 0x10;
    const MEMORY: u16 = 1 << 1;
    vec![
        Step::Out32(0xcf8, VGA_ADDRESS | BAR0),
        Step::Out32(0xcfc, FRAMEBUFFER),
        Step::Out32(0xcf8, VGA_ADDRESS | COMMAND),
        Step::Out16(0xcfc, MEMORY),
    ]
}

/// Index and data in one access: the data port follows the index port.
fn indexed(port: u16, index: u8, value: u8) -> Step {
    Step::Out16(port, u16::from_le_bytes([index, value]))
}

fn sequencer(index: u8, value: u8) -> Step {
    indexed(0x3c4, index, value)
}

fn graphics(index: u8, value: u8) -> Step {
    indexed(0x3ce, index, value)
}

fn crtc(index: u8, value: u8) -> Step {
    indexed(0x3d4, index, value)
}

/// All registers of a block, from index 0 on.
fn all(register: fn(u8, u8) -> Step, values: &[u8]) -> impl Iterator<Item = Step> {
    (0..)
        .zip(values)
        .map(move |(index, value)| register(index, *value))
}

/// Sets 80x25 text of 9x16 dots, with our font and palette.
pub fn text_mode() -> Vec<Step> {
    let sequencer_values = [0x03, 0x00, 0x03, 0x00, 0x02]; // 9 dots, odd/even
    let mut steps = vec![Step::Out8(0x3c2, 0x67)]; // colour ports, 28 MHz, 400 lines
    steps.extend(all(sequencer, &sequencer_values));
    steps.push(crtc(0x11, 0x00)); // lifts the write protection of registers 0-7
    #[rustfmt::skip]
    let crtc_values = [
        0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, // horizontal; vertical total
        0x00, 0x4f, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, // 16 lines a cell; cursor off; start 0
        0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff, // 400 lines; pitch 80 cells
    ];
    steps.extend(all(crtc, &crtc_values));
    let graphics_values = [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff]; // 0xb8000
    steps.extend(all(graphics, &graphics_values));
    steps.extend(load_font());
    steps.extend(load_palette());
    steps
}

/// Writes the glyphs to plane 2, 32 bytes for each character.
fn load_font() -> Vec<Step> {
    let mut steps = vec![
        sequencer(2, 0x04), // plane 2
        sequencer(4, 0x06), // planes side by side instead of odd/even
        graphics(5, 0x00),
        graphics(6, 0x04), // the window is 64 KiB at 0xa0000
    ];
    for (character, glyph) in font::glyphs() {
        let address = FONT_WINDOW + 32 * u32::from(character);
        let lines = font::cell_lines(glyph);
        let row: Vec<u32> = lines.chunks_exact(4).map(dword).collect();
        let area = Area {
            address,
            pitch: 0,
            width: row.len() as u32,
            rows: 1,
        };
        steps.push(Step::Copy { area, row });
    }
    steps.extend([
        sequencer(2, 0x03),
        sequencer(4, 0x02),
        graphics(5, 0x10),
        graphics(6, 0x0e),
    ]);
    steps
}

/// Sixteen colours of our own, and attribute registers that pass them on.
fn load_palette() -> Vec<Step> {
    #[rustfmt::skip]
    const COLOURS: [[u8; 3]; 16] = [ // 6 bits each
        [4, 5, 12],   [14, 24, 52], [10, 42, 22], [12, 44, 48],
        [50, 14, 16], [42, 18, 50], [50, 32, 10], [44, 46, 50],
        [20, 22, 30], [28, 42, 63], [30, 60, 36], [34, 60, 63],
        [63, 34, 34], [60, 36, 63], [63, 58, 26], [63, 63, 63],
    ];
    let mut steps = vec![Step::Out8(0x3c8, 0)];
    let channels = COLOURS.as_flattened().iter();
    steps.extend(channels.map(|value| Step::Out8(0x3c9, *value)));
    steps.push(Step::In8(0x3da)); // the next write to 0x3c0 is an index
    let modes = [
        (0x10, 0x00),
        (0x11, 0x00),
        (0x12, 0x0f),
        (0x13, 0x08),
        (0x14, 0x00),
    ];
    for (index, value) in (0..16).map(|index| (index, index)).chain(modes) {
        steps.push(Step::Out8(0x3c0, index));
        steps.push(Step::Out8(0x3c0, value));
    }
    steps.push(Step::Out8(0x3c0, 0x20)); // display on
    steps
}

/// Clears the text screen, and writes to it.
fn text() -> Vec<Step> {
    const CLEAR: u32 = 0x0720_0720;
    const LINES: [(usize, u8, &str); 5] = [
        (2, 0x0f, "STDVGA"),
        (
            4,
            0x07,
            "A TEXT MODE SET THROUGH THE PORTS, WITH A FONT AND A PALETTE OF ITS OWN.",
        ),
        (5, 0x07, "NO FIRMWARE TOOK PART."),
        (7, 0x0b, "80X25 CELLS OF 9X16 DOTS: 720X400"),
        (15, 0x0e, "NEXT: 1024X768, 32 BITS PER PIXEL"),
    ];
    let screen = Area {
        address: TEXT_WINDOW,
        pitch: 0,
        width: 80 * 25 / 2,
        rows: 1,
    };
    let mut steps = vec![Step::Fill {
        area: screen,
        value: CLEAR,
    }];
    for (row, attribute, line) in LINES {
        let cells: Vec<[u8; 2]> = line
            .bytes()
            .map(|character| [character, attribute])
            .collect();
        steps.push(write_cells(row, 4, cells));
    }
    let bars = (0..16u8)
        .flat_map(|colour| [[b' ', colour << 4]; 4])
        .collect();
    steps.push(write_cells(11, 8, bars));
    steps
}

/// Writes cells to the text screen, two at a time.
fn write_cells(row: usize, column: usize, mut cells: Vec<[u8; 2]>) -> Step {
    cells.resize(cells.len().next_multiple_of(2), [b' ', 0x07]);
    let address = TEXT_WINDOW + 2 * (row * COLUMNS + column) as u32;
    let row: Vec<u32> = cells.as_flattened().chunks_exact(4).map(dword).collect();
    Step::Copy {
        area: Area {
            address,
            pitch: 0,
            width: row.len() as u32,
            rows: 1,
        },
        row,
    }
}

fn dword(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |dword, byte| dword << 8 | u32::from(*byte))
}

/// Sets 1024x768 of 32 bits per pixel through the DISPI registers. The VGA clears the picture.
fn graphics_mode() -> Vec<Step> {
    const XRES: u16 = 1;
    const YRES: u16 = 2;
    const BPP: u16 = 3;
    const ENABLE: u16 = 4;
    const LINEAR: u16 = 0x41;
    [
        (ENABLE, 0),
        (XRES, WIDTH as u16),
        (YRES, HEIGHT as u16),
        (BPP, 32),
        (ENABLE, LINEAR),
    ]
    .into_iter()
    .flat_map(|(index, value)| [Step::Out16(0x1ce, index), Step::Out16(0x1d0, value)])
    .collect()
}

/// Draws the picture.
fn picture() -> Vec<Step> {
    const MARGIN: u32 = 64;
    const INNER: u32 = WIDTH - 2 * MARGIN;
    const BARS: [u32; 8] = [
        0xf2f2f2, 0xf0d020, 0x28c8d8, 0x30b850, 0xc848c0, 0xd83830, 0x3058d0, 0x101010,
    ];
    const WHITE: u32 = 0xffffff;
    const SHADOW: u32 = 0x0a0e1c;

    let mut steps = Vec::new();
    for y in (0..HEIGHT).step_by(2) {
        let part = |from: u32, to: u32| from + (to - from) * y / HEIGHT;
        let colour = part(0x0e, 0x2c) << 16 | part(0x14, 0x48) << 8 | part(0x2c, 0x84);
        steps.push(fill(0, y, WIDTH, 2, colour));
    }
    for (x, y, width, height) in [
        (0, 0, WIDTH, 2),
        (0, HEIGHT - 2, WIDTH, 2),
        (0, 2, 2, HEIGHT - 4),
        (WIDTH - 2, 2, 2, HEIGHT - 4),
    ] {
        steps.push(fill(x, y, width, height, WHITE));
    }
    steps.extend(write(60, 16, "STDVGA", 6, SHADOW));
    steps.extend(write(54, 16, "STDVGA", 0, 0xf0b030));
    steps.extend(write(196, 4, "QEMU'S STANDARD VGA FOR RUST VMMS", 0, WHITE));
    for (bar, colour) in (0..).zip(BARS) {
        let width = INNER / BARS.len() as u32;
        steps.push(fill(MARGIN + bar * width, 264, width, 200, colour));
    }
    let ramps: [fn(u32) -> u32; 5] = [
        |level| level << 16,
        |level| level << 8,
        |level| level,
        |level| level << 16 | level << 8 | level,
        hue,
    ];
    for (ramp, colour) in (0..).zip(ramps) {
        let area = Area {
            width: INNER,
            ..area(MARGIN, 484 + 40 * ramp, INNER, 36)
        };
        let row = (0..INNER).map(|x| colour(x * 256 / INNER)).collect();
        steps.push(Step::Copy { area, row });
    }
    steps.extend(write(710, 3, "1024X768, 32 BPP: DISPI AND BAR0", 0, WHITE));
    steps
}

fn area(x: u32, y: u32, width: u32, rows: u32) -> Area {
    Area {
        address: FRAMEBUFFER + 4 * (y * WIDTH + x),
        pitch: 4 * WIDTH,
        width,
        rows,
    }
}

fn fill(x: u32, y: u32, width: u32, height: u32, value: u32) -> Step {
    Step::Fill {
        area: area(x, y, width, height),
        value,
    }
}

/// The colours of the rainbow, for levels 0-255.
fn hue(level: u32) -> u32 {
    let (sextant, rising) = (level * 6 / 256, level * 6 % 256);
    let falling = 255 - rising;
    let (r, g, b) = match sextant {
        0 => (255, rising, 0),
        1 => (falling, 255, 0),
        2 => (0, 255, rising),
        3 => (0, falling, 255),
        4 => (rising, 0, 255),
        _ => (255, 0, falling),
    };
    r << 16 | g << 8 | b
}

/// Writes a centred line at `y`, each dot of the font `scale` pixels wide, `shift` pixels to the
/// right.
fn write(y: u32, scale: u32, line: &str, shift: u32, colour: u32) -> Vec<Step> {
    let advance = (font::WIDTH + 1) * scale;
    let start = (WIDTH + scale - advance * line.len() as u32) / 2 + shift;
    let mut steps = Vec::new();
    for (character, left) in line.bytes().zip((start..).step_by(advance as usize)) {
        for rect in font::rectangles(character) {
            let (x, y) = (left + rect.x * scale, y + rect.y * scale);
            steps.push(fill(x, y, rect.width * scale, rect.height * scale, colour));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_drawn_lies_inside_the_picture() {
        let end = FRAMEBUFFER + 4 * WIDTH * HEIGHT;
        for step in picture() {
            let area = match step {
                Step::Fill { area, .. } => area,
                Step::Copy { area, row } => {
                    assert_eq!(row.len(), area.width as usize);
                    area
                }
                step => panic!("{step:?} draws nothing"),
            };
            let column = (area.address - FRAMEBUFFER) % area.pitch / 4;
            assert!(area.width > 0 && column + area.width <= WIDTH, "{area:?}");
            assert!(
                area.address + area.pitch * (area.rows - 1) + 4 * area.width <= end,
                "{area:?}"
            );
        }
    }

    #[test]
    fn every_character_written_has_a_glyph() {
        let cells = text().into_iter().filter_map(|step| match step {
            Step::Copy { row, .. } => Some(row),
            _ => None,
        });
        for dword in cells.flatten() {
            for character in [dword as u8, (dword >> 16) as u8] {
                assert!(
                    font::glyphs().any(|(known, _)| known == character),
                    "{character:#x}"
                );
            }
        }
    }
}
