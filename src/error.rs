// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The errors that an embedder can get. A guest's accesses never fail.

use std::fmt;
use std::ops::RangeInclusive;

use thiserror::Error;

use crate::mappings::WindowRam;
use crate::variant::Variant;

/// Why a device can't be built from a [`Config`](crate::Config).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// An option was given that the variant doesn't have.
    #[error("{variant} has no option `{option}`: leave it at its default")]
    NotForVariant {
        /// The field of [`Config`](crate::Config).
        option: &'static str,
        /// The variant that lacks it.
        variant: Variant,
    },
    /// [`Config::vram_mib`](crate::Config::vram_mib) is no size that the device can have.
    #[error("vram_mib is {mib}: 1 to {max} MiB of VRAM are allowed")]
    VramSize {
        /// The size given, in MiB.
        mib: u32,
        /// The largest size allowed, in MiB.
        max: u32,
    },
    /// The option ROM is empty or too large.
    #[error("an option ROM of {bytes} bytes was given: 1 to {max} are allowed")]
    RomSize {
        /// Length of the ROM given, in bytes.
        bytes: usize,
        /// The largest length allowed, in bytes.
        max: usize,
    },
    /// The caller's VRAM region isn't a power of two from 1 to 512 MiB.
    #[error("a VRAM region of {bytes} bytes was given: a power of two from 1 to 512 MiB is needed")]
    VramRegionSize {
        /// Length of the region given, in bytes.
        bytes: u64,
    },
    /// The caller's VRAM region has a dirty bitmap that isn't as long as the region.
    #[error(transparent)]
    VramBitmap(#[from] BitmapLengthError),
    /// A VRAM size was configured, and a region of another size given.
    #[error("vram_mib asks for {configured} bytes of VRAM, but the region given has {bytes}")]
    VramSizeMismatch {
        /// What `vram_mib` comes to, in bytes.
        configured: u64,
        /// Length of the region given, in bytes.
        bytes: u64,
    },
    /// The caller's VRAM region isn't mapped for reading and writing. The device would crash the VMM.
    #[error("the VRAM region given is mapped without {missing}: the device reads and writes it")]
    VramProtection {
        /// The flags of `mmap` that `MmapRegion::prot` lacks.
        missing: &'static str,
    },
    /// The file given for VRAM is too short.
    #[error("the file given for VRAM has {file_bytes} bytes, but VRAM has {bytes}")]
    VramFileLength {
        /// Length of VRAM, in bytes.
        bytes: u64,
        /// Length of the file, in bytes: 0 for what has no length, such as a device.
        file_bytes: u64,
    },
    /// The file given for VRAM can't be mapped for reading and writing.
    #[error("the file given for VRAM can't be mapped, for {bytes} bytes")]
    VramMapping {
        /// Length of VRAM, in bytes.
        bytes: u64,
        /// What the host said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The host didn't give the memory for VRAM.
    #[error("{bytes} bytes of VRAM can't be allocated")]
    VramAllocation {
        /// Size asked for, in bytes.
        bytes: u64,
        /// What the host said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why a picture can't be drawn into a surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SurfaceError {
    /// The distance between two lines is less than a line.
    #[error("the surface's stride is {stride} pixels, but the picture is {width} pixels wide")]
    Stride {
        /// The surface's stride, in pixels.
        stride: usize,
        /// The picture's width, in pixels.
        width: u32,
    },
    /// The surface has fewer pixels than the picture needs at that stride.
    #[error("the surface has {pixels} pixels, but the picture needs {needed} at this stride")]
    TooSmall {
        /// Length of the surface, in pixels.
        pixels: usize,
        /// Length needed, in pixels.
        needed: usize,
    },
}

/// Why a [`Screen`](crate::Screen) can't be refreshed. The surface is left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The surface can't hold the picture.
    #[error(transparent)]
    Surface(#[from] SurfaceError),
    /// The dirty words aren't as many as VRAM has.
    #[error(transparent)]
    Dirty(#[from] BitmapLengthError),
    /// A [`Picture`](crate::embedding::Picture) has no memory for its pixels.
    #[error("there's no memory for a picture of {pixels} pixels")]
    Memory {
        /// How many pixels the picture has.
        pixels: u64,
    },
}

/// A slice of dirty words whose length isn't that of the bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a dirty bitmap of {given} words was given, but this VRAM needs {needed} (`Vram::dirty_words`)"
)]
pub struct BitmapLengthError {
    /// Length of the slice given, in 64-bit words.
    pub given: usize,
    /// Length needed, in 64-bit words.
    pub needed: usize,
}

/// Why pages can't be restored to a [`Vram`](crate::Vram). It's left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VramPageError {
    /// VRAM has no page of that number.
    #[error("page {number} was given, but this VRAM has pages 0 to {last} only")]
    Number {
        /// The number given.
        number: u64,
        /// The number of VRAM's last page.
        last: u64,
    },
    /// A page was given more than once.
    #[error("page {number} was given twice: once is allowed")]
    Twice {
        /// The page's number.
        number: u64,
    },
    /// What was given isn't as long as a page.
    #[error("page {number} was given with {bytes} bytes, but a page has {needed}")]
    Length {
        /// The page's number.
        number: u64,
        /// How many bytes were given.
        bytes: usize,
        /// How many bytes a page has: [`DirtyBitmap::PAGE_SIZE`](crate::DirtyBitmap::PAGE_SIZE).
        needed: usize,
    },
}

/// Why a saved [`State`](crate::State) is refused: by the device that's to have it, or as bytes.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// No device can be built from the configuration, or not on the region given.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The pages of VRAM that were saved with the state can't be this VRAM's.
    #[error(transparent)]
    Vram(#[from] VramPageError),
    /// The state is of a version that this crate doesn't know.
    #[error("the state has version {version}, but versions 1 to {newest} are known")]
    Version {
        /// The state's version.
        version: u32,
        /// The newest version that is known: [`State::VERSION`](crate::State::VERSION).
        newest: u32,
    },
    /// The configuration builds something else than what was saved.
    #[error(
        "the state was saved with `{option}` = {saved}, but the configuration has {configured}"
    )]
    Hardware {
        /// The field of [`Hardware`](crate::state::Hardware).
        option: &'static str,
        /// What the state has there.
        saved: String,
        /// What the configuration comes to.
        configured: String,
    },
    /// The state has a part that the device configured lacks, or the other way round.
    #[error("`{part}` is {} in the state, unlike in the device configured", if *.given { "there" } else { "missing" })]
    Part {
        /// The field of [`State`](crate::State).
        part: &'static str,
        /// Whether the state has it.
        given: bool,
    },
    /// A field has a value that no device can have.
    #[error("`{field}` is {value:#x} in the state: {allowed}")]
    Field {
        /// Path of the field in [`State`](crate::State), such as `crtc.registers[0x9]`.
        field: String,
        /// What the state has there.
        value: u64,
        /// What would do.
        allowed: Allowed,
    },
    /// The part of the 0xa0000 window that is plain RAM is none that the device can map.
    #[error(
        "`window_ram` is {:#x} bytes at {:#x} in the state, with VRAM from {:#x} on: no memory map of the device has that",
        .given.len, .given.offset, .given.vram_offset
    )]
    WindowRam {
        /// What the state has there.
        given: WindowRam,
    },
    /// The bytes aren't those of a saved state.
    #[error("the bytes begin with {found:02x?}, but a saved state with {expected:02x?}")]
    Magic {
        /// The first bytes.
        found: [u8; 8],
        /// What [`State::to_bytes`](crate::State::to_bytes) begins with.
        expected: [u8; 8],
    },
    /// The bytes end before the state does.
    #[error("{needed} more bytes are needed at offset {offset:#x}, but {left} are left")]
    Truncated {
        /// Where a value is missing, as an offset from the first byte.
        offset: usize,
        /// Length of the value, in bytes.
        needed: usize,
        /// How many bytes are left there.
        left: usize,
    },
    /// The bytes go on after the state.
    #[error("the state ends at offset {end:#x}, but {len:#x} bytes were given")]
    Trailing {
        /// Length of the state, in bytes.
        end: usize,
        /// How many bytes were given.
        len: usize,
    },
    /// A tag (a bool, an option's, an enum's) has a value that no state has there.
    #[error("the tag at offset {offset:#x} is {value:#x}: {allowed}")]
    Tag {
        /// Where the tag is, as an offset from the first byte.
        offset: usize,
        /// What is there.
        value: u8,
        /// What would do.
        allowed: Allowed,
    },
}

/// What a field of a saved state may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Allowed {
    /// Values from the first to the last.
    Range(RangeInclusive<u64>),
    /// Values with no other bits set than these.
    Bits(u64),
    /// No other than what a device has there: a constant, or what it would make of this and the other
    /// fields.
    Value(u64),
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => {
                write!(f, "{:#x} to {:#x} are allowed", range.start(), range.end())
            }
            Self::Bits(bits) => write!(f, "only bits {bits:#x} may be set"),
            Self::Value(value) => write!(f, "a device would have {value:#x} there"),
        }
    }
}

/// Why a BAR can't be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlaceBarError {
    /// The device has no such BAR.
    #[error("the device has no BAR {index} of {len} bytes")]
    Missing {
        /// The BAR's number.
        index: usize,
        /// Its length in bytes.
        len: u64,
    },
    /// The BAR can't lie at that address. One of a single byte, as a ROM may have, answers nowhere.
    #[error(
        "BAR {index} can't lie at {address:#x}: it takes a multiple of {len:#x} above 0 that ends below 0xffffffff"
    )]
    Address {
        /// The BAR's number.
        index: usize,
        /// The address given.
        address: u64,
        /// The BAR's length in bytes.
        len: u64,
    },
}

/// The device has no EDID blob, and so no monitor to describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this {variant} was built without EDID")]
pub struct NoEdidError {
    /// Which device it is.
    pub variant: Variant,
}
