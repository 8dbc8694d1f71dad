// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device in a VMM of rust-vmm's crates, under KVM.
// KVM is given host addresses.
#![allow(unsafe_code)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{error, io, ptr};

use kvm_bindings::{kvm_userspace_memory_region, KVM_MEM_READONLY};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use stdvga::embedding::{
    string_in, string_out, MapError, MappedRegions, Picture, Region, RegionKind, RegionMapper,
    SharedVga, WeakVga,
};
use stdvga::vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};
use stdvga::{
    Config, Damage, Dirty, MappedRange, Mappings, RefreshError, Rom, StdVga, Vram, WINDOW,
};
use vm_device::bus::{Error, MmioAddress, MmioRange, PioAddress, PioRange};
use vm_device::device_manager::{IoManager, MmioManager, PioManager};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Buses and the device: what the vCPU threads share, behind one lock.
pub struct Machine {
    manager: IoManager,
    vga: SharedVga,
    /// The mappings that the buses follow.
    mappings: Mappings,
    /// Where BAR0, BAR2 and the ROM are registered.
    bars: [Option<MappedRange>; 3],
}

impl Machine {
    pub fn new(vga: SharedVga) -> Result<Self, Error> {
        let variant = vga.with(|vga| vga.variant());
        let mut machine = Self {
            manager: IoManager::new(),
            vga,
            mappings: Mappings::default(),
            bars: [None; 3],
        };
        for ports in variant.port_ranges() {
            let range = PioRange::new(PioAddress(*ports.start()), ports.len() as u16)?;
            let device = Arc::new(machine.vga.clone());
            machine.manager.register_pio(range, device)?;
        }
        if variant.has_legacy() {
            machine.register(WINDOW.start, WINDOW.end - WINDOW.start)?;
        }
        // `isa-vga` and a restored device already answer.
        machine.follow();
        Ok(machine)
    }

    /// For snapshots. A clone keeps the device and its memory alive.
    pub fn vga(&self) -> &SharedVga {
        &self.vga
    }

    /// Ports and addresses without a device read all ones, and ignore writes.
    pub fn port_in(&mut self, port: u16, size: usize, data: &mut [u8]) {
        string_in(size, data, |access| {
            if self.manager.pio_read(PioAddress(port), access).is_err() {
                access.fill(0xff);
            }
        });
    }

    pub fn port_out(&mut self, port: u16, size: usize, data: &[u8]) {
        string_out(size, data, |access| {
            let _ = self.manager.pio_write(PioAddress(port), access);
        });
        self.follow();
    }

    pub fn memory_read(&mut self, address: u64, data: &mut [u8]) {
        if self.manager.mmio_read(MmioAddress(address), data).is_err() {
            data.fill(0xff);
        }
    }

    pub fn memory_write(&mut self, address: u64, data: &[u8]) {
        let _ = self.manager.mmio_write(MmioAddress(address), data);
        self.follow();
    }

    /// For the PCI root, at ports 0xcf8 and 0xcfc or in ECAM.
    pub fn config_read(&self, offset: u16, data: &mut [u8]) {
        self.vga.with(|vga| vga.config_read(offset, data));
    }

    pub fn config_write(&mut self, offset: u16, data: &[u8]) {
        self.vga.write(|vga| vga.config_write(offset, data));
        self.follow();
    }

    pub fn reset(&mut self) {
        self.vga.write(StdVga::reset);
        self.follow();
    }

    /// Registers the BARs at their current addresses. Memory already follows.
    pub fn follow(&mut self) {
        let mappings = self.vga.with(|vga| vga.mappings());
        if mappings == self.mappings {
            return;
        }
        self.mappings = mappings;
        let wanted = [0, 2, 6].map(|index| mappings.bar(index));
        for (bar, wanted) in wanted.into_iter().enumerate() {
            if let Some(range) = self.bars[bar].filter(|range| Some(*range) != wanted) {
                self.manager.deregister_mmio(MmioAddress(range.base.0));
                self.bars[bar] = None;
            }
        }
        for (bar, wanted) in wanted.into_iter().enumerate() {
            if self.bars[bar].is_none() {
                // This fails if a guest puts a BAR over another device, which stays registered.
                self.bars[bar] = wanted.filter(|at| self.register(at.base.0, at.len).is_ok());
            }
        }
    }

    fn register(&mut self, base: u64, len: u64) -> Result<(), Error> {
        let range = MmioRange::new(MmioAddress(base), len)?;
        self.manager
            .register_mmio(range, Arc::new(self.vga.clone()))
    }
}

/// Runs the guest until an exit that isn't for a device, and returns that exit.
pub fn run(vcpu: &mut VcpuFd, machine: &Mutex<Machine>) -> io::Result<String> {
    loop {
        match vcpu.run()? {
            VcpuExit::IoIn(port, data) => {
                let data = ptr::from_mut(data);
                let size = access_size(vcpu);
                // SAFETY: KVM's page of data stays mapped as long as the vCPU, and nobody else has it
                // before the next run.
                lock(machine).port_in(port, size, unsafe { &mut *data });
            }
            VcpuExit::IoOut(port, data) => {
                let data = ptr::from_ref(data);
                let size = access_size(vcpu);
                // SAFETY: as for `IoIn`.
                lock(machine).port_out(port, size, unsafe { &*data });
            }
            VcpuExit::MmioRead(address, data) => lock(machine).memory_read(address, data),
            VcpuExit::MmioWrite(address, data) => lock(machine).memory_write(address, data),
            exit => return Ok(format!("{exit:?}")),
        }
    }
}

/// The size of one access of the port exit that just happened. `kvm-ioctls` passes a `rep insb` on as
/// one slice, which looks like a wide access.
fn access_size(vcpu: &mut VcpuFd) -> usize {
    // SAFETY: after a port exit, `io` is the union's field.
    usize::from(unsafe { vcpu.get_kvm_run().__bindgen_anon_1.io.size })
}

/// The guest's memory: KVM's slots from `first_slot` on.
pub struct Slots {
    vm: Arc<VmFd>,
    first_slot: u32,
    vram: Vram,
    rom: Option<Rom>,
}

impl Slots {
    /// Sets the length of a region's slot to `len` bytes. 0 removes it.
    fn set(&self, region: &Region, len: u64) -> io::Result<()> {
        let (userspace_addr, flags) = match (region.kind, &self.rom) {
            (RegionKind::Rom, Some(rom)) => (rom.as_ptr() as u64, KVM_MEM_READONLY),
            _ => (self.vram.region().as_ptr() as u64 + region.offset, 0),
        };
        let slot = kvm_userspace_memory_region {
            slot: self.first_slot + region.kind.index() as u32,
            flags,
            guest_phys_addr: region.guest.0,
            memory_size: len,
            userspace_addr,
        };
        // SAFETY: regions lie inside VRAM and the ROM. Both live until the slots are removed. VRAM is
        // reached through vm-memory only, which allows for the guest's writes, and the ROM is read-only.
        Ok(unsafe { self.vm.set_user_memory_region(slot) }?)
    }
}

impl RegionMapper for Slots {
    fn map(&mut self, region: &Region) -> io::Result<()> {
        self.set(region, region.len)
    }

    fn unmap(&mut self, region: &Region) -> io::Result<()> {
        self.set(region, 0)
    }
}

/// A VM with the device.
pub struct Vm {
    pub fd: Arc<VmFd>,
    pub machine: Arc<Mutex<Machine>>,
    /// Ends with `machine`.
    pub display: JoinHandle<Result<(), RefreshError>>,
    /// Must stay until the last vCPU is gone.
    pub ram: GuestMemoryMmap,
}

/// Builds a VM with RAM up to the address `ram_end`, from 1 MiB to 3 GiB. The display thread calls `show`
/// with each changed picture. vCPU threads call `failed` with mapping errors.
pub fn start(
    kvm: &Kvm,
    ram_end: usize,
    config: Config,
    show: impl FnMut(&Picture, &Damage) + Send + 'static,
    mut failed: impl FnMut(MapError) + Send + 'static,
) -> Result<Vm, Box<dyn error::Error>> {
    let fd = Arc::new(kvm.create_vm()?);
    // Intel's virtualization needs three pages that nothing else uses.
    fd.set_tss_address(0xfffb_d000)?;
    let (low, high) = (WINDOW.start as usize, WINDOW.end as usize);
    let ram = GuestMemoryMmap::from_ranges(&[
        (GuestAddress(0), low),
        (GuestAddress(WINDOW.end), ram_end.saturating_sub(high)),
    ])?;
    for (slot, region) in (0..).zip(ram.iter()) {
        let region = kvm_userspace_memory_region {
            slot,
            guest_phys_addr: region.start_addr().0,
            memory_size: region.len(),
            userspace_addr: region.as_ptr() as u64,
            ..Default::default()
        };
        // SAFETY: `Vm` keeps RAM, which is reached through vm-memory only.
        unsafe { fd.set_user_memory_region(region) }?;
    }

    let vga = StdVga::new(config)?;
    let vram = vga.vram().clone();
    let slots = Slots {
        vm: fd.clone(),
        first_slot: ram.num_regions() as u32,
        vram: vram.clone(),
        rom: vga.rom().cloned(),
    };
    let vga = SharedVga::new(vga, MappedRegions::new(slots), move |change| {
        change.errors.into_iter().for_each(&mut failed);
    });
    let weak = vga.downgrade();
    Ok(Vm {
        fd,
        machine: Arc::new(Mutex::new(Machine::new(vga)?)),
        display: thread::spawn(move || draw(&weak, &vram, show)),
        ram,
    })
}

/// The display thread: 30 frames a second, as long as the device is there.
fn draw(
    vga: &WeakVga,
    vram: &Vram,
    mut show: impl FnMut(&Picture, &Damage),
) -> Result<(), RefreshError> {
    let start = Instant::now();
    // Larger pictures aren't shown.
    let mut picture = Picture::new(3840 * 2160);
    // Only taking the scanout needs the device, and its lock.
    while let Some(scanout) = vga.upgrade().map(|vga| vga.with(|vga| vga.scanout())) {
        let damage = picture.refresh(&scanout, vram, Dirty::Compare, start.elapsed())?;
        if let Some(damage) = damage.filter(|damage| !damage.is_empty()) {
            show(&picture, &damage);
        }
        thread::sleep(Duration::from_millis(33));
    }
    Ok(())
}

#[cfg(test)]
mod machine;
