// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The code of docs/embedding.md and its pages, compiled and driven: the same guest runs on each VMM's
//! buses.
//!
//! Each VMM's traits are declared in a file `api.rs`, as far as they're needed.
#![cfg(target_os = "linux")]

pub mod any_vmm;
pub mod cloud_hypervisor;
pub mod crosvm;
#[cfg(test)]
mod guest;
pub mod openvmm;
pub mod rust_vmm;
#[cfg(test)]
mod tests;
