//! What a guest's driver does, in the terms of the VGA references: shared by the tests.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::time::Duration;

use stdvga::{Config, Damage, Effects, Scanout, Screen, Size, StdVga, Surface, Variant};

/// DISPI registers.
pub const ID: u16 = 0;
pub const XRES: u16 = 1;
pub const YRES: u16 = 2;
pub const BPP: u16 = 3;
pub const ENABLE: u16 = 4;
pub const BANK: u16 = 5;
pub const VIRT_WIDTH: u16 = 6;
pub const VIRT_HEIGHT: u16 = 7;
pub const X_OFFSET: u16 = 8;
pub const Y_OFFSET: u16 = 9;
pub const VIDEO_MEMORY_64K: u16 = 10;

/// DISPI ENABLE: on, linear framebuffer.
pub const ENABLED: u16 = 0x41;
/// DISPI ENABLE: leave VRAM as it is.
pub const NO_CLEAR: u16 = 0x80;
/// DISPI ENABLE: eight bits a colour component.
pub const DAC_8BIT: u16 = 0x20;

/// A guest and its device.
pub struct Guest {
    pub vga: StdVga,
    /// All that the accesses since the last look changed.
    pub effects: Effects,
}

impl Guest {
    pub fn new(variant: Variant) -> Self {
        Self::with(Config {
            variant,
            ..Config::default()
        })
    }

    pub fn with(config: Config) -> Self {
        let vga = StdVga::new(config).expect("a valid configuration");
        Self {
            vga,
            effects: Effects::empty(),
        }
    }

    pub fn take_effects(&mut self) -> Effects {
        std::mem::replace(&mut self.effects, Effects::empty())
    }

    pub fn outb(&mut self, port: u16, value: u8) {
        self.effects |= self.vga.port_write(port, &[value]);
    }

    pub fn outw(&mut self, port: u16, value: u16) {
        self.effects |= self.vga.port_write(port, &value.to_le_bytes());
    }

    pub fn inb(&mut self, port: u16) -> u8 {
        let mut data = [0];
        self.vga.port_read(port, &mut data);
        data[0]
    }

    pub fn inw(&mut self, port: u16) -> u16 {
        let mut data = [0; 2];
        self.vga.port_read(port, &mut data);
        u16::from_le_bytes(data)
    }

    pub fn misc_output(&mut self, value: u8) {
        self.outb(0x3c2, value);
    }

    pub fn sequencer(&mut self, index: u8, value: u8) {
        self.outw(0x3c4, u16::from_le_bytes([index, value]));
    }

    pub fn graphics(&mut self, index: u8, value: u8) {
        self.outw(0x3ce, u16::from_le_bytes([index, value]));
    }

    /// Writes a CRTC register at the colour address.
    pub fn crtc(&mut self, index: u8, value: u8) {
        self.outw(0x3d4, u16::from_le_bytes([index, value]));
    }

    pub fn read_crtc(&mut self, index: u8) -> u8 {
        self.outb(0x3d4, index);
        self.inb(0x3d5)
    }

    /// Writes an attribute register; the screen is blank until [`Guest::unblank`].
    pub fn attribute(&mut self, index: u8, value: u8) {
        self.inb(0x3da);
        self.outb(0x3c0, index);
        self.outb(0x3c0, value);
    }

    /// Switches the palette on.
    pub fn unblank(&mut self) {
        self.inb(0x3da);
        self.outb(0x3c0, 0x20);
    }

    pub fn dac(&mut self, index: u8, [red, green, blue]: [u8; 3]) {
        self.outb(0x3c8, index);
        for component in [red, green, blue] {
            self.outb(0x3c9, component);
        }
    }

    pub fn dispi(&mut self, register: u16, value: u16) {
        self.outw(0x1ce, register);
        self.outw(0x1d0, value);
    }

    pub fn read_dispi(&mut self, register: u16) -> u16 {
        self.outw(0x1ce, register);
        self.inw(0x1d0)
    }

    /// Sets a VBE mode, and switches the palette on.
    pub fn vbe_mode(&mut self, width: u16, height: u16, bpp: u16) {
        self.dispi(ENABLE, 0);
        self.dispi(XRES, width);
        self.dispi(YRES, height);
        self.dispi(BPP, bpp);
        self.dispi(ENABLE, ENABLED);
        self.misc_output(0x01);
        self.unblank();
    }

    /// Sets the 16 palette registers to the first 16 DAC entries, and those to grey steps and colours
    /// that differ in every component.
    pub fn palette_16(&mut self) {
        for index in 0..16 {
            self.attribute(index, index);
            self.dac(index, [index * 4, 60 - index * 4, index ^ 5]);
        }
        self.attribute(0x10, 0x00);
        self.attribute(0x12, 0x0f);
    }

    /// The text mode that a PC starts in: 80x25 cells of 9x16, at 0xb8000.
    pub fn mode_03h(&mut self) {
        self.misc_output(0x67);
        for (index, value) in [(1, 0x00), (2, 0x03), (3, 0x00), (4, 0x02)] {
            self.sequencer(index, value);
        }
        for (index, value) in [(5, 0x10), (6, 0x0e), (8, 0xff)] {
            self.graphics(index, value);
        }
        self.crtc_mode(79, 399, 40, 0x4f, 0xa3);
        self.crtc(0x0a, 0x20);
        self.palette_16();
        self.unblank();
    }

    /// 16 planar colours in the given size.
    pub fn planar_mode(&mut self, width: u16, height: u16) {
        self.misc_output(0xe3);
        for (index, value) in [(1, 0x01), (2, 0x0f), (4, 0x06)] {
            self.sequencer(index, value);
        }
        for (index, value) in [(5, 0x00), (6, 0x05), (8, 0xff)] {
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
        for (index, value) in [(1, 0x01), (2, 0x0f), (4, 0x0e)] {
            self.sequencer(index, value);
        }
        for (index, value) in [(5, 0x40), (6, 0x05), (8, 0xff)] {
            self.graphics(index, value);
        }
        self.crtc_mode(79, 399, 40, 0x41, 0xa3);
        self.crtc(0x14, 0x40);
        self.palette_16();
        for index in 16..=255 {
            self.dac(index, [index, index >> 2, !index]);
        }
        self.unblank();
    }

    /// The CRTC registers that shape the picture: characters and lines less one, pitch in eighths,
    /// Maximum Scan Line and Mode Control. No split.
    fn crtc_mode(
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
            (0x11, 0x00),
            (0x01, last_column),
            (0x07, overflow),
            (0x09, scan_line),
            (0x12, last_line),
            (0x13, offset),
            (0x14, 0x00),
            (0x17, mode_control),
            (0x18, 0xff),
        ] {
            self.crtc(index, value);
        }
    }

    /// Loads a character's lines into font 0, through VRAM.
    pub fn load_glyph(&mut self, character: u8, lines: &[u8]) {
        for (y, dots) in (0_u64..).zip(lines) {
            self.vga
                .vram()
                .write(128 * u64::from(character) + 4 * y + 2, &[*dots]);
        }
    }
}

/// A monitor: a screen and the surface it draws on.
#[derive(Default)]
pub struct Monitor {
    pub screen: Screen,
    pub size: Option<Size>,
    pub pixels: Vec<u32>,
}

impl Monitor {
    /// Refreshes at `milliseconds`, growing the surface as the picture does.
    pub fn refresh(&mut self, guest: &mut Guest, milliseconds: u64) -> Damage {
        let scanout = guest.vga.scanout();
        self.draw(guest, &scanout, milliseconds)
    }

    pub fn draw(&mut self, guest: &Guest, scanout: &Scanout, milliseconds: u64) -> Damage {
        let size = self.screen.size(scanout);
        if self.size != Some(size) {
            self.size = Some(size);
            // Not black, so that a pixel that isn't drawn is seen.
            self.pixels = vec![0xdead_beef; (size.width * size.height) as usize];
        }
        let surface = Surface {
            pixels: &mut self.pixels,
            stride: size.width as usize,
        };
        self.screen
            .refresh(
                scanout,
                guest.vga.vram(),
                Duration::from_millis(milliseconds),
                surface,
            )
            .expect("the surface has the size that the screen asked for")
    }

    pub fn pixel(&self, x: u32, y: u32) -> u32 {
        let width = self.size.expect("a refresh").width;
        self.pixels[(y * width + x) as usize]
    }

    /// `count` pixels from a place on, to the right.
    pub fn row(&self, x: u32, y: u32, count: u32) -> Vec<u32> {
        (x..x + count).map(|x| self.pixel(x, y)).collect()
    }

    pub fn dimensions(&self) -> (u32, u32) {
        let size = self.size.expect("a refresh");
        (size.width, size.height)
    }
}
