// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Answers QEMU's qtest protocol for a standard VGA, on standard input and output.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use stdvga_qtest::options::{self, Options};

fn main() -> ExitCode {
    let options = Options::parse_from(options::with_long_flags(env::args_os()));
    match stdvga_qtest::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If it can't be said, nothing changes.
            let _ = writeln!(io::stderr(), "{}: {error:#}", env!("CARGO_PKG_NAME"));
            ExitCode::FAILURE
        }
    }
}
