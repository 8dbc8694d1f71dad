// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Random pictures, drawn by QEMU and by the device: every pixel must be the same.
//!
//! Needs QEMU 10.0. Environment:
//!
//! - `STDVGA_SCREENS`: how many pictures at least, over all tests; 1,760 where it isn't set.
//! - `STDVGA_SEED`: where to start; a fresh one where it isn't set. It's printed in either case.
//!
//! On a difference, both pictures and one of the differing pixels are left in `target/tmp/screens`.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use stdvga_testing::actions::screens::{self, Family};
use stdvga_testing::actions::{Choices, FAMILIES, SCREENDUMP, Setup, environment, lines, pc, seed};
use stdvga_testing::picture;
use stdvga_testing::picture::Picture;
use stdvga_testing::program::Program;
use stdvga_testing::qtest::{Peer, decode, has_qemu, shrink};

/// The program that answers as QEMU does.
const QTEST: Program = Program::new(env!("CARGO_BIN_EXE_stdvga-qtest"));
const SETUPS: [Setup; 4] = [
    pc("VGA,vgamem_mb=1"),
    pc("VGA"),
    pc("secondary-vga"),
    Setup {
        machine: "isapc",
        device: "isa-vga",
    },
];

/// Pictures of a program. Each starts with fresh machines, so a difference is found again from its seed.
const PICTURES: usize = 20;
/// Tests in this file, which share the pictures.
const TESTS: usize = 11;
/// How long a difference may take to shrink.
const SHRINK_FOR: Duration = Duration::from_secs(120);

/// Two pictures that differ, and how many lines led to them.
struct Difference {
    lines: usize,
    qemu: Picture,
    ours: Picture,
}

/// Puts the lines to fresh machines, up to the first picture that differs. Fails where QEMU ends.
fn compare(setup: &Setup, lines: &[String]) -> io::Result<Option<Difference>> {
    let Setup { machine, device } = setup;
    let (mut qemu, mut ours) = (
        Peer::qemu(machine, device),
        Peer::stdvga(QTEST, machine, device),
    );
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("dump.ppm");
    let dump = |peer: &mut Peer, lines: &[String]| {
        peer.try_ask(&with_file(lines, &file))
            .map(|_| Picture::load_dump(&file))
    };
    // Until there's a mode, QEMU's screen shows what the host writes on it.
    let hosts_picture = dump(&mut qemu, &[SCREENDUMP.to_owned()])?;
    let mut count = 0;
    for part in lines.split_inclusive(|line| line == SCREENDUMP) {
        if part.last().is_none_or(|line| line != SCREENDUMP) {
            break;
        }
        count += part.len();
        let mut qemus_picture = dump(&mut qemu, part)?;
        if qemus_picture == hosts_picture {
            qemus_picture.pixels.fill([0; 3]);
        }
        let our_picture = dump(&mut ours, part).expect("the program goes on");
        if qemus_picture != our_picture {
            return Ok(Some(Difference {
                lines: count,
                qemu: qemus_picture,
                ours: our_picture,
            }));
        }
    }
    Ok(None)
}

/// The lines, with the screen dumped to `file`.
fn with_file(lines: &[String], file: &Path) -> Vec<String> {
    lines
        .iter()
        .map(|line| match line.as_str() {
            SCREENDUMP => format!("{SCREENDUMP} {}", file.display()),
            _ => line.clone(),
        })
        .collect()
}

/// Leaves out lines that the difference doesn't need, as long as there's time. Gives the lines that are
/// left, and the difference that they lead to.
fn shrink_for_a_while(
    setup: &Setup,
    mut lines: Vec<String>,
    mut difference: Difference,
) -> (Vec<String>, Difference) {
    let start = Instant::now();
    lines.truncate(difference.lines);
    let lines = shrink(lines, |lines| {
        if start.elapsed() > SHRINK_FOR {
            return None;
        }
        difference = compare(setup, lines).ok()??;
        Some(difference.lines)
    });
    (lines, difference)
}

/// Compares random pictures of these families: one test's share of all.
fn screens_are_qemus(name: &str, families: &[Family]) {
    if !has_qemu() {
        return;
    }
    let pictures = environment("STDVGA_SCREENS").unwrap_or(1760) as usize;
    let programs = pictures.div_ceil(TESTS).div_ceil(PICTURES);
    let mut ends = 0;
    for (number, setup) in (0..programs as u64).zip(SETUPS.iter().cycle()) {
        let seed = seed().wrapping_add(number);
        let choices = Choices::seeded(seed);
        let lines = lines(&screens::random(setup, choices, families, PICTURES));
        match compare(setup, &lines) {
            Ok(None) => {}
            Ok(Some(difference)) => {
                let (lines, difference) = shrink_for_a_while(setup, lines, difference);
                panic!("{}", describe(name, setup, seed, &lines, &difference));
            }
            Err(_) => ends += 1,
        }
    }
    // Past the test harness, which keeps what the print macros write.
    let _ = writeln!(
        io::stderr(),
        "{name}: {} pictures in programs of {PICTURES} from seed {}: no difference; QEMU ended {ends} times",
        (programs - ends) * PICTURES,
        seed(),
    );
    assert!(ends < programs, "QEMU ended in every program");
}

fn describe(
    name: &str,
    setup: &Setup,
    seed: u64,
    lines: &[String],
    difference: &Difference,
) -> String {
    let Setup { machine, device } = setup;
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screens");
    fs::create_dir_all(&directory).expect("the target directory can be written");
    let what = picture::compare(&directory.join(name), &difference.ours, &difference.qemu);
    format!(
        "-M {machine} -device {device}, seed {seed}: after these lines,\n{}{}",
        decode(
            QTEST,
            machine,
            device,
            &with_file(lines, Path::new("/dev/null"))
        ),
        what.expect_err("the pictures differ"),
    )
}

#[test]
fn text_is_qemus() {
    screens_are_qemus("text", &[Family::Text]);
}

#[test]
fn planar_pictures_are_qemus() {
    screens_are_qemus("planar", &[Family::Planar]);
}

#[test]
fn cga_pictures_are_qemus() {
    screens_are_qemus("cga", &[Family::Cga]);
}

#[test]
fn pictures_of_256_doubled_colors_are_qemus() {
    screens_are_qemus("doubled", &[Family::Doubled]);
}

#[test]
fn pictures_of_4_bits_are_qemus() {
    screens_are_qemus("vbe-4", &[Family::Vbe(4)]);
}

#[test]
fn pictures_of_8_bits_are_qemus() {
    screens_are_qemus("vbe-8", &[Family::Vbe(8)]);
}

#[test]
fn pictures_of_15_bits_are_qemus() {
    screens_are_qemus("vbe-15", &[Family::Vbe(15)]);
}

#[test]
fn pictures_of_16_bits_are_qemus() {
    screens_are_qemus("vbe-16", &[Family::Vbe(16)]);
}

#[test]
fn pictures_of_24_bits_are_qemus() {
    screens_are_qemus("vbe-24", &[Family::Vbe(24)]);
}

#[test]
fn pictures_of_32_bits_are_qemus() {
    screens_are_qemus("vbe-32", &[Family::Vbe(32)]);
}

#[test]
fn pictures_of_all_kinds_in_turn_are_qemus() {
    screens_are_qemus("all", &FAMILIES);
}
