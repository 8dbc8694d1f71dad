// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What guests cost the machine: exits, and changes of memory slots.

use std::fs;

use iced_x86::code_asm::*;
use iced_x86::{IcedError, Instruction};
use stdvga_testing::program::text;

use crate::boot_sectors::{assert_image_draws, draw_planes, out, sector};
use crate::machine::configure;
use crate::run::{SEABIOS, SEAVGABIOS, bios, boot, count, have_kvm_and, temporary};

type Code = fn(&mut CodeAssembler) -> Result<(), IcedError>;

/// Runs `code` as the BIOS, up to a HLT that follows it. Returns what the program said.
fn run(name: &str, code: Code, options: &[&str]) -> String {
    let assemble = || {
        let mut a = CodeAssembler::new(16)?;
        a.cli()?;
        a.cld()?;
        code(&mut a)?;
        a.hlt()?;
        a.assemble(0)
    };
    let image = bios(name, &assemble().expect("the BIOS assembles"));
    let files = ["--bios", &image, "--vgabios", SEAVGABIOS];
    let screenshot = temporary(&format!("{name}.png"));
    let own = ["--screenshot", text(&screenshot)];
    let output = boot(&[&files[..], &own, options].concat());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("halted with interrupts off"), "{stderr}");
    stderr
}

#[test]
fn coalesced_writes_draw_the_same_picture_with_fewer_exits() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let image = temporary("coalescing.img");
    fs::write(&image, sector(draw_planes)).expect("the image can be written");
    let [on, off] = ["on", "off"].map(|switch| {
        let stderr = assert_image_draws("mode-12h", &image, &["--coalescing", switch]);
        count(&stderr, "exits")
    });
    // 57,600 of the accesses are writes to the window.
    assert!(
        on + 57_000.0 < off,
        "{on} exits with coalescing, {off} without"
    );
}

/// Text in the window, odd and even bytes in planes of their own.
fn map_text(a: &mut CodeAssembler) -> Result<(), IcedError> {
    out(a, 0x3ce, 5, 0x10)?;
    out(a, 0x3ce, 6, 0x0e)?;
    out(a, 0x3c4, 4, 0x02)?;
    out(a, 0x3c4, 2, 0x03)
}

/// Four planes in the window.
fn map_planes(a: &mut CodeAssembler) -> Result<(), IcedError> {
    out(a, 0x3ce, 6, 0x05)?;
    out(a, 0x3ce, 8, 0xff)?;
    out(a, 0x3c4, 4, 0x06)?;
    out(a, 0x3c4, 2, 0x0f)
}

/// Moves 24 rows of 80 cells up by one, 25 times.
fn scroll(a: &mut CodeAssembler) -> Result<(), IcedError> {
    map_text(a)?;
    a.mov(ax, 0xb800)?;
    a.mov(ds, ax)?;
    a.mov(es, ax)?;
    a.mov(bx, 25)?;
    let mut line = a.create_label();
    a.set_label(&mut line)?;
    a.mov(si, 160)?;
    a.xor(di, di)?;
    a.mov(cx, 24 * 80)?;
    a.add_instruction(Instruction::with_rep_movsw(16)?)?;
    a.dec(bx)?;
    a.jnz(line)
}

/// Fills 640x480 pixels of 16 colours, twice.
fn fill(a: &mut CodeAssembler) -> Result<(), IcedError> {
    map_planes(a)?;
    a.mov(ax, 0xa000)?;
    a.mov(es, ax)?;
    for colour in [0x55, 0xaa] {
        a.xor(di, di)?;
        a.mov(al, colour)?;
        a.mov(cx, 80 * 480)?;
        a.add_instruction(Instruction::with_rep_stosb(16)?)?;
    }
    Ok(())
}

#[test]
fn scrolling_and_filling_exit_for_reads_but_hardly_for_writes() {
    if !have_kvm_and(&[SEAVGABIOS]) {
        return;
    }
    let guests: [(&str, Code, f64, f64); 2] = [
        ("scroll", scroll, 48_000.0, 48_000.0),
        ("fill", fill, 0.0, 76_800.0),
    ];
    for (name, code, reads, writes) in guests {
        let [on, off] = ["on", "off"].map(|switch| {
            let stderr = run(name, code, &["--coalescing", switch]);
            let (exits, seconds) = (count(&stderr, "exits"), count(&stderr, "s;"));
            println!("{name}, coalescing {switch}: {exits} exits, {seconds} s");
            exits
        });
        assert!(
            off >= reads + writes,
            "{name}: {off} exits without coalescing"
        );
        // One for each ring that's full, at least.
        let expected = reads + writes / 50.0;
        assert!(on < expected, "{name}: {on} exits with coalescing");
    }
}

#[test]
fn memory_slots_change_only_where_mappings_do() {
    /// Maps VRAM at 0xa0000, as in mode 13h.
    fn chain_4(a: &mut CodeAssembler) -> Result<(), IcedError> {
        out(a, 0x3ce, 6, 0x05)?;
        out(a, 0x3c4, 4, 0x0e)?;
        out(a, 0x3c4, 2, 0x0f)
    }
    fn dispi(a: &mut CodeAssembler, register: u32, value: u32) -> Result<(), IcedError> {
        for (port, value) in [(0x1ce, register), (0x1d0, value)] {
            a.mov(dx, port)?;
            a.mov(ax, value)?;
            a.out(dx, ax)?;
        }
        Ok(())
    }
    const BANK: u32 = 5;
    let code: Code = |a| {
        for _ in 0..10 {
            configure(a, 0x10, 0xe000_0000)?; // BAR0
            configure(a, 0x04, 2)?; // a slot is set, once
        }
        for _ in 0..10 {
            chain_4(a)?; // another one
        }
        for (register, value) in [(1, 640), (2, 480), (3, 8), (4, 0x41)] {
            dispi(a, register, value)?; // the first bank is mapped already
        }
        for bank in 0..4 {
            for _ in 0..10 {
                dispi(a, BANK, bank)?; // each but the first: removed and set, once
            }
        }
        for _ in 0..10 {
            out(a, 0x3ce, 6, 0x05)?;
            out(a, 0x3c4, 2, 0x0f)?;
        }
        dispi(a, 4, 0)?; // back to the first bank: removed and set
        out(a, 0x3c4, 2, 0x07) // a plane is masked: removed
    };
    if !have_kvm_and(&[SEAVGABIOS]) {
        return;
    }
    let stderr = run("slots", code, &[]);
    let changes = count(&stderr, "memory-slot changes");
    assert_eq!(changes, f64::from(1 + 1 + 3 * 2 + 2 + 1), "{stderr}");
}
