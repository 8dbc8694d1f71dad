// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device in a VMM of rust-vmm's crates, under KVM.
// KVM is given host addresses.
#![allow(unsafe_code)]

mod machine;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{error, io, ptr};

use kvm_bindings::{KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use stdvga::{
    BusVga, Config, Damage, Dirty, Effects, MappedRange, RefreshError, StdVga, Vram, WINDOW,
};
use vm_device::bus::{Error, MmioAddress, MmioRange, PioAddress, PioRange};
use vm_device::device_manager::{IoManager, MmioManager, PioManager};
use vm_memory::mmap::MmapRegionError;
use vm_memory::{
    GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion, MmapRegion,
    VolatileMemory,
};

use crate::display::Display;
use crate::shared::{GuestMemory, Mapped, Region, Source, string_in, string_out};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Buses, device and mapped memory: what the vCPU threads share, behind one lock.
pub struct Machine {
    manager: IoManager,
    vga: Arc<Mutex<BusVga>>,
    /// Where BAR0, BAR2 and the ROM are registered.
    bars: [Option<MappedRange>; 3],
    mapped: Mapped,
}

impl Machine {
    pub fn new(vga: StdVga, memory: impl GuestMemory + 'static) -> Result<Self, Error> {
        let variant = vga.variant();
        let mut machine = Self {
            manager: IoManager::new(),
            vga: Arc::new(Mutex::new(BusVga::new(vga))),
            bars: [None; 3],
            mapped: Mapped::new(memory),
        };
        for ports in variant.port_ranges() {
            let range = PioRange::new(PioAddress(*ports.start()), ports.len() as u16)?;
            machine.manager.register_pio(range, machine.vga.clone())?;
        }
        if variant.has_legacy() {
            machine.register(WINDOW.start, WINDOW.end - WINDOW.start)?;
        }
        // The framebuffer of `isa-vga` is there from the start.
        machine.remap();
        Ok(machine)
    }

    /// For the display thread, which keeps a clone.
    pub fn vga(&self) -> &Arc<Mutex<BusVga>> {
        &self.vga
    }

    /// Ports and addresses that nobody has read all ones, and ignore writes.
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
        lock(&self.vga).vga.config_read(offset, data);
    }

    pub fn config_write(&mut self, offset: u16, data: &[u8]) {
        if lock(&self.vga)
            .vga
            .config_write(offset, data)
            .contains(Effects::MAPPINGS)
        {
            self.remap();
        }
    }

    pub fn reset(&mut self) {
        if lock(&self.vga).vga.reset().contains(Effects::MAPPINGS) {
            self.remap();
        }
    }

    fn follow(&mut self) {
        if lock(&self.vga).take_effects().contains(Effects::MAPPINGS) {
            self.remap();
        }
    }

    /// Registers the BARs, and maps memory, where they are now.
    fn remap(&mut self) {
        let mappings = lock(&self.vga).vga.mappings();
        let wanted = [mappings.framebuffer, mappings.mmio, mappings.rom];
        for (bar, wanted) in wanted.into_iter().enumerate() {
            if let Some(range) = self.bars[bar].filter(|range| Some(*range) != wanted) {
                self.manager.deregister_mmio(MmioAddress(range.base.0));
                self.bars[bar] = None;
            }
        }
        for (bar, wanted) in wanted.into_iter().enumerate() {
            if self.bars[bar].is_none() {
                // It fails where a guest puts a BAR over another device, which stays there.
                self.bars[bar] = wanted.filter(|at| self.register(at.base.0, at.len).is_ok());
            }
        }
        self.mapped.follow(&mappings);
    }

    fn register(&mut self, base: u64, len: u64) -> Result<(), Error> {
        let range = MmioRange::new(MmioAddress(base), len)?;
        self.manager.register_mmio(range, self.vga.clone())
    }
}

/// Runs the guest up to an exit that isn't a device's, and gives that.
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

/// The size of one access of the port exit that just happened. `kvm-ioctls` hands a `rep insb` over as
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
    /// A copy of the ROM that starts at a page.
    rom: MmapRegion,
}

impl Slots {
    pub fn new(vm: Arc<VmFd>, first_slot: u32, vga: &StdVga) -> Result<Self, MmapRegionError> {
        let contents = vga.rom().unwrap_or_default();
        // A slot is whole pages. Without a ROM, this one is never mapped.
        let rom = MmapRegion::new(contents.len().max(4096))?;
        rom.as_volatile_slice().copy_from(contents);
        Ok(Self {
            vm,
            first_slot,
            vram: vga.vram().clone(),
            rom,
        })
    }

    fn set(&self, slot: usize, region: kvm_userspace_memory_region) -> io::Result<()> {
        let slot = self.first_slot + slot as u32;
        let region = kvm_userspace_memory_region { slot, ..region };
        // SAFETY: the device's regions lie inside VRAM and the ROM. Both live until `Mapped` has
        // removed the slots, and are reached through vm-memory only, which allows for the guest's
        // writes.
        Ok(unsafe { self.vm.set_user_memory_region(region) }?)
    }
}

impl GuestMemory for Slots {
    fn map(&mut self, slot: usize, region: &Region) -> io::Result<()> {
        let (userspace_addr, flags) = match region.source {
            Source::Vram(offset) => (self.vram.region().as_ptr() as u64 + offset, 0),
            Source::Rom => (self.rom.as_ptr() as u64, KVM_MEM_READONLY),
        };
        let region = kvm_userspace_memory_region {
            guest_phys_addr: region.guest,
            memory_size: region.len,
            userspace_addr,
            flags,
            ..Default::default()
        };
        self.set(slot, region)
    }

    fn unmap(&mut self, slot: usize) {
        // A length of 0 removes the slot, which can't be refused.
        let _ = self.set(slot, kvm_userspace_memory_region::default());
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

/// Builds a VM with RAM up to the address `ram_end`, from 1 MiB to 3 GiB. Each frame goes to `show`, on
/// the display thread.
pub fn start(
    kvm: &Kvm,
    ram_end: usize,
    config: Config,
    show: impl FnMut(&Display, &Damage) + Send + 'static,
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
    let slots = Slots::new(fd.clone(), ram.num_regions() as u32, &vga)?;
    let display = Display::new(vga.vram().clone());
    let machine = Machine::new(vga, slots)?;
    let vga = Arc::downgrade(machine.vga());
    Ok(Vm {
        fd,
        machine: Arc::new(Mutex::new(machine)),
        display: thread::spawn(move || draw(&vga, display, show)),
        ram,
    })
}

/// The display thread: 30 frames a second, as long as the machine is there.
fn draw(
    vga: &Weak<Mutex<BusVga>>,
    mut display: Display,
    mut show: impl FnMut(&Display, &Damage),
) -> Result<(), RefreshError> {
    while let Some(vga) = vga.upgrade() {
        let scanout = lock(&vga).vga.scanout(); // all that needs the lock
        drop(vga);
        if let Some(damage) = display.refresh(&scanout, Dirty::Compare)? {
            show(&display, &damage);
        }
        thread::sleep(Duration::from_millis(33));
    }
    Ok(())
}
