// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! DISPI, the Bochs VBE extensions: index at port 0x1ce, data at 0x1d0.

/// Identification.
pub(crate) const ID: usize = 0x0;
/// Width in pixels.
pub(crate) const XRES: usize = 0x1;
/// Height in pixels.
pub(crate) const YRES: usize = 0x2;
/// Bits per pixel.
pub(crate) const BPP: usize = 0x3;
/// Enable.
pub(crate) const ENABLE: usize = 0x4;
/// The 64 KiB bank of VRAM that the 0xa0000 window shows.
pub(crate) const BANK: usize = 0x5;
/// Width of a line in VRAM, in pixels.
pub(crate) const VIRT_WIDTH: usize = 0x6;
/// Lines that fit into VRAM (read).
pub(crate) const VIRT_HEIGHT: usize = 0x7;
/// First visible pixel of a line.
pub(crate) const X_OFFSET: usize = 0x8;
/// First visible line.
pub(crate) const Y_OFFSET: usize = 0x9;
/// VRAM in units of 64 KiB (read).
pub(crate) const VIDEO_MEMORY_64K: usize = 0xa;

/// ENABLE bit 0: the VBE mode shows.
pub(crate) const ENABLED: u16 = 1 << 0;
/// ENABLE bit 1: XRES, YRES and BPP read as their maxima.
pub(crate) const GETCAPS: u16 = 1 << 1;
/// ENABLE bit 5: the DAC has eight bits a component.
pub(crate) const DAC_8BIT: u16 = 1 << 5;
/// ENABLE bit 7: enabling doesn't clear VRAM.
pub(crate) const NO_CLEAR: u16 = 1 << 7;

/// The IDs that can be written. After a reset, the newest one is read.
pub(crate) const IDS: std::ops::RangeInclusive<u16> = 0xb0c0..=0xb0c5;
const MAX_XRES: u16 = 16000;
/// The maximum number of lines of a mode.
pub(crate) const MAX_YRES: u16 = 12000;
const MAX_BPP: u16 = 32;
/// Length of a bank, in bytes.
pub(crate) const BANK_BYTES: u32 = 64 << 10;

/// The registers' state, and what the display takes from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dispi {
    pub index: u16,
    pub data: [u16; 10],
    /// The offset that is added to an address in the 64 KiB window: the bank in bytes, or 0 after a disable.
    pub bank_offset: u32,
    /// Bytes from one line to the next.
    pub pitch: u32,
    /// Where the picture starts in VRAM, in groups of four bytes.
    pub start: u32,
    /// Length of VRAM in bytes, a power of two from 1 to 512 MiB.
    pub vram_len: u32,
}

/// What a data write did that concerns the other blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Nothing with an effect.
    Inert,
    /// The bank moved.
    Bank,
    /// A register of the mode was written while it's enabled. The VGA registers must follow.
    Mode { changed: bool },
    /// ENABLE was written, and this many bytes of VRAM must be cleared.
    Enable { cleared: u64 },
}

impl Dispi {
    pub fn new(vram_len: u32) -> Self {
        let mut data = [0; 10];
        data[ID] = *IDS.end();
        Self {
            index: 0,
            data,
            bank_offset: 0,
            pitch: 0,
            start: 0,
            vram_len,
        }
    }

    pub fn reset(&mut self) {
        *self = Self::new(self.vram_len);
    }

    pub fn enabled(&self) -> bool {
        self.data[ENABLE] & ENABLED != 0
    }

    /// Whether 256-colour modes use all eight bits of the DAC's components.
    pub fn has_8_bit_dac(&self) -> bool {
        self.data[ENABLE] & DAC_8BIT != 0
    }

    pub fn read_data(&self) -> u16 {
        let capabilities = self.data[ENABLE] & GETCAPS != 0;
        match usize::from(self.index) {
            XRES if capabilities => MAX_XRES,
            YRES if capabilities => MAX_YRES,
            BPP if capabilities => MAX_BPP,
            VIDEO_MEMORY_64K => (self.vram_len / BANK_BYTES) as u16,
            index => self.data.get(index).copied().unwrap_or(0),
        }
    }

    /// Stores into the indexed register, and corrects the mode while it's enabled.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "a bank is one of VRAM, which has 16 or more and at most 8192; the arms name registers"
    )]
    pub fn write_data(&mut self, value: u16) -> Write {
        match usize::from(self.index) {
            ID => {
                if IDS.contains(&value) {
                    self.data[ID] = value;
                }
                Write::Inert
            }
            index @ (XRES | YRES | BPP | VIRT_WIDTH | X_OFFSET | Y_OFFSET) => {
                if !self.enabled() {
                    self.data[index] = value;
                    return Write::Inert;
                }
                let before = (self.data, self.start);
                self.data[index] = value;
                self.correct_mode();
                Write::Mode {
                    changed: before != (self.data, self.start),
                }
            }
            BANK => {
                let bank = u32::from(value) & (self.vram_len / BANK_BYTES - 1);
                self.data[BANK] = bank as u16;
                self.bank_offset = bank * BANK_BYTES;
                Write::Bank
            }
            ENABLE => self.write_enable(value),
            _ => Write::Inert,
        }
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a product of two 32-bit numbers"
    )]
    fn write_enable(&mut self, value: u16) -> Write {
        let rises = value & ENABLED != 0 && !self.enabled();
        self.data[ENABLE] = value;
        let mut cleared = 0;
        if rises {
            self.data[VIRT_WIDTH] = 0;
            self.data[X_OFFSET] = 0;
            self.data[Y_OFFSET] = 0;
            self.correct_mode();
            if value & NO_CLEAR == 0 {
                cleared = u64::from(self.data[YRES]) * u64::from(self.pitch);
            }
        } else {
            // The BANK register keeps its value. From now on it disagrees with the mapping.
            self.bank_offset = 0;
        }
        Write::Enable { cleared }
    }

    /// Bits per pixel in VRAM.
    fn bits_per_pixel(&self) -> u32 {
        match self.data[BPP] {
            15 => 16,
            bpp => u32::from(bpp),
        }
    }

    /// Changes the registers to a mode that fits into VRAM, and computes the pitch and the start address.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "comments below say what bounds each of them"
    )]
    pub fn correct_mode(&mut self) {
        if !matches!(self.data[BPP], 4 | 8 | 15 | 16 | 24 | 32) {
            self.data[BPP] = 8;
        }
        let bits = self.bits_per_pixel();
        self.data[XRES] = (self.data[XRES] & !7).clamp(8, MAX_XRES);
        self.data[VIRT_WIDTH] = (self.data[VIRT_WIDTH] & !7)
            .min(MAX_XRES)
            .max(self.data[XRES]);
        // At least 4 bytes and at most 64,000, so the results stay far below 2^32.
        self.pitch = u32::from(self.data[VIRT_WIDTH]) * bits / 8;
        let max_lines = self.vram_len / self.pitch;

        let lines = u32::from(self.data[YRES].clamp(1, MAX_YRES)).min(max_lines);
        self.data[YRES] = lines as u16;
        self.data[X_OFFSET] = self.data[X_OFFSET].min(MAX_XRES);
        self.data[Y_OFFSET] = self.data[Y_OFFSET].min(MAX_YRES);

        let fits = |start: u32| start + lines * self.pitch <= self.vram_len;
        let x_bytes = u32::from(self.data[X_OFFSET]) * bits / 8;
        let mut start = x_bytes + u32::from(self.data[Y_OFFSET]) * self.pitch;
        if !fits(start) {
            self.data[Y_OFFSET] = 0;
            start = x_bytes;
            if !fits(start) {
                self.data[X_OFFSET] = 0;
                start = 0;
            }
        }
        self.start = start / 4;
        // The register has 16 bits. QEMU drops the higher ones.
        self.data[VIRT_HEIGHT] = max_lines as u16;
    }
}
