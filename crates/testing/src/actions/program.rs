// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Random programs: what a guest may do.
//!
//! A program is a list of groups. A group belongs to a family, and does what a driver, or a mistaken
//! driver, could do with one part of the device. Weights lead deep: set-ups come before accesses that
//! depend on them, and values are often at an edge.

use std::ops::Range;

use rand::prelude::*;

use super::access::Access;
use super::choices::Choices;
use super::setup::Setup;
use super::writer::Writer;

/// A part of the device, and the ways to use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// PCI configuration space: all offsets and widths, sizing, moves, overlaps, COMMAND, the ROM.
    Config,
    /// Ports by number, at every width, also across the edges of the device's ranges.
    Ports,
    /// The VGA's registers, by index and data.
    Registers,
    /// DISPI registers, and the modes they set.
    Dispi,
    /// BAR2, at every offset and width.
    Mmio,
    /// The 0xa0000 window, under all set-ups of Sequencer, Graphics Controller and CRTC.
    Window,
    /// VRAM through BAR0, and the option ROM.
    Memory,
    /// Resets.
    Reset,
}

/// What programs are about. Most mix all families, each as often as it's worth it; the others stay with
/// few, and get deeper.
const SUBJECTS: [&[Family]; 8] = [
    &EVERYTHING,
    &EVERYTHING,
    &EVERYTHING,
    &[Family::Config, Family::Memory],
    &[Family::Ports, Family::Registers],
    &[Family::Dispi, Family::Registers, Family::Window],
    &[Family::Mmio],
    &[
        Family::Window,
        Family::Window,
        Family::Registers,
        Family::Memory,
    ],
];

const EVERYTHING: [Family; 16] = [
    Family::Config,
    Family::Ports,
    Family::Ports,
    Family::Registers,
    Family::Registers,
    Family::Registers,
    Family::Dispi,
    Family::Dispi,
    Family::Mmio,
    Family::Mmio,
    Family::Window,
    Family::Window,
    Family::Window,
    Family::Window,
    Family::Memory,
    Family::Memory,
];

/// One reset in so many groups: QEMU takes long for it.
const GROUPS_PER_RESET: u32 = 400;

/// Where BARs are put: far from RAM and chipset, and from each other.
const BAR0: Range<u64> = 0x4000_0000..0xe800_0000;
const BAR2: Range<u64> = 0xf000_0000..0xf7ff_f000;
const ROM: Range<u64> = 0xf800_0000..0xfeb0_0000;
const BAR2_BYTES: u64 = 0x1000;
const ROM_BYTES: u64 = 0x1_0000;
const WINDOW: u64 = 0xa_0000;
const WINDOW_BYTES: u64 = 0x2_0000;

/// Writes a program of about `len` accesses for the given setup.
pub fn random(setup: &Setup, choices: Choices, len: usize) -> Vec<Access> {
    let mut writer = Writer::new(setup, choices);
    let subject = writer.pick(&SUBJECTS);
    writer.place_bars();
    while writer.accesses.len() < len {
        writer.group(subject);
    }
    writer.look_at_everything();
    writer.accesses
}

impl Writer {
    /// Writes a group of accesses about any family.
    pub fn group_of_everything(&mut self) {
        self.group(&EVERYTHING);
    }

    /// Writes a group of accesses about one of the subject's families.
    fn group(&mut self, subject: &[Family]) {
        let family = if self.rng.random_ratio(1, GROUPS_PER_RESET) {
            Family::Reset
        } else {
            self.pick(subject)
        };
        match family {
            Family::Config => self.config(),
            Family::Ports => self.ports(),
            Family::Registers => self.registers(),
            Family::Dispi => self.dispi(),
            Family::Mmio => self.mmio(),
            Family::Window => self.window(),
            Family::Memory => self.memory(),
            Family::Reset => self.reset(),
        }
    }

    /// Puts the BARs where memory accesses may follow, and enables them.
    pub fn place_bars(&mut self) {
        if !self.setup.is_pci() {
            return;
        }
        let framebuffer = self.aligned_in(BAR0, self.setup.vram_len());
        self.out_config(0x10, 4, framebuffer);
        self.framebuffer = Some(framebuffer);
        if self.setup.has_mmio() {
            let mmio = self.aligned_in(BAR2, BAR2_BYTES);
            self.out_config(0x18, 4, mmio);
            self.mmio = Some(mmio);
        }
        if self.setup.has_rom() {
            let rom = self.aligned_in(ROM, ROM_BYTES);
            self.out_config(0x30, 4, rom | 1);
            self.rom = Some(rom);
        }
        let others = u64::from(self.word()) & !7;
        self.out_config(0x04, 2, others | 2);
    }

    /// Puts BAR2, and the ROM, over the framebuffer, in any order, and looks at the edges.
    fn overlapping_bars(&mut self) {
        let (Some(framebuffer), Some(_)) = (self.framebuffer, self.mmio) else {
            return;
        };
        let rom = framebuffer + self.rng.random_range(1..4) * ROM_BYTES;
        let mmio = rom + self.rng.random_range(0..4) * BAR2_BYTES;
        let mut moves = [
            (0x10, framebuffer),
            (0x18, mmio),
            (0x30, rom | 1),
            (0x04, 0),
            (0x04, 2),
        ];
        for _ in self.times(3) {
            moves.shuffle(&mut self.rng);
            for (register, value) in moves {
                self.out_config(register, 4, value);
            }
            self.out_config(0x04, 4, 2);
            for _ in self.times(6) {
                let edge = self.pick(&[mmio, mmio + BAR2_BYTES, rom, rom + ROM_BYTES]);
                let address = edge - 9 + self.rng.random_range(0..18);
                let width = self.pick(&[1, 2, 4, 8]);
                if self.chance(70) {
                    self.read(address, width);
                } else {
                    let value = self.value(width);
                    self.write(address, width, value);
                }
            }
        }
    }

    fn aligned_in(&mut self, range: Range<u64>, len: u64) -> u64 {
        let places = (range.end - range.start) / len;
        range.start.next_multiple_of(len) + self.rng.random_range(0..places) / 2 * len
    }

    fn config(&mut self) {
        const REGISTERS: [u8; 17] = [
            0x00, 0x04, 0x06, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c, 0x24, 0x2c, 0x30, 0x34, 0x38,
            0x3c, 0x40, 0xfc,
        ];
        if !self.setup.is_pci() {
            return;
        }
        for _ in self.times(8) {
            let offset = if self.chance(50) {
                self.pick(&REGISTERS) + self.pick(&[0, 0, 1, 2, 3])
            } else {
                self.byte()
            };
            let width = self.pick(&[1, 2, 4]);
            if self.chance(50) {
                self.in_config(offset, width);
            } else {
                let value = self.value(width);
                self.out_config(offset, width, value);
            }
        }
        if self.chance(20) {
            self.overlapping_bars();
        }
        for _ in self.times(3) {
            let bar = self.pick(&[0x10, 0x14, 0x18, 0x30]);
            self.out_config(bar, 4, u32::MAX.into());
            self.in_config(bar, 4);
        }
        self.place_bars();
        for offset in [0x04, 0x10, 0x18, 0x30] {
            self.in_config(offset, 4);
        }
    }

    fn ports(&mut self) {
        for _ in self.times(10) {
            // Not above 0x3df: those ports are other devices'.
            let port = match self.rng.random_range(0..10) {
                0 | 1 => self.rng.random_range(0x1ca..0x1d5),
                2 | 3 => self.rng.random_range(0x3b0..0x3c0),
                4 => self.rng.random_range(0x3d0..0x3dd),
                _ => self.rng.random_range(0x3c0..0x3d0),
            };
            let width = self.pick(&[1, 1, 1, 2, 2, 4]);
            if self.chance(50) {
                self.input(port, width);
            } else {
                let mut value = self.value(width);
                if port == 0x3c2 && self.chance(70) {
                    value |= 1;
                }
                self.out(port, width, value);
            }
        }
    }

    fn registers(&mut self) {
        for _ in self.times(8) {
            let (index, value) = (self.byte(), self.byte());
            let crtc_index = if self.chance(80) { index % 0x19 } else { index };
            let crtc = self.pick(&[0x3d4, 0x3d4, 0x3d4, 0x3b4]);
            match self.rng.random_range(0..14) {
                0 => self.out_indexed(0x3c4, index, value),
                1 => self.in_indexed(0x3c4, index),
                2 => self.out_indexed(0x3ce, index, value),
                3 => self.in_indexed(0x3ce, index),
                4 | 5 => self.out_indexed(crtc, crtc_index, value),
                6 => self.in_indexed(crtc, crtc_index),
                7 => self.out_attribute(index, value),
                8 => self.attribute_out_of_turn(),
                9 => self.dac(),
                10 => {
                    self.out_indexed(crtc, 0x11, index);
                    self.out_indexed(crtc, crtc_index % 8, value);
                    self.in_indexed(crtc, crtc_index % 8);
                }
                11 => {
                    self.in_vga(self.status_port(index));
                    self.out_vga(self.status_port(value), value);
                    self.in_vga(0x3ca);
                }
                12 => {
                    self.out_vga(0x3c2, value | 1);
                    self.in_vga(0x3cc);
                }
                _ => self.out_vga(0x3c2, value),
            }
        }
    }

    fn status_port(&self, choice: u8) -> u16 {
        if choice & 3 == 0 { 0x3ba } else { 0x3da }
    }

    fn attribute_out_of_turn(&mut self) {
        for _ in self.times(3) {
            let value = self.byte();
            self.out_vga(0x3c0, value);
        }
        self.in_vga(0x3c1);
        self.in_vga(0x3c0);
    }

    fn dac(&mut self) {
        let port = self.pick(&[0x3c7, 0x3c8]);
        let index = self.byte();
        self.out_vga(port, index);
        for _ in self.times(8) {
            if self.chance(50) {
                self.in_vga(0x3c9);
            } else {
                let value = self.byte();
                self.out_vga(0x3c9, value);
            }
        }
        self.in_vga(0x3c7);
        self.in_vga(0x3c8);
    }

    fn dispi(&mut self) {
        if self.chance(40) {
            self.dispi_mode();
        }
        for _ in self.times(6) {
            let register = if self.chance(95) {
                self.rng.random_range(0..11)
            } else {
                self.word()
            };
            if self.chance(50) {
                self.in_dispi(register);
                continue;
            }
            let value = match register {
                0 => self.rng.random_range(0xb0be..0xb0c8),
                3 => self.pick(&[4, 8, 15, 16, 24, 32, 7]),
                // Mostly without clearing: that takes long with much VRAM.
                4 if self.chance(90) => self.word() | 0x80,
                _ => self.word(),
            };
            self.out_dispi(register, value);
        }
    }

    fn dispi_mode(&mut self) {
        const WIDTHS: [u16; 16] = [
            0, 1, 7, 8, 9, 64, 320, 640, 800, 1023, 1024, 1280, 4096, 15999, 16001, 65535,
        ];
        const HEIGHTS: [u16; 12] = [0, 1, 2, 16, 200, 480, 768, 1025, 11999, 12000, 12001, 65535];
        const DEPTHS: [u16; 14] = [4, 4, 8, 8, 15, 16, 24, 32, 0, 1, 12, 33, 0x104, 65535];
        if self.chance(70) {
            let disable = self.pick(&[0, 2, 0x80]);
            self.out_dispi(4, disable);
        }
        for (register, values) in [(1, &WIDTHS[..]), (2, &HEIGHTS), (3, &DEPTHS)] {
            let value = if self.chance(80) {
                self.pick(values)
            } else {
                self.word()
            };
            self.out_dispi(register, value);
        }
        let enable = self.pick(&[0x01, 0x41, 0xe1, 0x83, 0x81, 0xc1]);
        self.out_dispi(4, enable);
    }

    fn mmio(&mut self) {
        let Some(base) = self.mmio else {
            return;
        };
        for _ in self.times(10) {
            let offset = match self.rng.random_range(0..10) {
                0 => self.rng.random_range(0..0x188),
                1..=3 => self.rng.random_range(0x3fc..0x424),
                4..=6 => self.rng.random_range(0x4fc..0x51c),
                7 => self.rng.random_range(0x5fc..0x60c),
                _ => self.rng.random_range(0..BAR2_BYTES),
            };
            let len = self.rng.random_range(1..40).min(BAR2_BYTES - offset);
            let width = self.pick(&[1, 1, 2, 2, 4, 4, 8]);
            match self.rng.random_range(0..20) {
                0 => self.read_bytes(base + offset, len),
                1 => self.write_bytes(base + offset, len),
                2 => {
                    let order = self.pick(&[0xbebe_bebe, 0x1e1e_1e1e, 0xbebe_bebf]);
                    self.write(base + 0x604, 4, order);
                }
                3..=11 => self.read(base + offset, width),
                _ => {
                    let value = self.value(width);
                    self.write(base + offset, width, value);
                }
            }
        }
    }

    fn window(&mut self) {
        if !self.setup.has_legacy() {
            return;
        }
        if self.chance(60) {
            self.window_setup();
        }
        let mut offset = self.window_offset();
        for _ in self.times(20) {
            offset = if self.chance(40) {
                self.window_offset()
            } else {
                offset + self.rng.random_range(0..9)
            };
            let width = self.pick(&[1, 1, 1, 2, 2, 4, 8]);
            let address = WINDOW + offset.min(WINDOW_BYTES - width);
            let left = WINDOW + WINDOW_BYTES - address;
            match self.rng.random_range(0..40) {
                0 => self.read_bytes(address, left.min(37)),
                1 => self.write_bytes(address, left.min(37)),
                2..=19 => self.read(address, width),
                _ => {
                    let value = self.value(width);
                    self.write(address, width, value);
                }
            }
        }
    }

    fn window_offset(&mut self) -> u64 {
        let edge = self.pick(&[
            0_u64, 0, 0x4000, 0x8000, 0x1_0000, 0x1_0000, 0x1_8000, 0x1_8000,
        ]);
        match self.rng.random_range(0..5) {
            0 => edge + self.rng.random_range(0..16),
            1 => edge.saturating_sub(self.rng.random_range(0..16)),
            2 => edge + self.rng.random_range(0..0x400),
            3 => edge + self.rng.random_range(0..0x8000),
            _ => self.rng.random_range(0..WINDOW_BYTES),
        }
    }

    fn window_setup(&mut self) {
        self.out_vga(0x3c2, 0x67);
        for _ in self.times(8) {
            let value = self.byte();
            match self.rng.random_range(0..14) {
                0 | 1 => {
                    let planes = if self.chance(50) { 0x0f } else { value };
                    self.out_indexed(0x3c4, 2, planes);
                }
                2 | 3 => self.out_indexed(0x3c4, 4, value & 0x0e),
                4 => self.out_indexed(0x3ce, 5, value),
                5 => self.out_indexed(0x3ce, 6, value & 0x0f),
                6 => self.out_indexed(0x3d4, 0x14, value & 0x40),
                7 => self.out_indexed(0x3d4, 0x17, value),
                8 => self.out_indexed(0x3ce, 4, value),
                9 | 10 => {
                    let index = self.rng.random_range(0..9);
                    self.out_indexed(0x3ce, index, value);
                }
                11 => {
                    let bank = self.word();
                    self.out_dispi(5, bank);
                }
                _ => {
                    self.out_indexed(0x3c4, 2, 0x0f);
                    self.out_indexed(0x3c4, 4, value | 0x08);
                }
            }
        }
    }

    fn memory(&mut self) {
        let vram_len = self.setup.vram_len();
        for _ in self.times(8) {
            if let Some(base) = self.framebuffer {
                let within = if self.chance(60) { 0x8_0000 } else { vram_len };
                let offset = match self.rng.random_range(0..6) {
                    0 => vram_len - self.rng.random_range(1..16),
                    _ => self.rng.random_range(0..within),
                };
                self.memory_access(base + offset, vram_len - offset);
            }
            if let (Some(base), true) = (self.rom, self.chance(20)) {
                let offset = self.rng.random_range(0..ROM_BYTES);
                self.memory_access(base + offset, ROM_BYTES - offset);
            }
        }
    }

    fn memory_access(&mut self, address: u64, left: u64) {
        let width = self.pick(&[1, 2, 4, 8]);
        match self.rng.random_range(0..20) {
            0 => self.read_bytes(address, left.min(1000)),
            1 => self.write_bytes(address, left.min(60)),
            2 => {
                let (len, value) = (left.min(20_000), self.byte());
                self.access(Access::Fill {
                    address,
                    len,
                    value,
                });
            }
            3..=11 => self.read(address, width),
            _ => {
                let value = self.value(width);
                self.write(address, width, value);
            }
        }
    }

    fn reset(&mut self) {
        self.access(Access::Reset);
        if self.setup.is_pci() {
            (self.framebuffer, self.mmio, self.rom) = (None, None, None);
        }
        if self.chance(50) {
            self.look_at_registers();
        }
        self.place_bars();
    }

    /// Reads every register.
    fn look_at_registers(&mut self) {
        for port in [
            0x3c0, 0x3c1, 0x3c2, 0x3c4, 0x3c7, 0x3c8, 0x3ca, 0x3cc, 0x3ce, 0x3d4, 0x3b4,
        ] {
            self.in_vga(port);
        }
        for index in 0..8 {
            self.in_indexed(0x3c4, index);
        }
        for index in 0..16 {
            self.in_indexed(0x3ce, index);
        }
        for crtc in [0x3d4, 0x3b4] {
            for index in 0..0x20 {
                self.in_indexed(crtc, index);
            }
        }
        for index in 0..0x16 {
            self.in_vga(0x3da);
            self.out_vga(0x3c0, index);
            self.in_vga(0x3c1);
        }
        self.out_vga(0x3c7, 0);
        for _ in 0..3 * 256 {
            self.in_vga(0x3c9);
        }
        for register in 0..12 {
            self.in_dispi(register);
        }
    }

    /// Reads every register, configuration space, BAR2, and the part of VRAM that the window reaches.
    fn look_at_everything(&mut self) {
        self.look_at_registers();
        if self.setup.is_pci() {
            for offset in (0..=255).step_by(4) {
                self.in_config(offset, 4);
            }
        }
        if let Some(base) = self.mmio {
            self.read_bytes(base, BAR2_BYTES);
        }
        if let Some(base) = self.framebuffer {
            self.read_bytes(base, 0x10_0000);
            self.read_bytes(base + self.setup.vram_len() - 0x1_0000, 0x1_0000);
        }
    }
}
