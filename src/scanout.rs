//! What the screen shows, as a value: a pure function of the registers.

use std::fmt;

use vm_memory::bitmap::Bitmap;

use crate::config::ByteOrder;
use crate::regs::{Registers, attribute, crtc, dispi, graphics, sequencer};
use crate::text::{self, TextScreen};
use crate::vram::Vram;

/// The most cells that a text screen can have: 160 columns of 100 rows.
pub(crate) const MAX_CELLS: u32 = 16_000;
/// VGA's own address space in VRAM bytes: four planes of 64 KiB.
pub(crate) const VGA_BYTES: u32 = 256 << 10;
/// Bytes of VRAM that a font takes: 256 characters of 32 lines, in one of four planes.
const FONT_BYTES: u32 = 256 * 32 * 4;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// What the screen shows: a small copy of all that the picture depends on, but VRAM.
///
/// Taken with [`StdVga::scanout`](crate::StdVga::scanout), drawn by
/// [`Screen::refresh`](crate::Screen::refresh).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanout {
    pub(crate) resets: u64,
    pub(crate) mode: Mode,
    pub(crate) palette: [u32; 256],
}

/// The kind of picture, and its geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The palette is switched off (bit 5 of the Attribute Controller's index): black, in the size of
    /// the last picture.
    Blank,
    /// Characters.
    Text(TextMode),
    /// Pixels.
    Graphics(GraphicsMode),
}

/// A text mode's geometry, fonts and cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextMode {
    /// Characters in a row.
    pub columns: u32,
    /// Rows of characters.
    pub rows: u32,
    /// Width of a character in pixels: 8, 9 or 16.
    pub cell_width: u32,
    /// Height of a character in pixels, 1 to 32.
    pub cell_height: u32,
    /// The cursor, unless it's switched off. Whether it's in its visible phase is up to the
    /// [`Screen`](crate::Screen).
    pub cursor: Option<Cursor>,
    /// VRAM bytes where the fonts start: for attributes with bit 3 clear, and set. Line `y` of
    /// character `c` is the byte at `128 * c + 4 * y + 2`.
    pub fonts: [u32; 2],
    /// Whether characters 0xb0-0xdf repeat their eighth dot in the ninth.
    pub line_graphics: bool,
    /// Whether bit 7 of an attribute makes the character blink.
    pub blink: bool,
    /// Where the cells lie.
    pub layout: Layout,
}

/// A graphics mode's geometry and pixel format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphicsMode {
    /// Size of the picture, repeats of pixels and rows included.
    pub size: Size,
    /// How bytes of VRAM become pixels.
    pub format: Format,
    /// How often each row of VRAM shows before the next, 1 to 64.
    pub row_repeat: u32,
    /// Pixels by which rows are shifted to the left, 0 to 7 (in units of the format).
    pub panning: u32,
    /// Whether the shift ends at the line compare.
    pub panning_reset: bool,
    /// CRTC Mode Control, whose bits fold row counter bits into addresses.
    pub(crate) crtc_mode: u8,
    /// Where the rows lie.
    pub layout: Layout,
}

/// Where rows lie in VRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The first byte of the first row.
    pub start: u32,
    /// Bytes from a row to the next.
    pub pitch: u32,
    /// The scan line after which rows start anew at byte 0.
    pub line_compare: u32,
}

/// A text cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The VRAM byte of the cell that it's on.
    pub address: u32,
    /// The first scan line of the cell that it covers.
    pub first: u32,
    /// The last one.
    pub last: u32,
}

/// How bytes of VRAM become pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 16 colours: a bit of each of four planes.
    Planar {
        /// The planes that show, a bit each.
        planes: u8,
        /// Whether every pixel shows twice.
        doubled: bool,
    },
    /// Four or 16 colours: two bits of each of two planes, as CGA has them.
    Cga {
        /// The planes that show, a bit each.
        planes: u8,
        /// Whether every pixel shows twice.
        doubled: bool,
    },
    /// 256 colours, every pixel twice: mode 13h and its kin.
    Indexed8Doubled,
    /// 256 colours.
    Indexed8,
    /// 5 bits each of red, green and blue in 16 bits.
    Rgb555(ByteOrder),
    /// 5, 6 and 5 bits of red, green and blue in 16 bits.
    Rgb565(ByteOrder),
    /// 8 bits each of red, green and blue in 24 bits.
    Rgb888(ByteOrder),
    /// 8 bits each of red, green and blue in 32 bits.
    Xrgb8888(ByteOrder),
}

impl Format {
    /// Bits of VRAM that a pixel takes.
    pub fn bits_per_pixel(&self) -> u32 {
        match self {
            Self::Planar { .. } | Self::Cga { .. } => 4,
            Self::Indexed8Doubled | Self::Indexed8 => 8,
            Self::Rgb555(_) => 15,
            Self::Rgb565(_) => 16,
            Self::Rgb888(_) => 24,
            Self::Xrgb8888(_) => 32,
        }
    }

    /// Whether pixels are indices of the 16-colour palette.
    fn has_16_colors(&self) -> bool {
        matches!(self, Self::Planar { .. } | Self::Cga { .. })
    }
}

/// What tells one mode from another for an embedder: kind, size and format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Blank,
    Text(Size),
    Graphics(Size, Format),
}

impl TextMode {
    /// Size of the picture.
    pub fn size(&self) -> Size {
        Size {
            width: self.columns * self.cell_width,
            height: self.rows * self.cell_height,
        }
    }

    /// Whether the number of cells is one that shows. Otherwise the picture before it stays.
    pub fn is_drawable(&self) -> bool {
        (2..=MAX_CELLS).contains(&(self.columns * self.rows))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("blank"),
            Self::Text(mode) => write!(f, "text {}x{} ({})", mode.columns, mode.rows, mode.size()),
            Self::Graphics(mode) => write!(
                f,
                "graphics {}, {} bpp",
                mode.size,
                mode.format.bits_per_pixel()
            ),
        }
    }
}

impl Scanout {
    /// What `regs` make the screen show.
    pub(crate) fn new(regs: &Registers, text_blink: bool, resets: u64) -> Self {
        let mode = decode(regs, text_blink);
        Self {
            resets,
            mode,
            palette: palette(regs, &mode),
        }
    }

    /// The kind of picture, and its geometry.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// The colours that indices of VRAM stand for, as 0x00RRGGBB. 16-colour modes use the first 16;
    /// direct-colour modes, and a blank screen, none.
    pub fn palette(&self) -> &[u32; 256] {
        &self.palette
    }

    /// The characters on the screen, read from `vram`. `None` unless it's a text mode whose picture
    /// shows.
    pub fn text<B: Bitmap>(&self, vram: &Vram<B>) -> Option<TextScreen> {
        match &self.mode {
            Mode::Text(mode) if mode.is_drawable() => Some(text::read(mode, vram)),
            _ => None,
        }
    }
}

/// The mode's kind, size and format alone.
pub(crate) fn shape(regs: &Registers) -> Shape {
    match decode(regs, false) {
        Mode::Blank => Shape::Blank,
        Mode::Text(mode) => Shape::Text(mode.size()),
        Mode::Graphics(mode) => Shape::Graphics(mode.size, mode.format),
    }
}

fn decode(regs: &Registers, text_blink: bool) -> Mode {
    if regs.attribute.index & attribute::PALETTE_ADDRESS_SOURCE == 0 {
        Mode::Blank
    } else if regs.graphics.data[graphics::MISCELLANEOUS] & graphics::GRAPHICS_MODE == 0 {
        Mode::Text(text_mode(regs, text_blink))
    } else {
        Mode::Graphics(graphics_mode(regs))
    }
}

fn layout(regs: &Registers) -> Layout {
    if regs.dispi.enabled() {
        // Beyond every line that a mode can have.
        let line_compare = u32::from(u16::MAX);
        return Layout {
            start: regs.dispi.start * 4,
            pitch: regs.dispi.pitch,
            line_compare,
        };
    }
    let start = regs
        .crtc
        .pair(crtc::START_ADDRESS_HIGH, crtc::START_ADDRESS_LOW);
    Layout {
        start: u32::from(start) * 4,
        pitch: u32::from(regs.crtc.data[crtc::OFFSET]) * 8,
        line_compare: u32::from(regs.crtc.line_compare()),
    }
}

fn text_mode(regs: &Registers, text_blink: bool) -> TextMode {
    /// What Vertical Total holds in a mode of 100 rows, which needs more lines than VGA can count.
    const VERTICAL_TOTAL_100_ROWS: u8 = 100;

    let crtc = &regs.crtc;
    let mode_control = regs.attribute.data[attribute::MODE_CONTROL];
    let sequencer = regs.effective_sequencer();
    let clocking = sequencer[sequencer::CLOCKING_MODE];
    let cell_height = u32::from(crtc.data[crtc::MAXIMUM_SCAN_LINE] & crtc::SCAN_LINES) + 1;
    TextMode {
        columns: u32::from(crtc.data[crtc::HORIZONTAL_DISPLAY_END]) + 1,
        rows: if crtc.data[crtc::VERTICAL_TOTAL] == VERTICAL_TOTAL_100_ROWS {
            100
        } else {
            (u32::from(crtc.vertical_display_end()) + 1) / cell_height
        },
        cell_width: if clocking & sequencer::DOT_CLOCK_HALF != 0 {
            16
        } else if clocking & sequencer::EIGHT_DOTS != 0 {
            8
        } else {
            9
        },
        cell_height,
        cursor: cursor(regs, cell_height),
        fonts: fonts(sequencer[sequencer::CHARACTER_MAP]),
        line_graphics: mode_control & attribute::LINE_GRAPHICS != 0,
        blink: text_blink && mode_control & attribute::BLINK != 0,
        layout: layout(regs),
    }
}

fn cursor(regs: &Registers, cell_height: u32) -> Option<Cursor> {
    let crtc = &regs.crtc;
    let start = crtc.data[crtc::CURSOR_START];
    let first = u32::from(start & 0x1f);
    let last = u32::from(crtc.data[crtc::CURSOR_END] & 0x1f).min(cell_height - 1);
    let location = crtc.pair(crtc::CURSOR_LOCATION_HIGH, crtc::CURSOR_LOCATION_LOW);
    let shows = start & crtc::CURSOR_OFF == 0 && first <= last;
    shows.then_some(Cursor {
        address: u32::from(location) * 4,
        first,
        last,
    })
}

/// Where the two fonts start in VRAM: for attribute bit 3 clear, and set.
fn fonts(character_map: u8) -> [u32; 2] {
    let font = |low: u8, high_bit: u8| {
        let number = (character_map >> low & 3) << 1 | (character_map >> high_bit & 1);
        u32::from(number) * FONT_BYTES
    };
    [font(0, 4), font(2, 5)]
}

fn graphics_mode(regs: &Registers) -> GraphicsMode {
    let crtc = &regs.crtc;
    let scan_lines = crtc.data[crtc::MAXIMUM_SCAN_LINE];
    let double_scan = u32::from(scan_lines & crtc::DOUBLE_SCAN != 0);
    let crtc_mode = crtc.data[crtc::MODE_CONTROL];
    let format = format(regs);

    let (mut width, height) = if regs.dispi.enabled() {
        (
            u32::from(regs.dispi.data[dispi::XRES]),
            u32::from(regs.dispi.data[dispi::YRES]),
        )
    } else {
        let columns = u32::from(crtc.data[crtc::HORIZONTAL_DISPLAY_END]) + 1;
        (columns * 8, u32::from(crtc.vertical_display_end()) + 1)
    };
    if let Format::Planar { doubled: true, .. } | Format::Cga { doubled: true, .. } = format {
        width *= 2;
    }
    let panning = match format {
        _ if regs.dispi.enabled() => 0,
        Format::Planar { .. } | Format::Cga { .. } | Format::Indexed8Doubled => {
            u32::from(regs.attribute.data[attribute::PIXEL_PANNING] & 7)
        }
        _ => 0,
    };
    GraphicsMode {
        size: Size { width, height },
        format,
        row_repeat: if crtc_mode & crtc::ROW_BIT_0_OFF != 0 {
            (u32::from(scan_lines & crtc::SCAN_LINES) + 1) << double_scan
        } else {
            1 + double_scan
        },
        panning,
        panning_reset: regs.attribute.data[attribute::MODE_CONTROL] & attribute::PANNING_RESET != 0,
        crtc_mode,
        layout: layout(regs),
    }
}

fn format(regs: &Registers) -> Format {
    let planes = regs.attribute.data[attribute::PLANE_ENABLE] & 0x0f;
    let clocking = regs.effective_sequencer()[sequencer::CLOCKING_MODE];
    let doubled = clocking & sequencer::DOT_CLOCK_HALF != 0;
    let depth = if regs.dispi.enabled() {
        regs.dispi.data[dispi::BPP]
    } else {
        0
    };
    match (regs.graphics.data[graphics::MODE] & graphics::SHIFT, depth) {
        (0x00, _) => Format::Planar { planes, doubled },
        (0x20, _) => Format::Cga { planes, doubled },
        (_, 8) => Format::Indexed8,
        (_, 15) => Format::Rgb555(regs.byte_order),
        (_, 16) => Format::Rgb565(regs.byte_order),
        (_, 24) => Format::Rgb888(regs.byte_order),
        (_, 32) => Format::Xrgb8888(regs.byte_order),
        _ => Format::Indexed8Doubled,
    }
}

fn palette(regs: &Registers, mode: &Mode) -> [u32; 256] {
    let mut palette = [0; 256];
    let has_16_colors = match mode {
        Mode::Blank => return palette,
        Mode::Text(_) => true,
        Mode::Graphics(mode) => mode.format.has_16_colors(),
    };
    if has_16_colors {
        // These modes have six bits a component in either width of the DAC, as in QEMU.
        for (index, color) in palette.iter_mut().enumerate().take(16) {
            *color = regs.dac.rgb6(regs.attribute.dac_entry(index));
        }
    } else {
        for (index, color) in palette.iter_mut().enumerate() {
            *color = regs.dac.rgb(index);
        }
    }
    palette
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Retrace;

    /// Registers with the palette on.
    fn registers() -> Registers {
        let mut regs = Registers::new(16 << 20, Retrace::Dumb, ByteOrder::Little, true);
        regs.attribute.index = attribute::PALETTE_ADDRESS_SOURCE;
        regs
    }

    fn with_crtc(values: &[(usize, u8)]) -> Registers {
        let mut regs = registers();
        for (index, value) in values {
            regs.crtc.data[*index] = *value;
        }
        regs
    }

    fn vbe(width: u16, height: u16, bpp: u16) -> Registers {
        let mut regs = registers();
        for (index, value) in [
            (dispi::XRES, width),
            (dispi::YRES, height),
            (dispi::BPP, bpp),
            (dispi::ENABLE, 1),
        ] {
            regs.dispi.index = index as u16;
            let _ = regs.write_dispi(value);
        }
        regs
    }

    fn mode(regs: &Registers) -> Mode {
        Scanout::new(regs, true, 0).mode
    }

    #[test]
    fn the_screen_is_blank_without_the_palette() {
        let mut regs = vbe(640, 480, 32);
        assert_eq!(mode(&regs).to_string(), "graphics 640x480, 32 bpp");
        regs.attribute.index = 0;
        assert_eq!(mode(&regs), Mode::Blank);
    }

    #[test]
    fn mode_03h_is_text_of_80_by_25() {
        let values = [
            (0x01, 0x4f),
            (0x07, 0x1f),
            (0x09, 0x4f),
            (0x12, 0x8f),
            (0x13, 0x28),
        ];
        let Mode::Text(text) = mode(&with_crtc(&values)) else {
            panic!("not text")
        };
        assert_eq!(Mode::Text(text).to_string(), "text 80x25 (720x400)");
        assert_eq!(
            text.layout,
            Layout {
                start: 0,
                pitch: 320,
                line_compare: 0x300
            }
        );
    }

    #[test]
    fn a_vertical_total_of_100_means_100_rows() {
        let regs = with_crtc(&[
            (crtc::HORIZONTAL_DISPLAY_END, 159),
            (crtc::VERTICAL_TOTAL, 100),
        ]);
        let Mode::Text(text) = mode(&regs) else {
            panic!("not text")
        };
        assert_eq!((text.columns, text.rows), (160, 100));
        assert!(text.is_drawable());
    }

    #[test]
    fn screens_of_one_cell_or_of_too_many_are_not_drawable() {
        let drawable = |columns: u8, rows: u8| {
            let values = [
                (crtc::HORIZONTAL_DISPLAY_END, columns - 1),
                (crtc::VERTICAL_DISPLAY_END, rows - 1),
            ];
            let Mode::Text(text) = mode(&with_crtc(&values)) else {
                panic!("not text")
            };
            text.is_drawable()
        };
        assert_eq!(
            [
                drawable(1, 1),
                drawable(2, 1),
                drawable(160, 100),
                drawable(160, 101)
            ],
            [false, true, true, false]
        );
    }

    #[test]
    fn the_cursor_ends_with_its_cell_and_never_wraps() {
        let cursor = |start: u8, end: u8| {
            let values = [
                (crtc::CURSOR_START, start),
                (crtc::CURSOR_END, end),
                (crtc::MAXIMUM_SCAN_LINE, 15),
            ];
            let Mode::Text(text) = mode(&with_crtc(&values)) else {
                panic!("not text")
            };
            text.cursor.map(|cursor| (cursor.first, cursor.last))
        };
        assert_eq!(cursor(14, 15), Some((14, 15)));
        assert_eq!(cursor(0, 31), Some((0, 15)));
        assert_eq!(cursor(15, 14), None);
        assert_eq!(cursor(16, 31), None);
        assert_eq!(cursor(0x2e, 15), None, "switched off");
    }

    #[test]
    fn character_map_select_places_the_fonts() {
        assert_eq!(fonts(0b00_0000), [0, 0]);
        assert_eq!(
            fonts(0b01_0000),
            [0x8000, 0],
            "the high bit selects the odd font"
        );
        assert_eq!(fonts(0b10_1101), [0x1_0000, 0x3_8000]);
    }

    #[test]
    fn graphics_modes_are_told_by_shift_and_depth() {
        for (bpp, format) in [
            (
                4,
                Format::Planar {
                    planes: 0,
                    doubled: false,
                },
            ),
            (8, Format::Indexed8),
            (15, Format::Rgb555(ByteOrder::Little)),
            (16, Format::Rgb565(ByteOrder::Little)),
            (24, Format::Rgb888(ByteOrder::Little)),
            (32, Format::Xrgb8888(ByteOrder::Little)),
        ] {
            let Mode::Graphics(graphics) = mode(&vbe(800, 600, bpp)) else {
                panic!("not graphics")
            };
            assert_eq!(graphics.format, format, "{bpp} bpp");
        }
        let mut regs = registers();
        regs.graphics.data[graphics::MISCELLANEOUS] = graphics::GRAPHICS_MODE;
        regs.graphics.data[graphics::MODE] = 0x60;
        let Mode::Graphics(graphics) = mode(&regs) else {
            panic!("not graphics")
        };
        assert_eq!(
            graphics.format,
            Format::Indexed8Doubled,
            "shift 3 is as shift 2"
        );
    }

    #[test]
    fn sixteen_colours_go_through_the_attribute_palette() {
        let mut regs = registers();
        regs.attribute.data[1] = 0x3f;
        regs.dac.entries[0x3f] = [63, 0, 1];
        regs.dac.entries[1] = [9, 9, 9];
        assert_eq!(Scanout::new(&regs, true, 0).palette()[1], 0xff_00_07);
    }

    #[test]
    fn text_blinks_where_it_may_and_the_register_says_so() {
        let mut regs = registers();
        regs.attribute.data[attribute::MODE_CONTROL] = attribute::BLINK;
        let blinks = |text_blink| match Scanout::new(&regs, text_blink, 0).mode {
            Mode::Text(text) => text.blink,
            _ => panic!("not text"),
        };
        assert_eq!([blinks(true), blinks(false)], [true, false]);
    }
}
