// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Writes what the fuzz targets may start from: pieces of the recorded sequences, and the states and
//! pictures that they lead to.
//!
//! ```sh
//! cargo run --example seeds -- corpus
//! ```
//!
//! A folder for each target is made in the one named, with files named by a number.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use actions::{SMALL_SETUPS, Setup, recorded};
use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use machine::{Display, Machine};
use stdvga::State;
use stdvga_testing::{actions, machine};

const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/accesses.txt.gz");
/// Lines at a program's start, which place the BARs.
const PLACING: usize = 8;
const LINES: usize = 200;
/// The bit of a first byte that says that lines follow, to the target `device`.
const IS_RECORDING: usize = 8;
/// An index of a depth, to the target `screen`, for which registers follow.
const REGISTERS: u8 = 0;

/// The input of the target `screen` that leads to such registers.
fn screen(state: &State) -> Vec<u8> {
    let files: [&[u8]; 4] = [
        &state.crtc.registers[..32],
        &state.sequencer.registers,
        &state.graphics.registers[..16],
        &state.attribute.registers,
    ];
    // A number that the contents of VRAM come of.
    let mut input = vec![1; 8];
    let registers = files.into_iter().flatten();
    for byte in [&REGISTERS].into_iter().chain(registers) {
        input.extend([*byte; 2]);
    }
    input
}

/// The small setup that is most like a recorded one, by its place.
fn setup(line: &str) -> usize {
    match line {
        _ if line.contains("isa-vga") => 3,
        _ if line.contains("secondary-vga") => 2,
        _ if line.contains("mmio=off") => 1,
        _ => 0,
    }
}

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("where to?")?;
    let write = |target: &str, number: usize, input: &[u8]| {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(number.to_string()), input)
    };
    let mut text = String::new();
    GzDecoder::new(File::open(RECORDING)?).read_to_string(&mut text)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut number = 0;
    for session in lines.chunk_by(|_, next| !next.starts_with("-M ")) {
        let place = setup(session[0]);
        let setup: &Setup = &SMALL_SETUPS[place];
        let accesses: Vec<&str> = session[1..]
            .iter()
            .map(|line| line.split_once(" -> ").map_or(*line, |(access, _)| access))
            .collect();
        let (placing, rest) = accesses.split_at(PLACING);
        for piece in rest.chunks(LINES) {
            let program = [placing, piece].concat().join("\n");
            write("qtest", number, program.as_bytes())?;
            let first = (IS_RECORDING | place) as u8;
            write("device", number, &[&[first], program.as_bytes()].concat())?;

            let mut machine = Machine::new(setup, false);
            for action in recorded(setup, &program, usize::MAX) {
                machine
                    .act(&action, &mut Display::default())
                    .map_err(anyhow::Error::msg)?;
            }
            let state = machine.guest.vga.state();
            // Every other one in the crate's own form.
            let written = if number % 2 == 0 {
                serde_json::to_vec(&state)?
            } else {
                state.to_bytes()
            };
            write("restore", number, &written)?;
            write("screen", number, &screen(&state))?;
            number += 1;
        }
    }
    println!("{number} for each target");
    Ok(())
}
