// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The machine around the device: configuration mechanism #1, and memory where BARs were put.

#[cfg(test)]
pub mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use stdvga::{Clock, Dirty, Effects, MappedRange, Mode, Screen, Size, StdVga, Surface, WINDOW};

use crate::options::Options;

/// What ports read that nobody answers.
const OPEN_PORT: u8 = 0xff;
/// What memory reads that nobody answers.
const OPEN_MEMORY: u8 = 0;

/// Configuration mechanism #1: the address register's ports.
const CONFIG_ADDRESS: u64 = 0xcf8;
/// Configuration mechanism #1: the data ports.
const CONFIG_DATA: u64 = 0xcfc;
/// The first port behind those.
const CONFIG_END: u64 = 0xd00;
/// The end of the ports' address space. QEMU reads zeros behind it.
const PORTS_END: u64 = 0x1_0000;
/// The address of the device, bus 0, device 2, function 0, with the enable bit.
const DEVICE_ADDRESS: u32 = 0x8000_1000;
/// The bits of an address that tell devices apart: enable, bus, device and function. QEMU ignores
/// bits 30:24.
const DEVICE_MASK: u32 = 0x80ff_ff00;

/// The address spaces that accesses go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// 64 KiB of I/O ports.
    Ports,
    /// Guest-physical memory.
    Memory,
}

/// What an access, or a piece of one, reaches; and which of its bytes is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The device's I/O ports, or ports that nobody has.
    Ports(u16),
    /// The address register of configuration mechanism #1.
    ConfigAddress,
    /// The device's configuration space.
    Config(u16),
    /// The 0xa0000 window, where it isn't RAM.
    Window(u64),
    /// VRAM, through the part of the window that is RAM at the moment.
    WindowRam(u64),
    /// VRAM, through BAR0 or at the fixed address of `isa-vga`.
    Framebuffer(u64),
    /// BAR2.
    Mmio(u64),
    /// The option ROM.
    Rom(u64),
    /// Nothing that answers.
    Open(Space),
}

/// A range of memory addresses, and what's there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Region {
    part: Part,
    start: u64,
    end: u64,
    /// Which byte of the part the first one is.
    first: u64,
}

/// The parts of the device that are in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Window,
    WindowRam,
    Framebuffer,
    Mmio,
    Rom,
}

impl Region {
    fn new(part: Part, start: u64, len: u64) -> Self {
        Self {
            part,
            start,
            end: start + len,
            first: 0,
        }
    }

    fn place(&self, address: u64) -> Place {
        let offset = address - self.start + self.first;
        match self.part {
            Part::Window => Place::Window(offset),
            Part::WindowRam => Place::WindowRam(offset),
            Part::Framebuffer => Place::Framebuffer(offset),
            Part::Mmio => Place::Mmio(offset),
            Part::Rom => Place::Rom(offset),
        }
    }
}

/// A picture as the screen shows it.
pub struct Picture {
    /// The mode that it was drawn in.
    pub mode: Mode,
    /// In pixels.
    pub size: Size,
    /// 0x00RRGGBB, row by row.
    pub pixels: Vec<u32>,
}

/// The device, and what the guest needs to reach it.
pub struct Machine {
    vga: StdVga,
    config_address: u32,
    /// What answers memory accesses; where two overlap, the first does.
    regions: Vec<Region>,
    now: Arc<AtomicU64>,
    screen: Screen,
    picture: Picture,
}

impl Machine {
    /// The machine in its power-on state.
    pub fn new(options: &Options) -> Result<Self> {
        let now = Arc::new(AtomicU64::new(0));
        let clock = Clock::new({
            let now = Arc::clone(&now);
            move || Duration::from_nanos(now.load(Ordering::Relaxed))
        });
        let vga = StdVga::new(options.config(clock)?)?;
        let mut regions = Vec::new();
        if vga.variant().has_legacy() {
            let len = WINDOW.end - WINDOW.start;
            regions.push(Region::new(Part::Window, WINDOW.start, len));
        }
        let mut machine = Self {
            vga,
            config_address: 0,
            regions,
            now,
            screen: Screen::new(),
            picture: Picture {
                mode: Mode::Blank,
                size: Size {
                    width: 0,
                    height: 0,
                },
                pixels: Vec::new(),
            },
        };
        machine.map();
        Ok(machine)
    }

    /// Reads from ports (one access of 1, 2 or 4 bytes) or from memory (any length).
    pub fn read(&mut self, space: Space, address: u64, data: &mut [u8]) {
        let mut at = 0;
        while at < data.len() {
            let (place, len) = self.locate(space, address, at, data.len());
            let data = &mut data[at..at + len];
            match place {
                Place::Ports(port) => self.vga.port_read(port, data),
                // QEMU ignores which of the four ports is read.
                Place::ConfigAddress => {
                    data.copy_from_slice(&self.config_address.to_le_bytes()[..len]);
                }
                Place::Config(offset) => self.vga.config_read(offset, data),
                Place::Window(offset) => self.vga.window_read(offset, data),
                Place::WindowRam(offset) | Place::Framebuffer(offset) => {
                    self.vga.vram().read(offset, data);
                }
                Place::Mmio(offset) => self.vga.mmio_read(offset, data),
                Place::Rom(offset) => self.vga.rom_read(offset, data),
                Place::Open(Space::Ports) => data.fill(OPEN_PORT),
                Place::Open(Space::Memory) => data.fill(OPEN_MEMORY),
            }
            at += len;
        }
    }

    /// Writes to ports (one access of 1, 2 or 4 bytes) or to memory (any length).
    pub fn write(&mut self, space: Space, address: u64, data: &[u8]) {
        let mut at = 0;
        while at < data.len() {
            let (place, len) = self.locate(space, address, at, data.len());
            let data = &data[at..at + len];
            let mut effects = Effects::empty();
            match place {
                Place::Ports(port) => effects = self.vga.port_write(port, data),
                Place::ConfigAddress => {
                    // Other widths are void.
                    if let Ok(address) = data.try_into() {
                        self.config_address = u32::from_le_bytes(address);
                    }
                }
                Place::Config(offset) => effects = self.vga.config_write(offset, data),
                Place::Window(offset) => self.vga.window_write(offset, data),
                Place::WindowRam(offset) | Place::Framebuffer(offset) => {
                    self.vga.vram().write(offset, data);
                }
                Place::Mmio(offset) => effects = self.vga.mmio_write(offset, data),
                Place::Rom(_) | Place::Open(_) => {}
            }
            self.follow(effects);
            at += len;
        }
    }

    /// What an access reaches as things are now: its pieces, and how many bytes each has.
    pub fn reach(&self, space: Space, address: u64, len: usize) -> Vec<(Place, usize)> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < len {
            let piece = self.locate(space, address, at, len);
            pieces.push(piece);
            at += piece.1;
        }
        pieces
    }

    /// Moves the clock on, and tells the new time in nanoseconds.
    pub fn step_clock(&mut self, nanoseconds: u64) -> u64 {
        let now = self.now.load(Ordering::Relaxed).saturating_add(nanoseconds);
        self.now.store(now, Ordering::Relaxed);
        now
    }

    /// Resets the device, as a system reset does. As in QEMU, the address register of configuration
    /// mechanism #1 stays.
    pub fn reset(&mut self) {
        let effects = self.vga.reset();
        self.follow(effects);
    }

    /// Refreshes the screen once.
    pub fn refresh(&mut self) -> Result<&Picture> {
        let scanout = self.vga.scanout();
        let size = self.screen.size(&scanout);
        let picture = &mut self.picture;
        if picture.size != size {
            picture.size = size;
            picture.pixels.clear();
            picture
                .pixels
                .resize(size.width as usize * size.height as usize, 0);
        }
        let surface = Surface::new(&mut picture.pixels, size.width as usize);
        let now = Duration::from_nanos(self.now.load(Ordering::Relaxed));
        // Nobody but the device writes VRAM here, so its own marks are all there are.
        let mut dirty = vec![0; self.vga.vram().dirty_words()];
        self.vga.drain_dirty(&mut dirty)?;
        let (vram, dirty) = (self.vga.vram(), Dirty::Pages(&dirty));
        self.screen.refresh(&scanout, vram, dirty, now, surface)?;
        picture.mode = *scanout.mode();
        Ok(picture)
    }

    /// What byte `at` of an access of `len` bytes reaches; and how many bytes from there on reach the
    /// same.
    fn locate(&self, space: Space, address: u64, at: usize, len: usize) -> (Place, usize) {
        let (address, left) = (address.wrapping_add(at as u64), len - at);
        match space {
            Space::Ports => self.locate_port(address, left),
            Space::Memory => self.locate_memory(address, left),
        }
    }

    fn locate_port(&self, port: u64, len: usize) -> (Place, usize) {
        if port >= PORTS_END {
            return (Place::Open(Space::Memory), len);
        }
        let touches_config = port < CONFIG_END && port + len as u64 > CONFIG_ADDRESS;
        if !touches_config || !self.vga.variant().is_pci() {
            let place = if self.vga.variant().has_legacy() {
                Place::Ports(port as u16)
            } else {
                Place::Open(Space::Ports)
            };
            return (place, len.min((PORTS_END - port) as usize));
        }
        // QEMU cuts an access that touches these ports into naturally aligned pieces.
        let len = aligned_len(port, len);
        let selected = self.config_address & DEVICE_MASK == DEVICE_ADDRESS;
        let place = if (CONFIG_ADDRESS..CONFIG_DATA).contains(&port) {
            Place::ConfigAddress
        } else if port >= CONFIG_DATA && selected {
            Place::Config((self.config_address & 0xff) as u16 | (port & 3) as u16)
        } else {
            Place::Open(Space::Ports)
        };
        (place, len)
    }

    fn locate_memory(&self, address: u64, len: usize) -> (Place, usize) {
        // Regions before the one that answers hide the rest of it from where they start.
        let mut end = address.saturating_add(len as u64);
        for region in &self.regions {
            if (region.start..region.end).contains(&address) {
                let len = end.min(region.end) - address;
                return (region.place(address), len as usize);
            }
            if region.start > address {
                end = end.min(region.start);
            }
        }
        // At the very end of the address space there may be no byte left to count.
        (
            Place::Open(Space::Memory),
            ((end - address) as usize).max(1),
        )
    }

    fn follow(&mut self, effects: Effects) {
        if effects.contains(Effects::MAPPINGS) {
            self.map();
        }
    }

    /// Brings the regions up to date. As in QEMU, a BAR that appears or moves covers what was there;
    /// of those that appear at once, ROM covers BAR2, and BAR2 covers BAR0.
    fn map(&mut self) {
        let mappings = self.vga.mappings();
        for (part, range) in [
            (Part::Framebuffer, mappings.framebuffer),
            (Part::Mmio, mappings.mmio),
            (Part::Rom, mappings.rom),
        ] {
            let region = range.map(|MappedRange { base, len }| Region::new(part, base.0, len));
            let old = self.regions.iter().find(|region| region.part == part);
            if old != region.as_ref() {
                self.regions.retain(|region| region.part != part);
                self.regions.splice(0..0, region);
            }
        }
        // RAM in the window covers even a BAR that lies there.
        let window_ram = mappings.window.map(|ram| Region {
            first: ram.vram_offset.into(),
            ..Region::new(Part::WindowRam, ram.range().base.0, ram.range().len)
        });
        self.regions.retain(|region| region.part != Part::WindowRam);
        self.regions.splice(0..0, window_ram);
    }
}

/// Length of the first piece of an access that is cut into naturally aligned ones of at most 4 bytes.
pub fn aligned_len(address: u64, len: usize) -> usize {
    [4, 2]
        .into_iter()
        .find(|size| *size <= len && address.is_multiple_of(*size as u64))
        .unwrap_or(1)
}
