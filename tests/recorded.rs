// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! QEMU's answers, recorded: the device must give the same. Needs no QEMU.
//!
//! The recordings are made anew, by QEMU 10.0, with
//!
//! ```sh
//! STDVGA_RECORD=1 cargo test --test recorded
//! ```
//!
//! They are text, compressed by gzip. A line that starts with `-M` sets up fresh machines. Any other
//! is a line of the qtest protocol; behind ` -> ` stands QEMU's answer, unless that was `OK`.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use stdvga::StdVga;
use stdvga_testing::actions::{Access, Choices, SETUPS, lines, program};
use stdvga_testing::machine::{Machine, config};
use stdvga_testing::qtest::{Peer, has_qemu};
use vm_memory::GuestAddress;

/// Lines recorded of each setup.
const LINES: usize = 18_000;
/// The seed of the first setup's program.
const SEED: u64 = 1;
/// Where EDID programs put BAR2.
const BAR2: &str = "0xf0000000";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn is_recording() -> bool {
    std::env::var_os("STDVGA_RECORD").is_some()
}

/// Puts a program to QEMU, and writes down lines and answers.
fn record(machine: &str, device: &str, lines: &[String], text: &mut String) {
    assert!(has_qemu(), "recording needs QEMU");
    let answers = Peer::qemu(machine, device).ask(lines);
    text.push_str(&format!("-M {machine} -device {device}\n"));
    for (line, answer) in lines.iter().zip(answers) {
        text.push_str(line);
        if answer != "OK" {
            text.push_str(" -> ");
            text.push_str(&answer);
        }
        text.push('\n');
    }
}

fn save(name: &str, text: &str) {
    let file = fs::File::create(path(name)).expect("a file for the recording");
    let mut encoder = GzEncoder::new(file, Compression::best());
    encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish().map(drop))
        .expect("a written recording");
}

fn number(data: &[u8]) -> u64 {
    data.iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Whether an access reads a byte of the option ROM: QEMU's had SeaBIOS's in it, which isn't part of this repository.
fn reads_rom(machine: &Machine, access: &Access) -> bool {
    let (Access::Read {
        address,
        width: len,
    }
    | Access::ReadBytes { address, len }) = *access
    else {
        return false;
    };
    let rom = machine.guest.vga.mappings().rom;
    let in_rom = |address| rom.is_some_and(|rom| rom.offset_of(GuestAddress(address)).is_some());
    in_rom(address) || in_rom(address + len - 1)
}

/// Puts a line to a machine, and gives its answer in QEMU's form. None if the answer isn't the device's own.
fn ask(machine: &mut Machine, line: &str) -> Option<String> {
    let access: Access = line.parse().unwrap_or_else(|error| panic!("{error}"));
    let reads_rom = reads_rom(machine, &access);
    let data = machine.put(&access).data;
    let digits = || data.iter().map(|byte| format!("{byte:02x}"));
    let answer = match access {
        Access::In { .. } => format!("OK {:#06x}", number(&data)),
        Access::Read { .. } => format!("OK {:#018x}", number(&data)),
        Access::ReadBytes { .. } => format!("OK 0x{}", digits().collect::<String>()),
        _ => "OK".to_owned(),
    };
    (!reads_rom).then_some(answer)
}

/// A machine with a device that's given in QEMU's words.
fn machine(device: &str) -> Machine {
    let config = config(device);
    let vga = StdVga::new(config.clone()).expect("a valid configuration");
    Machine::with(vga, config, Arc::default())
}

/// Replays a recording, and tells how many lines it had, and how many setups.
fn replay(name: &str) -> (usize, usize) {
    let mut text = String::new();
    let file = fs::File::open(path(name)).expect("a recording");
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("a recording in text");
    let lines: Vec<&str> = text.lines().collect();
    let mut setups = 0;
    let mut replayed = 0;
    for session in lines.chunk_by(|_, next| !next.starts_with("-M ")) {
        let setup = session[0].strip_prefix("-M ").expect("a setup comes first");
        let (_, device) = setup
            .split_once(" -device ")
            .expect("a machine and a device");
        let lines = &session[1..];
        let mut machine = machine(device);
        for (index, line) in lines.iter().enumerate() {
            let (line, expected) = line.split_once(" -> ").unwrap_or((line, "OK"));
            let answer = ask(&mut machine, line);
            assert!(
                answer.as_deref().is_none_or(|answer| answer == expected),
                "{setup}, line {index}: `{line}` got {answer:?}, expected `{expected}`. Before it:\n{}",
                lines[index.saturating_sub(20)..index].join("\n"),
            );
        }
        setups += 1;
        replayed += lines.len();
    }
    (replayed, setups)
}

#[test]
fn accesses_answer_as_qemu_did() {
    const NAME: &str = "accesses.txt.gz";
    if is_recording() {
        let mut text = String::new();
        for (setup, seed) in SETUPS.iter().zip(SEED..) {
            let lines = lines(&program::random(setup, Choices::seeded(seed), LINES));
            record(setup.machine, setup.device, &lines, &mut text);
        }
        save(NAME, &text);
    }
    let (lines, setups) = replay(NAME);
    assert!(
        lines >= 240_000 && setups == SETUPS.len(),
        "only {lines} lines of {setups} setups are recorded"
    );
}

/// Monitors whose EDID is recorded: properties of the device.
fn monitors() -> Vec<String> {
    let sizes = [
        "",
        "640,480",
        "800,600",
        "1024,768",
        "1152,864",
        "1280,720",
        "1366,768",
        "1600,900",
        "1920,1080",
        "1920,1200",
        "2560,1440",
        "2560,1600",
        "3440,1440",
        "3840,2160",
        "4095,2160",
        "4096,2160",
        "5120,2880",
        "7680,4320",
        "1,1",
        "16000,12000",
        "65536,65536",
        "4294967295,4294967295",
    ];
    let limits = [
        "",
        ",xmax=1280,ymax=1024",
        ",xmax=800",
        ",ymax=600",
        ",xmax=1,ymax=1",
        ",xmax=4294967295",
    ];
    let rates = [
        "",
        ",refresh_rate=60000",
        ",refresh_rate=1",
        ",refresh_rate=144000",
        ",refresh_rate=4294967295",
    ];
    let size_property = |size: &str| match size.split_once(',') {
        Some((x, y)) => format!(",xres={x},yres={y}"),
        None => String::new(),
    };
    // Every size at two rates, and every limit and rate with the default size and 4K.
    let sized = sizes.iter().flat_map(|size| {
        ["", ",refresh_rate=60000"].map(|rate| format!("{}{rate}", size_property(size)))
    });
    let limited = ["", "3840,2160"].iter().flat_map(|size| {
        limits
            .iter()
            .zip(rates.iter().cycle())
            .map(move |(limit, rate)| format!("{}{limit}{rate}", size_property(size)))
    });
    sized.chain(limited).collect()
}

#[test]
fn edid_blobs_are_qemus() {
    const NAME: &str = "edid.txt.gz";
    if is_recording() {
        let mut text = String::new();
        for monitor in monitors() {
            let lines = [
                "outl 0xcf8 0x80001018".to_owned(),
                format!("outl 0xcfc {BAR2}"),
                "outl 0xcf8 0x80001004".to_owned(),
                "outw 0xcfc 2".to_owned(),
                format!("read {BAR2} 392"),
            ];
            record("pc", &format!("secondary-vga{monitor}"), &lines, &mut text);
        }
        save(NAME, &text);
    }
    let (_, monitors) = replay(NAME);
    assert!(monitors >= 40, "only {monitors} monitors are recorded");
}
