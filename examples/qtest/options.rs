//! The command line: QEMU's own strings for machine and device.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use stdvga::{Clock, Config, Retrace, Variant};

/// Where distributions install SeaBIOS's VGA BIOS for this card, which is QEMU's default ROM.
const DEFAULT_ROMS: [&str; 3] = [
    "/usr/share/seabios/vgabios-stdvga.bin",
    "/usr/share/qemu/vgabios-stdvga.bin",
    "/usr/share/vgabios/vgabios-stdvga.bin",
];
/// Length of that ROM's BAR, in bytes.
const DEFAULT_ROM_BYTES: usize = 64 << 10;
/// The one address that the device can have, as QEMU's `addr` property.
const ADDRESSES: [&str; 4] = ["02.0", "2.0", "02", "2"];

/// Answers QEMU's qtest protocol for a standard VGA device, on standard input and output.
#[derive(Parser)]
#[command(name = "qtest")]
pub struct Options {
    /// The machine: `pc` or `isapc`
    #[arg(short = 'M', long = "machine", value_enum, default_value_t = MachineKind::Pc)]
    pub machine: MachineKind,
    /// The device and its properties, as QEMU's `-device`: `VGA`, `secondary-vga` or `isa-vga`
    #[arg(long, value_name = "NAME[,PROPERTY=VALUE...]", default_value = "VGA")]
    pub device: String,
    /// Whether text can blink, as on hardware and in QEMU since 11.1
    #[arg(long, value_enum, default_value_t = Switch::Off)]
    pub text_blink: Switch,
    /// How retraces are told: toggling at every read, or by the clock that `clock_step` moves
    #[arg(long, value_enum, default_value_t = RetraceMethod::Dumb)]
    pub retrace: RetraceMethod,
    /// Print each command on standard error, with a comment that names the registers it reached. The
    /// output is input again
    #[arg(long)]
    pub trace: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MachineKind {
    Pc,
    Isapc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RetraceMethod {
    Dumb,
    Precise,
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
    /// The device's configuration. `clock` is for the precise retrace.
    pub fn config(&self, clock: Clock) -> Result<Config> {
        let (name, properties) = self.device.split_once(',').unwrap_or((&self.device, ""));
        let variant = match name {
            "VGA" => Variant::Vga,
            "secondary-vga" => Variant::SecondaryVga,
            "isa-vga" => Variant::IsaVga,
            _ => bail!("-device {name}: not VGA, secondary-vga or isa-vga"),
        };
        match (self.machine, variant) {
            (MachineKind::Pc, Variant::IsaVga) => bail!("-device isa-vga: needs -M isapc"),
            (MachineKind::Isapc, Variant::Vga | Variant::SecondaryVga) => {
                bail!("-device {name}: needs -M pc, for isapc has no PCI")
            }
            _ => {}
        }
        let mut config = Config {
            variant,
            text_blink: self.text_blink == Switch::On,
            retrace: match self.retrace {
                RetraceMethod::Dumb => Retrace::Dumb,
                RetraceMethod::Precise => Retrace::Precise(clock),
            },
            ..Config::default()
        };
        let mut has_default_rom = variant == Variant::Vga;
        for property in properties
            .split(',')
            .filter(|property| !property.is_empty())
        {
            let (key, value) = property
                .split_once('=')
                .with_context(|| format!("-device {name}: property '{property}' has no value"))?;
            if key == "romfile" {
                has_default_rom = false;
                config.rom = read_rom(value)?;
            } else {
                set(&mut config, key, value)
                    .with_context(|| format!("-device {name}: property '{property}'"))?;
            }
        }
        if has_default_rom {
            config.rom = Some(default_rom(self.trace));
        }
        Ok(config)
    }
}

/// Sets a property that is a field of the configuration.
fn set(config: &mut Config, key: &str, value: &str) -> Result<()> {
    let is_pci = config.variant.is_pci();
    match key {
        "vgamem_mb" => config.vram_mib = Some(number(value)?),
        "addr" if is_pci => {
            ensure!(
                ADDRESSES.contains(&value),
                "the device is at 02.0 here, and nowhere else"
            );
        }
        "mmio" if config.variant == Variant::Vga => config.mmio = switch(value)?,
        "qemu-extended-regs" if is_pci => config.qemu_extended_regs = switch(value)?,
        "edid" if is_pci => config.edid = switch(value)?,
        "xres" if is_pci => config.monitor.xres = number(value)?,
        "yres" if is_pci => config.monitor.yres = number(value)?,
        "xmax" if is_pci => config.monitor.xmax = number(value)?,
        "ymax" if is_pci => config.monitor.ymax = number(value)?,
        "refresh_rate" if is_pci => config.monitor.refresh_rate = number(value)?,
        // QEMU takes it, and creation then sets the target's default.
        "big-endian-framebuffer" if is_pci => drop(switch(value)?),
        _ => bail!("there's no such property"),
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
    parsed.with_context(|| format!("'{value}' is no number from 0 to {}", u32::MAX))
}

/// A ROM file's bytes; none for an empty name.
fn read_rom(path: &str) -> Result<Option<Vec<u8>>> {
    if path.is_empty() {
        return Ok(None);
    }
    let rom = std::fs::read(PathBuf::from(path)).with_context(|| format!("romfile '{path}'"))?;
    Ok(Some(rom))
}

/// QEMU's default ROM, padded with zeros; nothing but zeros where it isn't installed. With a trace,
/// standard error is quiet about that: what it carries is input again.
fn default_rom(is_quiet: bool) -> Vec<u8> {
    let mut rom = DEFAULT_ROMS
        .iter()
        .find_map(|path| std::fs::read(Path::new(path)).ok())
        .unwrap_or_else(|| {
            if !is_quiet {
                eprintln!("qtest: no vgabios-stdvga.bin is installed: the ROM is all zeros");
            }
            Vec::new()
        });
    rom.resize(DEFAULT_ROM_BYTES, 0);
    rom
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> Result<Config> {
        let arguments = ["qtest"].iter().chain(arguments).map(OsString::from);
        Options::try_parse_from(with_long_flags(arguments))?.config(Clock::new(|| 0))
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
                "-device cirrus-vga: not VGA",
            ),
            (&["-device", "isa-vga"], "needs -M isapc"),
            (&["-M", "isapc", "-device", "VGA"], "needs -M pc"),
            (
                &["-M", "isapc", "-device", "isa-vga,edid=on"],
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
            (&["-device", "VGA,vgamem_mb=many"], "'many' is no number"),
            (&["-device", "VGA,addr=03.0"], "at 02.0 here"),
            (&["-device", "VGA,edid"], "has no value"),
            (
                &["-device", "VGA,romfile=/nowhere/rom"],
                "romfile '/nowhere/rom'",
            ),
        ] {
            let error = format!("{:#}", config(arguments).unwrap_err());
            assert!(error.contains(message), "{arguments:?}: {error}");
        }
    }
}
