// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A copy of the VRAM that text is drawn from, as of the last refresh.

use std::ops::Range;

use vm_memory::bitmap::Bitmap;

use super::marks::Marks;
use crate::dirty::{Dirty, DirtyBitmap};
use crate::planes::{GROUP_BYTES, Group};
use crate::vram::Vram;

const PAGE_BYTES: u64 = DirtyBitmap::PAGE_SIZE as u64;
/// Groups per page.
const PAGE_GROUPS: usize = DirtyBitmap::PAGE_SIZE / GROUP_BYTES;
/// Groups that are compared at once.
const BLOCK: usize = 64;

/// A page of VRAM.
#[derive(Clone, Copy, Debug)]
struct Page {
    address: u64,
    /// Whether it's part of a font in use.
    is_of_font: bool,
}

impl Page {
    #[expect(clippy::arithmetic_side_effects, reason = "pages lie in VRAM")]
    fn bytes(&self) -> Range<u64> {
        self.address..self.address + PAGE_BYTES
    }
}

/// The pages of VRAM that hold cells, glyphs, or both (in different planes).
///
/// Neighbours in VRAM are neighbours here too.
#[derive(Debug, Default)]
pub struct PageCopy {
    /// In ascending order.
    pages: Vec<Page>,
    groups: Vec<Group>,
    /// A buffer for a page.
    page: Vec<Group>,
}

impl PageCopy {
    /// Copies the pages of these parts of VRAM.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "as many groups as in VRAM, at most"
    )]
    pub fn renew<B: Bitmap>(
        &mut self,
        vram: &Vram<B>,
        fonts: impl Iterator<Item = Range<u64>>,
        rows: impl Iterator<Item = Range<u64>>,
    ) {
        self.pages.clear();
        self.pages.extend(fonts.flat_map(|font| pages(font, true)));
        let rows = rows.filter(|row| !row.is_empty());
        self.pages.extend(rows.flat_map(|row| pages(row, false)));
        // For a page that holds both, the font's entry is kept.
        let font_first = |page: &Page| (page.address, !page.is_of_font);
        self.pages.sort_unstable_by_key(font_first);
        self.pages.dedup_by_key(|page| page.address);

        self.page.resize(PAGE_GROUPS, Group::default());
        self.groups
            .resize(self.pages.len() * PAGE_GROUPS, Group::default());
        let copies = self.groups.chunks_exact_mut(PAGE_GROUPS);
        for (page, copy) in self.pages.iter().zip(copies) {
            vram.read(page.address, copy.as_flattened_mut());
        }
    }

    /// Copies the pages that may have changed, and marks the cells that did. Returns whether a font did.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "as many groups as in VRAM, at most"
    )]
    pub fn update<B: Bitmap>(
        &mut self,
        vram: &Vram<B>,
        dirty: Dirty<'_>,
        marks: &mut Marks,
    ) -> bool {
        let mut font_changed = false;
        let (copies, _) = self.groups.as_chunks_mut::<PAGE_GROUPS>();
        for (number, (page, copy)) in self.pages.iter().zip(copies).enumerate() {
            if !dirty.touches(page.bytes()) {
                continue;
            }
            vram.read(page.address, self.page.as_flattened_mut());
            let (blocks, _) = self.page.as_chunks();
            let (copies, _) = copy.as_chunks_mut();
            let firsts = (number * PAGE_GROUPS..).step_by(BLOCK);
            for (first, (block, copy)) in firsts.zip(blocks.iter().zip(copies)) {
                // Most blocks haven't changed.
                if block.as_flattened() != copy.as_flattened() {
                    font_changed |= mark_changed(block, copy, first, marks) && page.is_of_font;
                    *copy = *block;
                }
            }
        }
        font_changed
    }

    /// The smallest part of VRAM that contains all pages.
    pub fn span(&self) -> Range<u64> {
        match &self.pages[..] {
            [first, .., last] => first.address..last.bytes().end,
            [page] => page.bytes(),
            [] => 0..0,
        }
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The index of the group at an address, if its page was copied.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "no more groups than in VRAM"
    )]
    pub fn find(&self, address: u64) -> Option<usize> {
        let within = address % PAGE_BYTES;
        let page = self
            .pages
            .binary_search_by_key(&(address - within), |page| page.address);
        Some(page.ok()? * PAGE_GROUPS + within as usize / GROUP_BYTES)
    }
}

/// The pages of a part of VRAM.
fn pages(bytes: Range<u64>, is_of_font: bool) -> impl Iterator<Item = Page> {
    let numbers = bytes.start / PAGE_BYTES..bytes.end.div_ceil(PAGE_BYTES);
    #[expect(clippy::arithmetic_side_effects, reason = "pages lie in VRAM")]
    numbers.map(move |number| Page {
        address: number * PAGE_BYTES,
        is_of_font,
    })
}

/// Marks the groups that differ as cells (in planes 0 and 1). Returns whether one differs as a glyph's line
/// (in plane 2).
fn mark_changed(
    new: &[Group; BLOCK],
    old: &[Group; BLOCK],
    first: usize,
    marks: &mut Marks,
) -> bool {
    let mut glyph_changed = false;
    for (group, (new, old)) in (first..).zip(new.iter().zip(old)) {
        if new != old {
            if new[..2] != old[..2] {
                marks.add(group);
            }
            glyph_changed |= new[2] != old[2];
        }
    }
    glyph_changed
}
