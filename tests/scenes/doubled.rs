// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! 256 colours, each pixel shown as two: mode 13h and its relatives.

use stdvga_testing::driver::*;

use crate::planar::{pan, pan_upper_part};
use crate::{expect_picture, pattern};

/// Sets a 256-colour mode that is these many dots wide, twice its pixels, in rows of their number. Each
/// row is shown once.
fn doubled(guest: &mut Guest, dots: u16, lines: u16) {
    guest.mode_13h();
    guest.crtc_mode(
        (dots / 8 - 1) as u8,
        lines - 1,
        (dots / 16) as u8,
        0x40,
        0xa3,
    );
    guest.crtc(UNDERLINE_LOCATION, DOUBLE_WORD);
    guest.vram_write(
        0,
        &pattern(usize::from(dots / 2), 0x4_0000 / usize::from(dots / 2)),
    );
}

#[test]
fn mode_13h_doubles_rows_too() {
    expect_picture("doubled-mode-13h", |guest| {
        guest.mode_13h();
        // A frame, and lines through it.
        for x in 0..320 {
            for y in [0, x * 5 / 8, 199] {
                guest.window_write(320 * y + x, &[x as u8]);
            }
        }
        for y in 0..200 {
            guest.window_write(320 * y, &[0x0f]);
            guest.window_write(320 * y + 319, &[0x0c]);
        }
    });
}

#[test]
fn mode_x_draws_to_one_of_four_pixels() {
    expect_picture("doubled-mode-x", |guest| {
        guest.mode_13h();
        guest.sequencer(MEMORY_MODE, EXTENDED_MEMORY | ODD_EVEN_OFF);
        guest.crtc_mode(79, 479, 40, 0x41, 0xe3);
        for plane in 0..4 {
            guest.sequencer(MAP_MASK, 1 << plane);
            let bytes: Vec<u8> = (0..80 * 240)
                .map(|at| (at / 80 + 60 * plane) as u8)
                .collect();
            guest.window_write(0, &bytes);
        }
    });
}

#[test]
fn rows_are_shown_once() {
    expect_picture("doubled-once", |guest| doubled(guest, 128, 32));
}

#[test]
fn rows_are_repeated() {
    expect_picture("doubled-repeated", |guest| {
        doubled(guest, 128, 32);
        guest.crtc(MAXIMUM_SCAN_LINE, 0xc1);
    });
}

#[test]
fn a_width_of_8_dots_shows_4_pixels() {
    expect_picture("doubled-8-dots", |guest| {
        doubled(guest, 16, 16);
        guest.crtc(HORIZONTAL_DISPLAY_END, 0);
    });
}

#[test]
fn the_start_address_counts_four_pixels() {
    expect_picture("doubled-start-address", |guest| {
        doubled(guest, 128, 16);
        guest.start_address(0x1237);
    });
}

#[test]
fn panning_by_2_moves_by_four_pixels() {
    expect_picture("doubled-panned-2", |guest| {
        doubled(guest, 128, 16);
        pan(guest, 2);
    });
}

#[test]
fn rows_across_256_kib_are_panned_by_single_pixels() {
    expect_picture("doubled-wrap-panned", |guest| {
        doubled(guest, 128, 16);
        guest.start_address(0xff88);
        pan(guest, 6);
    });
}

#[test]
fn so_is_a_row_that_ends_at_256_kib() {
    expect_picture("doubled-end-panned", |guest| {
        doubled(guest, 128, 16);
        guest.start_address(0xff80);
        pan(guest, 2);
    });
}

#[test]
fn rows_wrap_at_256_kib() {
    expect_picture("doubled-wrap", |guest| {
        doubled(guest, 128, 16);
        guest.start_address(0xff83);
    });
}

#[test]
fn the_lower_part_of_a_split_screen_starts_at_0() {
    expect_picture("doubled-split", |guest| {
        doubled(guest, 128, 32);
        guest.start_address(0x800);
        guest.split(11);
        pan_upper_part(guest, 4);
    });
}

#[test]
fn mode_control_bit_0_puts_odd_rows_into_another_bank() {
    expect_picture("doubled-odd-rows", |guest| {
        doubled(guest, 128, 16);
        guest.crtc(MODE_CONTROL, 0xa2);
    });
}

#[test]
fn clocking_mode_bit_3_doesnt_double_again() {
    expect_picture("doubled-clocking-mode", |guest| {
        doubled(guest, 128, 16);
        guest.sequencer(CLOCKING_MODE, EIGHT_DOTS | DOT_CLOCK_HALF);
    });
}

#[test]
fn shift_mode_3_is_shift_mode_2() {
    expect_picture("doubled-shift-mode-3", |guest| {
        doubled(guest, 128, 16);
        guest.graphics(GRAPHICS_MODE, SHIFT_256 | SHIFT_CGA);
    });
}

#[test]
fn an_8_bit_dac_shows_whole_bytes() {
    expect_picture("doubled-8-bit-dac", |guest| {
        doubled(guest, 128, 16);
        guest.dispi(ENABLE, DAC_8BIT);
    });
}
