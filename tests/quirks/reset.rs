// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a reset clears, and what it leaves alone.

use stdvga::{Effects, Mappings, Variant};
use stdvga_testing::driver::*;

#[test]
fn a_reset_clears_every_register() {
    let mut guest = Guest::new(Variant::Vga);
    guest.misc_output(0xef);
    guest.outb(INPUT_STATUS_1, 0x10);
    guest.inb(INPUT_STATUS_1);
    for index in 0..=0x0f {
        guest.sequencer(index, 0xff);
        guest.graphics(index, 0xff);
    }
    for index in 0..=0x14 {
        guest.attribute(index, 0xff);
    }
    for index in 0..=0xff {
        guest.crtc(index, 0xff);
        guest.dac(index, [0xff; 3]);
    }
    guest.outb(DAC_READ_INDEX, 0xff);
    guest.inb(DAC_DATA);
    guest.outb(ATTRIBUTE, 0x20);
    guest.reset();

    // Indices, states and unindexed registers.
    guest.expect_inb(ATTRIBUTE, 0x00);
    for port in [
        MISC_OUTPUT_READ,
        FEATURE_CONTROL_READ,
        SEQUENCER,
        GRAPHICS,
        MONO_CRTC,
        DAC_STATE,
        DAC_WRITE_INDEX,
    ] {
        guest.expect_inb(port, 0x00);
    }
    // The index's turn, the first half of the toggle, red of entry 0.
    guest.outb(ATTRIBUTE, 0x05);
    guest.expect_inb(ATTRIBUTE, 0x00);
    guest.expect_inb(MONO_INPUT_STATUS_1, 0x09);
    for component in [1, 2, 3] {
        guest.outb(DAC_DATA, component);
    }
    guest.expect_dac(0, [1, 2, 3]);

    guest.misc_output(COLOR_ADDRESSES);
    for index in 0..8 {
        guest.expect_sequencer(index, 0x00);
    }
    for index in 0..=0x0f {
        guest.expect_graphics(index, 0x00);
    }
    for index in 0..=0x14 {
        guest.expect_attribute(index, 0x00);
    }
    for index in 0..=0xff {
        guest.expect_crtc(index, 0x00);
    }
    for index in 1..=0xff {
        guest.expect_dac(index, [0x00; 3]);
    }
}

#[test]
fn a_reset_clears_every_dispi_register_but_the_id() {
    let mut guest = Guest::new(Variant::Vga);
    guest.dispi(ID, 0xb0c0);
    guest.vbe_mode(640, 480, 16);
    for (register, value) in [(VIRT_WIDTH, 1024), (X_OFFSET, 8), (Y_OFFSET, 9), (BANK, 3)] {
        guest.dispi(register, value);
    }
    guest.dispi(ENABLE, ENABLED | DAC_8BIT);
    guest.reset();
    guest.expect_inw(DISPI_INDEX, 0);
    guest.expect_dispi(ID, 0xb0c5);
    for register in XRES..=Y_OFFSET {
        guest.expect_dispi(register, 0);
    }

    // The bank and the DAC's width are gone too.
    guest.mode_13h();
    guest.dac(9, [0xc1, 0x80, 0x3f]);
    assert_eq!(guest.vga.scanout().palette()[9], 0x07_00_ff);
    guest.window_write(0, &[0x42]);
    guest.expect_vram(0, [0x42]);
}

#[test]
fn a_reset_reports_what_it_changes() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_13h();
    guest.forget_effects();
    guest.reset();
    guest.expect_effects(Effects::MAPPINGS | Effects::SCANOUT | Effects::MODE);
    assert_eq!(guest.vga.mappings(), Mappings::default());
    guest.expect_mode("blank");
    // A screen is to know of each reset.
    guest.reset();
    guest.expect_effects(Effects::SCANOUT);
}

#[test]
fn vram_survives_a_reset() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vram_write(0x1234, &[1, 2, 3, 4]);
    guest.reset();
    guest.expect_vram(0x1234, [1, 2, 3, 4]);
}

#[test]
fn the_latches_survive_a_reset() {
    let mut guest = Guest::new(Variant::Vga);
    guest.planar_mode(640, 480);
    guest.vram_write(0, &[1, 2, 3, 4]);
    guest.window_read::<1>(0);
    guest.reset();
    guest.planar_mode(640, 480);
    guest.graphics(GRAPHICS_MODE, 0x01);
    guest.window_write(7, &[0xff]);
    guest.expect_vram(7 * 4, [1, 2, 3, 4]);
}

#[test]
fn the_byte_order_survives_a_reset() {
    for variant in [Variant::Vga, Variant::SecondaryVga] {
        let mut guest = Guest::new(variant);
        guest.mmio_write(EXTENDED_BYTE_ORDER, &BIG_ENDIAN.to_le_bytes());
        guest.reset();
        guest.expect_mmio(EXTENDED_BYTE_ORDER, BIG_ENDIAN.to_le_bytes());
    }
}

#[test]
fn configuration_space_is_reset_but_for_its_scratch_bytes() {
    let mut guest = Guest::new(Variant::Vga);
    for offset in (0..0x100).step_by(4) {
        guest.config_write(offset, &[0xff; 4]);
    }
    guest.reset();
    let mut fresh = Guest::new(Variant::Vga);
    for offset in (0..0x40).step_by(4) {
        guest.expect_config::<4>(offset, fresh.config_read(offset));
    }
    for offset in (0x40..0x100).step_by(4) {
        guest.expect_config(offset, [0xff; 4]);
    }
}

#[test]
fn vbe_with_4_bpp_forgets_the_modes_before_a_reset() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(640, 480, 8);
    guest.reset();
    guest.vbe_mode(640, 480, 4);
    assert_eq!(guest.vga.mappings().window, None);
    guest.graphics(BIT_MASK, 0xff);
    guest.window_write(0, &[0xff; 4]);
    guest.expect_vram(0, [0; 16]);
}
