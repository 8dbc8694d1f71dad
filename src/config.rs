// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The configuration of a device: [`Config`], its parts, and the checks on them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::ConfigError;
use crate::variant::Variant;

/// Bytes in a mebibyte.
pub(crate) const MIB: u64 = 1 << 20;
/// The largest framebuffer, in MiB.
pub(crate) const MAX_VRAM_MIB: u32 = 512;
/// The largest option ROM that the PCI specification lets an expansion ROM BAR ask for, in bytes.
pub(crate) const MAX_ROM_BYTES: usize = 16 << 20;

/// The byte order of a pixel of 15, 16, 24 or 32 bpp in VRAM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ByteOrder {
    /// Least significant byte first, as on x86.
    #[default]
    Little,
    /// Most significant byte first.
    Big,
}

/// The monitor that the EDID blob describes. The default is 1280x800 at 75 Hz, as in QEMU.
///
/// The values affect only the EDID. They don't limit the modes that a guest can set. Choose a width that is a
/// multiple of 8. DISPI rounds others down, but Linux' bochs-drm believes the EDID, and shows sheared stripes
/// (1366 becomes 1360).
///
/// ```
/// use stdvga::Monitor;
///
/// let monitor = Monitor::new(1920, 1080).refresh_rate(60_000);
/// assert_eq!((monitor.xres, monitor.refresh_rate), (1920, 60_000));
/// assert_eq!(Monitor::default(), Monitor::new(1280, 800));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Monitor {
    /// Preferred width in pixels. 0 means 1280, as in QEMU's properties.
    pub xres: u32,
    /// Preferred height in pixels. 0 means 800.
    pub yres: u32,
    /// Modes wider than this many pixels aren't listed. 0, the default, means no limit.
    pub xmax: u32,
    /// Modes higher than this many pixels aren't listed. 0, the default, means no limit.
    pub ymax: u32,
    /// Refresh rate of the preferred mode in millihertz. 0 means 75000.
    pub refresh_rate: u32,
}

impl Monitor {
    /// A monitor that prefers `xres` x `yres` pixels at 75 Hz, and lists modes of all sizes.
    pub const fn new(xres: u32, yres: u32) -> Self {
        Self {
            xres,
            yres,
            xmax: 0,
            ymax: 0,
            refresh_rate: 75_000,
        }
    }

    /// Lists only modes up to this size in pixels. 0 means no limit.
    pub const fn limit(self, xmax: u32, ymax: u32) -> Self {
        Self { xmax, ymax, ..self }
    }

    /// Changes the refresh rate of the preferred mode, in millihertz.
    pub const fn refresh_rate(self, refresh_rate: u32) -> Self {
        Self {
            refresh_rate,
            ..self
        }
    }

    /// The same with zeros replaced by their defaults: what the EDID contains.
    pub(crate) fn with_defaults(self) -> Self {
        let default = Self::default();
        let or = |value, default| if value == 0 { default } else { value };
        Self {
            xres: or(self.xres, default.xres),
            yres: or(self.yres, default.yres),
            refresh_rate: or(self.refresh_rate, default.refresh_rate),
            ..self
        }
    }
}

impl Default for Monitor {
    fn default() -> Self {
        Self::new(1280, 800)
    }
}

/// The guest's time, supplied by the embedder.
///
/// The device reads no clock by itself. [`Retrace::Precise`] reads this one.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock that returns the result of `now`: the time since any fixed moment, such as the start of the
    /// guest. It should stand still while the guest does.
    ///
    /// It's called during an access, so it must not access the device.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now, in nanoseconds.
    #[expect(clippy::cast_possible_truncation, reason = "it wraps after 584 years")]
    pub(crate) fn nanoseconds(&self) -> u64 {
        (self.0)().as_nanos() as u64
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// How Input Status Register 1 (ports 0x3ba and 0x3da) reports the retrace.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Retrace {
    /// The retrace bits toggle at every read. Guests that wait for an edge continue at once.
    #[default]
    Dumb,
    /// The bits follow the CRTC's timing registers and the given clock, as in QEMU.
    ///
    /// This is for guests that program the CRTC: BIOSes and software for the VGA. If only DISPI sets modes,
    /// as with UEFI and Linux' bochs-drm, the CRTC has no timing, and the bits may report a retrace forever.
    /// A guest that waits for its end then hangs.
    Precise(Clock),
}

/// The configuration of a [`StdVga`](crate::StdVga).
///
/// [`Config::new`] corresponds to QEMU's `-device` of that name on an x86 machine. There are two differences:
/// it has no option ROM, and `text_blink` follows QEMU 11.1. Each option has a method that changes it.
///
/// ```
/// use stdvga::{Config, Monitor, Variant};
///
/// let config = Config::new(Variant::SecondaryVga)
///     .vram_mib(64)
///     .monitor(Monitor::new(1920, 1080));
/// assert_eq!(config.vram_bytes().unwrap(), 64 << 20);
/// ```
///
/// Some options exist only on some variants. On other variants, any value but the default is refused with
/// [`ConfigError::NotForVariant`]. This includes switching off something that isn't there, because the
/// variant is then probably a mistake.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Which device this is.
    pub variant: Variant,
    /// Size of the framebuffer in MiB, 1 to 512, rounded up to a power of two. `None` means 16, or 8 for
    /// `isa-vga`.
    ///
    /// It must hold all pictures that the guest's compositor has in flight, usually two or three. Use 64 for
    /// 1920x1080 with 32 bits per pixel, at 8 MiB each. With 16, Linux' page flips fail with ENOMEM.
    pub vram_mib: Option<u32>,
    /// Whether BAR2 holds an EDID blob (PCI variants only). It has no effect without BAR2.
    pub edid: bool,
    /// The monitor that the EDID blob describes (PCI variants only).
    pub monitor: Monitor,
    /// Whether BAR2 exists (`VGA` only; `secondary-vga` always has it).
    pub mmio: bool,
    /// Whether BAR2 holds QEMU's extended registers at 0x600 (PCI variants only). It has no effect without
    /// BAR2.
    pub qemu_extended_regs: bool,
    /// Initial byte order of direct-colour pixels in the framebuffer. A guest can change it through the
    /// extended registers. A reset doesn't.
    pub byte_order: ByteOrder,
    /// Whether DISPI data also answers at the unaligned port 0x1cf, as on x86 machines.
    pub dispi_data_port_1cf: bool,
    /// Whether bit 3 of the Attribute Mode Control register makes text blink, as on hardware and
    /// in QEMU 11.1. QEMU 10.x ignores the bit.
    pub text_blink: bool,
    /// How the retrace bits of Input Status Register 1 behave.
    pub retrace: Retrace,
    /// Contents of the option ROM, 1 byte to 16 MiB (PCI variants only). `None` means no ROM BAR. The BAR's
    /// size is the length rounded up to a power of two. The rest reads as zeros.
    pub rom: Option<Vec<u8>>,
}

impl Default for Config {
    fn default() -> Self {
        Self::new(Variant::default())
    }
}

impl Config {
    /// The options of QEMU's device with that name.
    pub fn new(variant: Variant) -> Self {
        Self {
            variant,
            vram_mib: None,
            edid: true,
            monitor: Monitor::default(),
            mmio: true,
            qemu_extended_regs: true,
            byte_order: ByteOrder::default(),
            dispi_data_port_1cf: true,
            text_blink: true,
            retrace: Retrace::default(),
            rom: None,
        }
    }

    /// Sets [`Config::vram_mib`]: a size in MiB, or `None` for the variant's default.
    pub fn vram_mib(mut self, mib: impl Into<Option<u32>>) -> Self {
        self.vram_mib = mib.into();
        self
    }

    /// Sets [`Config::edid`].
    pub fn edid(mut self, edid: bool) -> Self {
        self.edid = edid;
        self
    }

    /// Sets [`Config::monitor`].
    pub fn monitor(mut self, monitor: Monitor) -> Self {
        self.monitor = monitor;
        self
    }

    /// Sets [`Config::mmio`].
    pub fn mmio(mut self, mmio: bool) -> Self {
        self.mmio = mmio;
        self
    }

    /// Sets [`Config::qemu_extended_regs`].
    pub fn qemu_extended_regs(mut self, qemu_extended_regs: bool) -> Self {
        self.qemu_extended_regs = qemu_extended_regs;
        self
    }

    /// Sets [`Config::byte_order`].
    pub fn byte_order(mut self, byte_order: ByteOrder) -> Self {
        self.byte_order = byte_order;
        self
    }

    /// Sets [`Config::dispi_data_port_1cf`].
    pub fn dispi_data_port_1cf(mut self, dispi_data_port_1cf: bool) -> Self {
        self.dispi_data_port_1cf = dispi_data_port_1cf;
        self
    }

    /// Sets [`Config::text_blink`].
    pub fn text_blink(mut self, text_blink: bool) -> Self {
        self.text_blink = text_blink;
        self
    }

    /// Sets [`Config::retrace`].
    pub fn retrace(mut self, retrace: Retrace) -> Self {
        self.retrace = retrace;
        self
    }

    /// Sets [`Config::rom`]: the contents of an option ROM, or `None` for no ROM.
    pub fn rom(mut self, rom: impl Into<Option<Vec<u8>>>) -> Self {
        self.rom = rom.into();
        self
    }

    /// The framebuffer's size in bytes: a power of two from 1 to 512 MiB.
    ///
    /// # Errors
    ///
    /// [`ConfigError::VramSize`] if [`Config::vram_mib`] is 0 or more than 512.
    pub fn vram_bytes(&self) -> Result<u64, ConfigError> {
        let mib = self.vram_mib.unwrap_or(self.variant.default_vram_mib());
        if (1..=MAX_VRAM_MIB).contains(&mib) {
            Ok(u64::from(mib.next_power_of_two()) * MIB)
        } else {
            let max = MAX_VRAM_MIB;
            Err(ConfigError::VramSize { mib, max })
        }
    }

    /// Refuses options that the variant doesn't have, and a ROM that is too large for a BAR. Returns the
    /// framebuffer's size in bytes.
    pub(crate) fn check(&self) -> Result<u64, ConfigError> {
        let pci_only = [
            ("edid", !self.edid),
            (
                "monitor",
                self.monitor.with_defaults() != Monitor::default(),
            ),
            ("qemu_extended_regs", !self.qemu_extended_regs),
            ("rom", self.rom.is_some()),
        ];
        let refused = if !self.mmio && self.variant != Variant::Vga {
            Some("mmio")
        } else if self.variant.is_pci() {
            None
        } else {
            pci_only
                .iter()
                .find(|(_, given)| *given)
                .map(|(name, _)| *name)
        };
        if let Some(option) = refused {
            return Err(ConfigError::NotForVariant {
                option,
                variant: self.variant,
            });
        }
        let vram_bytes = self.vram_bytes()?;
        match &self.rom {
            Some(rom) if rom.is_empty() || rom.len() > MAX_ROM_BYTES => Err(ConfigError::RomSize {
                bytes: rom.len(),
                max: MAX_ROM_BYTES,
            }),
            _ => Ok(vram_bytes),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            variant,
            vram_mib,
            edid,
            monitor,
            mmio,
            qemu_extended_regs,
            byte_order,
            dispi_data_port_1cf,
            text_blink,
            retrace,
            rom,
        } = self;
        f.debug_struct("Config")
            .field("variant", variant)
            .field("vram_mib", vram_mib)
            .field("edid", edid)
            .field("monitor", monitor)
            .field("mmio", mmio)
            .field("qemu_extended_regs", qemu_extended_regs)
            .field("byte_order", byte_order)
            .field("dispi_data_port_1cf", dispi_data_port_1cf)
            .field("text_blink", text_blink)
            .field("retrace", retrace)
            .field("rom_bytes", &rom.as_ref().map(Vec::len))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vram_sizes_are_rounded_up() {
        for (given, rounded) in [(1, 1), (3, 4), (16, 16), (257, 512), (512, 512)] {
            let bytes = Config::new(Variant::Vga).vram_mib(given).vram_bytes();
            assert_eq!(bytes.unwrap(), rounded * MIB, "vram_mib {given}");
        }
        for (variant, mib) in [(Variant::SecondaryVga, 16), (Variant::IsaVga, 8)] {
            let bytes = Config::new(variant).vram_bytes().unwrap();
            assert_eq!(bytes, mib * MIB, "{variant}");
        }
    }

    #[test]
    fn vram_of_no_size_or_too_large_a_size_is_refused() {
        for mib in [0, 513, u32::MAX] {
            let error = Config::default().vram_mib(mib).check().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("vram_mib is {mib}: 1 to 512 MiB of VRAM are allowed")
            );
        }
    }

    #[test]
    fn zeros_of_a_monitor_stand_for_qemus_defaults() {
        let zeros = Monitor::new(0, 0).refresh_rate(0);
        assert_eq!(zeros.with_defaults(), Monitor::default());
        let isa = Config::new(Variant::IsaVga).monitor(zeros);
        assert!(isa.check().is_ok(), "it's the default");
    }

    #[test]
    fn options_that_a_variant_lacks_are_refused() {
        let isa = Config::new(Variant::IsaVga);
        let secondary = Config::new(Variant::SecondaryVga);
        let refused = [
            (
                secondary.clone().mmio(false),
                "secondary-vga has no option `mmio`",
            ),
            (isa.clone().mmio(false), "isa-vga has no option `mmio`"),
            (isa.clone().edid(false), "isa-vga has no option `edid`"),
            (
                isa.clone().qemu_extended_regs(false),
                "isa-vga has no option `qemu_extended_regs`",
            ),
            (isa.clone().rom(vec![0]), "isa-vga has no option `rom`"),
            (
                isa.clone().monitor(Monitor {
                    xres: 800,
                    ..Monitor::default()
                }),
                "isa-vga has no option `monitor`",
            ),
        ];
        for (config, message) in refused {
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        assert!(isa.check().is_ok() && secondary.check().is_ok());
    }

    #[test]
    fn a_rom_that_no_bar_can_hold_is_refused() {
        for bytes in [0, MAX_ROM_BYTES + 1] {
            let error = Config::default().rom(vec![0; bytes]).check().unwrap_err();
            assert!(
                matches!(error, ConfigError::RomSize { bytes: given, .. } if given == bytes),
                "{error}"
            );
        }
    }
}
