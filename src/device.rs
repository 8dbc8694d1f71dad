// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! [`StdVga`] owns the parts, resets them, and reports what changed. Each door has its own file.

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

/// QEMU's standard VGA device, as the guest sees it.
///
/// The embedder routes the guest's accesses here through its [doors](crate::glossary#door), as offsets and
/// little-endian byte slices. No access panics, sleeps, allocates, or reaches memory outside VRAM, whatever
/// its offset and length. The longest one enables a DISPI mode, which clears the picture: at most all of
/// VRAM, once.
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
    /// Where the window leads. `None` after any write that may have changed it.
    routes: Option<Routes>,
    vram: Vram<B>,
    resets: u64,
    /// How often the device was restored in place. It tells a screen that everything is new.
    restores: u64,
    counters: Counters,
    /// The mappings that the embedder knows.
    mappings: Mappings,
    /// The mode that the embedder knows.
    shape: Shape,
    #[cfg(target_os = "linux")]
    mode_event: Option<EventFd>,
}

impl StdVga {
    /// Builds a device with newly allocated, zeroed VRAM.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if an option doesn't fit the variant, or if the memory can't be allocated.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let vram = Vram::allocate(config.check()?)?;
        Ok(Self::build(config, vram))
    }

    /// Builds a device on a file that other processes can map, from its first byte on. The file can be the
    /// VMM's memfd, or one made by crosvm's `SharedMemory` or OpenVMM's `alloc_shared_memory`.
    ///
    /// VRAM has [`Config::vram_bytes`]. The file may be longer. Its contents are kept, and the device's
    /// writes go to the file. `vga.vram().region().file_offset()` returns the file.
    ///
    /// Nobody may truncate the file while the device or a clone of its [`Vram`] exists. An access to the part
    /// that was cut off kills the VMM with SIGBUS. If another process has the file, seal it first
    /// (`F_SEAL_SHRINK`), or let `StdVga::with_sealed_memfd` create it.
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

    /// Builds a device with zeroed VRAM in a new memfd, which other processes can map. It's sealed: they can
    /// write to it, but nobody can change its length. So none of them can kill the VMM with SIGBUS.
    ///
    /// Send the descriptor to the other process over a Unix socket (`SCM_RIGHTS`), or let it be inherited.
    /// Any process that has it can read and write VRAM.
    ///
    /// ```
    /// use std::os::fd::{AsFd, BorrowedFd};
    /// use stdvga::{Config, StdVga};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let vga = StdVga::with_sealed_memfd(Config::default())?;
    /// let mapped = vga.vram().region().file_offset().ok_or("VRAM has no file")?;
    /// // Map it shared from its start, for `vga.vram().len()` bytes.
    /// let descriptor: BorrowedFd = mapped.file().as_fd();
    /// # let _ = descriptor;
    /// assert!(mapped.file().set_len(0).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if an option doesn't fit the variant, or if the memory can't be allocated.
    #[cfg(all(target_os = "linux", feature = "memfd"))]
    pub fn with_sealed_memfd(config: Config) -> Result<Self, ConfigError> {
        let vram = Vram::map_sealed(config.check()?)?;
        Ok(Self::build(config, vram))
    }

    /// Moves the marks of written pages into `words`: ORs them in, and clears them in the bitmap.
    ///
    /// Each mark is returned once. [`DirtyReaders`](crate::embedding::DirtyReaders) passes it on to several
    /// readers (a screen and a migration). [`DirtyPages`](crate::embedding::DirtyPages) holds the words for
    /// one reader.
    ///
    /// Although the marks belong to VRAM, this needs the device exclusively, so that the device can't write
    /// meanwhile. Others may write VRAM at the same time, and no mark is lost ([`DirtyBitmap`]).
    ///
    /// # Errors
    ///
    /// [`BitmapLengthError`] if `words` isn't [`Vram::dirty_words`] long. Nothing is moved in that case.
    pub fn drain_dirty(&mut self, words: &mut [u64]) -> Result<(), BitmapLengthError> {
        self.vram.region().bitmap().drain_into(words)
    }
}

impl<B: Bitmap + 'static> StdVga<B> {
    /// Builds a device on the caller's memory, such as a region of the guest's memory.
    ///
    /// The region must be mapped for reading and writing. Its contents are kept. Its length must be a power
    /// of two from 1 to 512 MiB, and equal to [`Config::vram_mib`], unless that is `None`.
    /// `GuestRegionMmap::get_mmap` returns the region of a guest's memory in this form.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use stdvga::{Config, StdVga};
    /// use vm_memory::MmapRegion;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // 4 MiB of the VMM's. `()` keeps no marks of written pages, so refresh with `Dirty::Compare`.
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
    /// The device's writes are marked in the region's bitmap. So are writes by others through `vm-memory`,
    /// such as other devices' DMA into the same region. No mark is lost. [`StdVga::drain_dirty`] drains a
    /// [`DirtyBitmap`] while others mark. Any other type of bitmap can be drained at any time, by its own
    /// methods.
    ///
    /// # Files
    ///
    /// A region may belong to a file that is shared with another process. If that process can truncate the
    /// file, it can kill the VMM, because touching the part that was cut off raises SIGBUS. Use a memfd that
    /// is sealed against this (`F_SEAL_SHRINK`), such as that of `StdVga::with_sealed_memfd`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if an option doesn't fit the variant, if the region has a wrong length, or, on Unix,
    /// if it isn't mapped for both reading and writing.
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

    /// Builds a device from a configuration that was checked.
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

    /// The framebuffer. A clone of it refers to the same memory, for a display thread.
    pub fn vram(&self) -> &Vram<B> {
        &self.vram
    }

    /// The option ROM, in memory that can be mapped into a guest directly. `None` if the device has none.
    pub fn rom(&self) -> Option<&Rom> {
        self.rom.as_ref()
    }

    /// The monitor that the EDID blob describes. `None` if the device has no blob.
    pub fn monitor(&self) -> Option<Monitor> {
        self.edid.as_ref().map(|edid| edid.monitor)
    }

    /// Changes the monitor that the EDID blob describes, at once. A reset keeps it.
    ///
    /// The guest isn't notified, since the device has no interrupt. It finds the new monitor when it next
    /// reads the blob. Firmware does that when it boots. Linux' bochs-drm does it when it loads or probes the
    /// connector, for example when `xrandr` lists the modes. The current mode doesn't change.
    ///
    /// # Errors
    ///
    /// [`NoEdidError`] if the device has no blob: on `isa-vga`, or if [`Config::edid`] or [`Config::mmio`] is
    /// off.
    pub fn set_monitor(&mut self, monitor: Monitor) -> Result<(), NoEdidError> {
        let variant = self.variant;
        let edid = self.edid.as_mut().ok_or(NoEdidError { variant })?;
        **edid = Edid::new(monitor);
        Ok(())
    }

    /// Counts of what the device has done.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What must be mapped at the moment, and where.
    pub fn mappings(&self) -> Mappings {
        self.mappings
    }

    /// What the screen shows at the moment.
    ///
    /// This is all that a display thread needs the device for. Drawing takes only the returned value and
    /// [`StdVga::vram`]. This call has no side effects.
    pub fn scanout(&self) -> Scanout {
        Scanout::new(&self.registers, self.text_blink, self.resets, self.restores)
    }

    /// Sets the event that is signalled whenever the picture's kind, size or pixel format changes. With
    /// `None`, nothing is signalled.
    ///
    /// Signals accumulate in the eventfd until it's read, so it needn't be armed again. Read the event first,
    /// then take the scanout. The scanout is then at least as new as the last signal that was read. In the
    /// opposite order, the signal of a change in between is consumed, and the change isn't seen before the
    /// next one.
    ///
    /// The device writes to it during an access, so create it with `EFD_NONBLOCK`. If it's full, the signal
    /// is then dropped instead of blocking the vCPU. Nothing is lost, since a full eventfd is readable
    /// anyway.
    #[cfg(target_os = "linux")]
    pub fn set_mode_event(&mut self, event: Option<EventFd>) {
        self.mode_event = event;
    }

    /// Resets the device as a system reset does.
    ///
    /// VRAM, the latches, the framebuffer's byte order and configuration space from 0x40 on are kept. So is
    /// the picture on the screen, until a mode is set.
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

    /// Writes the indexed DISPI register, and clears VRAM if that enables a mode.
    fn write_dispi(&mut self, value: u16) -> Touched {
        let (touched, cleared) = self.registers.write_dispi(value);
        if cleared != 0 {
            self.vram.clear(cleared);
        }
        touched
    }

    /// Ends a write, a reset or a restore: finds out what changed of all that it touched.
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
