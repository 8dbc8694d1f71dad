// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a guest's driver does, in the terms of the VGA references: shared by the tests.

mod monitor;
pub mod registers;

use std::fmt::{Arguments, Debug, Display};

use stdvga::{Config, Effects, GraphicsMode, Mode, StdVga, Variant, WINDOW};

pub use monitor::{Monitor, UNTOUCHED};
pub use registers::*;

/// Where logged accesses to VRAM go: to BAR0, or to the framebuffer of `isa-vga`.
pub const FRAMEBUFFER_ADDRESS: u64 = 0xe000_0000;
/// Where logged accesses to BAR2 go.
pub const MMIO_ADDRESS: u64 = 0xf000_0000;
/// The most bytes in a logged line.
const LOGGED_BYTES: usize = 4096;

/// Fails unless an access was answered as expected. Numbers are hexadecimal.
#[track_caller]
fn expect<T: PartialEq + Debug>(access: impl Display, answer: T, expected: T) {
    assert!(
        answer == expected,
        "{access}: got {answer:02x?}, expected {expected:02x?}"
    );
}

/// A guest and its device.
pub struct Guest {
    pub vga: StdVga,
    /// All that the accesses since the last look changed.
    pub effects: Effects,
    /// Where it's set: the accesses since then to ports, BAR2, the window and VRAM, as lines of the
    /// qtest protocol, which put them to QEMU.
    pub log: Option<Vec<String>>,
}

impl Guest {
    pub fn new(variant: Variant) -> Self {
        Self::with(Config::new(variant))
    }

    pub fn with(config: Config) -> Self {
        let vga = StdVga::new(config).expect("a valid configuration");
        Self {
            vga,
            effects: Effects::empty(),
            log: None,
        }
    }

    /// A VGA with this much VRAM.
    pub fn with_vram(mib: u32) -> Self {
        Self::with(Config::default().vram_mib(mib))
    }

    /// A VGA whose CRTC and Input Status 1 answer at the colour addresses.
    pub fn with_color_addresses() -> Self {
        let mut guest = Self::new(Variant::Vga);
        guest.misc_output(COLOR_ADDRESSES);
        guest
    }

    fn log(&mut self, line: Arguments) {
        if let Some(log) = &mut self.log {
            log.push(line.to_string());
        }
    }

    fn log_memory_write(&mut self, address: u64, data: &[u8]) {
        if self.log.is_none() {
            return;
        }
        for (address, data) in (address..)
            .step_by(LOGGED_BYTES)
            .zip(data.chunks(LOGGED_BYTES))
        {
            let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            self.log(format_args!("write {address:#x} {} 0x{hex}", data.len()));
        }
    }

    pub fn take_effects(&mut self) -> Effects {
        std::mem::replace(&mut self.effects, Effects::empty())
    }

    pub fn forget_effects(&mut self) {
        self.effects = Effects::empty();
    }

    /// Fails unless the accesses since the last look changed just this.
    #[track_caller]
    pub fn expect_effects(&mut self, expected: Effects) {
        assert_eq!(self.take_effects(), expected, "effects since the last look");
    }

    /// Fails unless the screen is in this mode.
    #[track_caller]
    pub fn expect_mode(&mut self, expected: &str) {
        assert_eq!(self.vga.scanout().mode().to_string(), expected, "the mode");
    }

    /// The graphics mode that the screen is in.
    #[track_caller]
    pub fn graphics_mode(&mut self) -> GraphicsMode {
        match *self.vga.scanout().mode() {
            Mode::Graphics(mode) => mode,
            other => panic!("the mode: {other}, expected graphics"),
        }
    }

    pub fn reset(&mut self) {
        self.log(format_args!("system_reset"));
        self.effects |= self.vga.reset();
    }

    // Ports.

    pub fn outb(&mut self, port: u16, value: u8) {
        self.log(format_args!("outb {port:#x} {value:#x}"));
        self.effects |= self.vga.port_write(port, &[value]);
    }

    pub fn outw(&mut self, port: u16, value: u16) {
        self.log(format_args!("outw {port:#x} {value:#x}"));
        self.effects |= self.vga.port_write(port, &value.to_le_bytes());
    }

    pub fn outl(&mut self, port: u16, value: u32) {
        self.log(format_args!("outl {port:#x} {value:#x}"));
        self.effects |= self.vga.port_write(port, &value.to_le_bytes());
    }

    pub fn inb(&mut self, port: u16) -> u8 {
        self.log(format_args!("inb {port:#x}"));
        let mut data = [0];
        self.vga.port_read(port, &mut data);
        data[0]
    }

    pub fn inw(&mut self, port: u16) -> u16 {
        self.log(format_args!("inw {port:#x}"));
        let mut data = [0; 2];
        self.vga.port_read(port, &mut data);
        u16::from_le_bytes(data)
    }

    pub fn inl(&mut self, port: u16) -> u32 {
        self.log(format_args!("inl {port:#x}"));
        let mut data = [0; 4];
        self.vga.port_read(port, &mut data);
        u32::from_le_bytes(data)
    }

    #[track_caller]
    pub fn expect_inb(&mut self, port: u16, expected: u8) {
        let answer = self.inb(port);
        expect(format_args!("inb {port:#x}"), answer, expected);
    }

    #[track_caller]
    pub fn expect_inw(&mut self, port: u16, expected: u16) {
        let answer = self.inw(port);
        expect(format_args!("inw {port:#x}"), answer, expected);
    }

    #[track_caller]
    pub fn expect_inl(&mut self, port: u16, expected: u32) {
        let answer = self.inl(port);
        expect(format_args!("inl {port:#x}"), answer, expected);
    }

    // Configuration space, BAR2, the window and VRAM: arrays are little-endian, first byte first.

    pub fn config_write(&mut self, offset: u16, data: &[u8]) {
        self.effects |= self.vga.config_write(offset, data);
    }

    pub fn config_read<const N: usize>(&mut self, offset: u16) -> [u8; N] {
        let mut data = [0; N];
        self.vga.config_read(offset, &mut data);
        data
    }

    #[track_caller]
    pub fn expect_config<const N: usize>(&mut self, offset: u16, expected: [u8; N]) {
        let access = format!("configuration bytes from {offset:#04x} on");
        expect(access, self.config_read(offset), expected);
    }

    pub fn mmio_write(&mut self, offset: u64, data: &[u8]) {
        self.log_memory_write(MMIO_ADDRESS.wrapping_add(offset), data);
        self.effects |= self.vga.mmio_write(offset, data);
    }

    pub fn mmio_read<const N: usize>(&mut self, offset: u64) -> [u8; N] {
        self.log(format_args!(
            "read {:#x} {N}",
            MMIO_ADDRESS.wrapping_add(offset)
        ));
        let mut data = [0; N];
        self.vga.mmio_read(offset, &mut data);
        data
    }

    #[track_caller]
    pub fn expect_mmio<const N: usize>(&mut self, offset: u64, expected: [u8; N]) {
        let access = format!("{N} bytes at BAR2+{offset:#x}");
        expect(access, self.mmio_read(offset), expected);
    }

    /// Writes to the window, at an offset from 0xa0000.
    pub fn window_write(&mut self, offset: u64, data: &[u8]) {
        self.log_memory_write(WINDOW.start.wrapping_add(offset), data);
        self.vga.window_write(offset, data);
    }

    pub fn window_read<const N: usize>(&mut self, offset: u64) -> [u8; N] {
        self.log(format_args!(
            "read {:#x} {N}",
            WINDOW.start.wrapping_add(offset)
        ));
        let mut data = [0; N];
        self.vga.window_read(offset, &mut data);
        data
    }

    #[track_caller]
    pub fn expect_window<const N: usize>(&mut self, offset: u64, expected: [u8; N]) {
        let access = format!("{N} bytes at 0xa0000+{offset:#x}");
        expect(access, self.window_read(offset), expected);
    }

    pub fn vram_write(&mut self, offset: u64, data: &[u8]) {
        self.log_memory_write(FRAMEBUFFER_ADDRESS.wrapping_add(offset), data);
        self.vga.vram().write(offset, data);
    }

    /// The pages of VRAM that were written since this was last asked, as dirty words.
    pub fn take_dirty(&mut self) -> Vec<u64> {
        let mut words = vec![0; self.vga.vram().dirty_words()];
        self.vga
            .drain_dirty(&mut words)
            .expect("as many words as pages");
        words
    }

    pub fn vram_read<const N: usize>(&self, offset: u64) -> [u8; N] {
        let mut data = [0; N];
        self.vga.vram().read(offset, &mut data);
        data
    }

    #[track_caller]
    pub fn expect_vram<const N: usize>(&self, offset: u64, expected: [u8; N]) {
        let access = format!("{N} bytes of VRAM at {offset:#x}");
        expect(access, self.vram_read(offset), expected);
    }

    // Registers behind an index.

    pub fn misc_output(&mut self, value: u8) {
        self.outb(MISC_OUTPUT, value);
    }

    pub fn sequencer(&mut self, index: u8, value: u8) {
        self.outw(SEQUENCER, u16::from_le_bytes([index, value]));
    }

    pub fn read_sequencer(&mut self, index: u8) -> u8 {
        self.outb(SEQUENCER, index);
        self.inb(SEQUENCER + 1)
    }

    pub fn graphics(&mut self, index: u8, value: u8) {
        self.outw(GRAPHICS, u16::from_le_bytes([index, value]));
    }

    pub fn read_graphics(&mut self, index: u8) -> u8 {
        self.outb(GRAPHICS, index);
        self.inb(GRAPHICS + 1)
    }

    /// Writes a CRTC register at the colour address.
    pub fn crtc(&mut self, index: u8, value: u8) {
        self.outw(CRTC, u16::from_le_bytes([index, value]));
    }

    pub fn read_crtc(&mut self, index: u8) -> u8 {
        self.outb(CRTC, index);
        self.inb(CRTC + 1)
    }

    /// Writes an attribute register; the screen is blank until [`Guest::unblank`].
    pub fn attribute(&mut self, index: u8, value: u8) {
        self.inb(INPUT_STATUS_1);
        self.outb(ATTRIBUTE, index);
        self.outb(ATTRIBUTE, value);
    }

    /// Reads an attribute register; the screen is blank until [`Guest::unblank`].
    pub fn read_attribute(&mut self, index: u8) -> u8 {
        self.inb(INPUT_STATUS_1);
        self.outb(ATTRIBUTE, index);
        let value = self.inb(ATTRIBUTE_READ);
        self.inb(INPUT_STATUS_1);
        value
    }

    /// Switches the palette on.
    pub fn unblank(&mut self) {
        self.inb(INPUT_STATUS_1);
        self.outb(ATTRIBUTE, PALETTE_ADDRESS_SOURCE);
    }

    /// Writes a character to a cell of mode 03h.
    pub fn write_cell(&mut self, column: u64, row: u64, character: u8, attribute: u8) {
        self.window_write(0x1_8000 + row * 160 + column * 2, &[character, attribute]);
    }

    /// Switches the palette off: the screen is blank.
    pub fn blank(&mut self) {
        self.inb(INPUT_STATUS_1);
        self.outb(ATTRIBUTE, 0x00);
    }

    pub fn dac(&mut self, index: u8, [red, green, blue]: [u8; 3]) {
        self.outb(DAC_WRITE_INDEX, index);
        for component in [red, green, blue] {
            self.outb(DAC_DATA, component);
        }
    }

    pub fn read_dac(&mut self, index: u8) -> [u8; 3] {
        self.outb(DAC_READ_INDEX, index);
        std::array::from_fn(|_| self.inb(DAC_DATA))
    }

    pub fn dispi(&mut self, register: u16, value: u16) {
        self.outw(DISPI_INDEX, register);
        self.outw(DISPI_DATA, value);
    }

    pub fn read_dispi(&mut self, register: u16) -> u16 {
        self.outw(DISPI_INDEX, register);
        self.inw(DISPI_DATA)
    }

    #[track_caller]
    pub fn expect_sequencer(&mut self, index: u8, expected: u8) {
        let answer = self.read_sequencer(index);
        expect(format_args!("SR{index:02x}"), answer, expected);
    }

    #[track_caller]
    pub fn expect_graphics(&mut self, index: u8, expected: u8) {
        let answer = self.read_graphics(index);
        expect(format_args!("GR{index:02x}"), answer, expected);
    }

    #[track_caller]
    pub fn expect_crtc(&mut self, index: u8, expected: u8) {
        let answer = self.read_crtc(index);
        expect(format_args!("CR{index:02x}"), answer, expected);
    }

    #[track_caller]
    pub fn expect_attribute(&mut self, index: u8, expected: u8) {
        let answer = self.read_attribute(index);
        expect(format_args!("AR{index:02x}"), answer, expected);
    }

    #[track_caller]
    pub fn expect_dac(&mut self, index: u8, expected: [u8; 3]) {
        let answer = self.read_dac(index);
        expect(format_args!("DAC entry {index:#04x}"), answer, expected);
    }

    #[track_caller]
    pub fn expect_dispi(&mut self, register: u16, expected: u16) {
        let answer = self.read_dispi(register);
        expect(
            format_args!("DISPI register {register:#x}"),
            answer,
            expected,
        );
    }

    // Registers through BAR2.

    pub fn mmio_outb(&mut self, port: u16, value: u8) {
        self.mmio_write(bar2_port(port), &[value]);
    }

    pub fn mmio_inb(&mut self, port: u16) -> u8 {
        let [value] = self.mmio_read(bar2_port(port));
        value
    }

    pub fn mmio_dispi(&mut self, register: u16, value: u16) {
        self.mmio_write(bar2_dispi(register), &value.to_le_bytes());
    }

    pub fn read_mmio_dispi(&mut self, register: u16) -> u16 {
        u16::from_le_bytes(self.mmio_read(bar2_dispi(register)))
    }

    // Modes.

    /// Sets a VBE mode, and switches the palette on.
    pub fn vbe_mode(&mut self, width: u16, height: u16, bpp: u16) {
        self.dispi(ENABLE, 0);
        self.dispi(XRES, width);
        self.dispi(YRES, height);
        self.dispi(BPP, bpp);
        self.dispi(ENABLE, ENABLED);
        self.misc_output(COLOR_ADDRESSES);
        self.unblank();
    }

    /// Sets the 16 palette registers to the first 16 DAC entries, and those to grey steps and colours
    /// that differ in every component.
    pub fn palette_16(&mut self) {
        for index in 0..16 {
            self.attribute(index, index);
            self.dac(index, [index * 4, 60 - index * 4, index ^ 5]);
        }
        self.attribute(ATTRIBUTE_MODE_CONTROL, 0x00);
        self.attribute(COLOR_PLANE_ENABLE, ALL_PLANES);
    }

    /// The text mode that a PC starts in: 80x25 cells of 9x16, at 0xb8000.
    pub fn mode_03h(&mut self) {
        self.misc_output(0x67);
        for (index, value) in [
            (CLOCKING_MODE, 0x00),
            (MAP_MASK, 0x03),
            (CHARACTER_MAP_SELECT, 0x00),
            (MEMORY_MODE, EXTENDED_MEMORY),
        ] {
            self.sequencer(index, value);
        }
        for (index, value) in [
            (GRAPHICS_MODE, HOST_ODD_EVEN),
            (MISCELLANEOUS, TEXT_B8000_32K),
            (BIT_MASK, 0xff),
        ] {
            self.graphics(index, value);
        }
        self.crtc_mode(79, 399, 40, 0x4f, 0xa3);
        self.crtc(CURSOR_START, 0x20);
        self.palette_16();
        self.unblank();
    }

    /// 16 planar colours in the given size.
    pub fn planar_mode(&mut self, width: u16, height: u16) {
        self.misc_output(0xe3);
        for (index, value) in [
            (CLOCKING_MODE, EIGHT_DOTS),
            (MAP_MASK, ALL_PLANES),
            (MEMORY_MODE, EXTENDED_MEMORY | ODD_EVEN_OFF),
        ] {
            self.sequencer(index, value);
        }
        for (index, value) in [
            (GRAPHICS_MODE, 0x00),
            (MISCELLANEOUS, MAP_A0000_64K),
            (BIT_MASK, 0xff),
        ] {
            self.graphics(index, value);
        }
        self.crtc_mode(
            (width / 8 - 1) as u8,
            height - 1,
            (width / 16) as u8,
            0x40,
            0xe3,
        );
        self.palette_16();
        self.unblank();
    }

    /// 256 colours of 320x200, each pixel shown as two by two.
    pub fn mode_13h(&mut self) {
        self.misc_output(0x63);
        for (index, value) in [
            (CLOCKING_MODE, EIGHT_DOTS),
            (MAP_MASK, ALL_PLANES),
            (MEMORY_MODE, EXTENDED_MEMORY | ODD_EVEN_OFF | CHAIN_4),
        ] {
            self.sequencer(index, value);
        }
        for (index, value) in [
            (GRAPHICS_MODE, SHIFT_256),
            (MISCELLANEOUS, MAP_A0000_64K),
            (BIT_MASK, 0xff),
        ] {
            self.graphics(index, value);
        }
        self.crtc_mode(79, 399, 40, 0x41, 0xa3);
        self.crtc(UNDERLINE_LOCATION, DOUBLE_WORD);
        self.palette_16();
        for index in 16..=255 {
            self.dac(index, [index, index >> 2, !index]);
        }
        self.unblank();
    }

    /// The CRTC registers that shape the picture: characters and lines less one, pitch in eighths,
    /// Maximum Scan Line and Mode Control. No split.
    pub fn crtc_mode(
        &mut self,
        last_column: u8,
        last_line: u16,
        offset: u8,
        scan_line: u8,
        mode_control: u8,
    ) {
        let overflow = 0x10 | ((last_line >> 7) & 2) as u8 | ((last_line >> 3) & 0x40) as u8;
        let [last_line, _] = last_line.to_le_bytes();
        for (index, value) in [
            (VERTICAL_RETRACE_END, 0x00),
            (HORIZONTAL_DISPLAY_END, last_column),
            (OVERFLOW, overflow),
            (MAXIMUM_SCAN_LINE, scan_line),
            (VERTICAL_DISPLAY_END, last_line),
            (OFFSET, offset),
            (UNDERLINE_LOCATION, 0x00),
            (MODE_CONTROL, mode_control),
            (LINE_COMPARE, 0xff),
        ] {
            self.crtc(index, value);
        }
    }

    pub fn start_address(&mut self, address: u16) {
        let [high, low] = address.to_be_bytes();
        self.crtc(START_ADDRESS_HIGH, high);
        self.crtc(START_ADDRESS_LOW, low);
    }

    /// Splits a screen of at most 256 lines behind a line: below it, VRAM shows from 0 on.
    pub fn split(&mut self, line: u8) {
        let scan_line = self.read_crtc(MAXIMUM_SCAN_LINE);
        self.crtc(OVERFLOW, 0x00);
        self.crtc(MAXIMUM_SCAN_LINE, scan_line & !0x40);
        self.crtc(LINE_COMPARE, line);
    }

    /// Loads a character's lines into font 0, through VRAM.
    pub fn load_glyph(&mut self, character: u8, lines: &[u8]) {
        for (y, dots) in (0_u64..).zip(lines) {
            self.vram_write(128 * u64::from(character) + 4 * y + 2, &[*dots]);
        }
    }
}
