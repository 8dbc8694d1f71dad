//! Tests that need what a machine may lack.

use std::io::Write;

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
