// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Stands in for `vmm.rs` on hosts that can't have KVM.

use std::path::Path;

use anyhow::{Result, bail};
use vm_memory::GuestMemoryMmap;

use crate::board::Board;
use crate::outcome::{LongMode, Options, Outcome, Start};

const MESSAGE: &str = "KVM needs Linux on x86-64";

/// Says that there's no KVM.
pub fn check(_: &Path) -> Result<()> {
    bail!(MESSAGE)
}

/// Says that there's no KVM.
pub fn ram(_: u64) -> Result<GuestMemoryMmap> {
    bail!(MESSAGE)
}

/// Says that there's no KVM.
pub fn embedded_bios() -> Result<Vec<u8>> {
    bail!(MESSAGE)
}

/// Says that there's no KVM.
pub fn load_kernel(_: &GuestMemoryMmap, _: &Path, _: Option<&Path>, _: &str) -> Result<LongMode> {
    bail!(MESSAGE)
}

/// Says that there's no KVM.
pub fn run(_: &Path, _: Board, _: Start, _: Options) -> Result<Outcome> {
    bail!(MESSAGE)
}
