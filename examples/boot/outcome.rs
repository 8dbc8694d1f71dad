//! When a run ends, and what it left.

use std::time::Duration;

use stdvga::{Scanout, Vram};

use crate::board::Counts;

/// What to wait for.
#[derive(Clone, Debug, PartialEq)]
pub enum Until {
    /// The picture and the guest's accesses stand still.
    Stable,
    /// So much time went by.
    Time(Duration),
    /// The text screen contains this.
    Text(String),
    /// The user presses Ctrl-C.
    Interrupted,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// What was waited for came.
    Reached,
    /// It didn't come within this time.
    TimedOut(Duration),
    /// The guest stopped: of itself, or because it can't go on.
    Stopped(Result<&'static str, String>),
}

/// The screen at the end, and the way there.
pub struct Outcome {
    pub scanout: Scanout,
    pub vram: Vram,
    pub counts: Counts,
    pub elapsed: Duration,
    pub end: End,
}
