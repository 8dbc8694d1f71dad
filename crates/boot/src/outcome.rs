// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! How the machine is run, when that ends, and what it left.

use std::time::Duration;

use stdvga::{Scanout, Vram};
use stdvga_frontend::address::Address;
use stdvga_frontend::display::Display;

use crate::board::Counts;

/// What the vCPU starts with.
pub enum Start {
    /// This BIOS, at its reset vector.
    Bios(Vec<u8>),
    /// What was loaded into RAM.
    LongMode(LongMode),
}

/// Where 64-bit code in RAM starts, and what it finds in registers.
pub struct LongMode {
    pub rip: u64,
    pub rsi: u64,
    pub page_tables: u64,
    /// The table of four segment descriptors that the selectors below are from.
    pub gdt: u64,
    /// The code segment's selector, whose low bits are the ring.
    pub code: u16,
    /// The data segments' selector.
    pub data: u16,
}

/// How to run the machine.
pub struct Options {
    pub until: Until,
    /// Typed once the screen first stands still.
    pub keys: Vec<Vec<u8>>,
    /// Whether KVM collects writes to the window instead of making an exit for each.
    pub coalescing: bool,
    /// Whether KVM logs which pages of VRAM the guest writes. Without a log, the screen compares.
    pub dirty_log: bool,
    /// Where VNC viewers can connect, if they may.
    pub vnc: Option<Address>,
}

/// What to wait for.
#[derive(Clone, Debug, PartialEq)]
pub enum Until {
    /// The picture and the guest's accesses stand still.
    Stable,
    /// So much time went by.
    Time(Duration),
    /// The text screen contains this.
    Text(String),
    /// Ctrl-C, or another signal that ends the program.
    Signal,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// What was waited for came.
    Reached,
    /// It didn't come within this time.
    TimedOut(Duration),
    /// This signal came first.
    Interrupted(i32),
    /// The guest stopped: of itself, or because it can't go on.
    Stopped(Result<&'static str, String>),
}

/// The screen at the end, and the way there.
pub struct Outcome {
    pub scanout: Scanout,
    pub vram: Vram,
    /// With what it showed at last, as it came about by all its refreshes.
    pub display: Display,
    /// Whether there was ever something to see.
    pub has_drawn: bool,
    /// What it may mean that there wasn't, unless the user knows already.
    pub causes: Vec<String>,
    pub counts: Counts,
    pub elapsed: Duration,
    pub end: End,
}

/// The exit status of a program that a signal ended, as shells have it.
pub fn status_after(signal: i32) -> u8 {
    128 | signal as u8
}
