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
#[cfg(unix)]
use std::fs::File;
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
use crate::pci::PciConfig;
use crate::regs::{Registers, Touched};
use crate::rom::Rom;
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
    rom: Option<Rom>,
    registers: Registers,
    /// Where the window leads; `None` after any write that may have changed it.
    routes: Option<Routes>,
    vram: Vram<B>,
    resets: u64,
    /// How often the device was restored in place: a screen's sign that all is new.
    restores: u64,
    counters: Counters,
    /// What the embedder knows of the mappings.
    mappings: Mappings,
    /// What the embedder knows of the mode.
    shape: Shape,
    #[cfg(target_os = "linux")]
    mode_event: Option<EventFd>,
}

impl StdVga {
    /// Builds a device with zeroed VRAM of its own.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if an option doesn't fit the variant, or the memory can't be had.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let vram = Vram::allocate(config.check()?)?;
        Ok(Self::build(config, vram))
    }

    /// Builds a device on a file that other processes can map, from its first byte on: a memfd of the VMM's,
    /// or what crosvm's `SharedMemory` or OpenVMM's `alloc_shared_memory` made, say.
    ///
    /// VRAM has [`Config::vram_bytes`]; the file may be longer. Its contents stay, and what the device writes
    /// goes to the file. `vga.vram().region().file_offset()` gives the file back.
    ///
    /// Nobody may cut the file short as long as the device or a clone of its [`Vram`] is there: an access to
    /// what was cut off ends the VMM by SIGBUS. Where another process has the file, seal it first
    /// (`F_SEAL_SHRINK`), or let `StdVga::with_sealed_memfd` make it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if an option doesn't fit the variant, if the file is shorter than VRAM, or if it can't
    /// be mapped for reading and writing.
    #[cfg(unix)]
    pub fn with_vram_file(config: Config, file: File) -> Result<Self, ConfigError> {
        let vram = Vram::map(file, config.check()?)?;
        Ok(Self::build(config, vram))
    }

    /// Builds a device with zeroed VRAM in a memfd of its own, for other processes to map. It's sealed: they
    /// can write it, but nobody can change its length, and so none of them can end the VMM by SIGBUS.
    ///
    /// Send the descriptor to the other process over a Unix socket (`SCM_RIGHTS`), or let it be inherited.
    /// Who has it can read and write VRAM.
    ///
    /// ```
    /// use std::os::fd::{AsFd, BorrowedFd};
    /// use stdvga::{Config, StdVga};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let vga = StdVga::with_sealed_memfd(Config::default())?;
    /// let mapped = vga.vram().region().file_offset().ok_or("VRAM has no file")?;
    /// // To be mapped from its start on, shared, for `vga.vram().len()` bytes.
    /// let descriptor: BorrowedFd = mapped.file().as_fd();
    /// # let _ = descriptor;
    /// assert!(mapped.file().set_len(0).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if an option doesn't fit the variant, or the memory can't be had.
    #[cfg(all(target_os = "linux", feature = "memfd"))]
    pub fn with_sealed_memfd(config: Config) -> Result<Self, ConfigError> {
        let vram = Vram::map_sealed(config.check()?)?;
        Ok(Self::build(config, vram))
    }

    /// Moves the marks of the pages that the device wrote into `words`: ORs them in, and clears them.
    ///
    /// A mark is given out once. [`DirtyReaders`](crate::embedding::DirtyReaders) hands it on to several readers
    /// (a screen and a migration), and [`DirtyPages`](crate::embedding::DirtyPages) holds the words for one.
    ///
    /// The device is needed for it, though the marks are VRAM's: who has it exclusively keeps it from
    /// writing meanwhile. Others may write VRAM at the same time: no mark is lost ([`DirtyBitmap`]).
    ///
    /// # Errors
    ///
    /// [`BitmapLengthError`] if `words` isn't [`Vram::dirty_words`] long. Nothing is moved then.
    pub fn drain_dirty(&mut self, words: &mut [u64]) -> Result<(), BitmapLengthError> {
        self.vram.region().bitmap().drain_into(words)
    }
}

impl<B: Bitmap + 'static> StdVga<B> {
    /// Builds a device on the caller's memory: a region of a guest's memory, say.
    ///
    /// The region must be mapped for reading and writing. Its contents stay. Its length must be a power of
    /// two from 1 to 512 MiB, and what [`Config::vram_mib`] comes to, unless that's `None`.
    /// `GuestRegionMmap::get_mmap` gives the region of a guest's memory in this form.
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
    /// # Marks
    ///
    /// What the device writes is marked in the region's bitmap, and so is what others write through
    /// `vm-memory`: other devices' DMA into the same region, say. No mark is lost: a [`DirtyBitmap`] is
    /// drained by [`StdVga::drain_dirty`] while others mark, and any other type of bitmap at any time, by its
    /// own means.
    ///
    /// # Files
    ///
    /// A region may be a file's, shared with another process. If that process can cut the file short, it can
    /// end the VMM: touching what was cut off raises SIGBUS. Use a memfd that's sealed against it
    /// (`F_SEAL_SHRINK`), as `StdVga::with_sealed_memfd` makes it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if an option doesn't fit the variant, the region's length is none of those, or, on
    /// Unix, it isn't mapped for both reading and writing.
    pub fn with_vram(config: Config, region: Arc<MmapRegion<B>>) -> Result<Self, ConfigError> {
        let configured = config.check()?;
        let vram = Vram::new(region)?;
        if config.vram_mib.is_some() && configured != vram.len() {
            return Err(ConfigError::VramSizeMismatch {
                configured,
                bytes: vram.len(),
            });
        }
        Ok(Self::build(config, vram))
    }

    /// Puts a device together from a configuration that was checked.
    fn build(config: Config, vram: Vram<B>) -> Self {
        let variant = config.variant;
        let is_pci = variant.is_pci();
        let has_mmio = is_pci && config.mmio;
        let rom = config.rom.as_deref().map(Rom::new);
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
            restores: 0,
            counters: Counters::default(),
            mappings: Mappings::default(),
            #[cfg(target_os = "linux")]
            mode_event: None,
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

    /// The option ROM: its bytes, in memory that can be mapped into a guest as it is. `None` if the device
    /// has none.
    pub fn rom(&self) -> Option<&Rom> {
        self.rom.as_ref()
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
    /// This is all that a display thread needs the device for: drawing takes the value returned and
    /// [`StdVga::vram`]. It has no side effects.
    pub fn scanout(&self) -> Scanout {
        Scanout::new(&self.registers, self.text_blink, self.resets, self.restores)
    }

    /// Sets the event that is signalled whenever the picture's kind, size or pixel format changes. `None`
    /// signals nothing.
    ///
    /// Signals add up in the eventfd until it's read, so there's nothing to arm again. Read the event first,
    /// and take the scanout then: that one is as new as the last signal that was read, or newer. The other
    /// way round, a change in between is read away, and isn't seen before the next one.
    ///
    /// It's written inside an access, so create it with `EFD_NONBLOCK`: a full one then drops the signal
    /// instead of making the vCPU wait, and loses nothing, since it's readable anyway.
    #[cfg(target_os = "linux")]
    pub fn set_mode_event(&mut self, event: Option<EventFd>) {
        self.mode_event = event;
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

    /// Ends a write, a reset or a restore with what came of all that it touched.
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
        if let Some(event) = &self.mode_event {
            // It fails only if the counter is full, and then the event loop is awake already.
            let _ = event.write(1);
        }
        Effects::MODE
    }
}

impl<B: Bitmap> fmt::Debug for StdVga<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdVga")
            .field("variant", &self.variant)
            .field("vram", &self.vram)
            .field("rom_bytes", &self.rom.as_ref().map(|rom| rom.len()))
            .field("mappings", &self.mappings)
            .field("mode", &self.shape)
            .field("resets", &self.resets)
            .finish_non_exhaustive()
    }
}
