// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The guest that runs on each VMM's buses, and what it finds.

use std::fs::File;
use std::time::Duration;

use stdvga::embedding::{Change, Picture, SharedVga};
use stdvga::{Config, Dirty, StdVga};
use stdvga_testing::driver::registers::*;

pub const MIB: u64 = 1 << 20;
/// Where the VMM's own choice of addresses, where it makes one, has BAR0 and BAR2.
pub const BARS: [u32; 2] = [0xe000_0000, 0xe100_0000];

/// Memory that is mapped into the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    pub base: u64,
    pub len: u64,
    /// The first byte of VRAM. `None` for the ROM, which is read-only.
    pub vram: Option<u64>,
}

impl Shown {
    fn vram(base: u64, len: u64, offset: u64) -> Self {
        let vram = Some(offset);
        Self { base, len, vram }
    }
}

/// A VMM, as a guest sees it.
pub trait Machine {
    /// An exit with `size` bytes for each access: more of them for `rep outs`.
    fn port_writes(&mut self, port: u16, size: usize, data: &[u8]);
    fn port_reads(&mut self, port: u16, size: usize, data: &mut [u8]);
    fn memory_write(&mut self, address: u64, data: &[u8]);
    fn memory_read(&mut self, address: u64, data: &mut [u8]);
    /// A register of configuration space.
    fn config_write(&mut self, offset: u16, value: u32);
    fn config_read(&mut self, offset: u16) -> u32;
    fn reset(&mut self);
    /// What is mapped into the guest, in the order of the addresses.
    fn shown(&self) -> Vec<Shown>;
    /// The device, as the display thread has it.
    fn vga(&self) -> &SharedVga;
}

/// What VMMs do with changes here: all of this guest's regions can be mapped.
pub fn expect_no_errors(change: Change<'_>) {
    assert!(change.errors.is_empty(), "{:?}", change.errors);
}

/// A device with 2 MiB of VRAM in a file, and a ROM of a page.
pub fn vga() -> (StdVga, File) {
    let file = tempfile::tempfile().expect("a file");
    file.set_len(2 * MIB).expect("a file of 2 MiB");
    let clone = file.try_clone().expect("another descriptor");
    let config = Config::default().vram_mib(2).rom(vec![0x55; 4096]);
    let vga = StdVga::with_vram_file(config, clone).expect("a valid configuration");
    (vga, file)
}

/// Runs a guest that does what firmware and drivers do.
pub fn run(machine: &mut impl Machine) {
    finds_and_places_the_device(machine);
    writes_strings_to_ports(machine);
    draws_through_bar0_and_bar2(machine);
    maps_the_window(machine);
    moves_the_bars(machine);
    resets(machine);
}

fn finds_and_places_the_device(machine: &mut impl Machine) {
    assert_eq!(machine.config_read(0x00), 0x1111_1234, "vendor and device");
    assert_eq!(machine.config_read(0x100), u32::MAX, "no extended space");
    machine.config_write(COMMAND, 0);
    for (bar, size) in [
        (BAR0, 0xffe0_0008),
        (BAR2, 0xffff_f000),
        (ROM_BAR, 0xffff_f001),
    ] {
        machine.config_write(bar, u32::MAX);
        assert_eq!(machine.config_read(bar), size, "the BAR at {bar:#x}");
    }
    machine.config_write(BAR0, 0xf000_0000);
    machine.config_write(BAR2, 0xf100_0000);
    machine.config_write(ROM_BAR, 0xf110_0001);
    assert_eq!(machine.shown(), [], "nothing is decoded");
    machine.config_write(COMMAND, COMMAND_MEMORY.into());
    let expected = [
        Shown::vram(0xf000_0000, 2 * MIB, 0),
        Shown {
            base: 0xf110_0000,
            len: 4096,
            vram: None,
        },
    ];
    assert_eq!(machine.shown(), expected);
    machine.config_write(ROM_BAR, 0);
    assert_eq!(machine.shown(), expected[..1]);
}

fn writes_strings_to_ports(machine: &mut impl Machine) {
    machine.port_writes(DAC_WRITE_INDEX, 1, &[0]);
    machine.port_writes(DAC_DATA, 1, &[1, 2, 3, 4, 5, 6, 7, 8]);
    machine.port_writes(DAC_DATA, 1, &[9]);
    machine.port_writes(DAC_READ_INDEX, 1, &[0]);
    let mut entries = [0; 9];
    machine.port_reads(DAC_DATA, 1, &mut entries);
    assert_eq!(entries, [1, 2, 3, 4, 5, 6, 7, 8, 9], "by single bytes");
    // Index and data in one word, three times.
    let words = [COLOR_COMPARE, 0x07, DATA_ROTATE, 0x05, BIT_MASK, 0x5a];
    machine.port_writes(GRAPHICS, 2, &words);
    let mut word = [0; 2];
    machine.port_reads(GRAPHICS, 2, &mut word);
    assert_eq!(word, [BIT_MASK, 0x5a]);
}

fn draws_through_bar0_and_bar2(machine: &mut impl Machine) {
    // 64x48 with 32 bits a pixel, by DISPI, and the palette switched on.
    for (register, value) in [(XRES, 64_u16), (YRES, 48), (BPP, 32), (ENABLE, 1)] {
        machine.memory_write(0xf100_0000 + bar2_dispi(register), &value.to_le_bytes());
    }
    machine.memory_write(
        0xf100_0000 + bar2_port(ATTRIBUTE),
        &[PALETTE_ADDRESS_SOURCE],
    );
    machine.memory_write(0xf000_0000, &0x0012_3456_u32.to_le_bytes());

    let mut picture = Picture::new(64 * 48);
    let (scanout, vram) = machine
        .vga()
        .with(|vga| (vga.scanout(), vga.vram().clone()));
    let damage = picture
        .refresh(&scanout, &vram, Dirty::Compare, Duration::ZERO)
        .expect("memory for the picture");
    let is_damaged = damage.is_some_and(|damage| !damage.is_empty());
    assert!(is_damaged, "the first frame reports no damage");
    let size = picture.size();
    assert_eq!((size.width, size.height), (64, 48));
    assert_eq!(picture.pixels()[..2], [0x0012_3456, 0]);
}

fn maps_the_window(machine: &mut impl Machine) {
    let bar0 = Shown::vram(0xf000_0000, 2 * MIB, 0);
    let bank = |bank: u64| [Shown::vram(0xa_0000, 64 << 10, bank << 16), bar0];
    assert_eq!(machine.shown(), bank(0), "a DISPI mode maps the window");
    let dispi = |machine: &mut dyn Machine, register: u16, value: u16| {
        machine.port_writes(DISPI_INDEX, 2, &register.to_le_bytes());
        machine.port_writes(DISPI_DATA, 2, &value.to_le_bytes());
    };
    dispi(machine, BANK, 3);
    assert_eq!(machine.shown(), bank(3));
    machine.memory_write(0xa_0004, &[0x77]);
    let mut byte = [0];
    machine.memory_read(0xf003_0004, &mut byte);
    assert_eq!(byte, [0x77], "what trapped at 0xa0004");

    dispi(machine, ENABLE, 0);
    assert_eq!(machine.shown(), [bar0]);
}

fn moves_the_bars(machine: &mut impl Machine) {
    let mut id = [0; 2];
    machine.memory_read(0xf100_0000 + bar2_dispi(ID), &mut id);
    assert_eq!(id, [0xc5, 0xb0]);
    machine.config_write(BAR2, 0xf200_0000);
    machine.memory_read(0xf100_0000 + bar2_dispi(ID), &mut id);
    assert_eq!(id, [0xff; 2], "the old place of BAR2");
    machine.memory_read(0xf200_0000 + bar2_dispi(ID), &mut id);
    assert_eq!(id, [0xc5, 0xb0], "the new place of BAR2");
    machine.config_write(BAR0, 0xf100_0000);
    assert_eq!(machine.shown(), [Shown::vram(0xf100_0000, 2 * MIB, 0)]);
    machine.memory_write(0xf108_0000, &[0x12, 0x34]);
    machine.memory_read(0xf108_0000, &mut id);
    assert_eq!(id, [0x12, 0x34], "BAR0 where BAR2 was");
}

fn resets(machine: &mut impl Machine) {
    machine.reset();
    assert_eq!(machine.shown(), []);
    assert_eq!(machine.config_read(BAR0), 8);
    let mut id = [0; 2];
    machine.memory_read(0xf200_0000 + bar2_dispi(ID), &mut id);
    assert_eq!(id, [0xff; 2], "BAR2 isn't decoded");
}
