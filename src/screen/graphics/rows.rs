// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Which bytes of VRAM the lines of a picture show. A row is the bytes that one or more lines show.

use std::ops::Range;

use vm_memory::bitmap::Bitmap;

use crate::dirty::{BAND, Dirty, around};
use crate::planes::GROUP_BYTES;
use crate::scanout::{Format, GraphicsMode, VGA_BYTES};
use crate::screen::kernels::GROUP_PIXELS;
use crate::vram::Vram;

/// What a line shows in VGA's terms: the address of its row, and the panning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address {
    bytes: u32,
    panning: u32,
}

/// The address that each line of the picture shows, from the top down.
#[expect(clippy::arithmetic_side_effects, reason = "counts of lines")]
fn addresses(mode: &GraphicsMode) -> impl Iterator<Item = Address> + use<> {
    let mode = *mode;
    // The address moves on after the last of the rows that are folded into it.
    let [first, second] = mode.folded.map(|bit| u32::from(bit.is_some()));
    let last = first | second << 1;
    let mut base = mode.layout.start;
    let mut counter = 0_u32;
    let mut repeats = 0;
    let mut panning = mode.panning;
    (0..mode.size.height).map(move |line| {
        let address = Address {
            bytes: fold(base, counter, mode.folded),
            panning,
        };
        repeats += 1;
        if repeats == mode.row_repeat {
            repeats = 0;
            if counter & last == last {
                base = base.wrapping_add(mode.layout.pitch);
            }
            counter += 1;
        }
        // A split restarts only the address. Rows and repeats continue to count, as in QEMU.
        if line == mode.layout.line_compare {
            base = 0;
            if mode.panning_reset {
                panning = 0;
            }
        }
        address
    })
}

/// Replaces address bits by the row counter's low bits.
fn fold(address: u32, counter: u32, folded: [Option<u32>; 2]) -> u32 {
    let mut address = address;
    for (place, is_set) in folded.into_iter().zip([counter & 1 != 0, counter & 2 != 0]) {
        match place {
            Some(bit) if is_set => address |= bit,
            Some(bit) => address &= !bit,
            None => {}
        }
    }
    address
}

/// The bytes of VRAM for one or more equal lines of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The first line, and the number of consecutive lines.
    pub line: u32,
    pub lines: u32,
    /// The first byte, and the number of bytes.
    pub start: u32,
    pub len: u32,
    /// The number of pixels by which the row is shifted to the left after it was fetched.
    pub panning: u32,
}

impl Row {
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "a row has at most 16000 pixels, and `wrap` is a power of two"
    )]
    fn new(mode: &GraphicsMode, line: u32, address: Address, wrap: u32) -> Self {
        let Address { bytes, panning } = address;
        let width = mode.size.width;
        let (start, len, panning) = match mode.format {
            Format::Planar { doubled } | Format::Cga { doubled } => {
                let pixels = if doubled { width / 2 } else { width };
                // A shifted row needs a part of the next group.
                let groups = pixels / GROUP_PIXELS as u32 + u32::from(panning != 0);
                (bytes & !3, groups * GROUP_BYTES as u32, panning)
            }
            Format::Indexed8Doubled => {
                // As in QEMU (`docs/conformance.md`), two steps of panning are four pixels. In a row that
                // reaches the end of VGA's address space, one step is one pixel.
                let len = width / 2;
                let steps = panning >> 1;
                let crosses = bytes.saturating_add(len) >= VGA_BYTES;
                let skipped = if crosses { steps } else { 4 * steps };
                (bytes.wrapping_add(skipped), len, 0)
            }
            Format::Indexed8
            | Format::Rgb555(_)
            | Format::Rgb565(_)
            | Format::Rgb888(_)
            | Format::Xrgb8888(_) => (bytes, width * mode.format.bytes_per_pixel(), 0),
        };
        Self {
            line,
            lines: 1,
            start: start & (wrap - 1),
            len,
            panning,
        }
    }

    /// This row (or several joined rows) joined with `next`, if `next` has the following bytes of VRAM. The
    /// pitch of whole-byte rows is never less than a row, so `next` is then the next line.
    pub fn join(&self, next: &Self, wrap: u32) -> Option<Self> {
        let joined = Self {
            len: self.len.checked_add(next.len)?,
            ..*self
        };
        let follows = self.start.checked_add(self.len) == Some(next.start);
        let is_linear = joined.start.checked_add(joined.len)? <= wrap;
        (self.lines == 1 && next.lines == 1 && follows && is_linear).then_some(joined)
    }

    /// Its part of VRAM. Everything up to `wrap`, if it wraps there.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a sum of two 32-bit numbers"
    )]
    fn bytes(&self, wrap: u32) -> Range<u64> {
        let (start, end) = (
            u64::from(self.start),
            u64::from(self.start) + u64::from(self.len),
        );
        if end > u64::from(wrap) {
            0..u64::from(wrap)
        } else {
            start..end
        }
    }

    /// Whether it may have changed.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a sum of two 32-bit numbers"
    )]
    pub fn is_dirty(&self, dirty: Dirty<'_>, wrap: u32) -> bool {
        let end = u64::from(self.start) + u64::from(self.len);
        match end.checked_sub(u64::from(wrap)) {
            None | Some(0) => dirty.touches(u64::from(self.start)..end),
            Some(wrapped) => {
                dirty.touches(u64::from(self.start)..u64::from(wrap))
                    || dirty.touches(0..wrapped.min(u64::from(wrap)))
            }
        }
    }

    /// Fetches it.
    #[expect(clippy::arithmetic_side_effects, reason = "a row starts below `wrap`")]
    pub fn fetch<B: Bitmap>(&self, vram: &Vram<B>, wrap: u32, bytes: &mut [u8]) {
        let mut start = self.start;
        let mut rest = bytes;
        while !rest.is_empty() {
            let inside = rest.len().min((wrap - start) as usize);
            let (piece, behind) = rest.split_at_mut(inside);
            vram.read(u64::from(start), piece);
            rest = behind;
            start = 0;
        }
    }
}

/// A picture's rows, and where in VRAM they lie.
#[derive(Debug, Default)]
pub struct Rows {
    pub rows: Vec<Row>,
    /// The part of VRAM of each [`BAND`] of rows.
    pub bands: Vec<Range<u64>>,
    /// The part that contains all rows.
    pub all: Range<u64>,
    /// Where addresses wrap: a power of two within VRAM.
    pub wrap: u32,
    /// The length of the longest row, in bytes.
    pub len: usize,
}

impl Rows {
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "VRAM has 512 MiB at most, and a picture 12000 lines"
    )]
    pub fn lay_out<B: Bitmap>(&mut self, mode: &GraphicsMode, vram: &Vram<B>) {
        self.wrap = if mode.format.is_within_vga() {
            VGA_BYTES
        } else {
            vram.mask() + 1
        };
        self.rows.clear();
        for (line, address) in (0..).zip(addresses(mode)) {
            let row = Row::new(mode, line, address, self.wrap);
            match self.rows.last_mut() {
                Some(last) if (last.start, last.panning) == (row.start, row.panning) => {
                    last.lines += 1;
                }
                _ => self.rows.push(row),
            }
        }
        let wrap = self.wrap;
        self.bands.clear();
        self.bands.extend(self.rows.chunks(BAND).filter_map(|band| {
            let bytes = band.iter().map(|row| row.bytes(wrap));
            bytes.reduce(around)
        }));
        self.all = self
            .bands
            .iter()
            .cloned()
            .reduce(around)
            .unwrap_or_default();
        self.len = self
            .rows
            .iter()
            .map(|row| row.len as usize)
            .max()
            .unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::Size;
    use crate::scanout::Layout;

    fn mode(height: u32, row_repeat: u32) -> GraphicsMode {
        GraphicsMode {
            size: Size { width: 8, height },
            format: Format::Planar { doubled: false },
            planes: 15,
            row_repeat,
            panning: 0,
            panning_reset: false,
            folded: [None; 2],
            layout: Layout {
                start: 1000,
                pitch: 80,
                line_compare: 1023,
            },
        }
    }

    fn bytes(mode: &GraphicsMode) -> Vec<u32> {
        addresses(mode).map(|address| address.bytes).collect()
    }

    #[test]
    fn rows_repeat_before_the_next() {
        assert_eq!(bytes(&mode(5, 1)), [1000, 1080, 1160, 1240, 1320]);
        assert_eq!(bytes(&mode(5, 2)), [1000, 1000, 1080, 1080, 1160]);
    }

    #[test]
    fn the_line_after_the_line_compare_restarts_at_0_without_restarting_the_repeats() {
        let mut mode = mode(6, 2);
        mode.layout.line_compare = 2;
        assert_eq!(bytes(&mode), [1000, 1000, 1080, 0, 80, 80]);
    }

    #[test]
    fn panning_ends_at_the_line_compare_if_it_is_reset_there() {
        let mut mode = mode(3, 1);
        mode.panning = 5;
        mode.layout.line_compare = 1;
        let panning = |mode: &GraphicsMode| {
            addresses(mode)
                .map(|address| address.panning)
                .collect::<Vec<_>>()
        };
        assert_eq!(panning(&mode), [5, 5, 5]);
        mode.panning_reset = true;
        assert_eq!(panning(&mode), [5, 5, 0]);
    }

    #[test]
    fn cga_rows_are_interleaved() {
        let mut mode = mode(5, 1);
        mode.folded[0] = Some(0x4000);
        mode.layout.start = 0;
        assert_eq!(bytes(&mode), [0, 0x4000, 80, 0x4000 + 80, 160]);
    }

    #[test]
    fn four_row_interleave_moves_on_after_four_rows() {
        let mut mode = mode(6, 1);
        mode.folded = [Some(0x4000), Some(0x8000)];
        mode.layout.start = 0;
        assert_eq!(bytes(&mode), [0, 0x4000, 0x8000, 0xc000, 80, 0x4000 + 80]);
    }

    fn rows(mode: &GraphicsMode) -> Rows {
        let mut rows = Rows::default();
        rows.lay_out(mode, &Vram::allocate(1 << 20).unwrap());
        rows
    }

    #[test]
    fn lines_of_the_same_bytes_are_one_row() {
        let lines = |mode| {
            let rows = rows(&mode).rows;
            rows.iter()
                .map(|row| (row.line, row.lines))
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(mode(5, 2)), [(0, 2), (2, 2), (4, 1)]);
        assert_eq!(lines(mode(3, 1)), [(0, 1), (1, 1), (2, 1)]);
    }

    #[test]
    fn rows_wrap_at_the_end_of_their_address_space() {
        let vram = Vram::allocate(1 << 20).unwrap();
        vram.write(0, &[1, 2]);
        vram.write(u64::from(VGA_BYTES) - 2, &[8, 9]);
        let row = Row {
            line: 0,
            lines: 1,
            start: VGA_BYTES - 2,
            len: 4,
            panning: 0,
        };
        let mut bytes = [0; 4];
        row.fetch(&vram, VGA_BYTES, &mut bytes);
        assert_eq!(bytes, [8, 9, 1, 2]);
        assert_eq!(row.bytes(VGA_BYTES), 0..u64::from(VGA_BYTES));

        let is_dirty = |page: u32| {
            let mut words = [0; 4];
            words[page as usize / 64] |= 1 << (page % 64);
            row.is_dirty(Dirty::Pages(&words), VGA_BYTES)
        };
        let last = VGA_BYTES / 4096 - 1;
        assert_eq!(
            [0, 1, last - 1, last, last + 1].map(is_dirty),
            [true, false, false, true, false]
        );
    }
}
