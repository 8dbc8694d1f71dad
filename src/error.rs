//! The errors that an embedder can get. A guest's accesses never fail.

use thiserror::Error;

use crate::config::Variant;

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
    /// A VRAM size was configured, and a region of another size given.
    #[error("vram_mib asks for {configured} bytes of VRAM, but the region given has {bytes}")]
    VramSizeMismatch {
        /// What `vram_mib` comes to, in bytes.
        configured: u64,
        /// Length of the region given, in bytes.
        bytes: u64,
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
    /// The distance between two rows is less than a row.
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
}

/// A slice of dirty words whose length isn't that of the bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a dirty bitmap of {given} words was given, but VRAM has {needed} words of pages")]
pub struct BitmapLengthError {
    /// Length of the slice given, in 64-bit words.
    pub given: usize,
    /// Length needed, in 64-bit words.
    pub needed: usize,
}
