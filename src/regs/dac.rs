// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The DAC: ports 0x3c7 (read index, state), 0x3c8 (write index) and 0x3c9 (data).

/// What 0x3c7 reads after a read index was set.
pub(crate) const STATE_READ: u8 = 3;
/// What 0x3c7 reads after a write index was set.
pub(crate) const STATE_WRITE: u8 = 0;

/// The DAC's state. There's no PEL mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dac {
    pub state: u8,
    pub read_index: u8,
    pub write_index: u8,
    /// The colour component of the next read or write: 0 to 2, shared by both.
    pub component: u8,
    /// Components written, until the third completes an entry. The first is in the low byte.
    pub staged: u32,
    /// Red, green and blue, as written. All eight bits are kept, whatever the width.
    pub entries: [[u8; 3]; 256],
}

impl Default for Dac {
    fn default() -> Self {
        Self {
            state: STATE_WRITE,
            read_index: 0,
            write_index: 0,
            component: 0,
            staged: 0,
            entries: [[0; 3]; 256],
        }
    }
}

impl Dac {
    pub fn write_read_index(&mut self, value: u8) {
        self.read_index = value;
        self.component = 0;
        self.state = STATE_READ;
    }

    pub fn write_write_index(&mut self, value: u8) {
        self.write_index = value;
        self.component = 0;
        self.state = STATE_WRITE;
    }

    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "a byte indexes all 256 entries, and the component is below 3 after each access"
    )]
    pub fn read_data(&mut self) -> u8 {
        let value = self.entries[usize::from(self.read_index)][usize::from(self.component % 3)];
        self.component += 1;
        if self.component == 3 {
            self.component = 0;
            self.read_index = self.read_index.wrapping_add(1);
        }
        value
    }

    /// Takes a component. The third one stores the entry. Returns whether an entry changed.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "a byte indexes all 256 entries, and the component is below 2"
    )]
    pub fn write_data(&mut self, value: u8) -> bool {
        let shift = 8 * u32::from(self.component % 4);
        self.staged = (self.staged & !(0xff << shift)) | u32::from(value) << shift;
        if self.component < 2 {
            self.component += 1;
            return false;
        }
        self.component = 0;
        let [red, green, blue, _] = self.staged.to_le_bytes();
        let index = usize::from(self.write_index);
        self.write_index = self.write_index.wrapping_add(1);
        super::replace(&mut self.entries[index], [red, green, blue])
    }

    /// The entry as 0x00RRGGBB, with components of six bits.
    ///
    /// The low bit fills the two bits below it, as in QEMU. On hardware the high bits do.
    #[expect(clippy::indexing_slicing, reason = "there are 256 entries")]
    pub fn rgb6(&self, index: usize) -> u32 {
        rgb(self.entries[index & 0xff].map(|v| v << 2 | if v & 1 != 0 { 3 } else { 0 }))
    }

    /// The entry as 0x00RRGGBB, with components of eight bits.
    #[expect(clippy::indexing_slicing, reason = "there are 256 entries")]
    pub fn rgb8(&self, index: usize) -> u32 {
        rgb(self.entries[index & 0xff])
    }
}

fn rgb([red, green, blue]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, red, green, blue])
}
