// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Answers QEMU's qtest protocol for a standard VGA, on standard input and output.

use std::env;
use std::process::ExitCode;

use clap::Parser;
use stdvga_frontend::say;
use stdvga_qtest::{Options, with_long_flags};

fn main() -> ExitCode {
    let options = Options::parse_from(with_long_flags(env::args_os()));
    match stdvga_qtest::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
