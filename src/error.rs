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
    /// [`Config::vram_mib`](crate::Config::vram_mib) isn't a size that the device can have.
    #[error("vram_mib is {mib}: 1 to {max} MiB of VRAM are allowed")]
    VramSize {
        /// The size given, in MiB.
        mib: u32,
        /// The largest size allowed, in MiB.
        max: u32,
    },
    /// The option ROM is empty or too large.
    #[error("the option ROM has {bytes} bytes: 1 to {max} are allowed")]
    RomSize {
        /// Length of the given ROM, in bytes.
        bytes: usize,
        /// The largest length allowed, in bytes.
        max: usize,
    },
    /// The caller's VRAM region isn't a power of two from 1 to 512 MiB.
    #[error("the VRAM region has {bytes} bytes: a power of two from 1 to 512 MiB is required")]
    VramRegionSize {
        /// Length of the given region, in bytes.
        bytes: u64,
    },
    /// The dirty bitmap of the caller's VRAM region isn't as long as the region.
    #[error(transparent)]
    VramBitmap(#[from] BitmapLengthError),
    /// The caller's VRAM region doesn't have the configured size.
    #[error("the given VRAM region has {bytes} bytes, but vram_mib requires {configured}")]
    VramSizeMismatch {
        /// The configured size, in bytes.
        configured: u64,
        /// Length of the given region, in bytes.
        bytes: u64,
    },
    /// The caller's VRAM region isn't mapped for reading and writing. Using it would crash the VMM.
    #[error(
        "the given VRAM region is mapped without {missing}, but the device needs to read and write it"
    )]
    VramProtection {
        /// The flags of `mmap` that `MmapRegion::prot` lacks.
        missing: &'static str,
    },
    /// The file given for VRAM is too short.
    #[error("the file given for VRAM has {file_bytes} bytes, but VRAM needs {bytes}")]
    VramFileLength {
        /// Length of VRAM, in bytes.
        bytes: u64,
        /// Length of the file, in bytes. 0 if it has no length, like a device.
        file_bytes: u64,
    },
    /// The file given for VRAM can't be mapped for reading and writing.
    #[error("can't map {bytes} bytes of the file given for VRAM")]
    VramMapping {
        /// Length of VRAM, in bytes.
        bytes: u64,
        /// The host's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The memory for VRAM can't be allocated.
    #[error("can't allocate {bytes} bytes of VRAM")]
    VramAllocation {
        /// Requested size, in bytes.
        bytes: u64,
        /// The host's error.
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
        /// Required length, in pixels.
        needed: usize,
    },
}

/// Why a [`Screen`](crate::Screen) can't be refreshed. The surface is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The surface can't hold the picture.
    #[error(transparent)]
    Surface(#[from] SurfaceError),
    /// The number of dirty words isn't VRAM's.
    #[error(transparent)]
    Dirty(#[from] BitmapLengthError),
    /// There's no memory for the pixels of a [`Picture`](crate::embedding::Picture).
    #[error("there's no memory for a picture of {pixels} pixels")]
    Memory {
        /// The number of pixels of the picture.
        pixels: u64,
    },
}

/// A slice of dirty words doesn't have the length of the bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a dirty bitmap of {given} words was given, but this VRAM needs {needed} (`Vram::dirty_words`)"
)]
pub struct BitmapLengthError {
    /// Length of the given slice, in 64-bit words.
    pub given: usize,
    /// Required length, in 64-bit words.
    pub needed: usize,
}

/// Why pages can't be restored to a [`Vram`](crate::Vram), which is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VramPageError {
    /// VRAM has no page with that number.
    #[error("page {number} doesn't exist: this VRAM has pages 0 to {last}")]
    Number {
        /// The number given.
        number: u64,
        /// The number of VRAM's last page.
        last: u64,
    },
    /// A page was given more than once.
    #[error("page {number} was given more than once")]
    Twice {
        /// The page's number.
        number: u64,
    },
    /// The given bytes aren't as long as a page.
    #[error("page {number} has {bytes} bytes, but {needed} are required")]
    Length {
        /// The page's number.
        number: u64,
        /// The number of given bytes.
        bytes: usize,
        /// The number of bytes of a page: [`DirtyBitmap::PAGE_SIZE`](crate::DirtyBitmap::PAGE_SIZE).
        needed: usize,
    },
}

/// Why a saved [`State`](crate::State) is refused, by a device or while it's decoded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// No device can be built from the configuration, or on the given region.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The pages that were saved with the state don't fit this VRAM.
    #[error(transparent)]
    Vram(#[from] VramPageError),
    /// The state has a version that this crate doesn't know.
    #[error("the state has version {version}, but only versions 1 to {newest} are supported")]
    Version {
        /// The state's version.
        version: u32,
        /// The newest known version: [`State::VERSION`](crate::State::VERSION).
        newest: u32,
    },
    /// The configuration builds different hardware than what was saved.
    #[error(
        "the state was saved with `{option}` = {saved}, but the configuration has {configured}"
    )]
    Hardware {
        /// The field of [`Hardware`](crate::state::Hardware).
        option: &'static str,
        /// The value in the state.
        saved: String,
        /// The value from the configuration.
        configured: String,
    },
    /// The state has a part that the configured device lacks, or the other way round.
    #[error("`{part}` is {} in the state, but not in the configured device", if *.given { "present" } else { "missing" })]
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
        /// The value in the state.
        value: u64,
        /// What is allowed.
        allowed: Allowed,
    },
    /// The device can't have this part of the 0xa0000 window as plain RAM.
    #[error(
        "`window_ram` is {:#x} bytes at {:#x} in the state, showing VRAM from {:#x}: no memory map of the device matches",
        .given.len, .given.offset, .given.vram_offset
    )]
    WindowRam {
        /// The value in the state.
        given: WindowRam,
    },
    /// The bytes aren't those of a saved state.
    #[error("the bytes start with {found:02x?}, but a saved state starts with {expected:02x?}")]
    Magic {
        /// The first bytes.
        found: [u8; 8],
        /// The bytes that [`State::to_bytes`](crate::State::to_bytes) begins with.
        expected: [u8; 8],
    },
    /// The bytes end before the state does.
    #[error("{needed} more bytes are needed at offset {offset:#x}, but only {left} are left")]
    Truncated {
        /// Where a value is missing, as an offset from the first byte.
        offset: usize,
        /// Length of the value, in bytes.
        needed: usize,
        /// The number of bytes left there.
        left: usize,
    },
    /// The bytes continue after the end of the state.
    #[error("the state ends at offset {end:#x}, but {len:#x} bytes were given")]
    Trailing {
        /// Length of the state, in bytes.
        end: usize,
        /// The number of given bytes.
        len: usize,
    },
    /// A tag (of a bool, an option or an enum) has an invalid value.
    #[error("the tag at offset {offset:#x} is {value:#x}: {allowed}")]
    Tag {
        /// Where the tag is, as an offset from the first byte.
        offset: usize,
        /// The value there.
        value: u8,
        /// What is allowed.
        allowed: Allowed,
    },
}

/// What a field of a saved state may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Allowed {
    /// Values from the first to the last.
    Range(RangeInclusive<u64>),
    /// Values with only these bits set.
    Bits(u64),
    /// Only the value that a device has there: a constant, or what it would compute from this and the other
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
            Self::Value(value) => write!(f, "only {value:#x} is allowed"),
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
    /// The BAR can't be at that address. A BAR of a single byte, as a ROM may have, answers nowhere.
    #[error(
        "BAR {index} can't be at {address:#x}: it needs a multiple of {len:#x} above 0, and must end below 0xffffffff"
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

/// The device has no EDID blob, so it describes no monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this {variant} was built without EDID")]
pub struct NoEdidError {
    /// Which device it is.
    pub variant: Variant,
}
