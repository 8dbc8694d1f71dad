// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Runs a guest under KVM: the vCPU on a thread of its own, the display on this one.

use std::collections::VecDeque;
use std::ffi::{c_int, c_void};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use stdvga::embedding::DirtyPages;
use stdvga::{Dirty, Scanout, Vram};
use stdvga_frontend::display::Display;
use stdvga_frontend::vnc::Viewers;
use vmm_sys_util::signal::{Killable, SIGRTMIN, register_signal_handler};

use crate::board::Board;
use crate::demo;
use crate::embedded;
use crate::interrupt::Interrupt;
use crate::kvm::{self, Vcpu};
use crate::machine::{self, Machine, Signals, Stop};
use crate::outcome::{End, Options, Outcome, Start, Until};
use crate::slots;
use crate::visible;

/// How often the display thread looks at the VGA.
const FRAME: Duration = Duration::from_millis(40);
/// How long nothing may happen before a picture is taken for finished: less where the guest sleeps,
/// since one that computes may go on to draw.
const STILL: Duration = Duration::from_secs(16);
const ASLEEP: u32 = 4;
/// Time for the guest to take one key.
const KEY: Duration = Duration::from_millis(150);
/// The longest run if no `--seconds` are given.
const LIMIT: Duration = Duration::from_secs(300);
/// After this time the user learns that nothing was drawn yet.
const SUSPENSE: Duration = Duration::from_secs(10);

/// Checks that KVM can be used.
pub fn check(path: &Path) -> Result<()> {
    kvm::open(path).map(|_| ())
}

/// The guest's RAM.
pub use crate::machine::ram;

/// The BIOS image that carries out the demo program.
pub fn embedded_bios() -> Result<Vec<u8>> {
    embedded::image(&demo::program())
}

/// Loads a Linux kernel into the guest's RAM.
pub use crate::linux::load as load_kernel;

/// Runs `board` until the end that the options ask for, or another one.
pub fn run(path: &Path, board: Board, start: Start, options: Options) -> Result<Outcome> {
    let interrupt = Interrupt::register()?;
    let (machine, vcpu) = Machine::new(&kvm::open(path)?, board, &start, &options)?;
    let Options { until, keys, .. } = options;
    let vram = machine.board.vga.vram().clone();
    let machine = Arc::new(Mutex::new(machine));
    let viewers = options.vnc.as_ref().map(Viewers::listen).transpose()?;
    let began = Instant::now();
    let thread = VcpuThread::start(vcpu, Arc::clone(&machine))?;
    let mut watch = Watch {
        machine: &machine,
        start: &start,
        interrupt,
        vram: &vram,
        display: Display::new(began, viewers),
        has_drawn: false,
        has_warned: false,
        dirty: options.dirty_log.then(|| DirtyPages::new(&vram)),
        keys: keys.into(),
        next_key: None,
        quiet: Duration::ZERO,
        accesses: 0,
    };
    let end = watch.watch(&thread, &until)?;
    let stop = thread.stop()?;
    let scanout = watch.frame()?;
    let is_running = stop == Stop::Asked;
    let end = match stop {
        Stop::Asked => end,
        stop => End::Stopped(describe(stop)),
    };
    let end = match until {
        // The text may be the last thing that the guest wrote.
        Until::Text(text) if shows(&scanout, &vram, &text) => End::Reached,
        _ => end,
    };
    let Watch {
        display,
        has_drawn,
        has_warned,
        ..
    } = watch;
    let counts = slots::lock(&machine).board.counts;
    let causes = if has_drawn || has_warned {
        Vec::new()
    } else {
        visible::causes_of_nothing(&start, counts.exits, is_running)
    };
    Ok(Outcome {
        scanout,
        vram,
        display,
        has_drawn,
        causes,
        counts,
        elapsed: began.elapsed(),
        end,
    })
}

fn describe(stop: Stop) -> Result<&'static str, String> {
    match stop {
        Stop::Asked => Ok("the guest was stopped"),
        Stop::Halted => Ok("the guest halted with interrupts off"),
        Stop::Reset => Ok("the guest asked for a reset"),
        Stop::TripleFault => Err("the guest crashed (triple fault)".into()),
        Stop::Failed(message) => Err(message),
    }
}

fn shows(scanout: &Scanout, vram: &Vram, wanted: &str) -> bool {
    scanout
        .text(vram)
        .is_some_and(|text| text.to_string().contains(wanted))
}

/// The display thread's side.
struct Watch<'a> {
    machine: &'a Mutex<Machine>,
    start: &'a Start,
    interrupt: Interrupt,
    vram: &'a Vram,
    display: Display,
    /// Whether there was ever something to see.
    has_drawn: bool,
    /// Whether the user knows what it may mean that there wasn't.
    has_warned: bool,
    /// Where the pages that were written are collected, if they're logged.
    dirty: Option<DirtyPages>,
    keys: VecDeque<Vec<u8>>,
    /// When the next key is due: typing has begun.
    next_key: Option<Instant>,
    /// For how long nothing has happened; sleep counts `ASLEEP` times.
    quiet: Duration,
    accesses: u64,
}

impl Watch<'_> {
    /// Shows the guest's screen until the run is at its end.
    fn watch(&mut self, thread: &VcpuThread, until: &Until) -> Result<End> {
        let start = Instant::now();
        loop {
            let scanout = self.frame()?;
            if thread.is_finished() {
                return Ok(End::Reached);
            }
            if let Some(signal) = self.interrupt.signal() {
                return Ok(match until {
                    Until::Signal => End::Reached,
                    _ => End::Interrupted(signal),
                });
            }
            if start.elapsed() >= SUSPENSE && !self.has_drawn && !self.has_warned {
                self.warn();
            }
            let still = self.quiet >= STILL && self.is_visible(&scanout);
            self.type_keys(still);
            self.pass_keys();
            let ready = self.keys.is_empty();
            match until {
                Until::Stable if still && ready => return Ok(End::Reached),
                Until::Text(text) if ready && shows(&scanout, self.vram, text) => {
                    return Ok(End::Reached);
                }
                Until::Time(time) if start.elapsed() >= *time => return Ok(End::Reached),
                Until::Stable | Until::Text(_) if start.elapsed() >= LIMIT => {
                    return Ok(End::TimedOut(LIMIT));
                }
                _ => {}
            }
            thread.kick();
            thread::sleep(FRAME);
            self.quiet += FRAME * if thread.is_idle() { ASLEEP } else { 1 };
        }
    }

    /// One refresh. The lock is held for a snapshot only: drawing happens without it.
    ///
    /// Writes that KVM coalesced up to the last kick are in it.
    fn frame(&mut self) -> Result<Scanout> {
        let (scanout, accesses, notes) = {
            let mut machine = slots::lock(self.machine);
            if let Some(dirty) = &mut self.dirty {
                machine.drain_dirty(dirty)?;
            }
            let board = &mut machine.board;
            (
                board.vga.scanout(),
                board.counts.vga(),
                std::mem::take(&mut board.notes),
            )
        };
        notes.iter().for_each(|note| self.display.say(note));
        let mut refresh = |dirty: Dirty<'_>| self.display.refresh(&scanout, self.vram, dirty);
        let changed = match &mut self.dirty {
            Some(pages) => pages.consume(refresh)?,
            None => refresh(Dirty::Compare)?,
        };
        if changed || accesses != self.accesses {
            self.quiet = Duration::ZERO;
        }
        self.accesses = accesses;
        if changed && !self.has_drawn {
            self.has_drawn = self.is_visible(&scanout);
        }
        Ok(scanout)
    }

    fn is_visible(&self, scanout: &Scanout) -> bool {
        visible::is_visible(&self.display, scanout.text(self.vram).as_ref())
    }

    /// Says that nothing was drawn yet, and what that may mean.
    fn warn(&mut self) {
        self.has_warned = true;
        let exits = slots::lock(self.machine).board.counts.exits;
        self.display.say(&format!(
            "nothing has been drawn yet; exits so far: {exits}"
        ));
        for cause in visible::causes_of_nothing(self.start, exits, true) {
            self.display.say(&format!("  {cause}"));
        }
    }

    /// Passes on what viewers typed, as far as the guest takes it. The vCPU never waits for viewers: the
    /// machine's lock isn't held while theirs is taken.
    fn pass_keys(&mut self) {
        let Some(viewers) = self.display.viewers() else {
            return;
        };
        let room = slots::lock(self.machine).board.keyboard.room();
        let codes = viewers.take_keys(room);
        if !codes.is_empty() {
            slots::lock(self.machine).push_keys(&codes);
            self.quiet = Duration::ZERO;
        }
    }

    /// Types the next key, if one is due.
    fn type_keys(&mut self, still: bool) {
        let due = match self.next_key {
            None => still,
            Some(time) => Instant::now() >= time,
        };
        if !due {
            return;
        }
        if let Some(key) = self.keys.pop_front() {
            slots::lock(self.machine).push_keys(&key);
            self.next_key = Some(Instant::now() + KEY);
            self.quiet = Duration::ZERO;
        }
    }
}

/// The thread that runs the guest.
struct VcpuThread {
    signals: Arc<Signals>,
    thread: JoinHandle<Stop>,
}

impl VcpuThread {
    fn start(vcpu: Vcpu, machine: Arc<Mutex<Machine>>) -> Result<Self> {
        register_signal_handler(SIGRTMIN(), ignore)
            .context("the vCPU's thread can't be given a signal")?;
        let signals = Arc::new(Signals::default());
        let theirs = Arc::clone(&signals);
        let thread = thread::Builder::new()
            .name("vcpu0".into())
            .spawn(move || machine::run(vcpu, &machine, &theirs))
            .context("the vCPU's thread can't be started")?;
        Ok(Self { signals, thread })
    }

    fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Whether the guest was asleep at the last kick.
    fn is_idle(&self) -> bool {
        self.signals.idle.load(Ordering::Relaxed)
    }

    /// Gets the vCPU out of the guest for a moment, so that it looks at `quit`, whether the guest sleeps
    /// for good, and what it wrote without an exit.
    fn kick(&self) {
        // It fails where the thread has ended, and then there's nothing to kick.
        let _ = self.thread.kill(SIGRTMIN());
    }

    /// Stops the guest, and returns why it stopped.
    fn stop(self) -> Result<Stop> {
        self.signals.quit.store(true, Ordering::Relaxed);
        while !self.thread.is_finished() {
            self.kick();
            thread::sleep(Duration::from_millis(5));
        }
        self.thread
            .join()
            .map_err(|_| anyhow!("the vCPU thread panicked"))
    }
}

/// The signal's work is done when it interrupts KVM_RUN.
extern "C" fn ignore<Info>(_: c_int, _: *mut Info, _: *mut c_void) {}
