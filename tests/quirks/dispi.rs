// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! DISPI: what its registers keep, how modes are corrected, and what they do to the VGA registers.

use stdvga::{Effects, Variant};
use stdvga_testing::driver::*;

/// Enables a mode with registers as they are, and no VRAM cleared.
fn enable(guest: &mut Guest) {
    guest.dispi(ENABLE, ENABLED | NO_CLEAR);
}

fn set(guest: &mut Guest, registers: &[(u16, u16)]) {
    for (register, value) in registers {
        guest.dispi(*register, *value);
    }
}

#[track_caller]
fn expect_all(guest: &mut Guest, registers: &[(u16, u16)]) {
    for (register, value) in registers {
        guest.expect_dispi(*register, *value);
    }
}

#[test]
fn the_id_is_one_of_six() {
    let mut guest = Guest::new(Variant::Vga);
    guest.expect_dispi(ID, 0xb0c5);
    for id in 0xb0c0..=0xb0c5 {
        guest.dispi(ID, id);
        guest.expect_dispi(ID, id);
    }
    for kept in [0xb0c5, 0xb0c4] {
        guest.dispi(ID, kept);
        for id in [0xb0bf, 0xb0c6, 0x0000] {
            guest.dispi(ID, id);
            guest.expect_dispi(ID, kept);
        }
    }
}

#[test]
fn the_index_keeps_16_bits() {
    let mut guest = Guest::new(Variant::Vga);
    for index in [0xffff, 0x0101] {
        guest.outw(DISPI_INDEX, index);
        guest.expect_inw(DISPI_INDEX, index);
        guest.expect_inw(DISPI_DATA, 0x0000);
    }
}

#[test]
fn the_size_of_vram_is_told_in_64_kib() {
    for (mib, answer) in [(1, 0x10), (16, 0x100), (512, 0x2000)] {
        let mut guest = Guest::with_vram(mib);
        guest.dispi(VIDEO_MEMORY_64K, 0x55);
        guest.expect_dispi(VIDEO_MEMORY_64K, answer);
    }
}

#[test]
fn registers_that_are_not_there_read_zero() {
    let mut guest = Guest::new(Variant::Vga);
    for register in [0xb, 0xc, 0x100, 0xffff] {
        guest.dispi(register, 0x55);
        guest.expect_dispi(register, 0);
    }
}

#[test]
fn capabilities_replace_what_three_registers_read() {
    let mut guest = Guest::new(Variant::Vga);
    guest.dispi(ENABLE, GETCAPS);
    set(&mut guest, &[(XRES, 640), (YRES, 480), (BPP, 8)]);
    expect_all(&mut guest, &[(XRES, 16000), (YRES, 12000), (BPP, 32)]);
    guest.expect_dispi(VIRT_WIDTH, 0);
    guest.dispi(ENABLE, 0);
    expect_all(&mut guest, &[(XRES, 640), (YRES, 480), (BPP, 8)]);
}

#[test]
fn values_are_kept_as_they_are_until_a_mode_is_enabled() {
    let mut guest = Guest::new(Variant::Vga);
    for register in [XRES, YRES, BPP, VIRT_WIDTH, X_OFFSET, Y_OFFSET] {
        guest.dispi(register, 0xfffd);
        guest.expect_dispi(register, 0xfffd);
    }
    guest.expect_effects(Effects::empty());
}

#[test]
fn enable_keeps_16_bits() {
    let mut guest = Guest::new(Variant::Vga);
    for value in [0xffff, 0x5aa4] {
        guest.dispi(ENABLE, value);
        guest.expect_dispi(ENABLE, value);
    }
}

#[test]
fn enabling_corrects_size_and_depth() {
    for (mib, written, corrected) in [
        (16, (0, 0, 0), (8, 1, 8)),
        (16, (5, 0, 7), (8, 1, 8)),
        (16, (801, 600, 15), (800, 600, 15)),
        (16, (640, 480, 7), (640, 480, 8)),
        (16, (640, 480, 33), (640, 480, 8)),
        (16, (0xffff, 1, 4), (16000, 1, 4)),
        (16, (640, 0xffff, 8), (640, 12000, 8)),
        (2, (16000, 12000, 32), (16000, 32, 32)),
    ] {
        let mut guest = Guest::with_vram(mib);
        let (width, height, bpp) = written;
        set(&mut guest, &[(XRES, width), (YRES, height), (BPP, bpp)]);
        enable(&mut guest);
        let (width, height, bpp) = corrected;
        expect_all(&mut guest, &[(XRES, width), (YRES, height), (BPP, bpp)]);
        guest.expect_dispi(VIRT_WIDTH, width);
    }
}

#[test]
fn a_mode_that_fills_vram_has_no_lines_below() {
    let mut guest = Guest::with_vram(2);
    guest.vbe_mode(16000, 12000, 32);
    expect_all(&mut guest, &[(YRES, 32), (VIRT_HEIGHT, 32)]);
    assert_eq!(guest.graphics_mode().layout.pitch, 64000);
}

#[test]
fn corrections_stay() {
    let mut guest = Guest::new(Variant::Vga);
    set(&mut guest, &[(XRES, 800), (YRES, 601), (BPP, 15)]);
    enable(&mut guest);
    guest.dispi(VIRT_WIDTH, 20000);
    // 524 lines of 32,000 bytes fit into 16 MiB.
    expect_all(&mut guest, &[(VIRT_WIDTH, 16000), (YRES, 524)]);
    guest.dispi(VIRT_WIDTH, 800);
    expect_all(&mut guest, &[(VIRT_WIDTH, 800), (YRES, 524)]);
}

#[test]
fn the_virtual_width_is_at_least_the_width() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(640, 480, 8);
    for (written, corrected) in [(0, 640), (639, 640), (1029, 1024), (0xffff, 16000)] {
        guest.dispi(VIRT_WIDTH, written);
        guest.expect_dispi(VIRT_WIDTH, corrected);
    }
    set(&mut guest, &[(VIRT_WIDTH, 640), (XRES, 800)]);
    guest.expect_dispi(VIRT_WIDTH, 800);
}

#[test]
fn the_virtual_height_is_what_fits_into_vram_in_16_bits() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(1024, 768, 32);
    guest.dispi(VIRT_HEIGHT, 768);
    guest.expect_dispi(VIRT_HEIGHT, 4096);
    // 2,097,152 lines.
    guest.vbe_mode(8, 8, 8);
    guest.expect_dispi(VIRT_HEIGHT, 0);
}

#[test]
fn offsets_that_lead_out_of_vram_are_dropped() {
    let mut guest = Guest::with_vram(1);
    guest.vbe_mode(640, 480, 16);
    for (y_offset, kept) in [(300, 300), (0xffff, 0)] {
        guest.dispi(Y_OFFSET, y_offset);
        guest.expect_dispi(Y_OFFSET, kept);
        let start = guest.graphics_mode().layout.start;
        assert_eq!(start, u32::from(kept) * 1280, "Y_OFFSET {y_offset}");
    }
    set(&mut guest, &[(X_OFFSET, 2), (Y_OFFSET, 339)]);
    expect_all(&mut guest, &[(X_OFFSET, 2), (Y_OFFSET, 339)]);
    guest.dispi(Y_OFFSET, 340);
    expect_all(&mut guest, &[(X_OFFSET, 2), (Y_OFFSET, 0)]);

    // A mode that fills VRAM leaves no room for either.
    guest.vbe_mode(1024, 512, 16);
    set(&mut guest, &[(Y_OFFSET, 1), (X_OFFSET, 2)]);
    expect_all(&mut guest, &[(X_OFFSET, 0), (Y_OFFSET, 0)]);
}

#[test]
fn offsets_have_maxima_of_their_own() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(8, 1, 8);
    set(&mut guest, &[(X_OFFSET, 0xffff), (Y_OFFSET, 0xffff)]);
    expect_all(&mut guest, &[(X_OFFSET, 16000), (Y_OFFSET, 12000)]);
}

#[test]
fn the_picture_starts_at_a_multiple_of_four_bytes() {
    for (bpp, x_offset, start) in [
        (4, 7, 0),
        (4, 8, 4),
        (8, 3, 0),
        (8, 4, 4),
        (15, 3, 4),
        (16, 3, 4),
        (24, 1, 0),
        (24, 3, 8),
        (32, 1, 4),
    ] {
        let mut guest = Guest::new(Variant::Vga);
        guest.vbe_mode(64, 64, bpp);
        guest.dispi(X_OFFSET, x_offset);
        let answer = guest.graphics_mode().layout.start;
        assert_eq!(answer, start, "{bpp} bpp, X_OFFSET {x_offset}");
    }
}

#[test]
fn enabling_forgets_the_virtual_size_and_the_offsets() {
    let mut guest = Guest::new(Variant::Vga);
    set(&mut guest, &[(XRES, 640), (YRES, 480), (BPP, 8)]);
    let panned = [(VIRT_WIDTH, 1024), (X_OFFSET, 8), (Y_OFFSET, 9)];
    set(&mut guest, &panned);
    enable(&mut guest);
    expect_all(
        &mut guest,
        &[(VIRT_WIDTH, 640), (X_OFFSET, 0), (Y_OFFSET, 0)],
    );
    set(&mut guest, &panned);
    // It's enabled already.
    enable(&mut guest);
    expect_all(&mut guest, &panned);
}

#[test]
fn enabling_clears_the_lines_of_the_picture_alone() {
    for (value, first, last) in [
        (ENABLED, 0, 0),
        (ENABLED & !LINEAR_FRAMEBUFFER, 0, 0),
        (ENABLED | NO_CLEAR, 0xaa, 0xaa),
    ] {
        let mut guest = Guest::new(Variant::Vga);
        guest.vram_write(0, &[0xaa; 4097]);
        set(&mut guest, &[(XRES, 64), (YRES, 16), (BPP, 32)]);
        guest.dispi(ENABLE, value);
        guest.expect_vram(0, [first]);
        guest.expect_vram(4095, [last, 0xaa]);
        // It's enabled already.
        guest.vram_write(0, &[0xbb]);
        guest.dispi(ENABLE, value);
        guest.expect_vram(0, [0xbb]);
    }
}

#[test]
fn rewriting_enable_moves_the_window_to_bank_0_behind_the_registers_back() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(640, 480, 8);
    guest.dispi(BANK, 2);
    guest.forget_effects();
    guest.dispi(ENABLE, ENABLED);
    guest.expect_effects(Effects::MAPPINGS);
    guest.expect_dispi(BANK, 2);
    guest.window_write(0, &[0x42]);
    guest.expect_vram(0, [0x42]);
}

#[test]
fn enabling_keeps_the_bank() {
    let mut guest = Guest::new(Variant::Vga);
    set(&mut guest, &[(XRES, 640), (YRES, 480), (BPP, 8), (BANK, 2)]);
    enable(&mut guest);
    guest.window_write(0, &[0x42]);
    guest.expect_vram(0x2_0000, [0x42]);
}

#[test]
fn banks_wrap_at_the_end_of_vram() {
    let mut guest = Guest::with_vram(1);
    for (written, kept) in [(15, 15), (16, 0), (0x1f, 15), (0xffff, 15)] {
        guest.dispi(BANK, written);
        guest.expect_dispi(BANK, kept);
    }
}

#[test]
fn the_width_of_the_dac_counts_for_256_colours_with_or_without_vbe() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_13h();
    guest.dac(9, [0xc1, 0x80, 0x3f]);
    guest.dac(10, [1, 62, 63]);
    // The lowest of six bits is repeated in the two below.
    let [six_bits, eight_bits] = [[0x07_00_ff, 0x07_f8_ff], [0xc1_80_3f, 0x01_3e_3f]];
    for (value, colors) in [(0, six_bits), (DAC_8BIT, eight_bits), (0, six_bits)] {
        guest.dispi(ENABLE, value);
        let palette = *guest.vga.scanout().palette();
        let shown = [palette[9], palette[10]];
        assert!(
            shown == colors,
            "ENABLE {value:#x}: got {shown:06x?}, expected {colors:06x?}"
        );
    }
    // 16 colours have six bits a component in either width.
    guest.graphics(GRAPHICS_MODE, 0x00);
    guest.dispi(ENABLE, DAC_8BIT);
    assert_eq!(guest.vga.scanout().palette()[9], 0x07_00_ff, "16 colours");
}

/// What VBE forces for 800x600 with 32 bpp: register, the bits forced, and what to. The other bits keep
/// what was written.
const FORCED_CRTC: [(u8, u8, u8); 7] = [
    (HORIZONTAL_DISPLAY_END, 0xff, 0x63),
    (OVERFLOW, 0x52, 0x50),
    (MAXIMUM_SCAN_LINE, 0xdf, 0x40),
    (VERTICAL_DISPLAY_END, 0xff, 0x57),
    (OFFSET, 0xff, 0x90),
    (MODE_CONTROL, 0x03, 0x03),
    (LINE_COMPARE, 0xff, 0xff),
];
const FORCED_GRAPHICS: [(u8, u8, u8); 2] =
    [(GRAPHICS_MODE, 0x60, 0x40), (MISCELLANEOUS, 0x0d, 0x05)];

/// Writes `value` to all registers that shape a picture. The write protection stays off.
fn fill_registers(guest: &mut Guest, value: u8) {
    guest.misc_output(COLOR_ADDRESSES);
    for index in HORIZONTAL_TOTAL..=LINE_COMPARE {
        guest.crtc(
            index,
            if index == VERTICAL_RETRACE_END {
                0
            } else {
                value
            },
        );
    }
    for index in CLOCKING_MODE..=MEMORY_MODE {
        guest.sequencer(index, value);
    }
    for index in [GRAPHICS_MODE, MISCELLANEOUS] {
        guest.graphics(index, value);
    }
}

/// Fails unless the registers are as [`fill_registers`] left them, but for what VBE forces.
#[track_caller]
fn expect_forced(guest: &mut Guest, written: u8) {
    for (index, forced, value) in FORCED_CRTC {
        guest.expect_crtc(index, (written & !forced) | value);
    }
    for index in HORIZONTAL_TOTAL..=LINE_COMPARE {
        let is_forced = FORCED_CRTC.iter().any(|(forced, ..)| *forced == index);
        if !is_forced && index != VERTICAL_RETRACE_END {
            guest.expect_crtc(index, written);
        }
    }
    for ((index, forced, value), kept) in FORCED_GRAPHICS.into_iter().zip([0x7b, 0x0f]) {
        guest.expect_graphics(index, (written & kept & !forced) | value);
    }
}

#[test]
fn enabling_forces_the_vga_registers_that_shape_the_picture() {
    for written in [0x00, 0xff] {
        let mut guest = Guest::new(Variant::Vga);
        fill_registers(&mut guest, written);
        guest.vbe_mode(800, 600, 32);
        expect_forced(&mut guest, written);
        guest.unblank();
        guest.expect_mode("graphics 800x600, 32 bpp");
    }
}

#[test]
fn registers_that_vbe_forces_cannot_be_reprogrammed() {
    for written in [0x00, 0xff] {
        let mut guest = Guest::with_vram(2);
        guest.vbe_mode(800, 600, 32);
        let before = guest.graphics_mode();
        fill_registers(&mut guest, written);
        expect_forced(&mut guest, written);
        assert_eq!(guest.graphics_mode().layout, before.layout);
        guest.expect_mode("graphics 800x600, 32 bpp");
        // The Sequencer's registers are stored, but not used.
        guest.expect_sequencer(CLOCKING_MODE, written & 0x3d);
    }
}

#[test]
fn write_protection_does_not_stop_vbe() {
    let mut guest = Guest::with_color_addresses();
    guest.crtc(VERTICAL_RETRACE_END, CRTC_PROTECT);
    guest.vbe_mode(800, 600, 32);
    guest.expect_crtc(HORIZONTAL_DISPLAY_END, 0x63);
    guest.crtc(OVERFLOW, 0x00);
    guest.expect_crtc(OVERFLOW, 0x50);
}

#[test]
fn vbe_with_4_bpp_is_planar_and_ignores_the_halved_dot_clock() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(800, 600, 4);
    guest.graphics(GRAPHICS_MODE, 0x7b);
    guest.expect_graphics(GRAPHICS_MODE, 0x1b);
    guest.sequencer(CLOCKING_MODE, 0x08);
    guest.expect_mode("graphics 800x600, 4 bpp");
    guest.dispi(ENABLE, 0);
    guest.expect_mode("graphics 1600x600, 4 bpp");
}

#[test]
fn disabling_restores_nothing() {
    let mut guest = Guest::new(Variant::Vga);
    fill_registers(&mut guest, 0x00);
    guest.vbe_mode(800, 600, 32);
    guest.dispi(ENABLE, 0);
    expect_forced(&mut guest, 0x00);
    // Nothing forces them any more.
    guest.crtc(HORIZONTAL_DISPLAY_END, 79);
    guest.expect_crtc(HORIZONTAL_DISPLAY_END, 79);
}
