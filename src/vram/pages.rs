// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! VRAM by pages, to save and restore it. Neither touches a page that holds zeros and keeps them. So 512 MiB
//! stay small if a guest used little of them.

use std::mem;

use vm_memory::bitmap::Bitmap;

use super::Vram;
use crate::dirty::DirtyBitmap;
use crate::error::VramPageError;

type Page = [u8; DirtyBitmap::PAGE_SIZE];
static ZEROS: Page = [0; DirtyBitmap::PAGE_SIZE];

/// Pages that are read at once. Any VRAM has a multiple of it.
const CHUNK: usize = 16;

/// A buffer for these pages. Some kernels copy much faster to memory that is aligned to more than `Vec`'s 16
/// bytes.
#[repr(align(64))]
struct Chunk([Page; CHUNK]);

impl<B: Bitmap> Vram<B> {
    /// The pages that aren't all zeros, in ascending order: the number and the bytes of each. Page 1 starts
    /// at byte [`DirtyBitmap::PAGE_SIZE`].
    ///
    /// This is what a snapshot needs of VRAM. [`Vram::restore_pages`] restores it. Memory that nobody touched
    /// stays unallocated if it's the device's own, or belongs to a file that is mapped shared. (Shared memory
    /// without a file gets allocated, and so does a file that is mapped privately.)
    ///
    /// Pause the guest first. A page that it writes meanwhile may be saved half written.
    pub fn nonzero_pages(&self) -> impl Iterator<Item = (u64, [u8; DirtyBitmap::PAGE_SIZE])> {
        NonzeroPages {
            vram: self,
            chunk: Box::new(Chunk([ZEROS; CHUNK])),
            next: 0,
        }
    }

    /// Sets VRAM to these pages, each given by its number and its bytes, and to zeros everywhere else. It's
    /// the reverse of [`Vram::nonzero_pages`].
    ///
    /// The pages may be in any order, and come from an untrusted source. All of them are checked before any
    /// is written. Pages that are written or cleared are marked as by [`Vram::write`]. Memory that holds
    /// zeros and keeps them isn't touched, even if a page of zeros is given.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use stdvga::{Config, StdVga};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let saved = StdVga::new(Config::default())?;
    /// saved.vram().write(0x3ffe, b"a picture");
    /// let pages: BTreeMap<_, _> = saved.vram().nonzero_pages().collect();
    /// assert!(pages.keys().eq(&[3, 4]));
    ///
    /// let restored = StdVga::new(Config::default())?;
    /// restored.vram().restore_pages(pages.iter().map(|(number, bytes)| (*number, bytes)))?;
    /// assert!(restored.vram().nonzero_pages().eq(pages));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`VramPageError`] if VRAM has no page with a given number, if a page is given twice, or if it isn't
    /// [`DirtyBitmap::PAGE_SIZE`] bytes long. VRAM is unchanged in that case.
    pub fn restore_pages<P: AsRef<[u8]>>(
        &self,
        pages: impl IntoIterator<Item = (u64, P), IntoIter: Clone>,
    ) -> Result<(), VramPageError> {
        let pages = pages.into_iter();
        self.check_pages(pages.clone())?;
        for (number, _) in self.nonzero_pages() {
            self.write(offset(number), &ZEROS);
        }
        for (number, bytes) in pages {
            let bytes = bytes.as_ref();
            // A page of zeros was already cleared.
            if bytes != ZEROS {
                self.write(offset(number), bytes);
            }
        }
        Ok(())
    }

    /// Refuses pages that can't be restored.
    fn check_pages<P: AsRef<[u8]>>(
        &self,
        pages: impl Iterator<Item = (u64, P)>,
    ) -> Result<(), VramPageError> {
        let mut given = vec![false; self.pages()];
        for (number, bytes) in pages {
            let index = usize::try_from(number).unwrap_or(usize::MAX);
            let Some(is_given) = given.get_mut(index) else {
                let last = self.pages().saturating_sub(1) as u64;
                return Err(VramPageError::Number { number, last });
            };
            if mem::replace(is_given, true) {
                return Err(VramPageError::Twice { number });
            }
            let (bytes, needed) = (bytes.as_ref().len(), DirtyBitmap::PAGE_SIZE);
            if bytes != needed {
                return Err(VramPageError::Length {
                    number,
                    bytes,
                    needed,
                });
            }
        }
        Ok(())
    }

    /// The number of pages.
    fn pages(&self) -> usize {
        self.region.size() / DirtyBitmap::PAGE_SIZE
    }

    /// Reads from byte `offset` on, directly from the mapped file if there is one. Reading a hole of a file
    /// through its mapping would allocate it. (In private memory, reading maps a shared page of zeros.)
    fn read_untouched(&self, offset: u64, data: &mut [u8]) {
        #[cfg(unix)]
        if self.read_file(offset, data) {
            return;
        }
        self.read(offset, data);
    }

    /// Reads from the mapped file. Returns whether it could. The contents may differ from the file if the
    /// mapping isn't shared, or if the file is a device, such as `/dev/zero`.
    #[cfg(unix)]
    fn read_file(&self, offset: u64, data: &mut [u8]) -> bool {
        use std::os::unix::fs::FileExt;

        /// The flag of `mmap`, which has this value on all Unixes.
        const MAP_SHARED: i32 = 1;

        let Some(mapped) = self.region.file_offset() else {
            return false;
        };
        let file = mapped.file();
        self.region.flags() & MAP_SHARED != 0
            && file.metadata().is_ok_and(|metadata| metadata.is_file())
            && mapped
                .start()
                .checked_add(offset)
                .is_some_and(|offset| file.read_exact_at(data, offset).is_ok())
    }
}

/// Reads chunk by chunk.
struct NonzeroPages<'a, B> {
    vram: &'a Vram<B>,
    chunk: Box<Chunk>,
    /// The page to look at next.
    next: usize,
}

impl<B: Bitmap> Iterator for NonzeroPages<'_, B> {
    type Item = (u64, Page);

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.vram.pages() {
            let (number, in_chunk) = (self.next as u64, self.next % CHUNK);
            self.next = self.next.saturating_add(1);
            if in_chunk == 0 {
                let chunk = self.chunk.0.as_flattened_mut();
                self.vram.read_untouched(offset(number), chunk);
            }
            let page = self.chunk.0.get(in_chunk)?;
            if *page != ZEROS {
                return Some((number, *page));
            }
        }
        None
    }
}

/// The byte at which a page starts. A page that is too far away stays so.
fn offset(number: u64) -> u64 {
    number.saturating_mul(DirtyBitmap::PAGE_SIZE as u64)
}
