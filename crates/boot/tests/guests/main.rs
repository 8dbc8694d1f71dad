// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Real guests, through the program as a user runs it: firmware, boot loaders, boot sectors that set
//! modes by INT 10h, the program's own guests, and what it says to bad input.
//!
//! The pictures in `tests/data` are what QEMU 10.0.2 shows for the same boot sectors, and for
//! the embedded guest's BIOS image (`demo.png`). They're recorded anew, by QEMU, with
//!
//! ```sh
//! STDVGA_RECORD=1 cargo test -p stdvga-boot --test guests
//! ```
//!
//! On a difference, both pictures and one of the differing pixels are written to `target/tmp/guests`.
//!
//! What boot loaders show isn't recorded: QEMU shows it in the same run. To see how long each took, and how
//! many exits, run `cargo test -p stdvga-boot --test guests boot_loaders -- --show-output`.
//!
//! Tests that need KVM, firmware, QEMU or boot loaders are skipped where those are missing, and fail
//! instead where `CI` is set.
#![cfg(target_os = "linux")]

// The program's own guest, for QEMU to run. Their few unit tests run here a second time: a test can't
// include a file without them.
#[allow(dead_code)]
#[path = "../../src/demo.rs"]
mod demo;
#[path = "../../src/embedded.rs"]
mod embedded;
#[path = "../../src/font.rs"]
mod font;
#[allow(dead_code)]
#[path = "../../src/pci.rs"]
mod pci;

mod boot_loaders;
mod boot_sectors;
mod exits;
mod linux;
mod machine;
mod qemu;
mod refusals;
mod run;
mod signals;
mod terminal;
mod vnc;

use stdvga_testing::program::Program;

const BOOT: Program = Program::new(env!("CARGO_BIN_EXE_stdvga-boot"));
