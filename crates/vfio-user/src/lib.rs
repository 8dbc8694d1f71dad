// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The standard VGA as a vfio-user device, for QEMU, Cloud Hypervisor and other VMMs that speak the protocol.
//!
//! - [`device`] is what a server that embeds the VGA looks at first: which region reaches what.
//! - [`protocol`] answers a client's messages.
//!
//! The program `stdvga-vfio-user` serves them on a socket.
#![cfg(target_os = "linux")]

pub mod device;
pub mod protocol;
