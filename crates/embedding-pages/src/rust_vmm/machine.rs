// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A guest on the buses, and one that KVM runs.

use std::collections::BTreeMap;
use std::sync::mpsc;

use iced_x86::code_asm::*;
use iced_x86::IcedError;
use kvm_ioctls::Kvm;
use stdvga::vm_memory::bitmap::Bitmap;
use stdvga::vm_memory::Bytes;
use stdvga::WindowRam;
use stdvga_testing::skip::skip;
use vm_device::DeviceMmio;

use super::*;
use crate::guest::{self, vga, Shown};

/// Memory that remembers what it shows.
#[derive(Clone, Default)]
struct Remembered(Arc<Mutex<BTreeMap<u64, Shown>>>);

impl RegionMapper for Remembered {
    fn map(&mut self, region: &Region) -> io::Result<()> {
        let vram = (!region.is_read_only()).then_some(region.offset);
        let (base, len) = (region.guest.0, region.len);
        lock(&self.0).insert(base, Shown { base, len, vram });
        Ok(())
    }

    fn unmap(&mut self, region: &Region) -> io::Result<()> {
        let removed = lock(&self.0).remove(&region.guest.0);
        removed.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }
}

struct OnBuses {
    machine: Machine,
    remembered: Remembered,
}

impl guest::Machine for OnBuses {
    fn port_writes(&mut self, port: u16, size: usize, data: &[u8]) {
        self.machine.port_out(port, size, data);
    }

    fn port_reads(&mut self, port: u16, size: usize, data: &mut [u8]) {
        self.machine.port_in(port, size, data);
    }

    fn memory_write(&mut self, address: u64, data: &[u8]) {
        self.machine.memory_write(address, data);
    }

    fn memory_read(&mut self, address: u64, data: &mut [u8]) {
        self.machine.memory_read(address, data);
    }

    fn config_write(&mut self, offset: u16, value: u32) {
        self.machine.config_write(offset, &value.to_le_bytes());
    }

    fn config_read(&mut self, offset: u16) -> u32 {
        let mut data = [0; 4];
        self.machine.config_read(offset, &mut data);
        u32::from_le_bytes(data)
    }

    fn reset(&mut self) {
        self.machine.reset();
    }

    fn shown(&self) -> Vec<Shown> {
        lock(&self.remembered.0).values().copied().collect()
    }

    fn vga(&self) -> &SharedVga {
        self.machine.vga()
    }
}

impl OnBuses {
    fn new() -> Self {
        let remembered = Remembered::default();
        let regions = MappedRegions::new(remembered.clone());
        let vga = SharedVga::new(vga().0, regions, guest::expect_no_errors);
        let machine = Machine::new(vga).expect("free buses");
        Self {
            machine,
            remembered,
        }
    }
}

#[test]
fn a_guest_runs() {
    guest::run(&mut OnBuses::new());
}

/// Another device, which reads as 0x77.
struct Other;

impl DeviceMmio for Other {
    fn mmio_read(&self, _: MmioAddress, _: u64, data: &mut [u8]) {
        data.fill(0x77);
    }

    fn mmio_write(&self, _: MmioAddress, _: u64, _: &[u8]) {}
}

#[test]
fn a_device_stays_where_a_guest_puts_a_bar() {
    let mut machine = OnBuses::new().machine;
    let (here, other) = (0xe000_0000_u32, 0xf000_0000_u32);
    let range = MmioRange::new(MmioAddress(other.into()), 0x1000).expect("a range");
    let registered = machine.manager.register_mmio(range, Arc::new(Other));
    registered.expect("a free range");
    machine.config_write(0x04, &[2]);
    for (bar2, id) in [
        (here, [0xc5, 0xb0]),
        (other, [0xff; 2]),
        (here, [0xc5, 0xb0]),
    ] {
        machine.config_write(0x18, &bar2.to_le_bytes());
        let mut data = [0; 2];
        machine.memory_read(u64::from(here) + 0x500, &mut data);
        assert_eq!(data, id, "BAR2 at {bar2:#x}");
        machine.memory_read(u64::from(other) + 0x500, &mut data);
        assert_eq!(data, [0x77; 2], "the other device, BAR2 at {bar2:#x}");
    }
}

/// Writes two palette entries by `rep outsb`, reads them by `rep insb`, maps the window, writes to
/// it, and reads the ROM.
fn program() -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(16)?;
    a.mov(dx, 0x3c8)?;
    a.xor(al, al)?;
    a.out(dx, al)?;
    a.inc(dx)?;
    a.mov(si, ENTRIES as u32)?;
    a.mov(cx, 6)?;
    a.rep().outsb()?;
    a.mov(dx, 0x3c7)?;
    a.out(dx, al)?;
    a.mov(dx, 0x3c9)?;
    a.mov(di, READ as u32)?;
    a.mov(cx, 6)?;
    a.rep().insb()?;
    for (port, word) in [(0x3ce, 0x0506), (0x3c4, 0x0f02), (0x3c4, 0x0e04)] {
        a.mov(dx, port)?;
        a.mov(ax, word)?;
        a.out(dx, ax)?;
    }
    a.mov(ax, 0xa000)?;
    a.mov(es, ax)?;
    a.mov(byte_ptr(5).es(), 0x2a)?;
    // The ROM is mapped behind the first MiB: 0xffff:0x10.
    a.mov(ax, 0xffff)?;
    a.mov(es, ax)?;
    a.mov(al, byte_ptr(0x10).es())?;
    a.mov(byte_ptr(READ as u32 + 6), al)?;
    a.hlt()?;
    a.assemble(CODE as u64)
}

/// Where the program lies, the palette entries that it writes, and those that it reads.
const CODE: usize = 0x1000;
const ENTRIES: usize = 0x2000;
const READ: usize = 0x3000;
/// Where the ROM lies: at the end of RAM.
const ROM: u64 = 1 << 20;

#[test]
fn strings_of_a_kvm_guest_are_split_its_memory_is_mapped_and_its_screen_is_drawn() {
    let kvm = match Kvm::new().and_then(|kvm| kvm.create_vm().map(|_| kvm)) {
        Ok(kvm) => kvm,
        Err(error) => return skip(&format!("KVM gives no machine: {error}")),
    };
    let config = Config::default().rom(vec![0x55; 4096]);
    let (sender, frames) = mpsc::channel();
    let show = move |_: &Picture, _: &Damage| {
        let _ = sender.send(());
    };
    let (failed, errors) = mpsc::channel();
    let failed = move |error: MapError| failed.send(error.to_string()).expect("a receiver");
    let vm = start(&kvm, ROM as usize, config, show, failed).expect("a machine");
    let code = program().expect("the program assembles");
    for (bytes, at) in [(&code[..], CODE), (&[1, 2, 3, 4, 5, 6], ENTRIES)] {
        let written = vm.ram.write_slice(bytes, GuestAddress(at as u64));
        written.expect("room for the program");
    }
    for (register, value) in [(0x30, ROM as u32 | 1), (0x04, 2)] {
        lock(&vm.machine).config_write(register, &value.to_le_bytes());
    }

    let mut vcpu = vm.fd.create_vcpu(0).expect("a vCPU");
    let mut sregs = vcpu.get_sregs().expect("segments");
    (sregs.cs.base, sregs.cs.selector) = (0, 0);
    vcpu.set_sregs(&sregs).expect("segments");
    let mut regs = vcpu.get_regs().expect("registers");
    (regs.rip, regs.rflags) = (CODE as u64, 2);
    vcpu.set_regs(&regs).expect("registers");

    assert_eq!(run(&mut vcpu, &vm.machine).expect("a run"), "Hlt");

    let mut read = [0; 7];
    let entries_and_rom = vm.ram.read_slice(&mut read, GuestAddress(READ as u64));
    entries_and_rom.expect("bytes inside");
    assert_eq!(read, [1, 2, 3, 4, 5, 6, 0x55]);
    let vga = lock(&vm.machine).vga().clone();
    vga.with(|vga| {
        assert_eq!(vga.counters().rom_reads, 0, "the ROM is mapped");
        let window = WindowRam {
            offset: 0,
            len: 0x1_0000,
            vram_offset: 0,
        };
        assert_eq!(vga.mappings().window, Some(window));
        let mut byte = [0];
        vga.vram().read(5, &mut byte);
        assert_eq!(byte, [0x2a]);
        assert!(
            !vga.vram().region().bitmap().dirty_at(5),
            "the device wrote it"
        );
    });
    drop(vga);

    // The guest puts its ROM over its RAM, which stays.
    lock(&vm.machine).config_write(0x30, &0x1_0001_u32.to_le_bytes());
    let error = errors.try_recv().expect("an error");
    assert!(error.contains("option ROM"), "{error}");

    frames.recv().expect("a frame");
    drop(vm.machine);
    let ended = vm.display.join().expect("a thread without a panic");
    assert_eq!(ended, Ok(()), "it ends with the machine");
}
