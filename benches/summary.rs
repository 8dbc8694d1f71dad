// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the run found, as tables and as JSON.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::scenarios::accesses::RUN_BYTES;
use crate::scenarios::pictures::{PICTURES, Picture};

/// Scenarios but for pictures: name, what it is, and the most nanoseconds that it should take.
const CASES: [(&str, &str, f64); 16] = [
    ("idle", "nothing changed, worst of three modes", 150.0),
    ("compare_1080p", "1920x1080x32 compared", 300_000.0),
    ("one_line_1080p", "a line of 1920x1080x32", 800.0),
    ("one_line_planar", "a line of planar 640x480", 1300.0),
    ("one_text_row", "80 characters", 2000.0),
    ("one_text_cell", "a character", 250.0),
    ("scanout_only", "1920x1080x32 without a copy", 1000.0),
    ("port_seq", "0x3c4 and 0x3c5 written", 6.0),
    ("port_3da", "0x3da read", 3.0),
    ("port_3da_precise", "0x3da read, precise retrace", 20.0),
    ("dac_entry", "0x3c9 written three times", 7.0),
    ("dispi", "0x1ce and 0x1d0 written", 5.0),
    ("planar_write", "a byte written to planes", 4.0),
    ("text_write", "a byte written to text", 4.0),
    ("planar_read", "a byte read from planes", 2.0),
    ("planar_run", "a byte of 4096 in one call", 0.5),
];

const PICTURES_HEAD: &str = "\
| picture | memset µs | memcpy µs | ours µs | ours / memcpy | portable µs | portable / memcpy | goal |
| --- | --- | --- | --- | --- | --- | --- | --- |
";
const CASES_HEAD: &str = "
| case | what | ns | goal |
| --- | --- | --- | --- |
";

const DOCUMENT: &str = "docs/performance.md";
/// Lines of the document around the tables.
const TABLES: [&str; 2] = ["<!-- tables -->\n", "<!-- end of tables -->\n"];

/// Prints what was measured since `start`. If that was everything, writes it to a file, and into the
/// document where that is wanted.
pub fn write(start: SystemTime) -> anyhow::Result<()> {
    let medians = Medians::new(start);
    let mut entries = Map::new();
    let mut tables = format!("{}\n\n{PICTURES_HEAD}", processor());
    for picture in &PICTURES {
        if let Some(times) = medians.of_picture(picture) {
            tables += &times.row(picture);
            entries.insert(picture.name.to_owned(), times.entry());
        }
    }
    tables += CASES_HEAD;
    for (name, what, goal) in CASES {
        if let Some(ns) = medians.of_case(name) {
            tables += &format!("| `{name}` | {what} | {} | {goal} |\n", figures(ns));
            entries.insert(name.to_owned(), json!({ "ours_ns": ns }));
        }
    }
    if entries.is_empty() {
        return Ok(());
    }
    println!("{tables}");
    if entries.len() < PICTURES.len() + CASES.len() {
        println!("Not everything was measured: nothing is written.");
        return Ok(());
    }
    let json = target_directory().join("performance.json");
    fs::write(&json, format!("{:#}\n", Value::Object(entries)))
        .with_context(|| format!("{} can't be written", json.display()))?;
    println!("Written: {}", json.display());
    if env::var_os("STDVGA_RECORD").is_some() {
        document(&tables).with_context(|| format!("{DOCUMENT} can't be renewed"))?;
        println!("Written: {DOCUMENT}");
    }
    Ok(())
}

/// Puts the tables where the document has others.
fn document(tables: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(DOCUMENT)?;
    let [start, end] = TABLES;
    let (before, rest) = text.split_once(start).context("no start of tables")?;
    let (_, after) = rest.split_once(end).context("no end of tables")?;
    fs::write(DOCUMENT, format!("{before}{start}{tables}{end}{after}"))?;
    Ok(())
}

/// The CPU, as Linux names it, and the features that matter here.
fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info
            .lines()
            .find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name));
        line.map_or("unknown", |(_, value)| value.trim())
    };
    let flags: Vec<_> = field("flags").split(' ').collect();
    let features = ["avx2", "avx512bw", "avx512vbmi", "gfni"];
    let found: Vec<_> = features
        .into_iter()
        .filter(|feature| flags.contains(feature))
        .collect();
    format!(
        "CPU: {}, family {}, model {}; {}.",
        field("model name"),
        field("cpu family"),
        field("model"),
        found.join(", "),
    )
}

fn target_directory() -> PathBuf {
    // Cargo tells its directory for temporary files, which is in the one that is looked for.
    let mut directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    directory.pop();
    directory
}

/// Nanoseconds that a picture takes.
struct PictureTimes {
    memset: f64,
    memcpy: f64,
    ours: f64,
    portable: f64,
}

impl PictureTimes {
    fn row(&self, picture: &Picture) -> String {
        format!(
            "| `{}` | {} | {} | {} | **{:.2}** | {} | {:.2} | {} |\n",
            picture.name,
            figures(self.memset / 1000.0),
            figures(self.memcpy / 1000.0),
            figures(self.ours / 1000.0),
            self.ours / self.memcpy,
            figures(self.portable / 1000.0),
            self.portable / self.memcpy,
            picture.goal,
        )
    }

    fn entry(&self) -> Value {
        json!({
            "ours_ns": self.ours,
            "portable_ns": self.portable,
            "memcpy_ns": self.memcpy,
            "memset_ns": self.memset,
        })
    }
}

/// Three figures, or as many as there are before the point.
fn figures(value: f64) -> String {
    let decimals = if value < 10.0 {
        2
    } else if value < 100.0 {
        1
    } else {
        0
    };
    format!("{value:.decimals$}")
}

/// The medians that Criterion found.
struct Medians {
    start: SystemTime,
    directory: PathBuf,
}

impl Medians {
    fn new(start: SystemTime) -> Self {
        Self {
            start,
            directory: target_directory().join("criterion"),
        }
    }

    fn of_picture(&self, picture: &Picture) -> Option<PictureTimes> {
        let of = |what| self.of(&format!("{}/{what}", picture.name));
        Some(PictureTimes {
            memset: of("memset")?,
            memcpy: of("memcpy")?,
            ours: of("ours")?,
            portable: of("portable")?,
        })
    }

    fn of_case(&self, name: &str) -> Option<f64> {
        match name {
            // The worst of three.
            "idle" => ["idle/text", "idle/planar", "idle/1080p"]
                .map(|name| self.of(name))
                .into_iter()
                .reduce(|one, other| Some(one?.max(other?)))?,
            "planar_run" => Some(self.of(name)? / RUN_BYTES as f64),
            _ => self.of(name),
        }
    }

    /// The median of a scenario in nanoseconds, where it was measured since the start.
    fn of(&self, scenario: &str) -> Option<f64> {
        let directory = self.directory.join(scenario.replace('/', "_"));
        let path = directory.join("new/estimates.json");
        let written = fs::metadata(&path).and_then(|file| file.modified()).ok()?;
        if written < self.start {
            return None;
        }
        let estimates: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        estimates["median"]["point_estimate"].as_f64()
    }
}
