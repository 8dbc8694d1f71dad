// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the programs around `stdvga` share: the host's side of a screen, and the files that users name.
//!
//! - [`display`] keeps a picture that follows the guest's screen, and [`picture`] writes it.
//! - [`vnc`] shows it to viewers; [`address`] is where they connect, [`keys`] what they type.
//! - [`files`] refuses files that can't be right.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write};
use std::sync::LazyLock;

pub mod address;
pub mod display;
pub mod files;
pub mod keys;
pub mod picture;
mod rfb;
pub mod vnc;

/// The program's name, with which its messages start.
pub fn program_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let path = std::env::current_exe().unwrap_or_default();
        let name = path.file_stem().and_then(OsStr::to_str);
        name.unwrap_or("stdvga").to_owned()
    });
    &NAME
}

/// Writes a message to stderr, after the program's name. A closed stderr is no reason to stop.
pub fn say(message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{}: {message}", program_name());
}
