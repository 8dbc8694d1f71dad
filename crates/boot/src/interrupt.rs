// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The signals that end the machine: Ctrl-C, and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::outcome::status_after;

/// How soon after the first signal another one is taken for the same: `timeout` sends its own twice.
const SAME: Duration = Duration::from_millis(300);

/// The first signal that came, or 0.
pub struct Interrupt(Arc<AtomicI32>);

impl Interrupt {
    /// Notes signals from now on. After the first, a second one ends the program at once.
    pub fn register() -> Result<Self> {
        let signals = Signals::new([SIGINT, SIGTERM]).context("Ctrl-C can't be watched for")?;
        let first = Arc::new(AtomicI32::new(0));
        let theirs = Arc::clone(&first);
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || wait(signals, &theirs))
            .context("the thread for signals can't be started")?;
        Ok(Self(first))
    }

    /// The signal that came, if one has.
    pub fn signal(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }
}

fn wait(mut signals: Signals, first: &AtomicI32) {
    let mut came: Option<Instant> = None;
    for signal in signals.forever() {
        match came {
            None => {
                came = Some(Instant::now());
                first.store(signal, Ordering::Relaxed);
            }
            Some(time) if time.elapsed() < SAME => {}
            Some(_) => low_level::exit(status_after(signal).into()),
        }
    }
}
