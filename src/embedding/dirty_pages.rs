// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Which pages of VRAM were written, for one or several readers.

use std::fmt;

use thiserror::Error;
use vm_memory::bitmap::Bitmap;

use crate::device::StdVga;
use crate::dirty::{Dirty, DirtyBitmap, check_words};
use crate::error::BitmapLengthError;
use crate::vram::Vram;

const PAGE: u64 = DirtyBitmap::PAGE_SIZE as u64;
const BITS: u64 = u64::BITS as u64;

/// Why a hypervisor's dirty log can't be added. Nothing is added in that case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DirtyLogError {
    /// The log's pages have a size that no host has.
    #[error(
        "the dirty log has pages of {page_size} bytes: a power of two of at least 4096 is required"
    )]
    PageSize {
        /// The size given, in bytes.
        page_size: usize,
    },
    /// The slot doesn't start at a page of VRAM.
    #[error(
        "the dirty log starts at byte {vram_offset:#x} of VRAM: a multiple of 4096 is required"
    )]
    Offset {
        /// The offset given, in bytes.
        vram_offset: u64,
    },
    /// A marked page isn't one of VRAM's.
    #[error("the dirty log marks page {page}, but VRAM has only {pages} pages")]
    Page {
        /// The page's number.
        page: u64,
        /// The number of pages of VRAM.
        pages: u64,
    },
}

/// Why a reader of [`DirtyReaders`] can't take pages. Nothing is moved in that case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DirtyReaderError {
    /// There's no reader with that number.
    #[error("there's no reader {reader}: there are {readers}, numbered from 0")]
    Reader {
        /// The number given.
        reader: usize,
        /// The number of readers.
        readers: usize,
    },
    /// The pages belong to a VRAM of another length.
    #[error(transparent)]
    Length(#[from] BitmapLengthError),
}

/// The pages of VRAM that were written since one reader last used them.
///
/// ```
/// use std::time::Duration;
/// use stdvga::embedding::{DirtyPages, Picture};
/// use stdvga::{Config, Dirty, StdVga};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut vga = StdVga::new(Config::default())?;
/// let vram = vga.vram().clone();
/// let mut picture = Picture::new(3840 * 2160);
/// let mut pages = DirtyPages::new(&vram);
/// # let log_of_bar0 = [0; 64];
///
/// // With the device's lock: what the device and the guest wrote.
/// pages.add_marks(&mut vga)?;
/// pages.add_log(&log_of_bar0, 4096, 0)?; // KVM's log of BAR0's slot, just read
/// let scanout = vga.scanout();
/// // Without the lock. If the refresh fails, the pages stay marked.
/// let now = Duration::ZERO;
/// let damage = pages.consume(|dirty| picture.refresh(&scanout, &vram, dirty, now))?;
/// assert!(damage.is_some() && pages.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DirtyPages {
    words: Vec<u64>,
}

impl DirtyPages {
    /// No pages of this VRAM.
    pub fn new<B: Bitmap>(vram: &Vram<B>) -> Self {
        let words = vec![0; vram.dirty_words()];
        Self { words }
    }

    /// One bit per page of 4096 bytes, bit 0 of word 0 first. There are [`Vram::dirty_words`] words.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Whether no page is marked.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The numbers of the marked pages, in ascending order. A page starts at its number times 4096.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        bits(&self.words)
    }

    /// Marks all pages, for example if a log was lost.
    pub fn mark_all(&mut self) {
        self.words.fill(u64::MAX);
    }

    /// Unmarks all pages.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Adds the pages that the device wrote, and others that are marked in VRAM's bitmap. Each mark is
    /// returned only once. For several readers, use [`DirtyReaders`].
    ///
    /// # Errors
    ///
    /// [`BitmapLengthError`] if the device's VRAM has another length. Nothing is moved in that case.
    pub fn add_marks(&mut self, vga: &mut StdVga) -> Result<(), BitmapLengthError> {
        vga.drain_dirty(&mut self.words)
    }

    /// Adds the pages that are marked in the dirty log of a slot, in KVM's format: one bit for each of the
    /// *host's* pages.
    ///
    /// `page_size` is the host's page size in bytes: 4096, except on some AArch64 hosts, which have 16 or 64
    /// KiB. `vram_offset` is the byte of VRAM at which the slot starts: 0 for BAR0, and
    /// [`Region::offset`](crate::embedding::Region::offset) for any region.
    ///
    /// # Errors
    ///
    /// [`DirtyLogError`] if an argument is invalid, or if a page past VRAM's end is marked. Nothing is added
    /// in that case.
    pub fn add_log(
        &mut self,
        log: &[u64],
        page_size: usize,
        vram_offset: u64,
    ) -> Result<(), DirtyLogError> {
        if !page_size.is_power_of_two() || page_size < DirtyBitmap::PAGE_SIZE {
            return Err(DirtyLogError::PageSize { page_size });
        }
        if !vram_offset.is_multiple_of(PAGE) {
            return Err(DirtyLogError::Offset { vram_offset });
        }
        let (pages_of_bit, first) = (page_size as u64 / PAGE, vram_offset / PAGE);
        let pages = (self.words.len() as u64).saturating_mul(BITS);
        if let Some(last) = last_bit(log) {
            let page = last
                .saturating_add(1)
                .saturating_mul(pages_of_bit)
                .saturating_add(first)
                .saturating_sub(1);
            if page >= pages {
                return Err(DirtyLogError::Page { page, pages });
            }
        }
        if pages_of_bit == 1 {
            self.or_shifted(log, first);
        } else {
            for bit in bits(log) {
                let start = bit.saturating_mul(pages_of_bit).saturating_add(first);
                self.mark(start, pages_of_bit);
            }
        }
        Ok(())
    }

    /// Adds the pages that are marked in another set.
    ///
    /// # Errors
    ///
    /// [`BitmapLengthError`] if that set belongs to a VRAM of another length. Nothing is added in that case.
    pub fn add(&mut self, other: &Self) -> Result<(), BitmapLengthError> {
        check_words(&other.words, self.words.len())?;
        self.or(other);
        Ok(())
    }

    /// Adds the pages of another set, of the same VRAM.
    fn or(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// Passes the pages to `read`, and unmarks them if it succeeds. After an error they stay marked.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub fn consume<T, E>(&mut self, read: impl FnOnce(Dirty<'_>) -> Result<T, E>) -> Result<T, E> {
        let result = read(Dirty::Pages(&self.words))?;
        self.clear();
        Ok(result)
    }

    /// ORs in a log of 4096-byte pages, from page `first` on. All pages that it marks are inside.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves of a word that was shifted, and a number of words"
    )]
    fn or_shifted(&mut self, log: &[u64], first: u64) {
        let skipped = (first / BITS) as usize;
        for (at, pages) in log.iter().enumerate() {
            let pages = u128::from(*pages) << (first % BITS);
            let halves = [pages as u64, (pages >> BITS) as u64];
            let words = self.words.iter_mut().skip(skipped.saturating_add(at));
            for (word, half) in words.zip(halves) {
                *word |= half;
            }
        }
    }

    /// Marks `count` pages from page `first` on.
    fn mark(&mut self, first: u64, count: u64) {
        let pages = first..first.saturating_add(count);
        for page in pages {
            let word = usize::try_from(page / BITS).ok();
            if let Some(word) = word.and_then(|word| self.words.get_mut(word)) {
                *word |= 1 << (page % BITS);
            }
        }
    }
}

/// The numbers of the bits that are set, in ascending order.
fn bits(words: &[u64]) -> impl Iterator<Item = u64> {
    (0..)
        .step_by(u64::BITS as usize)
        .zip(words)
        .filter(|(_, word)| **word != 0)
        .flat_map(|(first, word)| {
            (first..)
                .zip(0..BITS)
                .filter_map(move |(number, bit)| (word >> bit & 1 != 0).then_some(number))
        })
}

/// The number of the highest bit that is set.
fn last_bit(words: &[u64]) -> Option<u64> {
    let at = words.iter().rposition(|word| *word != 0)?;
    let word = words.get(at)?;
    Some(
        (at as u64)
            .saturating_mul(BITS)
            .saturating_add(word.ilog2().into()),
    )
}

impl fmt::Debug for DirtyPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirtyPages")
            .field("marked", &self.iter().count())
            .finish_non_exhaustive()
    }
}

/// The pages of VRAM that were written, for several readers such as a screen and a migration. Each reader
/// gets every page that is added once.
///
/// Keep it behind the device's lock. Each reader has its own [`DirtyPages`], and moves new pages into them.
#[derive(Clone, Debug)]
pub struct DirtyReaders {
    pending: Vec<DirtyPages>,
    /// The pages that are being added.
    added: DirtyPages,
}

impl DirtyReaders {
    /// Creates `readers` readers, numbered from 0. No page of this VRAM is marked for them.
    pub fn new<B: Bitmap>(vram: &Vram<B>, readers: usize) -> Self {
        Self {
            pending: vec![DirtyPages::new(vram); readers],
            added: DirtyPages::new(vram),
        }
    }

    /// Adds the pages that the device wrote, as [`DirtyPages::add_marks`] does.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn add_marks(&mut self, vga: &mut StdVga) -> Result<(), BitmapLengthError> {
        self.added.add_marks(vga)?;
        self.distribute();
        Ok(())
    }

    /// Adds a hypervisor's log, as [`DirtyPages::add_log`] does.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn add_log(
        &mut self,
        log: &[u64],
        page_size: usize,
        vram_offset: u64,
    ) -> Result<(), DirtyLogError> {
        self.added.add_log(log, page_size, vram_offset)?;
        self.distribute();
        Ok(())
    }

    /// Marks all pages for all readers.
    pub fn mark_all(&mut self) {
        self.added.mark_all();
        self.distribute();
    }

    /// Moves the pages that are new to a reader into its own set.
    ///
    /// # Errors
    ///
    /// [`DirtyReaderError`] if there's no such reader, or if `pages` belongs to a VRAM of another length.
    /// Nothing is moved in that case.
    pub fn take(&mut self, reader: usize, pages: &mut DirtyPages) -> Result<(), DirtyReaderError> {
        let readers = self.pending.len();
        let Some(pending) = self.pending.get_mut(reader) else {
            return Err(DirtyReaderError::Reader { reader, readers });
        };
        pages.add(pending)?;
        pending.clear();
        Ok(())
    }

    fn distribute(&mut self) {
        for pages in &mut self.pending {
            pages.or(&self.added);
        }
        self.added.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn device() -> StdVga {
        StdVga::new(Config::default().vram_mib(1)).unwrap()
    }

    fn pages() -> DirtyPages {
        DirtyPages::new(device().vram())
    }

    #[test]
    fn the_log_of_a_bank_marks_the_pages_of_that_bank() {
        let mut pages = pages();
        // The window shows VRAM from 0x30000 on: its first page is page 48.
        pages
            .add_log(&[1 | 1 << 3 | 1 << 15], 4096, 0x3_0000)
            .unwrap();
        assert_eq!(pages.iter().collect::<Vec<_>>(), [48, 51, 63]);
        pages.add_log(&[0, 1 << 20], 4096, 0x3_0000).unwrap();
        assert_eq!(pages.iter().last(), Some(48 + 64 + 20));
    }

    #[test]
    fn a_page_of_a_host_with_large_pages_marks_all_that_it_holds() {
        for (page_size, expected) in [(16 << 10, 4..8), (64 << 10, 16..32)] {
            let mut pages = pages();
            pages.add_log(&[1 << 1], page_size, 0).unwrap();
            let marked: Vec<_> = pages.iter().collect();
            assert_eq!(
                marked,
                expected.collect::<Vec<_>>(),
                "pages of {page_size} bytes"
            );
        }
        let mut pages = pages();
        // A guest draws at 0x100000 - 64 KiB, and through a window there.
        pages.add_log(&[1], 64 << 10, 0xf_0000).unwrap();
        assert_eq!(
            pages.iter().collect::<Vec<_>>(),
            (240..256).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_log_that_cant_be_vrams_adds_nothing() {
        let refused = [
            (
                &[1][..],
                2048,
                0,
                DirtyLogError::PageSize { page_size: 2048 },
            ),
            (&[1], 12288, 0, DirtyLogError::PageSize { page_size: 12288 }),
            (&[1], 4096, 100, DirtyLogError::Offset { vram_offset: 100 }),
            (
                &[1, 0, 0, 0, 1],
                4096,
                0,
                DirtyLogError::Page {
                    page: 256,
                    pages: 256,
                },
            ),
            (
                &[1 << 1],
                64 << 10,
                0xf_0000,
                DirtyLogError::Page {
                    page: 271,
                    pages: 256,
                },
            ),
            (
                &[1],
                1 << 63,
                !0xfff,
                DirtyLogError::Page {
                    page: (1 << 51) + (1 << 52) - 2,
                    pages: 256,
                },
            ),
        ];
        for (log, page_size, vram_offset, expected) in refused {
            let mut pages = pages();
            let error = pages.add_log(log, page_size, vram_offset);
            assert_eq!(error, Err(expected));
            assert!(pages.is_empty(), "{expected}");
        }
    }

    #[test]
    fn pages_stay_marked_until_they_were_used() {
        let mut vga = device();
        vga.vram().write(0x5000, &[1]);
        let mut pages = pages();
        pages.add_marks(&mut vga).unwrap();
        let failed: Result<(), &str> = pages.consume(|_| Err("no"));
        assert_eq!(failed, Err("no"));
        assert_eq!(pages.iter().collect::<Vec<_>>(), [5]);
        let used: Result<(), &str> = pages.consume(|dirty| {
            assert!(matches!(dirty, Dirty::Pages([32, 0, 0, 0])), "{dirty:?}");
            Ok(())
        });
        assert_eq!(used, Ok(()));
        assert!(pages.is_empty());
    }

    #[test]
    fn each_reader_gets_what_was_written_once() {
        const SCREEN: usize = 0;
        const MIGRATION: usize = 1;
        let mut vga = device();
        let mut readers = DirtyReaders::new(vga.vram(), 2);
        let taken = |readers: &mut DirtyReaders, reader| {
            let mut pages = pages();
            readers.take(reader, &mut pages).unwrap();
            pages.iter().collect::<Vec<_>>()
        };
        vga.vram().write(0x5000, &[1]);
        readers.add_marks(&mut vga).unwrap();
        assert_eq!(taken(&mut readers, SCREEN), [5]);
        readers.add_log(&[1 << 6], 4096, 0).unwrap();
        assert_eq!(taken(&mut readers, MIGRATION), [5, 6]);
        assert_eq!(taken(&mut readers, MIGRATION), [0; 0]);
        assert_eq!(taken(&mut readers, SCREEN), [6]);
        let error = DirtyReaderError::Reader {
            reader: 2,
            readers: 2,
        };
        assert_eq!(readers.take(2, &mut pages()), Err(error));
        readers.mark_all();
        assert_eq!(taken(&mut readers, SCREEN).len(), 256);
    }

    #[test]
    fn pages_of_another_vram_are_refused() {
        let mut larger = StdVga::new(Config::default().vram_mib(2)).unwrap();
        let error = BitmapLengthError {
            given: 8,
            needed: 4,
        };
        assert_eq!(pages().add(&DirtyPages::new(larger.vram())), Err(error));
        let error = BitmapLengthError {
            given: 4,
            needed: 8,
        };
        assert_eq!(pages().add_marks(&mut larger), Err(error));
    }
}
