//! Text: characters in the guest's own fonts, and the cursor.

use vm_memory::bitmap::Bitmap;

use super::Surface;
use crate::scanout::TextMode;
use crate::text;
use crate::vram::Vram;

/// Lines that a character has in a font, whether they show or not.
const GLYPH_LINES: usize = 32;
/// Bytes of VRAM between two lines of a character: one for each plane.
const PLANES: usize = 4;
/// The plane that fonts are in.
const FONT_PLANE: usize = 2;
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

/// A font's plane of VRAM, a byte for each line of each character.
type Font = Vec<u8>;

fn load_font<B: Bitmap>(vram: &Vram<B>, start: u32) -> Font {
    let mut planes = vec![0; 256 * GLYPH_LINES * PLANES];
    vram.read(u64::from(start), &mut planes);
    planes
        .into_iter()
        .skip(FONT_PLANE)
        .step_by(PLANES)
        .collect()
}

/// Draws the whole screen of a drawable mode, but for cells that don't lie in VRAM.
pub(super) fn draw<B: Bitmap>(
    mode: &TextMode,
    phases: Phases,
    palette: &[u32; 256],
    vram: &Vram<B>,
    surface: &mut Surface<'_>,
) {
    let fonts = mode.fonts.map(|start| load_font(vram, start));
    let cursor = mode.cursor.filter(|_| phases.cursor);
    let width = mode.cell_width as usize;
    let mut cells = vec![0; mode.columns as usize * 4];
    let mut lines = surface.rows(mode.size());
    for address in text::row_addresses(mode) {
        let inside = text::read_row(vram, address, &mut cells);
        for (y, line) in (0..mode.cell_height).zip(&mut lines) {
            let places = line
                .chunks_exact_mut(width)
                .zip(cells.chunks_exact(4))
                .take(inside);
            for (column, (place, cell)) in places.enumerate() {
                let (character, attribute) = (cell[0], cell[1]);
                let (foreground, background) = colors(mode, phases, palette, attribute);
                let under_cursor = cursor.is_some_and(|cursor| {
                    cursor.address == address + 4 * column as u32
                        && (cursor.first..=cursor.last).contains(&y)
                });
                if under_cursor {
                    place.fill(foreground);
                } else {
                    let font = &fonts[usize::from(attribute & SECOND_FONT != 0)];
                    let dots = font[usize::from(character) * GLYPH_LINES + y as usize];
                    let ninth = mode.line_graphics && LINE_GRAPHICS.contains(&character);
                    draw_dots(place, dots, ninth, foreground, background);
                }
            }
        }
    }
}

/// Foreground and background of a cell.
fn colors(mode: &TextMode, phases: Phases, palette: &[u32; 256], attribute: u8) -> (u32, u32) {
    let color = |index: u8| palette[usize::from(index & 0x0f)];
    if !mode.blink {
        return (color(attribute), color(attribute >> 4));
    }
    let background = color(attribute >> 4 & 7);
    let hidden = attribute & BLINKS != 0 && !phases.text;
    (
        if hidden { background } else { color(attribute) },
        background,
    )
}

/// Draws a line of a character into as many pixels as a cell is wide: 8, 9 or 16.
fn draw_dots(place: &mut [u32], dots: u8, ninth: bool, foreground: u32, background: u32) {
    let color = |dot: usize| {
        if dots & 0x80 >> dot != 0 {
            foreground
        } else {
            background
        }
    };
    match place.len() {
        16 => {
            for (dot, pair) in place.chunks_exact_mut(2).enumerate() {
                pair.fill(color(dot));
            }
        }
        _ => {
            let (eight, rest) = place.split_at_mut(8);
            for (dot, pixel) in eight.iter_mut().enumerate() {
                *pixel = color(dot);
            }
            rest.fill(if ninth { color(7) } else { background });
        }
    }
}
