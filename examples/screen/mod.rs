// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The host's side of a screen, for examples that show one: pictures, and viewers who watch live.

// Each example uses its own part of this.
#![allow(dead_code)]

use std::fmt;
use std::io::{self, Write};

pub mod address;
pub mod display;
pub mod keys;
pub mod picture;
mod rfb;
pub mod vnc;

/// Tells the user something, on stderr. A closed stderr is no reason to stop.
pub fn say(message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{}: {message}", env!("CARGO_CRATE_NAME"));
}
