// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What is measured: in time by `benches/main.rs`, in instructions by `benches/instructions.rs`.

// Each of the two uses its own part of this.
#![allow(dead_code)]

pub mod accesses;
pub mod display;
pub mod pictures;
pub mod refreshes;

/// Takes scenarios, and measures those that are wanted.
pub trait Measure {
    /// A scenario: `prepare` sets it up, and returns the round to be measured.
    fn measure<R: FnMut()>(&mut self, name: &str, prepare: impl Fn() -> R);
}
