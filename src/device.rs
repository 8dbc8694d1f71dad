//! [`StdVga`]: owns the parts, routes accesses, resets.

mod state;
#[cfg(test)]
mod tests;

use std::iter;
use std::sync::Arc;

use vm_memory::MmapRegion;
use vm_memory::bitmap::Bitmap;
#[cfg(target_os = "linux")]
use vmm_sys_util::eventfd::EventFd;

use crate::config::{Config, Variant};
use crate::counters::{Counters, count};
use crate::dirty::DirtyBitmap;
use crate::edid::Edid;
use crate::effects::Effects;
use crate::error::ConfigError;
use crate::mappings::{ISA_FRAMEBUFFER, MappedRange, Mappings};
#[cfg(target_os = "linux")]
use crate::mode_event::ModeEvent;
use crate::pci::PciConfig;
use crate::regs::Registers;
use crate::scanout::{self, Scanout, Shape};
use crate::vram::Vram;
use crate::window::{self, Routes};

/// QEMU's standard VGA device: the guest's side.
///
/// The embedder routes the guest's accesses here, as offsets and little-endian byte slices. No
/// access panics, sleeps, allocates, or reaches memory outside VRAM, whatever its offset and length. The
/// longest one enables a DISPI mode, which clears the picture: at most all of VRAM, once.
///
/// `B` is the type of the VRAM region's dirty bitmap.
#[derive(Debug)]
pub struct StdVga<B: Bitmap = DirtyBitmap> {
    variant: Variant,
    has_mmio: bool,
    has_extended_registers: bool,
    has_dispi_data_port_1cf: bool,
    text_blink: bool,
    /// `None` on `isa-vga`.
    pci: Option<PciConfig>,
    edid: Option<Box<Edid>>,
    /// Padded with zeros to the length of its BAR.
    rom: Option<Vec<u8>>,
    registers: Registers,
    /// Where the window leads; `None` after any write that may have changed it.
    routes: Option<Routes>,
    vram: Vram<B>,
    resets: u64,
    counters: Counters,
    /// What the embedder knows of the mappings.
    mappings: Mappings,
    /// What the embedder knows of the mode.
    shape: Shape,
    #[cfg(target_os = "linux")]
    mode_event: ModeEvent,
}

impl StdVga {
    /// Builds a device with zeroed VRAM of its own.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where an option doesn't fit the variant, or the memory can't be had.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let vram = Vram::allocate(config.vram_bytes())?;
        Ok(Self::build(config, vram))
    }
}

impl<B: Bitmap> StdVga<B> {
    /// Builds a device on the caller's memory: a memfd shared with another process, say, or a region
    /// of a guest's memory.
    ///
    /// The region's contents stay. Its length must be a power of two from 1 to 512 MiB, and what
    /// [`Config::vram_mib`] comes to, unless that's `None`. What the device writes is marked in the
    /// region's bitmap. `GuestRegionMmap::get_mmap` gives the region of a guest's memory in this form.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where an option doesn't fit the variant, or the region's length is none of those.
    pub fn with_vram(config: Config, region: Arc<MmapRegion<B>>) -> Result<Self, ConfigError> {
        config.check()?;
        let vram = Vram::new(region)?;
        if config.vram_mib.is_some() && config.vram_bytes() != vram.len() {
            let configured = config.vram_bytes();
            return Err(ConfigError::VramSizeMismatch {
                configured,
                bytes: vram.len(),
            });
        }
        Ok(Self::build(config, vram))
    }

    /// Puts a device together from a configuration that was checked.
    fn build(mut config: Config, vram: Vram<B>) -> Self {
        let variant = config.variant;
        let is_pci = variant.is_pci();
        let has_mmio = is_pci && config.mmio;
        let rom = config.rom.take().map(|mut rom| {
            rom.resize(rom.len().next_power_of_two(), 0);
            rom
        });
        let rom_len = rom.as_ref().map(|rom| rom.len() as u64);
        let pci = is_pci.then(|| PciConfig::new(&config, vram.len(), rom_len));
        let edid = (has_mmio && config.edid).then(|| Box::new(Edid::new(config.monitor)));
        #[expect(clippy::arithmetic_side_effects, reason = "VRAM has 512 MiB at most")]
        let vram_len = vram.mask() + 1;
        let registers = Registers::new(
            vram_len,
            config.retrace,
            config.byte_order,
            variant.has_legacy(),
        );
        let mut device = Self {
            variant,
            has_mmio,
            has_extended_registers: has_mmio && config.qemu_extended_regs,
            has_dispi_data_port_1cf: config.dispi_data_port_1cf,
            text_blink: config.text_blink,
            pci,
            edid,
            rom,
            shape: scanout::shape(&registers),
            registers,
            routes: None,
            vram,
            resets: 0,
            counters: Counters::default(),
            mappings: Mappings::default(),
            #[cfg(target_os = "linux")]
            mode_event: ModeEvent::default(),
        };
        device.mappings = device.decode_mappings();
        device
    }

    /// Which device this is.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// The framebuffer. Cloning it gives another reference to the same memory, for a display thread.
    pub fn vram(&self) -> &Vram<B> {
        &self.vram
    }

    /// The option ROM, padded with zeros to the length of its BAR, which is a power of two. `None`
    /// where the device has none.
    pub fn rom(&self) -> Option<&[u8]> {
        self.rom.as_deref()
    }

    /// What the device was asked for, and what came of it, in numbers.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What must be mapped where at the moment.
    pub fn mappings(&self) -> Mappings {
        self.mappings
    }

    /// What the screen shows at the moment.
    ///
    /// Taking it makes the mode event ready to be signalled again. This is all that a display thread
    /// needs the device for: drawing takes the value returned and [`StdVga::vram`].
    pub fn scanout(&self) -> Scanout {
        #[cfg(target_os = "linux")]
        {
            self.mode_event.rearm();
        }
        Scanout::new(&self.registers, self.text_blink, self.resets)
    }

    /// Sets the event that is signalled once when the picture's kind, size or pixel format changes,
    /// and again only after [`StdVga::scanout`] was called. `None` signals nothing.
    ///
    /// It's written inside an access, so it should be non-blocking (`EFD_NONBLOCK`).
    #[cfg(target_os = "linux")]
    pub fn set_mode_event(&mut self, event: Option<EventFd>) {
        self.mode_event = ModeEvent::new(event);
    }

    /// Reads one access of 1, 2 or 4 bytes to the PCI configuration space.
    ///
    /// All ones where the variant has none, from offset 256 on, and for a slice of any other length.
    pub fn config_read(&mut self, offset: u16, data: &mut [u8]) {
        count(&mut self.counters.config.reads);
        match &self.pci {
            Some(pci) if is_config_access(offset, data) => pci.read(usize::from(offset), data),
            _ => {
                self.count_invalid();
                data.fill(0xff);
            }
        }
    }

    /// Writes one access of 1, 2 or 4 bytes to the PCI configuration space.
    ///
    /// Ignored where the variant has none, from offset 256 on, and for a slice of any other length.
    pub fn config_write(&mut self, offset: u16, data: &[u8]) -> Effects {
        count(&mut self.counters.config.writes);
        match &mut self.pci {
            Some(pci) if is_config_access(offset, data) => pci.write(usize::from(offset), data),
            _ => {
                self.count_invalid();
                return Effects::empty();
            }
        }
        self.settle(Effects::MAPPINGS)
    }

    /// Reads from the option ROM at `offset` bytes from its start. What lies behind its end reads as
    /// all ones.
    pub fn rom_read(&mut self, offset: u64, data: &mut [u8]) {
        count(&mut self.counters.rom_reads);
        let rom = self.rom.as_deref().unwrap_or_default();
        if offset >= rom.len() as u64 {
            count(&mut self.counters.invalid);
        }
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| rom.get(offset..))
            .unwrap_or_default();
        let values = rest.iter().copied().chain(iter::repeat(0xff));
        for (byte, value) in data.iter_mut().zip(values) {
            *byte = value;
        }
    }

    /// Reads from the 0xa0000 window at `offset` bytes from its start.
    ///
    /// Any length goes: the bytes are read one after the other, ascending. All ones behind the
    /// window's end, where no memory map answers, and where the variant has no window.
    pub fn window_read(&mut self, offset: u64, data: &mut [u8]) {
        count(&mut self.counters.window.reads);
        self.count_if_outside_window(offset);
        self.read_window(offset, data);
    }

    #[inline]
    fn read_window(&mut self, offset: u64, data: &mut [u8]) {
        let latch = &mut self.registers.graphics.latch;
        match &self.routes {
            Some(routes) => routes.read(latch, &self.vram, offset, data),
            None => self.decode_routes_and_read(offset, data),
        }
    }

    /// Writes to the 0xa0000 window at `offset` bytes from its start.
    ///
    /// Any length goes: the bytes are written one after the other, ascending. This changes nothing but
    /// VRAM.
    pub fn window_write(&mut self, offset: u64, data: &[u8]) {
        count(&mut self.counters.window.writes);
        self.count_if_outside_window(offset);
        self.write_window(offset, data);
    }

    #[inline]
    fn write_window(&mut self, offset: u64, data: &[u8]) {
        let latch = self.registers.graphics.latch;
        match &self.routes {
            Some(routes) => routes.write(latch, &self.vram, offset, data),
            None => self.decode_routes_and_write(offset, data),
        }
    }

    /// Resets the device as a system reset does.
    ///
    /// VRAM, the latches, the framebuffer's byte order and configuration space from 0x40 on stay as
    /// they are, and so does the picture on the screen, until a mode is set.
    pub fn reset(&mut self) -> Effects {
        if let Some(pci) = &mut self.pci {
            pci.reset();
        }
        self.registers.reset();
        count(&mut self.counters.resets);
        self.resets = self.resets.wrapping_add(1);
        self.settle(Effects::SHAPE | Effects::MAPPINGS)
    }

    #[inline]
    fn count_if_outside_window(&mut self, offset: u64) {
        if offset >= window::LEN || !self.variant.has_legacy() {
            self.count_invalid();
        }
    }

    // Out of line, these keep accesses whose routes are known from saving registers for them.

    #[inline(never)]
    fn decode_routes_and_read(&mut self, offset: u64, data: &mut [u8]) {
        self.routes = Some(Routes::new(&self.registers));
        self.read_window(offset, data);
    }

    #[inline(never)]
    fn decode_routes_and_write(&mut self, offset: u64, data: &[u8]) {
        self.routes = Some(Routes::new(&self.registers));
        self.write_window(offset, data);
    }

    fn decode_mappings(&self) -> Mappings {
        let isa_framebuffer = MappedRange {
            base: ISA_FRAMEBUFFER,
            len: self.vram.len(),
        };
        let pci = self.pci.as_ref();
        Mappings {
            framebuffer: pci.map_or(Some(isa_framebuffer), PciConfig::framebuffer),
            mmio: pci.and_then(PciConfig::mmio),
            rom: pci.and_then(PciConfig::rom),
            window: self.registers.window_ram,
        }
    }

    // What the other doors need of the device.

    pub(crate) fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// Counts an access that nothing answers.
    #[cold]
    pub(crate) fn count_invalid(&mut self) {
        count(&mut self.counters.invalid);
    }

    pub(crate) fn registers(&self) -> &Registers {
        &self.registers
    }

    pub(crate) fn registers_mut(&mut self) -> &mut Registers {
        &mut self.registers
    }

    pub(crate) fn edid(&self) -> Option<&Edid> {
        self.edid.as_deref()
    }

    pub(crate) fn edid_mut(&mut self) -> Option<&mut Edid> {
        self.edid.as_deref_mut()
    }

    pub(crate) fn has_ports(&self) -> bool {
        self.variant.has_legacy()
    }

    pub(crate) fn has_mmio(&self) -> bool {
        self.has_mmio
    }

    pub(crate) fn has_extended_registers(&self) -> bool {
        self.has_extended_registers
    }

    pub(crate) fn has_dispi_data_port_1cf(&self) -> bool {
        self.has_dispi_data_port_1cf
    }

    /// Writes the indexed DISPI register, and clears VRAM where that enables a mode.
    pub(crate) fn write_dispi(&mut self, value: u16) -> Effects {
        let (effects, cleared) = self.registers.write_dispi(value);
        if cleared != 0 {
            self.vram.clear(cleared);
        }
        effects
    }

    /// Ends a write to registers, or a reset, that may have had `effects`: leaves those that it had as a
    /// whole.
    #[inline]
    pub(crate) fn settle(&mut self, effects: Effects) -> Effects {
        self.routes = None;
        if effects.intersects(Effects::MAPPINGS | Effects::MODE) {
            self.settle_changes(effects)
        } else {
            effects
        }
    }

    #[cold]
    fn settle_changes(&mut self, mut effects: Effects) -> Effects {
        if effects.contains(Effects::MAPPINGS) {
            let mappings = self.decode_mappings();
            effects.set(Effects::MAPPINGS, mappings != self.mappings);
            self.mappings = mappings;
        }
        if effects.contains(Effects::MAPPINGS) {
            count(&mut self.counters.mapping_changes);
        }
        if effects.contains(Effects::MODE) {
            let shape = scanout::shape(&self.registers);
            effects.set(Effects::MODE, shape != self.shape);
            self.shape = shape;
        }
        if effects.contains(Effects::MODE) {
            count(&mut self.counters.mode_changes);
            #[cfg(target_os = "linux")]
            self.mode_event.signal();
        }
        effects
    }
}

fn is_config_access(offset: u16, data: &[u8]) -> bool {
    PciConfig::contains(usize::from(offset)) && matches!(data.len(), 1 | 2 | 4)
}
