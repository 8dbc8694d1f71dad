// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The command line: QEMU's own strings for machine and device.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use stdvga::{Clock, Config, Retrace, Variant};
use stdvga_frontend::{files, say};

/// Where distributions install SeaBIOS's VGA BIOS for this card, which is QEMU's default ROM.
const DEFAULT_ROMS: [&str; 3] = [
    "/usr/share/seabios/vgabios-stdvga.bin",
    "/usr/share/qemu/vgabios-stdvga.bin",
    "/usr/share/vgabios/vgabios-stdvga.bin",
];
/// Length of that ROM's BAR, in bytes.
const DEFAULT_ROM_BYTES: usize = 64 << 10;
/// The most bytes that a ROM's BAR has.
const MAX_ROM_BYTES: usize = 16 << 20;
/// The one address that the device can have, as QEMU's `addr` property.
const ADDRESSES: [&str; 4] = ["02.0", "2.0", "02", "2"];
/// The devices by QEMU's names.
const DEVICES: [(&str, Variant); 3] = [
    ("VGA", Variant::Vga),
    ("secondary-vga", Variant::SecondaryVga),
    ("isa-vga", Variant::IsaVga),
];

/// Answers QEMU's qtest protocol for a standard VGA device, on standard input and output.
#[derive(Parser)]
#[command(version, after_help = "-machine and -device work as well, as in QEMU.")]
pub struct Options {
    /// The machine: `pc` or `isapc`
    #[arg(short = 'M', long = "machine", value_enum, default_value_t = MachineKind::Pc)]
    pub machine: MachineKind,
    /// The device and its properties, as QEMU's `-device`: `VGA`, `secondary-vga` or `isa-vga`;
    /// `help` lists them all, and `NAME,help` one device's properties
    #[arg(long, value_name = "NAME[,PROPERTY=VALUE...]", default_value = "VGA")]
    pub device: String,
    /// Whether text can blink, as on hardware and in QEMU since 11.1
    #[arg(long, value_enum, default_value_t = Switch::Off)]
    pub text_blink: Switch,
    /// How the status register reports retraces
    #[arg(long, value_enum, default_value_t = RetraceMethod::Dumb)]
    pub retrace: RetraceMethod,
    /// Print each command on standard error, with a comment that names the registers it reached. The
    /// output is input again
    #[arg(long)]
    pub trace: bool,
}

/// The machine around the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MachineKind {
    Pc,
    Isapc,
}

/// Whether a property is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

/// How Input Status 1 tells of retraces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RetraceMethod {
    /// Each read toggles the state
    Dumb,
    /// From the time that `clock_step` sets
    Precise,
}

/// A property of a device, by QEMU's name.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Property {
    VgamemMb,
    Romfile,
    Addr,
    Mmio,
    #[value(name = "qemu-extended-regs")]
    QemuExtendedRegs,
    Edid,
    Xres,
    Yres,
    Xmax,
    Ymax,
    RefreshRate,
    #[value(name = "big-endian-framebuffer")]
    BigEndianFramebuffer,
}

impl Property {
    fn is_of(self, variant: Variant) -> bool {
        match self {
            Self::VgamemMb => true,
            Self::Mmio => variant == Variant::Vga,
            _ => variant.is_pci(),
        }
    }

    fn named(name: &str, variant: Variant) -> Result<Self> {
        Self::from_str(name, false)
            .ok()
            .filter(|property| property.is_of(variant))
            .with_context(|| {
                let names = Self::names(variant);
                format!("there's no such property, only {names}")
            })
    }

    /// All properties of a device.
    fn names(variant: Variant) -> String {
        let names: Vec<_> = Self::value_variants()
            .iter()
            .filter(|property| property.is_of(variant))
            .filter_map(|property| property.to_possible_value())
            .map(|value| value.get_name().to_owned())
            .collect();
        names.join(", ")
    }
}

/// Gives QEMU's long options their second dash, which our argument parser wants.
pub fn with_long_flags(
    arguments: impl Iterator<Item = OsString>,
) -> impl Iterator<Item = OsString> {
    arguments.map(|argument| match argument.to_str() {
        Some(flag @ ("-machine" | "-device")) => format!("-{flag}").into(),
        _ => argument,
    })
}

impl Options {
    /// What `-device help` asks for, or `help` as a device's property: a line for each device.
    pub fn device_help(&self) -> Option<String> {
        let lines: String = DEVICES
            .iter()
            .filter(|(name, _)| self.device == "help" || self.device == format!("{name},help"))
            .map(|(name, variant)| format!("{name}: {}\n", Property::names(*variant)))
            .collect();
        Some(lines).filter(|lines| !lines.is_empty())
    }

    /// The device's configuration. `clock` is for the precise retrace.
    pub fn config(&self, clock: Clock) -> Result<Config> {
        let (name, properties) = self.device.split_once(',').unwrap_or((&self.device, ""));
        let (_, variant) = DEVICES
            .into_iter()
            .find(|(device, _)| *device == name)
            .with_context(|| {
                format!(
                    "-device {name}: there's no such device, only VGA, secondary-vga and isa-vga"
                )
            })?;
        match (self.machine, variant) {
            (MachineKind::Pc, Variant::IsaVga) => bail!("-device isa-vga: needs -M isapc"),
            (MachineKind::Isapc, Variant::Vga | Variant::SecondaryVga) => {
                bail!("-device {name}: needs -M pc, for isapc has no PCI")
            }
            _ => {}
        }
        let mut config = Config::new(variant)
            .text_blink(self.text_blink == Switch::On)
            .retrace(match self.retrace {
                RetraceMethod::Dumb => Retrace::Dumb,
                RetraceMethod::Precise => Retrace::Precise(clock),
            });
        let mut has_default_rom = variant == Variant::Vga;
        for property in properties
            .split(',')
            .filter(|property| !property.is_empty())
        {
            let (key, value) = property
                .split_once('=')
                .with_context(|| format!("-device {name}: property '{property}' has no value"))?;
            let failed = || format!("-device {name}: property '{property}'");
            let property = Property::named(key, variant).with_context(failed)?;
            set(&mut config, property, value).with_context(failed)?;
            has_default_rom &= !matches!(property, Property::Romfile);
        }
        if has_default_rom {
            config.rom = Some(default_rom(self.trace));
        }
        Ok(config)
    }
}

/// Sets a property in the configuration.
fn set(config: &mut Config, property: Property, value: &str) -> Result<()> {
    match property {
        // What is out of range becomes the nearest size, without a word.
        Property::VgamemMb => config.vram_mib = Some(number(value)?.clamp(1, 512)),
        Property::Romfile => config.rom = read_rom(value)?,
        Property::Addr => ensure!(
            ADDRESSES.contains(&value),
            "the device is at 02.0 here, and nowhere else"
        ),
        Property::Mmio => config.mmio = switch(value)?,
        Property::QemuExtendedRegs => config.qemu_extended_regs = switch(value)?,
        Property::Edid => config.edid = switch(value)?,
        Property::Xres => config.monitor.xres = number(value)?,
        Property::Yres => config.monitor.yres = number(value)?,
        Property::Xmax => config.monitor.xmax = number(value)?,
        Property::Ymax => config.monitor.ymax = number(value)?,
        Property::RefreshRate => config.monitor.refresh_rate = number(value)?,
        // QEMU takes it, and creation then sets the target's default.
        Property::BigEndianFramebuffer => drop(switch(value)?),
    }
    Ok(())
}

fn switch(value: &str) -> Result<bool> {
    match value {
        "on" | "yes" | "true" | "y" => Ok(true),
        "off" | "no" | "false" | "n" => Ok(false),
        _ => bail!("'{value}' is neither on nor off"),
    }
}

fn number(value: &str) -> Result<u32> {
    let parsed = match value.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => value.parse(),
    };
    parsed.with_context(|| format!("'{value}' isn't a number from 0 to {}", u32::MAX))
}

/// A ROM file's bytes; none for an empty name.
fn read_rom(path: &str) -> Result<Option<Vec<u8>>> {
    if path.is_empty() {
        return Ok(None);
    }
    files::read("ROM", Path::new(path), MAX_ROM_BYTES).map(Some)
}

/// QEMU's default ROM, padded with zeros; nothing but zeros where it isn't installed. With a trace,
/// standard error is quiet about that: what it carries is input again.
fn default_rom(is_quiet: bool) -> Vec<u8> {
    let mut rom = DEFAULT_ROMS
        .iter()
        .find_map(|path| std::fs::read(path).ok())
        .unwrap_or_else(|| {
            if !is_quiet {
                say("no vgabios-stdvga.bin is installed: the ROM is all zeros");
            }
            Vec::new()
        });
    rom.resize(DEFAULT_ROM_BYTES, 0);
    rom
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn options(arguments: &[&str]) -> Result<Options> {
        let arguments = ["qtest"].iter().chain(arguments).map(OsString::from);
        Ok(Options::try_parse_from(with_long_flags(arguments))?)
    }

    fn config(arguments: &[&str]) -> Result<Config> {
        options(arguments)?.config(Clock::new(|| Duration::ZERO))
    }

    #[test]
    fn help_lists_devices_and_their_properties() {
        let help = |device| options(&["-device", device]).unwrap().device_help();
        let lines = |device| help(device).unwrap_or_default();
        assert_eq!(lines("isa-vga,help"), "isa-vga: vgamem_mb\n");
        let [vga, secondary] = ["VGA,help", "secondary-vga,help"].map(lines);
        assert!(
            vga.contains("mmio, qemu-extended-regs, edid, xres"),
            "{vga}"
        );
        assert!(!secondary.contains("mmio"), "{secondary}");
        let devices = ["VGA,help", "secondary-vga,help", "isa-vga,help"];
        assert_eq!(lines("help"), devices.map(lines).concat());
        for device in ["VGA", "cirrus-vga,help"] {
            assert_eq!(help(device), None, "{device}");
        }
    }

    #[test]
    fn qemus_own_strings_are_understood() {
        let device =
            "VGA,addr=02.0,vgamem_mb=64,edid=off,mmio=on,xres=1024,yres=768,xmax=0x800,romfile=";
        let config = config(&["-M", "pc", "-device", device]).unwrap();
        assert_eq!(
            (config.variant, config.vram_mib, config.edid),
            (Variant::Vga, Some(64), false)
        );
        assert_eq!(
            (
                config.monitor.xres,
                config.monitor.yres,
                config.monitor.xmax
            ),
            (1024, 768, 2048)
        );
        assert_eq!(config.rom, None);
    }

    #[test]
    fn vram_sizes_out_of_range_become_the_nearest_as_in_qemu() {
        for (given, mib) in [("0", 1), ("512", 512), ("513", 512), ("0xffffffff", 512)] {
            let device = format!("VGA,vgamem_mb={given}");
            let config = config(&["-device", &device]).unwrap();
            assert_eq!(config.vram_mib, Some(mib), "{device}");
        }
    }

    #[test]
    fn vga_has_a_rom_of_64_kib_by_default_and_secondary_vga_none() {
        assert_eq!(
            config(&["-device", "VGA"]).unwrap().rom.unwrap().len(),
            64 << 10
        );
        assert_eq!(config(&["-device", "secondary-vga"]).unwrap().rom, None);
    }

    #[test]
    fn what_qemu_lacks_is_refused() {
        for (arguments, message) in [
            (
                &["-device", "cirrus-vga"][..],
                "-device cirrus-vga: there's no such device",
            ),
            (&["-device", "isa-vga"], "needs -M isapc"),
            (&["-M", "isapc", "-device", "VGA"], "needs -M pc"),
            (
                &["-M", "isapc", "-device", "isa-vga,edid=on"],
                "there's no such property, only vgamem_mb",
            ),
            (
                &["-M", "isapc", "-device", "isa-vga,romfile="],
                "there's no such property",
            ),
            (
                &["-device", "secondary-vga,mmio=off"],
                "there's no such property",
            ),
            (
                &["-device", "VGA,edid=maybe"],
                "'maybe' is neither on nor off",
            ),
            (&["-device", "VGA,vgamem_mb=many"], "'many' isn't a number"),
            (&["-device", "VGA,addr=03.0"], "at 02.0 here"),
            (&["-device", "VGA,edid"], "has no value"),
            (
                &["-device", "VGA,romfile=/nowhere/rom"],
                "'romfile=/nowhere/rom': ROM /nowhere/rom can't be read: No such file",
            ),
        ] {
            let error = format!("{:#}", config(arguments).unwrap_err());
            assert!(error.contains(message), "{arguments:?}: {error}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_rom_that_cannot_be_one_is_refused_unread() {
        let huge = tempfile::NamedTempFile::new().unwrap();
        huge.as_file().set_len(8 << 30).unwrap();
        let huge = huge.path().to_str().unwrap();
        for (path, wrong) in [
            ("/dev/zero", "isn't a file"),
            ("/", "isn't a file"),
            (huge, "at most 16777216 fit"),
        ] {
            let device = format!("VGA,romfile={path}");
            let error = format!("{:#}", config(&["-device", &device]).unwrap_err());
            assert!(error.contains(wrong), "{device}: {error}");
        }
    }
}
