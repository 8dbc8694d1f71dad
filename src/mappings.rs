// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the embedder must map, and where, as plain values.

use std::ops::Range;

use vm_memory::{Address, GuestAddress};

/// The number of VRAM's BAR.
pub(crate) const BAR0_INDEX: usize = 0;
/// The number of the BAR that holds registers.
pub(crate) const BAR2_INDEX: usize = 2;
/// The number of the expansion ROM BAR.
pub(crate) const ROM_INDEX: usize = 6;

/// The legacy window in guest physical memory, 0xa0000-0xbffff.
///
/// Accesses to it go to [`StdVga::window_read`](crate::StdVga::window_read) and
/// [`StdVga::window_write`](crate::StdVga::window_write) with the offset from its start.
pub const WINDOW: Range<u64> = 0xa_0000..0xc_0000;

/// The guest physical address of `isa-vga`'s framebuffer.
///
/// More than 256 MiB of VRAM overlap the IOAPIC, the local APICs and the firmware's flash below 4 GiB. In
/// QEMU those are on top. An embedder that maps VRAM as a slot must handle that itself.
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
    /// A range of `len` bytes that starts at `base`.
    pub const fn new(base: GuestAddress, len: u64) -> Self {
        Self { base, len }
    }

    /// The offset of `address` from the range's start, if the range contains it.
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
    /// Its guest physical addresses.
    pub fn range(&self) -> MappedRange {
        MappedRange {
            base: GuestAddress(WINDOW.start.saturating_add(self.offset.into())),
            len: self.len.into(),
        }
    }

    /// The byte of VRAM that is shown at `offset` in the window, if this part contains that offset.
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

    /// The same for the first of `len` bytes from `offset` on, if this part contains them all.
    #[expect(clippy::arithmetic_side_effects, reason = "`offset` is in it")]
    pub(crate) fn address_of_run(&self, offset: u64, len: usize) -> Option<u32> {
        let address = self.address(offset)?;
        let left = u64::from(self.offset) + u64::from(self.len) - offset;
        (len as u64 <= left).then_some(address)
    }

    /// The part that answers if Graphics Miscellaneous bits 3:2 are `memory_map`, and where it is in VRAM.
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

/// What must be mapped at the moment, and where.
///
/// A guest may make ranges overlap. In QEMU, the BAR that was mapped last is on top. If COMMAND enables them
/// at once, that's the ROM over BAR2 over BAR0. The RAM part of the window is above them, and the rest of the
/// window below them. No driver depends on this. If a VMM can't overlap mappings, leave out the lower ones.
/// Their accesses may trap.
///
/// Get it from [`StdVga::mappings`](crate::StdVga::mappings) whenever an access returned
/// [`Effects::MAPPINGS`](crate::Effects::MAPPINGS). The legacy ports and the 0xa0000 window aren't listed.
/// Variants that have them always decode them, whatever the COMMAND register says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mappings {
    /// VRAM as RAM: BAR0, or the fixed framebuffer of `isa-vga`.
    pub framebuffer: Option<MappedRange>,
    /// BAR2: accesses go to [`StdVga::mmio_read`](crate::StdVga::mmio_read) and
    /// [`StdVga::mmio_write`](crate::StdVga::mmio_write).
    pub mmio: Option<MappedRange>,
    /// The option ROM, read-only. [`StdVga::rom`](crate::StdVga::rom) has its bytes.
    pub rom: Option<MappedRange>,
    /// The part of the 0xa0000 window that may be mapped as RAM. It exists with chain 4 and all planes, as in
    /// mode 13h and in DISPI modes of 8 or more bits per pixel. Another DISPI bank shows another part of
    /// VRAM. Mapping it is an optimization: the device answers accesses that trap in the same way.
    pub window: Option<WindowRam>,
}

impl Mappings {
    /// The current range of the BAR with that number ([`Bar::index`](crate::Bar::index)): 0, 2, or 6 for the
    /// option ROM. `isa-vga`'s framebuffer isn't a BAR, but is returned for 0.
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
