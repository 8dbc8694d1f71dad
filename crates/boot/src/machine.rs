// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The machine: the board under KVM. Turns exits into accesses, and mappings into memory slots.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow};
use kvm_ioctls::Kvm;
use stdvga::embedding::{DirtyPages, MappedRegions};
use stdvga::{Effects, WINDOW};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use crate::board::Board;
use crate::kvm::{Access, Backing, CoalescedWrite, Exit, Sleep, Vcpu, Vm};
use crate::outcome::{Options, Start};
use crate::slots::{SLOT_BIOS, SLOT_HIGH_RAM, SLOT_LOW_RAM, SharedSlots, Slots, lock};

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

// The slots of KVM's that don't change, and the first of the VGA's.

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

/// Board and memory, behind one lock.
pub struct Machine {
    pub board: Board,
    /// What the guest has mapped of the VGA.
    regions: MappedRegions,
    /// In which slots.
    slots: SharedSlots,
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
            "the host doesn't have {} MiB of memory for the guest: {error}",
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
        match start {
            Start::Bios(bios) => {
                let rom = Backing::copy_of(bios)?;
                let bios_start = FOUR_GIB - rom.len();
                vm.map(SLOT_BIOS, bios_start, &rom, all(&rom), Access::Read)?;
                let copy = &bios[bios.len().saturating_sub(BIOS_COPY as usize)..];
                let copy_start = GuestAddress(MIB - copy.len() as u64);
                board
                    .ram
                    .write_slice(copy, copy_start)
                    .context("the BIOS doesn't fit into RAM")?;
            }
            Start::LongMode(start) => vcpu.enter_long_mode(start)?,
        }
        let slots = SharedSlots::new(Slots::new(vm, &board.vga, options.dirty_log));
        let mut machine = Self {
            board,
            regions: MappedRegions::new(slots.clone()),
            slots,
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
        if self.slots.lock().vm.pulse(line).is_err() {
            self.board.note(format!("KVM refuses interrupt {line}"));
        }
    }

    /// Moves the marks of the pages of VRAM that were written into `pages`: those in KVM's log, and the
    /// device's own.
    pub fn drain_dirty(&mut self, pages: &mut DirtyPages) -> Result<()> {
        self.slots.lock().take_log(self.regions.mapped(), pages)?;
        self.pass_notes();
        Ok(pages.add_marks(&mut self.board.vga)?)
    }

    /// Makes the VGA's memory slots what its mappings say.
    fn remap(&mut self) {
        // One that KVM refuses isn't the machine's end: accesses trap, and are served.
        for error in self.regions.follow(&self.board.mappings) {
            self.board.note(format!("{:#}", anyhow!(error)));
        }
        self.pass_notes();
    }

    /// Takes over what the slots counted and noted.
    fn pass_notes(&mut self) {
        let mut slots = self.slots.lock();
        self.board.counts.slot_changes = slots.changes;
        slots.notes.drain(..).for_each(|note| self.board.note(note));
    }
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

#[cfg(test)]
mod tests;
