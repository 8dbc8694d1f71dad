// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The board: every device of the machine, and which access reaches which. This is the model of how
//! a VMM embeds the VGA; nothing in here knows of KVM.

use stdvga::embedding::{string_in, string_out};
use stdvga::{Effects, MappedRange, Mappings, StdVga, WINDOW};
use vm_memory::{GuestAddress, GuestMemoryMmap};

use crate::cmos::Cmos;
use crate::console::Console;
use crate::fw_cfg::FwCfg;
use crate::i8042::I8042;
use crate::pci::{Pci, Target};
use crate::serial::Serial;

/// The first serial port's registers.
const COM1: u16 = 0x3f8;
const COM1_END: u16 = 0x3ff;

/// The devices behind the buses.
pub struct Board {
    pub vga: StdVga,
    pub keyboard: I8042,
    pub serial: Serial,
    pub counts: Counts,
    /// The guest's RAM, for fw_cfg's DMA.
    pub ram: GuestMemoryMmap,
    pub pci: Pci,
    pub fw_cfg: FwCfg,
    pub cmos: Cmos,
    pub console: Console,
    /// Where the VGA's ranges are now: asked for again only when an access says that it changed them.
    pub mappings: Mappings,
    /// What the display thread should tell the user.
    pub notes: Vec<String>,
    noted: u32,
    /// The guest asked for a reset through port 0xcf9.
    pub reset: bool,
}

impl Board {
    /// A board in its power-on state.
    pub fn new(vga: StdVga, ram: GuestMemoryMmap, fw_cfg: FwCfg, cmos: Cmos, echo: bool) -> Self {
        Self {
            mappings: vga.mappings(),
            vga,
            keyboard: I8042::new(),
            serial: Serial::new(),
            counts: Counts::default(),
            ram,
            pci: Pci::new(),
            fw_cfg,
            cmos,
            console: Console::new(echo),
            notes: Vec::new(),
            noted: 0,
            reset: false,
        }
    }

    /// The guest reads `size` bytes from a port, once or (`rep ins`) several times in a row.
    pub fn port_reads(&mut self, port: u16, size: usize, data: &mut [u8]) {
        string_in(size, data, |access| self.port_read(port, access));
    }

    /// The guest writes `size` bytes to a port, once or (`rep outs`) several times in a row.
    pub fn port_writes(&mut self, port: u16, size: usize, data: &[u8]) -> Effects {
        let mut effects = Effects::empty();
        string_out(size, data, |access| {
            effects |= self.port_write(port, access)
        });
        effects
    }

    /// The guest reads from a port: one access of 1, 2 or 4 bytes.
    pub fn port_read(&mut self, port: u16, data: &mut [u8]) {
        if is_vga(port) {
            self.counts.vga_in += 1;
            return self.vga.port_read(port, data);
        }
        self.counts.other_ports += 1;
        match (port, data) {
            (0x60 | 0x64, [byte]) => *byte = self.keyboard.read(port),
            (0x70 | 0x71, [byte]) => *byte = self.cmos.read(port),
            (COM1..=COM1_END, [byte]) => *byte = self.serial.read(port - COM1),
            (0x402, [byte]) => *byte = Console::PRESENT,
            (0x510..=0x51b, data) => self.fw_cfg.read(port, data),
            (0xcf8..=0xcff, data) => match self.pci.target(port, data.len()) {
                Target::Address => self.pci.read_address(data),
                Target::Bridge(offset) => self.pci.read_bridge(offset, data),
                Target::Vga(offset) => self.vga.config_read(offset, data),
                Target::Nothing => data.fill(0xff),
            },
            (_, data) => data.fill(0xff),
        }
    }

    /// The guest writes to a port: one access of 1, 2 or 4 bytes.
    pub fn port_write(&mut self, port: u16, data: &[u8]) -> Effects {
        if is_vga(port) {
            self.counts.vga_out += 1;
            let effects = self.vga.port_write(port, data);
            return self.follow(effects);
        }
        self.counts.other_ports += 1;
        match (port, data) {
            (0x60 | 0x64, &[byte]) => self.keyboard.write(port, byte),
            (0x70 | 0x71, &[byte]) => self.cmos.write(port, byte),
            (COM1..=COM1_END, &[byte]) => self.serial.write(port - COM1, byte),
            (0x402, &[byte]) => self.console.write(byte),
            (0x510..=0x51b, data) => self.fw_cfg.write(port, data, &self.ram),
            (0xcf9, &[byte]) => self.reset |= byte & 4 != 0,
            (0xcf8..=0xcff, data) => match self.pci.target(port, data.len()) {
                Target::Address => self.pci.write_address(data),
                Target::Bridge(offset) => self.pci.write_bridge(offset, data),
                Target::Vga(offset) => {
                    let effects = self.vga.config_write(offset, data);
                    return self.follow(effects);
                }
                Target::Nothing => {}
            },
            _ => {}
        }
        Effects::empty()
    }

    /// The guest reads from an address that no memory slot backs.
    pub fn mmio_read(&mut self, address: u64, data: &mut [u8]) {
        let address = GuestAddress(address);
        self.count(address);
        self.vga.memory_read(address, data);
    }

    /// The guest writes to an address that no memory slot backs, or a read-only one.
    pub fn mmio_write(&mut self, address: u64, data: &[u8]) -> Effects {
        let address = GuestAddress(address);
        self.count(address);
        let effects = self.vga.memory_write(address, data);
        self.follow(effects)
    }

    /// The guest wrote to the window, and no exit was made for it: addresses and bytes.
    pub fn coalesced_writes<'a>(&mut self, writes: impl ExactSizeIterator<Item = (u64, &'a [u8])>) {
        self.counts.window += writes.len() as u64;
        self.counts.coalesced += writes.len() as u64;
        let from_start = writes.map(|(address, data)| (address.wrapping_sub(WINDOW.start), data));
        self.vga.window_writes(from_start);
    }

    /// Something that the user should know. A guest can't fill memory or the terminal with it.
    pub fn note(&mut self, note: String) {
        const MOST: u32 = 32;
        self.noted += 1;
        match self.noted {
            ..MOST => self.notes.push(note),
            MOST => self
                .notes
                .push("further messages like these aren't shown".into()),
            _ => self.noted = MOST + 1,
        }
    }

    /// Whether the guest asked for a reset of the machine.
    pub fn reset_requested(&self) -> bool {
        self.reset || self.keyboard.reset_requested()
    }

    /// Counts an access to one of the VGA's ranges, or to none.
    fn count(&mut self, address: GuestAddress) {
        let Mappings {
            framebuffer,
            mmio,
            rom,
            ..
        } = self.mappings;
        let is_in = |range: Option<MappedRange>| range.and_then(|r| r.offset_of(address)).is_some();
        let counts = &mut self.counts;
        let counter = match address {
            _ if WINDOW.contains(&address.0) => &mut counts.window,
            _ if is_in(rom) => &mut counts.rom,
            _ if is_in(mmio) => &mut counts.bar2,
            _ if is_in(framebuffer) => &mut counts.bar0,
            _ => &mut counts.other_mmio,
        };
        *counter += 1;
    }

    fn follow(&mut self, effects: Effects) -> Effects {
        if effects.contains(Effects::MAPPINGS) {
            self.mappings = self.vga.mappings();
        }
        effects
    }
}

/// Whether an access that starts at `port` may reach the VGA: also one of 4 bytes that starts up to
/// 3 ports below one of its ranges.
fn is_vga(port: u16) -> bool {
    matches!(port, 0x1cb..=0x1d1 | 0x3b1..=0x3df)
}

/// How often the guest made the VMM work: exits, and the accesses that they were for. A `rep outs` is
/// one exit for many accesses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub exits: u64,
    pub vga_in: u64,
    pub vga_out: u64,
    pub other_ports: u64,
    pub window: u64,
    /// Those of `window` that came without an exit.
    pub coalesced: u64,
    pub bar2: u64,
    pub bar0: u64,
    pub rom: u64,
    pub other_mmio: u64,
    pub slot_changes: u64,
}

impl Counts {
    /// Accesses to the VGA: a guest that makes none for some time has finished its picture.
    pub fn vga(&self) -> u64 {
        self.vga_in + self.vga_out + self.window + self.bar2 + self.bar0 + self.rom
    }
}

#[cfg(test)]
mod tests {
    use stdvga::Config;

    use super::*;

    fn board() -> Board {
        let vga = StdVga::new(Config::default()).unwrap();
        let ram = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), 0x1000)]).unwrap();
        Board::new(vga, ram, FwCfg::new(Vec::new()), Cmos::new(0x1000), false)
    }

    #[test]
    fn string_io_is_split_into_accesses_of_its_size_to_the_same_port() {
        let mut board = board();
        let _ = board.port_write(0x3c8, &[5]);
        let _ = board.port_writes(0x3c9, 1, &[1, 2, 3, 4, 5, 6]);
        let _ = board.port_write(0x3c7, &[5]);
        let mut entries = [0; 6];
        board.port_reads(0x3c9, 1, &mut entries);
        assert_eq!(entries, [1, 2, 3, 4, 5, 6]);
        assert_eq!((board.counts.vga_out, board.counts.vga_in), (8, 6));
    }

    #[test]
    fn the_framebuffer_is_served_when_it_traps_and_follows_its_bar() {
        let mut board = board();
        let mut config = |register: u32, value: u32| {
            let _ = board.port_write(0xcf8, &(crate::pci::VGA_ADDRESS | register).to_le_bytes());
            board.port_write(0xcfc, &value.to_le_bytes())
        };
        let _ = config(0x04, 2);
        let effects = config(0x10, 0xe000_0000);
        assert!(effects.contains(Effects::MAPPINGS), "{effects:?}");
        let effects = board.mmio_write(0xe000_0010, &[1, 2, 3, 4]);
        assert_eq!(effects, Effects::empty());
        let mut data = [0; 4];
        board.mmio_read(0xe000_0010, &mut data);
        assert_eq!((data, board.counts.bar0), ([1, 2, 3, 4], 2));
        board.mmio_read(0xd000_0010, &mut data);
        assert_eq!((data, board.counts.other_mmio), ([0xff; 4], 1));
    }

    #[test]
    fn a_wide_access_that_starts_below_a_range_is_handed_over_whole() {
        let mut board = board();
        let mut data = [0; 4];
        board.port_read(0x1cd, &mut data);
        assert_eq!(data, [0xff, 0, 0, 0xff]); // nothing, the DISPI index, nothing
    }

    /// Numbers that look random, the same in every run.
    fn numbers() -> impl FnMut() -> u64 {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        }
    }

    #[test]
    fn a_guest_that_does_anything_at_all_does_not_end_the_board() {
        let (mut board, mut number) = (board(), numbers());
        for _ in 0..200_000 {
            let (len, value) = (1 << (number() % 3), number().to_le_bytes());
            let port = match number() % 4 {
                0 => number() as u16,
                1 => 0x3b0 + (number() % 0x30) as u16,
                2 => 0xcf8 + (number() % 8) as u16,
                _ => [0x60, 0x64, 0x70, 0x71, 0x510, 0x511, 0x514, 0x518][number() as usize % 8],
            };
            let address = match number() % 3 {
                0 => number(),
                1 => 0xa_0000 + number() % 0x2_0000,
                _ => board.mappings.mmio.map_or(0, |bar| bar.base.0) + number() % 0x1000,
            };
            let mut data = value;
            let _ = board.port_write(port, &data[..len]);
            board.port_read(port, &mut data[..len]);
            let _ = board.mmio_write(address, &value[..len]);
            board.mmio_read(address, &mut data);
        }
        assert!(
            board.keyboard.reset_requested(),
            "the numbers reach few registers"
        );
    }
}
