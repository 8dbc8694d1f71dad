// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The code of docs/embedding.md and its pages.
#![cfg(target_os = "linux")]

#[path = "../embedding/any_vmm.rs"]
pub mod any_vmm;
#[path = "../embedding/cloud_hypervisor/mod.rs"]
pub mod cloud_hypervisor;
#[path = "../embedding/crosvm/mod.rs"]
pub mod crosvm;
#[path = "../embedding/openvmm/mod.rs"]
pub mod openvmm;
#[path = "../embedding/rust_vmm/mod.rs"]
pub mod rust_vmm;
