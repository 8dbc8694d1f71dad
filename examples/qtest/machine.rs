//! The machine around the device: configuration mechanism #1, and memory where BARs were put.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use stdvga::{Clock, Effects, MappedRange, Mappings, Screen, Size, StdVga, Surface, WINDOW};
use vm_memory::GuestAddress;

use crate::options::Options;

/// What ports read that nobody answers.
const OPEN_PORT: u8 = 0xff;
/// What memory reads that nobody answers.
const OPEN_MEMORY: u8 = 0;

/// Configuration mechanism #1: the address register's ports.
const CONFIG_ADDRESS: u16 = 0xcf8;
/// Configuration mechanism #1: the data ports.
const CONFIG_DATA: u16 = 0xcfc;
/// The address of the device, bus 0, device 2, function 0, with the enable bit.
const DEVICE_ADDRESS: u32 = 0x8000_1000;
/// The bits of an address that tell devices apart: enable, bus, device and function.
const DEVICE_MASK: u32 = 0x80ff_ff00;

/// A part of the device that memory accesses reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Window,
    Framebuffer,
    Mmio,
    Rom,
}

/// A range of memory, and what's there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Region {
    part: Part,
    start: u64,
    end: u64,
}

/// A picture as the screen shows it.
pub struct Picture {
    pub size: Size,
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
            move || now.load(Ordering::Relaxed)
        });
        let vga = StdVga::new(options.config(clock)?)?;
        let mut machine = Self {
            vga,
            config_address: 0,
            regions: Vec::new(),
            now,
            screen: Screen::new(),
            picture: Picture {
                size: Size {
                    width: 0,
                    height: 0,
                },
                pixels: Vec::new(),
            },
        };
        if machine.vga.variant().has_legacy() {
            machine.regions.push(Region {
                part: Part::Window,
                start: WINDOW.start,
                end: WINDOW.end,
            });
        }
        machine.map();
        Ok(machine)
    }

    /// Reads from I/O ports: one access of 1, 2 or 4 bytes.
    pub fn port_read(&mut self, port: u16, data: &mut [u8]) {
        if !self.has_config_ports(port, data.len()) {
            return self.vga.port_read(port, data);
        }
        for (at, len, target) in self.config_pieces(port, data.len()) {
            let data = &mut data[at..at + len];
            match target {
                Target::Open => data.fill(OPEN_PORT),
                // QEMU ignores which of the four ports is read.
                Target::Address => data.copy_from_slice(&self.config_address.to_le_bytes()[..len]),
                Target::Device(offset) => self.vga.config_read(offset, data),
            }
        }
    }

    /// Writes to I/O ports: one access of 1, 2 or 4 bytes.
    pub fn port_write(&mut self, port: u16, data: &[u8]) {
        let effects = if self.has_config_ports(port, data.len()) {
            let mut effects = Effects::empty();
            for (at, len, target) in self.config_pieces(port, data.len()) {
                let data = &data[at..at + len];
                match (target, data.try_into()) {
                    (Target::Address, Ok(address)) => {
                        self.config_address = u32::from_le_bytes(address)
                    }
                    (Target::Device(offset), _) => effects |= self.vga.config_write(offset, data),
                    _ => {}
                }
            }
            effects
        } else {
            self.vga.port_write(port, data)
        };
        self.follow(effects);
    }

    /// Reads from memory.
    pub fn memory_read(&mut self, address: u64, data: &mut [u8]) {
        let mut at = 0;
        while at < data.len() {
            let (hit, len) = self.locate(address.wrapping_add(at as u64), data.len() - at);
            let data = &mut data[at..at + len];
            match hit {
                Some((Part::Window, offset)) => self.vga.window_read(offset, data),
                Some((Part::Framebuffer, offset)) => self.vga.vram().read(offset, data),
                Some((Part::Mmio, offset)) => self.vga.mmio_read(offset, data),
                Some((Part::Rom, offset)) => self.vga.rom_read(offset, data),
                None => data.fill(OPEN_MEMORY),
            }
            at += len;
        }
    }

    /// Writes to memory.
    pub fn memory_write(&mut self, address: u64, data: &[u8]) {
        let mut at = 0;
        while at < data.len() {
            let (hit, len) = self.locate(address.wrapping_add(at as u64), data.len() - at);
            let data = &data[at..at + len];
            match hit {
                Some((Part::Window, offset)) => self.vga.window_write(offset, data),
                Some((Part::Framebuffer, offset)) => self.vga.vram().write(offset, data),
                Some((Part::Mmio, offset)) => {
                    let effects = self.vga.mmio_write(offset, data);
                    self.follow(effects);
                }
                Some((Part::Rom, _)) | None => {}
            }
            at += len;
        }
    }

    /// Moves the clock on, and tells the new time in nanoseconds.
    pub fn step_clock(&mut self, nanoseconds: u64) -> u64 {
        let now = self.now.load(Ordering::Relaxed).saturating_add(nanoseconds);
        self.now.store(now, Ordering::Relaxed);
        now
    }

    /// Resets the device, as a system reset does.
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
        let surface = Surface {
            pixels: &mut picture.pixels,
            stride: size.width as usize,
        };
        let now = Duration::from_nanos(self.now.load(Ordering::Relaxed));
        self.screen
            .refresh(&scanout, self.vga.vram(), now, surface)?;
        Ok(&self.picture)
    }

    /// Whether an access reaches the ports of configuration mechanism #1, which `isapc` lacks.
    fn has_config_ports(&self, port: u16, len: usize) -> bool {
        let end = usize::from(port) + len;
        self.vga.variant().is_pci() && port < CONFIG_DATA + 4 && end > usize::from(CONFIG_ADDRESS)
    }

    /// Cuts an access into the pieces that the configuration ports see: offset, length, target.
    fn config_pieces(&self, port: u16, len: usize) -> Vec<(usize, usize, Target)> {
        let mut pieces = Vec::with_capacity(len);
        let mut at = 0;
        while at < len {
            let here = usize::from(port) + at;
            let range_end = [CONFIG_ADDRESS, CONFIG_DATA, CONFIG_DATA + 4].map(usize::from);
            let left = range_end
                .into_iter()
                .find(|end| *end > here)
                .map_or(len, |end| end - here);
            // The largest power of two that's left of the access and of the range.
            let piece = [4, 2, 1]
                .into_iter()
                .find(|size| *size <= left.min(len - at))
                .unwrap_or(1);
            pieces.push((at, piece, self.config_target(here, piece)));
            at += piece;
        }
        pieces
    }

    fn config_target(&self, port: usize, len: usize) -> Target {
        if port < usize::from(CONFIG_ADDRESS) || port >= usize::from(CONFIG_DATA) + 4 {
            Target::Open
        } else if port < usize::from(CONFIG_DATA) {
            Target::Address
        } else if self.config_address & DEVICE_MASK == DEVICE_ADDRESS {
            debug_assert!(len <= 4);
            Target::Device((self.config_address & 0xff) as u16 | (port & 3) as u16)
        } else {
            Target::Open
        }
    }

    /// What `address` reaches, at which offset; and how many of `len` bytes from there on reach the same.
    fn locate(&self, address: u64, len: usize) -> (Option<(Part, u64)>, usize) {
        let mut end = address.saturating_add(len as u64);
        for region in &self.regions {
            if (region.start..region.end).contains(&address) {
                let len = end.min(region.end) - address;
                return (Some((region.part, address - region.start)), len as usize);
            }
            if region.start > address {
                end = end.min(region.start);
            }
        }
        // At the very end of the address space there may be no byte left to count.
        (None, ((end - address) as usize).max(1))
    }

    fn follow(&mut self, effects: Effects) {
        if effects.contains(Effects::MAPPINGS) {
            self.map();
        }
    }

    /// Brings the regions up to date. As in QEMU, one that appears or moves comes before the others.
    fn map(&mut self) {
        let Mappings {
            framebuffer,
            mmio,
            rom,
            ..
        } = self.vga.mappings();
        for (part, range) in [
            (Part::Framebuffer, framebuffer),
            (Part::Mmio, mmio),
            (Part::Rom, rom),
        ] {
            let region = range.map(
                |MappedRange {
                     base: GuestAddress(start),
                     len,
                 }| Region {
                    part,
                    start,
                    end: start + len,
                },
            );
            let old = self.regions.iter().position(|region| region.part == part);
            if old.map(|index| self.regions[index]) == region {
                continue;
            }
            if let Some(index) = old {
                self.regions.remove(index);
            }
            if let Some(region) = region {
                self.regions.insert(0, region);
            }
        }
    }
}

/// What a piece of an access to the configuration ports reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Address,
    Device(u16),
    Open,
}
