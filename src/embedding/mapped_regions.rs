// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Which of the device's memory is mapped into the guest.

use std::{fmt, io, mem};

use bitflags::bitflags;
use thiserror::Error;
use vm_memory::GuestAddress;

use crate::dirty::DirtyBitmap;
use crate::mappings::{MappedRange, Mappings};

/// How many kinds of regions there are.
const COUNT: usize = RegionKind::ALL.len();

/// What a region shows to the guest. There's one region of each kind at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegionKind {
    /// A part of VRAM in the 0xa0000 window, to read and write.
    Window,
    /// All of VRAM, at BAR0 or at `isa-vga`'s fixed address, to read and write.
    Framebuffer,
    /// The option ROM, to read only.
    Rom,
}

impl RegionKind {
    /// All kinds, by [`RegionKind::index`].
    pub const ALL: &'static [Self] = &[Self::Window, Self::Framebuffer, Self::Rom];

    /// A number for each kind, from 0 on: for a hypervisor's slots.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for RegionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Window => "the VGA's window",
            Self::Framebuffer => "the VGA's framebuffer",
            Self::Rom => "the VGA's option ROM",
        })
    }
}

bitflags! {
    /// Kinds of regions.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct RegionKinds: u8 {
        /// [`RegionKind::Window`].
        const WINDOW = 1 << RegionKind::Window as u8;
        /// [`RegionKind::Framebuffer`].
        const FRAMEBUFFER = 1 << RegionKind::Framebuffer as u8;
        /// [`RegionKind::Rom`].
        const ROM = 1 << RegionKind::Rom as u8;
    }
}

impl From<RegionKind> for RegionKinds {
    fn from(kind: RegionKind) -> Self {
        match kind {
            RegionKind::Window => Self::WINDOW,
            RegionKind::Framebuffer => Self::FRAMEBUFFER,
            RegionKind::Rom => Self::ROM,
        }
    }
}

/// Host memory that the guest reaches without exits. Address, length and offset are multiples of 4096.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Region {
    /// What it shows, and so which memory of the host's: [`StdVga::vram`](crate::StdVga::vram)'s region, or
    /// [`StdVga::rom`](crate::StdVga::rom).
    pub kind: RegionKind,
    /// The first guest physical address.
    pub guest: GuestAddress,
    /// Length in bytes.
    pub len: u64,
    /// The byte of VRAM that the first address shows; 0 for the ROM.
    pub offset: u64,
}

impl Region {
    /// Whether the guest may only read it.
    pub fn is_read_only(&self) -> bool {
        self.kind == RegionKind::Rom
    }

    fn new(kind: RegionKind, range: MappedRange, offset: u64) -> Self {
        Self {
            kind,
            guest: range.base,
            len: range.len,
            offset,
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            guest,
            len,
            offset,
        } = self;
        write!(
            f,
            "{kind}, {len:#x} bytes from {offset:#x} on, at {:#x}",
            guest.0
        )
    }
}

/// The VMM's side: maps the host's memory into the guest.
///
/// Keep clones of the device's [`Vram`](crate::Vram) and [`Rom`](crate::Rom) in it: so the memory stays as
/// long as the guest may reach it. It's dropped once all is unmapped. If something can't be unmapped then, it's
/// leaked, and the memory with it.
pub trait RegionMapper: Send {
    /// Maps a region. One of the same kind isn't mapped at the moment.
    ///
    /// # Errors
    ///
    /// It fails, as a rule, if a guest puts a BAR over its RAM: the device doesn't know where that is. Then
    /// accesses trap, or reach what was there before.
    fn map(&mut self, region: &Region) -> io::Result<()>;

    /// Takes a region away that was mapped. The vCPUs must not reach its memory any more when this returns.
    /// A dirty log goes with its slot: read it before.
    ///
    /// # Errors
    ///
    /// The region then counts as mapped still.
    fn unmap(&mut self, region: &Region) -> io::Result<()>;
}

/// A region that couldn't be mapped or unmapped. The guest goes on: accesses to what isn't mapped trap.
///
/// It displays which region that is, and what the VMM said.
///
/// A guest can bring this about as often as it likes: bound what is logged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MapError {
    /// The region isn't mapped. It's tried again when mappings change next.
    #[error("can't map {region}: {error}")]
    Map {
        /// The region.
        region: Region,
        /// What the VMM said.
        error: io::Error,
    },
    /// The region is mapped still, and keeps another of its kind from being mapped. It's tried again when
    /// mappings change next.
    #[error("can't unmap {region}: {error}")]
    Unmap {
        /// The region.
        region: Region,
        /// What the VMM said.
        error: io::Error,
    },
}

/// The regions that are mapped into the guest: they follow [`Mappings`]. All are unmapped on drop. The mapper is
/// leaked if that fails ([`RegionMapper`]).
///
/// [`SharedVga`](crate::embedding::SharedVga) has one, and calls it when it must be called.
pub struct MappedRegions {
    /// There until the drop.
    mapper: Option<Box<dyn RegionMapper>>,
    kinds: RegionKinds,
    mapped: [Option<Region>; COUNT],
}

impl MappedRegions {
    /// None yet: [`MappedRegions::follow`] maps them.
    pub fn new(mapper: impl RegionMapper + 'static) -> Self {
        Self {
            mapper: Some(Box::new(mapper)),
            kinds: RegionKinds::all(),
            mapped: [None; COUNT],
        }
    }

    /// The same, but only regions of these kinds are mapped. The others trap: correct, but slower.
    ///
    /// Leave the window out if mapping memory is slow in the VMM, for a guest that switches banks has it
    /// mapped anew each time. Where each takes two round trips to another thread, a bank switch
    /// took 0.2 to 1.1 ms, and 33 µs with a window that trapped. Mapping it pays from some hundred accesses
    /// a bank on.
    ///
    /// Leave all out while nothing can be mapped: before the VM runs, in some VMMs.
    /// [`SharedVga::set_mapped`](crate::embedding::SharedVga::set_mapped) changes it later.
    #[must_use]
    pub fn only(mut self, kinds: RegionKinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// Changes which kinds are mapped, from the next [`MappedRegions::follow`] on.
    pub fn set_kinds(&mut self, kinds: RegionKinds) {
        self.kinds = kinds;
    }

    /// What is mapped at the moment.
    pub fn mapped(&self) -> impl Iterator<Item = &Region> {
        self.mapped.iter().flatten()
    }

    /// Makes the guest's memory what `mappings` says, and touches only what changed. What goes is unmapped
    /// before anything comes, for it may be in the way.
    ///
    /// Where ranges overlap, what lies below in QEMU isn't mapped ([`Mappings`]): it traps. So does what isn't
    /// whole pages of 4096 bytes.
    ///
    /// It goes on after errors, and returns them all. A region that couldn't be mapped traps, and is tried again
    /// at the next call.
    #[must_use = "a window or a framebuffer that couldn't be mapped shows nothing, or is slow"]
    pub fn follow(&mut self, mappings: &Mappings) -> Vec<MapError> {
        let mut errors = Vec::new();
        let Some(mapper) = &mut self.mapper else {
            return errors;
        };
        let wanted = wanted(mappings, self.kinds);
        for (mapped, wanted) in self.mapped.iter_mut().zip(&wanted) {
            if let Some(region) = mapped.filter(|region| Some(*region) != *wanted) {
                match mapper.unmap(&region) {
                    Ok(()) => *mapped = None,
                    Err(error) => errors.push(MapError::Unmap { region, error }),
                }
            }
        }
        for (mapped, wanted) in self.mapped.iter_mut().zip(wanted) {
            if let (None, Some(region)) = (&mapped, wanted) {
                match mapper.map(&region) {
                    Ok(()) => *mapped = wanted,
                    Err(error) => errors.push(MapError::Map { region, error }),
                }
            }
        }
        errors
    }
}

impl Drop for MappedRegions {
    /// The guest must not reach memory that its owner is about to give back.
    fn drop(&mut self) {
        // Nobody is left to hear of errors.
        let _ = self.follow(&Mappings::default());
        if self.mapped().next().is_some() {
            // The guest reaches memory still, which the mapper keeps.
            mem::forget(self.mapper.take());
        }
    }
}

impl fmt::Debug for MappedRegions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedRegions")
            .field("kinds", &self.kinds)
            .field("mapped", &self.mapped)
            .finish_non_exhaustive()
    }
}

/// The regions that `mappings` asks for, by index: what lies over others at its place, these not at all.
fn wanted(mappings: &Mappings, kinds: RegionKinds) -> [Option<Region>; COUNT] {
    let Mappings {
        framebuffer,
        mmio,
        rom,
        window,
    } = mappings;
    let window_ram = window.map(|window| window.range());
    let region = |kind, range: Option<MappedRange>, offset, over: [&Option<MappedRange>; 3]| {
        let range = range.filter(|range| {
            !over.into_iter().flatten().any(|over| overlap(range, over))
                && is_pages(range.base.0)
                && is_pages(range.len)
                && kinds.contains(RegionKinds::from(kind))
        })?;
        Some(Region::new(kind, range, offset))
    };
    let window_offset = window.map_or(0, |window| window.vram_offset.into());
    [
        region(RegionKind::Window, window_ram, window_offset, [&None; 3]),
        region(
            RegionKind::Framebuffer,
            *framebuffer,
            0,
            [&window_ram, rom, mmio],
        ),
        region(RegionKind::Rom, *rom, 0, [&window_ram, &None, &None]),
    ]
}

fn overlap(one: &MappedRange, other: &MappedRange) -> bool {
    one.offset_of(other.base).is_some() || other.offset_of(one.base).is_some()
}

fn is_pages(value: u64) -> bool {
    value.is_multiple_of(DirtyBitmap::PAGE_SIZE as u64)
}

#[cfg(test)]
mod tests;
