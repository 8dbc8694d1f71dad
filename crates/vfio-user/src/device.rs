// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The VGA as a vfio-user device: its regions, and what answers accesses to them.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use stdvga::{Config, StdVga, Vram};
use vfio_bindings::bindings::vfio::{
    VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_BAR2_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX,
    VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS, VFIO_PCI_ROM_REGION_INDEX, VFIO_REGION_INFO_FLAG_MMAP,
    VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE, vfio_region_info,
    vfio_region_sparse_mmap_area,
};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, ServerBackend, ServerRegion, SparseArea};

const CONFIG_BYTES: u64 = 256;
/// The most that the server lets a client read at once: what the crate tells clients.
const MOST_READ: usize = 1 << 20;

/// The device. All clones are the same one.
#[derive(Clone)]
pub struct Device(Arc<Mutex<StdVga>>);

impl Device {
    /// A device whose VRAM clients can map, but not cut short.
    pub fn new(config: Config) -> Result<Self> {
        let vga = StdVga::with_sealed_memfd(config).context("the VGA can't be built")?;
        Ok(Self(Arc::new(Mutex::new(vga))))
    }

    /// The device itself, also after a panic of the thread that serves a client.
    pub fn lock(&self) -> MutexGuard<'_, StdVga> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The regions of a PCI device. Those that there are no bytes in don't exist. The descriptor of VRAM's
    /// file is open as long as the device is there.
    pub fn regions(&self) -> Vec<ServerRegion> {
        let vga = self.lock();
        let (read, write) = (VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE);
        let mut regions: Vec<_> = (0..VFIO_PCI_NUM_REGIONS)
            .map(|index| region(index, 0, 0))
            .collect();
        for bar in vga.bars() {
            let index = bar.index as u32;
            regions[bar.index] = match index {
                VFIO_PCI_BAR0_REGION_INDEX => mapped_region(index, vga.vram()),
                VFIO_PCI_ROM_REGION_INDEX => region(index, bar.len, read),
                _ => region(index, bar.len, read | write),
            };
        }
        let config = VFIO_PCI_CONFIG_REGION_INDEX;
        regions[config as usize] = region(config, CONFIG_BYTES, read | write);
        regions
    }

    /// The interrupts of a PCI device: the VGA has none.
    pub fn interrupts() -> Vec<IrqInfo> {
        let none = |index| IrqInfo {
            index,
            flags: 0,
            count: 0,
        };
        (0..VFIO_PCI_NUM_IRQS).map(none).collect()
    }
}

/// BAR0: VRAM, all of which clients can map.
fn mapped_region(index: u32, vram: &Vram) -> ServerRegion {
    let flags =
        VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP;
    let file = vram.region().file_offset();
    let area = vfio_region_sparse_mmap_area {
        offset: 0,
        size: vram.len(),
    };
    ServerRegion {
        // Without an area, the crate would keep the file to itself.
        sparse_areas: vec![SparseArea { area }],
        mmap_fd: file.map(|file| file.file().as_raw_fd()),
        ..region(index, vram.len(), flags)
    }
}

fn region(index: u32, size: u64, flags: u32) -> ServerRegion {
    ServerRegion {
        region_info: vfio_region_info {
            argsz: size_of::<vfio_region_info>() as u32,
            flags,
            index,
            size,
            ..Default::default()
        },
        sparse_areas: Vec::new(),
        mmap_fd: None,
    }
}

/// What clients ask for. What doesn't exist reads as all ones and ignores writes: an error is no answer
/// that clients expect, and writes have none at all.
impl ServerBackend for Device {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        if data.len() > MOST_READ {
            return Err(ErrorKind::InvalidInput.into());
        }
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
        Ok(())
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> io::Result<()> {
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
        Ok(())
    }

    /// Takes no notice of the guest's memory: the VGA has no DMA.
    fn dma_map(
        &mut self,
        _: DmaMapFlags,
        _: u64,
        _: u64,
        _: u64,
        _: Option<File>,
    ) -> io::Result<()> {
        Ok(())
    }

    fn dma_unmap(&mut self, _: DmaUnmapFlags, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        let _ = self.lock().reset();
        Ok(())
    }

    fn set_irqs(&mut self, _: u32, _: u32, _: u32, _: u32, _: Vec<File>) -> io::Result<()> {
        Ok(())
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
