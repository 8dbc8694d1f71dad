// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The CRT Controller: ports 0x3d4 (index) and 0x3d5 (data), at 0x3b4 and 0x3b5 in monochrome.

/// Horizontal Total.
pub(crate) const HORIZONTAL_TOTAL: usize = 0x00;
/// Horizontal Display Enable End: characters per line, minus one.
pub(crate) const HORIZONTAL_DISPLAY_END: usize = 0x01;
/// Start Horizontal Retrace.
pub(crate) const HORIZONTAL_RETRACE_START: usize = 0x04;
/// End Horizontal Retrace, and the skew of its start.
pub(crate) const HORIZONTAL_RETRACE_END: usize = 0x05;
/// Vertical Total.
pub(crate) const VERTICAL_TOTAL: usize = 0x06;
/// Overflow: high bits of the vertical registers.
pub(crate) const OVERFLOW: usize = 0x07;
/// Maximum Scan Line: a character's height minus one, and more high bits.
pub(crate) const MAXIMUM_SCAN_LINE: usize = 0x09;
/// Cursor Start.
pub(crate) const CURSOR_START: usize = 0x0a;
/// Cursor End.
pub(crate) const CURSOR_END: usize = 0x0b;
/// Start Address High.
pub(crate) const START_ADDRESS_HIGH: usize = 0x0c;
/// Start Address Low.
pub(crate) const START_ADDRESS_LOW: usize = 0x0d;
/// Cursor Location High.
pub(crate) const CURSOR_LOCATION_HIGH: usize = 0x0e;
/// Cursor Location Low.
pub(crate) const CURSOR_LOCATION_LOW: usize = 0x0f;
/// Vertical Retrace Start.
pub(crate) const VERTICAL_RETRACE_START: usize = 0x10;
/// Vertical Retrace End, and the write protection of registers 0 to 7.
pub(crate) const VERTICAL_RETRACE_END: usize = 0x11;
/// Vertical Display Enable End: lines minus one, low bits.
pub(crate) const VERTICAL_DISPLAY_END: usize = 0x12;
/// Offset: bytes per line, divided by eight.
pub(crate) const OFFSET: usize = 0x13;
/// Underline Location, and double-word addressing.
pub(crate) const UNDERLINE_LOCATION: usize = 0x14;
/// CRTC Mode Control.
pub(crate) const MODE_CONTROL: usize = 0x17;
/// Line Compare, low bits.
pub(crate) const LINE_COMPARE: usize = 0x18;

/// Overflow bit 1: bit 8 of Vertical Display Enable End.
pub(crate) const OVERFLOW_VERTICAL_END_8: u8 = 1 << 1;
/// Overflow bit 4: bit 8 of Line Compare. The only bit that the write protection lets through.
pub(crate) const OVERFLOW_LINE_COMPARE_8: u8 = 1 << 4;
/// Overflow bit 6: bit 9 of Vertical Display Enable End.
pub(crate) const OVERFLOW_VERTICAL_END_9: u8 = 1 << 6;
/// Maximum Scan Line bits 4:0: lines per character (or repeats of a line), minus one.
pub(crate) const SCAN_LINES: u8 = 0x1f;
/// Maximum Scan Line bit 6: bit 9 of Line Compare.
pub(crate) const LINE_COMPARE_9: u8 = 1 << 6;
/// Maximum Scan Line bit 7: every line shows twice.
pub(crate) const DOUBLE_SCAN: u8 = 1 << 7;
/// Cursor Start bit 5: no cursor.
pub(crate) const CURSOR_OFF: u8 = 1 << 5;
/// Vertical Retrace End bit 7: registers 0 to 7 are write-protected.
pub(crate) const PROTECT: u8 = 1 << 7;
/// Underline Location bit 6: CPU addresses are shifted by two.
pub(crate) const DOUBLE_WORD: u8 = 1 << 6;
/// Mode Control bits 1:0: display address bits 13 and 14 aren't replaced by row bits.
pub(crate) const NO_ROW_ADDRESSING: u8 = 3;
/// Mode Control bit 0 alone: 0 replaces an address bit by bit 0 of the row.
pub(crate) const ROW_BIT_0_OFF: u8 = 1 << 0;
/// Mode Control bit 1 alone: 0 replaces an address bit by bit 1 of the row.
pub(crate) const ROW_BIT_1_OFF: u8 = 1 << 1;
/// Mode Control bit 6: byte addressing; 0 is word addressing.
pub(crate) const BYTE_MODE: u8 = 1 << 6;

/// The registers' state. All 256 indices have a register. Those from 0x19 on do nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crtc {
    pub index: u8,
    pub data: [u8; 256],
}

impl Default for Crtc {
    fn default() -> Self {
        Self {
            index: 0,
            data: [0; 256],
        }
    }
}

impl Crtc {
    #[expect(clippy::indexing_slicing, reason = "a byte indexes all 256 registers")]
    pub fn read_data(&self) -> u8 {
        self.data[usize::from(self.index)]
    }

    /// Stores into the indexed register, as far as the write protection allows. Returns whether all of
    /// `value` was stored.
    #[expect(clippy::indexing_slicing, reason = "a byte indexes all 256 registers")]
    pub fn write_data(&mut self, value: u8) -> bool {
        let index = usize::from(self.index);
        let protected = self.data[VERTICAL_RETRACE_END] & PROTECT != 0 && index <= OVERFLOW;
        let stored = match (protected, index) {
            (false, _) => 0xff,
            (true, OVERFLOW) => OVERFLOW_LINE_COMPARE_8,
            (true, _) => 0,
        };
        self.data[index] = (self.data[index] & !stored) | (value & stored);
        !protected
    }

    /// Displayed lines minus one: ten bits of Vertical Display Enable End.
    pub fn vertical_display_end(&self) -> u16 {
        self.with_overflow(VERTICAL_DISPLAY_END, 1, 6)
    }

    /// The scan line after which the display restarts at address 0: ten bits.
    pub fn line_compare(&self) -> u16 {
        u16::from(self.data[LINE_COMPARE])
            | (u16::from(self.data[OVERFLOW] & OVERFLOW_LINE_COMPARE_8) << 4)
            | (u16::from(self.data[MAXIMUM_SCAN_LINE] & LINE_COMPARE_9) << 3)
    }

    /// The register's value with bits 8 and 9 from the given bits of Overflow.
    #[expect(clippy::indexing_slicing, reason = "callers give a register of VGA")]
    pub fn with_overflow(&self, index: usize, bit8: u32, bit9: u32) -> u16 {
        let overflow = u16::from(self.data[OVERFLOW]);
        u16::from(self.data[index]) | ((overflow >> bit8) & 1) << 8 | ((overflow >> bit9) & 1) << 9
    }

    /// Two registers as one value, high byte first.
    #[expect(clippy::indexing_slicing, reason = "callers give registers of VGA")]
    pub fn pair(&self, high: usize, low: usize) -> u16 {
        u16::from_be_bytes([self.data[high], self.data[low]])
    }
}
