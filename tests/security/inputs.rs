// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Inputs at edges that no one vulnerability was about.

use stdvga::Dirty;
use stdvga_testing::driver::*;

use crate::{expect_one_color, guest};

#[test]
fn a_hundred_rows_from_the_last_address_on() {
    let (canary, mut guest) = guest();
    guest.mode_03h();
    guest.crtc(VERTICAL_TOTAL, 100);
    guest.start_address(0xffff);
    let mut monitor = Monitor::default();
    monitor.refresh_where(&mut guest, Dirty::All, 0);
    assert_eq!(monitor.dimensions(), (720, 1600));
    canary.expect_zeros(&guest);
    canary.expect_untouched();
}

#[test]
fn lines_are_compared_at_either_edge() {
    for line in [0, 199, 200, 255] {
        let (canary, mut guest) = guest();
        guest.planar_mode(320, 200);
        guest.split(line);
        guest.start_address(0xffff);
        expect_one_color(&mut guest);
        canary.expect_untouched();
    }
}

#[test]
fn address_lines_are_folded_near_the_end() {
    for mode_control in [0x00, 0x01, 0x02, 0x43] {
        let (canary, mut guest) = guest();
        guest.planar_mode(320, 400);
        guest.crtc(MODE_CONTROL, mode_control);
        guest.start_address(0xfff0);
        expect_one_color(&mut guest);
        canary.expect_untouched();
    }
}

#[test]
fn a_reset_comes_between_two_components_of_a_color() {
    let (_canary, mut guest) = guest();
    guest.outb(DAC_WRITE_INDEX, 0x10);
    guest.outb(DAC_DATA, 0x3f);
    guest.reset();
    guest.dac(0x20, [1, 2, 3]);
    guest.expect_dac(0x20, [1, 2, 3]);
}

#[test]
fn memory_appears_and_disappears_between_refreshes() {
    let (canary, mut guest) = guest();
    guest.mode_13h();
    let mut monitor = Monitor::default();
    for round in 0..64 {
        guest.sequencer(MAP_MASK, if round & 1 == 0 { ALL_PLANES } else { 0x07 });
        guest.dispi(BANK, round);
        guest.window_write(u64::from(round) << 10, &[0; 8]);
        monitor.refresh(&mut guest, 0);
    }
    canary.expect_zeros(&guest);
    canary.expect_untouched();
}
