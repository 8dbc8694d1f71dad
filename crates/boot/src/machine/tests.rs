// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

use std::path::Path;
use std::time::Instant;

use iced_x86::code_asm::*;
use iced_x86::{IcedError, Instruction};
use stdvga::embedding::RegionKind;
use stdvga::{Config, Dirty, StdVga};
use stdvga_frontend::display::Display;

use super::*;
use crate::cmos::Cmos;
use crate::fw_cfg::FwCfg;
use crate::kvm;
use crate::linux::{PRESENT, WRITABLE, write_page_tables};
use crate::outcome::{LongMode, Until};

#[test]
fn a_lack_of_memory_is_said_once() {
    let message = format!("{:#}", ram(1 << 62).unwrap_err());
    assert_eq!(message.matches("os error").count(), 1, "{message}");
}

const FRAMEBUFFER_ADDRESS: u32 = 0xe000_0000;
const PAGE_TABLES: u64 = 0x1000;
const CODE: u64 = 0x8000;

/// A program that fills the framebuffer, a frame between each two writes to a port.
fn redrawing(bytes: u32) -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(64)?;
    let mut frame = a.create_label();
    a.set_label(&mut frame)?;
    a.mov(edi, FRAMEBUFFER_ADDRESS)?;
    a.mov(ecx, bytes / 8)?;
    a.add_instruction(Instruction::with_rep_stosq(64)?)?;
    a.inc(rax)?;
    a.out(0x80, al)?;
    a.jmp(frame)?;
    a.assemble(CODE)
}

/// KVM, where it's there.
fn kvm() -> Option<Kvm> {
    let skip = |error: anyhow::Error| stdvga_testing::skip::skip(&format!("{error:#}"));
    kvm::open(Path::new("/dev/kvm")).map_err(skip).ok()
}

/// A board with 3 MiB of RAM, and its framebuffer at this address.
fn board(vram_mib: u32, address: u32) -> Result<Board> {
    let (fw_cfg, cmos) = (FwCfg::new(Vec::new()), Cmos::new(3 * MIB));
    let vga = StdVga::new(Config::default().vram_mib(vram_mib))?;
    let mut board = Board::new(vga, ram(3 * MIB)?, fw_cfg, cmos, false);
    for (register, value) in [(0x10, address), (0x04, 2)] {
        let _ = config_write(&mut board, register, value);
    }
    Ok(board)
}

fn config_write(board: &mut Board, register: u32, value: u32) -> Effects {
    let address = crate::pci::VGA_ADDRESS | register;
    let _ = board.port_write(0xcf8, &address.to_le_bytes());
    board.port_write(0xcfc, &value.to_le_bytes())
}

/// A machine that begins with this program.
fn machine_with(
    kvm: &Kvm,
    board: Board,
    program: &[u8],
    dirty_log: bool,
) -> Result<(Machine, Vcpu)> {
    const USER: u64 = 1 << 2;
    write_page_tables(
        &board.ram,
        GuestAddress(PAGE_TABLES),
        USER | PRESENT | WRITABLE,
    )?;
    board.ram.write_slice(program, GuestAddress(CODE))?;
    // Every kind of KVM runs 64-bit user mode natively.
    let start = LongMode {
        rip: CODE,
        rsi: 0,
        page_tables: PAGE_TABLES,
        gdt: 0,
        code: 0x33,
        data: 0x2b,
    };
    Machine::new(kvm, board, &Start::LongMode(start), &options(dirty_log))
}

fn options(dirty_log: bool) -> Options {
    Options {
        until: Until::Stable,
        keys: Vec::new(),
        coalescing: false,
        dirty_log,
        vnc: None,
    }
}

/// A machine whose guest redraws 32-bit frames of this size.
fn redrawing_machine(
    kvm: &Kvm,
    width: u16,
    height: u16,
    dirty_log: bool,
) -> Result<(Machine, Vcpu)> {
    let mut board = board(16, FRAMEBUFFER_ADDRESS)?;
    for (register, value) in [(1_u16, width), (2, height), (3, 32), (4, 0x41)] {
        let _ = board.port_write(0x1ce, &register.to_le_bytes());
        let _ = board.port_write(0x1d0, &value.to_le_bytes());
    }
    let _ = board.port_write(0x3c0, &[0x20]);
    let program = redrawing(4 * u32::from(width) * u32::from(height))?;
    machine_with(kvm, board, &program, dirty_log)
}

/// Runs the guest up to its next exit, and carries that out.
fn step(machine: &mut Machine, vcpu: &mut Vcpu) {
    let mut writes = Vec::new();
    let exit = vcpu.run(&mut writes);
    assert_eq!(machine.handle(&writes, exit), None);
}

/// A program that writes to an address, and then to a port.
fn writing(address: u32, value: u32) -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(64)?;
    a.mov(edi, address)?;
    a.mov(eax, value)?;
    a.mov(dword_ptr(rdi), eax)?;
    a.out(0x80, al)?;
    a.assemble(CODE)
}

/// Where the guest sees the framebuffer without exits.
fn mapped_framebuffer(machine: &Machine) -> Option<u64> {
    let mut mapped = machine.regions.mapped();
    let framebuffer = mapped.find(|region| region.kind == RegionKind::Framebuffer);
    framebuffer.map(|region| region.guest.0)
}

#[test]
fn a_framebuffer_over_ram_is_served_where_the_ram_ends_and_mapped_once_it_has_moved() {
    let Some(kvm) = kvm() else { return };
    const VALUE: u32 = 0x1234_5678;
    let base = 0x20_0000;
    for (address, expected) in [(base, [VALUE, 0]), (base + 0x10_0000, [0, VALUE])] {
        let board = board(2, base).unwrap();
        let program = writing(address, VALUE).unwrap();
        let (mut machine, mut vcpu) = machine_with(&kvm, board, &program, false).unwrap();
        let notes = machine.board.notes.join("\n");
        assert!(
            notes.contains("framebuffer") && notes.contains("can't map"),
            "{notes:?}"
        );
        assert_eq!(mapped_framebuffer(&machine), None);

        let ports = machine.board.counts.other_ports;
        while machine.board.counts.other_ports == ports {
            step(&mut machine, &mut vcpu);
        }
        let guest_address = GuestAddress(address.into());
        let ram = machine.board.ram.read_obj(guest_address).unwrap_or(0);
        let mut vram = [0; 4];
        let offset = u64::from(address - base);
        machine.board.vga.vram().read(offset, &mut vram);
        let found = [ram, u32::from_le_bytes(vram)];
        assert_eq!(found, expected, "RAM and VRAM at {address:#x}");

        let changes = machine.board.counts.slot_changes;
        let _ = config_write(&mut machine.board, 0x10, FRAMEBUFFER_ADDRESS);
        machine.remap();
        let moved = mapped_framebuffer(&machine);
        assert_eq!(moved, Some(FRAMEBUFFER_ADDRESS.into()));
        assert_eq!(machine.board.counts.slot_changes, changes + 1);
    }
}

#[test]
fn what_was_drawn_before_a_slot_was_removed_reaches_a_screen_that_uses_the_log() {
    let Some(kvm) = kvm() else { return };
    let (mut machine, mut vcpu) = redrawing_machine(&kvm, 640, 480, true).unwrap();
    let scanout = machine.board.vga.scanout();
    let vram = machine.board.vga.vram().clone();
    let mut display = Display::new(Instant::now(), None);
    let mut pages = DirtyPages::new(&vram);
    let mut refresh = |machine: &mut Machine| {
        machine.drain_dirty(&mut pages).unwrap();
        let marked = pages.iter().count();
        let refresh = |dirty: Dirty<'_>| display.refresh(&scanout, &vram, dirty);
        pages.consume(refresh).unwrap();
        (marked, display.picture.pixels[..2].to_vec())
    };
    refresh(&mut machine);
    for _ in 0..2 {
        step(&mut machine, &mut vcpu);
    }
    let _ = config_write(&mut machine.board, 0x04, 0);
    machine.remap();
    assert_eq!(mapped_framebuffer(&machine), None);
    // The guest counts frames from 0, in 64 bits.
    assert_eq!(refresh(&mut machine), (640 * 480 * 4 / 4096, vec![1, 0]));
}

/// Runs what is to be measured, and notes how many microseconds it took.
fn timed<T>(times: &mut Vec<f64>, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    times.push(start.elapsed().as_secs_f64() * 1e6);
    result
}

/// Lets the guest redraw frames, and draws each, twice. Returns how many microseconds the guest took, the
/// refresh after it, and the one that had nothing to do: medians.
fn redraw(kvm: &Kvm, (width, height): (u16, u16), dirty_log: bool) -> Result<[f64; 3]> {
    let frames = if cfg!(debug_assertions) { 3 } else { 101 };
    let (mut machine, mut vcpu) = redrawing_machine(kvm, width, height, dirty_log)?;
    let scanout = machine.board.vga.scanout();
    let vram = machine.board.vga.vram().clone();
    let mut pages = DirtyPages::new(&vram);
    let mut display = Display::new(Instant::now(), None);
    let mut refresh = |machine: &mut Machine| -> Result<bool> {
        if !dirty_log {
            return display.refresh(&scanout, &vram, Dirty::Compare);
        }
        machine.drain_dirty(&mut pages)?;
        pages.consume(|dirty| display.refresh(&scanout, &vram, dirty))
    };
    let mut times = [const { Vec::new() }; 3];
    let [guest, changed, unchanged] = &mut times;
    for _ in 0..frames {
        timed(guest, || step(&mut machine, &mut vcpu));
        let first = timed(changed, || refresh(&mut machine))?;
        let second = timed(unchanged, || refresh(&mut machine))?;
        assert!(first && !second, "a frame is drawn once: {first}, {second}");
    }
    let pixels = display.picture.pixels;
    let expected = [frames - 1, 0]; // the guest counts from 0, in 64 bits
    let other = pixels.chunks(2).find(|pair| *pair != expected);
    assert_eq!(other, None, "two pixels that aren't {expected:x?}");
    Ok(times.map(|mut times| {
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}

/// With `--release` and `--nocapture`, this tells how long it takes.
#[test]
fn redrawn_frames_show_whether_they_are_compared_or_logged() {
    let Some(kvm) = kvm() else { return };
    println!("µs a frame: the guest, a refresh of it, one where nothing changed");
    for size in [(1024, 768), (1920, 1080)] {
        for dirty_log in [false, true] {
            let [guest, changed, unchanged] = redraw(&kvm, size, dirty_log).unwrap();
            let source = if dirty_log { "log" } else { "compare" };
            println!("{size:?}, {source}: {guest:.0}, {changed:.0}, {unchanged:.1}");
        }
    }
}
