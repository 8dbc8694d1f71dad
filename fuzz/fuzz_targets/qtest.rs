//! Any lines to the example `qtest`: each has one answer, and one line of the trace.

#![no_main]
// The example uses all of it.
#![allow(dead_code)]

#[path = "../../examples/qtest/command.rs"]
mod command;
#[path = "../../examples/qtest/machine.rs"]
mod machine;
#[path = "../../examples/qtest/options.rs"]
mod options;
#[path = "../../examples/qtest/trace/mod.rs"]
mod trace;

use clap::Parser;
use command::Session;
use libfuzzer_sys::fuzz_target;
use machine::Machine;
use options::Options;

fuzz_target!(|data: &[u8]| {
    let options = ["qtest", "--device", "VGA,vgamem_mb=1,addr=02.0"];
    let options = Options::try_parse_from(options).expect("arguments that are understood");
    let machine = Machine::new(&options).expect("a machine");
    let mut session = Session::new(machine, true);
    for line in data.split(|byte| *byte == b'\n') {
        // It would write files.
        if line.windows(4).any(|part| part == b"dump") {
            continue;
        }
        let (mut reply, mut trace) = (Vec::new(), Vec::new());
        session.answer(line, &mut reply, &mut trace);
        for (what, text) in [("answer", &reply), ("trace", &trace)] {
            let ends = text.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(ends, 1, "the {what} to {line:?} has {ends} ends of lines");
        }
    }
});
