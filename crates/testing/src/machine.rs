// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A machine around the device that actions happen to, and what must hold after each of them.

mod display;

use std::iter;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stdvga::{
    ByteOrder, Clock, Config, Effects, Format, Mappings, Mode, Monitor, Retrace, Scanout, Size,
    State, StdVga, Variant, WINDOW,
};
use vm_memory::GuestAddress;

use crate::actions::{Access, Action, Door, Setup};
use crate::driver::Guest;
pub use display::Display;

/// Nanoseconds from an access to the next: about a scan line, so that retraces come and go.
const NANOSECONDS_PER_ACCESS: u64 = 31_001;

/// Configuration mechanism #1: the address register, and the ports of the data.
const CONFIG_ADDRESS: u16 = 0xcf8;
const CONFIG_DATA: u16 = 0xcfc;
const CONFIG_END: u16 = 0xd00;
/// The enable bit, and device 2 on bus 0; and the bits that say so.
const DEVICE_ADDRESS: u32 = 0x8000_1000;
const DEVICE_MASK: u32 = 0x80ff_ff00;

/// What an access did, for who looks from outside.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub data: Vec<u8>,
    pub effects: Effects,
    pub mappings: Mappings,
}

/// A guest, its device, and the buses between them.
pub struct Machine {
    pub guest: Guest,
    pub config: Config,
    config_address: u32,
    now: Arc<AtomicU64>,
}

/// What effects are about.
pub struct Seen {
    mappings: Mappings,
    scanout: Scanout,
}

impl Seen {
    pub fn of(guest: &Guest) -> Self {
        Self {
            mappings: guest.vga.mappings(),
            scanout: guest.vga.scanout(),
        }
    }

    /// Tells what is wrong with effects that were reported of changes from this to `now`.
    pub fn expect_effects(&self, now: &Self, effects: Effects) -> Result<(), String> {
        let (before, after) = (self.mappings, now.mappings);
        if effects.contains(Effects::MAPPINGS) != (before != after) {
            return Err(format!("{effects:?} for mappings {before:?} and {after:?}"));
        }
        let (before, after) = (self.scanout.mode(), now.scanout.mode());
        if effects.contains(Effects::MODE) != (shape(before) != shape(after)) {
            return Err(format!("{effects:?} for modes {before:?} and {after:?}"));
        }
        // A register may change and the scanout not: its report is allowed.
        if self.scanout != now.scanout && !effects.contains(Effects::SCANOUT) {
            return Err(format!(
                "{effects:?}, but another scanout: {before:?}, {after:?}"
            ));
        }
        Ok(())
    }
}

/// A mode's kind, size and pixel format: what [`Effects::MODE`] is about.
fn shape(mode: &Mode) -> (Option<Size>, Option<Format>) {
    match mode {
        Mode::Text(mode) => (Some(mode.size()), None),
        Mode::Graphics(mode) => (Some(mode.size), Some(mode.format)),
        _ => (None, None),
    }
}

/// The configuration of a device that's given in QEMU's words.
pub fn config(device: &str) -> Config {
    let (name, properties) = device.split_once(',').unwrap_or((device, ""));
    let variant = match name {
        "VGA" => Variant::Vga,
        "secondary-vga" => Variant::SecondaryVga,
        "isa-vga" => Variant::IsaVga,
        _ => panic!("{name} is no device"),
    };
    let mut config = Config::new(variant);
    if variant == Variant::Vga {
        config = config.rom((0..=255).cycle().take(40_000).collect::<Vec<_>>());
    }
    let mut monitor = Monitor::default();
    for property in properties.split_terminator(',') {
        let (name, value) = property.split_once('=').expect("a property has a value");
        let number = || value.parse().expect("a number of 32 bits");
        match name {
            "vgamem_mb" => config = config.vram_mib(number()),
            "edid" => config = config.edid(value == "on"),
            "mmio" => config = config.mmio(value == "on"),
            "qemu-extended-regs" => config = config.qemu_extended_regs(value == "on"),
            "xres" => monitor.xres = number(),
            "yres" => monitor.yres = number(),
            "xmax" => monitor.xmax = number(),
            "ymax" => monitor.ymax = number(),
            "refresh_rate" => monitor.refresh_rate = number(),
            _ => panic!("{name} is no property of {device}"),
        }
    }
    config.monitor(monitor)
}

impl Machine {
    pub fn new(setup: &Setup, has_precise_retrace: bool) -> Self {
        let (now, retrace) = precise_retrace();
        let mut config = config(setup.device).byte_order(ByteOrder::Big);
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
        }
    }

    /// Lets an action happen, and tells what is wrong after it.
    pub fn act(&mut self, action: &Action, display: &mut Display) -> Result<(), String> {
        let before = Seen::of(&self.guest);
        match action {
            Action::Access(access) => {
                self.act_as_guest(access);
            }
            Action::Call {
                door,
                offset,
                len,
                write,
            } => self.call(*door, *offset, *len, *write),
            Action::Refresh(source) => {
                let milliseconds = self.milliseconds();
                display.refresh(&mut self.guest, *source, milliseconds)?;
            }
            Action::SaveAndRestore => self.save_and_restore(),
            Action::SetMonitor { xres, yres } => {
                let monitor = Monitor::new(*xres, *yres);
                // Only devices with EDID have one.
                let _ = self.guest.vga.set_monitor(monitor);
            }
            Action::Wait(nanoseconds) => self.advance(*nanoseconds),
        }
        before.expect_effects(&Seen::of(&self.guest), self.guest.take_effects())
    }

    fn call(&mut self, door: Door, offset: u64, len: usize, write: Option<u8>) {
        let Guest { vga, effects, .. } = &mut self.guest;
        let mut data = vec![write.unwrap_or(0); len];
        let is_write = write.is_some();
        match door {
            Door::Config if is_write => *effects |= vga.config_write(offset as u16, &data),
            Door::Config => vga.config_read(offset as u16, &mut data),
            Door::Port if is_write => *effects |= vga.port_write(offset as u16, &data),
            Door::Port => vga.port_read(offset as u16, &mut data),
            Door::Window if is_write => vga.window_write(offset, &data),
            Door::Window => vga.window_read(offset, &mut data),
            Door::Mmio if is_write => *effects |= vga.mmio_write(offset, &data),
            Door::Mmio => vga.mmio_read(offset, &mut data),
            Door::Rom => vga.rom_read(offset, &mut data),
            Door::Vram if is_write => vga.vram().write(offset, &data),
            Door::Vram => vga.vram().read(offset, &mut data),
            Door::Memory if is_write => {
                *effects |= vga.memory_write(GuestAddress(offset), &data);
            }
            Door::Memory => vga.memory_read(GuestAddress(offset), &mut data),
        }
    }

    /// Puts an access to the machine, and gives what was answered.
    pub fn put(&mut self, access: &Access) -> Answer {
        let data = self.act_as_guest(access);
        Answer {
            data,
            effects: self.guest.take_effects(),
            mappings: self.guest.vga.mappings(),
        }
    }

    fn act_as_guest(&mut self, access: &Access) -> Vec<u8> {
        self.advance(NANOSECONDS_PER_ACCESS);
        let mut data = Vec::new();
        match *access {
            Access::Reset => self.guest.reset(),
            Access::In { port, width } => data = self.port_read(port, width as usize),
            Access::Out { port, width, value } => {
                self.port_write(port, &value.to_le_bytes()[..width as usize]);
            }
            Access::Read { address, width } => data = self.read(address, width as usize),
            Access::Write {
                address,
                width,
                value,
            } => self.write(address, &value.to_le_bytes()[..width as usize]),
            Access::ReadBytes { address, len } => data = self.read(address, len as usize),
            Access::WriteBytes { address, ref bytes } => self.write(address, bytes),
            Access::Fill {
                address,
                len,
                value,
            } => self.write(address, &vec![value; len as usize]),
            // Who looks at the screen decides when.
            Access::ScreenDump => {}
        }
        data
    }

    fn port_read(&mut self, port: u16, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        for (port, piece) in pieces_of_ports(port, len) {
            let data = &mut data[piece];
            match port {
                CONFIG_DATA..CONFIG_END if self.is_selected() => {
                    let offset = self.config_offset(port);
                    self.guest.vga.config_read(offset, data);
                }
                _ => self.guest.vga.port_read(port, data),
            }
        }
        data
    }

    fn port_write(&mut self, port: u16, data: &[u8]) {
        for (port, piece) in pieces_of_ports(port, data.len()) {
            match (port, &data[piece]) {
                (CONFIG_ADDRESS, &[a, b, c, d]) => {
                    self.config_address = u32::from_le_bytes([a, b, c, d])
                }
                (CONFIG_DATA..CONFIG_END, data) if self.is_selected() => {
                    self.guest.config_write(self.config_offset(port), data);
                }
                (_, data) => self.guest.effects |= self.guest.vga.port_write(port, data),
            }
        }
    }

    /// Whether PCI's data ports reach the device.
    fn is_selected(&self) -> bool {
        self.config_address & DEVICE_MASK == DEVICE_ADDRESS
    }

    fn config_offset(&self, port: u16) -> u16 {
        (self.config_address & 0xff) as u16 | (port & 3)
    }

    fn read(&mut self, address: u64, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        for (address, piece) in pages(address, len) {
            let address = GuestAddress(address);
            // What isn't the device's reads zeros on QEMU's machines.
            if self.is_decoded(address) {
                self.guest.vga.memory_read(address, &mut data[piece]);
            }
        }
        data
    }

    /// Whether the device answers at an address.
    fn is_decoded(&self, address: GuestAddress) -> bool {
        let mappings = self.guest.vga.mappings();
        let legacy = self.config.variant != Variant::SecondaryVga && WINDOW.contains(&address.0);
        let bars = [mappings.framebuffer, mappings.mmio, mappings.rom];
        let mut bars = bars.iter().flatten();
        legacy || bars.any(|bar| bar.offset_of(address).is_some())
    }

    fn write(&mut self, address: u64, data: &[u8]) {
        for (address, piece) in pages(address, data.len()) {
            let address = GuestAddress(address);
            self.guest.effects |= self.guest.vga.memory_write(address, &data[piece]);
        }
    }

    /// Saves the device, and goes on with one that is restored on the same VRAM.
    pub fn save_and_restore(&mut self) {
        let state = through_formats(self.guest.vga.state());
        let vram = Arc::clone(self.guest.vga.vram().region());
        self.guest.vga = StdVga::from_state_with_vram(self.config.clone(), &state, vram)
            .expect("a state that a device had");
        assert_eq!(
            self.guest.vga.state(),
            state,
            "the state of the device restored"
        );
    }

    /// The time since the start.
    pub fn milliseconds(&self) -> u64 {
        self.now.load(Ordering::Relaxed) / 1_000_000
    }

    fn advance(&self, nanoseconds: u64) {
        self.now.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

/// The pieces of an access to memory that lie in one page each: BARs begin and end with a page.
fn pages(address: u64, len: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    const PAGE: u64 = 4096;
    pieces(address, len, |address, left| {
        left.min((PAGE - address % PAGE) as usize)
    })
}

/// The pieces of an access to ports. QEMU cuts one that touches PCI's ports into naturally aligned pieces.
fn pieces_of_ports(port: u16, len: usize) -> impl Iterator<Item = (u16, Range<usize>)> {
    let end = u64::from(port) + len as u64;
    let touches_config = port < CONFIG_END && end > CONFIG_ADDRESS.into();
    let piece = move |port: u64, left: usize| {
        if !touches_config {
            return left;
        }
        let aligned = 1 << port.trailing_zeros().min(2);
        if aligned <= left {
            aligned
        } else {
            1 << left.ilog2()
        }
    };
    pieces(port.into(), len, piece).map(|(port, piece)| (port as u16, piece))
}

/// The pieces of an access: where each goes, and which of the bytes it has. `piece` gives the length of the one that is at an
/// address, of the bytes that are left.
fn pieces(
    address: u64,
    len: usize,
    piece: impl Fn(u64, usize) -> usize,
) -> impl Iterator<Item = (u64, Range<usize>)> {
    let mut start = 0;
    iter::from_fn(move || {
        let left = len.checked_sub(start).filter(|left| *left > 0)?;
        let address = address.wrapping_add(start as u64);
        let range = start..start + piece(address, left);
        start = range.end;
        Some((address, range))
    })
}

/// The state, once it was seen to survive being written and read.
fn through_formats(state: State) -> State {
    let bytes = state.to_bytes();
    let read = State::from_bytes(&bytes).expect("a state that can be read");
    assert_eq!(read, state, "what was read of {bytes:02x?}");
    #[cfg(feature = "serde")]
    {
        let json = serde_json::to_string(&state).expect("a state that can be written");
        let read: State = serde_json::from_str(&json).expect("a state that can be read");
        assert_eq!(read, state, "what was read of {json}");
    }
    state
}

/// A clock that a test sets, and the retrace that follows it.
pub fn precise_retrace() -> (Arc<AtomicU64>, Retrace) {
    let now = Arc::new(AtomicU64::new(0));
    let clock = Clock::new({
        let now = Arc::clone(&now);
        move || Duration::from_nanos(now.load(Ordering::Relaxed))
    });
    (now, Retrace::Precise(clock))
}
