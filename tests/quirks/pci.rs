// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Configuration space, and what it has no say in.

use stdvga::{Bar, Config, Effects, MappedRange, Mappings, PlaceBarError, Variant, config_offset};
use stdvga_testing::driver::*;
use vm_memory::GuestAddress;

/// The first byte that the header leaves to the device, and the byte after the last.
const SCRATCH: std::ops::Range<u16> = 0x40..0x100;

/// What tells variants and options apart. The BARs as they read after a write of all ones.
struct Header {
    revision: u8,
    subclass: u8,
    bar2: u32,
    rom: u32,
}

/// A VGA's header. Its ROM BAR depends on the ROM: here there's none.
const VGA: Header = Header {
    revision: 2,
    subclass: 0x00,
    bar2: 0xffff_f000,
    rom: 0,
};

fn range(base: u64, len: u64) -> Option<MappedRange> {
    Some(MappedRange::new(GuestAddress(base), len))
}

/// Looks at where BAR0, BAR2 and the ROM answer.
fn expect_mappings(guest: &Guest, bars: [Option<MappedRange>; 3]) {
    let mappings = guest.vga.mappings();
    assert_eq!([0, 2, 6].map(|index| mappings.bar(index)), bars);
    let named = [mappings.framebuffer, mappings.mmio, mappings.rom];
    assert_eq!((named, mappings.window), (bars, None));
}

fn expect_header(config: Config, header: Header) {
    let mut guest = Guest::with(config);
    let mut bytes = [0; 0x40];
    bytes[..4].copy_from_slice(&[0x34, 0x12, 0x11, 0x11]);
    bytes[8..12].copy_from_slice(&[header.revision, 0x00, header.subclass, 0x03]);
    bytes[0x10] = 0x08;
    bytes[0x2c..0x30].copy_from_slice(&[0xf4, 0x1a, 0x00, 0x11]);
    for (offset, byte) in (0..).zip(bytes) {
        guest.expect_config(offset, [byte]);
    }
    for (offset, sized) in [
        (BAR0, 0xff00_0008),
        (0x14, 0),
        (BAR2, header.bar2),
        (0x1c, 0),
        (0x20, 0),
        (0x24, 0),
        (ROM_BAR, header.rom),
    ] {
        guest.config_write(offset, &[0xff; 4]);
        guest.expect_config(offset, u32::to_le_bytes(sized));
    }
}

#[test]
fn vga_is_a_vga_compatible_controller_with_two_bars() {
    expect_header(Config::default(), VGA);
}

#[test]
fn secondary_vga_is_a_display_controller_of_another_kind() {
    let config = Config::new(Variant::SecondaryVga);
    let header = Header {
        subclass: 0x80,
        ..VGA
    };
    expect_header(config, header);
}

#[test]
fn without_mmio_there_is_no_bar2_and_the_revision_is_0() {
    let config = Config::default().mmio(false);
    let header = Header {
        revision: 0,
        bar2: 0,
        ..VGA
    };
    expect_header(config, header);
}

#[test]
fn without_extended_registers_the_revision_is_0() {
    for (variant, subclass) in [(Variant::Vga, 0x00), (Variant::SecondaryVga, 0x80)] {
        let config = Config::new(variant).qemu_extended_regs(false);
        let header = Header {
            revision: 0,
            subclass,
            ..VGA
        };
        expect_header(config, header);
    }
}

#[test]
fn without_edid_the_header_is_the_same() {
    let config = Config::default().edid(false);
    expect_header(config, VGA);
}

#[test]
fn the_rom_bar_is_as_large_as_the_rom_rounded_up() {
    for (bytes, rom) in [
        (3000, 0xffff_f001),
        (39936, 0xffff_0001),
        (65536, 0xffff_0001),
    ] {
        let config = Config::default().rom(vec![0; bytes]);
        expect_header(config, Header { rom, ..VGA });
    }
}

/// Sizes the device's BARs as firmware does, and expects just those that it lists.
fn expect_bars(config: Config, indices: &[usize]) {
    let mut guest = Guest::with(config);
    let bars: Vec<_> = guest.vga.bars().collect();
    let listed: Vec<_> = bars.iter().map(|bar| bar.index).collect();
    assert_eq!(listed, indices, "the BARs listed");
    for register in (BAR0..0x28).step_by(4).chain([ROM_BAR]) {
        guest.config_write(register, &[0xff; 4]);
        let expected = bars.iter().find(|bar| bar.register == register);
        let expected = expected.map_or(0, |bar| {
            let enable_or_prefetchable = match bar.index {
                6 => 1,
                _ => u32::from(bar.prefetchable) << 3,
            };
            (bar.len as u32).wrapping_neg() | enable_or_prefetchable
        });
        assert_eq!(
            u32::from_le_bytes(guest.config_read(register)),
            expected,
            "the BAR at {register:#x} after a write of all ones"
        );
    }
}

#[test]
fn the_bars_listed_are_those_that_firmware_finds() {
    let rom = Some(vec![0; 5000]);
    expect_bars(Config::default(), &[0, 2]);
    let with_rom = Config::default().rom(rom);
    expect_bars(with_rom.clone(), &[0, 2, 6]);
    let without_mmio = with_rom.mmio(false);
    expect_bars(without_mmio, &[0, 6]);
    let isa = Guest::new(Variant::IsaVga);
    assert_eq!(isa.vga.bars().count(), 0, "isa-vga");
}

#[test]
fn isa_vga_has_no_configuration_space_but_8_mib_at_a_fixed_address() {
    let mut guest = Guest::new(Variant::IsaVga);
    expect_mappings(&guest, [range(0xe000_0000, 8 << 20), None, None]);
    guest.expect_dispi(VIDEO_MEMORY_64K, 0x80);
    guest.config_write(COMMAND, &COMMAND_MEMORY.to_le_bytes());
    guest.expect_effects(Effects::empty());
    guest.expect_config(0x00, [0xff; 4]);
    guest.expect_config(COMMAND, [0xff; 2]);
}

#[test]
fn an_access_that_leads_out_of_configuration_space_is_cut() {
    let mut guest = Guest::new(Variant::Vga);
    guest.config_write(0xfe, &[0x11, 0x22, 0x33, 0x44]);
    guest.expect_config(0xfd, [0x00, 0x11, 0x22, 0x00]);
    guest.expect_config(0x100, [0xff; 4]);
}

#[test]
fn an_access_of_three_bytes_is_void() {
    let mut guest = Guest::new(Variant::Vga);
    guest.config_write(COMMAND, &[0x02, 0x00, 0x00]);
    guest.expect_effects(Effects::empty());
    guest.expect_config(COMMAND, [0xff; 3]);
    guest.expect_config(COMMAND, [0x00; 4]);
}

#[test]
fn bar0_is_as_large_as_vram() {
    for (mib, size) in [(1, 0xfff0_0008), (3, 0xffc0_0008), (512, 0xe000_0008)] {
        let mut guest = Guest::with_vram(mib);
        guest.config_write(BAR0, &[0xff; 4]);
        guest.expect_config(BAR0, u32::to_le_bytes(size));
    }
}

#[test]
fn five_command_bits_and_no_status_bit_can_be_written() {
    let mut guest = Guest::new(Variant::Vga);
    guest.config_write(COMMAND, &[0xff; 4]);
    guest.expect_config(COMMAND, [0x07, 0x05, 0x00, 0x00]);
}

#[test]
fn the_device_has_no_interrupt_but_stores_a_line() {
    let mut guest = Guest::new(Variant::Vga);
    for (register, kept) in [
        (REVISION_ID, 0x02),
        (CACHE_LINE_SIZE, 0x5a),
        (LATENCY_TIMER, 0x00),
        (INTERRUPT_LINE, 0x5a),
        (INTERRUPT_PIN, 0x00),
    ] {
        guest.config_write(register, &[0x5a]);
        guest.expect_config(register, [kept]);
    }
}

#[test]
fn what_the_header_leaves_to_the_device_is_scratch_memory() {
    let mut guest = Guest::new(Variant::Vga);
    for offset in SCRATCH {
        guest.expect_config(offset, [0x00]);
        guest.config_write(offset, &[!offset as u8]);
    }
    for offset in SCRATCH {
        guest.expect_config(offset, [!offset as u8]);
    }
}

#[test]
fn the_legacy_ports_and_the_window_ignore_command() {
    let mut guest = Guest::new(Variant::Vga);
    guest.expect_config(COMMAND, [0, 0]);
    guest.mode_13h();
    guest.expect_inb(MISC_OUTPUT_READ, 0x63);
    guest.expect_dispi(ID, 0xb0c5);
    guest.window_write(5, &[0x42]);
    guest.expect_vram(5, [0x42]);
    let window = guest.vga.mappings().window;
    assert!(window.is_some(), "no part of the window is mapped");
}

#[test]
fn bars_and_rom_answer_where_the_guest_put_them_while_command_says_so() {
    let mut guest = Guest::with(Config::default().rom(vec![0x55; 0x8000]));
    guest.config_write(BAR0, &0xfd00_0000_u32.to_le_bytes());
    guest.config_write(BAR2, &0xfebf_0000_u32.to_le_bytes());
    guest.config_write(ROM_BAR, &0xfeb0_0001_u32.to_le_bytes());
    guest.expect_effects(Effects::empty());
    assert_eq!(guest.vga.mappings(), Mappings::default());

    guest.config_write(COMMAND, &COMMAND_MEMORY.to_le_bytes());
    guest.expect_effects(Effects::MAPPINGS);
    let (bar0, bar2) = (range(0xfd00_0000, 16 << 20), range(0xfebf_0000, 0x1000));
    let rom = range(0xfeb0_0000, 0x8000);
    expect_mappings(&guest, [bar0, bar2, rom]);

    // The ROM has a bit of its own.
    for (rom_bar, rom) in [(0xfeb0_0000_u32, None), (0xfeb0_0001, rom)] {
        guest.config_write(ROM_BAR, &rom_bar.to_le_bytes());
        guest.expect_effects(Effects::MAPPINGS);
        expect_mappings(&guest, [bar0, bar2, rom]);
    }
}

#[test]
fn moving_a_bar_is_told_once_and_only_while_it_is_decoded() {
    let mut guest = Guest::new(Variant::Vga);
    let bar0 = 0xfd00_0000_u32.to_le_bytes();
    for (offset, data, effects) in [
        (BAR0, &bar0[..], Effects::empty()),
        (COMMAND, &[0x02], Effects::MAPPINGS),
        (COMMAND, &[0x02], Effects::empty()),
        (BAR0, &bar0, Effects::empty()),
        // A byte of the address.
        (BAR0 + 3, &[0xfc], Effects::MAPPINGS),
        (COMMAND, &[0x00], Effects::MAPPINGS),
    ] {
        guest.config_write(offset, data);
        let told = guest.take_effects();
        assert_eq!(told, effects, "{data:02x?} to {offset:#04x}");
    }
}

#[test]
fn a_rom_of_one_byte_never_answers() {
    for (rom, answers) in [(vec![0x55], false), (vec![0x55, 0xaa], true)] {
        let bytes = rom.len();
        let mut guest = Guest::with(Config::default().rom(rom));
        guest.config_write(ROM_BAR, &0xfeb0_0001_u32.to_le_bytes());
        guest.config_write(COMMAND, &COMMAND_MEMORY.to_le_bytes());
        let mapped = guest.vga.mappings().rom.is_some();
        assert_eq!(mapped, answers, "a ROM of {bytes} bytes");
    }
}

#[test]
fn bars_do_not_answer_at_address_0_or_at_the_end_of_4_gib() {
    let mut guest = Guest::new(Variant::Vga);
    guest.config_write(COMMAND, &COMMAND_MEMORY.to_le_bytes());
    for (bar0, answers) in [
        (0x0000_0000, false),
        (0x0100_0000, true),
        (0xfe00_0000, true),
        (0xff00_0000, false),
    ] {
        guest.config_write(BAR0, &u32::to_le_bytes(bar0));
        let framebuffer = guest.vga.mappings().framebuffer;
        assert_eq!(framebuffer.is_some(), answers, "BAR0 at {bar0:#x}");
    }
    for (bar2, answers) in [
        (0x0000_0000, false),
        (0xffff_e000, true),
        (0xffff_f000, false),
    ] {
        guest.config_write(BAR2, &u32::to_le_bytes(bar2));
        let mmio = guest.vga.mappings().mmio;
        assert_eq!(mmio.is_some(), answers, "BAR2 at {bar2:#x}");
    }
}

#[test]
fn a_placed_bar_reads_as_placed_and_answers_once_memory_is_enabled() {
    let mut guest = Guest::with(Config::default().rom(vec![0x55; 0x8000]));
    let places = [(0, 0xfd00_0000), (2, 0xfebf_0000), (6, 0xfeb0_0000)];
    for (index, address) in places {
        let bar = guest.vga.bar(index).expect("a BAR");
        assert_eq!(bar.address, GuestAddress(0), "BAR {index}");
        let effects = guest.vga.place_bar(&bar, GuestAddress(address));
        assert_eq!(effects, Ok(Effects::empty()), "BAR {index}");
        let placed = guest.vga.bar(index).map(|bar| bar.address);
        assert_eq!(placed, Some(GuestAddress(address)), "BAR {index}");
    }
    assert_eq!(guest.vga.counters().config.writes, 0, "not the guest's");
    guest.expect_config(ROM_BAR, 0xfeb0_0000_u32.to_le_bytes());
    guest.config_write(ROM_BAR, &[1]);
    guest.config_write(COMMAND, &COMMAND_MEMORY.to_le_bytes());
    let ranges = [
        range(0xfd00_0000, 16 << 20),
        range(0xfebf_0000, 0x1000),
        range(0xfeb0_0000, 0x8000),
    ];
    expect_mappings(&guest, ranges);

    // The ROM stays enabled where it's moved to.
    let rom = guest.vga.bar(6).expect("a ROM BAR");
    let moved = guest.vga.place_bar(&rom, GuestAddress(0xfea0_0000));
    assert_eq!(moved, Ok(Effects::MAPPINGS));
    expect_mappings(&guest, [ranges[0], ranges[1], range(0xfea0_0000, 0x8000)]);
}

#[test]
fn a_bar_cant_be_placed_where_it_would_never_answer() {
    let mut guest = Guest::new(Variant::Vga);
    let bar0 = guest.vga.bar(0).expect("BAR0");
    for address in [0, 0xfd00_1000, 0xff00_0000, 1 << 32, u64::MAX] {
        let error = guest.vga.place_bar(&bar0, GuestAddress(address));
        let (index, len) = (0, 16 << 20);
        assert_eq!(
            error,
            Err(PlaceBarError::Address {
                index,
                address,
                len
            })
        );
    }
    guest.expect_config(BAR0, [0x08, 0, 0, 0]);
    let isa = |bar: &Bar| {
        Guest::new(Variant::IsaVga)
            .vga
            .place_bar(bar, GuestAddress(1 << 24))
    };
    let (index, len) = (0, 16 << 20);
    assert_eq!(isa(&bar0), Err(PlaceBarError::Missing { index, len }));
}

#[test]
fn registers_past_configuration_space_stay_past_it() {
    assert_eq!(config_offset(1, 0), COMMAND);
    assert_eq!(config_offset(64, 0), 256);
    assert_eq!(config_offset(usize::MAX, u64::MAX), u16::MAX);
}
