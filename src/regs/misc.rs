// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The General (External) Registers: Miscellaneous Output, Feature Control, and Input Status 0 and 1.

use super::crtc::Crtc;
use super::retrace::{Timing, VERTICAL_RETRACE};
use crate::config::Retrace;

/// Miscellaneous Output bit 0: CRTC, Feature Control and Input Status 1 are at 0x3dx, not 0x3bx.
pub(crate) const COLOR_ADDRESSES: u8 = 1 << 0;
/// Miscellaneous Output bits 3:2: the dot clock's source.
const CLOCK_SELECT: u8 = 3 << 2;
/// Miscellaneous Output bits 3:2 = 01: 28.322 MHz.
const CLOCK_28_MHZ: u8 = 1 << 2;
/// The bits that Miscellaneous Output keeps.
pub(crate) const OUTPUT_STORED: u8 = 0xef;
/// The bit that Feature Control keeps.
pub(crate) const FEATURE_CONTROL_STORED: u8 = 0x10;

/// The registers' state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Misc {
    pub output: u8,
    pub feature_control: u8,
    /// Input Status 1 as it was last read, if the guest hasn't programmed the timing.
    pub status: u8,
    pub timing: Option<Timing>,
    pub method: Retrace,
}

impl Misc {
    pub fn new(method: Retrace) -> Self {
        Self {
            method,
            ..Self::default()
        }
    }

    /// Clears everything except the retrace method.
    pub fn reset(&mut self) {
        *self = Self::new(std::mem::take(&mut self.method));
    }

    pub fn write_output(&mut self, value: u8) {
        self.output = value & OUTPUT_STORED;
    }

    pub fn write_feature_control(&mut self, value: u8) {
        self.feature_control = value & FEATURE_CONTROL_STORED;
    }

    /// Whether `port`, of 0x3b0-0x3df, is in the half that Miscellaneous Output doesn't select.
    pub fn rejects(&self, port: u16) -> bool {
        match port & 0xfff0 {
            0x3b0 => self.output & COLOR_ADDRESSES != 0,
            0x3d0 => self.output & COLOR_ADDRESSES == 0,
            _ => false,
        }
    }

    /// Reads Input Status 1, without its effect on the attribute flip-flop.
    pub fn read_status_1(&mut self) -> u8 {
        if let (Retrace::Precise(clock), Some(timing)) = (&self.method, &self.timing) {
            return timing.status(clock);
        }
        self.status ^= VERTICAL_RETRACE;
        self.status
    }

    /// Whether retraces follow a clock.
    pub fn is_precise(&self) -> bool {
        matches!(self.method, Retrace::Precise(_))
    }

    /// Computes the timing from the registers. Called at writes to those that shape it.
    pub fn update_timing(&mut self, crtc: &Crtc, dot_clock_half: bool) {
        if self.is_precise() {
            let timing = Timing::new(self.nanoseconds_per_character(), crtc, dot_clock_half);
            self.timing = Some(timing);
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "of constants above zero")]
    fn nanoseconds_per_character(&self) -> u64 {
        // QEMU uses the colour bit for the character's width, not the Sequencer's bit.
        let dots = if self.output & COLOR_ADDRESSES != 0 {
            8
        } else {
            9
        };
        let hertz = if self.output & CLOCK_SELECT == CLOCK_28_MHZ {
            28_322_000
        } else {
            25_175_000
        };
        1_000_000_000 / (hertz / dots)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::config::Clock;

    #[test]
    fn the_precise_retrace_follows_the_clock_once_timing_was_programmed() {
        let now = Arc::new(AtomicU64::new(0));
        let clock = Clock::new({
            let now = Arc::clone(&now);
            move || Duration::from_nanos(now.load(Ordering::Relaxed))
        });
        let mut misc = Misc::new(Retrace::Precise(clock));
        assert_eq!(
            [misc.read_status_1(), misc.read_status_1()],
            [0x09, 0x00],
            "nothing programmed yet"
        );

        // Mode 03h: 100 characters a line, 449 lines, retraces at columns 85-91 and lines 412-427.
        let mut crtc = Crtc::default();
        for (index, value) in [
            (0x00, 0x5f),
            (0x04, 0x55),
            (0x05, 0x81),
            (0x06, 0xbf),
            (0x07, 0x1f),
        ] {
            crtc.data[index] = value;
        }
        crtc.data[0x10] = 0x9c;
        crtc.data[0x11] = 0x8e;
        misc.write_output(0x67);
        misc.update_timing(&crtc, false);

        let mut at = |line: u64, column: u64| {
            now.store((line * 100 + column) * 282, Ordering::Relaxed);
            misc.read_status_1()
        };
        assert_eq!(at(0, 0), 0x00);
        assert_eq!(at(0, 84), 0x00);
        assert_eq!(at(0, 85), 0x01);
        assert_eq!(at(0, 87), 0x01);
        assert_eq!(at(0, 88), 0x00);
        assert_eq!(at(411, 0), 0x00);
        assert_eq!(at(412, 0), 0x09);
        assert_eq!(at(427, 99), 0x09);
        assert_eq!(at(428, 0), 0x00);
        assert_eq!(at(449, 85), 0x01, "the next frame");
    }
}
