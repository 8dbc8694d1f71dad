// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A program that runs as long as a test needs it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

/// A running program. Where a test fails, what the program said is told.
pub struct Process {
    pub child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program, which says what it says into the file `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).expect("a file for the log");
        let other = file.try_clone().expect("one more handle");
        command.stdin(Stdio::null()).stdout(other).stderr(file);
        let child = command.spawn();
        Self {
            child: child.unwrap_or_else(|error| panic!("{command:?} doesn't start: {error}")),
            log: log.to_owned(),
        }
    }

    /// What the program has said.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!("{}:\n{log}", self.log.display());
        }
    }
}
