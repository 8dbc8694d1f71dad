// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the tests of this workspace share.
//!
//! - [`driver`] is a guest's driver: registers by their names, and the idioms of VGA drivers.
//! - [`actions`] and [`machine`] are random guests: what they do, and what must hold after it.
//! - [`picture`] reads, writes and compares pictures.
//! - [`qtest`] puts one script of accesses to QEMU and to this workspace's own program.
//! - [`qmp`] talks to QEMU's monitor, [`grub`] makes disks that boot, and [`program`] runs programs.
//! - [`skip`] is for tests that need what a machine may lack.

// Registers and idioms are named for what they are.
#![allow(missing_docs)]

pub mod actions;
pub mod driver;
pub mod grub;
pub mod machine;
pub mod picture;
pub mod program;
#[cfg(unix)]
pub mod qmp;
#[cfg(unix)]
pub mod qtest;
pub mod skip;
