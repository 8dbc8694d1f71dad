// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Text modes.

use stdvga::Variant;
use stdvga_testing::driver::*;

use crate::{expect_picture, expect_picture_on};

/// Sets a text mode of these many columns and lines, in cells of 9 dots and these many lines. The font's
/// characters are their code, turned by a bit a line. The first 4096 cells show all characters in many
/// colours.
fn text_mode(guest: &mut Guest, columns: u8, lines: u16, cell_lines: u8) {
    guest.mode_03h();
    guest.crtc_mode(
        columns - 1,
        lines - 1,
        columns / 2,
        0x40 | (cell_lines - 1),
        0xa3,
    );
    guest.palette_16();
    load_font(guest, 0, |character, y| character.rotate_left(y));
    let cells: Vec<u8> = (0..4096_u32)
        .flat_map(|cell| [cell as u8, (cell * 29 + 7) as u8])
        .collect();
    guest.window_write(0x1_8000, &cells);
    guest.unblank();
}

/// Loads a font as drivers do, through plane 2 at 0xa0000.
fn load_font(guest: &mut Guest, font: u64, line: fn(u8, u32) -> u8) {
    let glyphs: Vec<u8> = (0..=255)
        .flat_map(|character| (0..32).map(move |y| line(character, y)))
        .collect();
    guest.sequencer(MAP_MASK, 0x04);
    guest.sequencer(MEMORY_MODE, EXTENDED_MEMORY | ODD_EVEN_OFF);
    guest.graphics(GRAPHICS_MODE, 0x00);
    guest.graphics(MISCELLANEOUS, 0x04);
    guest.window_write(font * 0x2000, &glyphs);
    guest.sequencer(MAP_MASK, 0x03);
    guest.sequencer(MEMORY_MODE, EXTENDED_MEMORY);
    guest.graphics(GRAPHICS_MODE, HOST_ODD_EVEN);
    guest.graphics(MISCELLANEOUS, TEXT_B8000_32K);
}

/// Places the cursor, and gives it its first and last line.
fn cursor(guest: &mut Guest, cell: u16, start: u8, end: u8) {
    let [high, low] = cell.to_be_bytes();
    guest.crtc(CURSOR_LOCATION_HIGH, high);
    guest.crtc(CURSOR_LOCATION_LOW, low);
    guest.crtc(CURSOR_START, start);
    guest.crtc(CURSOR_END, end);
}

#[test]
fn cells_are_9_dots_wide() {
    expect_picture("text-9-dots", |guest| text_mode(guest, 16, 64, 16));
}

#[test]
fn cells_are_8_dots_wide_with_clocking_mode_bit_0() {
    expect_picture("text-8-dots", |guest| {
        text_mode(guest, 16, 64, 16);
        guest.sequencer(CLOCKING_MODE, EIGHT_DOTS);
    });
}

#[test]
fn cells_are_16_dots_wide_with_clocking_mode_bit_3() {
    expect_picture("text-16-dots", |guest| {
        text_mode(guest, 8, 64, 16);
        guest.sequencer(CLOCKING_MODE, EIGHT_DOTS | DOT_CLOCK_HALF);
    });
}

#[test]
fn cells_are_16_dots_wide_with_clocking_mode_bit_3_alone() {
    expect_picture("text-16-dots-bit-3-alone", |guest| {
        text_mode(guest, 8, 64, 16);
        guest.sequencer(CLOCKING_MODE, DOT_CLOCK_HALF);
    });
}

#[test]
fn cells_are_1_line_high() {
    expect_picture("text-1-line-cells", |guest| text_mode(guest, 16, 40, 1));
}

#[test]
fn cells_are_8_lines_high() {
    expect_picture("text-8-line-cells", |guest| text_mode(guest, 16, 48, 8));
}

#[test]
fn cells_are_14_lines_high_and_half_a_row_is_left_out() {
    expect_picture("text-14-line-cells", |guest| text_mode(guest, 16, 49, 14));
}

#[test]
fn cells_are_32_lines_high() {
    expect_picture("text-32-line-cells", |guest| text_mode(guest, 16, 64, 32));
}

#[test]
fn double_scan_doesnt_change_text() {
    expect_picture("text-double-scan", |guest| text_mode(guest, 16, 32, 0x88));
}

#[test]
fn attribute_bit_3_selects_the_second_of_two_fonts() {
    expect_picture("text-two-fonts", |guest| {
        text_mode(guest, 16, 64, 16);
        load_font(guest, 2, |character, y| character ^ (0x11 * y) as u8);
        // Character map A is 1, at 16 KiB of the plane; B is 0.
        guest.sequencer(CHARACTER_MAP_SELECT, 0x04);
    });
}

#[test]
fn fonts_lie_at_eight_places() {
    expect_picture("text-eighth-font", |guest| {
        text_mode(guest, 16, 64, 16);
        load_font(guest, 4, |character, y| character.wrapping_add(y as u8));
        load_font(guest, 7, |character, y| character ^ (0x11 * y) as u8);
        // Map A is 2 of 16 KiB each; B is 3, and 8 KiB more by bit 5.
        guest.sequencer(CHARACTER_MAP_SELECT, 0x2e);
    });
}

#[test]
fn line_graphics_go_on_in_the_ninth_dot() {
    expect_picture("text-line-graphics", |guest| {
        text_mode(guest, 16, 128, 8);
        guest.attribute(ATTRIBUTE_MODE_CONTROL, LINE_GRAPHICS);
        guest.unblank();
    });
}

#[test]
fn the_cursor_shows_from_its_first_to_its_last_line() {
    expect_picture("text-cursor", |guest| {
        text_mode(guest, 8, 32, 16);
        cursor(guest, 11, 3, 12);
    });
}

#[test]
fn the_cursor_can_be_one_line() {
    expect_picture("text-cursor-one-line", |guest| {
        text_mode(guest, 8, 32, 16);
        cursor(guest, 11, 7, 7);
    });
}

#[test]
fn the_cursor_ends_with_its_cell() {
    expect_picture("text-cursor-beyond-cell", |guest| {
        text_mode(guest, 8, 32, 8);
        cursor(guest, 11, 6, 31);
    });
}

#[test]
fn a_cursor_that_ends_before_it_starts_is_not_shown() {
    expect_picture("text-cursor-inside-out", |guest| {
        text_mode(guest, 8, 32, 16);
        cursor(guest, 11, 12, 3);
    });
}

#[test]
fn cursor_start_bit_5_hides_the_cursor() {
    expect_picture("text-cursor-hidden", |guest| {
        text_mode(guest, 8, 32, 16);
        cursor(guest, 11, 0x23, 12);
    });
}

#[test]
fn the_cursor_covers_the_ninth_dot_and_moves() {
    let move_it: fn(&mut Guest) = |guest| cursor(guest, 13, 0, 15);
    expect_picture_on(
        (Variant::Vga, 16),
        "text-cursor-moved",
        &[
            |guest| {
                text_mode(guest, 8, 32, 16);
                cursor(guest, 2, 0, 15);
            },
            move_it,
        ],
    );
}

#[test]
fn the_cursor_of_a_cell_shown_twice_shows_twice() {
    expect_picture("text-cursor-twice", |guest| {
        text_mode(guest, 8, 64, 16);
        cursor(guest, 3, 4, 6);
        guest.split(31);
    });
}

#[test]
fn the_start_address_counts_cells() {
    expect_picture("text-start-address", |guest| {
        text_mode(guest, 16, 64, 16);
        guest.start_address(0x123);
    });
}

#[test]
fn a_split_screen_starts_again_with_a_row() {
    expect_picture("text-split", |guest| {
        text_mode(guest, 16, 80, 16);
        guest.start_address(0x80);
        guest.split(40);
    });
}

#[test]
fn a_split_at_the_last_line_of_a_row_is_before_the_next() {
    expect_picture("text-split-at-row", |guest| {
        text_mode(guest, 16, 80, 16);
        guest.start_address(0x80);
        guest.split(32);
    });
}

#[test]
fn rows_have_a_pitch_of_their_own() {
    expect_picture("text-pitch", |guest| {
        text_mode(guest, 16, 64, 16);
        guest.crtc(OFFSET, 21);
    });
}

#[test]
fn rows_with_a_pitch_of_0_are_the_same() {
    expect_picture("text-pitch-0", |guest| {
        text_mode(guest, 16, 32, 8);
        guest.crtc(OFFSET, 0);
    });
}

#[test]
fn text_of_40_columns() {
    expect_picture("text-40-columns", |guest| text_mode(guest, 40, 32, 16));
}

#[test]
fn text_of_80_columns() {
    expect_picture("text-80-columns", |guest| text_mode(guest, 80, 24, 8));
}

#[test]
fn text_of_132_columns() {
    expect_picture("text-132-columns", |guest| text_mode(guest, 132, 24, 8));
}

#[test]
fn vertical_total_of_100_means_100_rows() {
    expect_picture("text-100-rows", |guest| {
        text_mode(guest, 16, 8, 2);
        guest.crtc(VERTICAL_TOTAL, 100);
    });
}

#[test]
fn blinking_attributes_show_as_bright_backgrounds() {
    expect_picture("text-blink", |guest| {
        text_mode(guest, 16, 32, 8);
        guest.attribute(ATTRIBUTE_MODE_CONTROL, BLINK);
        guest.unblank();
    });
}

#[test]
fn palette_bits_come_from_color_select() {
    expect_picture("text-color-select", |guest| {
        text_mode(guest, 16, 32, 8);
        for index in 0x50..0x60 {
            guest.dac(index, [index, 0x60 - index, 2 * index]);
        }
        guest.attribute(ATTRIBUTE_MODE_CONTROL, COLOR_SELECT_5_4);
        guest.attribute(COLOR_SELECT, 0x05);
        guest.unblank();
    });
}

#[test]
fn text_colors_have_six_bits_in_an_8_bit_dac() {
    expect_picture("text-8-bit-dac", |guest| {
        text_mode(guest, 16, 32, 8);
        for index in 0..16 {
            guest.dac(index, [index * 16, 0xff - index, 0x40 + index]);
        }
        guest.dispi(ENABLE, DAC_8BIT);
    });
}

#[test]
fn text_is_not_panned() {
    expect_picture("text-panned", |guest| {
        text_mode(guest, 16, 32, 8);
        guest.attribute(PIXEL_PANNING, 0x05);
        guest.unblank();
    });
}

#[test]
fn rows_end_where_vram_ends() {
    expect_picture_on(
        (Variant::Vga, 1),
        "text-end-of-vram",
        &[|guest| {
            text_mode(guest, 2, 1024, 1);
            guest.vram_write(0xf_fff0, &[0x5a, 0x1f, 0xff, 0x00, 0xa5, 0x2e, 0xff, 0x00]);
            guest.vram_write(0xf_fff8, &[0x3c, 0x4d, 0xff, 0x00, 0xc3, 0x6b, 0xff, 0x00]);
            guest.crtc(OFFSET, 0xff);
            guest.start_address(0xfffe);
        }],
    );
}

#[test]
fn text_of_one_cell_leaves_the_picture_as_it_was() {
    expect_picture_on(
        (Variant::Vga, 16),
        "text-one-cell",
        &[
            |guest| text_mode(guest, 8, 16, 8),
            |guest| text_mode(guest, 1, 8, 8),
        ],
    );
}

#[test]
fn isa_vga_shows_text() {
    expect_picture_on(
        (Variant::IsaVga, 8),
        "text-isa",
        &[|guest| text_mode(guest, 16, 32, 8)],
    );
}
