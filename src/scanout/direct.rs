// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Pictures that need no drawing, because VRAM can be shown directly.

use vm_memory::bitmap::Bitmap;

use super::{GraphicsMode, Mode, Scanout};
use crate::damage::{Damage, Size};
use crate::dirty::{BAND, DirtyBitmap, any_dirty, check_words};
use crate::error::BitmapLengthError;
use crate::regs::dispi::MAX_YRES;
use crate::vram::Vram;

/// Bytes of VRAM per word of its dirty bitmap.
const WORD_BYTES: u64 = DirtyBitmap::PAGE_SIZE as u64 * u64::BITS as u64;

/// A [direct](crate::glossary#direct) picture: it is already in a displayable format in VRAM. A front end can
/// show that memory itself, or export it (as a `udmabuf`, or a texture), without a copy.
///
/// A page flip changes only the offset.
///
/// ```
/// use stdvga::{Config, StdVga};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut vga = StdVga::new(Config::default())?;
/// // A guest sets 1024x768 with 32 bits per pixel, and switches the palette on.
/// for (register, value) in [(1_u16, 1024_u16), (2, 768), (3, 32), (4, 1)] {
///     let _ = vga.port_write(0x1ce, &register.to_le_bytes());
///     let _ = vga.port_write(0x1d0, &value.to_le_bytes());
/// }
/// let _ = vga.port_write(0x3c0, &[0x20]);
///
/// let direct = vga.scanout().direct(vga.vram()).ok_or("it must be drawn")?;
/// assert_eq!(direct.fourcc.to_le_bytes(), *b"XR24");
/// assert_eq!((direct.offset, direct.pitch), (0, 4096));
///
/// // What changed, by the marks of dirty pages: here page 1, which is line 1.
/// let mut pages = vec![0; vga.vram().dirty_words()];
/// pages[0] = 1 << 1;
/// let damage = direct.damage(&pages)?;
/// assert_eq!((damage.rects()[0].y, damage.rects()[0].size.height), (1, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectScanout {
    /// The byte of VRAM at which the first pixel starts, a multiple of four.
    pub offset: u32,
    /// Bytes from one row to the next. VRAM contains all rows with their full pitch, including the last one:
    /// at least `offset + pitch * size.height` bytes.
    pub pitch: u32,
    /// Width and height in pixels.
    pub size: Size,
    /// The pixels' format, as a DRM code (`drm_fourcc.h`).
    pub fourcc: u32,
    /// Visible bytes of a row.
    row: u32,
    /// Length of VRAM's dirty bitmap.
    dirty_words: usize,
}

impl Scanout {
    /// Where the picture is in `vram`, which is the device's, if it needs no drawing. That's in modes whose
    /// format has a [`fourcc`](crate::Format::fourcc). `None` otherwise.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a row has at most 16000 pixels of four bytes"
    )]
    pub fn direct<B: Bitmap>(&self, vram: &Vram<B>) -> Option<DirectScanout> {
        let Mode::Graphics(mode) = &self.mode else {
            return None;
        };
        let fourcc = mode.format.fourcc()?;
        let direct = DirectScanout {
            offset: mode.layout.start,
            pitch: mode.layout.pitch,
            size: mode.size,
            fourcc,
            row: mode.size.width * mode.format.bytes_per_pixel(),
            dirty_words: vram.dirty_words(),
        };
        // DISPI ensures all of this. It's checked again, because host memory may be exported, usually with
        // the whole pitch of the last line.
        let end = direct.start_of(mode.size.height);
        (is_linear(mode) && end <= vram.len()).then_some(direct)
    }
}

/// Whether each line is one pitch after the line before.
fn is_linear(mode: &GraphicsMode) -> bool {
    mode.folded == [None; 2]
        && mode.row_repeat == 1
        && mode.layout.line_compare.saturating_add(1) >= mode.size.height
}

impl DirectScanout {
    /// What changed in the picture if the marked 4096-byte pages were written, as in
    /// [`Dirty::Pages`](crate::Dirty::Pages).
    ///
    /// Nothing else changed, as long as this `DirectScanout` is equal to the previous one. After a page flip,
    /// another mode, or [`StdVga::restore`](crate::StdVga::restore), everything changed.
    ///
    /// If a [`Screen`](crate::Screen) draws other pictures, it must know of those that are shown without it:
    /// call [`Screen::skip`](crate::Screen::skip) with the scanout of each.
    ///
    /// # Errors
    ///
    /// [`BitmapLengthError`] if `pages` isn't as long as VRAM's dirty bitmap ([`Vram::dirty_words`]).
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "at most 12000 lines, a band has one or more, and VRAM has at most 2048 words"
    )]
    pub fn damage(&self, pages: &[u64]) -> Result<Damage, BitmapLengthError> {
        check_words(pages, self.dirty_words)?;
        let Size { width, height } = self.size;
        // Callers can write the fields. Anything that can't be a picture in this VRAM counts as changed.
        let end = self.end_of(height.saturating_sub(1));
        if height > MAX_YRES.into() || end > pages.len() as u64 * WORD_BYTES {
            return Ok(Damage::whole(self.size));
        }
        let mut damage = Damage::NONE;
        for first in (0..height).step_by(BAND) {
            let lines = first..height.min(first + BAND as u32);
            if any_dirty(
                pages,
                self.start_of(lines.start)..self.end_of(lines.end - 1),
            ) {
                for line in lines {
                    if any_dirty(pages, self.start_of(line)..self.end_of(line)) {
                        damage.add_lines(line, 1, width);
                    }
                }
            }
        }
        Ok(damage)
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "32-bit numbers: 64 bits hold the product of two, and two more"
    )]
    fn start_of(&self, line: u32) -> u64 {
        u64::from(self.offset) + u64::from(self.pitch) * u64::from(line)
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "32-bit numbers: 64 bits hold the product of two, and two more"
    )]
    fn end_of(&self, line: u32) -> u64 {
        self.start_of(line) + u64::from(self.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ByteOrder;
    use crate::scanout::{Format, Layout};

    fn scanout(change: impl FnOnce(&mut GraphicsMode)) -> Scanout {
        let mut mode = GraphicsMode {
            size: Size {
                width: 64,
                height: 100,
            },
            format: Format::Xrgb8888(ByteOrder::Little),
            planes: 15,
            row_repeat: 1,
            panning: 0,
            panning_reset: false,
            folded: [None; 2],
            layout: Layout {
                start: 0x1000,
                pitch: 512,
                line_compare: 99,
            },
        };
        change(&mut mode);
        Scanout {
            resets: 0,
            restores: 0,
            mode: Mode::Graphics(mode),
            palette: [0; 256],
        }
    }

    #[test]
    fn only_rows_one_below_the_other_with_their_pitch_within_vram_are_direct() {
        let vram = Vram::allocate(1 << 20).unwrap();
        let is_direct = |change: fn(&mut GraphicsMode)| scanout(change).direct(&vram).is_some();
        assert!(is_direct(|_| {}));
        assert!(!is_direct(|mode| mode.row_repeat = 2));
        assert!(!is_direct(|mode| mode.folded[1] = Some(1 << 15)));
        assert!(!is_direct(|mode| mode.layout.line_compare = 98));
        assert!(is_direct(|mode| mode.layout.start = (1 << 20) - 100 * 512));
        assert!(!is_direct(
            |mode| mode.layout.start = (1 << 20) - 100 * 512 + 4
        ));
    }
}
