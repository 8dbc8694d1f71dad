// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Registers -> what the screen shows, as a pure function. If hardware and QEMU differ, this does what QEMU
//! does (`docs/conformance.md`).

use super::{
    Cursor, FONT_BYTES, Format, GraphicsMode, Layout, Mode, Scanout, Shape, Size, TextMode,
};
use crate::regs::{Registers, attribute, crtc, dispi, graphics, sequencer};

impl Scanout {
    /// What the screen shows with `regs`.
    pub(crate) fn new(regs: &Registers, text_blink: bool, resets: u64, restores: u64) -> Self {
        let mode = decode(regs, text_blink);
        Self {
            resets,
            restores,
            mode,
            palette: palette(regs, &mode),
        }
    }
}

/// Only the mode's kind, size and format.
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

#[expect(
    clippy::arithmetic_side_effects,
    reason = "registers of 16 bits, and a start inside VRAM"
)]
fn layout(regs: &Registers) -> Layout {
    if regs.dispi.enabled() {
        // Past the last line of any mode.
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

#[expect(
    clippy::arithmetic_side_effects,
    reason = "ten bits at most, and a cell has a line or more"
)]
fn text_mode(regs: &Registers, text_blink: bool) -> TextMode {
    /// The value of Vertical Total that means 100 rows, which may need more lines than VGA can count. As in
    /// QEMU.
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

#[expect(clippy::arithmetic_side_effects, reason = "a cell has a line or more")]
fn cursor(regs: &Registers, cell_height: u32) -> Option<Cursor> {
    let crtc = &regs.crtc;
    let start = crtc.data[crtc::CURSOR_START];
    let first = u32::from(start & 0x1f);
    // It ends with its cell, and doesn't wrap if it ends before it starts. As in QEMU.
    let last = u32::from(crtc.data[crtc::CURSOR_END] & 0x1f).min(cell_height - 1);
    let location = crtc.pair(crtc::CURSOR_LOCATION_HIGH, crtc::CURSOR_LOCATION_LOW);
    let shows = start & crtc::CURSOR_OFF == 0 && first <= last;
    shows.then_some(Cursor {
        address: u32::from(location) * 4,
        first,
        last,
    })
}

/// Where the two fonts start in VRAM, for attribute bit 3 clear and set.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "eight fonts fill VGA's 256 KiB"
)]
fn fonts(character_map: u8) -> [u32; 2] {
    let font = |low: u8, high_bit: u8| {
        let number = (character_map >> low & 3) << 1 | (character_map >> high_bit & 1);
        u32::from(number) * FONT_BYTES as u32
    };
    [font(0, 4), font(2, 5)]
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "at most 16,000 pixels, and 32 doubled lines"
)]
fn graphics_mode(regs: &Registers) -> GraphicsMode {
    let crtc = &regs.crtc;
    let scan_lines = crtc.data[crtc::MAXIMUM_SCAN_LINE];
    let double_scan = u32::from(scan_lines & crtc::DOUBLE_SCAN != 0);
    let folded = folded(crtc.data[crtc::MODE_CONTROL]);
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
    if let Format::Planar { doubled: true } | Format::Cga { doubled: true } = format {
        width *= 2;
    }
    // Bit 3 is ignored, and in DISPI modes the whole register. As in QEMU.
    let panning = if regs.dispi.enabled() {
        0
    } else {
        u32::from(regs.attribute.data[attribute::PIXEL_PANNING] & 7)
    };
    GraphicsMode {
        size: Size { width, height },
        format,
        planes: regs.attribute.data[attribute::PLANE_ENABLE] & 0x0f,
        // If rows are folded, Maximum Scan Line counts them and doesn't repeat any. As in QEMU.
        row_repeat: if folded[0].is_none() {
            (u32::from(scan_lines & crtc::SCAN_LINES) + 1) << double_scan
        } else {
            1 + double_scan
        },
        panning,
        panning_reset: regs.attribute.data[attribute::MODE_CONTROL] & attribute::PANNING_RESET != 0,
        folded,
        layout: layout(regs),
    }
}

/// [`GraphicsMode::folded`] by CRTC Mode Control. As in QEMU, word modes don't shift the display's addresses.
fn folded(mode_control: u8) -> [Option<u32>; 2] {
    let is_set = |bit| mode_control & bit != 0;
    let first = if is_set(crtc::BYTE_MODE) { 15 } else { 14 };
    [
        (!is_set(crtc::ROW_BIT_0_OFF)).then_some(1 << first),
        (!is_set(crtc::ROW_BIT_1_OFF)).then_some(1 << 15),
    ]
}

fn format(regs: &Registers) -> Format {
    let clocking = regs.effective_sequencer()[sequencer::CLOCKING_MODE];
    let doubled = clocking & sequencer::DOT_CLOCK_HALF != 0;
    let depth = if regs.dispi.enabled() {
        regs.dispi.data[dispi::BPP]
    } else {
        0
    };
    match (regs.graphics.data[graphics::MODE] & graphics::SHIFT, depth) {
        (0x00, _) => Format::Planar { doubled },
        (0x20, _) => Format::Cga { doubled },
        (_, 8) => Format::Indexed8,
        (_, 15) => Format::Rgb555(regs.byte_order),
        (_, 16) => Format::Rgb565(regs.byte_order),
        (_, 24) => Format::Rgb888(regs.byte_order),
        (_, 32) => Format::Xrgb8888(regs.byte_order),
        // Shift 3 is the same as shift 2, as in QEMU.
        _ => Format::Indexed8Doubled,
    }
}

fn palette(regs: &Registers, mode: &Mode) -> [u32; 256] {
    let mut palette = [0; 256];
    let has_16_colors = match mode {
        Mode::Blank => return palette,
        Mode::Graphics(mode) if !mode.format.has_palette() => return palette,
        Mode::Text(_) => true,
        Mode::Graphics(mode) => mode.format.has_16_colors(),
    };
    if has_16_colors {
        // These modes have six bits a component in either width of the DAC, as in QEMU.
        for (index, color) in palette.iter_mut().enumerate().take(16) {
            *color = regs.dac.rgb6(regs.attribute.dac_entry(index));
        }
    } else {
        let has_8_bits = regs.dispi.has_8_bit_dac();
        for (index, color) in palette.iter_mut().enumerate() {
            *color = match has_8_bits {
                true => regs.dac.rgb8(index),
                false => regs.dac.rgb6(index),
            };
        }
    }
    palette
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ByteOrder, Retrace};

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
        Scanout::new(regs, true, 0, 0).mode
    }

    #[test]
    fn bits_of_the_row_counter_go_to_address_bits_14_and_15() {
        for (mode_control, folded) in [
            (0x03, [None, None]),
            (0x01, [None, Some(0x8000)]),
            (0x02, [Some(0x4000), None]),
            (0x02 | crtc::BYTE_MODE, [Some(0x8000), None]),
            (0x00, [Some(0x4000), Some(0x8000)]),
        ] {
            let mode = graphics_mode(&with_crtc(&[(crtc::MODE_CONTROL, mode_control)]));
            assert_eq!(mode.folded, folded, "CR17 = {mode_control:#04x}");
        }
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
            (4, Format::Planar { doubled: false }),
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
        assert_eq!(Scanout::new(&regs, true, 0, 0).palette()[1], 0xff_00_07);
    }

    #[test]
    fn text_blinks_where_it_may_and_the_register_says_so() {
        let mut regs = registers();
        regs.attribute.data[attribute::MODE_CONTROL] = attribute::BLINK;
        let blinks = |text_blink| match Scanout::new(&regs, text_blink, 0, 0).mode {
            Mode::Text(text) => text.blink,
            _ => panic!("not text"),
        };
        assert_eq!([blinks(true), blinks(false)], [true, false]);
    }
}
