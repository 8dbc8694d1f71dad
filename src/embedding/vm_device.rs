// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device on the buses of rust-vmm's `vm-device`.

use vm_device::bus::{MmioAddress, MmioAddressOffset, PioAddress, PioAddressOffset};
use vm_device::{DeviceMmio, DevicePio};
use vm_memory::GuestAddress;
use vm_memory::bitmap::Bitmap;

use super::SharedVga;

/// On a `PioManager` (feature `vm-device`): register `Arc::new(vga.clone())` for each range of
/// [`Variant::port_ranges`](crate::Variant::port_ranges).
///
/// ```
/// use std::sync::Arc;
/// use stdvga::embedding::{MappedRegions, SharedVga};
/// use stdvga::{Config, Mode, StdVga};
/// # use stdvga::embedding::{Region, RegionMapper};
/// # struct Slots;
/// # impl RegionMapper for Slots {
/// #     fn map(&mut self, _: &Region) -> std::io::Result<()> { Ok(()) }
/// #     fn unmap(&mut self, _: &Region) -> std::io::Result<()> { Ok(()) }
/// # }
/// use vm_device::bus::{PioAddress, PioRange};
/// use vm_device::device_manager::{IoManager, PioManager};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let vga = StdVga::new(Config::default())?;
/// let variant = vga.variant();
/// let vga = SharedVga::new(vga, MappedRegions::new(Slots), |_| {});
/// let mut manager = IoManager::new();
/// for ports in variant.port_ranges() {
///     let range = PioRange::new(PioAddress(*ports.start()), ports.len() as u16)?;
///     manager.register_pio(range, Arc::new(vga.clone()))?;
/// }
///
/// // The palette is switched on:
/// manager.pio_write(PioAddress(0x3c0), &[0x20])?;
/// assert!(!matches!(vga.with(|vga| *vga.scanout().mode()), Mode::Blank));
/// # Ok(())
/// # }
/// ```
///
/// What these buses can't hand over is an access that straddles the edge of a range (a word at 0x3cf,
/// say): they refuse it. Drivers make none.
impl<B: Bitmap + Send + Sync + 'static> DevicePio for SharedVga<B> {
    fn pio_read(&self, base: PioAddress, offset: PioAddressOffset, data: &mut [u8]) {
        self.with(|vga| vga.port_read(base.0.wrapping_add(offset), data));
    }

    fn pio_write(&self, base: PioAddress, offset: PioAddressOffset, data: &[u8]) {
        self.write(|vga| vga.port_write(base.0.wrapping_add(offset), data));
    }
}

/// On an `MmioManager` (feature `vm-device`): register it at [`WINDOW`](crate::WINDOW), and where BAR0, BAR2
/// and the ROM are ([`Mappings::bar`](crate::Mappings::bar)).
///
/// An address reaches what is there at the moment, whatever range it came through, so that a BAR that has
/// moved isn't answered at its old place. At its new place it must be registered anew.
impl<B: Bitmap + Send + Sync + 'static> DeviceMmio for SharedVga<B> {
    fn mmio_read(&self, base: MmioAddress, offset: MmioAddressOffset, data: &mut [u8]) {
        self.with(|vga| vga.memory_read(address(base, offset), data));
    }

    fn mmio_write(&self, base: MmioAddress, offset: MmioAddressOffset, data: &[u8]) {
        self.write(|vga| vga.memory_write(address(base, offset), data));
    }
}

fn address(base: MmioAddress, offset: MmioAddressOffset) -> GuestAddress {
    GuestAddress(base.0.wrapping_add(offset))
}
