// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The Sequencer: ports 0x3c4 (index) and 0x3c5 (data).

/// Clocking Mode.
pub(crate) const CLOCKING_MODE: usize = 1;
/// Map Mask: the planes that writes change.
pub(crate) const MAP_MASK: usize = 2;
/// Character Map Select: where the two fonts are in plane 2.
pub(crate) const CHARACTER_MAP: usize = 3;
/// Memory Mode.
pub(crate) const MEMORY_MODE: usize = 4;

/// Clocking Mode bit 0: characters are 8 dots wide, not 9.
pub(crate) const EIGHT_DOTS: u8 = 1 << 0;
/// Clocking Mode bit 3: the dot clock is halved, so that every pixel shows twice.
pub(crate) const DOT_CLOCK_HALF: u8 = 1 << 3;
/// Memory Mode bit 2: 0 sends even addresses to planes 0 and 2, odd ones to planes 1 and 3.
pub(crate) const ODD_EVEN_OFF: u8 = 1 << 2;
/// Memory Mode bit 3: the low two address bits select the plane.
pub(crate) const CHAIN_4: u8 = 1 << 3;
/// All four planes in the Map Mask.
pub(crate) const ALL_PLANES: u8 = 0x0f;

/// The bits that each register keeps.
pub(crate) const STORED: [u8; 8] = [0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0x00, 0x00, 0xff];

/// The registers that memory and display decoding use while VBE is enabled. At first nothing is set, so no
/// plane is written. The second set applies after the first packed-pixel mode since a reset.
static VBE: [[u8; 8]; 2] = {
    let mut registers = [[0; 8]; 2];
    registers[1][MAP_MASK] = ALL_PLANES;
    registers[1][MEMORY_MODE] = CHAIN_4;
    registers
};

/// The registers' state.
///
/// Even while VBE is enabled, a guest reads and writes `data`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequencer {
    pub index: u8,
    pub data: [u8; 8],
    /// Whether VBE has had a packed-pixel mode since the reset.
    pub vbe_chained: bool,
}

impl Sequencer {
    /// The registers that apply while VBE is enabled.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "a bool indexes two entries")]
    pub fn vbe(&self) -> &'static [u8; 8] {
        &VBE[usize::from(self.vbe_chained)]
    }

    /// Whether chain 4 reaches all planes.
    #[inline]
    pub fn is_chained(&self) -> bool {
        let all_planes = self.data[MAP_MASK] & ALL_PLANES == ALL_PLANES;
        all_planes && self.data[MEMORY_MODE] & CHAIN_4 != 0
    }

    pub fn write_index(&mut self, value: u8) {
        self.index = value & 0x07;
    }

    #[expect(clippy::indexing_slicing, reason = "there are eight registers")]
    pub fn read_data(&self) -> u8 {
        self.data[usize::from(self.index & 0x07)]
    }

    /// Stores into the indexed register. Returns whether that changed it.
    #[expect(clippy::indexing_slicing, reason = "there are eight registers")]
    pub fn write_data(&mut self, value: u8) -> bool {
        let index = usize::from(self.index & 0x07);
        super::replace(&mut self.data[index], value & STORED[index])
    }
}
