//! Pictures that need no drawing: VRAM is shown as it is.

use vm_memory::bitmap::Bitmap;

use super::{GraphicsMode, Mode, Scanout, Size};
use crate::damage::Damage;
use crate::dirty::{any_dirty, check_words};
use crate::error::BitmapLengthError;
use crate::regs::crtc;
use crate::vram::Vram;

/// Lines whose part of VRAM is looked at as a whole before that of each is.
const BAND: u32 = 32;

/// A picture that lies in VRAM as it shows, so that a front end can show the memory itself, or export
/// it (as a `udmabuf`, or a texture), without a copy.
///
/// A page flip changes the offset alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectScanout {
    /// The byte of VRAM that the first pixel starts at.
    pub offset: u32,
    /// Bytes from a row to the next.
    pub stride: u32,
    /// Width and height in pixels.
    pub size: Size,
    /// The pixels' format, as a DRM code (`drm_fourcc.h`).
    pub fourcc: u32,
    /// Bytes of a row that show.
    row: u32,
    /// Length of VRAM's dirty bitmap.
    dirty_words: usize,
}

impl Scanout {
    /// Where in `vram` the picture lies, if it needs no drawing: in the direct-colour modes of
    /// [`Format::fourcc`](crate::Format::fourcc), unless their rows are repeated, split or wrapped.
    pub fn direct<B: Bitmap>(&self, vram: &Vram<B>) -> Option<DirectScanout> {
        let Mode::Graphics(mode) = &self.mode else {
            return None;
        };
        let fourcc = mode.format.fourcc()?;
        let direct = DirectScanout {
            offset: mode.layout.start,
            stride: mode.layout.pitch,
            size: mode.size,
            fourcc,
            row: mode.size.width * mode.format.bytes_per_pixel(),
            dirty_words: vram.dirty_words(),
        };
        (is_linear(mode) && direct.end() <= vram.len()).then_some(direct)
    }
}

/// Whether each line is the pitch below the one before.
fn is_linear(mode: &GraphicsMode) -> bool {
    const UNFOLDED: u8 = crtc::NO_ROW_ADDRESSING;
    mode.crtc_mode & UNFOLDED == UNFOLDED
        && mode.row_repeat == 1
        && mode.layout.line_compare >= mode.size.height
}

impl DirectScanout {
    /// What changed in the picture, where the pages of 4096 bytes are marked that were written: as in
    /// [`Dirty::Pages`](crate::Dirty::Pages).
    ///
    /// # Errors
    ///
    /// [`BitmapLengthError`] where `pages` isn't as long as VRAM's dirty bitmap
    /// ([`Vram::dirty_words`]).
    pub fn damage(&self, pages: &[u64]) -> Result<Damage, BitmapLengthError> {
        check_words(pages, self.dirty_words)?;
        let mut damage = Damage::NONE;
        for first in (0..self.size.height).step_by(BAND as usize) {
            let lines = first..self.size.height.min(first + BAND);
            if any_dirty(
                pages,
                self.start_of(lines.start)..self.end_of(lines.end - 1),
            ) {
                for line in lines {
                    if any_dirty(pages, self.start_of(line)..self.end_of(line)) {
                        damage.add_lines(line, 1, self.size.width);
                    }
                }
            }
        }
        Ok(damage)
    }

    fn start_of(&self, line: u32) -> u64 {
        u64::from(self.offset) + u64::from(self.stride) * u64::from(line)
    }

    fn end_of(&self, line: u32) -> u64 {
        self.start_of(line) + u64::from(self.row)
    }

    /// The byte behind the last pixel.
    fn end(&self) -> u64 {
        self.end_of(self.size.height.saturating_sub(1))
    }
}
