// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What Cloud Hypervisor declares, as far as the page needs it: `vm_device::BusDeviceSync`,
//! `pci::PciDevice` (with fewer methods), and its memory manager (as a trait).
// Declarations that nothing here calls belong to the traits all the same.
#![allow(dead_code)]

use std::io;
use std::sync::{Arc, Barrier};

pub trait BusDeviceSync: Send + Sync {
    fn read(&self, base: u64, offset: u64, data: &mut [u8]);
    fn write(&self, base: u64, offset: u64, data: &[u8]) -> Option<Arc<Barrier>>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PciBarRegionType {
    Memory32BitRegion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarReprogrammingParams {
    pub old_base: u64,
    pub new_base: u64,
    pub len: u64,
    pub region_type: PciBarRegionType,
}

pub trait PciDevice: Send {
    fn write_config_register(
        &mut self,
        reg_idx: usize,
        offset: u64,
        data: &[u8],
    ) -> (Vec<BarReprogrammingParams>, Option<Arc<Barrier>>);
    fn read_config_register(&mut self, reg_idx: usize) -> u32;
    fn move_bar(&mut self, old_base: u64, new_base: u64) -> io::Result<()>;
    fn restore_bar_addr(&mut self, params: &BarReprogrammingParams);
}

pub trait MemoryManager: Send {
    fn create_userspace_mapping(
        &mut self,
        guest_phys_addr: u64,
        memory_size: u64,
        userspace_addr: u64,
        mergeable: bool,
        readonly: bool,
        log_dirty: bool,
    ) -> io::Result<u32>;
    fn remove_userspace_mapping(
        &mut self,
        guest_phys_addr: u64,
        memory_size: u64,
        userspace_addr: u64,
        mergeable: bool,
        slot: u32,
    ) -> io::Result<()>;
}
