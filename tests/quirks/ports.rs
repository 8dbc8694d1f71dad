// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Which ports answer, and accesses wider than a register.

use stdvga::{Config, Effects, Variant};
use stdvga_testing::driver::*;

#[test]
fn a_reset_selects_the_monochrome_addresses() {
    let mut guest = Guest::new(Variant::Vga);
    for port in [CRTC, CRTC + 1, INPUT_STATUS_1] {
        guest.expect_inb(port, 0xff);
    }
    guest.outw(MONO_CRTC, 0x340e);
    guest.expect_inw(MONO_CRTC, 0x340e);
    guest.expect_inb(MONO_INPUT_STATUS_1, 0x09);
}

#[test]
fn misc_output_selects_one_of_two_addresses_of_the_same_crtc() {
    let mut guest = Guest::new(Variant::Vga);
    guest.outw(MONO_CRTC, 0x340e);
    guest.misc_output(COLOR_ADDRESSES);
    guest.expect_inw(CRTC, 0x340e);
    for port in [MONO_CRTC, MONO_CRTC + 1, MONO_INPUT_STATUS_1] {
        guest.expect_inb(port, 0xff);
    }
}

#[test]
fn a_crtc_write_to_the_address_that_is_not_selected_is_dropped() {
    let mut guest = Guest::with_color_addresses();
    guest.crtc(CURSOR_LOCATION_HIGH, 0x34);
    guest.outw(MONO_CRTC, 0x550f);
    guest.expect_inw(CRTC, 0x340e);
}

#[test]
fn reading_the_status_that_is_not_selected_has_no_side_effects() {
    let mut guest = Guest::new(Variant::Vga);
    guest.outb(ATTRIBUTE, 0x11);
    guest.expect_inb(INPUT_STATUS_1, 0xff);
    // Still the data's turn.
    guest.outb(ATTRIBUTE, 0x2a);
    guest.expect_inb(ATTRIBUTE_READ, 0x2a);
    // Still the first half of the toggle.
    guest.expect_inb(MONO_INPUT_STATUS_1, 0x09);

    // The status that is selected takes the data's turn away.
    guest.outb(ATTRIBUTE, 0x11);
    guest.expect_inb(ATTRIBUTE, 0x00);
    guest.expect_inb(MONO_INPUT_STATUS_1, 0x00);
    guest.expect_inb(ATTRIBUTE, 0x11);
}

#[test]
fn ports_between_the_registers_are_not_the_devices() {
    let monochrome = (0x3b0..=0x3b3).chain(0x3b6..=0x3b9).chain(0x3bb..=0x3bf);
    let color = (0x3d0..=0x3d3).chain(0x3d6..=0x3d9).chain(0x3db..=0x3df);
    for port in monochrome.chain(color).chain([0x1cd, 0x1d2]) {
        for misc_output in [0, COLOR_ADDRESSES] {
            let mut guest = Guest::new(Variant::Vga);
            guest.misc_output(misc_output);
            guest.outb(port, 0x55);
            guest.expect_inb(port, 0xff);
        }
    }
}

#[test]
fn ports_without_a_register_read_zero() {
    let mut guest = Guest::new(Variant::Vga);
    for port in [INPUT_STATUS_0, 0x3c3, PEL_MASK, 0x3cb, 0x3cd] {
        guest.outb(port, 0xff);
        guest.expect_inb(port, 0x00);
    }
}

#[test]
fn secondary_vga_has_no_ports() {
    let mut guest = Guest::new(Variant::SecondaryVga);
    guest.misc_output(COLOR_ADDRESSES);
    guest.expect_effects(Effects::empty());
    for port in [MISC_OUTPUT_READ, SEQUENCER, CRTC, MONO_CRTC] {
        guest.expect_inb(port, 0xff);
    }
    guest.expect_inw(DISPI_INDEX, 0xffff);
    guest.expect_inw(DISPI_DATA, 0xffff);
}

#[test]
fn a_word_is_two_bytes_the_lower_port_first() {
    let mut guest = Guest::new(Variant::Vga);
    guest.outw(SEQUENCER, 0x0f02);
    guest.expect_inw(SEQUENCER, 0x0f02);

    guest.dac(7, [1, 2, 3]);
    guest.outb(DAC_READ_INDEX, 7);
    // Write index and red; then green.
    guest.expect_inw(DAC_WRITE_INDEX, 0x0108);
    guest.expect_inb(DAC_DATA, 2);
}

#[test]
fn a_word_that_leads_out_of_its_range_of_ports_loses_a_byte() {
    let mut guest = Guest::with_color_addresses();
    guest.crtc(CURSOR_LOCATION_LOW, 0x12);
    guest.graphics(BIT_MASK, 0x34);
    guest.expect_inw(CRTC + 1, 0xff12);
    guest.expect_inw(GRAPHICS + 1, 0xff34);
    guest.expect_inw(INPUT_STATUS_1, 0xff09);

    guest.outw(CRTC + 1, 0x5678);
    guest.expect_inw(CRTC, 0x780f);
    guest.outw(GRAPHICS + 1, 0x0177);
    guest.expect_inw(GRAPHICS + 1, 0xff77);

    let mut monochrome = Guest::new(Variant::Vga);
    monochrome.expect_inw(MONO_INPUT_STATUS_1, 0xff09);
}

#[test]
fn a_dword_at_a_register_is_void() {
    let mut guest = Guest::new(Variant::Vga);
    guest.dispi(XRES, 640);
    for port in [ATTRIBUTE, SEQUENCER, DAC_DATA, DISPI_INDEX, DISPI_DATA] {
        guest.outl(port, 0x0302_0001);
        guest.expect_inl(port, 0xffff_ffff);
    }
    // Neither flip-flop, indices nor data moved.
    guest.expect_inb(ATTRIBUTE, 0x00);
    guest.expect_inw(SEQUENCER, 0x0000);
    guest.expect_dac(0, [0; 3]);
    guest.expect_inw(DISPI_INDEX, XRES);
    guest.expect_dispi(XRES, 640);
}

#[test]
fn an_access_of_any_other_length_is_void() {
    let mut guest = Guest::new(Variant::Vga);
    guest.effects |= guest
        .vga
        .port_write(SEQUENCER, &[MAP_MASK, ALL_PLANES, 0x03]);
    for (len, answer) in [(3, 0xff), (1, 0x00), (8, 0xff), (0, 0xff)] {
        let mut data = vec![0xaa; len];
        guest.vga.port_read(SEQUENCER, &mut data);
        assert_eq!(
            data,
            vec![answer; len],
            "{len} bytes of the Sequencer's index"
        );
    }
}

#[test]
fn a_byte_at_dispi_is_void() {
    let mut guest = Guest::new(Variant::Vga);
    guest.dispi(XRES, 0x0280);
    for port in DISPI_INDEX..=DISPI_DATA + 1 {
        guest.outb(port, 0x02);
        guest.expect_inb(port, 0xff);
    }
    guest.expect_inw(DISPI_INDEX, XRES);
    guest.expect_dispi(XRES, 0x0280);
}

#[test]
fn dispi_data_has_two_ports_on_x86_machines() {
    for (dispi_data_port_1cf, answer) in [(true, 0xb0c5), (false, 0xffff)] {
        let mut guest = Guest::with(Config::default().dispi_data_port_1cf(dispi_data_port_1cf));
        guest.expect_inw(DISPI_DATA_X86, answer);
        guest.expect_inw(DISPI_DATA, 0xb0c5);
    }
}

#[test]
fn the_last_byte_of_dispi_data_is_no_port_of_its_own() {
    let mut guest = Guest::new(Variant::Vga);
    guest.outw(DISPI_DATA + 1, 0xb0c0);
    guest.expect_inw(DISPI_DATA + 1, 0xffff);
    guest.expect_dispi(ID, 0xb0c5);
}

#[test]
fn reads_that_begin_before_a_range_of_ports_reach_into_it() {
    let mut guest = Guest::with_color_addresses();
    guest.crtc(CURSOR_LOCATION_LOW, 0x34);
    guest.expect_inw(0x3d3, 0x0fff);
    guest.expect_inl(0x3d2, 0x340f_ffff);
    guest.expect_inl(0x3d1, 0x0fff_ffff);
    guest.expect_inw(0x3b3, 0xffff);
    guest.expect_inl(0xffff, 0xffff_ffff);
    // A byte of nobody's, the index's word, and a void byte.
    guest.outw(DISPI_INDEX, 0x1234);
    guest.expect_inl(0x1cd, 0xff12_34ff);
}

#[test]
fn writes_that_begin_before_a_range_of_ports_reach_into_it() {
    let mut guest = Guest::with_color_addresses();
    guest.outl(0x3d2, 0x560f_0000);
    guest.expect_inw(CRTC, 0x560f);
    guest.outw(0x3d3, 0x0e00);
    guest.expect_inw(CRTC, 0x000e);
    guest.outl(0x1cd, 0xff12_34ff);
    guest.expect_inw(DISPI_INDEX, 0x1234);
}
