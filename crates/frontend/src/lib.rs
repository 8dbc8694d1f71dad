// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the programs around `stdvga` share: the host's side of a screen, and the files that users name.
//!
//! - [`display`] keeps a picture that follows the guest's screen, and [`picture`] writes it.
//! - [`vnc`] shows it to viewers by the messages of [`rfb`], with pixels as [`pixel_format`] and [`zrle`]
//!   put them. [`address`] is where they connect and who may, [`password`] what they must know, [`keys`]
//!   what they type.
//! - [`messages`] are for the user.
//! - [`files`] refuses files that can't be right.

use std::ffi::OsStr;
use std::sync::LazyLock;

pub mod address;
pub mod display;
pub mod files;
pub mod keys;
pub mod messages;
pub mod password;
pub mod picture;
pub mod pixel_format;
pub mod rfb;
pub mod vnc;
pub mod zrle;

pub use messages::say;

/// The program's name, with which its messages start.
pub fn program_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let path = std::env::current_exe().unwrap_or_default();
        let name = path.file_stem().and_then(OsStr::to_str);
        name.unwrap_or("stdvga").to_owned()
    });
    &NAME
}
