// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! DISPI modes.

use stdvga::Variant;
use stdvga_testing::driver::*;

use crate::{expect_picture, expect_picture_on, pattern};

/// Sets a mode of 64 x 16 pixels, and draws what shows each row's place.
fn small_mode(guest: &mut Guest, bpp: u16) {
    guest.vbe_mode(64, 16, bpp);
    let pitch = 64 * usize::from(bpp.next_multiple_of(4)) / 8;
    guest.vram_write(0, &pattern(pitch, 16));
}

/// Sets a mode of 64 x 16 pixels, with twice the width and four times the height in memory.
fn small_part(guest: &mut Guest, bpp: u16) {
    guest.vbe_mode(64, 16, bpp);
    guest.dispi(VIRT_WIDTH, 128);
    let pitch = 128 * usize::from(bpp) / 8;
    guest.vram_write(0, &pattern(pitch, 64));
}

fn offset(guest: &mut Guest, x: u16, y: u16) {
    guest.dispi(X_OFFSET, x);
    guest.dispi(Y_OFFSET, y);
}

fn big_endian(guest: &mut Guest) {
    guest.mmio_write(EXTENDED_BYTE_ORDER, &BIG_ENDIAN.to_le_bytes());
}

/// Grey steps and colours that differ in every component, in eight bits.
fn palette_256(guest: &mut Guest) {
    for index in 0..=255 {
        guest.dac(index, [index, !index, index ^ 0x3c]);
    }
}

#[test]
fn planes_of_4_bits() {
    expect_picture("vbe-4", |guest| {
        small_mode(guest, 4);
        guest.palette_16();
        guest.unblank();
    });
}

#[test]
fn pixels_of_8_bits_with_six_bits_a_component() {
    expect_picture("vbe-8", |guest| {
        small_mode(guest, 8);
        palette_256(guest);
    });
}

#[test]
fn pixels_of_8_bits_with_eight_bits_a_component() {
    expect_picture("vbe-8-dac-8", |guest| {
        small_mode(guest, 8);
        palette_256(guest);
        guest.dispi(ENABLE, ENABLED | DAC_8BIT);
    });
}

#[test]
fn planes_of_4_bits_have_six_bits_a_component() {
    expect_picture("vbe-4-dac-8", |guest| {
        small_mode(guest, 4);
        guest.palette_16();
        for index in 0..16 {
            guest.dac(index, [16 * index, !index, 0x40 + index]);
        }
        guest.dispi(ENABLE, ENABLED | DAC_8BIT);
        guest.unblank();
    });
}

#[test]
fn pixels_of_15_bits() {
    expect_picture("vbe-15", |guest| small_mode(guest, 15));
}

#[test]
fn pixels_of_16_bits() {
    expect_picture("vbe-16", |guest| small_mode(guest, 16));
}

#[test]
fn pixels_of_24_bits() {
    expect_picture("vbe-24", |guest| small_mode(guest, 24));
}

#[test]
fn pixels_of_32_bits() {
    expect_picture("vbe-32", |guest| small_mode(guest, 32));
}

#[test]
fn big_endian_pixels_of_15_bits() {
    expect_picture("vbe-15-big-endian", |guest| {
        small_mode(guest, 15);
        big_endian(guest);
    });
}

#[test]
fn big_endian_pixels_of_16_bits() {
    expect_picture("vbe-16-big-endian", |guest| {
        small_mode(guest, 16);
        big_endian(guest);
    });
}

#[test]
fn big_endian_pixels_of_24_bits() {
    expect_picture("vbe-24-big-endian", |guest| {
        small_mode(guest, 24);
        big_endian(guest);
    });
}

#[test]
fn big_endian_pixels_of_32_bits() {
    expect_picture("vbe-32-big-endian", |guest| {
        small_mode(guest, 32);
        big_endian(guest);
    });
}

#[test]
fn byte_order_doesnt_change_pixels_of_8_bits() {
    expect_picture("vbe-8-big-endian", |guest| {
        small_mode(guest, 8);
        palette_256(guest);
        big_endian(guest);
    });
}

#[test]
fn a_depth_of_12_means_8() {
    expect_picture("vbe-12", |guest| {
        guest.vbe_mode(64, 16, 12);
        guest.vram_write(0, &pattern(64, 16));
        palette_256(guest);
    });
}

#[test]
fn offsets_move_planes_by_groups_of_8_pixels() {
    expect_picture("vbe-4-offset", |guest| {
        small_part(guest, 4);
        offset(guest, 29, 7);
        guest.palette_16();
        guest.unblank();
    });
}

#[test]
fn offsets_move_pixels_of_8_bits_by_4() {
    expect_picture("vbe-8-offset", |guest| {
        small_part(guest, 8);
        palette_256(guest);
        offset(guest, 23, 9);
    });
}

#[test]
fn offsets_move_pixels_of_16_bits_by_2() {
    expect_picture("vbe-16-offset", |guest| {
        small_part(guest, 16);
        offset(guest, 23, 9);
    });
}

#[test]
fn offsets_move_bytes_of_24_bit_pixels_to_other_components() {
    expect_picture("vbe-24-offset", |guest| {
        small_part(guest, 24);
        offset(guest, 23, 9);
    });
}

#[test]
fn offsets_move_pixels_of_32_bits_by_1() {
    expect_picture("vbe-32-offset", |guest| {
        small_part(guest, 32);
        offset(guest, 23, 9);
    });
}

#[test]
fn the_virtual_width_is_the_pitch() {
    expect_picture("vbe-16-virtual-width", |guest| {
        small_mode(guest, 16);
        guest.dispi(VIRT_WIDTH, 101);
    });
}

#[test]
fn the_last_rows_of_vram_can_be_shown() {
    expect_picture_on(
        (Variant::Vga, 1),
        "vbe-32-end-of-vram",
        &[|guest| {
            guest.vbe_mode(64, 16, 32);
            guest.vram_write(0xf_e000, &pattern(256, 32));
            offset(guest, 0, 4080);
        }],
    );
}

#[test]
fn an_offset_beyond_vram_is_dropped() {
    expect_picture_on(
        (Variant::Vga, 1),
        "vbe-32-offset-beyond-vram",
        &[|guest| {
            small_mode(guest, 32);
            offset(guest, 8, 4081);
        }],
    );
}

#[test]
fn a_height_beyond_vram_is_cut() {
    expect_picture_on(
        (Variant::Vga, 1),
        "vbe-32-cut",
        &[|guest| {
            guest.vbe_mode(1024, 768, 32);
            guest.vram_write(0xf_f000, &pattern(4096, 1));
        }],
    );
}

#[test]
fn planes_of_4_bits_wrap_at_256_kib() {
    expect_picture("vbe-4-wrap", |guest| {
        guest.vbe_mode(1024, 768, 4);
        guest.palette_16();
        guest.unblank();
        guest.vram_write(0, &pattern(512, 4));
        // Behind the wrap: not shown.
        guest.vram_write(0x4_0000, &[0xff; 2048]);
    });
}

#[test]
fn a_width_is_cut_to_groups_of_8_pixels() {
    expect_picture("vbe-8-width", |guest| {
        guest.vbe_mode(95, 5, 8);
        palette_256(guest);
        guest.vram_write(0, &pattern(88, 5));
    });
}

#[test]
fn the_smallest_mode_has_8_pixels() {
    expect_picture("vbe-32-smallest", |guest| {
        guest.vbe_mode(0, 0, 32);
        guest.vram_write(0, &pattern(32, 1));
    });
}

#[test]
fn a_row_of_16000_pixels() {
    expect_picture("vbe-16-widest", |guest| {
        guest.vbe_mode(16000, 2, 16);
        guest.vram_write(0x7000, &pattern(4096, 1));
    });
}

#[test]
fn a_column_of_12000_lines() {
    expect_picture("vbe-24-highest", |guest| {
        guest.vbe_mode(8, 12000, 24);
        guest.vram_write(0x4_6000, &pattern(24, 32));
    });
}

#[test]
fn a_mode_of_640_by_480() {
    expect_picture("vbe-32-640x480", |guest| {
        guest.vbe_mode(640, 480, 32);
        for y in 0..480 {
            guest.vram_write(2564 * y, &[0x10, 0x80, y as u8, 0xff]);
        }
    });
}

#[test]
fn a_mode_of_1920_by_1080() {
    expect_picture("vbe-16-1920x1080", |guest| {
        guest.vbe_mode(1920, 1080, 16);
        guest.vram_write(0, &pattern(64, 1));
        guest.vram_write(3840 * 1080 - 64, &pattern(64, 1));
    });
}

#[test]
fn enabling_clears_what_the_mode_shows_unless_told_not_to() {
    expect_picture("vbe-32-not-cleared", |guest| {
        small_mode(guest, 32);
        guest.dispi(ENABLE, 0);
        guest.dispi(YRES, 12);
        guest.dispi(ENABLE, ENABLED | NO_CLEAR);
        guest.dispi(ENABLE, 0);
        guest.dispi(YRES, 8);
        guest.dispi(ENABLE, ENABLED);
        guest.dispi(YRES, 16);
    });
}

#[test]
fn the_banked_window_draws() {
    expect_picture("vbe-8-banked", |guest| {
        guest.vbe_mode(1024, 80, 8);
        palette_256(guest);
        guest.dispi(BANK, 1);
        guest.graphics(MISCELLANEOUS, MAP_A0000_64K);
        for y in 0..16 {
            guest.window_write(1040 * y, &pattern(16, 1));
        }
    });
}

#[test]
fn vga_registers_dont_bend_a_dispi_mode() {
    expect_picture("vbe-8-vga-registers", |guest| {
        small_mode(guest, 8);
        palette_256(guest);
        guest.sequencer(CLOCKING_MODE, EIGHT_DOTS | DOT_CLOCK_HALF);
        guest.graphics(GRAPHICS_MODE, 0x00);
        guest.graphics(MISCELLANEOUS, 0x00);
        for (index, value) in [
            (HORIZONTAL_DISPLAY_END, 3),
            (VERTICAL_DISPLAY_END, 3),
            (MAXIMUM_SCAN_LINE, 0x81),
            (START_ADDRESS_LOW, 5),
            (OFFSET, 1),
            (MODE_CONTROL, 0x00),
            (LINE_COMPARE, 4),
        ] {
            guest.crtc(index, value);
        }
        guest.attribute(PIXEL_PANNING, 0x03);
        guest.unblank();
    });
}

#[test]
fn a_dispi_mode_ends_as_a_vga_mode() {
    expect_picture("vbe-and-back", |guest| {
        small_mode(guest, 32);
        guest.dispi(ENABLE, 0);
        guest.planar_mode(64, 16);
    });
}

#[test]
fn secondary_vga_is_driven_through_bar2() {
    expect_picture_on(
        (Variant::SecondaryVga, 16),
        "vbe-secondary",
        &[|guest| {
            guest.mmio_dispi(XRES, 64);
            guest.mmio_dispi(YRES, 16);
            guest.mmio_dispi(BPP, 32);
            guest.mmio_dispi(ENABLE, ENABLED);
            guest.mmio_outb(ATTRIBUTE, PALETTE_ADDRESS_SOURCE);
            guest.vram_write(0, &pattern(256, 16));
        }],
    );
}

#[test]
fn isa_vga_has_its_framebuffer_at_a_fixed_address() {
    expect_picture_on(
        (Variant::IsaVga, 8),
        "vbe-isa",
        &[|guest| small_mode(guest, 24)],
    );
}
