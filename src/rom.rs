// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The option ROM's memory.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// The largest page size of a host, in bytes (on AArch64).
const LARGEST_PAGE: usize = 64 << 10;

/// The option ROM: its bytes, padded with zeros to the length of its BAR, a power of two.
///
/// They start at a host page, so the ROM can be mapped into a guest directly. Map it read-only, and keep a
/// clone of this as long as it's mapped. A clone refers to the same memory. A ROM that is shorter than a page
/// can't be mapped, and traps.
#[derive(Clone)]
pub struct Rom {
    memory: Arc<[u8]>,
    /// The ROM's range in `memory`.
    place: Range<usize>,
}

impl Rom {
    /// Copies a ROM's contents to the start of a page.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "a ROM has at most 16 MiB, and `memory` has room for it from anywhere in the first page on"
    )]
    pub(crate) fn new(contents: &[u8]) -> Self {
        let len = contents.len().next_power_of_two();
        let mut memory: Arc<[u8]> = vec![0; len + LARGEST_PAGE].into();
        let start = memory.as_ptr().align_offset(LARGEST_PAGE).min(LARGEST_PAGE);
        if let Some(memory) = Arc::get_mut(&mut memory) {
            memory[start..][..contents.len()].copy_from_slice(contents);
        }
        let place = start..start + len;
        Self { memory, place }
    }
}

impl Deref for Rom {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.memory.get(self.place.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for Rom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rom")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rom_starts_at_a_page_and_is_padded_with_zeros() {
        for len in [1, 3000, 40_000, 1 << 20] {
            let rom = Rom::new(&vec![0x55; len]);
            assert_eq!(rom.as_ptr() as usize % LARGEST_PAGE, 0, "{len} bytes");
            assert_eq!(rom.len(), len.next_power_of_two());
            let (contents, padding) = rom.split_at(len);
            assert!(contents.iter().all(|byte| *byte == 0x55), "{len} bytes");
            assert!(padding.iter().all(|byte| *byte == 0), "{len} bytes");
            assert!(std::ptr::eq(rom.as_ptr(), rom.clone().as_ptr()));
        }
    }
}
