// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the device tells its embedder: changed mappings, only where they really changed, and counters.

use stdvga::{Accesses, Config, Effects, Mappings, StdVga, Variant};
use stdvga_testing::driver::*;

/// Runs `program`, and tells how often it changed mappings.
fn mapping_changes(guest: &mut Guest, program: impl Fn(&mut Guest)) -> u64 {
    let before = guest.vga.counters().mapping_changes;
    program(guest);
    guest.vga.counters().mapping_changes - before
}

/// One write to a port after the other, and what the device said of it.
fn reports(vga: &mut StdVga, writes: &[(u16, &[u8])]) -> Vec<(bool, Mappings)> {
    writes
        .iter()
        .map(|(port, data)| {
            let effects = vga.port_write(*port, data);
            (effects.contains(Effects::MAPPINGS), vga.mappings())
        })
        .collect()
}

#[test]
fn a_write_reports_changed_mappings_just_where_they_differ_from_before() {
    let mut vga = StdVga::new(Config::default()).unwrap();
    let mut before = vga.mappings();
    // Mode 13h's memory, twice; then each of its registers switched off and on.
    let on: [(u16, &[u8]); 3] = [
        (GRAPHICS, &[MISCELLANEOUS, 0x05]),
        (SEQUENCER, &[MEMORY_MODE, 0x0e]),
        (SEQUENCER, &[MAP_MASK, 0x0f]),
    ];
    let toggles: [(u16, &[u8]); 6] = [
        (SEQUENCER, &[MAP_MASK, 0x07]),
        (SEQUENCER, &[MAP_MASK, 0x0f]),
        (SEQUENCER, &[MEMORY_MODE, 0x06]),
        (SEQUENCER, &[MEMORY_MODE, 0x0e]),
        (GRAPHICS, &[MISCELLANEOUS, 0x0d]),
        (GRAPHICS, &[MISCELLANEOUS, 0x05]),
    ];
    let writes = [&on[..], &on, &toggles, &on].concat();
    for ((reported, now), (port, data)) in reports(&mut vga, &writes).iter().zip(&writes) {
        assert_eq!(
            *reported,
            *now != before,
            "{data:02x?} to port {port:#x}: {before:?}, then {now:?}"
        );
        before = *now;
    }
    assert_eq!(vga.counters().mapping_changes, 7);
}

#[test]
fn setting_mode_13h_again_changes_no_mapping() {
    let mut guest = Guest::new(Variant::Vga);
    // Chain 4 makes all of the window RAM, and the memory map then the first half of it.
    assert_eq!(mapping_changes(&mut guest, Guest::mode_13h), 2);
    let window = guest.vga.mappings().window;
    assert!(window.is_some(), "no part of the window is mapped");
    assert_eq!(mapping_changes(&mut guest, Guest::mode_13h), 0);
}

#[test]
fn a_bank_switch_is_a_change_and_the_same_bank_again_is_none() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_13h();
    for bank in 1..=8 {
        let switch = |guest: &mut Guest| guest.dispi(BANK, bank);
        assert_eq!(mapping_changes(&mut guest, switch), 1, "bank {bank}");
        assert_eq!(mapping_changes(&mut guest, switch), 0, "bank {bank} again");
    }
}

#[test]
fn dispi_registers_that_keep_their_values_change_no_mapping() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(1024, 768, 32);
    let before = guest.vga.mappings();
    let again = mapping_changes(&mut guest, |guest| {
        guest.dispi(ENABLE, ENABLED);
        guest.dispi(VIRT_WIDTH, 1024);
        guest.dispi(Y_OFFSET, 0);
        guest.dispi(BANK, 0);
    });
    assert_eq!((again, guest.vga.mappings()), (0, before));
}

#[test]
fn drawing_and_colours_change_no_mapping() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_13h();
    let draw = |guest: &mut Guest| {
        guest.palette_16();
        guest.window_write(0, &[1; 64]);
        guest.start_address(0x100);
        guest.crtc(CURSOR_START, 0x20);
    };
    assert_eq!(mapping_changes(&mut guest, draw), 0);
}

#[test]
fn counters_tell_accesses_by_space() {
    let mut vga = StdVga::new(Config::default().rom(vec![0x55; 512])).unwrap();
    let mut data = [0; 2];
    vga.config_read(0, &mut data);
    let _ = vga.config_write(4, &[3]);
    let _ = vga.port_write(ATTRIBUTE, &[0x20]);
    vga.port_read(INPUT_STATUS_1, &mut data[..1]);
    let _ = vga.mmio_write(0x500, &[0, 0]);
    vga.mmio_read(0x500, &mut data);
    vga.window_writes([(0, &[1][..]), (8, &[2, 3])]);
    vga.window_read(0, &mut data);
    vga.rom_read(0, &mut data);
    let _ = vga.reset();
    let counters = vga.counters();
    let counts = |accesses: Accesses| (accesses.reads, accesses.writes);
    let spaces = [counters.config, counters.ports, counters.mmio];
    assert_eq!(spaces.map(counts), [(1, 1); 3]);
    assert_eq!(counts(counters.window), (1, 2));
    assert_eq!((counters.rom_reads, counters.invalid), (1, 0));
    assert_eq!((counters.mapping_changes, counters.mode_changes), (0, 2));
    assert_eq!(counters.resets, 1);
}

#[test]
fn accesses_that_nothing_can_answer_are_counted_as_invalid() {
    type Access = fn(&mut StdVga);
    let of_vga: [(&str, Access); 8] = [
        ("configuration space, past its end", |vga| {
            vga.config_read(0x100, &mut [0]);
        }),
        ("configuration space, three bytes", |vga| {
            let _ = vga.config_write(4, &[0; 3]);
        }),
        ("a port, three bytes", |vga| {
            vga.port_read(0x3c0, &mut [0; 3]);
        }),
        ("a port, no byte", |vga| {
            let _ = vga.port_write(0x3c0, &[]);
        }),
        ("BAR2, past its end", |vga| {
            vga.mmio_read(0x1000, &mut [0]);
        }),
        ("the window, past its end", |vga| {
            vga.window_write(0x2_0000, &[0]);
        }),
        ("the window, far past its end", |vga| {
            vga.window_read(u64::MAX, &mut [0]);
        }),
        ("a ROM that isn't there", |vga| vga.rom_read(0, &mut [0])),
    ];
    let of_secondary: [(&str, Access); 2] = [
        ("a port of secondary-vga", |vga| {
            vga.port_read(0x3c0, &mut [0]);
        }),
        ("the window of secondary-vga", |vga| {
            vga.window_read(0, &mut [0]);
        }),
    ];
    let of_isa: [(&str, Access); 2] = [
        ("configuration space of isa-vga", |vga| {
            vga.config_read(0, &mut [0]);
        }),
        ("BAR2 of isa-vga", |vga| {
            let _ = vga.mmio_write(0x500, &[0]);
        }),
    ];
    for (variant, accesses) in [
        (Variant::Vga, &of_vga[..]),
        (Variant::SecondaryVga, &of_secondary),
        (Variant::IsaVga, &of_isa),
    ] {
        let mut vga = Guest::new(variant).vga;
        for (number, (name, access)) in (1..).zip(accesses) {
            access(&mut vga);
            assert_eq!(vga.counters().invalid, number, "{name}");
        }
    }
}
