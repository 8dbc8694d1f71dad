// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! How many instructions the hot paths take: `cargo bench --bench instructions`.
//!
//! Counts don't depend on what else the machine does, so that a small loss shows. Valgrind counts them,
//! under which this program runs itself. They're compared with those in `benches/instructions.json`. To
//! record them anew, run
//!
//! ```sh
//! STDVGA_RECORD=1 cargo bench --bench instructions
//! ```
//!
//! Valgrind has AVX2 but no AVX-512: what is counted as drawn by `Kernels::Detected` is drawn with AVX2.

mod scenarios;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};
use clap::Parser;
use serde_json::{Value, json};
use stdvga_testing::skip;

use scenarios::pictures::PICTURES;
use scenarios::{Measure, accesses, refreshes};

const RECORD: &str = "benches/instructions.json";
/// By how much a count may differ from the recorded one: in percent, and in any case.
const TOLERANCE_PERCENT: u64 = 3;
const TOLERANCE: u64 = 2;

#[derive(Parser)]
struct Options {
    /// Only scenarios whose name contains this
    filter: Option<String>,
    /// Count nothing, but run each scenario once
    #[arg(long)]
    test: bool,
    /// Count nothing, but run the scenario of just the name given so many times
    #[arg(long, hide = true)]
    rounds: Option<u32>,
    /// What `cargo bench` adds, and `cargo test` doesn't
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let filter = options.filter.unwrap_or_default();
    if let Some(rounds) = options.rounds {
        for_each_scenario(&mut |name, _, run| {
            if name == filter {
                run(rounds);
            }
        });
        return Ok(());
    }
    if options.test || !options.bench {
        for_each_scenario(&mut |name, _, run| {
            if name.contains(&filter) {
                run(1);
            }
        });
        return Ok(());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        skip::skip("valgrind isn't installed");
        return Ok(());
    }
    let build = build()?;
    if env::var_os("STDVGA_RECORD").is_some() {
        ensure!(filter.is_empty(), "all counts are recorded together");
        let record = json!({ "build": build, "instructions": count(&filter)? });
        fs::write(RECORD, format!("{record:#}\n"))?;
        return Ok(());
    }
    let record: Value = serde_json::from_slice(&fs::read(RECORD)?)?;
    if record["build"] != *build {
        println!(
            "Nothing is compared: {RECORD} was recorded with {}, and this is {build}.",
            record["build"]
        );
        return Ok(());
    }
    compare(&count(&filter)?, &record["instructions"])
}

/// What counts depend on, besides the code: the compiler, and the vectors that valgrind offers.
fn build() -> anyhow::Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc).arg("--version").output();
    let version = String::from_utf8(output.context("rustc doesn't run")?.stdout)?;
    #[cfg(target_arch = "x86_64")]
    let vectors = if is_x86_feature_detected!("avx2") {
        ", AVX2"
    } else {
        ""
    };
    #[cfg(not(target_arch = "x86_64"))]
    let vectors = "";
    Ok(format!(
        "{}, {}{vectors}",
        version.trim(),
        env::consts::ARCH
    ))
}

/// What is to be done with a scenario: its name, how often it's run to be counted, and what runs it.
type Act<'a> = &'a mut dyn FnMut(&str, u32, &dyn Fn(u32));

struct Scenarios<'a> {
    act: Act<'a>,
    /// Of those that follow.
    rounds: u32,
}

impl Measure for Scenarios<'_> {
    fn measure<R: FnMut()>(&mut self, name: &str, prepare: impl Fn() -> R) {
        (self.act)(name, self.rounds, &|rounds| {
            let mut round = prepare();
            (0..rounds).for_each(|_| round());
        });
    }
}

fn for_each_scenario(act: Act<'_>) {
    let mut scenarios = Scenarios { act, rounds: 1000 };
    accesses::measure(&mut scenarios);
    scenarios.rounds = 20;
    refreshes::measure(&mut scenarios);
    scenarios.rounds = 1;
    // The largest would show no more than the same in 1920x1080.
    for picture in PICTURES.iter().filter(|picture| picture.name != "vbe32_4k") {
        picture.measure_drawing(&mut scenarios);
    }
}

/// Counts the instructions that a round of each scenario takes.
fn count(filter: &str) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut scenarios = Vec::new();
    for_each_scenario(&mut |name, rounds, _| {
        if name.contains(filter) {
            scenarios.push((name.to_owned(), rounds));
        }
    });
    let mut counts = BTreeMap::new();
    for (name, rounds) in scenarios {
        // What isn't in a round happens once in both.
        let [once, twice] = [rounds, 2 * rounds].map(|rounds| instructions(&name, rounds));
        counts.insert(name, (twice? - once?) / u64::from(rounds));
    }
    Ok(counts)
}

/// All instructions of a process that runs a scenario.
fn instructions(name: &str, rounds: u32) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no"])
        .arg("--cachegrind-out-file=/dev/null")
        .arg(env::current_exe()?)
        .args([name, "--rounds", &rounds.to_string()])
        .output()?;
    let messages = String::from_utf8_lossy(&output.stderr);
    messages
        .lines()
        .find_map(|line| line.split_once("refs:"))
        .and_then(|(_, count)| count.trim().replace(',', "").parse().ok())
        .with_context(|| format!("valgrind didn't count {name}:\n{messages}"))
}

/// Fails where more instructions are taken than recorded.
fn compare(counts: &BTreeMap<String, u64>, recorded: &Value) -> anyhow::Result<()> {
    let (mut slower, mut faster) = (0, 0);
    println!("| instructions of | recorded | now | |");
    println!("| --- | --- | --- | --- |");
    for (name, now) in counts {
        let Some(before) = recorded[name].as_u64() else {
            slower += 1;
            println!("| `{name}` | - | {now} | **not recorded** |");
            continue;
        };
        let tolerance = TOLERANCE.max(before * TOLERANCE_PERCENT / 100);
        let verdict = if *now > before + tolerance {
            slower += 1;
            "**more**"
        } else if *now + tolerance < before {
            faster += 1;
            "fewer"
        } else {
            ""
        };
        println!("| `{name}` | {before} | {now} | {verdict} |");
    }
    if faster > 0 {
        println!("\nFewer are taken now. Record them, so that it stays so.");
    }
    ensure!(
        slower == 0,
        "more instructions are taken than {RECORD} says. If they're worth it, record them: \
         STDVGA_RECORD=1 cargo bench --bench instructions"
    );
    Ok(())
}
