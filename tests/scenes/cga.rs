// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! CGA's 4 colours: two bits a pixel, in pairs of planes.

use stdvga_testing::driver::*;

use crate::expect_picture;
use crate::planar::{draw_planes, pan};

/// Sets a 4-colour mode in the given size, with its rows one after the other.
fn cga(guest: &mut Guest, width: u16, height: u16) {
    guest.planar_mode(width, height);
    draw_planes(guest);
    guest.graphics(GRAPHICS_MODE, SHIFT_CGA);
}

#[test]
fn pixels_take_two_bits_of_two_planes() {
    expect_picture("cga", |guest| cga(guest, 64, 32));
}

#[test]
fn two_planes_make_four_colors() {
    expect_picture("cga-plane-enable", |guest| {
        cga(guest, 64, 32);
        guest.attribute(COLOR_PLANE_ENABLE, 0x03);
        guest.unblank();
    });
}

#[test]
fn mode_04h_has_odd_rows_in_another_bank_and_doubles_pixels() {
    expect_picture("cga-mode-04h", |guest| {
        cga(guest, 64, 32);
        guest.sequencer(CLOCKING_MODE, EIGHT_DOTS | DOT_CLOCK_HALF);
        guest.attribute(COLOR_PLANE_ENABLE, 0x03);
        guest.unblank();
        guest.crtc(MAXIMUM_SCAN_LINE, 0xc1);
        guest.crtc(MODE_CONTROL, 0xa2);
    });
}

#[test]
fn pixels_are_panned() {
    expect_picture("cga-panned", |guest| {
        cga(guest, 64, 16);
        pan(guest, 3);
    });
}

#[test]
fn doubled_pixels_are_panned_as_wholes() {
    expect_picture("cga-doubled-panned", |guest| {
        cga(guest, 64, 16);
        guest.sequencer(CLOCKING_MODE, EIGHT_DOTS | DOT_CLOCK_HALF);
        pan(guest, 6);
    });
}

#[test]
fn rows_wrap_at_256_kib() {
    expect_picture("cga-wrap", |guest| {
        cga(guest, 64, 16);
        guest.start_address(0xffc5);
    });
}

#[test]
fn banks_go_on_in_the_lower_part_of_a_split_screen() {
    expect_picture("cga-split", |guest| {
        cga(guest, 64, 32);
        guest.crtc(MODE_CONTROL, 0xa2);
        guest.start_address(0x400);
        guest.split(14);
    });
}
