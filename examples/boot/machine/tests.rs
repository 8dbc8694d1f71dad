// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

#[path = "../../../tests/skip/mod.rs"]
mod skip;

use std::path::Path;
use std::time::Instant;

use iced_x86::code_asm::*;
use iced_x86::{IcedError, Instruction};
use stdvga::{Config, Dirty, MappedRange, StdVga, WindowRam};

use super::*;
use crate::cmos::Cmos;
use crate::fw_cfg::FwCfg;
use crate::kvm;
use crate::linux::{PRESENT, WRITABLE, write_page_tables};
use crate::outcome::{LongMode, Until};
use crate::screen::display::Display;

const TAKEN: [(u64, u64); 2] = [(0, 0xa_0000), (0xc_0000, 0x200_0000)];

fn range(base: u64, len: u64) -> Option<MappedRange> {
    Some(MappedRange {
        base: GuestAddress(base),
        len,
    })
}

fn planned(mappings: Mappings) -> [Option<u64>; 3] {
    plan(&mappings, &TAKEN).map(|slot| slot.map(|shown| shown.guest))
}

#[test]
fn each_mapping_gets_its_slot() {
    let window = Some(WindowRam {
        offset: 0,
        len: 0x1_0000,
        vram_offset: 0x3_0000,
    });
    let mappings = Mappings {
        framebuffer: range(0xfd00_0000, 16 * MIB),
        rom: range(0xfebe_0000, 0x1_0000),
        window,
        ..Mappings::default()
    };
    assert_eq!(
        planned(mappings),
        [Some(0xfd00_0000), Some(0xa_0000), Some(0xfebe_0000)]
    );
    let shown = plan(&mappings, &TAKEN)[1];
    assert_eq!(shown.map(|shown| shown.offset), Some(0x3_0000));
}

#[test]
fn a_bar_over_ram_the_window_or_another_slot_stays_unmapped() {
    for base in [0, 0x100_0000, 0x1ff_f000, 0x9_f000] {
        let mappings = Mappings {
            framebuffer: range(base, MIB),
            ..Mappings::default()
        };
        assert_eq!(planned(mappings), [None; 3], "{base:#x}");
    }
    let both = Mappings {
        framebuffer: range(0xe000_0000, 16 * MIB),
        rom: range(0xe000_0000, 0x1_0000),
        ..Mappings::default()
    };
    assert_eq!(planned(both), [None, None, Some(0xe000_0000)]);
    let hidden = Mappings {
        framebuffer: range(0xe000_0000, 16 * MIB),
        mmio: range(0xe000_0000, 0x1000),
        ..Mappings::default()
    };
    assert_eq!(planned(hidden), [None; 3], "BAR2 traps, and is on top");
}

#[test]
fn a_lack_of_memory_is_said_once() {
    let message = format!("{:#}", ram(1 << 62).unwrap_err());
    assert_eq!(message.matches("os error").count(), 1, "{message}");
}

#[test]
fn a_rom_smaller_than_a_page_traps() {
    let mappings = Mappings {
        rom: range(0xfebe_0800, 2048),
        ..Mappings::default()
    };
    assert_eq!(planned(mappings), [None; 3]);
}

#[test]
fn pages_of_a_slot_are_marked_where_it_starts_in_vram() {
    let marked = |first, pages: &[u64]| {
        let mut words = [0; 4];
        mark_pages(&mut words, first, pages);
        words
    };
    assert_eq!(marked(0, &[1, 2, 3, 4]), [1, 2, 3, 4], "BAR0");
    assert_eq!(marked(0x30, &[0x8001]), [0x8001 << 48, 0, 0, 0]);
    assert_eq!(
        marked(0x78, &[0x8100]),
        [0, 0, 0x81, 0],
        "over a word's end"
    );
    assert_eq!(marked(0xff, &[0b11]), [0, 0, 0, 1 << 63], "behind VRAM");
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

/// A machine whose guest redraws 32-bit frames of this size.
fn redrawing_machine(
    kvm: &Kvm,
    width: u16,
    height: u16,
    dirty_log: bool,
) -> Result<(Machine, Vcpu)> {
    let config = Config::default().vram_mib(16);
    let ram = ram(2 * MIB)?;
    const USER: u64 = 1 << 2;
    write_page_tables(&ram, GuestAddress(PAGE_TABLES), USER | PRESENT | WRITABLE)?;
    let program = redrawing(4 * u32::from(width) * u32::from(height))?;
    ram.write_slice(&program, GuestAddress(CODE))?;
    let (fw_cfg, cmos) = (FwCfg::new(Vec::new()), Cmos::new(2 * MIB));
    let mut board = Board::new(StdVga::new(config)?, ram, fw_cfg, cmos, false);
    for (register, value) in [(0x10, FRAMEBUFFER_ADDRESS), (0x04, 2)] {
        let _ = board.vga.config_write(register, &value.to_le_bytes());
    }
    for (register, value) in [(1_u16, width), (2, height), (3, 32), (4, 0x41)] {
        let _ = board.port_write(0x1ce, &register.to_le_bytes());
        let _ = board.port_write(0x1d0, &value.to_le_bytes());
    }
    let _ = board.port_write(0x3c0, &[0x20]);
    let options = Options {
        until: Until::Stable,
        keys: Vec::new(),
        coalescing: false,
        dirty_log,
        vnc: None,
    };
    // Every kind of KVM runs 64-bit user mode natively.
    let start = LongMode {
        rip: CODE,
        rsi: 0,
        page_tables: PAGE_TABLES,
        gdt: 0,
        code: 0x33,
        data: 0x2b,
    };
    Machine::new(kvm, board, &Start::LongMode(start), &options)
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
    let mut words = vec![0; vram.dirty_words()];
    let mut display = Display::new(Instant::now(), None);
    let mut refresh = |machine: &mut Machine| -> Result<bool> {
        if !dirty_log {
            return display.refresh(&scanout, &vram, Dirty::Compare);
        }
        machine.drain_dirty(&mut words)?;
        let changed = display.refresh(&scanout, &vram, Dirty::Pages(&words));
        words.fill(0);
        changed
    };
    let mut times = [const { Vec::new() }; 3];
    let [guest, changed, unchanged] = &mut times;
    for _ in 0..frames {
        let mut writes = Vec::new();
        let exit = timed(guest, || vcpu.run(&mut writes));
        assert_eq!(machine.handle(&writes, exit), None);
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
    let kvm = match kvm::open(Path::new("/dev/kvm")) {
        Ok(kvm) => kvm,
        Err(error) => return skip::skip(&format!("{error:#}")),
    };
    println!("µs a frame: the guest, a refresh of it, one where nothing changed");
    for size in [(1024, 768), (1920, 1080)] {
        for dirty_log in [false, true] {
            let [guest, changed, unchanged] = redraw(&kvm, size, dirty_log).unwrap();
            let source = if dirty_log { "log" } else { "compare" };
            println!("{size:?}, {source}: {guest:.0}, {changed:.0}, {unchanged:.1}");
        }
    }
}
