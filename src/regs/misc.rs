//! The General (External) Registers: Miscellaneous Output, Feature Control, and Input Status 0 and 1.

use super::crtc::{self, Crtc};
use crate::config::{Clock, Retrace};

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
/// Input Status 1 bits 0 and 3 during the vertical retrace.
pub(crate) const VERTICAL_RETRACE: u8 = 0x09;
/// Input Status 1 bit 0: the display is off, here during the horizontal retrace.
const DISPLAY_OFF: u8 = 0x01;

/// The registers' state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Misc {
    pub output: u8,
    pub feature_control: u8,
    /// Input Status 1, as last read by a guest that has programmed no timing.
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

    /// Clears all but the method.
    pub fn reset(&mut self) {
        *self = Self::new(std::mem::take(&mut self.method));
    }

    pub fn write_output(&mut self, value: u8) {
        self.output = value & OUTPUT_STORED;
    }

    pub fn write_feature_control(&mut self, value: u8) {
        self.feature_control = value & FEATURE_CONTROL_STORED;
    }

    /// Whether `port` of 0x3b0-0x3df lies in the half that Miscellaneous Output hasn't selected.
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

    /// Takes the timing from the registers, as they are at a write to one that shapes it.
    pub fn update_timing(&mut self, crtc: &Crtc, dot_clock_half: bool) {
        if self.is_precise() {
            self.timing = Some(Timing::new(self.output, crtc, dot_clock_half));
        }
    }
}

/// When the retraces are. Lines and character columns; bounds are inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    pub nanoseconds_per_character: u64,
    pub characters_per_line: u64,
    pub lines: u64,
    pub vertical_retrace: (u64, u64),
    pub horizontal_retrace: (u64, u64),
}

impl Timing {
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "sums of registers, of ten bits at most, and callers name registers"
    )]
    fn new(misc_output: u8, crtc: &Crtc, dot_clock_half: bool) -> Self {
        let register = |index: usize| u64::from(crtc.data[index]);
        let vertical_start = u64::from(crtc.with_overflow(crtc::VERTICAL_RETRACE_START, 2, 7));
        let horizontal_end = register(crtc::HORIZONTAL_RETRACE_END);
        let horizontal_start =
            register(crtc::HORIZONTAL_RETRACE_START) + ((horizontal_end >> 5) & 3);
        // QEMU takes the colour bit for the character's width, not the Sequencer's bit for it.
        let dots = if misc_output & COLOR_ADDRESSES != 0 {
            8
        } else {
            9
        };
        let hertz = if misc_output & CLOCK_SELECT == CLOCK_28_MHZ {
            28_322_000
        } else {
            25_175_000
        };
        Self {
            nanoseconds_per_character: 1_000_000_000 / (hertz / dots),
            characters_per_line: (register(crtc::HORIZONTAL_TOTAL) + 5)
                << u32::from(dot_clock_half),
            lines: u64::from(crtc.with_overflow(crtc::VERTICAL_TOTAL, 0, 5)) + 2,
            vertical_retrace: (
                vertical_start,
                vertical_start + (register(crtc::VERTICAL_RETRACE_END) & 0x0f) + 1,
            ),
            horizontal_retrace: (
                horizontal_start,
                horizontal_start + (horizontal_end & 0x1f) + 1,
            ),
        }
    }

    // Out of line, it keeps reads by the other method from saving registers for its divisions.
    #[inline(never)]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "no divisor is zero: `new` adds to each register, and a character takes more than 300 ns"
    )]
    fn status(&self, clock: &Clock) -> u8 {
        let frame = self.lines * self.characters_per_line;
        let character = (clock.now() / self.nanoseconds_per_character) % frame;
        let line = character / self.characters_per_line;
        let column = character % self.characters_per_line;
        let within = |(first, last): (u64, u64), at: u64| (first..=last).contains(&at);
        if within(self.vertical_retrace, line) {
            VERTICAL_RETRACE
        } else if within(self.horizontal_retrace, column) {
            DISPLAY_OFF
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn the_precise_retrace_follows_the_clock_once_timing_was_programmed() {
        let now = Arc::new(AtomicU64::new(0));
        let clock = Clock::new({
            let now = Arc::clone(&now);
            move || now.load(Ordering::Relaxed)
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
