// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! 16 colours in four planes.

use stdvga_testing::driver::*;

use crate::expect_picture;

/// Sets a planar mode in the given size, and draws over all 256 KiB: each plane in steps of its own, so
/// that every group of pixels differs from its neighbours.
fn planar(guest: &mut Guest, width: u16, height: u16) {
    guest.planar_mode(width, height);
    draw_planes(guest);
}

/// Fills each plane as drivers do, through the window with one plane enabled.
pub fn draw_planes(guest: &mut Guest) {
    for plane in 0..4 {
        let bytes: Vec<u8> = (0..0x1_0000_u32)
            .map(|at| (at * (2 * plane + 1) + (at >> 5) * (plane + 3) + (at >> 11) * 5) as u8)
            .collect();
        guest.sequencer(MAP_MASK, 1 << plane);
        guest.window_write(0, &bytes);
    }
    guest.sequencer(MAP_MASK, ALL_PLANES);
}

/// Pans by pixels, in both parts of a split screen.
pub fn pan(guest: &mut Guest, pixels: u8) {
    guest.attribute(PIXEL_PANNING, pixels);
    guest.unblank();
}

/// Pans by pixels, in the upper part of a split screen only.
pub fn pan_upper_part(guest: &mut Guest, pixels: u8) {
    guest.attribute(ATTRIBUTE_MODE_CONTROL, PANNING_RESET);
    pan(guest, pixels);
}

#[test]
fn a_pixel_takes_a_bit_of_each_plane() {
    expect_picture("planar", |guest| planar(guest, 64, 32));
}

#[test]
fn color_plane_enable_leaves_planes_out() {
    expect_picture("planar-plane-enable", |guest| {
        planar(guest, 64, 32);
        guest.attribute(COLOR_PLANE_ENABLE, 0x0a);
        guest.unblank();
    });
}

#[test]
fn clocking_mode_bit_3_doubles_pixels() {
    expect_picture("planar-doubled", |guest| {
        planar(guest, 64, 32);
        guest.sequencer(CLOCKING_MODE, EIGHT_DOTS | DOT_CLOCK_HALF);
    });
}

#[test]
fn double_scan_shows_each_row_twice() {
    expect_picture("planar-double-scan", |guest| {
        planar(guest, 64, 32);
        guest.crtc(MAXIMUM_SCAN_LINE, 0xc0);
    });
}

#[test]
fn maximum_scan_line_repeats_rows() {
    expect_picture("planar-repeated", |guest| {
        planar(guest, 64, 32);
        guest.crtc(MAXIMUM_SCAN_LINE, 0x42);
    });
}

#[test]
fn double_scan_and_maximum_scan_line_multiply() {
    expect_picture("planar-repeated-twice", |guest| {
        planar(guest, 64, 32);
        guest.crtc(MAXIMUM_SCAN_LINE, 0xc2);
    });
}

#[test]
fn the_start_address_counts_groups_of_pixels() {
    expect_picture("planar-start-address", |guest| {
        planar(guest, 64, 32);
        guest.start_address(0x1235);
    });
}

#[test]
fn rows_have_a_pitch_of_their_own() {
    expect_picture("planar-pitch", |guest| {
        planar(guest, 64, 32);
        guest.crtc(OFFSET, 37);
    });
}

#[test]
fn pixels_are_panned_by_1() {
    expect_picture("planar-panned-1", |guest| {
        planar(guest, 64, 16);
        pan(guest, 1);
    });
}

#[test]
fn pixels_are_panned_by_7() {
    expect_picture("planar-panned-7", |guest| {
        planar(guest, 64, 16);
        pan(guest, 7);
    });
}

#[test]
fn panning_by_8_or_more_ignores_bit_3() {
    expect_picture("planar-panned-13", |guest| {
        planar(guest, 64, 16);
        pan(guest, 13);
    });
}

#[test]
fn doubled_pixels_are_panned_as_wholes() {
    expect_picture("planar-doubled-panned", |guest| {
        planar(guest, 64, 16);
        guest.sequencer(CLOCKING_MODE, EIGHT_DOTS | DOT_CLOCK_HALF);
        pan(guest, 3);
    });
}

#[test]
fn the_lower_part_of_a_split_screen_starts_at_0() {
    expect_picture("planar-split", |guest| {
        planar(guest, 64, 32);
        guest.start_address(0x400);
        guest.split(19);
    });
}

#[test]
fn the_lower_part_is_panned_with_the_upper() {
    expect_picture("planar-split-panned", |guest| {
        planar(guest, 64, 32);
        guest.start_address(0x400);
        guest.split(19);
        pan(guest, 5);
    });
}

#[test]
fn the_lower_part_isnt_panned_where_mode_control_bit_5_is_set() {
    expect_picture("planar-split-pan-reset", |guest| {
        planar(guest, 64, 32);
        guest.start_address(0x400);
        guest.split(19);
        pan_upper_part(guest, 5);
    });
}

#[test]
fn a_split_between_repeated_rows_counts_on() {
    expect_picture("planar-split-repeated", |guest| {
        planar(guest, 64, 32);
        guest.crtc(MAXIMUM_SCAN_LINE, 0x02);
        guest.start_address(0x400);
        guest.split(10);
    });
}

#[test]
fn a_split_behind_line_0_shows_one_line_of_the_upper_part() {
    expect_picture("planar-split-at-0", |guest| {
        planar(guest, 64, 16);
        guest.start_address(0x400);
        guest.split(0);
    });
}

#[test]
fn rows_wrap_at_256_kib() {
    expect_picture("planar-wrap", |guest| {
        planar(guest, 64, 32);
        guest.start_address(0xffa3);
    });
}

#[test]
fn panned_rows_wrap_at_256_kib() {
    expect_picture("planar-wrap-panned", |guest| {
        planar(guest, 64, 16);
        guest.start_address(0xfff8);
        pan(guest, 6);
    });
}

#[test]
fn mode_control_bit_0_puts_odd_rows_into_another_bank() {
    expect_picture("planar-odd-rows", |guest| {
        planar(guest, 64, 32);
        guest.crtc(MODE_CONTROL, 0xa2);
    });
}

#[test]
fn mode_control_bit_6_moves_that_bank() {
    expect_picture("planar-odd-rows-byte-mode", |guest| {
        planar(guest, 64, 32);
        guest.crtc(MODE_CONTROL, 0xe2);
    });
}

#[test]
fn mode_control_bit_1_spreads_rows_over_two_banks() {
    expect_picture("planar-second-row-bit", |guest| {
        planar(guest, 64, 32);
        guest.crtc(MODE_CONTROL, 0xe1);
    });
}

#[test]
fn mode_control_bits_0_and_1_spread_rows_over_four_banks() {
    expect_picture("planar-four-banks", |guest| {
        planar(guest, 64, 32);
        guest.crtc(MODE_CONTROL, 0xe0);
        guest.crtc(MAXIMUM_SCAN_LINE, 0xc0);
    });
}

#[test]
fn the_palette_reaches_all_64_colors() {
    expect_picture("planar-64-colors", |guest| {
        planar(guest, 64, 16);
        for index in 0..64 {
            guest.dac(index, [63 - index, index, index ^ 0x15]);
        }
        for index in 0..16 {
            guest.attribute(index, 0x3f - 3 * index);
        }
        guest.unblank();
    });
}

#[test]
fn color_select_gives_the_upper_two_bits() {
    expect_picture("planar-color-select", |guest| {
        planar(guest, 64, 16);
        for index in 0..16 {
            guest.dac(0xc0 + index, [4 * index, index, 63 - index]);
        }
        guest.attribute(COLOR_SELECT, 0x0f);
        guest.unblank();
    });
}

#[test]
fn latches_copy_all_planes() {
    expect_picture("planar-latches", |guest| {
        planar(guest, 64, 16);
        guest.graphics(GRAPHICS_MODE, 0x01);
        for group in 0..32 {
            guest.window_read::<1>(group);
            guest.window_write(127 - group, &[0x00]);
        }
    });
}

#[test]
fn set_reset_draws_through_the_bit_mask() {
    expect_picture("planar-set-reset", |guest| {
        guest.planar_mode(64, 16);
        guest.graphics(ENABLE_SET_RESET, ALL_PLANES);
        for y in 0..16 {
            guest.graphics(SET_RESET, y as u8);
            guest.graphics(BIT_MASK, 0xff >> (y / 2));
            guest.window_read::<1>(9 * y);
            guest.window_write(9 * y, &[0xff]);
        }
    });
}

#[test]
fn two_colors_come_from_one_plane_in_cgas_banks() {
    expect_picture("planar-two-colors", |guest| {
        planar(guest, 64, 32);
        guest.attribute(COLOR_PLANE_ENABLE, 0x01);
        guest.unblank();
        guest.crtc(MODE_CONTROL, 0xc2);
        guest.crtc(MAXIMUM_SCAN_LINE, 0xc0);
    });
}
