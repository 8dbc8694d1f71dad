//! A machine around the device that lines of the qtest protocol are put to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stdvga::{ByteOrder, Config, Dirty, Effects, MappedRange, Mappings, Scanout, StdVga, WINDOW};
use vm_memory::GuestAddress;

use crate::driver::{Guest, Monitor};
use crate::precise_retrace;
use crate::qtest::Setup;

/// The most pixels of a picture that is drawn, for the time it takes.
const MAX_PIXELS: u64 = 1 << 19;
/// Nanoseconds from a line to the next: about a scan line, so that retraces come and go.
const NANOSECONDS_PER_LINE: u64 = 31_001;

/// What a line did, for who looks from outside.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub data: Vec<u8>,
    pub effects: Effects,
    pub mappings: Mappings,
}

/// What the screens show.
#[derive(PartialEq, Eq)]
pub struct Picture {
    pub scanout: Scanout,
    /// The surface that was drawn on all along, and a new one; none where they'd be very large.
    pub pixels: Option<[Vec<u32>; 2]>,
}

pub struct Machine {
    pub guest: Guest,
    pub config: Config,
    config_address: u32,
    now: Arc<AtomicU64>,
    monitor: Monitor,
}

/// The configuration of a machine that programs for `setup` are about.
pub fn config(setup: &Setup) -> Config {
    Config {
        variant: match setup.name() {
            "VGA" => stdvga::Variant::Vga,
            "secondary-vga" => stdvga::Variant::SecondaryVga,
            _ => stdvga::Variant::IsaVga,
        },
        vram_mib: Some((setup.vram_len() >> 20) as u32),
        mmio: setup.has_mmio() || !setup.is_pci(),
        rom: setup
            .has_rom()
            .then(|| (0..=255).cycle().take(40_000).collect()),
        // The guest's setting must win, not this one.
        byte_order: ByteOrder::Big,
        ..Config::default()
    }
}

impl Machine {
    pub fn new(setup: &Setup, has_precise_retrace: bool) -> Self {
        let (now, retrace) = precise_retrace();
        let mut config = config(setup);
        if has_precise_retrace {
            config.retrace = retrace;
        }
        Self::with(
            StdVga::new(config.clone()).expect("a valid configuration"),
            config,
            now,
        )
    }

    pub fn with(vga: StdVga, config: Config, now: Arc<AtomicU64>) -> Self {
        Self {
            guest: Guest {
                vga,
                effects: Effects::empty(),
                log: None,
            },
            config,
            config_address: 0,
            now,
            monitor: Monitor::default(),
        }
    }

    /// Puts a line to the machine.
    pub fn put(&mut self, line: &str) -> Answer {
        self.now.fetch_add(NANOSECONDS_PER_LINE, Ordering::Relaxed);
        let words: Vec<&str> = line.split(' ').collect();
        let mut data = Vec::new();
        match words[..] {
            ["system_reset"] => self.guest.reset(),
            ["memset", address, len, value] => {
                self.write(
                    number(address),
                    &vec![number(value) as u8; number(len) as usize],
                );
            }
            ["read", address, len] => data = self.read(number(address), number(len) as usize),
            ["write", address, _, bytes] => self.write(number(address), &unhex(bytes)),
            [command, place] => {
                let (is_port, len) = kind(command);
                data = if is_port {
                    self.port_read(number(place) as u16, len)
                } else {
                    self.read(number(place), len)
                };
            }
            [command, place, value] => {
                let (is_port, len) = kind(command);
                let value = &number(value).to_le_bytes()[..len];
                if is_port {
                    self.port_write(number(place) as u16, value);
                } else {
                    self.write(number(place), value);
                }
            }
            _ => panic!("{line} is no line"),
        }
        Answer {
            data,
            effects: self.guest.take_effects(),
            mappings: self.guest.vga.mappings(),
        }
    }

    fn port_read(&mut self, port: u16, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        match port {
            0xcfc..=0xcff => self
                .guest
                .vga
                .config_read(self.config_offset(port), &mut data),
            _ => self.guest.vga.port_read(port, &mut data),
        }
        data
    }

    fn port_write(&mut self, port: u16, data: &[u8]) {
        match (port, data) {
            (0xcf8, [offset, ..]) => self.config_address = u32::from(*offset),
            (0xcfc..=0xcff, _) => self.guest.config_write(self.config_offset(port), data),
            _ => self.guest.effects |= self.guest.vga.port_write(port, data),
        }
    }

    fn config_offset(&self, port: u16) -> u16 {
        self.config_address as u16 + (port - 0xcfc)
    }

    fn read(&mut self, address: u64, len: usize) -> Vec<u8> {
        let vga = &mut self.guest.vga;
        let Mappings {
            framebuffer,
            mmio,
            rom,
            window: _,
        } = vga.mappings();
        let mut data = vec![0; len];
        if WINDOW.contains(&address) {
            vga.window_read(address - WINDOW.start, &mut data);
        } else if let Some(offset) = offset_in(mmio, address) {
            vga.mmio_read(offset, &mut data);
        } else if let Some(offset) = offset_in(rom, address) {
            vga.rom_read(offset, &mut data);
        } else if let Some(offset) = offset_in(framebuffer, address) {
            vga.vram().read(offset, &mut data);
        }
        data
    }

    fn write(&mut self, address: u64, data: &[u8]) {
        let Mappings {
            framebuffer,
            mmio,
            rom,
            window: _,
        } = self.guest.vga.mappings();
        if WINDOW.contains(&address) {
            self.guest.window_write(address - WINDOW.start, data);
        } else if let Some(offset) = offset_in(mmio, address) {
            self.guest.mmio_write(offset, data);
        } else if offset_in(rom, address).is_some() {
            // It's read-only.
        } else if let Some(offset) = offset_in(framebuffer, address) {
            self.guest.vram_write(offset, data);
        }
    }

    /// What the screens show now, after a refresh.
    pub fn picture(&mut self) -> Picture {
        let scanout = self.guest.vga.scanout();
        let milliseconds = self.now.load(Ordering::Relaxed) / 1_000_000;
        let mut new = Monitor::default();
        let small = self.monitor.screen.size(&scanout).pixels() <= MAX_PIXELS;
        let pixels = small.then(|| {
            [&mut self.monitor, &mut new].map(|monitor| {
                monitor.refresh_where(&mut self.guest, Dirty::Compare, milliseconds);
                monitor.pixels.clone()
            })
        });
        Picture { scanout, pixels }
    }
}

fn offset_in(range: Option<MappedRange>, address: u64) -> Option<u64> {
    range?.offset_of(GuestAddress(address))
}

/// Whether a command is about ports, and how many bytes it accesses.
fn kind(command: &str) -> (bool, usize) {
    let len = match command.as_bytes().last() {
        Some(b'b') => 1,
        Some(b'w') => 2,
        Some(b'l') => 4,
        _ => 8,
    };
    (command.starts_with("in") || command.starts_with("out"), len)
}

fn number(word: &str) -> u64 {
    let number = match word.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => word.parse(),
    };
    number.unwrap_or_else(|_| panic!("{word} is no number"))
}

fn unhex(word: &str) -> Vec<u8> {
    let digits = word.trim_start_matches("0x").as_bytes();
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("hexadecimal digits")
        })
        .collect()
}
