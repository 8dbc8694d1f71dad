// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What crosvm declares, as far as the page needs it: `devices::BusDevice` and `devices::PciDevice`
//! (with fewer methods), and `vm_control::api::VmMemoryClient` (as a trait).
// Declarations that nothing here calls belong to the traits all the same.
#![allow(dead_code)]

use std::fs::File;
use std::io;

/// Where a bus access goes.
#[derive(Clone, Copy)]
pub struct BusAccessInfo {
    pub offset: u64,
    pub address: u64,
    pub id: usize,
}

pub trait BusDevice: Send {
    fn debug_label(&self) -> String;
    fn read(&mut self, info: BusAccessInfo, data: &mut [u8]);
    fn write(&mut self, info: BusAccessInfo, data: &[u8]);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PciBarRegionType {
    Memory32BitRegion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PciBarPrefetchable {
    NotPrefetchable,
    Prefetchable,
}

#[derive(Clone, Copy, Debug)]
pub struct PciBarConfiguration {
    addr: u64,
    size: u64,
    bar_idx: usize,
    region_type: PciBarRegionType,
    prefetchable: PciBarPrefetchable,
}

impl PciBarConfiguration {
    pub fn new(
        bar_idx: usize,
        size: u64,
        region_type: PciBarRegionType,
        prefetchable: PciBarPrefetchable,
    ) -> Self {
        Self {
            addr: 0,
            size,
            bar_idx,
            region_type,
            prefetchable,
        }
    }

    pub fn set_address(mut self, addr: u64) -> Self {
        self.addr = addr;
        self
    }

    pub fn address(&self) -> u64 {
        self.addr
    }

    pub fn size(&self) -> u64 {
        self.size
    }
}

pub trait PciDevice: Send {
    fn debug_label(&self) -> String;
    fn get_bar_configuration(&self, bar_num: usize) -> Option<PciBarConfiguration>;
    fn read_config_register(&self, reg_idx: usize) -> u32;
    fn write_config_register(&mut self, reg_idx: usize, offset: u64, data: &[u8]);
    fn read_bar(&mut self, bar_index: usize, offset: u64, data: &mut [u8]);
    fn write_bar(&mut self, bar_index: usize, offset: u64, data: &[u8]);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VmMemoryRegionId(pub u64);

pub enum VmMemorySource {
    Descriptor {
        descriptor: File,
        offset: u64,
        size: u64,
    },
}

pub enum VmMemoryDestination {
    GuestPhysicalAddress(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    pub write: bool,
}

impl Protection {
    pub fn read() -> Self {
        Self { write: false }
    }

    pub fn read_write() -> Self {
        Self { write: true }
    }
}

pub enum MemCacheType {
    CacheCoherent,
}

pub trait VmMemoryClient: Send {
    fn register_memory(
        &self,
        source: VmMemorySource,
        dest: VmMemoryDestination,
        prot: Protection,
        cache: MemCacheType,
    ) -> io::Result<VmMemoryRegionId>;
    fn unregister_memory(&self, region: VmMemoryRegionId) -> io::Result<()>;
}
