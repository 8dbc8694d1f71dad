// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a device is built from: [`Config`], its parts, and the checks on them.

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

/// The order in which the bytes of a 15, 16, 24 or 32 bpp pixel lie in VRAM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ByteOrder {
    /// Least significant byte first, as on x86.
    #[default]
    Little,
    /// Most significant byte first.
    Big,
}

/// The monitor that the EDID blob describes.
///
/// A zero stands for QEMU's default, as it does in QEMU's own properties. The values shape the
/// EDID only: they don't limit the modes that a guest can set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct Monitor {
    /// Preferred width in pixels; 0 is 1280.
    pub xres: u32,
    /// Preferred height in pixels; 0 is 800.
    pub yres: u32,
    /// Modes wider than this many pixels aren't listed; 0 is no limit.
    pub xmax: u32,
    /// Modes higher than this many pixels aren't listed; 0 is no limit.
    pub ymax: u32,
    /// Refresh rate of the preferred mode in millihertz; 0 is 75000.
    pub refresh_rate: u32,
}

/// The guest's time, as the embedder counts it.
///
/// The device reads no clock by itself. [`Retrace::Precise`] asks this one.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock that answers with what `now` returns: the time since any moment, say since the guest was
    /// started, which stands still while the guest does.
    ///
    /// It's called while an access is being answered, so it must not access the device.
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

/// How Input Status Register 1 (ports 0x3ba and 0x3da) tells of the retrace.
#[derive(Clone, Debug, Default)]
pub enum Retrace {
    /// The retrace bits toggle at every read. Guests that wait for either edge go on at once.
    #[default]
    Dumb,
    /// The bits follow the CRTC's timing registers and the given clock.
    Precise(Clock),
}

/// What a [`StdVga`](crate::StdVga) is built from.
///
/// Write one with `..Config::default()`: a later version may have more options.
///
/// The default is QEMU's `-device VGA` on an x86 machine, but for the option ROM, which it lacks, and
/// `text_blink`, which follows QEMU 11.1.
///
/// Options that only some variants have are refused with [`ConfigError::NotForVariant`] when they
/// differ from their default on a variant that lacks them: also where they'd switch off what isn't
/// there, for then the variant is hardly the one that was meant.
#[derive(Clone)]
pub struct Config {
    /// Which device this is.
    pub variant: Variant,
    /// Size of the framebuffer in MiB. `None` is 16, and 8 for `isa-vga`. A value is clamped to
    /// 1-512 and rounded up to a power of two, as QEMU does with `vgamem_mb`.
    pub vram_mib: Option<u32>,
    /// Whether BAR2 holds an EDID blob (PCI variants only). Without effect where there's no BAR2.
    pub edid: bool,
    /// The monitor that the EDID blob describes (PCI variants only).
    pub monitor: Monitor,
    /// Whether there's a BAR2 at all (`VGA` only; `secondary-vga` always has one).
    pub mmio: bool,
    /// Whether BAR2 holds QEMU's extended registers at 0x600 (PCI variants only). Without effect where
    /// there's no BAR2.
    pub qemu_extended_regs: bool,
    /// Byte order of the framebuffer's direct-colour pixels at creation. A guest changes it through
    /// the extended registers; a reset doesn't.
    pub byte_order: ByteOrder,
    /// Whether DISPI data answers at the unaligned port 0x1cf too, as on x86 machines.
    pub dispi_data_port_1cf: bool,
    /// Whether bit 3 of the Attribute Mode Control register makes text blink, as on hardware and
    /// in QEMU 11.1. QEMU 10.x ignores the bit.
    pub text_blink: bool,
    /// How the retrace bits of Input Status Register 1 behave.
    pub retrace: Retrace,
    /// Contents of the option ROM, 1 byte to 16 MiB (PCI variants only). `None`: no ROM BAR. The
    /// BAR's size is the length rounded up to a power of two; the rest reads as zeros.
    pub rom: Option<Vec<u8>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            variant: Variant::default(),
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
}

impl Config {
    /// The framebuffer's size in bytes, clamped and rounded: a power of two from 1 to 512 MiB.
    pub fn vram_bytes(&self) -> u64 {
        let mib = self
            .vram_mib
            .unwrap_or(self.variant.default_vram_mib())
            .clamp(1, MAX_VRAM_MIB)
            .next_power_of_two();
        u64::from(mib) * MIB
    }

    /// Refuses options that the variant doesn't have, and a ROM that no BAR can hold.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let pci_only = [
            ("edid", !self.edid),
            ("monitor", self.monitor != Monitor::default()),
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
        match &self.rom {
            Some(rom) if rom.is_empty() || rom.len() > MAX_ROM_BYTES => Err(ConfigError::RomSize {
                bytes: rom.len(),
                max: MAX_ROM_BYTES,
            }),
            _ => Ok(()),
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

    fn vram_mib(variant: Variant, vram_mib: Option<u32>) -> u64 {
        Config {
            variant,
            vram_mib,
            ..Config::default()
        }
        .vram_bytes()
            / MIB
    }

    #[test]
    fn vram_sizes_are_clamped_and_rounded_up() {
        for (given, rounded) in [
            (0, 1),
            (1, 1),
            (3, 4),
            (16, 16),
            (257, 512),
            (1000, 512),
            (u32::MAX, 512),
        ] {
            assert_eq!(
                vram_mib(Variant::Vga, Some(given)),
                rounded,
                "vram_mib {given}"
            );
        }
        assert_eq!(vram_mib(Variant::SecondaryVga, None), 16);
        assert_eq!(vram_mib(Variant::IsaVga, None), 8);
    }

    #[test]
    fn options_that_a_variant_lacks_are_refused() {
        let isa = Config {
            variant: Variant::IsaVga,
            ..Config::default()
        };
        let secondary = Config {
            variant: Variant::SecondaryVga,
            ..Config::default()
        };
        let refused = [
            (
                Config {
                    mmio: false,
                    ..secondary.clone()
                },
                "secondary-vga has no option `mmio`",
            ),
            (
                Config {
                    mmio: false,
                    ..isa.clone()
                },
                "isa-vga has no option `mmio`",
            ),
            (
                Config {
                    edid: false,
                    ..isa.clone()
                },
                "isa-vga has no option `edid`",
            ),
            (
                Config {
                    qemu_extended_regs: false,
                    ..isa.clone()
                },
                "isa-vga has no option `qemu_extended_regs`",
            ),
            (
                Config {
                    rom: Some(vec![0]),
                    ..isa.clone()
                },
                "isa-vga has no option `rom`",
            ),
            (
                Config {
                    monitor: Monitor {
                        xres: 800,
                        ..Monitor::default()
                    },
                    ..isa.clone()
                },
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
            let error = Config {
                rom: Some(vec![0; bytes]),
                ..Config::default()
            }
            .check()
            .unwrap_err();
            assert!(
                matches!(error, ConfigError::RomSize { bytes: given, .. } if given == bytes),
                "{error}"
            );
        }
    }
}
