// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! States that were written by earlier versions of the crate, and by this one: they are read, and the
//! device answers as it did then.
//!
//! `tests/data/state` has a state for each version that changed the format, as JSON and as bytes (`.bin`), and
//! beside it what a guest then did and was answered: lines of the qtest protocol, and behind ` -> ` the bytes
//! read. They are never written again: what a version wrote must be readable for ever. A version that changes the
//! format adds its own, once its number is in `Cargo.toml`, by
//!
//! ```sh
//! STDVGA_RECORD=1 cargo test --all-features --test state recorded
//! ```

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use stdvga::state::Hardware;
use stdvga::{Monitor, State, StdVga, Variant};
use stdvga_testing::actions::{Access, Setup, pc};
use stdvga_testing::driver::*;
use stdvga_testing::machine::Machine;

const SETUP: Setup = pc("VGA,vgamem_mb=1");
const FRAMEBUFFER: u32 = 0xe000_0000;
const MMIO: u32 = 0xfebf_0000;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/state")
        .join(name)
}

fn machine() -> Machine {
    Machine::new(&SETUP, true)
}

/// Leaves something in every register.
fn drive(guest: &mut Guest) {
    guest.config_write(BAR0, &FRAMEBUFFER.to_le_bytes());
    guest.config_write(BAR2, &MMIO.to_le_bytes());
    guest.config_write(ROM_BAR, &[0x01, 0x00, 0xc0, 0xfe]);
    guest.config_write(COMMAND, &COMMAND_MEMORY.to_le_bytes());
    guest.config_write(CACHE_LINE_SIZE, &[0x10]);
    guest.config_write(INTERRUPT_LINE, &[0x0b]);
    guest.config_write(0x44, &[1, 2, 3, 4]);
    guest.reset();
    guest.config_write(BAR0, &FRAMEBUFFER.to_le_bytes());
    guest.config_write(BAR2, &MMIO.to_le_bytes());
    guest.config_write(ROM_BAR, &[0x01, 0x00, 0xc0, 0xfe]);
    guest.config_write(COMMAND, &COMMAND_MEMORY.to_le_bytes());
    guest.config_write(INTERRUPT_LINE, &[0x0b]);

    // An odd number of reads before a timing is programmed.
    guest.inb(MONO_INPUT_STATUS_1);
    guest.outb(MONO_INPUT_STATUS_1, 0x10);
    guest.planar_mode(640, 480);
    guest.vram_write(0x40, &[0x11, 0x22, 0x44, 0x88]);
    guest.window_read::<1>(0x10);
    for index in 0..=255 {
        guest.crtc(index, index ^ 0x5a);
        guest.dac(index, [index, !index, index.wrapping_mul(3)]);
    }
    guest.crtc(VERTICAL_RETRACE_END, 0x0e);
    for index in 0..0x15 {
        guest.attribute(index, index.wrapping_mul(11));
    }
    for index in 0..9 {
        guest.graphics(index, 0x41_u8.wrapping_mul(index + 1) & 0x7e);
    }
    guest.sequencer(SEQUENCER_RESET, 0x03);
    guest.sequencer(CHARACTER_MAP_SELECT, 0x2d);
    guest.sequencer(0x07, 0x77);
    guest.sequencer(MAP_MASK, ALL_PLANES);
    guest.sequencer(MEMORY_MODE, EXTENDED_MEMORY | ODD_EVEN_OFF | CHAIN_4);

    guest.dispi(ID, 0xb0c4);
    guest.vbe_mode(640, 400, 8);
    guest.dispi(ENABLE, ENABLED | DAC_8BIT);
    guest.dispi(VIRT_WIDTH, 800);
    guest.dispi(X_OFFSET, 8);
    guest.dispi(Y_OFFSET, 100);
    guest.dispi(BANK, 3);
    // The configuration has the other one.
    guest.mmio_write(EXTENDED_BYTE_ORDER, &LITTLE_ENDIAN.to_le_bytes());

    // Everything in the middle of something.
    guest.dac(0x30, [1, 2, 3]);
    guest.outb(DAC_READ_INDEX, 0x20);
    guest.inb(DAC_DATA);
    guest.outb(DAC_DATA, 0x2a);
    guest.outb(SEQUENCER, 0x07);
    guest.outb(GRAPHICS, 0x08);
    guest.outb(CRTC, 0xa0);
    guest.unblank();
    guest.outw(DISPI_INDEX, 0x1234);
    let monitor = Monitor::new(1920, 1080)
        .limit(2560, 1600)
        .refresh_rate(60_000);
    let monitor = guest.vga.set_monitor(monitor);
    assert_eq!(monitor, Ok(()));
}

/// What a guest does that looks at everything.
fn lines() -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |line: &str| lines.push(line.to_owned());
    // What is lost by looking at the rest comes first.
    for port in [
        0x3c0, 0x3c1, 0x3c4, 0x3c5, 0x3c7, 0x3c8, 0x3c9, 0x3ca, 0x3cc, 0x3ce, 0x3cf, 0x3d4, 0x3d5,
        0x3da,
    ] {
        add(&format!("inb {port:#x}"));
    }
    for line in ["inw 0x1ce", "outb 0x3c9 0x15", "inb 0x3c8", "inb 0x3c0"] {
        add(line);
    }
    add("read 0xa0000 8");
    for offset in (0..=0xfc_u32).step_by(4) {
        add(&format!("outl 0xcf8 {:#x}", 0x8000_1000 | offset));
        add("inl 0xcfc");
    }
    for _ in 0..40 {
        add("inb 0x3da");
    }
    for (port, registers) in [(0x3c4, 8), (0x3ce, 16), (0x3d4, 256)] {
        for index in 0..registers {
            add(&format!("outb {port:#x} {index:#x}"));
            add(&format!("inb {:#x}", port + 1));
        }
    }
    for index in 0..0x15 {
        add("inb 0x3da");
        add(&format!("outb 0x3c0 {index:#x}"));
        add("inb 0x3c1");
    }
    add("outb 0x3c7 0x0");
    for _ in 0..3 * 256 {
        add("inb 0x3c9");
    }
    add(&format!("read {MMIO:#x} 384"));
    add(&format!("read {:#x} 24", MMIO + 0x500));
    add(&format!("read {:#x} 8", MMIO + 0x600));
    // A bank, and planes of which write mode 1 writes the latches.
    add("write 0xa0000 2 0xa5c3");
    add(&format!("read {:#x} 4", FRAMEBUFFER + 0x3_0000));
    for line in [
        "outw 0x1ce 0x4",
        "outw 0x1d0 0x0",
        "outw 0x3c4 0x604",
        "outw 0x3ce 0x105",
        "outw 0x3ce 0x506",
        "outw 0x3d4 0x4014",
        "writeb 0xa0000 0x0",
        "readl 0xa0000",
    ] {
        add(line);
    }
    add(&format!("readl {FRAMEBUFFER:#x}"));
    lines
}

fn answer(machine: &mut Machine, line: &str) -> String {
    let access: Access = line.parse().expect("a line of an access");
    let data = machine.put(&access).data;
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Records what isn't recorded yet.
fn record(version: &str) {
    let write = |extension: &str, contents: &[u8]| {
        let path = path(&format!("{version}.{extension}"));
        if !path.exists() {
            fs::write(path, contents).expect("a file for what is recorded");
        }
    };
    let mut machine = machine();
    drive(&mut machine.guest);
    let state = machine.guest.vga.state();
    let json = serde_json::to_string(&state).expect("a state that can be written");
    write("json", (json + "\n").as_bytes());
    write("bin", &state.to_bytes());
    machine.guest.vga =
        StdVga::from_state(machine.config.clone(), &state).expect("a state that a device had");
    let text: String = lines()
        .iter()
        .map(|line| match answer(&mut machine, line) {
            answer if answer.is_empty() => format!("{line}\n"),
            answer => format!("{line} -> {answer}\n"),
        })
        .collect();
    write("txt", text.as_bytes());
}

/// Fails unless `state` holds all that was `recorded`, but for the version.
fn expect_all_of(recorded: &Value, state: &Value, name: &str) {
    match (recorded, state) {
        (Value::Object(recorded), Value::Object(state)) => {
            for (field, value) in recorded.iter().filter(|(field, _)| *field != "version") {
                expect_all_of(value, &state[field], &format!("{name}.{field}"));
            }
        }
        _ => assert_eq!(state, recorded, "{name}"),
    }
}

#[test]
fn recorded_states_are_read_and_answer_as_they_did() {
    if std::env::var_os("STDVGA_RECORD").is_some() {
        record(env!("CARGO_PKG_VERSION"));
    }
    let mut names: Vec<PathBuf> = fs::read_dir(path(""))
        .expect("the recorded states")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no state is recorded");
    for name in names {
        let json = fs::read_to_string(&name).expect("a recorded state");
        let state: State = serde_json::from_str(&json)
            .unwrap_or_else(|error| panic!("{} can't be read: {error}", name.display()));
        let bytes = fs::read(name.with_extension("bin")).expect("the recorded state's bytes");
        let from_bytes = State::from_bytes(&bytes)
            .unwrap_or_else(|error| panic!("the bytes of {}: {error}", name.display()));
        assert_eq!(from_bytes, state, "the bytes of {}", name.display());
        let mut machine = machine();
        machine.guest.vga = StdVga::from_state(machine.config.clone(), &state)
            .unwrap_or_else(|error| panic!("{} is refused: {error}", name.display()));

        let recorded: Value = serde_json::from_str(&json).expect("JSON");
        let restored = serde_json::to_value(machine.guest.vga.state()).expect("JSON");
        expect_all_of(&recorded, &restored, &name.display().to_string());

        let answers = fs::read_to_string(name.with_extension("txt")).expect("recorded answers");
        for (number, recorded) in (1..).zip(answers.lines()) {
            let (line, expected) = recorded.split_once(" -> ").unwrap_or((recorded, ""));
            let answer = answer(&mut machine, line);
            assert_eq!(
                answer,
                expected,
                "the answer to `{line}`, line {number} for {}",
                name.display()
            );
        }
    }
}

#[test]
fn the_recorded_state_has_something_in_every_register() {
    let mut machine = machine();
    drive(&mut machine.guest);
    let state = machine.guest.vga.state();
    let Hardware { variant, .. } = state.hardware;
    assert_eq!(variant, Variant::Vga);
    let idle = self::machine().guest.vga.state();
    let [state, idle] = [&state, &idle].map(|state| serde_json::to_value(state).expect("JSON"));
    expect_other(&idle, &state, "state");
}

/// Fails where something is as in an idle device: but for what a device is, and for single registers.
fn expect_other(idle: &Value, state: &Value, name: &str) {
    match (idle, state) {
        _ if name == "state.version" || name == "state.hardware" => {}
        (Value::Object(idle), Value::Object(state)) => {
            for (field, value) in idle {
                expect_other(value, &state[field], &format!("{name}.{field}"));
            }
        }
        _ => assert_ne!(state, idle, "{name}"),
    }
}

#[test]
fn a_newer_version_is_refused_before_its_fields_are_looked_at() {
    let known = State::VERSION;
    let newer = known + 1;
    let json = format!(r#"{{"version":{newer},"planes":[]}}"#);
    let error = serde_json::from_str::<State>(&json).expect_err("a newer version");
    let message =
        format!("the state has version {newer}, but only versions 1 to {known} are supported");
    assert!(error.to_string().starts_with(&message), "{error}");
}

#[test]
fn a_field_that_is_not_known_is_refused() {
    let state = machine().guest.vga.state();
    let mut json = serde_json::to_value(&state).expect("JSON");
    json["dac"]["pel_mask"] = 0xff.into();
    let error = serde_json::from_value::<State>(json).expect_err("a field that isn't known");
    assert!(
        error.to_string().contains("unknown field `pel_mask`"),
        "{error}"
    );
}

/// The paths of all fields in a value.
fn fields(value: &Value, path: &str, found: &mut Vec<String>) {
    for (field, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}/{field}");
        fields(value, &path, found);
        found.push(path);
    }
}

/// Fields that were added after version 1, with `serde(default)`: paths, such as `/dispi/index`. They may be
/// missing in states of any version.
const ADDED: [&str; 0] = [];

#[test]
fn a_field_that_is_missing_is_refused() {
    let mut machine = machine();
    drive(&mut machine.guest);
    let state = serde_json::to_value(machine.guest.vga.state()).expect("JSON");
    let mut paths = Vec::new();
    fields(&state, "", &mut paths);
    assert!(paths.len() > 50, "{paths:?}");
    for path in paths {
        if ADDED.contains(&path.as_str()) {
            continue;
        }
        let mut state = state.clone();
        let (parent, field) = path.rsplit_once('/').expect("a path");
        let parent = state.pointer_mut(parent).and_then(Value::as_object_mut);
        parent.expect("a block").remove(field);
        let error = serde_json::from_value::<State>(state).map(|_| ());
        let error = error.expect_err(&path).to_string();
        assert_eq!(error, format!("missing field `{field}`"), "without {path}");
    }
}

#[test]
fn an_array_of_another_length_is_refused() {
    let state = machine().guest.vga.state();
    for (block, field) in [("crtc", "registers"), ("dac", "entries"), ("pci", "bytes")] {
        for extra in [true, false] {
            let mut json = serde_json::to_value(&state).expect("JSON");
            let array = json[block][field].as_array_mut().expect("an array");
            let element = array.pop().expect("an element");
            if extra {
                array.extend([element.clone(), element]);
            }
            let len = array.len();
            let error = serde_json::from_value::<State>(json).expect_err("another length");
            assert_eq!(
                error.to_string(),
                format!("invalid length {len}, expected 256 elements"),
                "{block}.{field}"
            );
        }
    }
}
