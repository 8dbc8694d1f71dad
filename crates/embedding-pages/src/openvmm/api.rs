// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What OpenVMM declares, as far as the page needs it: `chipset_device` (without `ChipsetDevice`) and
//! `guestmem::MemoryMapper`.
// Declarations that nothing here calls belong to the traits all the same.
#![allow(dead_code)]

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::AsFd;
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq)]
pub enum IoResult {
    Ok,
}

pub trait PortIoIntercept {
    fn io_read(&mut self, io_port: u16, data: &mut [u8]) -> IoResult;
    fn io_write(&mut self, io_port: u16, data: &[u8]) -> IoResult;
    fn get_static_regions(&mut self) -> &[(&str, RangeInclusive<u16>)];
}

pub trait MmioIntercept {
    fn mmio_read(&mut self, address: u64, data: &mut [u8]) -> IoResult;
    fn mmio_write(&mut self, address: u64, data: &[u8]) -> IoResult;
    fn get_static_regions(&mut self) -> &[(&str, RangeInclusive<u64>)];
}

pub trait ControlMmioIntercept: Send {
    fn map(&mut self, addr: u64);
    fn unmap(&mut self);
    fn addr(&self) -> Option<u64>;
}

pub trait RegisterMmioIntercept {
    fn new_io_region(&mut self, region_name: &str, len: u64) -> Box<dyn ControlMmioIntercept>;
}

pub trait PciConfigSpace {
    fn pci_cfg_read(&mut self, offset: u16, value: &mut u32) -> IoResult;
    fn pci_cfg_write(&mut self, offset: u16, value: u32) -> IoResult;
}

/// What can be mapped: on Linux, a file descriptor.
pub trait AsMappableRef: AsFd {}

impl<T: AsFd> AsMappableRef for T {}

pub trait MappableGuestMemory: Send + Sync {
    fn map_to_guest(&mut self, gpa: u64, writable: bool) -> io::Result<()>;
    fn unmap_from_guest(&mut self);
}

pub trait MappedMemoryRegion: Send + Sync {
    fn map(
        &self,
        offset: usize,
        section: &dyn AsMappableRef,
        file_offset: u64,
        len: usize,
        writable: bool,
    ) -> io::Result<()>;
}

pub type NewRegion = (Box<dyn MappableGuestMemory>, Arc<dyn MappedMemoryRegion>);

pub trait MemoryMapper: Send + Sync {
    fn new_region(&self, len: usize, debug_name: String) -> io::Result<NewRegion>;
}
