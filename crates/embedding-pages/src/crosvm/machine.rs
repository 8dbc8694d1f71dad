// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! As much of crosvm as a guest needs to reach the device.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use stdvga::embedding::{string_in, string_out, MappedRegions, RegionKinds};
use stdvga::vm_memory::GuestAddress;
use stdvga::{StdVga, WINDOW};

use super::*;
use crate::guest::{self, vga, Machine as _, Shown, BARS};

type Buses = BTreeMap<u64, (u64, Box<dyn BusDevice>)>;

#[derive(Clone, Default)]
struct Client {
    regions: Arc<Mutex<BTreeMap<u64, Shown>>>,
}

impl VmMemoryClient for Client {
    fn register_memory(
        &self,
        source: VmMemorySource,
        dest: VmMemoryDestination,
        prot: Protection,
        _cache: MemCacheType,
    ) -> io::Result<VmMemoryRegionId> {
        let VmMemorySource::Descriptor { offset, size, .. } = source;
        let VmMemoryDestination::GuestPhysicalAddress(base) = dest;
        let shown = Shown {
            base,
            len: size,
            vram: prot.write.then_some(offset),
        };
        self.regions.lock().unwrap().insert(base, shown);
        Ok(VmMemoryRegionId(base))
    }

    fn unregister_memory(&self, region: VmMemoryRegionId) -> io::Result<()> {
        let removed = self.regions.lock().unwrap().remove(&region.0);
        removed.map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }
}

struct Machine {
    vga: SharedVga,
    client: Client,
    ports: Buses,
    window: Window,
    pci: PciVga,
}

impl Machine {
    fn new() -> Self {
        let client = Client::default();
        let (vga, file) = vga();
        let memory = Memory {
            client: client.clone(),
            vram: file,
            rom: tempfile::tempfile().expect("a file"),
            ids: [None; 3],
        };
        let variant = vga.variant();
        // Nobody answers the client before the VM runs.
        let regions = MappedRegions::new(memory).only(RegionKinds::empty());
        let vga = SharedVga::new(vga, regions, guest::expect_no_errors);
        let bars: Vec<_> = vga.with(|vga| vga.bars().collect());
        for (bar, address) in bars.iter().zip(BARS) {
            let placed = vga.place_bar(bar, GuestAddress(address.into()));
            placed.expect("an address that fits");
        }
        vga.set_mapped(RegionKinds::all());
        let ports = variant.port_ranges().iter().map(|ports| {
            let device: Box<dyn BusDevice> = Box::new(Ports(vga.clone()));
            ((*ports.start()).into(), (ports.len() as u64, device))
        });
        Self {
            ports: ports.collect(),
            window: Window(vga.clone()),
            pci: PciVga(vga.clone()),
            vga,
            client,
        }
    }

    fn port(&mut self, port: u16) -> Option<(BusAccessInfo, &mut Box<dyn BusDevice>)> {
        let address = u64::from(port);
        let (base, (len, device)) = self.ports.range_mut(..=address).next_back()?;
        let offset = address - base;
        let info = BusAccessInfo {
            offset,
            address,
            id: 0,
        };
        (offset < *len).then_some((info, device))
    }

    /// The BAR at an address, and the offset from its start: as crosvm looks for it.
    fn bar(&self, address: u64) -> Option<(usize, u64)> {
        let decoded = self.pci.read_config_register(1) & 2 != 0;
        (0..=6).filter(|_| decoded).find_map(|index| {
            let bar = self.pci.get_bar_configuration(index)?;
            let offset = address.checked_sub(bar.address())?;
            (offset < bar.size()).then_some((index, offset))
        })
    }
}

impl guest::Machine for Machine {
    fn port_writes(&mut self, port: u16, size: usize, data: &[u8]) {
        let (info, device) = self.port(port).expect("a VGA port");
        string_out(size, data, |access| device.write(info, access));
    }

    fn port_reads(&mut self, port: u16, size: usize, data: &mut [u8]) {
        let (info, device) = self.port(port).expect("a VGA port");
        string_in(size, data, |access| device.read(info, access));
    }

    fn memory_write(&mut self, address: u64, data: &[u8]) {
        if WINDOW.contains(&address) {
            let offset = address - WINDOW.start;
            self.window.write(
                BusAccessInfo {
                    offset,
                    address,
                    id: 0,
                },
                data,
            );
        } else if let Some((bar, offset)) = self.bar(address) {
            self.pci.write_bar(bar, offset, data);
        }
    }

    fn memory_read(&mut self, address: u64, data: &mut [u8]) {
        data.fill(0xff);
        if WINDOW.contains(&address) {
            let offset = address - WINDOW.start;
            self.window.read(
                BusAccessInfo {
                    offset,
                    address,
                    id: 0,
                },
                data,
            );
        } else if let Some((bar, offset)) = self.bar(address) {
            self.pci.read_bar(bar, offset, data);
        }
    }

    fn config_write(&mut self, offset: u16, value: u32) {
        // Two accesses of two bytes.
        let [low, high] = [value as u16, (value >> 16) as u16].map(u16::to_le_bytes);
        let register = usize::from(offset) / 4;
        self.pci.write_config_register(register, 0, &low);
        self.pci.write_config_register(register, 2, &high);
    }

    fn config_read(&mut self, offset: u16) -> u32 {
        self.pci.read_config_register(usize::from(offset) / 4)
    }

    fn reset(&mut self) {
        self.vga.write(StdVga::reset);
    }

    fn shown(&self) -> Vec<Shown> {
        self.client
            .regions
            .lock()
            .unwrap()
            .values()
            .copied()
            .collect()
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
fn the_rom_traps_where_it_is_not_mapped() {
    let mut machine = Machine::new();
    machine.config_write(0x30, 0xf110_0001);
    machine.config_write(0x04, 2);
    let mut data = [0; 2];
    machine.memory_read(0xf110_0fff, &mut data);
    assert_eq!(data, [0x55, 0xff]);
}
