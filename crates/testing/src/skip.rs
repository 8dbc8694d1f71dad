// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Tests that need what a machine may lack.

use std::io::Write;
use std::process::Command;

/// QEMU's program. What it answers and shows is that of version 10.0.
pub const QEMU: &str = "qemu-system-x86_64";

/// Skips the test that runs for `reason`, with a line that says so. In CI, where nothing may be
/// lacking, the test fails instead.
pub fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let ci = std::env::var("CI").unwrap_or_default();
    assert!(
        matches!(&*ci, "" | "false" | "0"),
        "CI is set, and {reason}"
    );
    // Past the test harness, which keeps what the print macros write; and in one piece, for tests run
    // side by side.
    let _ = std::io::stderr().write_all(format!("{test}: skipped: {reason}\n").as_bytes());
}

/// Tells whether QEMU 10.0 is there. Without it a test is skipped, with a line that says so; in CI it
/// fails.
pub fn has_qemu() -> bool {
    let output = Command::new(QEMU).arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let reason = match &version {
        Ok(text) if text.contains("version 10.0.") => return true,
        Ok(text) => format!(
            "QEMU 10.0 is needed, not {}",
            text.lines().next().unwrap_or("an unknown one")
        ),
        Err(error) => format!("QEMU 10.0 is needed, and {QEMU} doesn't run: {error}"),
    };
    skip(&reason);
    false
}

/// The path of what `.ci/guests` downloads under this name.
pub fn downloaded(name: &str) -> String {
    format!("{}/../../target/guests/{name}", env!("CARGO_MANIFEST_DIR"))
}
