// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What shows while the palette is switched off, and after a reset.

use stdvga::Variant;
use stdvga_testing::driver::*;

use crate::{expect_picture_on, pattern};

/// A picture to blank: 64 x 16 pixels of 32 bits.
fn direct_color(guest: &mut Guest) {
    guest.vbe_mode(64, 16, 32);
    guest.vram_write(0, &pattern(256, 16));
}

#[test]
fn a_blank_screen_is_black_and_keeps_its_size() {
    expect_picture_on((Variant::Vga, 16), "blank", &[direct_color, Guest::blank]);
}

#[test]
fn a_mode_set_on_a_blank_screen_shows_when_it_is_unblanked() {
    expect_picture_on(
        (Variant::Vga, 16),
        "blank-mode-set",
        &[direct_color, |guest| {
            guest.blank();
            guest.vbe_mode(32, 32, 8);
            guest.blank();
        }],
    );
}

#[test]
fn a_blank_screen_leaves_vram_alone() {
    expect_picture_on(
        (Variant::Vga, 16),
        "blank-and-back",
        &[direct_color, Guest::blank, Guest::unblank],
    );
}

#[test]
fn a_reset_leaves_the_picture_on_the_screen() {
    expect_picture_on(
        (Variant::Vga, 16),
        "blank-after-reset",
        &[direct_color, Guest::reset],
    );
}
