// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device's description in accesses and answers: where it differs from VGA hardware, and what
//! guests have come to rely on. The answers are those of QEMU 10.0.2.
//!
//! - `ports.rs`: which ports answer, and accesses wider than a register
//! - `registers.rs`: what the VGA registers keep
//! - `window.rs`: the 0xa0000 window
//! - `dispi.rs`: DISPI modes, and what they do to the VGA registers
//! - `mmio.rs`: BAR2
//! - `pci.rs`: configuration space
//! - `reset.rs`: what a reset leaves alone

mod dispi;
mod mmio;
mod pci;
mod ports;
mod registers;
mod reset;
mod window;
