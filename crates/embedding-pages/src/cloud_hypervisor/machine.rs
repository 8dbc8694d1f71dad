// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! As much of Cloud Hypervisor as a guest needs to reach the device.

use std::collections::BTreeMap;

use stdvga::embedding::{string_in, string_out, MappedRegions};
use stdvga::{StdVga, Variant, WINDOW};

use super::*;
use crate::guest::{self, vga, Machine as _, Shown, BARS, MIB};

/// A memory manager that remembers what it mapped, by the slot.
#[derive(Default)]
struct Manager {
    vram: u64,
    mapped: BTreeMap<u32, Shown>,
    next: u32,
}

impl MemoryManager for Manager {
    fn create_userspace_mapping(
        &mut self,
        guest_phys_addr: u64,
        memory_size: u64,
        userspace_addr: u64,
        _mergeable: bool,
        readonly: bool,
        _log_dirty: bool,
    ) -> io::Result<u32> {
        self.next += 1;
        let shown = Shown {
            base: guest_phys_addr,
            len: memory_size,
            vram: (!readonly).then(|| userspace_addr - self.vram),
        };
        self.mapped.insert(self.next, shown);
        Ok(self.next)
    }

    fn remove_userspace_mapping(
        &mut self,
        guest_phys_addr: u64,
        memory_size: u64,
        _userspace_addr: u64,
        _mergeable: bool,
        slot: u32,
    ) -> io::Result<()> {
        let removed = self
            .mapped
            .remove(&slot)
            .map(|shown| (shown.base, shown.len));
        assert_eq!(removed, Some((guest_phys_addr, memory_size)));
        Ok(())
    }
}

/// Ranges of a bus: base and length.
struct Bus(Vec<(u64, u64)>);

impl Bus {
    fn resolve(&self, address: u64) -> Option<(u64, u64)> {
        let inside = |(base, len): &&(u64, u64)| (*base..base + len).contains(&address);
        let (base, _) = self.0.iter().find(inside)?;
        Some((*base, address - base))
    }
}

struct Machine {
    vga: SharedVga,
    manager: Arc<Mutex<Manager>>,
    ports: Ports,
    io_bus: Bus,
    memory: Memory,
    mmio_bus: Bus,
    pci: PciVga,
    /// An address to which the bus moves nothing.
    refused: Option<u64>,
}

impl Machine {
    fn new() -> Self {
        let (vga, _) = vga();
        let vram = vga.vram().clone();
        let manager = Arc::new(Mutex::new(Manager {
            vram: vram.region().as_ptr() as u64,
            ..Manager::default()
        }));
        let slots = Slots {
            manager: manager.clone(),
            vram,
            rom: vga.rom().cloned(),
            slots: [None; 3],
        };
        let vga = SharedVga::new(vga, MappedRegions::new(slots), guest::expect_no_errors);
        let ranges = Variant::Vga.port_ranges().iter();
        let window = (WINDOW.start, WINDOW.end - WINDOW.start);
        let [bar0, bar2] = BARS.map(u64::from);
        Self {
            manager,
            ports: Ports(vga.clone()),
            io_bus: Bus(ranges
                .map(|ports| ((*ports.start()).into(), ports.len() as u64))
                .collect()),
            memory: Memory(vga.clone()),
            mmio_bus: Bus(vec![window, (bar0, 2 * MIB), (bar2, 0x1000)]),
            pci: PciVga::new(vga.clone(), [bar0, bar2]).expect("addresses that fit"),
            vga,
            refused: None,
        }
    }
}

impl guest::Machine for Machine {
    fn port_writes(&mut self, port: u16, size: usize, data: &[u8]) {
        let (base, offset) = self.io_bus.resolve(port.into()).expect("a VGA port");
        string_out(size, data, |access| {
            self.ports.write(base, offset, access);
        });
    }

    fn port_reads(&mut self, port: u16, size: usize, data: &mut [u8]) {
        let (base, offset) = self.io_bus.resolve(port.into()).expect("a VGA port");
        string_in(size, data, |access| self.ports.read(base, offset, access));
    }

    fn memory_write(&mut self, address: u64, data: &[u8]) {
        if let Some((base, offset)) = self.mmio_bus.resolve(address) {
            self.memory.write(base, offset, data);
        }
    }

    fn memory_read(&mut self, address: u64, data: &mut [u8]) {
        match self.mmio_bus.resolve(address) {
            Some((base, offset)) => self.memory.read(base, offset, data),
            None => data.fill(0xff),
        }
    }

    fn config_write(&mut self, offset: u16, value: u32) {
        let register = usize::from(offset) / 4;
        let (moved, _) = self
            .pci
            .write_config_register(register, 0, &value.to_le_bytes());
        for bar in moved {
            if self.refused == Some(bar.new_base) {
                self.pci.restore_bar_addr(&bar);
                continue;
            }
            let registered = self.mmio_bus.0.iter_mut();
            for range in registered.filter(|range| **range == (bar.old_base, bar.len)) {
                range.0 = bar.new_base;
            }
            self.pci
                .move_bar(bar.old_base, bar.new_base)
                .expect("a BAR");
        }
    }

    fn config_read(&mut self, offset: u16) -> u32 {
        self.pci.read_config_register(usize::from(offset) / 4)
    }

    fn reset(&mut self) {
        self.vga.write(StdVga::reset);
    }

    fn shown(&self) -> Vec<Shown> {
        let mut shown: Vec<_> = self
            .manager
            .lock()
            .unwrap()
            .mapped
            .values()
            .cloned()
            .collect();
        shown.sort();
        shown
    }

    fn vga(&self) -> &SharedVga {
        &self.vga
    }
}

#[test]
fn a_guest_runs() {
    guest::run(&mut Machine::new());
}

#[test]
fn a_bar_whose_move_was_refused_stays_where_it_was() {
    let mut machine = Machine::new();
    machine.config_write(0x04, 2);
    let [bar0, bar2] = BARS.map(u64::from);
    let shown = machine.shown();
    assert_eq!(shown.first().map(|shown| shown.base), Some(bar0));
    for (register, place) in [(0x10, bar0), (0x18, bar2)] {
        let other = 0xf000_0000;
        machine.refused = Some(other);
        machine.config_write(register, other as u32);
        let reads = u64::from(machine.config_read(register)) & !0xf;
        assert_eq!(reads, place, "the BAR at {register:#x}");
    }
    assert_eq!(machine.shown(), shown);
    let mut id = [0; 2];
    machine.memory_read(bar2 + 0x500, &mut id);
    assert_eq!(id, [0xc5, 0xb0], "BAR2 answers");
}

#[test]
fn a_move_that_the_bus_didnt_make_is_asked_for_again() {
    let mut machine = Machine::new();
    machine.config_write(0x18, 0xf000_0000);
    for _ in 0..2 {
        let (moved, _) = machine.pci.write_config_register(1, 0, &[2]);
        let moved: Vec<_> = moved
            .iter()
            .map(|bar| (bar.old_base, bar.new_base))
            .collect();
        assert_eq!(moved, [(u64::from(BARS[1]), 0xf000_0000)]);
    }
}
