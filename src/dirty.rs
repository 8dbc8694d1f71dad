// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Which pages of VRAM were written, and how a refresh finds that out.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use vm_memory::bitmap::{Bitmap, NewBitmap, RefSlice, WithBitmapSlice};

use crate::error::BitmapLengthError;

/// What may have changed in VRAM since the last refresh of a [`Screen`](crate::Screen). It determines how a
/// refresh finds what to draw.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Dirty<'a> {
    /// Anything, so the whole picture is drawn. Use it for a surface that doesn't hold the previous picture.
    All,
    /// The pages of 4096 bytes whose bits are set, bit 0 of word 0 first:
    /// [`Vram::dirty_words`](crate::Vram::dirty_words) words.
    ///
    /// It must include all writers: what the device wrote
    /// ([`StdVga::drain_dirty`](crate::StdVga::drain_dirty)), and what the guest wrote through mappings of
    /// VRAM. OR KVM's dirty logs in. The log of BAR0's slot starts at VRAM's first page. The log of the
    /// 0xa0000 window's slot starts at [`WindowRam::vram_offset`](crate::WindowRam::vram_offset). Collect the
    /// marks before the refresh. Clear the words after it, unless it failed.
    Pages(&'a [u64]),
    /// Unknown, so the visible VRAM is compared with its contents at the last refresh.
    ///
    /// Use it for VRAM without a log. It's also faster than a log if the log's write faults cost the guest
    /// more. The screen keeps a copy of the visible VRAM to compare with.
    Compare,
}

impl Dirty<'_> {
    /// Checks the number of words.
    pub(crate) fn check(&self, needed: usize) -> Result<(), BitmapLengthError> {
        match self {
            Self::Pages(words) => check_words(words, needed),
            _ => Ok(()),
        }
    }

    /// Whether any of these bytes of VRAM may have changed.
    #[inline]
    pub(crate) fn touches(&self, bytes: Range<u64>) -> bool {
        match self {
            Self::Pages(words) => any_dirty(words, bytes),
            Self::All | Self::Compare => true,
        }
    }
}

pub(crate) fn check_words<T>(words: &[T], needed: usize) -> Result<(), BitmapLengthError> {
    if words.len() == needed {
        Ok(())
    } else {
        Err(BitmapLengthError {
            given: words.len(),
            needed,
        })
    }
}

/// Rows in a band. A band is checked as a whole first. If none of its pages is dirty, none of its rows is.
pub(crate) const BAND: usize = 32;

/// The smallest range around both.
pub(crate) fn around(one: Range<u64>, other: Range<u64>) -> Range<u64> {
    one.start.min(other.start)..one.end.max(other.end)
}

/// Whether any page that contains these bytes is marked.
#[inline]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a range that isn't empty ends above 0"
)]
pub(crate) fn any_dirty(words: &[u64], bytes: Range<u64>) -> bool {
    const BITS: u64 = u64::BITS as u64;
    if bytes.is_empty() {
        return false;
    }
    let first = bytes.start / DirtyBitmap::PAGE_SIZE as u64;
    let last = (bytes.end - 1) / DirtyBitmap::PAGE_SIZE as u64;
    let from_first = u64::MAX << (first % BITS);
    let to_last = u64::MAX >> (BITS - 1 - last % BITS);
    match words.get((first / BITS) as usize..=(last / BITS) as usize) {
        Some([word]) => word & from_first & to_last != 0,
        Some([start, between @ .., end]) => {
            start & from_first != 0 || end & to_last != 0 || between.iter().any(|word| *word != 0)
        }
        _ => false,
    }
}

/// The [dirty pages](crate::glossary#dirty-page): those that were written since the marks were last drained.
/// One bit per page, bit 0 of word 0 first.
///
/// # Who may mark
///
/// Anyone, on any thread and at any time: the device, clones of its [`Vram`](crate::Vram), and other devices'
/// DMA into a region that was passed to [`StdVga::with_vram`](crate::StdVga::with_vram). No mark is lost. If
/// [`StdVga::drain_dirty`](crate::StdVga::drain_dirty) runs too early for the bytes of a write, the page is
/// marked when `drain_dirty` returns, or later. A mark costs an atomic read-modify-write.
///
/// The device itself pays less. It loads first, and skips a page that is already marked. That is safe because
/// only [`StdVga::drain_dirty`](crate::StdVga::drain_dirty) drains the marks. It takes the device as `&mut`,
/// so the device can't write meanwhile. Therefore one bitmap must not serve two devices.
#[derive(Default)]
pub struct DirtyBitmap {
    words: Box<[AtomicU64]>,
}

impl DirtyBitmap {
    /// Bytes in a page.
    pub const PAGE_SIZE: usize = 4096;
    const PAGES_PER_WORD: usize = u64::BITS as usize;

    /// The number of words for the pages of `len` bytes.
    pub(crate) fn words_for(len: usize) -> usize {
        len.div_ceil(Self::PAGE_SIZE).div_ceil(Self::PAGES_PER_WORD)
    }

    /// Marks the page with that number, if there is one, while others may mark and drain.
    #[inline]
    fn mark(&self, page: usize) {
        if let Some(word) = self.words.get(page / Self::PAGES_PER_WORD) {
            word.fetch_or(1 << (page % Self::PAGES_PER_WORD), Ordering::Release);
        }
    }

    /// Marks the page at byte `offset`, if there is one, while nobody drains.
    #[inline]
    fn mark_undrained(&self, offset: usize) {
        let page = offset / Self::PAGE_SIZE;
        if let Some(word) = self.words.get(page / Self::PAGES_PER_WORD) {
            let mark = 1 << (page % Self::PAGES_PER_WORD);
            if word.load(Ordering::Relaxed) & mark == 0 {
                word.fetch_or(mark, Ordering::Release);
            }
        }
    }

    /// Moves the marks into `words`: ORs them in, and clears them here.
    ///
    /// The device must not write meanwhile. It might find its page still marked, and leave no mark.
    pub(crate) fn drain_into(&self, words: &mut [u64]) -> Result<(), BitmapLengthError> {
        check_words(words, self.words.len())?;
        for (word, marks) in words.iter_mut().zip(&self.words) {
            // Most words are clear: a load leaves their cache lines shared.
            if marks.load(Ordering::Relaxed) != 0 {
                *word |= marks.swap(0, Ordering::Acquire);
            }
        }
        Ok(())
    }
}

/// Refuses a `DirtyBitmap` that isn't for `len` bytes. Other types check this themselves.
pub(crate) fn check_length<B: Bitmap + 'static>(
    bitmap: &B,
    len: usize,
) -> Result<(), BitmapLengthError> {
    match (bitmap as &dyn Any).downcast_ref::<DirtyBitmap>() {
        Some(DirtyBitmap { words }) => check_words(words, DirtyBitmap::words_for(len)),
        None => Ok(()),
    }
}

/// Marks the page at byte `offset`, which the device wrote. Loads first if only the device drains the bitmap.
#[inline]
pub(crate) fn mark_by_device<B: Bitmap + 'static>(bitmap: &B, offset: usize, len: usize) {
    match (bitmap as &dyn Any).downcast_ref::<DirtyBitmap>() {
        Some(bitmap) => bitmap.mark_undrained(offset),
        None => bitmap.mark_dirty(offset, len),
    }
}

impl<'a> WithBitmapSlice<'a> for DirtyBitmap {
    type S = RefSlice<'a, Self>;
}

impl Bitmap for DirtyBitmap {
    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`len` is above 0, and no page is as high as `usize::MAX`"
    )]
    fn mark_dirty(&self, offset: usize, len: usize) {
        if len == 0 {
            return;
        }
        let first = offset / Self::PAGE_SIZE;
        let last = offset.saturating_add(len - 1) / Self::PAGE_SIZE;
        self.mark(first);
        // Most writes end in the page where they start.
        let pages = self.words.len() * Self::PAGES_PER_WORD;
        for page in first + 1..pages.min(last.saturating_add(1)) {
            self.mark(page);
        }
    }

    fn dirty_at(&self, offset: usize) -> bool {
        let page = offset / Self::PAGE_SIZE;
        self.words
            .get(page / Self::PAGES_PER_WORD)
            .is_some_and(|word| {
                word.load(Ordering::Relaxed) & (1 << (page % Self::PAGES_PER_WORD)) != 0
            })
    }

    fn slice_at(&self, offset: usize) -> RefSlice<'_, Self> {
        RefSlice::new(self, offset)
    }
}

impl NewBitmap for DirtyBitmap {
    fn with_len(len: usize) -> Self {
        Self {
            words: (0..Self::words_for(len))
                .map(|_| AtomicU64::new(0))
                .collect(),
        }
    }
}

impl fmt::Debug for DirtyBitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks = |word: &AtomicU64| word.load(Ordering::Relaxed).count_ones();
        f.debug_struct("DirtyBitmap")
            .field("words", &self.words.len())
            .field("marked_pages", &self.words.iter().map(marks).sum::<u32>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rand::prelude::*;

    use super::*;

    /// The pages that are found dirty when each is looked up alone.
    fn found(words: &[u64]) -> Vec<u64> {
        (0..words.len() as u64 * 64)
            .filter(|page| any_dirty(words, page * 4096..(page + 1) * 4096))
            .collect()
    }

    /// A bitmap of 1 MiB, which has 256 pages, with page 0 marked.
    fn bitmap() -> DirtyBitmap {
        let bitmap = DirtyBitmap::with_len(1 << 20);
        bitmap.mark_dirty(0, 1);
        bitmap
    }

    #[test]
    fn a_page_is_dirty_where_it_is_marked_alone() {
        let bitmap = DirtyBitmap::with_len(1 << 20);
        bitmap.mark_dirty(70 * 4096 + 5, 4096);
        let dirty: Vec<_> = (0..256 + 64)
            .filter(|page| bitmap.dirty_at(page * 4096 + 4095))
            .collect();
        assert_eq!(dirty, [70, 71]);
    }

    #[test]
    fn draining_moves_the_marks() {
        let bitmap = bitmap();
        let mut words = [0x10, 0, 0, 0];
        bitmap.drain_into(&mut words).unwrap();
        assert_eq!(words, [0x11, 0, 0, 0], "ORed to what was there");
        words.fill(0);
        bitmap.drain_into(&mut words).unwrap();
        assert_eq!(words, [0; 4]);
    }

    #[test]
    fn draining_into_a_slice_of_another_length_moves_nothing() {
        let bitmap = bitmap();
        let error = bitmap.drain_into(&mut [0; 3]).unwrap_err();
        assert_eq!(
            error,
            BitmapLengthError {
                given: 3,
                needed: 4
            }
        );
        assert!(bitmap.dirty_at(0));
    }

    #[test]
    fn a_mark_is_found_by_ranges_that_touch_its_page() {
        let words = [1 << 63, 0, 1];
        assert_eq!(found(&words), [63, 128]);
        assert!(any_dirty(&words, 64 * 4096 - 1..64 * 4096));
        assert!(!any_dirty(&words, 64 * 4096..128 * 4096));
        assert!(any_dirty(&words, 64 * 4096..128 * 4096 + 1));
        assert!(!any_dirty(&words, 129 * 4096..192 * 4096));
        assert!(any_dirty(&[0, 1, 0], 0..192 * 4096), "in between");
    }

    #[test]
    fn ranges_of_pages_find_what_their_pages_find() {
        let mut rng = SmallRng::seed_from_u64(1);
        for density in [0.002, 0.01, 0.1, 0.9] {
            for _ in 0..500 {
                let mut words = [0_u64; 4];
                for page in 0..256 {
                    words[page / 64] |= u64::from(rng.random_bool(density)) << (page % 64);
                }
                let first = rng.random_range(0..256);
                let last = rng.random_range(first..256);
                let bytes = first * 4096..(last + 1) * 4096;
                let expected = found(&words)
                    .iter()
                    .any(|page| (first..=last).contains(page));
                assert_eq!(
                    any_dirty(&words, bytes),
                    expected,
                    "pages {first} to {last} of {words:x?}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_found_in_no_bytes_or_behind_the_end() {
        assert!(!any_dirty(&[u64::MAX], 5..5));
        assert!(!any_dirty(&[u64::MAX], 64 * 4096..65 * 4096));
    }
}
