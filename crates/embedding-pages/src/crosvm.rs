// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device in crosvm.

mod api;

use std::fs::File;
use std::io;

use stdvga::config_offset;
use stdvga::embedding::{Region, RegionKind, RegionMapper, SharedVga};

use self::api::*;

/// On the I/O bus, at all of `Variant::port_ranges`.
pub struct Ports(pub SharedVga);

impl BusDevice for Ports {
    fn debug_label(&self) -> String {
        "VGA ports".to_owned()
    }

    fn read(&mut self, info: BusAccessInfo, data: &mut [u8]) {
        self.0.with(|vga| vga.port_read(info.address as u16, data));
    }

    fn write(&mut self, info: BusAccessInfo, data: &[u8]) {
        self.0
            .write(|vga| vga.port_write(info.address as u16, data));
    }
}

/// On the MMIO bus, at `WINDOW`.
pub struct Window(pub SharedVga);

impl BusDevice for Window {
    fn debug_label(&self) -> String {
        "VGA window".to_owned()
    }

    fn read(&mut self, info: BusAccessInfo, data: &mut [u8]) {
        self.0.with(|vga| vga.window_read(info.offset, data));
    }

    fn write(&mut self, info: BusAccessInfo, data: &[u8]) {
        self.0.with(|vga| vga.window_write(info.offset, data));
    }
}

/// On the PCI bus.
pub struct PciVga(pub SharedVga);

impl PciDevice for PciVga {
    fn debug_label(&self) -> String {
        "VGA".to_owned()
    }

    fn get_bar_configuration(&self, bar_num: usize) -> Option<PciBarConfiguration> {
        use PciBarPrefetchable::{NotPrefetchable, Prefetchable};
        let bar = self.0.with(|vga| vga.bar(bar_num))?;
        let region_type = PciBarRegionType::Memory32BitRegion;
        let prefetchable = if bar.prefetchable {
            Prefetchable
        } else {
            NotPrefetchable
        };
        let address = bar.address.0;
        let bar = PciBarConfiguration::new(bar_num, bar.len, region_type, prefetchable);
        Some(bar.set_address(address))
    }

    fn read_config_register(&self, reg_idx: usize) -> u32 {
        let mut data = [0; 4];
        self.0
            .with(|vga| vga.config_read(config_offset(reg_idx, 0), &mut data));
        u32::from_le_bytes(data)
    }

    fn write_config_register(&mut self, reg_idx: usize, offset: u64, data: &[u8]) {
        self.0
            .write(|vga| vga.config_write(config_offset(reg_idx, offset), data));
    }

    fn read_bar(&mut self, bar_index: usize, offset: u64, data: &mut [u8]) {
        self.0.with(|vga| match bar_index {
            0 => vga.vram().read(offset, data),
            2 => vga.mmio_read(offset, data),
            _ => vga.rom_read(offset, data),
        });
    }

    fn write_bar(&mut self, bar_index: usize, offset: u64, data: &[u8]) {
        match bar_index {
            0 => self.0.with(|vga| vga.vram().write(offset, data)),
            2 => self.0.write(|vga| vga.mmio_write(offset, data)),
            _ => {}
        }
    }
}

/// The guest's memory, which crosvm's main process maps from files. VRAM is in a memfd.
pub struct Memory<C> {
    client: C,
    vram: File,
    rom: File,
    ids: [Option<VmMemoryRegionId>; 3],
}

impl<C: VmMemoryClient> RegionMapper for Memory<C> {
    fn map(&mut self, region: &Region) -> io::Result<()> {
        let (file, prot) = match region.kind {
            RegionKind::Rom => (&self.rom, Protection::read()),
            _ => (&self.vram, Protection::read_write()),
        };
        let source = VmMemorySource::Descriptor {
            descriptor: file.try_clone()?,
            offset: region.offset,
            size: region.len,
        };
        let dest = VmMemoryDestination::GuestPhysicalAddress(region.guest.0);
        let cache = MemCacheType::CacheCoherent;
        let id = self.client.register_memory(source, dest, prot, cache)?;
        self.ids[region.kind.index()] = Some(id);
        Ok(())
    }

    fn unmap(&mut self, region: &Region) -> io::Result<()> {
        let id = &mut self.ids[region.kind.index()];
        if let Some(registered) = *id {
            self.client.unregister_memory(registered)?;
        }
        *id = None;
        Ok(())
    }
}

#[cfg(test)]
mod machine;
