// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What an outside judge says of the EDID: `edid-decode --check`, from Debian's package of this name.
//!
//! QEMU's EDID isn't without fault, and the device's has the same faults and no others.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use flate2::read::GzDecoder;
use stdvga::{Config, Monitor, StdVga};
use stdvga_testing::skip::skip;

/// The length of the EDID in BAR2.
const EDID_BYTES: usize = 0x180;

/// Sizes that a monitor may prefer: of those whose EDID of QEMU's `tests/recorded.rs` records.
const SIZES: [(u32, u32); 17] = [
    (640, 480),
    (800, 600),
    (1024, 768),
    (1152, 864),
    (1280, 720),
    (1366, 768),
    (1600, 900),
    (1920, 1080),
    (1920, 1200),
    (2560, 1440),
    (2560, 1600),
    (3440, 1440),
    (3840, 2160),
    (4095, 2160),
    (4096, 2160),
    (5120, 2880),
    (7680, 4320),
];

/// What's said of QEMU's EDID of these sizes. The last two lines come with numbers.
const COMPLAINTS: [&str; 9] = [
    "IT Video Formats are overscanned by default, but normally this should be underscanned.",
    "Video Data Block: VIC 125 is the preferred timing, overriding the first detailed timings. Is this intended?",
    "Missing VCDB, needed for Set Selectable RGB Quantization to avoid interop issues.",
    // Large sizes, which a detailed timing has no room for.
    "Standard Timings: Missing preferred timing.",
    "DisplayID: Missing DisplayID Product Identification Data Block.",
    "DisplayID: Missing DisplayID Display Parameters Data Block.",
    "DisplayID: Missing DisplayID Display Interface Features Data Block.",
    // 75 Hz at large sizes.
    "Horizontal Freq: ",
    "Maximum Clock: ",
];

/// The EDID that a guest reads from a device whose monitor prefers a size.
fn edid(xres: u32, yres: u32) -> Vec<u8> {
    let monitor = Monitor::new(xres, yres);
    let vga = StdVga::new(Config::default().monitor(monitor));
    let mut blob = vec![0; EDID_BYTES];
    vga.expect("a device").mmio_read(0, &mut blob);
    blob
}

/// The recorded EDID of QEMU's device.
fn qemus_edid(recorded: &str, xres: u32, yres: u32) -> Vec<u8> {
    let setup = format!("-M pc -device secondary-vga,xres={xres},yres={yres}");
    let mut lines = recorded.lines().skip_while(|line| *line != setup);
    let answer = lines.find_map(|line| line.strip_prefix("read 0xf0000000 392 -> OK 0x"));
    let digits = answer.unwrap_or_else(|| panic!("{setup} isn't recorded"));
    let byte = |start| u8::from_str_radix(&digits[start..start + 2], 16).expect("digits");
    (0..EDID_BYTES).map(|index| byte(2 * index)).collect()
}

/// What the judge says of an EDID.
fn judgement(name: &str, edid: &[u8]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // The base block counts the blocks that follow.
    let blocks = 1 + usize::from(edid[0x7e]);
    fs::write(&path, &edid[..0x80 * blocks]).expect("a file for the EDID");
    let mut judge = Command::new("edid-decode");
    let output = judge.arg("--check").arg(&path).output();
    String::from_utf8(output.expect("the judge runs").stdout).expect("text")
}

/// What the judge complains of: the lines that say no more than where are left out.
fn complaints(judgement: &str) -> Vec<&str> {
    let lines = judgement
        .lines()
        .skip_while(|line| *line != "Warnings:" && *line != "Failures:");
    let complaints = lines.filter(|line| line.starts_with("  ") && !line.ends_with(':'));
    complaints.map(str::trim).collect()
}

#[test]
fn a_judge_complains_only_of_what_is_so_in_qemus_edid() {
    if let Err(error) = Command::new("edid-decode").arg("--help").output() {
        skip(&format!("edid-decode is needed, and doesn't run: {error}"));
        return;
    }
    let mut recorded = String::new();
    let file = File::open("tests/data/edid.txt.gz").expect("the recording");
    GzDecoder::new(file)
        .read_to_string(&mut recorded)
        .expect("a recording in text");
    for (xres, yres) in SIZES {
        let ours = judgement("edid-ours", &edid(xres, yres));
        let qemus = judgement("edid-qemus", &qemus_edid(&recorded, xres, yres));
        let (ours_complaints, qemus_complaints) = (complaints(&ours), complaints(&qemus));
        assert_eq!(ours_complaints, qemus_complaints, "{xres}x{yres}");
        for complaint in ours_complaints {
            let is_known = COMPLAINTS.iter().any(|known| complaint.starts_with(known));
            assert!(is_known, "{xres}x{yres}: {complaint}");
        }
        // Its preferred timing is one in detail.
        let size = format!(" {xres}x{yres} ");
        let has_timing = ours
            .lines()
            .any(|line| line.contains("DTD") && line.contains(&size));
        assert!(
            has_timing,
            "{xres}x{yres} isn't the size of a detailed timing:\n{ours}"
        );
    }
}
