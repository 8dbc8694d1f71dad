// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! VRAM on files.

use std::fs::File;
use std::sync::Arc;

use vm_memory::{FileOffset, MmapRegion};

use super::Vram;
use crate::error::ConfigError;

impl Vram {
    /// Maps the first `bytes` of a file. The length comes from
    /// [`Config::vram_bytes`](crate::Config::vram_bytes).
    pub(crate) fn map(file: File, bytes: u64) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::VramMapping { bytes, source };
        let metadata = file.metadata().map_err(|error| failed(error.into()))?;
        let file_bytes = metadata.len();
        if file_bytes < bytes {
            return Err(ConfigError::VramFileLength { bytes, file_bytes });
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 512 MiB")]
        let region = MmapRegion::from_file(FileOffset::new(file, 0), bytes as usize)
            .map_err(|error| failed(error.into()))?;
        Self::new(Arc::new(region))
    }

    /// Allocates a memfd of `bytes` with a fixed length, and maps it.
    #[cfg(all(target_os = "linux", feature = "memfd"))]
    pub(crate) fn map_sealed(bytes: u64) -> Result<Self, ConfigError> {
        let file = sealed(bytes).map_err(|source| ConfigError::VramAllocation { bytes, source })?;
        Self::map(file, bytes)
    }
}

/// A zeroed memfd with a fixed length.
#[cfg(all(target_os = "linux", feature = "memfd"))]
fn sealed(bytes: u64) -> Result<File, Box<dyn std::error::Error + Send + Sync>> {
    use memfd::{FileSeal, MemfdOptions};

    let memfd = MemfdOptions::new().allow_sealing(true).create("vram")?;
    memfd.as_file().set_len(bytes)?;
    memfd.add_seals(&[
        // Touching a part that was cut off raises SIGBUS.
        FileSeal::SealShrink,
        FileSeal::SealGrow,
        // Prevents a seal against writable mappings, which others need.
        FileSeal::SealSeal,
    ])?;
    Ok(memfd.into_file())
}
