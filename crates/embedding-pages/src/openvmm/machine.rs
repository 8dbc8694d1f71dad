// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! As much of OpenVMM as a guest needs to reach the device.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use stdvga::embedding::{string_in, string_out, MappedRegions};

use super::*;
use crate::guest::{self, vga, Machine as _, Shown};

/// Length and address of a region of MMIO.
type MmioRegion = (u64, Option<u64>);

/// The regions of MMIO that a device controls, by their names.
#[derive(Clone, Default)]
struct Regions(Arc<Mutex<BTreeMap<String, MmioRegion>>>);

struct Control {
    regions: Regions,
    name: String,
}

impl Control {
    fn set(&mut self, address: Option<u64>) {
        let mut regions = self.regions.0.lock().unwrap();
        regions.get_mut(&self.name).expect("a region").1 = address;
    }
}

impl ControlMmioIntercept for Control {
    fn map(&mut self, addr: u64) {
        assert_eq!(self.addr(), None, "{} is mapped already", self.name);
        self.set(Some(addr));
    }

    fn unmap(&mut self) {
        self.set(None);
    }

    fn addr(&self) -> Option<u64> {
        self.regions.0.lock().unwrap()[&self.name].1
    }
}

impl RegisterMmioIntercept for Regions {
    fn new_io_region(&mut self, region_name: &str, len: u64) -> Box<dyn ControlMmioIntercept> {
        let name = region_name.to_owned();
        self.0.lock().unwrap().insert(name.clone(), (len, None));
        let regions = self.clone();
        Box::new(Control { regions, name })
    }
}

/// What's mapped, by the guest's address.
#[derive(Clone, Default)]
struct Mapper(Arc<Mutex<BTreeMap<u64, Shown>>>);

/// A region of guest memory, and what of which file is in it.
#[derive(Clone)]
struct Section {
    mapper: Mapper,
    len: u64,
    file_offset: Arc<Mutex<Option<u64>>>,
    base: u64,
}

impl MemoryMapper for Mapper {
    fn new_region(&self, len: usize, _debug_name: String) -> io::Result<NewRegion> {
        let section = Section {
            mapper: self.clone(),
            len: len as u64,
            file_offset: Arc::default(),
            base: 0,
        };
        Ok((Box::new(section.clone()), Arc::new(section)))
    }
}

impl MappableGuestMemory for Section {
    fn map_to_guest(&mut self, gpa: u64, writable: bool) -> io::Result<()> {
        let offset = self.file_offset.lock().unwrap().expect("a file is mapped");
        let shown = Shown {
            base: gpa,
            len: self.len,
            vram: writable.then_some(offset),
        };
        self.base = gpa;
        self.mapper.0.lock().unwrap().insert(gpa, shown);
        Ok(())
    }

    fn unmap_from_guest(&mut self) {
        self.mapper.0.lock().unwrap().remove(&self.base);
    }
}

impl MappedMemoryRegion for Section {
    fn map(
        &self,
        offset: usize,
        _section: &dyn AsMappableRef,
        file_offset: u64,
        len: usize,
        _writable: bool,
    ) -> io::Result<()> {
        assert_eq!((offset, len as u64), (0, self.len));
        *self.file_offset.lock().unwrap() = Some(file_offset);
        Ok(())
    }
}

struct Machine {
    device: VgaDevice,
    regions: Regions,
    mapper: Mapper,
}

impl Machine {
    fn new() -> Self {
        let (mapper, mut regions) = (Mapper::default(), Regions::default());
        let (vga, file) = vga();
        let memory = Memory {
            mapper: mapper.clone(),
            vram: file,
            rom: tempfile::tempfile().expect("a file"),
            mapped: [None, None, None],
        };
        let vga = SharedVga::new(vga, MappedRegions::new(memory), guest::expect_no_errors);
        let device = VgaDevice::new(vga, &mut regions);
        Self {
            device,
            regions,
            mapper,
        }
    }

    fn is_port(&mut self, port: u16) -> bool {
        let regions = PortIoIntercept::get_static_regions(&mut self.device);
        regions.iter().any(|(_, ports)| ports.contains(&port))
    }

    fn is_intercepted(&mut self, address: u64) -> bool {
        let fixed = MmioIntercept::get_static_regions(&mut self.device);
        fixed.iter().any(|(_, range)| range.contains(&address))
            || self
                .regions
                .0
                .lock()
                .unwrap()
                .values()
                .any(|(len, base)| base.is_some_and(|base| (base..base + len).contains(&address)))
    }
}

impl guest::Machine for Machine {
    fn port_writes(&mut self, port: u16, size: usize, data: &[u8]) {
        assert!(self.is_port(port), "port {port:#x}");
        string_out(size, data, |access| {
            assert_eq!(self.device.io_write(port, access), IoResult::Ok);
        });
    }

    fn port_reads(&mut self, port: u16, size: usize, data: &mut [u8]) {
        assert!(self.is_port(port), "port {port:#x}");
        string_in(size, data, |access| {
            assert_eq!(self.device.io_read(port, access), IoResult::Ok)
        });
    }

    fn memory_write(&mut self, address: u64, data: &[u8]) {
        if self.is_intercepted(address) {
            assert_eq!(self.device.mmio_write(address, data), IoResult::Ok);
        }
    }

    fn memory_read(&mut self, address: u64, data: &mut [u8]) {
        data.fill(0xff);
        if self.is_intercepted(address) {
            assert_eq!(self.device.mmio_read(address, data), IoResult::Ok);
        }
    }

    fn config_write(&mut self, offset: u16, value: u32) {
        assert_eq!(self.device.pci_cfg_write(offset, value), IoResult::Ok);
    }

    fn config_read(&mut self, offset: u16) -> u32 {
        let mut value = 0;
        assert_eq!(self.device.pci_cfg_read(offset, &mut value), IoResult::Ok);
        value
    }

    fn reset(&mut self) {
        self.device.reset();
    }

    fn shown(&self) -> Vec<Shown> {
        self.mapper.0.lock().unwrap().values().cloned().collect()
    }

    fn vga(&self) -> &SharedVga {
        &self.device.vga
    }
}

#[test]
fn a_guest_runs() {
    guest::run(&mut Machine::new());
}

#[test]
fn a_restored_device_has_its_bars() {
    let mut saved = Machine::new();
    for (register, value) in [(0x10, 0xf000_0000), (0x18, 0xf100_0000), (0x04, 2)] {
        saved.config_write(register, value);
    }
    let state = saved.vga().with(|vga| vga.state());
    let mut machine = Machine::new();
    machine.device.restore(&state).expect("the same device");
    assert_eq!(machine.shown(), saved.shown());
    let mut id = [0; 2];
    machine.memory_read(0xf100_0500, &mut id);
    assert_eq!(id, [0xc5, 0xb0], "BAR2 answers");
}
