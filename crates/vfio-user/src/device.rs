// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The VGA as a vfio-user device: its regions, and what answers accesses to them.

use std::io;
use std::sync::Arc;

use anyhow::{Context, Result};
use parking_lot::{FairMutex, FairMutexGuard};
use rustix::fs::FallocateFlags;
use stdvga::vm_memory::FileOffset;
use stdvga::{Config, StdVga};
use vfio_bindings::bindings::vfio::{
    VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_BAR2_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX,
    VFIO_PCI_NUM_REGIONS, VFIO_PCI_ROM_REGION_INDEX, VFIO_REGION_INFO_FLAG_MMAP,
    VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE,
};

const CONFIG_BYTES: u64 = 256;

/// The device. All clones are the same one.
///
/// Whoever waits for it has it next: a client that sends message after message can't keep a display, or the
/// server's end, waiting for longer than one of them takes.
#[derive(Clone)]
pub struct Device(Arc<FairMutex<StdVga>>);

/// A region of a PCI device, as clients are told of it.
#[derive(Debug, Default)]
pub struct Region {
    /// In bytes. A region that doesn't exist has none.
    pub len: u64,
    /// What can be done with it: `VFIO_REGION_INFO_FLAG_...`.
    pub flags: u32,
    /// The file that clients map all of the region from, if they can.
    pub file: Option<FileOffset>,
}

impl Device {
    /// A device whose VRAM clients can map, but not cut short.
    ///
    /// # Errors
    ///
    /// If the configuration is none that a device can have, or there's no memory for VRAM.
    pub fn new(config: Config) -> Result<Self> {
        let vga = StdVga::with_sealed_memfd(config).context("the VGA can't be built")?;
        Ok(Self(Arc::new(FairMutex::new(vga))))
    }

    /// The device itself.
    pub fn lock(&self) -> FairMutexGuard<'_, StdVga> {
        self.0.lock()
    }

    /// A region of a PCI device; none past the last one.
    pub fn region(&self, index: u32) -> Option<Region> {
        if index >= VFIO_PCI_NUM_REGIONS {
            return None;
        }
        let read_write = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
        if index == VFIO_PCI_CONFIG_REGION_INDEX {
            return Some(Region {
                len: CONFIG_BYTES,
                flags: read_write,
                file: None,
            });
        }
        let vga = self.lock();
        let Some(bar) = vga.bar(index as usize) else {
            return Some(Region::default());
        };
        let (flags, file) = match index {
            VFIO_PCI_BAR0_REGION_INDEX => (
                read_write | VFIO_REGION_INFO_FLAG_MMAP,
                vga.vram().region().file_offset().cloned(),
            ),
            VFIO_PCI_ROM_REGION_INDEX => (VFIO_REGION_INFO_FLAG_READ, None),
            _ => (read_write, None),
        };
        Some(Region {
            len: bar.len,
            flags,
            file,
        })
    }

    /// Reads bytes of a region. What doesn't exist reads as all ones: an error is no answer that clients expect.
    pub fn region_read(&self, region: u32, offset: u64, data: &mut [u8]) {
        let mut vga = self.lock();
        match region {
            VFIO_PCI_BAR0_REGION_INDEX => vga.vram().read(offset, data),
            VFIO_PCI_BAR2_REGION_INDEX => vga.mmio_read(offset, data),
            VFIO_PCI_ROM_REGION_INDEX => vga.rom_read(offset, data),
            VFIO_PCI_CONFIG_REGION_INDEX => {
                let piece = config_access(data.len());
                for (offset, data) in config_offsets(offset, piece).zip(data.chunks_mut(piece)) {
                    vga.config_read(offset, data);
                }
            }
            _ => data.fill(0xff),
        }
    }

    /// Writes bytes to a region. What doesn't exist ignores them.
    pub fn region_write(&self, region: u32, offset: u64, data: &[u8]) {
        let mut vga = self.lock();
        // No effect needs to be followed: clients map BARs by themselves, and the screen finds out what changed.
        match region {
            VFIO_PCI_BAR0_REGION_INDEX => vga.vram().write(offset, data),
            VFIO_PCI_BAR2_REGION_INDEX => {
                let _ = vga.mmio_write(offset, data);
            }
            VFIO_PCI_CONFIG_REGION_INDEX => {
                let piece = config_access(data.len());
                for (offset, data) in config_offsets(offset, piece).zip(data.chunks(piece)) {
                    let _ = vga.config_write(offset, data);
                }
            }
            _ => {}
        }
    }

    /// Resets the device.
    pub fn reset(&self) {
        let _ = self.lock().reset();
    }

    /// Clears VRAM, and gives its memory back to the host: also what a client has mapped, or keeps a
    /// descriptor of.
    ///
    /// # Errors
    ///
    /// If the kernel refuses.
    pub fn discard_vram(&self) -> io::Result<()> {
        let vga = self.lock();
        let vram = vga.vram();
        let Some(file) = vram.region().file_offset() else {
            return Ok(());
        };
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::fs::fallocate(file.file(), flags, 0, vram.len())?)
    }
}

/// The length of one access to configuration space. Clients also read it as a whole.
fn config_access(len: usize) -> usize {
    if matches!(len, 2 | 4) { len } else { 1 }
}

/// The offsets of accesses of `len` bytes each. What lies past the end stays past it.
fn config_offsets(first: u64, len: usize) -> impl Iterator<Item = u16> {
    (0..)
        .step_by(len)
        .map(move |from_first| u16::try_from(first.saturating_add(from_first)).unwrap_or(u16::MAX))
}
