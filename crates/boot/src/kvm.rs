// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! KVM: memory slots, one vCPU, and its exits. The only module of the program with `unsafe` code.
#![allow(unsafe_code)]

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use kvm_bindings::{
    KVM_API_VERSION, KVM_EXIT_HLT, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_INTR, KVM_EXIT_IO,
    KVM_EXIT_IRQ_WINDOW_OPEN, KVM_EXIT_MMIO, KVM_EXIT_SHUTDOWN, KVM_MAX_CPUID_ENTRIES,
    KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, KVM_MP_STATE_HALTED, KVM_PIT_SPEAKER_DUMMY,
    kvm_coalesced_mmio, kvm_pit_config, kvm_regs, kvm_segment, kvm_userspace_memory_region,
};
use kvm_ioctls::{Cap, IoEventAddress, Kvm, VcpuFd, VmFd};
use stdvga::{Rom, Vram};
use vm_memory::{
    Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, MmapRegion, VolatileMemory,
};

use crate::outcome::LongMode;
use crate::permission;

/// Where KVM keeps three pages of its own, away from RAM, BARs and the BIOS.
const TSS_ADDRESS: usize = 0xfeff_d000;
const RFLAGS_IF: u64 = 1 << 9;
/// In ECX of CPUID's leaf 1: a hypervisor is there.
const CPUID_HYPERVISOR: u32 = 1 << 31;

/// Opens KVM, and checks that it can do what the machine needs.
pub fn open(path: &Path) -> Result<Kvm> {
    let name = path.display();
    let kvm = std::ffi::CString::new(path.as_os_str().as_encoded_bytes())
        .map_err(io::Error::from)
        .and_then(|path| Kvm::new_with_path(path).map_err(io::Error::from))
        .map_err(|error| {
            anyhow!(
                "{name} can't be opened: {error}{}",
                advice(error.kind(), path)
            )
        })?;
    if kvm.get_api_version() != KVM_API_VERSION as i32 {
        bail!("{name} isn't a KVM with API version {KVM_API_VERSION}");
    }
    let needed = [
        (Cap::UserMemory, "memory slots"),
        (Cap::ReadonlyMem, "read-only memory"),
        (Cap::SetTssAddr, "setting the TSS address"),
        (Cap::Irqchip, "an interrupt controller in the kernel"),
        (Cap::Pit2, "a timer in the kernel"),
        (Cap::ImmediateExit, "immediate exits"),
    ];
    for (capability, what) in needed {
        if !kvm.check_extension(capability) {
            bail!("the KVM at {name} doesn't support {what}");
        }
    }
    Ok(kvm)
}

/// What to do when KVM can't be opened, if there's something to try: the end of a message.
fn advice(error: io::ErrorKind, path: &Path) -> String {
    match error {
        io::ErrorKind::PermissionDenied => permission::advice(path),
        io::ErrorKind::NotFound if path == Path::new("/dev/kvm") => {
            "; load the module kvm_intel or kvm_amd, and enable virtualization in the host's firmware".into()
        }
        _ => String::new(),
    }
}

/// Why there's no machine. KVM takes the CPU at the first one, not when it's opened.
fn no_machine(error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::ResourceBusy => "; check whether another hypervisor is using the CPU",
        _ => "",
    };
    anyhow!("KVM can't create a machine: {error}{advice}")
}

/// Host memory that a slot can show to the guest.
#[derive(Clone)]
pub struct Backing {
    /// Keeps the memory mapped.
    _owner: Arc<dyn Any + Send + Sync>,
    host: u64,
    len: u64,
    /// Whether Rust code may count on it not to change.
    is_constant: bool,
}

impl Backing {
    /// The device's VRAM.
    pub fn vram(vram: &Vram) -> Self {
        let region = Arc::clone(vram.region());
        let (host, len) = (region.as_ptr() as u64, region.size() as u64);
        Self {
            _owner: region,
            host,
            len,
            is_constant: false,
        }
    }

    /// The device's option ROM, which starts at a page.
    pub fn rom(rom: &Rom) -> Self {
        Self {
            _owner: Arc::new(rom.clone()),
            host: rom.as_ptr() as u64,
            len: rom.len() as u64,
            is_constant: true,
        }
    }

    /// The region of `ram` that starts at `start`.
    pub fn ram(ram: &GuestMemoryMmap, start: GuestAddress) -> Result<Self> {
        let region = ram.find_region(start).context("RAM has no such region")?;
        let (host, len) = (region.as_ptr() as u64, region.size() as u64);
        Ok(Self {
            _owner: Arc::new(ram.clone()),
            host,
            len,
            is_constant: false,
        })
    }

    /// A copy of `bytes`, page-aligned as slots need it.
    pub fn copy_of(bytes: &[u8]) -> Result<Self> {
        let region = Arc::new(
            MmapRegion::<()>::new(bytes.len()).context("the host has no memory for a ROM")?,
        );
        region
            .as_volatile_slice()
            .write_slice(bytes, 0)
            .context("the host has no memory for a ROM")?;
        let (host, len) = (region.as_ptr() as u64, region.size() as u64);
        Ok(Self {
            _owner: region,
            host,
            len,
            is_constant: false,
        })
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }
}

/// What a guest may do with a slot's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read it and write it.
    Write,
    /// The same, and KVM logs which pages it writes.
    LoggedWrite,
    /// Read it. Writes exit.
    Read,
}

/// A virtual machine and the memory that it shows. Its vCPU runs only while this is there: the memory
/// is gone afterwards.
pub struct Vm {
    fd: VmFd,
    /// What each slot shows: memory stays mapped as long as KVM may reach it.
    slots: BTreeMap<u32, Backing>,
}

impl Vm {
    /// An empty machine, with interrupt controllers and timer in the kernel, and its vCPU.
    pub fn new(kvm: &Kvm) -> Result<(Self, Vcpu)> {
        let fd = kvm.create_vm().map_err(|error| no_machine(&error.into()))?;
        fd.set_tss_address(TSS_ADDRESS)
            .context("KVM refuses the TSS address")?;
        fd.create_irq_chip()
            .context("KVM can't create an interrupt controller")?;
        let pit = kvm_pit_config {
            flags: KVM_PIT_SPEAKER_DUMMY,
            ..Default::default()
        };
        fd.create_pit2(pit).context("KVM can't create a timer")?;
        let vcpu = fd.create_vcpu(0).context("KVM can't create a vCPU")?;
        let mut cpuid = kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .context("KVM doesn't report its CPUID")?;
        // Without this, guests don't look for KVM's clock, and measure time by a slow one.
        let features = cpuid.as_mut_slice().iter_mut();
        for leaf in features.filter(|leaf| leaf.function == 1) {
            leaf.ecx |= CPUID_HYPERVISOR;
        }
        vcpu.set_cpuid2(&cpuid)
            .context("KVM refuses its own CPUID")?;
        Ok((
            Self {
                fd,
                slots: BTreeMap::new(),
            },
            Vcpu { fd: vcpu },
        ))
    }

    /// Shows `len` bytes of `memory` from `offset` on at `guest`. The slot must be free.
    pub fn map(
        &mut self,
        slot: u32,
        guest: u64,
        memory: &Backing,
        (offset, len): (u64, u64),
        access: Access,
    ) -> Result<()> {
        if offset.checked_add(len).is_none_or(|end| end > memory.len)
            || self.slots.contains_key(&slot)
        {
            bail!("slot {slot} is taken, or its memory too short");
        }
        if memory.is_constant && access != Access::Read {
            bail!("slot {slot} would let the guest write to memory that never changes");
        }
        let region = kvm_userspace_memory_region {
            slot,
            flags: match access {
                Access::Write => 0,
                Access::LoggedWrite => KVM_MEM_LOG_DIRTY_PAGES,
                Access::Read => KVM_MEM_READONLY,
            },
            guest_phys_addr: guest,
            memory_size: len,
            userspace_addr: memory.host + offset,
        };
        // SAFETY: the range lies inside `memory`, checked above, and the clone that goes into
        // `slots` keeps it mapped for as long as the slot exists. Rust code reaches memory that the
        // guest writes only through vm-memory's volatile slices, which allow for that; what it may read
        // otherwise (`is_constant`) is read-only for the guest.
        unsafe { self.fd.set_user_memory_region(region) }
            .with_context(|| format!("KVM refuses {len:#x} bytes of memory at {guest:#x}"))?;
        self.slots.insert(slot, memory.clone());
        Ok(())
    }

    /// Takes a slot's memory away from the guest.
    pub fn unmap(&mut self, slot: u32) -> Result<()> {
        let region = kvm_userspace_memory_region {
            slot,
            ..Default::default()
        };
        // SAFETY: a length of 0 removes the slot: KVM reaches no memory through it any more.
        unsafe { self.fd.set_user_memory_region(region) }.context("KVM can't remove a slot")?;
        self.slots.remove(&slot);
        Ok(())
    }

    /// The pages of a slot of `len` bytes that the guest wrote since this was last asked: a bit each.
    pub fn dirty_log(&self, slot: u32, len: u64) -> Result<Vec<u64>> {
        self.fd
            .get_dirty_log(slot, len as usize)
            .context("KVM can't report which pages were written")
    }

    /// Has KVM collect the guest's writes to `addresses` instead of exiting for each, where it can:
    /// [`Vcpu::run`] gives them out.
    pub fn coalesce_writes(&self, vcpu: &mut Vcpu, addresses: Range<u64>) -> Result<()> {
        if !self.fd.check_extension(Cap::CoalescedMmio) {
            return Ok(());
        }
        let len = (addresses.end - addresses.start) as u32;
        vcpu.fd
            .map_coalesced_mmio_ring()
            .context("KVM has no ring for coalesced writes")?;
        self.fd
            .register_coalesced_mmio(IoEventAddress::Mmio(addresses.start), len)
            .context("KVM refuses to coalesce writes")?;
        Ok(())
    }

    /// Pulses an interrupt line.
    pub fn pulse(&self, line: u32) -> Result<()> {
        self.fd.set_irq_line(line, true)?;
        Ok(self.fd.set_irq_line(line, false)?)
    }
}

/// A write to an address without a memory slot that KVM made no exit for.
pub struct CoalescedWrite(kvm_coalesced_mmio);

impl CoalescedWrite {
    /// The first byte's address.
    pub fn address(&self) -> u64 {
        self.0.phys_addr
    }

    /// The bytes written.
    pub fn data(&self) -> &[u8] {
        let len = self.0.data.len().min(self.0.len as usize);
        &self.0.data[..len]
    }
}

/// Why the vCPU came back from the guest.
pub enum Exit<'a> {
    /// `in`: one or more reads of `size` bytes each from the same port, to be answered in `data`.
    In {
        port: u16,
        size: usize,
        data: &'a mut [u8],
    },
    /// `out`: one or more writes of `size` bytes each to the same port.
    Out {
        port: u16,
        size: usize,
        data: &'a [u8],
    },
    /// A read from an address without a memory slot.
    Read { address: u64, data: &'a mut [u8] },
    /// A write to an address without a memory slot, or a read-only one.
    Write { address: u64, data: &'a [u8] },
    /// A signal came in, or KVM has nothing to say.
    Interrupted,
    /// A fault while delivering a double fault: the guest has crashed.
    TripleFault,
    /// KVM can't go on.
    Failed(String),
}

/// How a guest in HLT sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// An interrupt will wake it.
    UntilInterrupt,
    /// Interrupts are off: nothing will.
    ForGood,
}

/// The virtual CPU.
pub struct Vcpu {
    fd: VcpuFd,
}

impl Vcpu {
    /// Runs the guest up to its next exit. `writes` becomes what it wrote before that without an exit.
    ///
    /// KVM's ring of such writes belongs to the machine, and is emptied where the vCPU is out of the
    /// guest: then nothing is added meanwhile, and no write comes after an access that it preceded.
    pub fn run(&mut self, writes: &mut Vec<CoalescedWrite>) -> Exit<'_> {
        let result = self.fd.run().map(|_| ());
        writes.clear();
        // Where there's no ring, this is an error.
        while let Ok(Some(write)) = self.fd.coalesced_mmio_read() {
            writes.push(CoalescedWrite(write));
        }
        if let Err(error) = result {
            return match io::Error::from(error).kind() {
                io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Exit::Interrupted,
                _ => Exit::Failed(format!("KVM can't run the vCPU: {error}")),
            };
        }
        match self.fd.get_kvm_run().exit_reason {
            KVM_EXIT_IO => self.port_exit(),
            KVM_EXIT_MMIO => self.memory_exit(),
            KVM_EXIT_INTR | KVM_EXIT_IRQ_WINDOW_OPEN | KVM_EXIT_HLT => Exit::Interrupted,
            KVM_EXIT_SHUTDOWN => Exit::TripleFault,
            KVM_EXIT_INTERNAL_ERROR => Exit::Failed(self.internal_error()),
            reason => Exit::Failed(format!(
                "KVM left the guest for a reason that this machine doesn't know: number {reason}"
            )),
        }
    }

    /// The port access that the vCPU just exited for. `kvm-ioctls` hands a `rep outsb` over as one
    /// longer slice, which can't be told from a wide access: the size of each access is only here.
    fn port_exit(&mut self) -> Exit<'_> {
        let run = self.fd.get_kvm_run();
        // SAFETY: the caller saw a port exit, so that `io` is the union's valid field.
        let io = unsafe { run.__bindgen_anon_1.io };
        let (size, len) = (
            usize::from(io.size),
            usize::from(io.size) * io.count as usize,
        );
        // SAFETY: KVM put `len` bytes of data at this offset into the mapping that starts at `run`,
        // and lives as long as the vCPU. They lie behind `kvm_run` itself.
        let data = unsafe {
            let start = std::ptr::from_mut(run)
                .cast::<u8>()
                .add(io.data_offset as usize);
            std::slice::from_raw_parts_mut(start, len)
        };
        match u32::from(io.direction) {
            kvm_bindings::KVM_EXIT_IO_IN => Exit::In {
                port: io.port,
                size,
                data,
            },
            _ => Exit::Out {
                port: io.port,
                size,
                data,
            },
        }
    }

    /// The access to guest memory that the vCPU just exited for.
    fn memory_exit(&mut self) -> Exit<'_> {
        // SAFETY: the caller saw an MMIO exit, so that `mmio` is the union's valid field.
        let mmio = unsafe { &mut self.fd.get_kvm_run().__bindgen_anon_1.mmio };
        let len = mmio.data.len().min(mmio.len as usize);
        let (address, data) = (mmio.phys_addr, &mut mmio.data[..len]);
        if mmio.is_write != 0 {
            Exit::Write { address, data }
        } else {
            Exit::Read { address, data }
        }
    }

    /// What KVM says about its internal error.
    fn internal_error(&mut self) -> String {
        let run = self.fd.get_kvm_run();
        // SAFETY: the caller saw an internal error, so that this is a valid field of the union; every
        // bit pattern is a valid value of its integers.
        let (failure, bytes) = unsafe {
            let failure = run.__bindgen_anon_1.emulation_failure;
            (failure, failure.__bindgen_anon_1.__bindgen_anon_1)
        };
        let mut message = format!("KVM's internal error, suberror {}", failure.suberror);
        if failure.suberror == kvm_bindings::KVM_INTERNAL_ERROR_EMULATION {
            message += " (an instruction that this KVM can't emulate)";
            if let (Ok(regs), Ok(sregs)) = (self.fd.get_regs(), self.fd.get_sregs()) {
                message += &format!(" at {:04x}:{:08x}", sregs.cs.selector, regs.rip);
            }
            let flag = u64::from(kvm_bindings::KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES);
            if failure.ndata > 0 && failure.flags & flag != 0 {
                let len = usize::from(bytes.insn_size).min(bytes.insn_bytes.len());
                message += &format!(", bytes {:02x?}", &bytes.insn_bytes[..len]);
            }
        }
        message
    }

    /// Has the vCPU start in 64-bit mode, with interrupts off. All ports are open to it.
    pub fn enter_long_mode(&self, start: &LongMode) -> Result<()> {
        let mut sregs = self.fd.get_sregs()?;
        let ring = (start.code & 3) as u8;
        let code = kvm_segment {
            limit: u32::MAX,
            selector: start.code,
            type_: 0xb, // code, readable, accessed
            present: 1,
            dpl: ring,
            s: 1,
            l: 1,
            g: 1,
            ..Default::default()
        };
        let data = kvm_segment {
            selector: start.data,
            type_: 3, // data, writable, accessed
            db: 1,
            l: 0,
            ..code
        };
        sregs.cs = code;
        [sregs.ss, sregs.ds, sregs.es] = [data; 3];
        sregs.gdt.base = start.gdt;
        sregs.gdt.limit = 4 * 8 - 1;
        sregs.cr0 = 1 << 31 | 1 << 5 | 1 << 4 | 1 << 0; // PG, NE, ET, PE
        sregs.cr3 = start.page_tables;
        sregs.cr4 = 1 << 5; // PAE
        sregs.efer = 1 << 10 | 1 << 8; // LMA, LME
        self.fd
            .set_sregs(&sregs)
            .context("KVM refuses 64-bit mode")?;
        let regs = kvm_regs {
            rip: start.rip,
            rsi: start.rsi,
            rflags: u64::from(ring) << 12 | 1 << 1, // I/O privilege level
            ..Default::default()
        };
        self.fd.set_regs(&regs).context("KVM refuses 64-bit mode")
    }

    /// Whether the guest sleeps in HLT. The in-kernel interrupt controller keeps HLT to itself, so that
    /// this must be asked from time to time.
    pub fn sleep(&self) -> Option<Sleep> {
        let state = self.fd.get_mp_state().ok()?;
        let flags = self.fd.get_regs().ok()?.rflags;
        match (state.mp_state, flags & RFLAGS_IF) {
            (KVM_MP_STATE_HALTED, 0) => Some(Sleep::ForGood),
            (KVM_MP_STATE_HALTED, _) => Some(Sleep::UntilInterrupt),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use io::ErrorKind;

    use super::*;

    #[test]
    fn a_missing_kvm_leads_to_its_modules_only_where_they_would_put_it() {
        let advice = |path| advice(ErrorKind::NotFound, Path::new(path));
        let modules = advice("/dev/kvm");
        assert!(modules.contains("kvm_intel"), "{modules}");
        assert_eq!(advice("/tmp/kvm"), "");
    }

    #[test]
    fn another_hypervisor_is_suspected_only_where_kvm_is_busy() {
        let message = |kind: ErrorKind| no_machine(&kind.into()).to_string();
        let [busy, other] = [ErrorKind::ResourceBusy, ErrorKind::OutOfMemory].map(message);
        assert!(busy.contains("another hypervisor"), "{busy}");
        assert!(!other.contains("hypervisor"), "{other}");
        assert_eq!(advice(ErrorKind::InvalidInput, Path::new("/dev/kvm")), "");
    }
}
