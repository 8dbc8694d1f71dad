// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A program of this workspace, as a user runs it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

/// A program that Cargo built for the test.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    path: &'static str,
}

impl Program {
    /// The program at a path: `env!("CARGO_BIN_EXE_...")`.
    pub const fn new(path: &'static str) -> Self {
        Self { path }
    }

    /// Its name, with which its messages start.
    pub fn name(&self) -> &'static str {
        let stem = Path::new(self.path).file_stem().and_then(OsStr::to_str);
        stem.expect("the program's name is Unicode")
    }

    /// The program with `arguments`, ready to run.
    pub fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(self.path);
        command.args(arguments);
        command
    }

    /// Runs the program, which ends by itself.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// Fails unless the program ends without success or a panic, and its last line on stderr starts with its name
    /// and has all of `words`.
    #[track_caller]
    pub fn assert_refuses(&self, arguments: &[&str], words: &[&str]) {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("{} {arguments:?}: {}\n{said}", self.name(), output.status);
        assert_eq!(output.status.code(), Some(1), "{what}");
        assert!(!said.contains("panicked"), "{what}");
        let line = said.lines().last().unwrap_or_default();
        assert!(line.starts_with(&format!("{}: ", self.name())), "{what}");
        for word in words {
            assert!(line.contains(word), "{word:?} isn't in the last of {what}");
        }
    }

    /// Fails unless the program takes `arguments` for wrong usage, which has an exit status of its own. Gives
    /// its message.
    #[track_caller]
    pub fn assert_bad_usage(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("{} {arguments:?}: {}\n{said}", self.name(), output.status);
        assert_eq!(output.status.code(), Some(2), "{what}");
        assert!(said.starts_with("error: "), "{what}");
        said.into_owned()
    }

    /// Fails unless the program refuses the number that ends `arguments`, and says which `range` there is.
    #[track_caller]
    pub fn assert_out_of_range(&self, arguments: &[&str], range: &str) {
        let said = self.assert_bad_usage(arguments);
        let number = arguments.last().expect("there's a number");
        let words = format!("{number} is not in {range}");
        assert!(
            said.contains(&words),
            "{} {arguments:?}: {said}",
            self.name()
        );
    }
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("the path is Unicode")
}
