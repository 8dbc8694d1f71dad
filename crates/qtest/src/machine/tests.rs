// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the machine around the device does, as QEMU 10.0.2 does it.

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;

use super::*;

const BAR0: u32 = 0x10;
const BAR2: u32 = 0x18;
const ROM_BAR: u32 = 0x30;
const COMMAND: u32 = 0x04;
/// COMMAND: memory.
const MEMORY: u32 = 2;

/// Where the tests lay BARs over each other.
const HERE: u32 = 0xe000_0000;
const AWAY: u32 = 0xd000_0000;

/// A machine as the program makes it of its arguments.
pub fn machine(arguments: &[&str]) -> Machine {
    let arguments = ["qtest"].iter().chain(arguments).map(OsString::from);
    let options = Options::try_parse_from(arguments).expect("arguments that are understood");
    Machine::new(&options).expect("a machine that can be had")
}

fn read<const N: usize>(machine: &mut Machine, space: Space, address: u64) -> [u8; N] {
    let mut data = [0x99; N];
    machine.read(space, address, &mut data);
    data
}

fn outl(machine: &mut Machine, port: u64, value: u32) {
    machine.write(Space::Ports, port, &value.to_le_bytes());
}

/// Writes a dword of the device's configuration space.
fn configure(machine: &mut Machine, offset: u32, value: u32) {
    outl(machine, CONFIG_ADDRESS, DEVICE_ADDRESS | offset);
    outl(machine, CONFIG_DATA, value);
}

/// A machine with BAR0, BAR2 and the ROM at the same address, not decoded yet. VRAM is full of 0x5a,
/// the ROM of 0x77.
fn overlapping() -> Machine {
    let mut rom = tempfile::NamedTempFile::new().expect("a temporary file");
    rom.write_all(&[0x77; 0x1_0000]).expect("a ROM file");
    let device = format!("VGA,vgamem_mb=1,romfile={}", rom.path().display());
    let mut machine = machine(&["--device", &device]);
    machine.vga.vram().write(0, &vec![0x5a; 0x10_0000]);
    for (offset, value) in [(BAR0, HERE), (BAR2, HERE), (ROM_BAR, HERE | 1)] {
        configure(&mut machine, offset, value);
    }
    machine
}

/// What is at an address that is the DISPI ID's place in BAR2.
fn on_top(machine: &mut Machine, address: u64) -> &'static str {
    match read(machine, Space::Memory, address + 0x500) {
        [0x5a, 0x5a] => "VRAM",
        [0xc5, 0xb0] => "BAR2",
        [0x77, 0x77] => "ROM",
        [0x00, 0x00] => "nothing",
        _ => "something else",
    }
}

/// Makes one write to configuration space after the other, and looks what's on top then.
fn check_on_top(machine: &mut Machine, steps: &[(u32, u32, &str)]) {
    for (index, (offset, value, expected)) in steps.iter().enumerate() {
        configure(machine, *offset, *value);
        let found = on_top(machine, HERE.into());
        let step = format!("step {index}: {value:#x} to configuration offset {offset:#x}");
        assert_eq!(found, *expected, "{step}");
    }
}

#[test]
fn of_bars_that_appear_at_once_the_rom_covers_bar2_and_that_bar0() {
    check_on_top(
        &mut overlapping(),
        &[
            (COMMAND, MEMORY, "ROM"),
            (ROM_BAR, HERE, "BAR2"),
            (BAR2, AWAY, "VRAM"),
            (BAR0, AWAY, "nothing"),
        ],
    );
}

#[test]
fn a_bar_that_goes_and_comes_back_covers_the_others() {
    check_on_top(
        &mut overlapping(),
        &[
            (COMMAND, MEMORY, "ROM"),
            (BAR0, AWAY, "ROM"),
            (BAR0, HERE, "VRAM"),
            (BAR2, AWAY, "VRAM"),
            (BAR2, HERE, "BAR2"),
            (ROM_BAR, HERE, "BAR2"),
            (ROM_BAR, HERE | 1, "ROM"),
        ],
    );
}

#[test]
fn rewriting_a_bar_does_not_bring_it_to_the_top() {
    check_on_top(
        &mut overlapping(),
        &[(COMMAND, MEMORY, "ROM"), (BAR0, HERE, "ROM")],
    );
}

#[test]
fn switching_memory_decoding_off_and_on_forgets_who_came_last() {
    check_on_top(
        &mut overlapping(),
        &[
            (COMMAND, MEMORY, "ROM"),
            (BAR0, AWAY, "ROM"),
            (BAR0, HERE, "VRAM"),
            (COMMAND, MEMORY | 5, "VRAM"),
            (COMMAND, 0, "nothing"),
            (COMMAND, MEMORY, "ROM"),
        ],
    );
}

#[test]
fn a_bar_covers_the_window_but_not_the_windows_ram() {
    let mut machine = overlapping();
    configure(&mut machine, BAR2, WINDOW.start as u32);
    assert_eq!(on_top(&mut machine, WINDOW.start), "VRAM", "by planes");
    configure(&mut machine, COMMAND, MEMORY);
    assert_eq!(on_top(&mut machine, WINDOW.start), "BAR2");

    // Chain 4 with all planes makes 64 KiB of the window RAM.
    for (port, word) in [(0x3ce, 0x0506_u16), (0x3c4, 0x0e04), (0x3c4, 0x0f02)] {
        machine.write(Space::Ports, port, &word.to_le_bytes());
    }
    assert_eq!(on_top(&mut machine, WINDOW.start), "VRAM", "as RAM");
    machine.write(Space::Ports, 0x3c4, &[0x04, 0x06]);
    assert_eq!(on_top(&mut machine, WINDOW.start), "BAR2");
}

#[test]
fn an_access_is_cut_where_a_region_ends() {
    let mut machine = overlapping();
    for (offset, value) in [(ROM_BAR, 0), (BAR2, HERE + 0x10_0000), (COMMAND, MEMORY)] {
        configure(&mut machine, offset, value);
    }
    // BAR0 is from 0xe0000000 on, BAR2 from 0xe0100000 to 0xe0100fff.
    for (address, expected) in [
        (0xdfff_fffc, [0, 0, 0, 0, 0x5a, 0x5a, 0x5a, 0x5a]),
        (
            0xe00f_fffa,
            [0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x00, 0xff],
        ),
        (0xe010_0ffe, [0xff, 0xff, 0, 0, 0, 0, 0, 0]),
    ] {
        let found: [u8; 8] = read(&mut machine, Space::Memory, address);
        assert_eq!(found, expected, "eight bytes at {address:#x}");
    }
    let last_word = 0xe00f_fffe;
    machine.write(Space::Memory, last_word, &[1, 2, 3, 4]);
    let found: [u8; 4] = read(&mut machine, Space::Memory, last_word);
    assert_eq!(found, [1, 2, 0x00, 0xff], "the EDID behind it is read-only");
}

#[test]
fn ports_that_nobody_has_read_ones_and_memory_zeros() {
    for arguments in [
        &["--device", "VGA,romfile="][..],
        &["--device", "secondary-vga"],
        &["--machine", "isapc", "--device", "isa-vga"],
    ] {
        let mut machine = machine(arguments);
        for port in [0x60, 0x1cd, 0x3b0, 0x3df, 0xd00] {
            let found: [u8; 1] = read(&mut machine, Space::Ports, port);
            assert_eq!(found, [0xff], "{arguments:?}: port {port:#x}");
        }
        for address in [0, 0x9_fff8, 0xc_0000, 0xdfff_fff8, u64::MAX] {
            machine.write(Space::Memory, address, &[1; 8]);
            let found: [u8; 8] = read(&mut machine, Space::Memory, address);
            assert_eq!(found, [0; 8], "{arguments:?}: eight bytes at {address:#x}");
        }
    }
}

#[test]
fn behind_the_last_port_zeros_are_read() {
    let mut machine = machine(&["--device", "VGA,romfile="]);
    let found: [u8; 4] = read(&mut machine, Space::Ports, 0xffff);
    assert_eq!(found, [0xff, 0, 0, 0]);
}

#[test]
fn the_device_is_at_its_configuration_address_whatever_bits_30_to_24_are() {
    let mut machine = machine(&["--device", "VGA,romfile="]);
    for (address, expected) in [
        (0x8000_1000, [0x34, 0x12, 0x11, 0x11]),
        (0xff00_1000, [0x34, 0x12, 0x11, 0x11]),
        (0x0000_1000, [0xff; 4]),
        (0x8000_1100, [0xff; 4]),
        (0x8000_1800, [0xff; 4]),
        (0x8001_1000, [0xff; 4]),
    ] {
        outl(&mut machine, CONFIG_ADDRESS, address);
        let found: [u8; 4] = read(&mut machine, Space::Ports, CONFIG_DATA);
        assert_eq!(found, expected, "address {address:#x}");
    }
}

#[test]
fn accesses_to_the_configuration_ports_are_cut_into_aligned_pieces() {
    let mut machine = machine(&["--device", "VGA,romfile="]);
    outl(&mut machine, CONFIG_ADDRESS, 0x8000_1000);
    for (port, expected) in [
        (0xcf5, [0xff, 0xff, 0xff, 0x00]),
        (0xcf6, [0xff, 0xff, 0x00, 0x10]),
        (0xcfb, [0x00, 0x34, 0x12, 0x11]),
        (0xcfd, [0x12, 0x11, 0x11, 0xff]),
        (0xcfe, [0x11, 0x11, 0xff, 0xff]),
    ] {
        let found: [u8; 4] = read(&mut machine, Space::Ports, port);
        assert_eq!(found, expected, "a dword at {port:#x}");
    }
}

#[test]
fn the_low_bits_of_the_configuration_address_count_at_the_data_ports_too() {
    let mut machine = machine(&["--device", "VGA,romfile="]);
    outl(&mut machine, CONFIG_ADDRESS, 0x8000_102d);
    let found: [u8; 2] = read(&mut machine, Space::Ports, CONFIG_DATA);
    assert_eq!(found, [0x1a, 0x00], "the subsystem's vendor is 0x1af4");
}

#[test]
fn the_configuration_address_reads_its_low_bytes_at_each_port() {
    let mut machine = machine(&["--device", "VGA,romfile="]);
    outl(&mut machine, CONFIG_ADDRESS, 0x8000_102d);
    let found: [u8; 4] = read(&mut machine, Space::Ports, 0xcf8);
    assert_eq!(found, [0x2d, 0x10, 0x00, 0x80]);
    let found: [u8; 2] = read(&mut machine, Space::Ports, 0xcfa);
    assert_eq!(found, [0x2d, 0x10]);
    let found: [u8; 1] = read(&mut machine, Space::Ports, 0xcfb);
    assert_eq!(found, [0x2d]);
}

#[test]
fn only_a_dword_sets_the_configuration_address_and_a_reset_keeps_it() {
    let mut machine = machine(&["--device", "VGA,romfile="]);
    outl(&mut machine, CONFIG_ADDRESS, 0x8000_102d);
    machine.write(Space::Ports, 0xcf8, &[0, 0]);
    machine.write(Space::Ports, 0xcfb, &[0]);
    outl(&mut machine, 0xcfa, 0);
    machine.reset();
    let found: [u8; 4] = read(&mut machine, Space::Ports, CONFIG_ADDRESS);
    assert_eq!(u32::from_le_bytes(found), 0x8000_102d);
}

#[test]
fn isapc_has_no_configuration_ports_and_its_framebuffer_at_0xe0000000() {
    let mut machine = machine(&["--machine", "isapc", "--device", "isa-vga"]);
    outl(&mut machine, CONFIG_ADDRESS, DEVICE_ADDRESS);
    let found: [u8; 4] = read(&mut machine, Space::Ports, CONFIG_ADDRESS);
    assert_eq!(found, [0xff; 4]);
    machine.write(Space::Memory, 0xe07f_fffe, &[1, 2, 3, 4]);
    let found: [u8; 4] = read(&mut machine, Space::Memory, 0xe07f_fffe);
    assert_eq!(found, [1, 2, 0, 0], "8 MiB");
}
