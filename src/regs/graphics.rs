// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The Graphics Controller: ports 0x3ce (index) and 0x3cf (data), and the latches.

/// Set/Reset.
pub(crate) const SET_RESET: usize = 0;
/// Enable Set/Reset.
pub(crate) const ENABLE_SET_RESET: usize = 1;
/// Color Compare.
pub(crate) const COLOR_COMPARE: usize = 2;
/// Data Rotate and function select.
pub(crate) const DATA_ROTATE: usize = 3;
/// Read Map Select.
pub(crate) const READ_MAP: usize = 4;
/// Graphics Mode.
pub(crate) const MODE: usize = 5;
/// Miscellaneous.
pub(crate) const MISCELLANEOUS: usize = 6;
/// Color Don't Care.
pub(crate) const COLOR_DONT_CARE: usize = 7;
/// Bit Mask.
pub(crate) const BIT_MASK: usize = 8;

/// Data Rotate bits 2:0: how far written values are rotated right.
pub(crate) const ROTATION: u8 = 0x07;
/// Graphics Mode bits 1:0: the write mode.
pub(crate) const WRITE_MODE: u8 = 3;
/// Graphics Mode bit 3: read mode 1, color compare.
pub(crate) const READ_MODE_1: u8 = 1 << 3;
/// Graphics Mode bit 4: reads select the plane by address bit 0.
pub(crate) const HOST_ODD_EVEN: u8 = 1 << 4;
/// Graphics Mode bits 6:5: how the planes' bits become pixels.
pub(crate) const SHIFT: u8 = 3 << 5;
/// Graphics Mode bits 6:5 = 10: a byte is a pixel.
pub(crate) const SHIFT_256: u8 = 2 << 5;
/// Miscellaneous bit 0: graphics, not text.
pub(crate) const GRAPHICS_MODE: u8 = 1 << 0;
/// Miscellaneous bit 1: address bit 0 doesn't reach memory (it has chosen the plane).
pub(crate) const CHAIN_ODD_EVEN: u8 = 1 << 1;
/// Miscellaneous bits 3:2: which part of the 0xa0000 window answers.
pub(crate) const MEMORY_MAP: u8 = 3 << 2;
/// Miscellaneous bits 3:2 = 01: 64 KiB at 0xa0000.
pub(crate) const MEMORY_MAP_A0000_64K: u8 = 1 << 2;

/// The bits that each register keeps.
pub(crate) const STORED: [u8; 16] = [
    0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff, 0, 0, 0, 0, 0, 0, 0,
];

/// The registers' state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GraphicsController {
    pub index: u8,
    pub data: [u8; 16],
    /// The group that the last planar read loaded, plane 0 in the low byte. A reset keeps it.
    pub latches: u32,
}

impl GraphicsController {
    pub fn write_index(&mut self, value: u8) {
        self.index = value & 0x0f;
    }

    #[expect(clippy::indexing_slicing, reason = "there are 16 registers")]
    pub fn read_data(&self) -> u8 {
        self.data[usize::from(self.index & 0x0f)]
    }

    /// Stores into the indexed register.
    #[expect(clippy::indexing_slicing, reason = "there are 16 registers")]
    pub fn write_data(&mut self, value: u8) {
        let index = usize::from(self.index & 0x0f);
        self.data[index] = value & STORED[index];
    }

    /// The index of the memory map that answers in the 0xa0000 window, 0 to 3.
    pub fn memory_map(&self) -> u8 {
        (self.data[MISCELLANEOUS] & MEMORY_MAP) >> 2
    }

    /// Clears everything except the latches.
    pub fn reset(&mut self) {
        *self = Self {
            latches: self.latches,
            ..Self::default()
        };
    }
}
