// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Random pictures: states of the registers that shape what the screen shows, right and wrong.

use rand::prelude::*;

use super::access::Access;
use super::choices::Choices;
use super::setup::Setup;
use super::writer::Writer;

/// How the screen makes pixels of VRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Text,
    /// 16 colours.
    Planar,
    /// Two bits a pixel, as CGA has them.
    Cga,
    /// 256 colours, each pixel shown as two.
    Doubled,
    /// A DISPI mode of so many bits a pixel.
    Vbe(u16),
}

/// VGA modes show the first 256 KiB of VRAM.
const VGA_BYTES: u64 = 0x4_0000;
/// VRAM is filled by so many bytes at a time.
const LINE_BYTES: u64 = 1024;
/// Behind what VGA modes show, one line of so many is filled, up to 1 MiB and at VRAM's end.
const SPARSE: usize = 16;
const MIB: u64 = 1 << 20;

/// Writes a program that shows so many pictures of the given families. Before each, the screen is blank
/// for one dump: what isn't drawn anew is another matter.
pub fn random(
    setup: &Setup,
    choices: Choices,
    families: &[Family],
    pictures: usize,
) -> Vec<Access> {
    let mut writer = Writer::new(setup, choices);
    writer.place_bars();
    writer.fill_vram();
    writer.color_addresses();
    writer.whole_palette();
    let mut after_text = false;
    for _ in 0..pictures {
        writer.dump_with_palette_source(0);
        writer.color_addresses();
        writer.write_somewhere();
        let family = writer.pick(families);
        writer.screen_state(family, after_text);
        writer.dump_with_palette_source(0x20);
        after_text = family == Family::Text;
    }
    writer.accesses
}

impl Writer {
    /// Registers of a picture of this family. After text it isn't panned: see [`Self::graphics_state`].
    pub fn screen_state(&mut self, family: Family, after_text: bool) {
        match family {
            Family::Text => self.text_state(),
            Family::Vbe(bpp) => self.vbe_state(bpp),
            Family::Planar => self.graphics_state(0x00, after_text),
            Family::Cga => self.graphics_state(0x20, after_text),
            Family::Doubled => self.graphics_state(0x40, after_text),
        }
    }

    fn below(&mut self, end: u32) -> u32 {
        self.rng.random_range(0..end)
    }

    fn fill_vram(&mut self) {
        let len = self.setup.vram_len();
        let lines = |start: u64, end: u64| (start..end).step_by(LINE_BYTES as usize);
        let sparse = lines(VGA_BYTES, MIB).chain(lines(len - MIB / 8, len));
        for offset in lines(0, VGA_BYTES).chain(sparse.step_by(SPARSE)) {
            self.random_vram(offset);
        }
    }

    /// Writes a line of VRAM somewhere, or some, or none.
    fn write_somewhere(&mut self) {
        let len = self.setup.vram_len().min(MIB);
        for _ in 0..self.below(4) {
            let offset = self.rng.random_range(0..=len - LINE_BYTES);
            self.random_vram(offset);
        }
    }

    /// Writes something to VRAM, mostly where it shows, if the guest can reach it now.
    pub fn write_visible(&mut self) {
        let Some(framebuffer) = self.framebuffer else {
            return;
        };
        let end = match self.below(4) {
            0 => 0x4000,
            1 | 2 => VGA_BYTES,
            _ => self.setup.vram_len(),
        };
        let offset = match self.below(5) {
            0 => end - self.rng.random_range(1..8000),
            _ => self.rng.random_range(0..end),
        };
        let len = self.pick(&[1, 2, 4, 300, 5000]);
        let len = len.min(self.setup.vram_len() - offset);
        let address = framebuffer + offset;
        let access = if self.chance(50) {
            let value = self.pick(&[0x00, 0xff]);
            Access::Fill {
                address,
                len,
                value,
            }
        } else {
            let mut bytes = vec![0; len as usize];
            self.rng.fill(&mut bytes[..]);
            Access::WriteBytes { address, bytes }
        };
        self.access(access);
    }

    fn random_vram(&mut self, offset: u64) {
        let framebuffer = self.framebuffer.expect("BAR0 was placed");
        let mut bytes = vec![0; LINE_BYTES as usize];
        self.rng.fill(&mut bytes[..]);
        let address = framebuffer + offset;
        self.access(Access::WriteBytes { address, bytes });
    }

    /// Brings the CRTC and Input Status 1 to the addresses at which BAR2 has them, too.
    fn color_addresses(&mut self) {
        self.out_vga(0x3c2, 0x67);
    }

    fn whole_palette(&mut self) {
        for index in 0..16 {
            self.random_attribute(index);
        }
        self.out_vga(0x3c8, 0);
        for _ in 0..3 * 256 {
            let component = self.rng.random();
            self.out_vga(0x3c9, component);
        }
    }

    fn random_attribute(&mut self, index: u8) {
        let value = self.rng.random();
        self.out_attribute(index, value);
    }

    /// Switches the palette on (0x20) or off (0), which blanks the screen.
    pub fn palette_source(&mut self, source: u8) {
        let index = self.byte() & !0x20 | source;
        self.in_vga(0x3da);
        self.out_vga(0x3c0, index);
    }

    fn dump_with_palette_source(&mut self, source: u8) {
        self.palette_source(source);
        self.access(Access::ScreenDump);
    }

    /// Changes what colours are made with.
    fn color_state(&mut self) {
        for _ in 0..self.below(6) {
            let index = self.below(16) as u8;
            self.random_attribute(index);
        }
        if self.chance(50) {
            let index = self.rng.random();
            self.out_vga(0x3c8, index);
            for _ in 0..3 * self.below(5) {
                let component = self.byte();
                self.out_vga(0x3c9, component);
            }
        }
        for index in [0x10, 0x11, 0x14] {
            self.random_attribute(index);
        }
        let planes = if self.chance(60) { 0x0f } else { self.byte() };
        self.out_attribute(0x12, planes);
    }

    /// Switches DISPI off; sometimes that leaves the DAC at eight bits.
    fn vbe_off(&mut self) {
        let dac = if self.chance(30) { 0x20 } else { 0 };
        self.out_dispi(4, dac);
    }

    /// The CRTC's registers for the size, the split, the start and the pitch.
    fn geometry(&mut self, last_column: u8, last_line: u32, scan_line: u8, start: u16) {
        let compare = match self.below(5) {
            0 => 0,
            1 => self.below(1024),
            2 => 0x3ff,
            _ => self.below(last_line + 20),
        };
        let bit = |value: u32, from: u32, to: u32| ((value >> from & 1) << to) as u8;
        let overflow = bit(last_line, 8, 1) | bit(last_line, 9, 6) | bit(compare, 8, 4);
        let others = self.byte() & !0x52;
        let pitch = match self.below(6) {
            0 => 255,
            1 => 0,
            2 => 80,
            3 => 40,
            4 => self.below(30) as u8,
            _ => self.rng.random(),
        };
        let [start_high, start_low] = start.to_be_bytes();
        // Write protection off, first.
        for (index, value) in [
            (0x11, 0),
            (0x01, last_column),
            (0x12, last_line as u8),
            (0x07, overflow | others),
            (0x09, scan_line & !0x40 | bit(compare, 9, 6)),
            (0x18, compare as u8),
            (0x0c, start_high),
            (0x0d, start_low),
            (0x13, pitch),
        ] {
            self.out_indexed(0x3d4, index, value);
        }
    }

    /// An address to start at, often near the end of 256 KiB.
    fn start_address(&mut self) -> u16 {
        match self.below(5) {
            0 => 0,
            1 => 0xffff - self.below(200) as u16,
            2 => 0xffff - self.below(10_000) as u16,
            _ => self.rng.random(),
        }
    }

    fn clocking_mode(&mut self) {
        let value = self.pick(&[0x00, 0x01, 0x01, 0x08, 0x09, 0x20, 0x21, 0x3d]);
        self.out_indexed(0x3c4, 1, value);
    }

    /// Changes what shapes the window, and not the picture.
    fn window_state(&mut self) {
        for index in [2, 4] {
            let value = self.byte();
            self.out_indexed(0x3c4, index, value);
        }
    }

    fn text_state(&mut self) {
        self.vbe_off();
        self.color_state();
        self.random_attribute(0x13);
        let last_column = match self.below(12) {
            0 => self.below(4) as u8,
            1 => 39,
            2 => 79,
            3 => self.below(132) as u8,
            // More than 16000 cells, maybe.
            4 if self.chance(15) => 255,
            _ => self.below(50) as u8,
        };
        let cell_lines = match self.below(6) {
            0 => 0,
            1 => 1,
            2 => 7,
            3 => 15,
            _ => self.below(32) as u8,
        };
        let last_line = match self.below(10) {
            0 => self.below(8),
            1 => self.below(1024),
            2 => 399,
            _ => self.below(300),
        };
        let start = self.start_address();
        let scan_line = cell_lines | self.byte() & 0xa0;
        self.geometry(last_column, last_line, scan_line, start);
        let cursor = match self.below(3) {
            0 => self.rng.random(),
            _ => start.wrapping_add(self.below(2 * u32::from(last_column) + 2) as u16),
        };
        let [cursor_high, cursor_low] = cursor.to_be_bytes();
        let cursor_start = self.byte() & self.pick(&[0xff, 0xdf, 0xdf, 0xc3]);
        let cursor_end = self.byte() | self.pick(&[0x00, 0x1c]);
        let vertical_total = if self.chance(5) { 100 } else { self.byte() };
        for (index, value) in [
            (0x06, vertical_total),
            (0x0a, cursor_start),
            (0x0b, cursor_end),
            (0x0e, cursor_high),
            (0x0f, cursor_low),
        ] {
            self.out_indexed(0x3d4, index, value);
        }
        let (miscellaneous, mode) = (self.byte() & !0x01, self.byte());
        self.out_indexed(0x3ce, 6, miscellaneous);
        self.out_indexed(0x3ce, 5, mode);
        self.clocking_mode();
        let fonts = self.rng.random();
        self.out_indexed(0x3c4, 3, fonts);
        self.window_state();
        if self.chance(20) {
            let mode_control = self.byte();
            self.out_indexed(0x3d4, 0x17, mode_control);
        }
    }

    /// A graphics mode with the given shift mode. QEMU 10.0 doesn't survive panning after text of the
    /// same geometry (CVE-2026-17516): there's none after any text.
    fn graphics_state(&mut self, shift_mode: u8, after_text: bool) {
        self.vbe_off();
        self.color_state();
        let pan = if after_text || self.chance(30) {
            0
        } else {
            self.byte()
        };
        self.out_attribute(0x13, pan);
        let last_column = match self.below(8) {
            0 => self.below(3) as u8,
            1 => 39,
            2 => 79,
            3 if self.chance(20) => self.rng.random(),
            _ => self.below(50) as u8,
        };
        let last_line = match self.below(10) {
            0 => self.below(8),
            1 if self.chance(30) => self.below(1024),
            2 => 399,
            _ => self.below(250),
        };
        let scan_line = match self.below(5) {
            0 => 0x00,
            1 => 0x01,
            2 => 0x80,
            3 => self.below(4) as u8 | self.byte() & 0x80,
            _ => self.byte(),
        };
        let start = self.start_address();
        self.geometry(last_column, last_line, scan_line, start);
        let mode_control = match self.below(8) {
            0 | 1 => 0xe3,
            2 => 0xa3,
            3 => 0xa2,
            4 => 0xc2,
            5 => 0xe1,
            _ => self.byte(),
        };
        self.out_indexed(0x3d4, 0x17, mode_control);
        // The highest shift mode has two numbers.
        let shift_mode = shift_mode
            | if shift_mode == 0x40 {
                self.byte() & 0x20
            } else {
                0
            };
        let (miscellaneous, mode) = (self.byte() | 0x01, self.byte() & !0x60);
        self.out_indexed(0x3ce, 6, miscellaneous);
        self.out_indexed(0x3ce, 5, mode | shift_mode);
        self.clocking_mode();
        self.window_state();
    }

    /// A DISPI mode of so many bits a pixel, and writes that may bend it.
    fn vbe_state(&mut self, bpp: u16) {
        const DEPTHS: [u16; 7] = [4, 8, 15, 16, 24, 32, 12];
        self.color_state();
        if self.chance(85) {
            self.vbe_off();
        }
        let (width, height) = match self.below(80) {
            0 => (16_000, 40),
            1 => (8, 12_000),
            2 => (1024, 768),
            3 => (640, 480),
            4 => (self.below(20) as u16, self.below(3000) as u16),
            5 => (2000, self.below(200) as u16),
            _ => (8 + self.below(400) as u16, 1 + self.below(250) as u16),
        };
        for (register, value) in [(1, width), (2, height), (3, bpp)] {
            self.out_dispi(register, value);
        }
        // Rarely with clearing VRAM, which leaves little to see.
        let clear = if self.chance(2) { 0x80 } else { 0x00 };
        let enable = self.pick(&[0x81, 0x81, 0xa1, 0xc1, 0xe1]) & !clear;
        self.out_dispi(4, enable);
        for _ in 0..self.below(5) {
            let (register, value) = match self.below(9) {
                0 => (6, self.below(16_001) as u16),
                1 => (6, width.saturating_mul(2)),
                2 => (6, width + self.below(100) as u16),
                3 | 4 => (8, self.below(400) as u16),
                5 => (9, self.word()),
                6 | 7 => (9, self.below(1500) as u16),
                _ if self.chance(20) => (3, self.pick(&DEPTHS)),
                _ => (5, self.word()),
            };
            self.out_dispi(register, value);
        }
        if let Some(mmio) = self.mmio {
            let order = self.pick(&[0xbebe_bebe, 0x1e1e_1e1e]);
            self.write(mmio + 0x604, 4, order);
        }
        for _ in 0..self.below(5) {
            let value = self.byte();
            let (port, indices) = self.pick(&[(0x3c4, 8), (0x3ce, 9), (0x3d4, 0x19)]);
            let index = self.below(indices) as u8;
            self.out_indexed(port, index, value);
        }
    }
}
