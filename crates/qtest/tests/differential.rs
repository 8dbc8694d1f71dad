// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Random accesses, put to QEMU and to the device: every answer must be the same.
//!
//! Needs QEMU 10.0. Environment:
//!
//! - `STDVGA_ACCESSES`: how many accesses at least, over all setups; 1,200,000 where it isn't set.
//! - `STDVGA_SEED`: where to start; a fresh one where it isn't set. It's printed in either case.
#![cfg(target_os = "linux")]

use std::io::Write;

use stdvga_testing::actions::{Choices, SETUPS, Setup, environment, lines, program, seed};
use stdvga_testing::program::Program;
use stdvga_testing::qtest::{Peer, decode, has_qemu, shrink};

/// The program that answers as QEMU does.
const QTEST: Program = Program::new(env!("CARGO_BIN_EXE_stdvga-qtest"));
/// Lines of a program. Each starts with fresh machines, so a difference is found again from its seed.
const LINES: usize = 20_000;

/// What both sides answered to the same lines, up to the first difference.
struct Difference {
    line: usize,
    qemu: String,
    ours: String,
}

fn compare(setup: &Setup, lines: &[String]) -> Option<Difference> {
    let Setup { machine, device } = setup;
    let (mut qemu, mut ours) = (
        Peer::qemu(machine, device),
        Peer::stdvga(QTEST, machine, device),
    );
    let (theirs, ours) = (qemu.ask(lines), ours.ask(lines));
    let line = theirs.iter().zip(&ours).position(|(a, b)| a != b)?;
    Some(Difference {
        line,
        qemu: theirs[line].clone(),
        ours: ours[line].clone(),
    })
}

/// Compares random programs of the setup with this device, its share of all accesses.
fn answers_as_qemu(device: &str) {
    if !has_qemu() {
        return;
    }
    let setup = SETUPS.iter().find(|setup| setup.device == device);
    let setup = setup.expect("one of the setups that are compared");
    let accesses = environment("STDVGA_ACCESSES").unwrap_or(1_200_000) as usize;
    let programs = accesses.div_ceil(SETUPS.len()).div_ceil(LINES);
    for number in 0..programs as u64 {
        let seed = seed().wrapping_add(number);
        let lines = lines(&program::random(setup, Choices::seeded(seed), LINES));
        let Some(difference) = compare(setup, &lines) else {
            continue;
        };
        let minimal = shrink(lines[..=difference.line].to_vec(), |lines| {
            compare(setup, lines).map(|difference| difference.line + 1)
        });
        let Difference { qemu, ours, .. } =
            compare(setup, &minimal).expect("the difference that shrank");
        panic!(
            "-M {} -device {}, seed {seed}: to the last of these lines,\n{}QEMU answers `{qemu}`, stdvga `{ours}`",
            setup.machine,
            setup.device,
            decode(QTEST, setup.machine, setup.device, &minimal),
        );
    }
    // Past the test harness, which keeps what the print macros write.
    let _ = writeln!(
        std::io::stderr(),
        "{}: {programs} programs of {LINES} lines from seed {}: no difference",
        setup.device,
        seed(),
    );
}

#[test]
fn vga_with_1_mib_answers_as_qemu() {
    answers_as_qemu("VGA,vgamem_mb=1");
}

#[test]
fn vga_with_3_mib_rounded_up_answers_as_qemu() {
    answers_as_qemu("VGA,vgamem_mb=3");
}

#[test]
fn vga_with_16_mib_answers_as_qemu() {
    answers_as_qemu("VGA");
}

#[test]
fn vga_with_64_mib_answers_as_qemu() {
    answers_as_qemu("VGA,vgamem_mb=64");
}

#[test]
fn vga_with_256_mib_answers_as_qemu() {
    answers_as_qemu("VGA,vgamem_mb=256");
}

#[test]
fn vga_with_a_1080p_monitor_answers_as_qemu() {
    answers_as_qemu("VGA,xres=1920,yres=1080");
}

#[test]
fn vga_with_a_5k_monitor_answers_as_qemu() {
    answers_as_qemu("VGA,xres=5120,yres=2880,refresh_rate=60000");
}

#[test]
fn vga_with_a_limited_monitor_answers_as_qemu() {
    answers_as_qemu("VGA,xmax=1280,ymax=1024");
}

#[test]
fn vga_without_edid_answers_as_qemu() {
    answers_as_qemu("VGA,edid=off");
}

#[test]
fn vga_without_mmio_answers_as_qemu() {
    answers_as_qemu("VGA,mmio=off");
}

#[test]
fn vga_without_extended_registers_answers_as_qemu() {
    answers_as_qemu("VGA,qemu-extended-regs=off");
}

#[test]
fn secondary_vga_answers_as_qemu() {
    answers_as_qemu("secondary-vga");
}

#[test]
fn secondary_vga_with_2_mib_answers_as_qemu() {
    answers_as_qemu("secondary-vga,vgamem_mb=2");
}

#[test]
fn isa_vga_answers_as_qemu() {
    answers_as_qemu("isa-vga");
}
