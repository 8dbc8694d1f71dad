// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The precise retrace: what Input Status 1 reports if the embedder provides a clock.

use std::ops::RangeInclusive;

use super::crtc::{self, Crtc};
use crate::config::Clock;

/// Input Status 1 bits 0 and 3 during the vertical retrace.
pub(crate) const VERTICAL_RETRACE: u8 = 0x09;
/// Input Status 1 bit 0: the display is off, here during the horizontal retrace.
const DISPLAY_OFF: u8 = 0x01;

/// When the retraces happen, in lines and in characters of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    pub nanoseconds_per_character: u64,
    pub characters_per_line: u64,
    pub lines: u64,
    pub vertical_retrace: RangeInclusive<u64>,
    pub horizontal_retrace: RangeInclusive<u64>,
}

impl Timing {
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "sums of registers, of ten bits at most, and callers name registers"
    )]
    pub fn new(nanoseconds_per_character: u64, crtc: &Crtc, dot_clock_half: bool) -> Self {
        let register = |index: usize| u64::from(crtc.data[index]);
        let vertical_start = u64::from(crtc.with_overflow(crtc::VERTICAL_RETRACE_START, 2, 7));
        let horizontal_end = register(crtc::HORIZONTAL_RETRACE_END);
        let horizontal_start =
            register(crtc::HORIZONTAL_RETRACE_START) + ((horizontal_end >> 5) & 3);
        Self {
            nanoseconds_per_character,
            characters_per_line: (register(crtc::HORIZONTAL_TOTAL) + 5)
                << u32::from(dot_clock_half),
            lines: u64::from(crtc.with_overflow(crtc::VERTICAL_TOTAL, 0, 5)) + 2,
            vertical_retrace: vertical_start
                ..=vertical_start + (register(crtc::VERTICAL_RETRACE_END) & 0x0f) + 1,
            horizontal_retrace: horizontal_start..=horizontal_start + (horizontal_end & 0x1f) + 1,
        }
    }

    // Out of line, so that reads by the other method needn't save registers for its divisions.
    #[inline(never)]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "no divisor is zero: `new` adds to each register, and a character takes some 300 ns"
    )]
    pub fn status(&self, clock: &Clock) -> u8 {
        let frame = self.lines * self.characters_per_line;
        let character = (clock.nanoseconds() / self.nanoseconds_per_character) % frame;
        let line = character / self.characters_per_line;
        let column = character % self.characters_per_line;
        if self.vertical_retrace.contains(&line) {
            VERTICAL_RETRACE
        } else if self.horizontal_retrace.contains(&column) {
            DISPLAY_OFF
        } else {
            0
        }
    }
}
