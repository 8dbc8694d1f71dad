// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The memory slots that show the VGA's regions to a guest, and KVM's log of what it wrote there.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use stdvga::embedding::{DirtyPages, Region, RegionKind, RegionMapper};
use stdvga::{DirtyBitmap, StdVga};

use crate::kvm::{Access, Backing, Vm};

// The slots of this machine: RAM below and above the window, the BIOS, and from the last one on the VGA's regions.
pub const SLOT_LOW_RAM: u32 = 0;
pub const SLOT_HIGH_RAM: u32 = 1;
pub const SLOT_BIOS: u32 = 2;
const SLOT_VGA: u32 = 3;

const PAGE: usize = DirtyBitmap::PAGE_SIZE;

/// A virtual machine, and what its slots show of the VGA.
pub struct Slots {
    pub vm: Vm,
    vram: Backing,
    rom: Option<Backing>,
    /// Pages of VRAM that KVM logged as written, and that nobody has asked for yet. `None` if it keeps
    /// no log.
    log: Option<DirtyPages>,
    /// How often KVM was asked to make or to remove one of these slots.
    pub changes: u64,
    /// What went wrong with logs, for the user to know.
    pub notes: Vec<String>,
}

impl Slots {
    /// No slots of this device's yet.
    pub fn new(vm: Vm, vga: &StdVga, dirty_log: bool) -> Self {
        Self {
            vm,
            vram: Backing::vram(vga.vram()),
            rom: vga.rom().map(Backing::rom),
            log: dirty_log.then(|| DirtyPages::new(vga.vram())),
            changes: 0,
            notes: Vec::new(),
        }
    }

    /// Moves the marks of the pages that KVM logged as written in these regions, or in some that are gone,
    /// into `pages`.
    pub fn take_log<'a>(
        &mut self,
        mapped: impl Iterator<Item = &'a Region>,
        pages: &mut DirtyPages,
    ) -> Result<()> {
        mapped.for_each(|region| self.collect_log(region));
        if let Some(log) = &mut self.log {
            pages.add(log)?;
            log.clear();
        }
        Ok(())
    }

    /// Collects KVM's log of a region's slot, if it has one.
    fn collect_log(&mut self, region: &Region) {
        let log = self.log.as_mut().filter(|_| !region.is_read_only());
        let Some(log) = log else { return };
        let pages = self.vm.dirty_log(slot(region), region.len);
        let collected = pages.and_then(|pages| Ok(log.add_log(&pages, PAGE, region.offset)?));
        if let Err(error) = collected {
            // Any page may have been written.
            log.mark_all();
            self.notes.push(format!("{error:#}"));
        }
    }

    fn map(&mut self, region: &Region) -> Result<()> {
        self.changes += 1;
        let (memory, access) = match (region.kind, &self.log) {
            (RegionKind::Rom, _) => (self.rom.as_ref(), Access::Read),
            (_, None) => (Some(&self.vram), Access::Write),
            (_, Some(_)) => (Some(&self.vram), Access::LoggedWrite),
        };
        let memory = memory.context("there's no ROM")?;
        let (guest, part) = (region.guest.0, (region.offset, region.len));
        self.vm.map(slot(region), guest, memory, part, access)
    }

    fn unmap(&mut self, region: &Region) -> Result<()> {
        self.changes += 1;
        // The log goes with the slot. The guest doesn't run meanwhile: it writes nothing more.
        self.collect_log(region);
        self.vm.unmap(slot(region))
    }
}

fn slot(region: &Region) -> u32 {
    SLOT_VGA + region.kind.index() as u32
}

/// [`Slots`] that the machine shares with what maps regions in them. A clone is the same.
#[derive(Clone)]
pub struct SharedSlots(Arc<Mutex<Slots>>);

impl SharedSlots {
    pub fn new(slots: Slots) -> Self {
        Self(Arc::new(Mutex::new(slots)))
    }

    pub fn lock(&self) -> MutexGuard<'_, Slots> {
        lock(&self.0)
    }
}

/// What a guest puts over its RAM or the BIOS isn't mapped: KVM refuses slots that overlap.
impl RegionMapper for SharedSlots {
    fn map(&mut self, region: &Region) -> io::Result<()> {
        self.lock().map(region).map_err(io::Error::other)
    }

    fn unmap(&mut self, region: &Region) -> io::Result<()> {
        self.lock().unmap(region).map_err(io::Error::other)
    }
}
/// Locks the machine or its slots, also after a panic of the other thread: the picture is still worth showing.
pub fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
