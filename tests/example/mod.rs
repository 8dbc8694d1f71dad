// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The crate's examples, as a user runs them.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

/// An example with `arguments`, ready to run. Cargo builds it first, as the tests are built.
pub fn example(name: &str, arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["run", "--quiet", "--example", name]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.arg("--").args(arguments);
    command
}

/// Runs an example that ends by itself.
pub fn run(name: &str, arguments: &[&str]) -> Output {
    example(name, arguments).output().expect("cargo runs")
}

/// Fails unless the example ends without success or a panic, and the last line that it says is its own and
/// has all of `words`.
#[track_caller]
pub fn assert_refuses(name: &str, arguments: &[&str], words: &[&str]) {
    let output = run(name, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    let what = format!("{name} {arguments:?}: {}\n{said}", output.status);
    assert_eq!(output.status.code(), Some(1), "{what}");
    assert!(!said.contains("panicked"), "{what}");
    let line = said.lines().last().unwrap_or_default();
    assert!(line.starts_with(&format!("{name}: ")), "{what}");
    for word in words {
        assert!(line.contains(word), "{word:?} isn't in the last of {what}");
    }
}

/// Fails unless the example takes `arguments` for wrong usage, which has an exit status of its own. Gives what
/// it says.
#[track_caller]
pub fn assert_bad_usage(name: &str, arguments: &[&str]) -> String {
    let output = run(name, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    let what = format!("{name} {arguments:?}: {}\n{said}", output.status);
    assert_eq!(output.status.code(), Some(2), "{what}");
    assert!(said.starts_with("error: "), "{what}");
    said.into_owned()
}

/// Fails unless the example refuses the number that ends `arguments`, and says which `range` there is.
#[track_caller]
pub fn assert_out_of_range(name: &str, arguments: &[&str], range: &str) {
    let said = assert_bad_usage(name, arguments);
    let number = arguments.last().expect("there's a number");
    let words = format!("{number} is not in {range}");
    assert!(said.contains(&words), "{name} {arguments:?}: {said}");
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("the path is Unicode")
}
