// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Saved state, and the monitor that can be changed at run time.
//!
//! - `twins.rs`: a device that is saved and restored goes on like one that isn't, whatever a guest does
//! - `in_place.rs`: a device that is restored in place goes on like one built from the state
//! - `bytes.rs`: states are written as bytes and read again, and other bytes are refused
//! - `refusals.rs`: states that no device can have are refused, by the name of the field
//! - `untrusted.rs`: whatever a state holds, restoring doesn't panic, nor does what follows
//! - `recorded.rs`: states that earlier versions wrote are read, and mean what they meant
//! - `vram.rs`: VRAM's pages are saved and restored, and memory that's unused stays so
//! - `monitor.rs`: the EDID blob follows the monitor
//!
//! Some need the feature `serde`: run them all with `cargo test --all-features --test state`.
#![cfg(target_os = "linux")]

mod bytes;
mod in_place;
mod monitor;
#[cfg(feature = "serde")]
mod recorded;
mod refusals;
mod twins;
#[cfg(feature = "serde")]
mod untrusted;
mod vram;
