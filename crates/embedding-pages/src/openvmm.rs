// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device in OpenVMM.

mod api;

use std::fs::File;
use std::io;
use std::ops::RangeInclusive;

use stdvga::embedding::{Region, RegionKind, RegionMapper, SharedVga};
use stdvga::vm_memory::GuestAddress;
use stdvga::{State, StateError, StdVga, BAR2_BYTES, WINDOW};

use self::api::*;

/// The chipset device.
pub struct VgaDevice {
    vga: SharedVga,
    ports: Vec<(&'static str, RangeInclusive<u16>)>,
    window: Option<(&'static str, RangeInclusive<u64>)>,
    bar0: Box<dyn ControlMmioIntercept>,
    bar2: Box<dyn ControlMmioIntercept>,
}

impl VgaDevice {
    pub fn new(vga: SharedVga, register_mmio: &mut dyn RegisterMmioIntercept) -> Self {
        let (variant, vram_len) = vga.with(|vga| (vga.variant(), vga.vram().len()));
        let ports = variant.port_ranges().iter().cloned();
        Self {
            vga,
            ports: ports.map(|ports| ("vga", ports)).collect(),
            window: variant
                .has_legacy()
                .then_some(("vga-window", WINDOW.start..=WINDOW.end - 1)),
            bar0: register_mmio.new_io_region("vga-bar0", vram_len),
            bar2: register_mmio.new_io_region("vga-bar2", BAR2_BYTES),
        }
    }

    /// `ChangeDeviceState::reset`.
    pub fn reset(&mut self) {
        self.vga.write(StdVga::reset);
        self.follow_bars();
    }

    /// `SaveRestore::restore`, after VRAM's contents were restored.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.vga.restore(state)?;
        self.follow_bars();
        Ok(())
    }

    fn follow_bars(&mut self) {
        let mappings = self.vga.with(|vga| vga.mappings());
        for (index, region) in [(0, &mut self.bar0), (2, &mut self.bar2)] {
            let base = mappings.bar(index).map(|range| range.base.0);
            if region.addr() != base {
                region.unmap();
                base.into_iter().for_each(|base| region.map(base));
            }
        }
    }
}

impl PortIoIntercept for VgaDevice {
    fn io_read(&mut self, io_port: u16, data: &mut [u8]) -> IoResult {
        self.vga.with(|vga| vga.port_read(io_port, data));
        IoResult::Ok
    }

    fn io_write(&mut self, io_port: u16, data: &[u8]) -> IoResult {
        self.vga.write(|vga| vga.port_write(io_port, data));
        IoResult::Ok
    }

    fn get_static_regions(&mut self) -> &[(&str, RangeInclusive<u16>)] {
        &self.ports
    }
}

impl MmioIntercept for VgaDevice {
    fn mmio_read(&mut self, address: u64, data: &mut [u8]) -> IoResult {
        self.vga
            .with(|vga| vga.memory_read(GuestAddress(address), data));
        IoResult::Ok
    }

    fn mmio_write(&mut self, address: u64, data: &[u8]) -> IoResult {
        self.vga
            .write(|vga| vga.memory_write(GuestAddress(address), data));
        IoResult::Ok
    }

    fn get_static_regions(&mut self) -> &[(&str, RangeInclusive<u64>)] {
        self.window.as_slice()
    }
}

impl PciConfigSpace for VgaDevice {
    fn pci_cfg_read(&mut self, offset: u16, value: &mut u32) -> IoResult {
        let mut data = [0; 4];
        self.vga.with(|vga| vga.config_read(offset, &mut data));
        *value = u32::from_le_bytes(data);
        IoResult::Ok
    }

    fn pci_cfg_write(&mut self, offset: u16, value: u32) -> IoResult {
        self.vga
            .write(|vga| vga.config_write(offset, &value.to_le_bytes()));
        self.follow_bars();
        IoResult::Ok
    }
}

/// The guest's memory, which OpenVMM maps from files. VRAM is in a memfd.
pub struct Memory<M> {
    mapper: M,
    vram: File,
    rom: File,
    mapped: [Option<NewRegion>; 3],
}

impl<M: MemoryMapper> RegionMapper for Memory<M> {
    fn map(&mut self, region: &Region) -> io::Result<()> {
        let file = match region.kind {
            RegionKind::Rom => &self.rom,
            _ => &self.vram,
        };
        let (len, writable) = (region.len as usize, !region.is_read_only());
        let (mut guest, host) = self.mapper.new_region(len, region.kind.to_string())?;
        host.map(0, file, region.offset, len, writable)?;
        guest.map_to_guest(region.guest.0, writable)?;
        self.mapped[region.kind.index()] = Some((guest, host));
        Ok(())
    }

    fn unmap(&mut self, region: &Region) -> io::Result<()> {
        if let Some((mut guest, _)) = self.mapped[region.kind.index()].take() {
            guest.unmap_from_guest();
        }
        Ok(())
    }
}

#[cfg(test)]
mod machine;
