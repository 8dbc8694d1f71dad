// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! [`StdVga`]: owns the parts and resets them, and tells what changed. Its doors have a file each.

mod config_space;
mod memory;
mod mmio;
mod ports;
mod state;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;
use std::sync::Arc;

use vm_memory::MmapRegion;
use vm_memory::bitmap::Bitmap;
#[cfg(target_os = "linux")]
use vmm_sys_util::eventfd::EventFd;

use crate::config::{Config, Monitor};
use crate::counters::{Counters, count};
use crate::dirty::DirtyBitmap;
use crate::edid::Edid;
use crate::effects::Effects;
use crate::error::{BitmapLengthError, ConfigError, NoEdidError};
use crate::mappings::{ISA_FRAMEBUFFER, MappedRange, Mappings};
#[cfg(target_os = "linux")]
use crate::mode_event::ModeEvent;
use crate::pci::PciConfig;
use crate::regs::{Registers, Touched};
use crate::scanout::{self, Scanout, Shape};
use crate::variant::Variant;
use crate::vram::Vram;
use crate::window::Routes;

/// QEMU's standard VGA device: the guest's side.
///
/// The embedder routes the guest's accesses here, as offsets and little-endian byte slices. No
/// access panics, sleeps, allocates, or reaches memory outside VRAM, whatever its offset and length. The
/// longest one enables a DISPI mode, which clears the picture: at most all of VRAM, once.
///
/// `B` is the type of the VRAM region's dirty bitmap.
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

    /// Moves the marks of the pages that the device wrote into `words`: ORs them in, and clears them.
    ///
    /// A mark is given out once. Where there are several readers (a screen and a migration), each has
    /// words of its own, and what comes out here is ORed into all of them.
    ///
    /// The device is needed for it, though the marks are VRAM's: who has it exclusively keeps it from
    /// writing meanwhile, so that no mark gets lost.
    ///
    /// # Errors
    ///
    /// [`BitmapLengthError`] where `words` isn't [`Vram::dirty_words`] long.
    /// Nothing is moved then.
    pub fn drain_dirty(&mut self, words: &mut [u64]) -> Result<(), BitmapLengthError> {
        self.vram.region().bitmap().drain_into(words)
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
    /// ```
    /// use std::sync::Arc;
    /// use stdvga::{Config, StdVga};
    /// use vm_memory::MmapRegion;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // 4 MiB of the VMM's. `()` keeps no marks of written pages: refresh by `Dirty::Compare` then.
    /// let region: Arc<MmapRegion<()>> = Arc::new(MmapRegion::new(4 << 20)?);
    /// let vga = StdVga::with_vram(Config::default(), Arc::clone(&region))?;
    /// assert!(Arc::ptr_eq(vga.vram().region(), &region));
    /// assert_eq!(vga.vram().len(), 4 << 20);
    /// # Ok(())
    /// # }
    /// ```
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

    /// The monitor that the EDID blob describes; `None` where the device has no blob.
    pub fn monitor(&self) -> Option<Monitor> {
        self.edid.as_ref().map(|edid| edid.monitor)
    }

    /// Changes the monitor that the EDID blob describes, at once. A reset keeps it.
    ///
    /// Nothing tells the guest: the device has no interrupt. It finds the new monitor when it reads the
    /// blob next: firmware when it boots, Linux' bochs-drm when it loads or probes the connector, which
    /// asking for the list of modes (`xrandr`) makes it do. The mode that's set stays as it is.
    ///
    /// # Errors
    ///
    /// [`NoEdidError`] where the device has no blob: on `isa-vga`, and where [`Config::edid`] or
    /// [`Config::mmio`] is off.
    pub fn set_monitor(&mut self, monitor: Monitor) -> Result<(), NoEdidError> {
        let variant = self.variant;
        let edid = self.edid.as_mut().ok_or(NoEdidError { variant })?;
        **edid = Edid::new(monitor);
        Ok(())
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
        self.settle(Touched::SHAPE | Touched::MAPPINGS)
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

    /// Counts an access that nothing answers.
    #[cold]
    fn count_invalid(&mut self) {
        count(&mut self.counters.invalid);
    }

    /// Writes the indexed DISPI register, and clears VRAM where that enables a mode.
    fn write_dispi(&mut self, value: u16) -> Touched {
        let (touched, cleared) = self.registers.write_dispi(value);
        if cleared != 0 {
            self.vram.clear(cleared);
        }
        touched
    }

    /// Ends a write, or a reset, with what came of all that it touched.
    #[inline]
    fn settle(&mut self, touched: Touched) -> Effects {
        self.routes = None;
        if touched.intersects(Touched::MAPPINGS | Touched::MODE) {
            self.settle_changes(touched)
        } else if touched.contains(Touched::PICTURE) {
            Effects::SCANOUT
        } else {
            Effects::empty()
        }
    }

    #[cold]
    fn settle_changes(&mut self, touched: Touched) -> Effects {
        let mut effects = Effects::empty();
        effects.set(Effects::SCANOUT, touched.contains(Touched::PICTURE));
        if touched.contains(Touched::MAPPINGS) {
            effects |= self.settle_mappings();
        }
        if touched.contains(Touched::MODE) {
            effects |= self.settle_mode();
        }
        effects
    }

    fn settle_mappings(&mut self) -> Effects {
        let mappings = self.decode_mappings();
        if mappings == self.mappings {
            return Effects::empty();
        }
        self.mappings = mappings;
        count(&mut self.counters.mapping_changes);
        Effects::MAPPINGS
    }

    fn settle_mode(&mut self) -> Effects {
        let shape = scanout::shape(&self.registers);
        if shape == self.shape {
            return Effects::empty();
        }
        self.shape = shape;
        count(&mut self.counters.mode_changes);
        #[cfg(target_os = "linux")]
        self.mode_event.signal();
        Effects::MODE
    }
}

impl<B: Bitmap> fmt::Debug for StdVga<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdVga")
            .field("variant", &self.variant)
            .field("vram", &self.vram)
            .field("rom_bytes", &self.rom.as_ref().map(Vec::len))
            .field("mappings", &self.mappings)
            .field("mode", &self.shape)
            .field("resets", &self.resets)
            .finish_non_exhaustive()
    }
}
