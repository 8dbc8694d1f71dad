// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device in Cloud Hypervisor.

mod api;
mod machine;

use std::io;
use std::sync::{Arc, Barrier, Mutex, PoisonError};

use stdvga::Vram;
use vm_memory::{GuestAddress, MmapRegion};

use self::api::*;
use crate::shared::{GuestMemory, Region, SharedVga, Source, config_offset, place_bar};

/// On the I/O bus, once for each of `Variant::port_ranges`.
pub struct Ports(pub SharedVga);

impl BusDevice for Ports {
    fn read(&mut self, base: u64, offset: u64, data: &mut [u8]) {
        self.0
            .with(|vga| vga.port_read((base + offset) as u16, data));
    }

    fn write(&mut self, base: u64, offset: u64, data: &[u8]) -> Option<Arc<Barrier>> {
        self.0
            .write(|vga| vga.port_write((base + offset) as u16, data));
        None
    }
}

/// On the MMIO bus: at `WINDOW`, and where the BARs are.
pub struct Memory(pub SharedVga);

impl BusDevice for Memory {
    fn read(&mut self, base: u64, offset: u64, data: &mut [u8]) {
        let address = GuestAddress(base + offset);
        self.0.with(|vga| vga.memory_read(address, data));
    }

    fn write(&mut self, base: u64, offset: u64, data: &[u8]) -> Option<Arc<Barrier>> {
        let address = GuestAddress(base + offset);
        self.0.write(|vga| vga.memory_write(address, data));
        None
    }
}

/// On the PCI bus.
pub struct PciVga {
    memory: Memory,
    /// Where BAR0 and BAR2 are registered on the MMIO bus.
    registered: [u64; 2],
}

impl PciVga {
    /// `bars` are the addresses that `allocate_bars` chose: for a device that was restored, those that it
    /// has.
    pub fn new(vga: SharedVga, bars: [u32; 2]) -> Self {
        place_bar(&vga, 0, bars[0]);
        place_bar(&vga, 2, bars[1]);
        Self {
            memory: Memory(vga),
            registered: bars.map(u64::from),
        }
    }
}

impl PciDevice for PciVga {
    fn write_config_register(
        &mut self,
        reg_idx: usize,
        offset: u64,
        data: &[u8],
    ) -> (Vec<BarReprogrammingParams>, Option<Arc<Barrier>>) {
        let vga = &self.memory.0;
        vga.write(|vga| vga.config_write(config_offset(reg_idx, offset), data));
        let mappings = vga.with(|vga| vga.mappings());
        // A BAR that isn't decoded stays registered where it was. Nothing answers there.
        let decoded = [mappings.framebuffer, mappings.mmio].into_iter();
        let moved = decoded
            .zip(self.registered)
            .filter_map(|(range, old_base)| {
                let range = range.filter(|range| range.base.0 != old_base)?;
                Some(BarReprogrammingParams {
                    old_base,
                    new_base: range.base.0,
                    len: range.len,
                    region_type: PciBarRegionType::Memory32BitRegion,
                })
            });
        (moved.collect(), None)
    }

    fn read_config_register(&mut self, reg_idx: usize) -> u32 {
        let mut data = [0; 4];
        let offset = config_offset(reg_idx, 0);
        self.memory.0.with(|vga| vga.config_read(offset, &mut data));
        u32::from_le_bytes(data)
    }

    fn read_bar(&mut self, base: u64, offset: u64, data: &mut [u8]) {
        self.memory.read(base, offset, data);
    }

    fn write_bar(&mut self, base: u64, offset: u64, data: &[u8]) -> Option<Arc<Barrier>> {
        self.memory.write(base, offset, data)
    }

    fn move_bar(&mut self, old_base: u64, new_base: u64) -> io::Result<()> {
        for base in self.registered.iter_mut().filter(|base| **base == old_base) {
            *base = new_base;
        }
        Ok(())
    }
}

/// The guest's memory.
pub struct Slots<M> {
    manager: Arc<Mutex<M>>,
    vram: Vram,
    /// A copy of the ROM that starts at a page.
    rom: MmapRegion,
    /// The hypervisor's slots, and what each shows.
    slots: [Option<(u32, Region)>; 3],
}

impl<M: MemoryManager> Slots<M> {
    fn host_address(&self, region: &Region) -> u64 {
        match region.source {
            Source::Vram(offset) => self.vram.region().as_ptr() as u64 + offset,
            Source::Rom => self.rom.as_ptr() as u64,
        }
    }
}

impl<M: MemoryManager> GuestMemory for Slots<M> {
    fn map(&mut self, slot: usize, region: &Region) -> io::Result<()> {
        let host = self.host_address(region);
        let readonly = region.source == Source::Rom;
        let mut manager = self.manager.lock().unwrap_or_else(PoisonError::into_inner);
        let number = manager.create_userspace_mapping(
            region.guest,
            region.len,
            host,
            false,
            readonly,
            false,
        )?;
        self.slots[slot] = Some((number, *region));
        Ok(())
    }

    fn unmap(&mut self, slot: usize) {
        if let Some((number, region)) = self.slots[slot].take() {
            let host = self.host_address(&region);
            let mut manager = self.manager.lock().unwrap_or_else(PoisonError::into_inner);
            // A mapping that was created can't be refused.
            let _ = manager.remove_userspace_mapping(region.guest, region.len, host, false, number);
        }
    }
}
