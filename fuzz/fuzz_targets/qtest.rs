// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Any lines to the program `stdvga-qtest`: each has one answer, and one line of the trace.

#![no_main]

use clap::Parser;
use libfuzzer_sys::fuzz_target;
use stdvga_qtest::Options;
use stdvga_qtest::command::Session;
use stdvga_qtest::machine::Machine;

/// The most bytes that a line of an input may be about: up to 1 GiB are allowed, but take seconds.
const MAX_BYTES: u64 = 1 << 20;

/// Whether a line is about many bytes.
fn takes_long(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["read" | "write" | "memset", _, size, ..] = words[..] else {
        return false;
    };
    let size = match size.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => size.parse(),
    };
    size.is_ok_and(|size| size > MAX_BYTES)
}

fuzz_target!(|data: &[u8]| {
    let options = ["qtest", "--device", "VGA,vgamem_mb=1,addr=02.0"];
    let options = Options::try_parse_from(options).expect("arguments that are understood");
    let machine = Machine::new(&options).expect("a machine");
    let mut session = Session::new(machine, true);
    for line in data.split(|byte| *byte == b'\n') {
        // The former would write files.
        if line.windows(4).any(|part| part == b"dump") || takes_long(line) {
            continue;
        }
        let (mut reply, mut trace) = (Vec::new(), Vec::new());
        let answered = session.answer(line, &mut reply, &mut trace);
        answered.expect("memory takes an answer");
        for (what, text) in [("answer", &reply), ("trace", &trace)] {
            let ends = text.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(ends, 1, "the {what} to {line:?} has {ends} ends of lines");
        }
    }
});
