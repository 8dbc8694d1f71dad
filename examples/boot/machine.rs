// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The machine: the board under KVM. Turns exits into accesses, and mappings into memory slots.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, anyhow};
use kvm_ioctls::Kvm;
use stdvga::{DirtyBitmap, Effects, MappedRange, Mappings, WINDOW};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use crate::board::Board;
use crate::kvm::{Access, Backing, CoalescedWrite, Exit, Sleep, Vcpu, Vm};
use crate::outcome::{Options, Start};

const MIB: u64 = 1 << 20;
const FOUR_GIB: u64 = 1 << 32;
/// Conventional memory ends here; the VGA's window and then ROMs follow.
const LOW_RAM_END: u64 = 0xa_0000;
/// From here on it's RAM again: what a real chipset switches between RAM and ROM is always RAM here.
const HIGH_RAM: u64 = 0xc_0000;
/// The BIOS's end is seen here too, up to 1 MiB.
const BIOS_COPY: u64 = 128 << 10;
const KEYBOARD_LINE: u32 = 1;
const SERIAL_LINE: u32 = 4;
const PAGE: u64 = DirtyBitmap::PAGE_SIZE as u64;

// The slots of KVM's that don't change, and the first of the VGA's.
const SLOT_LOW_RAM: u32 = 0;
const SLOT_HIGH_RAM: u32 = 1;
const SLOT_BIOS: u32 = 2;
const SLOT_VGA: u32 = 3;

/// Why the vCPU stopped.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was told to.
    Asked,
    /// The guest sleeps, and nothing will wake it.
    Halted,
    /// The guest asked for a reset.
    Reset,
    /// The guest crashed.
    TripleFault,
    /// KVM can't go on.
    Failed(String),
}

/// A part of one of the VGA's memories that a slot shows to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    guest: u64,
    len: u64,
    /// The first byte of VRAM; 0 for the ROM.
    offset: u64,
}

impl Shown {
    fn overlaps(&self, start: u64, end: u64) -> bool {
        self.guest < end && start < self.guest.saturating_add(self.len)
    }
}

/// The VGA's three slots: framebuffer, window and ROM.
type Slots = [Option<Shown>; 3];
const FRAMEBUFFER: usize = 0;
const WINDOW_RAM: usize = 1;
const ROM: usize = 2;

/// Board and memory, behind one lock.
pub struct Machine {
    pub board: Board,
    vm: Vm,
    slots: Slots,
    /// Guest addresses that are taken: RAM and the BIOS.
    taken: Vec<(u64, u64)>,
    vram: Backing,
    rom: Option<Backing>,
    /// Pages of VRAM that KVM logged as written, and that nobody has asked for yet. `None` where it keeps
    /// no log.
    log: Option<Vec<u64>>,
}

/// RAM of `bytes` bytes, with the hole for the VGA's window and the ROMs below 1 MiB.
pub fn ram(bytes: u64) -> Result<GuestMemoryMmap> {
    let regions = [
        (GuestAddress(0), LOW_RAM_END as usize),
        (GuestAddress(HIGH_RAM), (bytes - HIGH_RAM) as usize),
    ];
    // The error's text has its cause in it: as a source of ours, it would say that twice.
    GuestMemoryMmap::from_ranges(&regions).map_err(|error| {
        anyhow!(
            "the host has no {} MiB of memory for the guest: {error}",
            bytes / MIB
        )
    })
}

impl Machine {
    /// A machine, and its vCPU, which will begin with `start`.
    pub fn new(kvm: &Kvm, board: Board, start: &Start, options: &Options) -> Result<(Self, Vcpu)> {
        let (mut vm, mut vcpu) = Vm::new(kvm)?;
        if options.coalescing {
            vm.coalesce_writes(&mut vcpu, WINDOW)?;
        }
        let (low, high) = (GuestAddress(0), GuestAddress(HIGH_RAM));
        let (low_ram, high_ram) = (
            Backing::ram(&board.ram, low)?,
            Backing::ram(&board.ram, high)?,
        );
        let all = |memory: &Backing| (0, memory.len());
        vm.map(SLOT_LOW_RAM, low.0, &low_ram, all(&low_ram), Access::Write)?;
        vm.map(
            SLOT_HIGH_RAM,
            high.0,
            &high_ram,
            all(&high_ram),
            Access::Write,
        )?;
        let mut taken = vec![(low.0, low_ram.len()), (high.0, high.0 + high_ram.len())];
        match start {
            Start::Bios(bios) => {
                let rom = Backing::copy_of(bios)?;
                let bios_start = FOUR_GIB - rom.len();
                vm.map(SLOT_BIOS, bios_start, &rom, all(&rom), Access::Read)?;
                taken.push((bios_start, FOUR_GIB));
                let copy = &bios[bios.len().saturating_sub(BIOS_COPY as usize)..];
                let copy_start = GuestAddress(MIB - copy.len() as u64);
                board
                    .ram
                    .write_slice(copy, copy_start)
                    .context("the BIOS doesn't fit into RAM")?;
            }
            Start::LongMode(start) => vcpu.enter_long_mode(start)?,
        }
        let mut machine = Self {
            vm,
            slots: [None; 3],
            taken,
            vram: Backing::vram(board.vga.vram()),
            rom: board.vga.rom().map(Backing::copy_of).transpose()?,
            log: options
                .dirty_log
                .then(|| vec![0; board.vga.vram().dirty_words()]),
            board,
        };
        machine.remap();
        Ok((machine, vcpu))
    }

    /// Carries out one exit, and before that the writes that preceded it. Returns why the machine can't
    /// go on after it.
    fn handle(&mut self, writes: &[CoalescedWrite], exit: Exit<'_>) -> Option<Stop> {
        let writes = writes.iter().map(|write| (write.address(), write.data()));
        self.board.coalesced_writes(writes);
        let mut effects = Effects::empty();
        match exit {
            Exit::In { port, size, data } => self.board.port_reads(port, size, data),
            Exit::Out { port, size, data } => effects |= self.board.port_writes(port, size, data),
            Exit::Read { address, data } => self.board.mmio_read(address, data),
            Exit::Write { address, data } => effects |= self.board.mmio_write(address, data),
            Exit::Interrupted => return None,
            Exit::TripleFault => return Some(Stop::TripleFault),
            Exit::Failed(message) => return Some(Stop::Failed(message)),
        }
        self.board.counts.exits += 1;
        if effects.contains(Effects::MAPPINGS) {
            self.remap();
        }
        self.deliver_keys();
        if self.board.serial.take_interrupt() {
            self.pulse(SERIAL_LINE);
        }
        self.board.reset_requested().then_some(Stop::Reset)
    }

    /// Presses or releases keys.
    pub fn push_keys(&mut self, codes: &[u8]) {
        self.board.keyboard.push(codes);
        self.deliver_keys();
    }

    fn deliver_keys(&mut self) {
        if self.board.keyboard.take_interrupt() {
            self.pulse(KEYBOARD_LINE);
        }
    }

    /// Interrupts the guest.
    fn pulse(&mut self, line: u32) {
        if self.vm.pulse(line).is_err() {
            self.board.note(format!("KVM refuses interrupt {line}"));
        }
    }

    /// Moves the marks of the pages of VRAM that were written into `words`: those in KVM's log, and the
    /// device's own.
    pub fn drain_dirty(&mut self, words: &mut [u64]) -> Result<()> {
        self.collect_log(FRAMEBUFFER);
        self.collect_log(WINDOW_RAM);
        for (word, logged) in words.iter_mut().zip(self.log.iter_mut().flatten()) {
            *word |= std::mem::take(logged);
        }
        Ok(self.board.vga.drain_dirty(words)?)
    }

    /// Collects KVM's log of a slot, where there's one and it shows VRAM now.
    fn collect_log(&mut self, index: usize) {
        let (Some(log), Some(shown)) = (&mut self.log, self.slots[index]) else {
            return;
        };
        match self.vm.dirty_log(SLOT_VGA + index as u32, shown.len) {
            Ok(pages) => mark_pages(log, shown.offset / PAGE, &pages),
            Err(error) => {
                // Any page may have been written.
                log.fill(u64::MAX);
                self.board.note(format!("{error:#}"));
            }
        }
    }

    /// Makes the VGA's memory slots what its mappings say, and touches only those that changed.
    fn remap(&mut self) {
        let wanted = plan(&self.board.mappings, &self.taken);
        if let (Some(range), None) = (self.board.mappings.framebuffer, wanted[FRAMEBUFFER]) {
            let base = range.base.0;
            self.board
                .note(format!("the framebuffer isn't mapped: {base:#x} is taken"));
        }
        // All that goes must be gone before anything new comes: ranges may swap places.
        for (index, slot) in (SLOT_VGA..).enumerate().take(wanted.len()) {
            if self.slots[index].is_some() && self.slots[index] != wanted[index] {
                if index != ROM {
                    // The log goes with the slot. The guest doesn't run meanwhile: it writes nothing more.
                    self.collect_log(index);
                }
                let result = self.vm.unmap(slot);
                if result.is_ok() {
                    self.slots[index] = None;
                }
                self.slot_changed(result);
            }
        }
        for (index, slot) in (SLOT_VGA..).enumerate().take(wanted.len()) {
            if let (None, Some(shown)) = (self.slots[index], wanted[index]) {
                let Shown { guest, len, offset } = shown;
                let (memory, access) = match (index, &self.log) {
                    (ROM, _) => (self.rom.as_ref(), Access::Read),
                    (_, None) => (Some(&self.vram), Access::Write),
                    (_, Some(_)) => (Some(&self.vram), Access::LoggedWrite),
                };
                let Some(memory) = memory else { continue };
                let result = self.vm.map(slot, guest, memory, (offset, len), access);
                self.slots[index] = result.is_ok().then_some(shown);
                self.slot_changed(result);
            }
        }
    }

    /// Counts a change. One that KVM refuses isn't the machine's end: accesses trap, and are served.
    fn slot_changed(&mut self, result: Result<()>) {
        self.board.counts.slot_changes += 1;
        if let Err(error) = result {
            self.board
                .note(format!("{error:#}: the slot stays as it was"));
        }
    }
}

/// Marks pages in `words`: those that are marked in `pages`, the first of which is page `first`.
fn mark_pages(words: &mut [u64], first: u64, pages: &[u64]) {
    let (first_word, shift) = ((first / 64) as usize, first % 64);
    for (at, page) in pages.iter().enumerate() {
        let shifted = u128::from(*page) << shift;
        let marks = [shifted as u64, (shifted >> 64) as u64];
        for (word, marks) in words.iter_mut().skip(first_word + at).zip(marks) {
            *word |= marks;
        }
    }
}

/// Which slots `mappings` asks for. What lies over RAM, the BIOS or an earlier slot is left out.
fn plan(mappings: &Mappings, taken: &[(u64, u64)]) -> Slots {
    let shown = |range: MappedRange, offset| Shown {
        guest: range.base.0,
        len: range.len,
        offset,
    };
    let framebuffer = mappings.framebuffer.map(|range| shown(range, 0));
    let window = mappings
        .window
        .map(|window| shown(window.range(), window.vram_offset.into()));
    let rom = mappings.rom.map(|range| shown(range, 0));
    let mut slots: Slots = [None; 3];
    // What is on top comes first: the window's RAM, the ROM, and BAR2, which traps.
    let bar2 = mappings
        .mmio
        .map(|range| (range.base.0, range.base.0 + range.len));
    for (index, wanted) in [(WINDOW_RAM, window), (ROM, rom), (FRAMEBUFFER, framebuffer)] {
        slots[index] = wanted.filter(|shown| {
            let window_free = index == WINDOW_RAM || !shown.overlaps(WINDOW.start, WINDOW.end);
            let bar2 = bar2.filter(|_| index == FRAMEBUFFER);
            let free = !taken
                .iter()
                .chain(&bar2)
                .any(|(start, end)| shown.overlaps(*start, *end));
            let aligned = shown.guest % PAGE == 0 && shown.len % PAGE == 0;
            let apart = slots
                .iter()
                .flatten()
                .all(|s| !shown.overlaps(s.guest, s.guest + s.len));
            window_free && free && aligned && apart
        });
    }
    slots
}

/// What the vCPU's thread and its owner tell each other.
#[derive(Default)]
pub struct Signals {
    /// The guest shall stop.
    pub quit: AtomicBool,
    /// The guest was asleep when a signal came in last.
    pub idle: AtomicBool,
}

/// Runs the guest until it stops or is told to. Whoever tells it must also send the thread a signal,
/// and again if that came too early.
pub fn run(mut vcpu: Vcpu, machine: &Mutex<Machine>, signals: &Signals) -> Stop {
    let mut writes = Vec::new();
    while !signals.quit.load(Ordering::Relaxed) {
        let exit = vcpu.run(&mut writes);
        let interrupted = matches!(exit, Exit::Interrupted);
        if let Some(stop) = lock(machine).handle(&writes, exit) {
            return stop;
        }
        if interrupted {
            let sleep = vcpu.sleep();
            if sleep == Some(Sleep::ForGood) {
                return Stop::Halted;
            }
            signals.idle.store(sleep.is_some(), Ordering::Relaxed);
        }
    }
    Stop::Asked
}

/// Locks the machine, also after a panic of the other thread: the picture is still worth showing.
pub fn lock(machine: &Mutex<Machine>) -> MutexGuard<'_, Machine> {
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
