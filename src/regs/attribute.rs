// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The Attribute Controller: port 0x3c0 (index and data in turn) and 0x3c1 (data, read).

/// Attribute Mode Control.
pub(crate) const MODE_CONTROL: usize = 0x10;
/// Color Plane Enable.
pub(crate) const PLANE_ENABLE: usize = 0x12;
/// Horizontal Pixel Panning.
pub(crate) const PIXEL_PANNING: usize = 0x13;
/// Color Select.
pub(crate) const COLOR_SELECT: usize = 0x14;

/// Index bit 5: the palette feeds the display. Without it the screen is blank.
pub(crate) const PALETTE_ADDRESS_SOURCE: u8 = 1 << 5;
/// Mode Control bit 2: line graphics characters repeat their eighth dot in the ninth.
pub(crate) const LINE_GRAPHICS: u8 = 1 << 2;
/// Mode Control bit 3: attribute bit 7 blinks, instead of selecting a bright background.
pub(crate) const BLINK: u8 = 1 << 3;
/// Mode Control bit 5: panning ends at the line compare.
pub(crate) const PANNING_RESET: u8 = 1 << 5;
/// Mode Control bit 7: Color Select replaces palette bits 5:4 too.
pub(crate) const PALETTE_BITS_5_4: u8 = 1 << 7;

/// The bits that each register keeps.
pub(crate) const STORED: [u8; 0x15] = [
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, //
    0xef, 0xff, 0x3f, 0x0f, 0x0f,
];

/// The registers' state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AttributeController {
    /// Six bits: the register number and [`PALETTE_ADDRESS_SOURCE`].
    pub index: u8,
    /// Whether the next write to 0x3c0 is data.
    pub data_next: bool,
    pub data: [u8; 0x15],
}

impl AttributeController {
    /// Reads 0x3c0: the index, if the next write is one too.
    pub fn read(&self) -> u8 {
        if self.data_next { 0 } else { self.index }
    }

    /// Reads 0x3c1: the indexed register.
    pub fn read_data(&self) -> u8 {
        self.data
            .get(usize::from(self.index & 0x1f))
            .copied()
            .unwrap_or(0)
    }

    /// Writes 0x3c0: index and data in turn. Returns whether a register changed, or the bit of the index that
    /// switches the palette on.
    pub fn write(&mut self, value: u8) -> bool {
        let is_data = self.data_next;
        self.data_next = !is_data;
        if is_data {
            let index = usize::from(self.index & 0x1f);
            self.data
                .get_mut(index)
                .zip(STORED.get(index))
                .is_some_and(|(register, stored)| super::replace(register, value & stored))
        } else {
            let before = std::mem::replace(&mut self.index, value & 0x3f);
            (before ^ self.index) & PALETTE_ADDRESS_SOURCE != 0
        }
    }

    /// The DAC entry that palette register `index` selects.
    #[expect(clippy::indexing_slicing, reason = "there are 16 palette registers")]
    pub fn dac_entry(&self, index: usize) -> usize {
        let color = self.data[index & 0x0f];
        let select = self.data[COLOR_SELECT];
        usize::from(if self.data[MODE_CONTROL] & PALETTE_BITS_5_4 != 0 {
            (select & 0x0f) << 4 | (color & 0x0f)
        } else {
            (select & 0x0c) << 4 | (color & 0x3f)
        })
    }
}
