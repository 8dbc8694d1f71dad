// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A small machine around `stdvga`: boots SeaBIOS, a Linux kernel, a guest of our own, or a script,
//! and shows the screen.
//!
//! - `board.rs` is what a VMM that embeds the VGA looks at first: which access reaches what.
//! - `machine.rs` and `kvm.rs` put the board under KVM; `slots.rs` has the memory slots that follow the VGA's
//!   mappings; `permission.rs` says what to do if KVM can't be opened.
//! - `vmm.rs` has the two threads: the vCPU, and the screen. `interrupt.rs` has the signals that end them.
//! - `report.rs` is what the user gets in the end, `visible.rs` whether there's a picture to see, and
//!   `terminal.rs` how it's printed.
//! - The crate `stdvga-frontend` is the host's side of the screen, and refuses files that can't be right.
//! - `pci.rs`, `fw_cfg.rs`, `cmos.rs`, `i8042.rs` and `console.rs` are what SeaBIOS needs besides.
//! - `linux.rs` is what a Linux kernel needs to be booted without firmware, besides `serial.rs`.
//! - `demo.rs`, `embedded.rs` and `scripted.rs` are the guest of our own.

// The parts that only KVM's machine needs are compiled everywhere, but unused elsewhere.
#![cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    allow(dead_code)
)]

mod board;
mod cmos;
mod console;
mod demo;
mod firmware;
mod font;
mod fw_cfg;
mod i8042;
mod outcome;
mod pci;
mod report;
mod scripted;
mod serial;
mod terminal;
mod values;
mod visible;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod embedded;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod interrupt;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kvm;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod machine;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod permission;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod slots;
#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    path = "no_kvm.rs"
)]
mod vmm;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::builder::ArgPredicate;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use stdvga::{Config, Dirty, StdVga};
use stdvga_frontend::address::{Access, Address};
use stdvga_frontend::display::Display;
use stdvga_frontend::keys;
use stdvga_frontend::picture;
use vm_memory::{GuestAddress, GuestMemoryMmap};

use crate::board::{Board, Counts};
use crate::cmos::Cmos;
use crate::firmware::VgaBios;
use crate::fw_cfg::FwCfg;
use crate::outcome::{End, Options, Outcome, Start, Until};
use crate::report::Request;

const MIB: u64 = 1 << 20;
/// RAM ends below the addresses that firmware gives to PCI devices.
const MEMORY_MIB: RangeInclusive<u32> = 2..=3584;
/// A larger BAR doesn't fit between those and the chipset's own addresses.
const VGAMEM_MIB: RangeInclusive<u32> = 1..=256;

/// What --help ends with.
const ENDS: &str = "\
Ctrl-C or SIGTERM ends the machine: its screen is printed and saved as it is. A second one ends the program at once.

Exit status:
  0    the screen was shown as requested; with --vnc, also after Ctrl-C or SIGTERM
  1    something went wrong, an option's value can't be used here, or the guest drew nothing
  2    an option is unknown, malformed or incompatible with another
  130  ended by Ctrl-C before that
  143  ended by SIGTERM before that";

/// Boots a small machine with a standard VGA, and shows its screen.
#[derive(Parser)]
#[command(version, after_help = ENDS)]
struct Args {
    /// What to run [default: firmware if this host has KVM and SeaBIOS's files, embedded if it only has KVM,
    /// else scripted]
    #[arg(long, value_enum)]
    guest: Option<Guest>,
    /// BIOS image [default: SeaBIOS, as distributions install it]
    #[arg(long, value_name = "FILE", value_parser = values::file())]
    bios: Option<PathBuf>,
    /// VGA BIOS [default: SeaBIOS's for the standard VGA]
    #[arg(long, value_name = "FILE", value_parser = values::file())]
    vgabios: Option<PathBuf>,
    /// Floppy image or boot sector to boot from, up to 2.88 MB
    #[arg(long, value_name = "IMAGE", value_parser = values::file())]
    floppy: Option<PathBuf>,
    /// Linux kernel (bzImage or vmlinux) to boot without firmware. What it writes to the serial port at 0x3f8
    /// (console=ttyS0) goes to stderr
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["guest", "bios", "vgabios", "floppy"])]
    #[arg(value_parser = values::file())]
    kernel: Option<PathBuf>,
    /// The kernel's initial RAM disk
    #[arg(long, value_name = "FILE", requires = "kernel", value_parser = values::file())]
    initrd: Option<PathBuf>,
    /// The kernel's command line
    #[arg(long, value_name = "TEXT", requires = "kernel", default_value = "")]
    #[arg(hide_default_value = true, allow_hyphen_values = true)]
    #[arg(value_parser = values::text())]
    append: String,
    /// The guest's RAM: 2 to 3584 MiB [default: 32, for a kernel 256]
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = 32,
        hide_default_value = true
    )]
    #[arg(default_value_if("kernel", ArgPredicate::IsPresent, "256"))]
    #[arg(allow_negative_numbers = true, value_parser = values::mib(MEMORY_MIB))]
    memory: u32,
    /// The VGA's memory, rounded up to a power of two: 1 to 256 MiB
    #[arg(long, value_name = "MIB", default_value_t = 16)]
    #[arg(allow_negative_numbers = true, value_parser = values::mib(VGAMEM_MIB))]
    vgamem: u32,
    /// Show the screen after N seconds
    #[arg(long, value_name = "N", conflicts_with_all = ["until_stable", "until_text"])]
    #[arg(allow_negative_numbers = true, value_parser = values::seconds)]
    seconds: Option<f64>,
    /// Show the screen once it stops changing, after 300 seconds at the latest [default]
    #[arg(long, conflicts_with = "until_text")]
    until_stable: bool,
    /// Show the screen once its text contains TEXT, after 300 seconds at the latest
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    #[arg(value_parser = values::wanted_text())]
    until_text: Option<String>,
    /// Keys to type once the screen stops changing: text, and <enter>, <esc>, <up>, <f12> and so on;
    /// <lt> for a '<'
    #[arg(long = "type", value_name = "KEYS", allow_hyphen_values = true)]
    #[arg(value_parser = values::text())]
    keys: Option<String>,
    /// Show the screen live to VNC viewers, at PORT of this host only, or at HOST:PORT; port 0 takes a free one.
    /// What viewers type goes to the guest's keyboard, which not every guest reads. The guest runs until it ends or
    /// Ctrl-C is pressed, unless --seconds or --until-... say otherwise
    #[arg(long, value_name = "[HOST:]PORT", allow_negative_numbers = true)]
    vnc: Option<String>,
    #[command(flatten)]
    vnc_access: Access,
    /// Whether text can blink, as on hardware and in QEMU since 11.1
    #[arg(long, value_enum, default_value_t = Switch::On)]
    text_blink: Switch,
    /// Whether KVM collects the guest's writes to the 0xa0000 window, instead of leaving the guest (an exit) for each
    #[arg(long, value_enum, default_value_t = Switch::On)]
    coalescing: Switch,
    /// How the screen learns what changed in VRAM
    #[arg(long, value_enum, default_value_t = Damage::Compare)]
    damage: Damage,
    /// Where to write the picture, unless the guest drew nothing [default: boot.png, or nowhere with --text]
    #[arg(long, value_name = "FILE.png", value_parser = values::file())]
    screenshot: Option<PathBuf>,
    /// Print the text screen as plain lines, and nothing else
    #[arg(long)]
    text: bool,
    /// Copy the debug console at port 0x402 to stderr
    #[arg(long)]
    debug_console: bool,
    /// KVM's device [default: /dev/kvm]
    #[arg(long, value_name = "FILE", value_parser = values::file())]
    kvm: Option<PathBuf>,
}

impl Args {
    fn kvm(&self) -> &Path {
        self.kvm.as_deref().unwrap_or(Path::new("/dev/kvm"))
    }

    /// Where to write the picture, if one is wanted.
    fn screenshot(&self) -> Option<&Path> {
        let default = (!self.text).then_some(Path::new("boot.png"));
        self.screenshot.as_deref().or(default)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Guest {
    /// A BIOS and a VGA BIOS, under KVM
    Firmware,
    /// A built-in real-mode program, under KVM
    Embedded,
    /// The same program without a CPU: doesn't need KVM
    Scripted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Damage {
    /// By comparing VRAM with what it drew before
    Compare,
    /// From KVM's log of dirty pages, and the device's own marks
    Log,
}

fn main() -> ExitCode {
    let args = Args::try_parse().unwrap_or_else(|error| values::advise(error).exit());
    let request = Request {
        screenshot: args.screenshot(),
        text: args.text,
        until_text: args.until_text.as_deref(),
    };
    let result = run(&args).and_then(|outcome| report::show(&request, &outcome));
    result.unwrap_or_else(|error| {
        terminal::say(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}

/// Runs the guest that was asked for.
fn run(args: &Args) -> Result<Outcome> {
    args.screenshot().map_or(Ok(()), picture::check)?;
    let options = Options {
        until: until(args),
        keys: keys::scan_codes(args.keys.as_deref().unwrap_or(""))?,
        coalescing: args.coalescing == Switch::On,
        dirty_log: args.damage == Damage::Log,
        vnc: vnc(args)?,
    };
    if let Some(kernel) = &args.kernel {
        return run_kernel(args, kernel, options);
    }
    match choose(args)? {
        Guest::Scripted => run_script(args),
        Guest::Embedded => {
            let board = board(
                args,
                vmm::ram(u64::from(args.memory) * MIB)?,
                None,
                Vec::new(),
            )?;
            vmm::run(
                args.kvm(),
                board,
                Start::Bios(vmm::embedded_bios()?),
                options,
            )
        }
        Guest::Firmware => {
            let path = |given: &Option<PathBuf>, find: fn() -> Result<PathBuf>| {
                given.clone().map_or_else(find, Ok)
            };
            let bios = firmware::bios(&path(&args.bios, firmware::find_bios)?)?;
            let mut files = Vec::new();
            let rom = match firmware::vga_bios(&path(&args.vgabios, firmware::find_vga_bios)?)? {
                VgaBios::RomBar(rom) => Some(rom),
                VgaBios::FwCfg(name, rom) => {
                    files.push((name, rom));
                    None
                }
            };
            if let Some(image) = &args.floppy {
                files.push(("floppyimg/floppy.img".into(), firmware::floppy(image)?));
            }
            let board = board(args, vmm::ram(u64::from(args.memory) * MIB)?, rom, files)?;
            vmm::run(args.kvm(), board, Start::Bios(bios), options)
        }
    }
}

/// Runs a Linux kernel without firmware. Of what firmware does, it needs the text screen.
fn run_kernel(args: &Args, kernel: &Path, options: Options) -> Result<Outcome> {
    vmm::check(args.kvm())?;
    terminal::say("guest: Linux under KVM, without firmware");
    let ram = vmm::ram(u64::from(args.memory) * MIB)?;
    let start = vmm::load_kernel(&ram, kernel, args.initrd.as_deref(), &args.append)?;
    let mut board = board(args, ram, None, Vec::new())?;
    scripted::run(&mut board, &demo::text_mode(), |_| {});
    board.counts = Counts::default(); // what the guest does counts
    vmm::run(args.kvm(), board, Start::LongMode(start), options)
}

/// Where VNC viewers can connect, if they may.
fn vnc(args: &Args) -> Result<Option<Address>> {
    let given = args.vnc.as_deref();
    given
        .map(|given| Address::parse(given, &args.vnc_access))
        .transpose()
}

fn until(args: &Args) -> Until {
    match (args.seconds, &args.until_text) {
        (Some(seconds), _) => Until::Time(Duration::from_secs_f64(seconds)),
        (None, Some(text)) => Until::Text(text.clone()),
        (None, None) if args.vnc.is_some() && !args.until_stable => Until::Signal,
        (None, None) => Until::Stable,
    }
}

/// Which guest to run, and says so. Only where nothing was asked for that needs KVM or firmware, a
/// lack of them leads to another guest.
fn choose(args: &Args) -> Result<Guest> {
    let files = [&args.bios, &args.vgabios, &args.floppy];
    let wants_firmware = files.iter().any(|file| file.is_some());
    if wants_firmware && args.guest.is_some_and(|guest| guest != Guest::Firmware) {
        conflict("--bios, --vgabios and --floppy need --guest firmware");
    }
    let wants_cpu = args.seconds.is_some()
        || args.until_text.is_some()
        || args.keys.is_some()
        || args.vnc.is_some()
        || args.kvm.is_some()
        || args.debug_console
        || args.coalescing == Switch::Off
        || args.damage == Damage::Log;
    if wants_cpu && args.guest == Some(Guest::Scripted) {
        conflict(
            "--guest scripted has no CPU, no keyboard and no debug console, and ends by itself: it can't be combined \
             with --seconds, --until-text, --type, --vnc, --kvm, --debug-console, --coalescing off or \
             --damage log",
        );
    }
    let guest = match args.guest {
        Some(Guest::Scripted) => Guest::Scripted,
        Some(guest) => {
            vmm::check(args.kvm())?;
            guest
        }
        None if wants_firmware || wants_cpu => {
            vmm::check(args.kvm())?;
            if wants_firmware || firmware::find().is_some() {
                Guest::Firmware
            } else {
                Guest::Embedded
            }
        }
        None => match (vmm::check(args.kvm()), firmware::find()) {
            (Err(error), _) => {
                terminal::say(format_args!("no KVM, so no CPU: {error:#}"));
                Guest::Scripted
            }
            (Ok(()), None) => {
                terminal::say(firmware::missing(
                    "SeaBIOS",
                    "bios-256k.bin or vgabios-stdvga.bin",
                    "--bios and --vgabios",
                ));
                Guest::Embedded
            }
            (Ok(()), Some(_)) => Guest::Firmware,
        },
    };
    terminal::say(match guest {
        Guest::Firmware => "guest: firmware under KVM",
        Guest::Embedded => {
            "guest: embedded (a built-in real-mode program under KVM, which reads no keyboard)"
        }
        Guest::Scripted => "guest: scripted (the embedded guest's program, without a CPU)",
    });
    if guest != Guest::Firmware {
        let (given, least) = (args.vgamem, demo::VRAM_MIB);
        ensure!(
            given >= least,
            "--vgamem {given}: this guest's picture needs at least {least} MiB"
        );
    }
    Ok(guest)
}

/// Refuses options that don't go together, as clap does.
fn conflict(message: &str) -> ! {
    Args::command()
        .error(ErrorKind::ArgumentConflict, message)
        .exit()
}

/// A board with everything on it.
fn board(
    args: &Args,
    ram: GuestMemoryMmap,
    rom: Option<Vec<u8>>,
    files: Vec<(String, Vec<u8>)>,
) -> Result<Board> {
    let config = Config::default()
        .vram_mib(args.vgamem)
        .text_blink(args.text_blink == Switch::On)
        .rom(rom);
    let vga = StdVga::new(config).context("the VGA can't be made")?;
    let cmos = Cmos::new(u64::from(args.memory) * MIB);
    Ok(Board::new(
        vga,
        ram,
        FwCfg::new(files),
        cmos,
        args.debug_console,
    ))
}

/// Runs the scripted guest.
fn run_script(args: &Args) -> Result<Outcome> {
    let start = Instant::now();
    // The script reaches no RAM; fw_cfg must have some to point at.
    let ram = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), 0x1000)])?;
    let mut board = board(args, ram, None, Vec::new())?;
    let vram = board.vga.vram().clone();
    let mut display = Display::new(start, None);
    let mut result = Ok(());
    scripted::run(&mut board, &demo::program(), |board| {
        let refreshed = display.refresh(&board.vga.scanout(), &vram, Dirty::Compare);
        result = std::mem::replace(&mut result, Ok(())).and(refreshed.map(|_| ()));
    });
    result?;
    let (scanout, counts) = (board.vga.scanout(), board.counts);
    display.refresh(&scanout, &vram, Dirty::Compare)?;
    Ok(Outcome {
        has_drawn: !display.picture.is_black(),
        causes: Vec::new(),
        scanout,
        vram,
        display,
        counts,
        elapsed: start.elapsed(),
        end: End::Reached,
    })
}
