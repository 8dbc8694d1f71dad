// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The parts of the device's memory that are mapped into the guest.

use std::{fmt, io, mem};

use bitflags::bitflags;
use thiserror::Error;
use vm_memory::GuestAddress;

use crate::dirty::DirtyBitmap;
use crate::mappings::{MappedRange, Mappings};

/// How many kinds of regions there are.
const COUNT: usize = RegionKind::ALL.len();

/// What a [region](crate::glossary#region) shows to the guest. There is at most one region of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegionKind {
    /// A part of VRAM in the 0xa0000 window, readable and writable.
    Window,
    /// All of VRAM, at BAR0 or at `isa-vga`'s fixed address, readable and writable.
    Framebuffer,
    /// The option ROM, read-only.
    Rom,
}

impl RegionKind {
    /// All kinds, in the order of [`RegionKind::index`].
    pub const ALL: &'static [Self] = &[Self::Window, Self::Framebuffer, Self::Rom];

    /// A number for each kind, starting at 0, for a hypervisor's slots.
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

/// Host memory that the guest accesses without exits. Address, length and offset are multiples of 4096.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Region {
    /// What it shows. This determines the host memory: the region of [`StdVga::vram`](crate::StdVga::vram),
    /// or [`StdVga::rom`](crate::StdVga::rom).
    pub kind: RegionKind,
    /// The first guest physical address.
    pub guest: GuestAddress,
    /// Length in bytes.
    pub len: u64,
    /// The byte of VRAM at the first address. 0 for the ROM.
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

/// The VMM's side: it maps host memory into the guest.
///
/// Keep clones of the device's [`Vram`](crate::Vram) and [`Rom`](crate::Rom) in it, so that the memory stays
/// as long as the guest may access it. The mapper is dropped once everything is unmapped. If something can't
/// be unmapped then, the mapper is leaked, and the memory with it.
pub trait RegionMapper: Send {
    /// Maps a region. No other region of the same kind is mapped at that time.
    ///
    /// # Errors
    ///
    /// Usually, it fails if a guest puts a BAR over its RAM, because the device doesn't know where RAM is.
    /// Accesses then trap, or reach what was there before.
    fn map(&mut self, region: &Region) -> io::Result<()>;

    /// Unmaps a region. The vCPUs must not access its memory any more when this returns. A dirty log
    /// disappears with its slot, so read the log first.
    ///
    /// # Errors
    ///
    /// In case of an error, the region still counts as mapped.
    fn unmap(&mut self, region: &Region) -> io::Result<()>;
}

/// A region that couldn't be mapped or unmapped. The guest continues, and accesses to unmapped regions trap.
///
/// It displays the region, and the VMM's error.
///
/// A guest can cause this as often as it likes, so bound what you log.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MapError {
    /// The region isn't mapped. The next change of mappings tries again.
    #[error("can't map {region}: {error}")]
    Map {
        /// The region.
        region: Region,
        /// The VMM's error.
        error: io::Error,
    },
    /// The region is still mapped, and prevents another one of its kind from being mapped. The next change of
    /// mappings tries again.
    #[error("can't unmap {region}: {error}")]
    Unmap {
        /// The region.
        region: Region,
        /// The VMM's error.
        error: io::Error,
    },
}

/// The regions that are mapped into the guest. They follow [`Mappings`]. On drop, all are unmapped. If that
/// fails, the mapper is leaked ([`RegionMapper`]).
///
/// [`SharedVga`](crate::embedding::SharedVga) contains one, and calls it when needed.
pub struct MappedRegions {
    /// `Some` until the drop.
    mapper: Option<Box<dyn RegionMapper>>,
    kinds: RegionKinds,
    mapped: [Option<Region>; COUNT],
}

impl MappedRegions {
    /// No regions yet. [`MappedRegions::follow`] maps them.
    pub fn new(mapper: impl RegionMapper + 'static) -> Self {
        Self {
            mapper: Some(Box::new(mapper)),
            kinds: RegionKinds::all(),
            mapped: [None; COUNT],
        }
    }

    /// Maps only regions of these kinds. The others trap, which is correct but slower.
    ///
    /// Leave out the window if the VMM is slow to map memory, because a guest that switches banks maps it
    /// again each time. If mapping and unmapping take two round trips to another thread, a bank switch took
    /// 0.2 to 1.1 ms. With a trapping window it took 33 µs. Mapping pays off from some hundred accesses per
    /// bank.
    ///
    /// Leave out all kinds while nothing can be mapped. In some VMMs that's until the VM runs.
    /// [`SharedVga::set_mapped`](crate::embedding::SharedVga::set_mapped) changes the choice later.
    #[must_use]
    pub fn only(mut self, kinds: RegionKinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// Changes which kinds are mapped, starting with the next [`MappedRegions::follow`].
    pub fn set_kinds(&mut self, kinds: RegionKinds) {
        self.kinds = kinds;
    }

    /// The regions that are mapped at the moment.
    pub fn mapped(&self) -> impl Iterator<Item = &Region> {
        self.mapped.iter().flatten()
    }

    /// Makes the guest's memory match `mappings`, and touches only what changed. Old regions are unmapped
    /// before new ones are mapped, because they may be in the way.
    ///
    /// If ranges overlap, those that are below others in QEMU aren't mapped ([`Mappings`]), and trap. So do
    /// ranges that aren't whole pages of 4096 bytes.
    ///
    /// It continues after errors, and returns them all. A region that couldn't be mapped traps. The next call
    /// tries again.
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
    /// The guest must not reach memory that its owner is about to free.
    fn drop(&mut self) {
        // Nobody is left to receive errors.
        let _ = self.follow(&Mappings::default());
        if self.mapped().next().is_some() {
            // The guest can still access the memory, and the mapper keeps it alive.
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

/// The regions that `mappings` asks for, by index. A region that is covered by another isn't included.
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
