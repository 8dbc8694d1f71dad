// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The precise retrace, compared with QEMU at times that QEMU's HPET tells. Needs QEMU 10.0.
#![cfg(target_os = "linux")]

use std::thread;
use std::time::Duration;

use rand::prelude::*;
use stdvga_testing::driver::registers::*;
use stdvga_testing::program::Program;
use stdvga_testing::qtest::{Peer, has_qemu};

/// The program that answers as QEMU does.
const QTEST: Program = Program::new(env!("CARGO_BIN_EXE_stdvga-qtest"));
/// States of the timing registers that are compared, at several times each.
const STATES: u64 = 60;
/// Times at which each is compared.
const TIMES: u32 = 3;

/// HPET: enables the counter, which starts from 0.
const START_HPET: &str = "writeq 0xfed00010 1";
/// HPET: the counter, in steps of ten nanoseconds.
const READ_HPET: &str = "readq 0xfed000f0";
const NANOSECONDS_PER_STEP: u64 = 10;

fn ask(peer: &mut Peer, line: String) -> String {
    peer.ask(&[line]).remove(0)
}

/// Random values for all registers that shape the retrace, as lines; and the port of Input Status 1.
fn random_timing(rng: &mut SmallRng) -> (Vec<String>, u16) {
    let output: u8 = rng.random();
    let (crtc, status_1) = if output & COLOR_ADDRESSES != 0 {
        (CRTC, INPUT_STATUS_1)
    } else {
        (MONO_CRTC, MONO_INPUT_STATUS_1)
    };
    let set = |port: u16, index: u8, value: u8| {
        format!("outw {port:#x} {:#x}", u16::from_le_bytes([index, value]))
    };
    let mut lines = vec![
        format!("outb {MISC_OUTPUT:#x} {output}"),
        set(SEQUENCER, CLOCKING_MODE, rng.random()),
        // Write protection off.
        set(crtc, VERTICAL_RETRACE_END, 0x00),
    ];
    // Small frames have retraces for a good part of their time.
    let is_small: bool = rng.random();
    for index in [
        HORIZONTAL_TOTAL,
        HORIZONTAL_RETRACE_START,
        HORIZONTAL_RETRACE_END,
        VERTICAL_TOTAL,
        OVERFLOW,
        VERTICAL_RETRACE_START,
        VERTICAL_RETRACE_END,
    ] {
        let value = match index {
            _ if !is_small => rng.random(),
            OVERFLOW => 0,
            _ => rng.random_range(0..32),
        };
        lines.push(set(crtc, index, value));
    }
    (lines, status_1)
}

#[test]
fn precise_retraces_are_qemus_at_any_time() {
    if !has_qemu() {
        return;
    }
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let mut qemu = Peer::qemu_with(&words(&["-M", "pc", "-vga", "std,retrace=precise"]));
    let mut ours = Peer::stdvga_with(
        QTEST,
        &words(&["-M", "pc", "-device", "VGA", "--retrace", "precise"]),
    );
    ask(&mut qemu, START_HPET.into());

    let mut rng = SmallRng::seed_from_u64(1);
    let mut now = 0;
    let mut seen = [0; 10];
    for _ in 0..STATES {
        let (lines, status_1) = random_timing(&mut rng);
        assert_eq!(qemu.ask(&lines), ours.ask(&lines), "{lines:?}");
        for _ in 0..TIMES {
            ask(&mut qemu, "cont".into());
            thread::sleep(Duration::from_micros(rng.random_range(100..5000)));
            ask(&mut qemu, "stop".into());
            let steps = ask(&mut qemu, READ_HPET.into());
            let steps =
                u64::from_str_radix(steps.trim_start_matches("OK 0x"), 16).expect("a count");
            let expected = ask(&mut qemu, format!("inb {status_1:#x}"));

            // The counter's step may hide a change: both its ends are right.
            let first = steps * NANOSECONDS_PER_STEP;
            let answers = [first, first + NANOSECONDS_PER_STEP - 1].map(|time| {
                ask(&mut ours, format!("clock_step {}", time - now));
                now = time;
                ask(&mut ours, format!("inb {status_1:#x}"))
            });
            assert!(
                answers.contains(&expected),
                "at {first} ns QEMU answers {expected}, stdvga {answers:?}, after\n{}",
                lines.join("\n")
            );
            seen[usize::from_str_radix(expected.trim_start_matches("OK 0x"), 16)
                .expect("a status")] += 1;
        }
    }
    assert!(
        seen[0x00] > 0 && seen[0x01] > 0 && seen[0x09] > 0,
        "all three states of the display were met: {seen:?}"
    );
}
