// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device in Cloud Hypervisor.

mod api;

use std::io;
use std::sync::{Arc, Barrier, Mutex, PoisonError};

use stdvga::embedding::{Region, RegionKind, RegionMapper, SharedVga};
use stdvga::vm_memory::GuestAddress;
use stdvga::{config_offset, Bar, PlaceBarError, Rom, Vram};

use self::api::*;

/// On the I/O bus, at all of `Variant::port_ranges`.
pub struct Ports(pub SharedVga);

impl BusDeviceSync for Ports {
    fn read(&self, base: u64, offset: u64, data: &mut [u8]) {
        self.0
            .with(|vga| vga.port_read((base + offset) as u16, data));
    }

    fn write(&self, base: u64, offset: u64, data: &[u8]) -> Option<Arc<Barrier>> {
        self.0
            .write(|vga| vga.port_write((base + offset) as u16, data));
        None
    }
}

/// On the MMIO bus: at `WINDOW`, and where BAR0 and BAR2 are.
pub struct Memory(pub SharedVga);

impl BusDeviceSync for Memory {
    fn read(&self, base: u64, offset: u64, data: &mut [u8]) {
        let address = GuestAddress(base + offset);
        self.0.with(|vga| vga.memory_read(address, data));
    }

    fn write(&self, base: u64, offset: u64, data: &[u8]) -> Option<Arc<Barrier>> {
        let address = GuestAddress(base + offset);
        self.0.write(|vga| vga.memory_write(address, data));
        None
    }
}

/// On the PCI bus.
pub struct PciVga {
    vga: SharedVga,
    /// BAR0 and BAR2, with the addresses at which they're registered on the MMIO bus.
    registered: Vec<Bar>,
}

impl PciVga {
    /// Places BAR0 and BAR2 at the addresses that `allocate_bars` chose.
    pub fn new(vga: SharedVga, addresses: [u64; 2]) -> Result<Self, PlaceBarError> {
        let bars = vga.with(|vga| vga.bars());
        let mut registered = Vec::new();
        for (mut bar, address) in bars.zip(addresses) {
            bar.address = GuestAddress(address);
            vga.place_bar(&bar, bar.address)?;
            registered.push(bar);
        }
        Ok(Self { vga, registered })
    }
}

impl PciDevice for PciVga {
    fn write_config_register(
        &mut self,
        reg_idx: usize,
        offset: u64,
        data: &[u8],
    ) -> (Vec<BarReprogrammingParams>, Option<Arc<Barrier>>) {
        self.vga
            .write(|vga| vga.config_write(config_offset(reg_idx, offset), data));
        let mappings = self.vga.with(|vga| vga.mappings());
        // A BAR that isn't decoded stays registered at its old address. Nothing answers there.
        let moved = self.registered.iter().filter_map(|bar| {
            let range = mappings.bar(bar.index)?;
            (range.base != bar.address).then_some(BarReprogrammingParams {
                old_base: bar.address.0,
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
        self.vga.with(|vga| vga.config_read(offset, &mut data));
        u32::from_le_bytes(data)
    }

    fn move_bar(&mut self, old_base: u64, new_base: u64) -> io::Result<()> {
        let old_base = GuestAddress(old_base);
        for bar in self.registered.iter_mut() {
            if bar.address == old_base {
                bar.address = GuestAddress(new_base);
            }
        }
        Ok(())
    }

    /// The bus couldn't move a BAR, so the BAR returns to its registered address.
    fn restore_bar_addr(&mut self, params: &BarReprogrammingParams) {
        let mut registered = self.registered.iter();
        let bar = registered.find(|bar| bar.address.0 == params.old_base);
        if let Some(Err(error)) = bar.map(|bar| self.vga.place_bar(bar, bar.address)) {
            eprintln!("{error}"); // never happens: the BAR was there before
        }
    }
}

/// The guest's memory.
pub struct Slots<M> {
    manager: Arc<Mutex<M>>,
    vram: Vram,
    rom: Option<Rom>,
    /// The hypervisor's slots.
    slots: [Option<u32>; 3],
}

impl<M> Slots<M> {
    fn host_address(&self, region: &Region) -> u64 {
        match (region.kind, &self.rom) {
            (RegionKind::Rom, Some(rom)) => rom.as_ptr() as u64,
            _ => self.vram.region().as_ptr() as u64 + region.offset,
        }
    }
}

impl<M: MemoryManager> RegionMapper for Slots<M> {
    fn map(&mut self, region: &Region) -> io::Result<()> {
        let host = self.host_address(region);
        let mut manager = self.manager.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = manager.create_userspace_mapping(
            region.guest.0,
            region.len,
            host,
            false,
            region.is_read_only(),
            false,
        )?;
        self.slots[region.kind.index()] = Some(slot);
        Ok(())
    }

    fn unmap(&mut self, region: &Region) -> io::Result<()> {
        let host = self.host_address(region);
        let mut manager = self.manager.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut self.slots[region.kind.index()];
        if let Some(slot) = *slot {
            manager.remove_userspace_mapping(region.guest.0, region.len, host, false, slot)?;
        }
        *slot = None;
        Ok(())
    }
}

#[cfg(test)]
mod machine;
