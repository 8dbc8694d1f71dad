//! Where changes of VRAM are known from.

use std::ops::Range;

use crate::error::BitmapLengthError;
use crate::vram::DirtyBitmap;

/// What may have changed in VRAM since the last refresh of a [`Screen`](crate::Screen).
#[derive(Clone, Copy, Debug)]
pub enum Dirty<'a> {
    /// Anything: the whole picture is drawn. For a surface that doesn't hold the picture before.
    All,
    /// The pages of 4096 bytes whose bits are set, bit 0 of word 0 first:
    /// [`Vram::dirty_words`](crate::Vram::dirty_words) words.
    ///
    /// All writers must be in it: what the device wrote (drain [`DirtyBitmap`] into the words), and
    /// what the guest wrote through mappings of VRAM (OR in KVM's dirty log). Collect the marks
    /// before the refresh, and clear the words after it, unless it failed.
    Pages(&'a [u64]),
    /// It isn't known: what's visible is compared with what was there at the last refresh.
    ///
    /// For VRAM without a log, and faster than a log whose upkeep costs the guest write faults. The
    /// screen keeps a copy of the VRAM that's visible, to compare with.
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

pub(crate) fn check_words(words: &[u64], needed: usize) -> Result<(), BitmapLengthError> {
    if words.len() == needed {
        Ok(())
    } else {
        Err(BitmapLengthError {
            given: words.len(),
            needed,
        })
    }
}

/// Whether a page is marked that these bytes lie in.
#[inline]
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The pages that are found dirty, each looked for alone.
    fn found(words: &[u64]) -> Vec<u64> {
        (0..words.len() as u64 * 64)
            .filter(|page| any_dirty(words, page * 4096..(page + 1) * 4096))
            .collect()
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
    fn nothing_is_found_in_no_bytes_or_behind_the_end() {
        assert!(!any_dirty(&[u64::MAX], 5..5));
        assert!(!any_dirty(&[u64::MAX], 64 * 4096..65 * 4096));
    }
}
