// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Framebuffer memory.
//!
//! A *group* is four consecutive bytes at a multiple of four, one from each plane. Its number is its *planar
//! address*.

#[cfg(unix)]
mod file;
mod pages;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use vm_memory::bitmap::{BS, Bitmap};
use vm_memory::{MmapRegion, VolatileMemory, VolatileSlice};

use crate::config::{MAX_VRAM_MIB, MIB};
use crate::dirty::{DirtyBitmap, check_length, mark_by_device};
use crate::error::ConfigError;

/// The framebuffer (VRAM): a `vm-memory` region whose length is a power of two from 1 to 512 MiB.
///
/// A clone refers to the same memory. Every access goes through `vm-memory`, and never through a Rust
/// reference, so VRAM may be read while a guest writes it.
///
/// A write through this type marks the written pages in the region's bitmap. What a guest writes through a
/// mapping isn't marked.
pub struct Vram<B = DirtyBitmap> {
    region: Arc<MmapRegion<B>>,
    /// The region's length minus one.
    mask: u32,
}

impl<B> Clone for Vram<B> {
    fn clone(&self) -> Self {
        Self {
            region: Arc::clone(&self.region),
            mask: self.mask,
        }
    }
}

impl Vram {
    /// Allocates `bytes` of zeroed memory. The length comes from
    /// [`Config::vram_bytes`](crate::Config::vram_bytes).
    pub(crate) fn allocate(bytes: u64) -> Result<Self, ConfigError> {
        #[expect(clippy::cast_possible_truncation, reason = "at most 512 MiB")]
        let region =
            MmapRegion::new(bytes as usize).map_err(|source| ConfigError::VramAllocation {
                bytes,
                source: source.into(),
            })?;
        Self::new(Arc::new(region))
    }
}

impl<B: Bitmap + 'static> Vram<B> {
    /// Takes a region, if the device can have its length, and if it's readable and writable.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a power of two is 1 or more"
    )]
    pub(crate) fn new(region: Arc<MmapRegion<B>>) -> Result<Self, ConfigError> {
        #[cfg(unix)]
        check_protection(region.prot())?;
        check_length(region.bitmap(), region.size())?;
        let bytes = region.size() as u64;
        match u32::try_from(bytes) {
            Ok(len)
                if len.is_power_of_two()
                    && (MIB..=u64::from(MAX_VRAM_MIB) * MIB).contains(&bytes) =>
            {
                Ok(Self {
                    region,
                    mask: len - 1,
                })
            }
            _ => Err(ConfigError::VramRegionSize { bytes }),
        }
    }
}

impl<B: Bitmap> Vram<B> {
    /// The region itself, to map it into a guest or to access its bitmap.
    pub fn region(&self) -> &Arc<MmapRegion<B>> {
        &self.region
    }

    /// Length in bytes.
    #[allow(clippy::len_without_is_empty)] // It never is.
    pub fn len(&self) -> u64 {
        u64::from(self.mask) + 1
    }

    /// Length in bytes minus one: the mask that keeps an address inside.
    pub(crate) fn mask(&self) -> u32 {
        self.mask
    }

    /// Length of a dirty bitmap of this memory, in 64-bit words: one bit per page of
    /// [`DirtyBitmap::PAGE_SIZE`] bytes.
    pub fn dirty_words(&self) -> usize {
        DirtyBitmap::words_for(self.region.size())
    }

    /// Reads from byte `offset` on. Bytes past the end read as all ones.
    pub fn read(&self, offset: u64, data: &mut [u8]) {
        let (inside, outside) = data.split_at_mut(self.bytes_inside(offset, data.len()));
        if !outside.is_empty() {
            outside.fill(0xff);
        }
        if let Some(slice) = self.slice(offset, inside.len()) {
            slice.copy_to(inside);
        }
    }

    /// Writes from byte `offset` on. Bytes past the end are ignored.
    ///
    /// The pages are marked after they're written, so whoever drains the marks sees the bytes. No mark is
    /// lost, whatever else writes or drains at the same time ([`DirtyBitmap`]).
    pub fn write(&self, offset: u64, data: &[u8]) {
        let (inside, _) = data.split_at(self.bytes_inside(offset, data.len()));
        if let Some(slice) = self.slice(offset, inside.len()) {
            slice.copy_from(inside);
        }
    }

    /// The memory itself, if all of it is inside.
    pub(crate) fn slice(&self, offset: u64, len: usize) -> Option<VolatileSlice<'_, BS<'_, B>>> {
        self.region
            .get_slice(usize::try_from(offset).ok()?, len)
            .ok()
    }

    /// Zeroes the first `len` bytes.
    #[cold]
    #[inline(never)]
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "a piece is no longer than what is left, nor than `ZEROS`"
    )]
    pub(crate) fn clear(&self, len: u64) {
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        let len = len.min(self.len());
        for start in (0..len).step_by(ZEROS.len()) {
            let piece = (len - start).min(ZEROS.len() as u64) as usize;
            self.write(start, &ZEROS[..piece]);
        }
    }

    /// The byte at `address`, which wraps at the end of VRAM.
    #[inline]
    pub(crate) fn byte(&self, address: u32) -> u8 {
        let byte = self.region.get_ref::<u8>((address & self.mask) as usize);
        byte.map_or(0xff, |byte| byte.load())
    }

    /// The group at planar address `address`, plane 0 in the low byte, if it's inside.
    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a planar address is less than VRAM's length and a window's: four times that fits in 32 bits"
    )]
    pub(crate) fn group(&self, address: u32) -> Option<u32> {
        let planes = self.region.get_ref::<u32>(address as usize * 4).ok()?;
        Some(u32::from_le(planes.load()))
    }

    /// The number of bytes inside, of `len` bytes from `offset` on.
    fn bytes_inside(&self, offset: u64, len: usize) -> usize {
        let left = self.len().saturating_sub(offset);
        usize::try_from(left).map_or(len, |left| left.min(len))
    }
}

/// Writes that only the device makes. It must be borrowed exclusively, because the marks rely on that
/// ([`DirtyBitmap`]).
impl<B: Bitmap + 'static> Vram<B> {
    /// Stores a byte at `address`, which wraps at the end of VRAM.
    #[inline]
    pub(crate) fn set_byte(&self, address: u32, value: u8) {
        let offset = (address & self.mask) as usize;
        if let Ok(byte) = self.region.get_atomic_ref::<AtomicU8>(offset) {
            byte.store(value, Ordering::Relaxed);
            mark_by_device(self.region.bitmap(), offset, 1);
        }
    }

    /// Replaces the group at planar address `address`, if it's inside.
    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a planar address is less than VRAM's length and a window's: four times that fits in 32 bits"
    )]
    pub(crate) fn update_group(&self, address: u32, update: impl FnOnce(u32) -> u32) {
        let offset = address as usize * 4;
        if let Ok(planes) = self.region.get_atomic_ref::<AtomicU32>(offset) {
            let old = u32::from_le(planes.load(Ordering::Relaxed));
            planes.store(update(old).to_le(), Ordering::Relaxed);
            mark_by_device(self.region.bitmap(), offset, 4);
        }
    }

    /// Replaces the groups at `N` planar addresses from `address` on, if all of them are inside.
    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a planar address is less than VRAM's length and a window's: four times that fits in 32 bits"
    )]
    pub(crate) fn update_groups<const N: usize>(
        &self,
        address: u32,
        update: impl FnOnce(&mut [[u8; 4]; N]),
    ) {
        if let Ok(slice) = self.region.get_slice(address as usize * 4, 4 * N) {
            let mut planes = [[0; 4]; N];
            slice.copy_to(planes.as_flattened_mut());
            update(&mut planes);
            slice.copy_from(planes.as_flattened());
        }
    }
}

/// Refuses the `prot` of a mapping that the device couldn't read and write.
#[cfg(unix)]
fn check_protection(prot: i32) -> Result<(), ConfigError> {
    /// The flags of `mmap`, which have these values on all Unixes.
    const PROT_READ: i32 = 1;
    const PROT_WRITE: i32 = 2;

    let missing = match (prot & PROT_READ != 0, prot & PROT_WRITE != 0) {
        (true, true) => return Ok(()),
        (true, false) => "PROT_WRITE",
        (false, true) => "PROT_READ",
        (false, false) => "PROT_READ | PROT_WRITE",
    };
    Err(ConfigError::VramProtection { missing })
}

impl<B> fmt::Debug for Vram<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vram")
            .field("len", &(u64::from(self.mask) + 1))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use vm_memory::bitmap::AtomicBitmap;

    use super::*;

    fn vram() -> Vram {
        Vram::allocate(MIB).unwrap()
    }

    fn drained(vram: &Vram) -> Vec<u64> {
        let mut words = vec![0; vram.dirty_words()];
        vram.region().bitmap().drain_into(&mut words).unwrap();
        words
    }

    #[test]
    fn a_write_marks_the_pages_it_touches() {
        let vram = vram();
        assert_eq!(drained(&vram), [0; 4], "1 MiB has 256 pages");
        vram.write(0xfff, &[1, 2]);
        vram.set_byte(0x3_ffff, 1);
        vram.update_group(0x1_0000, |_| 1);
        assert_eq!(
            drained(&vram),
            [1 << 63 | 0b11, 0b1, 0, 0],
            "pages 0 and 1, 63, and 64"
        );
        vram.clear(0x1000);
        assert_eq!(drained(&vram), [0b1, 0, 0, 0]);
    }

    #[test]
    fn what_lies_behind_the_end_reads_ones_and_ignores_writes() {
        let vram = vram();
        let mut data = [0; 4];
        vram.write(MIB - 2, &[1, 2, 3, 4]);
        vram.read(MIB - 2, &mut data);
        assert_eq!(data, [1, 2, 0xff, 0xff]);
        vram.write(u64::MAX, &[1]);
        vram.read(u64::MAX, &mut data);
        assert_eq!(data, [0xff; 4]);
        assert_eq!(vram.byte(0), 0, "nothing wraps");
    }

    #[test]
    fn clearing_ends_at_the_length_given_and_at_the_end_of_vram() {
        let vram = vram();
        vram.write(0, &vec![0xaa; MIB as usize]);
        vram.clear(100_001);
        assert_eq!(
            [vram.byte(0), vram.byte(100_000), vram.byte(100_001)],
            [0, 0, 0xaa]
        );
        vram.clear(u64::MAX);
        assert_eq!(vram.byte(0xf_ffff), 0);
    }

    #[test]
    fn a_region_with_a_bitmap_of_another_type_is_marked_too() {
        let region: MmapRegion<AtomicBitmap> = MmapRegion::new(MIB as usize).unwrap();
        let vram = Vram::new(Arc::new(region)).unwrap();
        vram.set_byte(0x5000, 1);
        assert!(vram.region().bitmap().dirty_at(0x5000));
    }

    #[test]
    fn only_powers_of_two_from_1_to_512_mib_are_taken() {
        for bytes in [4096, 3 << 20, (1 << 20) + 4096] {
            let region: MmapRegion<()> = MmapRegion::new(bytes).unwrap();
            let error = Vram::new(Arc::new(region)).unwrap_err();
            assert!(
                matches!(error, ConfigError::VramRegionSize { bytes: given } if given == bytes as u64)
            );
        }
    }
}
