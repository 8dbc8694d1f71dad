// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the embedder must map where, as plain values.

use std::ops::Range;

use vm_memory::{Address, GuestAddress};

/// The number of the BAR that VRAM is.
pub(crate) const BAR0_INDEX: usize = 0;
/// The number of the BAR that holds registers.
pub(crate) const BAR2_INDEX: usize = 2;
/// The number that the expansion ROM BAR goes by.
pub(crate) const ROM_INDEX: usize = 6;

/// The legacy window in guest physical memory, 0xa0000-0xbffff.
///
/// Accesses to it go to [`StdVga::window_read`](crate::StdVga::window_read) and
/// [`StdVga::window_write`](crate::StdVga::window_write) with the offset from its start.
pub const WINDOW: Range<u64> = 0xa_0000..0xc_0000;

/// Where `isa-vga` has its framebuffer in guest physical memory.
///
/// More than 256 MiB of VRAM there reach over the IOAPIC, the local APICs and the firmware's flash below
/// 4 GiB. In QEMU these lie on top. An embedder that maps VRAM as a slot must see to that itself.
pub const ISA_FRAMEBUFFER: GuestAddress = GuestAddress(0xe000_0000);

/// A range of guest physical addresses that the device answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappedRange {
    /// The first address.
    pub base: GuestAddress,
    /// Length in bytes, a power of two.
    pub len: u64,
}

impl MappedRange {
    /// `len` bytes from `base` on.
    pub const fn new(base: GuestAddress, len: u64) -> Self {
        Self { base, len }
    }

    /// The offset of `address` from the range's start, where the range contains it.
    pub fn offset_of(&self, address: GuestAddress) -> Option<u64> {
        address
            .checked_offset_from(self.base)
            .filter(|offset| *offset < self.len)
    }
}

/// The part of the 0xa0000 window that is plain RAM at the moment (chain 4 with all planes).
///
/// The rest of the window must trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct WindowRam {
    /// First byte, as an offset from 0xa0000.
    pub offset: u32,
    /// Length in bytes: 32, 64 or 128 KiB.
    pub len: u32,
    /// The byte of VRAM that the first byte shows.
    pub vram_offset: u32,
}

impl WindowRam {
    /// The guest physical addresses that it has.
    pub fn range(&self) -> MappedRange {
        MappedRange {
            base: GuestAddress(WINDOW.start.saturating_add(self.offset.into())),
            len: self.len.into(),
        }
    }

    /// The byte of VRAM that the one at `offset` in the window shows, where it holds that.
    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "`within` is below `len`, and VRAM has 512 MiB at most"
    )]
    pub(crate) fn address(&self, offset: u64) -> Option<u32> {
        let within = offset.wrapping_sub(self.offset.into());
        (within < self.len.into()).then(|| self.vram_offset + within as u32)
    }

    /// The same of the first of `len` bytes from `offset` on, where it holds them all.
    #[expect(clippy::arithmetic_side_effects, reason = "`offset` is in it")]
    pub(crate) fn address_of_run(&self, offset: u64, len: usize) -> Option<u32> {
        let address = self.address(offset)?;
        let left = u64::from(self.offset) + u64::from(self.len) - offset;
        (len as u64 <= left).then_some(address)
    }

    /// The part that answers with Graphics Miscellaneous bits 3:2, and where it is in VRAM.
    pub(crate) fn of_memory_map(memory_map: u8, bank_offset: u32) -> Self {
        let (offset, len, vram_offset) = match memory_map {
            0 => (0, 0x2_0000, 0),
            1 => (0, 0x1_0000, bank_offset),
            2 => (0x1_0000, 0x8000, 0),
            _ => (0x1_8000, 0x8000, 0),
        };
        Self {
            offset,
            len,
            vram_offset,
        }
    }
}

/// What must be mapped where, at the moment.
///
/// A guest may let ranges overlap. In QEMU, of BARs the one that was mapped last is on top: the ROM over
/// BAR2 over BAR0 where COMMAND enables them at once. A part of the window that is RAM lies over them,
/// the rest of the window under them. No driver depends on it, and where it can't be had, leave out what
/// lies below: its accesses may trap.
///
/// Ask for it with [`StdVga::mappings`](crate::StdVga::mappings) whenever an access returned
/// [`Effects::MAPPINGS`](crate::Effects::MAPPINGS). The legacy ports and the 0xa0000 window aren't
/// listed: for variants that have them they are always decoded, whatever the COMMAND register says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mappings {
    /// VRAM as RAM: BAR0, or the fixed framebuffer of `isa-vga`.
    pub framebuffer: Option<MappedRange>,
    /// BAR2: accesses go to [`StdVga::mmio_read`](crate::StdVga::mmio_read) and
    /// [`StdVga::mmio_write`](crate::StdVga::mmio_write).
    pub mmio: Option<MappedRange>,
    /// The option ROM, read-only: [`StdVga::rom`](crate::StdVga::rom) has the bytes.
    pub rom: Option<MappedRange>,
    /// The part of the 0xa0000 window that may be mapped as RAM: with chain 4 and all planes, as mode 13h
    /// and DISPI modes of 8 bits a pixel and more have them; another DISPI bank is another part of VRAM.
    /// Mapping it is an optimisation: accesses that trap are answered just the same.
    pub window: Option<WindowRam>,
}

impl Mappings {
    /// Where the BAR of that number ([`Bar::index`](crate::Bar::index)) answers at the moment: 0, 2, or 6
    /// for the option ROM. The framebuffer of `isa-vga` is no BAR, but found as 0.
    pub fn bar(&self, index: usize) -> Option<MappedRange> {
        match index {
            BAR0_INDEX => self.framebuffer,
            BAR2_INDEX => self.mmio,
            ROM_INDEX => self.rom,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_its_first_and_its_last_byte_and_no_other() {
        let range = MappedRange {
            base: GuestAddress(0xfebf_0000),
            len: 0x1000,
        };
        let offset_of = |address| range.offset_of(GuestAddress(address));
        assert_eq!(offset_of(0xfebe_ffff), None);
        assert_eq!(offset_of(0xfebf_0000), Some(0));
        assert_eq!(offset_of(0xfebf_0fff), Some(0xfff));
        assert_eq!(offset_of(0xfebf_1000), None);
    }

    #[test]
    fn ram_in_the_window_has_the_addresses_of_its_memory_map() {
        let ranges = [0, 1, 2, 3].map(|map| {
            let range = WindowRam::of_memory_map(map, 0).range();
            (range.base.0, range.len)
        });
        let expected = [
            (0xa_0000, 0x2_0000),
            (0xa_0000, 0x1_0000),
            (0xb_0000, 0x8000),
            (0xb_8000, 0x8000),
        ];
        assert_eq!(ranges, expected);
    }
}
