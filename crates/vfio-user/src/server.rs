// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Waits for clients and signals, and shows the screen.

use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum, value_parser};
use rustix::event::{PollFd, PollFlags, Timespec};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use stdvga::{Config, Counters, Dirty, Monitor, Variant};
use stdvga_frontend::address::{Access, Address};
use stdvga_frontend::display::Display;
use stdvga_frontend::files;
use stdvga_frontend::picture;
use stdvga_frontend::vnc::Viewers;
use stdvga_frontend::{program_name, say};
use stdvga_vfio_user::device::Device;

use crate::session::Session;
use crate::socket::{self, Greeting, Socket};

/// The largest mode that the device has.
const XRES: RangeInclusive<i64> = 1..=16000;
const YRES: RangeInclusive<i64> = 1..=12000;
/// The least and the most that the device can have.
const VGAMEM_MIB: RangeInclusive<i64> = 1..=512;
/// How often the server looks at the VGA.
const FRAME: Duration = Duration::from_millis(40);
/// How long a client may wait with its first word. VMMs speak at once.
const MOST_SILENCE: Duration = Duration::from_secs(2);

/// What --help ends with.
const ENDS: &str = "\
Exit status:
  0  ended by Ctrl-C or SIGTERM
  1  something went wrong, or an option's value can't be used here
  2  an option is unknown or malformed";

/// Serves a standard VGA to a VMM that speaks vfio-user: one client at a time, a new device for each.
///
/// SIGUSR1 writes the picture to the file of --screenshot. It's also written when a client disconnects, and when the
/// server ends (Ctrl-C or SIGTERM). A line on stdout says when the picture has been written.
#[derive(Parser)]
#[command(version, after_help = ENDS)]
struct Args {
    /// Path of the socket, which must not exist yet. Only this user's processes can connect
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// Which of QEMU's devices it is. Neither has legacy ports here, nor the 0xa0000 window
    #[arg(long, value_enum, default_value_t = Class::SecondaryVga)]
    device: Class,
    /// The VGA's memory, rounded up to a power of two: 1 to 512 MiB
    #[arg(long, value_name = "MIB", default_value_t = 16)]
    #[arg(allow_negative_numbers = true, value_parser = value_parser!(u32).range(VGAMEM_MIB))]
    vgamem: u32,
    /// Width that the monitor prefers: a multiple of 8 [default: 1280]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(XRES))]
    #[arg(allow_negative_numbers = true)]
    xres: Option<u32>,
    /// Height that the monitor prefers [default: 800]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(YRES))]
    #[arg(allow_negative_numbers = true)]
    yres: Option<u32>,
    /// Option ROM: a VGA BIOS that needs no legacy ports
    #[arg(long, value_name = "FILE")]
    romfile: Option<PathBuf>,
    /// Where to write pictures: each replaces the last one atomically
    #[arg(long, value_name = "FILE.png")]
    screenshot: Option<PathBuf>,
    /// Show the screen live to VNC viewers: at PORT of this host only, or at HOST:PORT; port 0 takes a free
    /// one. What viewers type goes nowhere
    #[arg(long, value_name = "[HOST:]PORT", allow_negative_numbers = true)]
    vnc: Option<String>,
    #[command(flatten)]
    vnc_access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Class {
    /// Class 0x038000: a display that isn't VGA compatible
    #[value(name = "secondary-vga")]
    SecondaryVga,
    /// Class 0x030000: firmware takes it for the primary display
    #[value(name = "VGA")]
    Vga,
}

/// Serves until a signal ends that.
pub fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    let config = config(&args)?;
    let vnc = args.vnc.as_deref();
    let address = vnc
        .map(|given| Address::parse(given, &args.vnc_access))
        .transpose()?;
    args.screenshot.as_deref().map_or(Ok(()), picture::check)?;
    // Each client gets a device: what's wrong with it is better known before.
    Device::new(config.clone())?;
    if let Some(warning) = args.xres.and_then(sheared) {
        say(warning);
    }
    let mut server = Server {
        signals: Signals::register().context("no signals")?,
        config,
        screenshot: args.screenshot,
        display: Display::new(
            Instant::now(),
            address.as_ref().map(Viewers::listen).transpose()?,
        ),
        socket: Socket::new(args.socket)?,
    };
    while let Some(session) = server.wait()? {
        server.serve(session)?;
    }
    server.end()
}

fn config(args: &Args) -> Result<Config> {
    let rom = args.romfile.as_deref().map(files::vga_bios);
    Ok(Config::new(match args.device {
        Class::SecondaryVga => Variant::SecondaryVga,
        Class::Vga => Variant::Vga,
    })
    .vram_mib(args.vgamem)
    .monitor(Monitor::new(
        args.xres.unwrap_or_default(),
        args.yres.unwrap_or_default(),
    ))
    .rom(rom.transpose()?))
}

/// What's wrong with a width that DISPI can't have, and which one to take.
fn sheared(xres: u32) -> Option<String> {
    let next = xres.next_multiple_of(8);
    (xres != next).then(|| {
        format!(
            "--xres {xres}: DISPI rounds widths down to a multiple of 8, and guests show sheared stripes; take {next}"
        )
    })
}

struct Server {
    socket: Socket,
    signals: Signals,
    config: Config,
    screenshot: Option<PathBuf>,
    display: Display,
}

impl Server {
    /// Waits for a client. There's none if the server shall end.
    ///
    /// One that says nothing is no client: it gets no device, and no word is said of it.
    fn wait(&self) -> Result<Option<Session>> {
        self.display.note(&format!(
            "{} waits for a client at {}",
            self.config.variant,
            self.socket.path.display()
        ));
        while !self.signals.end() {
            if self.signals.take_picture() {
                self.try_to_save();
            }
            if !self.socket.has_client(FRAME)? {
                continue;
            }
            let client = self.socket.accept().context("no client can be accepted")?;
            if self.speaks(&client)? {
                return Session::start(client, self.config.clone()).map(Some);
            }
        }
        Ok(None)
    }

    /// Whether a client says anything.
    fn speaks(&self, client: &UnixStream) -> Result<bool> {
        let accepted = Instant::now();
        while !self.signals.end() && accepted.elapsed() < MOST_SILENCE {
            if self.signals.take_picture() {
                self.try_to_save();
            }
            match socket::greeting(client, FRAME)? {
                Greeting::Silent => {}
                Greeting::Gone => return Ok(false),
                Greeting::Speaks => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Shows a client's screen until it has gone, or the server shall end.
    fn serve(&mut self, mut session: Session) -> Result<()> {
        self.display.note("a client has connected");
        let (mut resets, mut is_attached, mut is_alone) = (0, false, true);
        loop {
            // The picture comes after these: it has all that the client did before.
            let (is_asked, ends) = (self.signals.take_picture(), self.signals.end());
            let is_finished = session.is_finished();
            let counters = session.device.lock().counters();
            // One that gave up while it waited for the last client mustn't spoil that one's picture.
            let has_begun = counters != Counters::default();
            if has_begun && !is_attached {
                is_attached = true;
                self.display.note("the client uses the device");
                self.display.start_anew();
            }
            if has_begun {
                self.show(&session.device)?;
            }
            if counters.resets != resets {
                resets = counters.resets;
                self.display.note("reset");
            }
            if is_asked || (is_finished && has_begun) {
                self.try_to_save();
            }
            if is_finished {
                self.display.note(&session.farewell());
                return Ok(());
            }
            if ends {
                return Ok(());
            }
            if is_alone && self.socket.has_client(Duration::ZERO)? {
                is_alone = false;
                self.display
                    .note("another client waits until this one has gone");
            }
            session.wait(FRAME);
        }
    }

    /// Draws a device's screen, as far as it changed.
    fn show(&mut self, device: &Device) -> Result<()> {
        let (scanout, vram) = {
            let vga = device.lock();
            (vga.scanout(), vga.vram().clone())
        };
        self.display.refresh(&scanout, &vram, Dirty::Compare)?;
        Ok(())
    }

    /// Shows and writes the last picture.
    fn end(&self) -> Result<()> {
        if let Some(viewers) = self.display.viewers() {
            viewers.finish();
        }
        self.save()
    }

    /// Writes the picture. Where that can't be, clients are served all the same.
    fn try_to_save(&self) {
        if let Err(error) = self.save() {
            self.display.say(&format!("{error:#}"));
        }
    }

    /// Writes the picture, if there's a file for it.
    fn save(&self) -> Result<()> {
        let Some(path) = &self.screenshot else {
            return Ok(());
        };
        let picture = &self.display.picture;
        self.display.save(path)?;
        tell(&format!(
            "{}: {} pixels written to {}",
            program_name(),
            picture.size(),
            path.display()
        ));
        Ok(())
    }
}

/// Writes a line to stdout. A stdout that's closed, or that nobody reads, is no reason to stop: clients can
/// cause lines until it's full.
fn tell(line: &str) {
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::OUT)];
    let has_room = rustix::event::poll(&mut polled, Some(&Timespec::default()));
    if has_room.is_ok_and(|ready| ready > 0) {
        let _ = writeln!(&stdout, "{line}");
    }
}

/// The signals that came. No thread but the first one notices them: what others wait in goes on.
struct Signals {
    end: Arc<AtomicBool>,
    picture: Arc<AtomicBool>,
}

impl Signals {
    fn register() -> io::Result<Self> {
        let signals = Self {
            end: Arc::default(),
            picture: Arc::default(),
        };
        for (signal, flag) in [
            (SIGINT, &signals.end),
            (SIGTERM, &signals.end),
            (SIGUSR1, &signals.picture),
        ] {
            signal_hook::flag::register(signal, Arc::clone(flag))?;
        }
        Ok(signals)
    }

    /// Whether the server shall end.
    fn end(&self) -> bool {
        self.end.load(Ordering::Relaxed)
    }

    /// Whether the picture was asked for since the last call.
    fn take_picture(&self) -> bool {
        self.picture.swap(false, Ordering::Relaxed)
    }
}
