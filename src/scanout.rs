// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the screen shows, as a value.
//!
//! If QEMU differs from VGA hardware, this does what QEMU does. `docs/conformance.md` lists these quirks,
//! each with its test.

mod decode;
mod direct;

use std::fmt;

use crate::config::ByteOrder;
use crate::damage::Size;
use crate::planes::GROUP_BYTES;

pub(crate) use decode::shape;
pub use direct::DirectScanout;

/// Lines per character in a font, whether they show or not.
pub(crate) const GLYPH_LINES: usize = 32;
/// Bytes of VRAM that a font spans: the bytes of plane 2 in 256 characters' groups, one per line.
pub(crate) const FONT_BYTES: usize = 256 * GLYPH_LINES * GROUP_BYTES;
/// The maximum number of cells of a text screen that is drawn, as in QEMU: 160 columns of 100 rows.
pub(crate) const MAX_CELLS: u32 = 16_000;
/// VGA's own address space in VRAM bytes: four planes of 64 KiB.
pub(crate) const VGA_BYTES: u32 = 256 << 10;

/// What the screen shows: a small copy of everything that the picture depends on, except VRAM.
///
/// [`StdVga::scanout`](crate::StdVga::scanout) returns it, and [`Screen::refresh`](crate::Screen::refresh)
/// draws it. The [glossary](crate::glossary) explains the words for its parts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scanout {
    pub(crate) resets: u64,
    /// How often the device was restored in place.
    pub(crate) restores: u64,
    pub(crate) mode: Mode,
    pub(crate) palette: [u32; 256],
}

/// The kind of picture, and its geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// The palette is switched off (bit 5 of the Attribute Controller's index). The screen is black in the
    /// size of the last picture. After a reset it still shows that picture.
    Blank,
    /// Characters.
    Text(TextMode),
    /// Pixels.
    Graphics(GraphicsMode),
}

/// A text mode's geometry and cursor. Details that matter only for drawing aren't public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextMode {
    /// Characters in a row, 1 to 256 (CRTC 0x01).
    pub columns: u32,
    /// Complete rows of characters, 0 to 1024 (CRTC 0x12 and 0x07). 100 if CRTC 0x06 is 100, as in QEMU.
    pub rows: u32,
    /// Width of a character in pixels: 8, 9 or 16 (Sequencer 0x01).
    pub cell_width: u32,
    /// Height of a character in pixels, 1 to 32 (CRTC 0x09).
    pub cell_height: u32,
    /// The cursor, unless it's switched off. The [`Screen`](crate::Screen) decides whether it's in its
    /// visible phase.
    pub cursor: Option<Cursor>,
    /// The VRAM bytes at which the fonts start, for attributes with bit 3 clear and set (Sequencer 0x03).
    /// Line `y` of character `c` is the byte `128 * c + 4 * y + 2` after that.
    pub(crate) fonts: [u32; 2],
    /// Whether characters 0xb0-0xdf repeat their eighth dot in the ninth (Attribute Controller 0x10, bit 2).
    /// Hardware starts at 0xc0. This follows QEMU.
    pub(crate) line_graphics: bool,
    /// Whether bit 7 of an attribute makes the character blink: Attribute Controller 0x10, bit 3, if
    /// [`Config::text_blink`](crate::Config::text_blink) allows it.
    pub blink: bool,
    /// Where the cells are in VRAM.
    pub layout: Layout,
}

/// A graphics mode's geometry and pixel format. Details that matter only for drawing aren't public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphicsMode {
    /// Size of the picture in pixels, including repeated pixels and rows (DISPI's XRES and YRES, or CRTC
    /// 0x01, 0x12 and 0x07).
    pub size: Size,
    /// How bytes of VRAM become pixels (Graphics Controller 0x05, bits 6:5; Sequencer 0x01, bit 3; and
    /// DISPI's BPP).
    pub format: Format,
    /// The visible planes, in formats that have planes. Plane 0 is bit 0 (Attribute Controller 0x12).
    pub(crate) planes: u8,
    /// How many lines show the same row, 1 to 64 (CRTC 0x09).
    pub(crate) row_repeat: u32,
    /// How far rows are shifted to the left, 0 to 7 (Attribute Controller 0x13). 0 in DISPI modes.
    ///
    /// In planar and CGA formats this counts pixels before doubling. In 256-colour modes, every two of it are
    /// four pixels of VRAM. In rows that reach VGA's last address, each is one pixel, as in QEMU.
    pub(crate) panning: u32,
    /// Whether the shift ends at the line compare (Attribute Controller 0x10, bit 5).
    pub(crate) panning_reset: bool,
    /// The address bits that the two low bits of the row counter replace, if they do. CGA and Hercules lay
    /// out their rows this way (CRTC 0x17).
    pub(crate) folded: [Option<u32>; 2],
    /// Where the rows are in VRAM.
    pub layout: Layout,
}

/// Where [rows](crate::glossary#row) are in VRAM: rows of cells in text modes, rows of pixels in graphics
/// modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layout {
    /// The byte of VRAM at which the first row starts: four times the Start Address (CRTC 0x0c and 0x0d), or
    /// as DISPI's offsets say.
    pub start: u32,
    /// Bytes from one row to the next: eight times the Offset (CRTC 0x13), or DISPI's VIRT_WIDTH in bytes.
    pub pitch: u32,
    /// The line after which rows restart at byte 0, counted from 0 (CRTC 0x18, 0x07 and 0x09). In DISPI modes
    /// it's 65535, past every line.
    pub line_compare: u32,
}

/// A text cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cursor {
    /// The byte of VRAM at which its cell starts: four times the Cursor Location (CRTC 0x0e and 0x0f).
    pub address: u32,
    /// The first line of the cell that it covers, counted from 0 (CRTC 0x0a).
    pub first: u32,
    /// The last line that it covers, at most the cell's last one (CRTC 0x0b).
    pub last: u32,
}

/// How bytes of VRAM become pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// 16 colours: one bit from each of four planes. Also DISPI's 4 bits per pixel.
    Planar {
        /// Whether every pixel shows twice.
        doubled: bool,
    },
    /// Four or 16 colours: two bits from each of two planes, as on CGA.
    Cga {
        /// Whether every pixel shows twice.
        doubled: bool,
    },
    /// 256 colours, every pixel twice: mode 13h and similar modes. Mode 13h's 320x200 pixels make a picture
    /// of 640x400, as in QEMU.
    Indexed8Doubled,
    /// 256 colours.
    Indexed8,
    /// 5 bits each of red, green and blue in 16 bits. The highest bit isn't used.
    Rgb555(ByteOrder),
    /// 5, 6 and 5 bits of red, green and blue in 16 bits.
    Rgb565(ByteOrder),
    /// 8 bits each of red, green and blue in 24 bits.
    Rgb888(ByteOrder),
    /// 8 bits each of red, green and blue in 32 bits. The highest eight aren't used.
    Xrgb8888(ByteOrder),
}

impl Format {
    /// Bits per pixel, as in DISPI's BPP. 15 for [`Rgb555`](Self::Rgb555), whose pixels take 16 bits of VRAM.
    pub fn bits_per_pixel(&self) -> u32 {
        match self {
            Self::Planar { .. } | Self::Cga { .. } => 4,
            Self::Indexed8Doubled | Self::Indexed8 => 8,
            Self::Rgb555(_) => 15,
            Self::Rgb565(_) => 16,
            Self::Rgb888(_) => 24,
            Self::Xrgb8888(_) => 32,
        }
    }

    /// The minimum number of VRAM bytes per pixel.
    pub(crate) fn bytes_per_pixel(&self) -> u32 {
        self.bits_per_pixel().div_ceil(8)
    }

    /// The DRM code of the format (`drm_fourcc.h`), if pixels in VRAM are already displayable. Those are
    /// direct colours, except big-endian words of 15 and 16 bits, which QEMU widens by zeros.
    pub fn fourcc(&self) -> Option<u32> {
        let code = match self {
            Self::Rgb555(ByteOrder::Little) => b"XR15",
            Self::Rgb565(ByteOrder::Little) => b"RG16",
            Self::Rgb888(ByteOrder::Little) => b"RG24",
            Self::Rgb888(ByteOrder::Big) => b"BG24",
            Self::Xrgb8888(ByteOrder::Little) => b"XR24",
            Self::Xrgb8888(ByteOrder::Big) => b"BX24",
            _ => return None,
        };
        Some(u32::from_le_bytes(*code))
    }

    /// Whether pixels are palette indices.
    pub(crate) fn has_palette(&self) -> bool {
        self.bits_per_pixel() <= 8
    }

    /// Whether addresses wrap at the end of VGA's address space, not of VRAM.
    pub(crate) fn is_within_vga(&self) -> bool {
        self.has_16_colors() || *self == Self::Indexed8Doubled
    }

    /// Whether pixels are indices of the 16-colour palette.
    fn has_16_colors(&self) -> bool {
        matches!(self, Self::Planar { .. } | Self::Cga { .. })
    }
}

/// What distinguishes modes for an embedder: kind, size and format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Blank,
    Text(Size),
    Graphics(Size, Format),
}

impl TextMode {
    /// Size of the picture in pixels. It shows [if it's drawable](Self::is_drawable).
    pub fn size(&self) -> Size {
        Size {
            width: self.columns.saturating_mul(self.cell_width),
            height: self.rows.saturating_mul(self.cell_height),
        }
    }

    /// Whether the number of cells is drawn: 2 to 16000, as in QEMU. Otherwise the previous picture stays.
    pub fn is_drawable(&self) -> bool {
        (2..=MAX_CELLS).contains(&self.columns.saturating_mul(self.rows))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("blank"),
            Self::Text(mode) => write!(f, "text {}x{} ({})", mode.columns, mode.rows, mode.size()),
            Self::Graphics(mode) => write!(
                f,
                "graphics {}, {} bpp",
                mode.size,
                mode.format.bits_per_pixel()
            ),
        }
    }
}

impl Scanout {
    /// The kind of picture, and its geometry.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// The colours of palette indices, as 0x00RRGGBB. 16-colour modes use the first 16. Direct-colour modes
    /// and a blank screen use none. Unused entries are black.
    ///
    /// Components of six bits are widened to eight as in QEMU: bit 0 fills the two bits below it (21 is
    /// 0x57). Other programs repeat the high bits.
    pub fn palette(&self) -> &[u32; 256] {
        &self.palette
    }
}

impl fmt::Debug for Scanout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanout")
            .field("mode", &self.mode)
            .field("resets", &self.resets)
            .finish_non_exhaustive()
    }
}
