// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! BAR2: the EDID blob, the remapped ports, DISPI and QEMU's extended registers.

use stdvga::{Config, Effects, Monitor, Variant};
use stdvga_testing::driver::*;

/// A guest that has BAR2 alone.
fn secondary() -> Guest {
    Guest::new(Variant::SecondaryVga)
}

#[test]
fn a_byte_of_dispi_is_the_low_one_of_its_register() {
    let mut guest = secondary();
    guest.expect_mmio(bar2_dispi(ID), [0xc5, 0xb0]);
    guest.expect_mmio(bar2_dispi(ID), [0xc5]);
    guest.expect_mmio(bar2_dispi(ID) + 1, [0xc5]);
}

#[test]
fn a_byte_written_to_dispi_is_extended_by_zeros() {
    for address in [bar2_dispi(XRES), bar2_dispi(XRES) + 1] {
        let mut guest = secondary();
        guest.mmio_write(bar2_dispi(XRES), &[0x20, 0x03]);
        guest.mmio_write(address, &[0x40]);
        guest.expect_mmio(bar2_dispi(XRES), [0x40, 0x00]);
    }
}

#[test]
fn wide_accesses_reach_several_dispi_registers() {
    let mut guest = secondary();
    guest.mmio_write(bar2_dispi(XRES), &[0x80, 0x02, 0xe0, 0x01]);
    guest.expect_mmio(
        bar2_dispi(ID),
        [0xc5, 0xb0, 0x80, 0x02, 0xe0, 0x01, 0x00, 0x00],
    );
    // No register is past the last one.
    guest.expect_mmio(bar2_dispi(VIDEO_MEMORY_64K), [0x00, 0x01, 0x00, 0x00]);
    // Odd addresses: a byte, a word and a byte.
    guest.expect_mmio(bar2_dispi(ID) + 1, [0xc5, 0x80, 0x02, 0xe0]);
    guest.expect_mmio(bar2_dispi(ID) + 1, [0xc5, 0x80]);
}

#[test]
fn dispi_in_bar2_moves_the_index_of_the_ports() {
    let mut guest = Guest::new(Variant::Vga);
    guest.outw(DISPI_INDEX, VIDEO_MEMORY_64K);
    guest.read_mmio_dispi(BPP);
    guest.expect_inw(DISPI_INDEX, BPP);
    guest.mmio_dispi(XRES, 640);
    guest.expect_inw(DISPI_INDEX, XRES);
    guest.expect_inw(DISPI_DATA, 640);
    // A dword is two registers, and leaves the second.
    guest.mmio_read::<4>(bar2_dispi(VIDEO_MEMORY_64K));
    guest.expect_inw(DISPI_INDEX, VIDEO_MEMORY_64K + 1);
}

#[test]
fn extended_registers_answer_dwords_alone() {
    let mut guest = secondary();
    guest.expect_mmio(EXTENDED_SIZE, [8, 0, 0, 0]);
    guest.expect_mmio(EXTENDED_SIZE, [0; 2]);
    guest.expect_mmio(EXTENDED_SIZE, [0; 1]);
    guest.expect_mmio(EXTENDED_BYTE_ORDER + 1, [0; 2]);
    guest.expect_mmio(EXTENDED_BYTE_ORDER, [0x1e; 4]);
    guest.mmio_write(EXTENDED_BYTE_ORDER, &[0xbe; 2]);
    guest.mmio_write(EXTENDED_BYTE_ORDER, &[0xbe; 1]);
    guest.expect_mmio(EXTENDED_BYTE_ORDER, [0x1e; 4]);
    // Eight bytes are two dwords.
    guest.expect_mmio(EXTENDED_SIZE, [8, 0, 0, 0, 0x1e, 0x1e, 0x1e, 0x1e]);
    // Two words each; half of the second access is past the end.
    guest.expect_mmio(EXTENDED_SIZE + 2, [0; 4]);
    guest.expect_mmio(EXTENDED_BYTE_ORDER + 2, [0x00, 0x00, 0xff, 0xff]);
}

#[test]
fn the_byte_order_changes_by_one_of_two_patterns() {
    let mut guest = secondary();
    let [little, big] = [LITTLE_ENDIAN, BIG_ENDIAN].map(u32::to_le_bytes);
    for (written, answer, effects) in [
        (big, big, Effects::SCANOUT),
        (big, big, Effects::empty()),
        ([0xbe, 0xbe, 0xbe, 0x1e], big, Effects::empty()),
        ([0; 4], big, Effects::empty()),
        ([0x78, 0x56, 0x34, 0x12], big, Effects::empty()),
        (little, little, Effects::SCANOUT),
    ] {
        guest.mmio_write(EXTENDED_BYTE_ORDER, &written);
        guest.expect_effects(effects);
        guest.expect_mmio(EXTENDED_BYTE_ORDER, answer);
    }
    guest.mmio_write(EXTENDED_SIZE, &[0xff; 4]);
    guest.expect_mmio(EXTENDED_SIZE, [8, 0, 0, 0]);
}

#[test]
fn holes_read_ones() {
    let mut guest = secondary();
    for hole in [0x180, 0x3fc, 0x420, 0x4fc, 0x518, 0x5fc, 0x608, 0xff8] {
        guest.mmio_write(hole, &[0; 8]);
        guest.expect_mmio(hole, [0xff; 1]);
        guest.expect_mmio(hole, [0xff; 4]);
    }
    for byte in [0x3ff, 0x4fe, 0x516, 0xff9] {
        guest.mmio_write(byte, &[0]);
        guest.expect_mmio(byte, [0xff]);
    }
    guest.expect_mmio(0x516, [0xff, 0xff]);
    guest.expect_mmio(0x700, [0xff; 100]);
}

#[test]
fn behind_bar2_nothing_answers_however_far() {
    let mut guest = secondary();
    for offset in [0x1000, u64::MAX - 3, u64::MAX] {
        guest.mmio_write(offset, &[0; 16]);
        guest.expect_mmio(offset, [0xff; 16]);
    }
}

#[test]
fn without_mmio_all_of_bar2_is_a_hole() {
    let mut guest = Guest::with(Config::default().mmio(false));
    for offset in [0, bar2_port(ATTRIBUTE), bar2_dispi(ID), EXTENDED_SIZE] {
        guest.mmio_write(offset, &[1; 4]);
        guest.expect_mmio(offset, [0xff; 4]);
    }
}

#[test]
fn isa_vga_has_no_bar2() {
    let mut guest = Guest::new(Variant::IsaVga);
    guest.expect_mmio(bar2_dispi(ID), [0xff; 4]);
}

#[test]
fn what_is_switched_off_leaves_a_hole() {
    let mut guest = Guest::with(Config::default().edid(false).qemu_extended_regs(false));
    guest.expect_mmio(0x000, [0xff; 8]);
    guest.expect_mmio(EXTENDED_SIZE, [0xff; 8]);
    guest.expect_mmio(bar2_dispi(ID), [0xc5, 0xb0]);
}

#[test]
fn remapped_ports_keep_to_the_selected_addresses() {
    let mut guest = secondary();
    guest.expect_mmio(bar2_port(CRTC), [0xff]);
    guest.expect_mmio(bar2_port(INPUT_STATUS_1), [0xff]);
    guest.expect_mmio(bar2_port(0x3df), [0xff]);
    guest.expect_mmio(bar2_port(0x3df), [0xff, 0xff]);
    guest.mmio_write(bar2_port(MISC_OUTPUT), &[COLOR_ADDRESSES]);
    guest.mmio_write(bar2_port(CRTC), &[CURSOR_LOCATION_HIGH, 0x12]);
    guest.expect_mmio(bar2_port(CRTC), [CURSOR_LOCATION_HIGH, 0x12]);
    guest.expect_mmio(bar2_port(INPUT_STATUS_1), [0x09]);
    // Unlike at the ports proper, something answers between the registers.
    guest.expect_mmio(bar2_port(0x3d0), [0x00; 4]);
    guest.expect_mmio(bar2_port(0x3df), [0x00, 0xff]);
}

#[test]
fn wide_accesses_reach_several_remapped_ports() {
    let mut guest = secondary();
    guest.mmio_write(bar2_port(SEQUENCER), &[MAP_MASK, 0x0f]);
    guest.mmio_write(bar2_port(GRAPHICS), &[BIT_MASK, 0x55]);
    guest.expect_mmio(bar2_port(SEQUENCER), [MAP_MASK, 0x0f, 0x00, 0x00]);
    // Read index, write index, and three components.
    guest.mmio_write(bar2_port(DAC_WRITE_INDEX), &[5, 1]);
    guest.mmio_write(bar2_port(DAC_DATA), &[2]);
    guest.mmio_write(bar2_port(DAC_DATA), &[3]);
    guest.mmio_write(bar2_port(DAC_READ_INDEX), &[5]);
    guest.expect_mmio(bar2_port(DAC_WRITE_INDEX), [6, 1, 0x00, 0x00]);
    guest.expect_mmio(bar2_port(DAC_DATA), [2]);
}

/// The EDID blob of a device with this monitor.
fn edid(monitor: Monitor) -> [u8; 0x180] {
    let mut guest = Guest::with(Config::default().monitor(monitor));
    guest.mmio_read(0)
}

/// The standard timings of the EDID's base block.
const STANDARD_TIMINGS: std::ops::Range<usize> = 0x26..0x36;
/// The first descriptor of the base block, and the second.
const DESCRIPTORS: [std::ops::Range<usize>; 2] = [0x36..0x48, 0x48..0x5a];

#[test]
fn the_edid_cannot_be_written() {
    let mut guest = secondary();
    guest.mmio_write(0, &[0x55; 8]);
    guest.expect_mmio(0, [0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
    guest.expect_mmio(0x17f, [0x00, 0xff]);
}

#[test]
fn every_edid_block_sums_to_zero() {
    let large = Monitor::new(5120, 2880);
    for monitor in [Monitor::default(), large] {
        for (number, block) in edid(monitor).chunks(0x80).enumerate() {
            let sum = block.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
            assert_eq!(sum, 0, "block {number} of {monitor:?}");
        }
    }
}

#[test]
fn the_edid_prefers_the_configured_mode() {
    let blob = edid(Monitor::default());
    // 1280x800 with a dot clock of 107.3 MHz.
    let descriptor = [
        0xea, 0x29, 0x00, 0xc0, 0x51, 0x20, 0x1c, 0x30, 0x40, 0x26, 0x44, 0x40, 0x45, 0xcb, 0x10,
        0x00, 0x00, 0x18,
    ];
    assert_eq!(blob[DESCRIPTORS[0].clone()], descriptor);
    let blob = edid(Monitor::new(1920, 1080).refresh_rate(60_000));
    let [width, height] = [2, 5].map(|at| {
        let high = u16::from(blob[0x36 + at + 2] >> 4);
        high << 8 | u16::from(blob[0x36 + at])
    });
    assert_eq!((width, height), (1920, 1080));
}

#[test]
fn a_large_mode_has_no_detailed_timing_but_is_called_preferred() {
    let blob = edid(Monitor::new(5120, 2880).refresh_rate(60_000));
    assert_eq!(
        blob[DESCRIPTORS[0].clone()][..5],
        [0, 0, 0, 0xf7, 0],
        "the first descriptor lists additional modes"
    );
    assert_eq!(blob[0x18], 0x06, "features: sRGB, preferred timing");
    assert_eq!(blob[0x7e], 2, "extensions");
    assert_eq!(blob[0x100..0x103], [0x70, 0x13, 0x17], "DisplayID 1.3");
}

#[test]
fn modes_with_no_standard_aspect_vanish_from_the_edid() {
    let additional = |blob: &[u8; 0x180]| -> [u8; 6] {
        std::array::from_fn(|index| blob[DESCRIPTORS[1].start + 6 + index])
    };
    // Here 1280x768 and 1360x768 find the standard timings full, and are listed behind them.
    let blob = edid(Monitor::default());
    assert_eq!(additional(&blob), [0x00, 0x40, 0x82, 0x00, 0x28, 0x20]);
    // Here they'd be standard timings, and can't be.
    let blob = edid(Monitor::default().limit(1360, 768));
    assert_eq!(additional(&blob), [0; 6]);
    assert_eq!(blob[STANDARD_TIMINGS], [0x01; 16]);
}
