//! The crate's examples, as a user runs them.

use std::ffi::OsStr;
use std::process::Command;

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
