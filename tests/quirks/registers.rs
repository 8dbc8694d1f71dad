// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the VGA registers keep, and what reading them does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stdvga::{Clock, Config, Effects, Retrace, Variant};
use stdvga_testing::driver::*;

#[test]
fn misc_output_keeps_seven_bits() {
    let mut guest = Guest::new(Variant::Vga);
    guest.misc_output(0xff);
    guest.expect_inb(MISC_OUTPUT_READ, 0xef);
}

#[test]
fn feature_control_keeps_one_bit() {
    let mut guest = Guest::with_color_addresses();
    guest.outb(INPUT_STATUS_1, 0xff);
    guest.expect_inb(FEATURE_CONTROL_READ, 0x10);
    guest.outb(FEATURE_CONTROL_READ, 0x00);
    guest.expect_inb(FEATURE_CONTROL_READ, 0x10);

    let mut monochrome = Guest::new(Variant::Vga);
    monochrome.outb(MONO_INPUT_STATUS_1, 0xff);
    monochrome.expect_inb(FEATURE_CONTROL_READ, 0x10);
}

#[test]
fn each_sequencer_register_keeps_its_own_bits() {
    let mut guest = Guest::new(Variant::Vga);
    for (index, kept) in (0..).zip([0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0x00, 0x00, 0xff]) {
        guest.sequencer(index, 0xff);
        guest.expect_sequencer(index, kept);
    }
    guest.outb(SEQUENCER, 0xfa);
    guest.expect_inb(SEQUENCER, 0x02);
}

#[test]
fn each_graphics_register_keeps_its_own_bits() {
    let mut guest = Guest::new(Variant::Vga);
    let kept = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff];
    for (index, kept) in (0..=0x0f).zip(kept.into_iter().chain([0; 7])) {
        guest.graphics(index, 0xff);
        guest.expect_graphics(index, kept);
    }
    guest.outb(GRAPHICS, 0xf8);
    guest.expect_inb(GRAPHICS, 0x08);
}

#[test]
fn each_attribute_register_keeps_its_own_bits() {
    let mut guest = Guest::with_color_addresses();
    let kept = [0x3f; 16].into_iter().chain([0xef, 0xff, 0x3f, 0x0f, 0x0f]);
    for (index, kept) in (0..=0x1f).zip(kept.chain([0; 11])) {
        guest.attribute(index, 0xff);
        guest.expect_attribute(index, kept);
    }
}

#[test]
fn the_attribute_port_takes_index_and_data_in_turn() {
    let mut guest = Guest::with_color_addresses();
    guest.inb(INPUT_STATUS_1);
    guest.outb(ATTRIBUTE, 0xd1);
    guest.expect_inb(ATTRIBUTE, 0x00);
    // Reading or writing the data port takes no turn.
    guest.outb(ATTRIBUTE_READ, 0x77);
    guest.expect_inb(ATTRIBUTE_READ, 0x00);
    guest.outb(ATTRIBUTE, 0x2a);
    guest.expect_inb(ATTRIBUTE_READ, 0x2a);
    // The index's turn again: it has six bits.
    guest.expect_inb(ATTRIBUTE, 0x11);
    guest.outb(ATTRIBUTE, 0xff);
    guest.inb(INPUT_STATUS_1);
    guest.expect_inb(ATTRIBUTE, 0x3f);
}

#[test]
fn a_missing_attribute_register_takes_its_turn() {
    let mut guest = Guest::with_color_addresses();
    for value in [0x1f, 0x55, 0x11, 0x2a] {
        guest.outb(ATTRIBUTE, value);
    }
    guest.expect_attribute(0x11, 0x2a);
}

#[test]
fn the_palette_can_be_written_while_it_feeds_the_display() {
    let mut guest = Guest::with_color_addresses();
    guest.attribute(PALETTE_ADDRESS_SOURCE | 0x03, 0x15);
    guest.expect_attribute(0x03, 0x15);
}

#[test]
fn color_select_gives_the_upper_two_or_four_bits_of_a_palette_index() {
    for (mode_control, color_select, entry) in [
        (0x00, 0x0b, 0xba),
        (0x00, 0x09, 0xba),
        (COLOR_SELECT_5_4, 0x0b, 0xba),
        (COLOR_SELECT_5_4, 0x09, 0x9a),
    ] {
        let mut guest = Guest::new(Variant::Vga);
        guest.planar_mode(640, 480);
        guest.dac(entry, [63, 0, 1]);
        guest.attribute(0x03, 0x3a);
        guest.attribute(ATTRIBUTE_MODE_CONTROL, mode_control);
        guest.attribute(COLOR_SELECT, color_select);
        guest.unblank();
        let color = guest.vga.scanout().palette()[3];
        assert_eq!(
            color, 0xff_00_07,
            "Mode Control {mode_control:#x}, Color Select {color_select:#x}: {color:06x}"
        );
    }
}

#[test]
fn a_value_that_is_kept_already_changes_nothing() {
    let mut guest = Guest::new(Variant::Vga);
    guest.unblank();
    guest.forget_effects();
    let shape = Effects::SCANOUT | Effects::MODE;
    for (port, index, value, again, effects) in [
        (GRAPHICS, MISCELLANEOUS, MAP_A0000_64K, 0xf5, shape),
        (SEQUENCER, CLOCKING_MODE, DOT_CLOCK_HALF, 0xc8, shape),
        (SEQUENCER, MEMORY_MODE, CHAIN_4, 0xf8, Effects::empty()),
        (SEQUENCER, MAP_MASK, ALL_PLANES, 0xff, Effects::MAPPINGS),
    ] {
        guest.outw(port, u16::from_le_bytes([index, value]));
        guest.expect_effects(effects);
        // The same value, also with bits that aren't kept.
        for value in [value, again] {
            guest.outw(port, u16::from_le_bytes([index, value]));
            guest.expect_effects(Effects::empty());
        }
    }
}

#[test]
fn the_crtc_has_256_registers() {
    let mut guest = Guest::with_color_addresses();
    for index in 0..=0xff {
        // Leaves the write protection off.
        guest.crtc(index, index.rotate_left(1));
    }
    for index in 0..=0xff {
        guest.expect_crtc(index, index.rotate_left(1));
    }
    guest.expect_inb(CRTC, 0xff);
}

#[test]
fn crtc_protection_lets_one_bit_through() {
    let mut guest = Guest::with_color_addresses();
    guest.crtc(OVERFLOW, 0x42);
    guest.crtc(VERTICAL_RETRACE_END, CRTC_PROTECT);
    guest.unblank();
    guest.forget_effects();
    for index in HORIZONTAL_TOTAL..OVERFLOW {
        guest.crtc(index, 0xff);
        guest.expect_crtc(index, 0x00);
    }
    guest.expect_effects(Effects::empty());
    guest.crtc(OVERFLOW, 0xbd);
    guest.expect_crtc(OVERFLOW, 0x52);
    guest.expect_effects(Effects::SCANOUT);
    guest.crtc(PRESET_ROW_SCAN, 0xff);
    guest.expect_crtc(PRESET_ROW_SCAN, 0xff);

    // This register isn't protected by itself.
    guest.crtc(VERTICAL_RETRACE_END, 0x00);
    guest.expect_crtc(VERTICAL_RETRACE_END, 0x00);
    guest.crtc(OVERFLOW, 0x0f);
    guest.expect_crtc(OVERFLOW, 0x0f);
}

#[test]
fn overflow_and_maximum_scan_line_have_the_upper_bits_of_lines() {
    let mut guest = Guest::new(Variant::Vga);
    guest.planar_mode(640, 480);
    for (index, value) in [
        (VERTICAL_DISPLAY_END, 0xdf),
        (OVERFLOW, 0x52),
        (MAXIMUM_SCAN_LINE, 0x00),
        (LINE_COMPARE, 0x01),
    ] {
        guest.crtc(index, value);
    }
    let mode = guest.graphics_mode();
    assert_eq!((mode.size.height, mode.layout.line_compare), (0x3e0, 0x101));
    for (index, value) in [
        (OVERFLOW, 0x00),
        (MAXIMUM_SCAN_LINE, 0x40),
        (LINE_COMPARE, 0x00),
    ] {
        guest.crtc(index, value);
    }
    let mode = guest.graphics_mode();
    assert_eq!((mode.size.height, mode.layout.line_compare), (0xe0, 0x200));
}

#[test]
fn input_status_1_toggles_at_every_read() {
    let mut guest = Guest::with_color_addresses();
    for expected in [0x09, 0x00, 0x09, 0x00] {
        guest.expect_inb(INPUT_STATUS_1, expected);
    }
}

#[test]
fn the_precise_retrace_takes_some_registers_in_with_others() {
    let mut guest =
        Guest::with(Config::default().retrace(Retrace::Precise(Clock::new(|| Duration::ZERO))));
    guest.misc_output(COLOR_ADDRESSES);
    for (index, value) in [
        (VERTICAL_TOTAL, 200),
        (HORIZONTAL_RETRACE_START, 80),
        (VERTICAL_RETRACE_START, 190),
        (VERTICAL_RETRACE_END, CRTC_PROTECT | 14),
    ] {
        guest.crtc(index, value);
    }
    guest.expect_inb(INPUT_STATUS_1, 0x00);
    // A retrace from line 0 on isn't noticed, nor where others are protected...
    guest.crtc(VERTICAL_RETRACE_START, 0);
    for index in [HORIZONTAL_TOTAL, OVERFLOW] {
        guest.expect_inb(INPUT_STATUS_1, 0x00);
        guest.crtc(index, 0xff);
    }
    guest.expect_inb(INPUT_STATUS_1, 0x00);
    // ... until a register that has no part in it is written.
    guest.crtc(MODE_CONTROL, 0xa3);
    guest.expect_inb(INPUT_STATUS_1, 0x09);
}

/// A guest whose retraces follow a clock, and that clock, in nanoseconds.
fn precise() -> (Guest, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(0));
    let clock = Clock::new({
        let now = Arc::clone(&now);
        move || Duration::from_nanos(now.load(Ordering::Relaxed))
    });
    let config = Config::default().retrace(Retrace::Precise(clock));
    (Guest::with(config), now)
}

#[test]
fn the_precise_retrace_takes_the_character_width_from_misc_output() {
    let (mut guest, now) = precise();
    guest.misc_output(COLOR_ADDRESSES);
    for (index, value) in [
        (HORIZONTAL_TOTAL, 95),
        (HORIZONTAL_RETRACE_START, 80),
        (VERTICAL_TOTAL, 200),
        (VERTICAL_RETRACE_START, 190),
    ] {
        guest.crtc(index, value);
    }
    // Nanoseconds a character: 8 dots at the colour address, 9 at the monochrome one.
    for (misc_output, status, character) in [
        (COLOR_ADDRESSES, INPUT_STATUS_1, 317),
        (0, MONO_INPUT_STATUS_1, 357),
    ] {
        for clocking_mode in [0x00, 0x01] {
            guest.misc_output(misc_output);
            guest.sequencer(CLOCKING_MODE, clocking_mode);
            now.store(80 * character - 1, Ordering::Relaxed);
            guest.expect_inb(status, 0x00);
            now.store(80 * character, Ordering::Relaxed);
            guest.expect_inb(status, 0x01);
            now.store(190 * 100 * character, Ordering::Relaxed);
            guest.expect_inb(status, 0x09);
        }
    }
}

#[test]
fn the_dac_keeps_eight_bits_in_either_width() {
    let mut guest = Guest::new(Variant::Vga);
    guest.dac(0x40, [0xc1, 0x80, 0xff]);
    guest.expect_dac(0x40, [0xc1, 0x80, 0xff]);
    guest.dispi(ENABLE, DAC_8BIT);
    guest.expect_dac(0x40, [0xc1, 0x80, 0xff]);
}

#[test]
fn dac_indices_move_on_after_blue_and_wrap() {
    let mut guest = Guest::new(Variant::Vga);
    guest.dac(0xff, [1, 2, 3]);
    guest.expect_inb(DAC_WRITE_INDEX, 0x00);
    for component in [4, 5, 6] {
        guest.outb(DAC_DATA, component);
    }
    guest.expect_dac(0xff, [1, 2, 3]);
    let next = [0; 3].map(|_| guest.inb(DAC_DATA));
    assert_eq!(next, [4, 5, 6], "the entry after 0xff");
}

#[test]
fn a_dac_entry_changes_when_blue_is_written() {
    let mut guest = Guest::new(Variant::Vga);
    guest.unblank();
    guest.dac(3, [1, 2, 3]);
    guest.forget_effects();
    guest.outb(DAC_WRITE_INDEX, 3);
    guest.outb(DAC_DATA, 0x3f);
    guest.outb(DAC_DATA, 0x3e);
    guest.expect_effects(Effects::empty());
    guest.expect_dac(3, [1, 2, 3]);
    guest.dac(3, [4, 5, 6]);
    guest.expect_effects(Effects::SCANOUT);
    guest.expect_dac(3, [4, 5, 6]);
}

#[test]
fn dac_reads_and_writes_count_components_together() {
    let mut guest = Guest::new(Variant::Vga);
    guest.dac(0, [10, 20, 30]);
    guest.outb(DAC_READ_INDEX, 0);
    guest.outb(DAC_WRITE_INDEX, 5);
    guest.outb(DAC_DATA, 1);
    // Red was written, so green is read, and blue is next.
    guest.expect_inb(DAC_DATA, 20);
    guest.outb(DAC_DATA, 3);
    // What was staged for green is from the entry before.
    guest.expect_dac(5, [1, 20, 3]);
}

#[test]
fn the_dac_state_tells_which_index_was_written_last() {
    let mut guest = Guest::new(Variant::Vga);
    guest.outb(DAC_READ_INDEX, 0x34);
    guest.expect_inb(DAC_STATE, 0x03);
    guest.outb(DAC_WRITE_INDEX, 0x12);
    guest.expect_inb(DAC_STATE, 0x00);
}

#[test]
fn only_the_write_index_of_the_dac_can_be_read() {
    let mut guest = Guest::new(Variant::Vga);
    guest.outb(DAC_WRITE_INDEX, 0x12);
    guest.outb(DAC_READ_INDEX, 0x34);
    guest.expect_inb(DAC_WRITE_INDEX, 0x12);
}

#[test]
fn the_precise_retrace_never_ends_if_only_dispi_set_a_mode() {
    let (mut guest, now) = precise();
    // As UEFI and bochs-drm do: the timing is that of a CRTC of zeros, two lines in the retrace both.
    guest.misc_output(COLOR_ADDRESSES);
    guest.vbe_mode(1024, 768, 32);
    for time in (0..100_000_000).step_by(77_777) {
        now.store(time, Ordering::Relaxed);
        guest.expect_inb(INPUT_STATUS_1, 0x09);
    }
}
