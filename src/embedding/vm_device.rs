// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device on the buses of rust-vmm's `vm-device`.

use vm_device::bus::{MmioAddress, MmioAddressOffset, PioAddress, PioAddressOffset};
use vm_device::{DeviceMmio, DevicePio};
use vm_memory::GuestAddress;
use vm_memory::bitmap::Bitmap;

use super::SharedVga;

/// For a `PioManager` (feature `vm-device`): register `Arc::new(vga.clone())` for each range of
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
/// // Switch the palette on:
/// manager.pio_write(PioAddress(0x3c0), &[0x20])?;
/// assert!(!matches!(vga.with(|vga| *vga.scanout().mode()), Mode::Blank));
/// # Ok(())
/// # }
/// ```
///
/// These buses refuse an access that straddles the edge of a range, such as a word at 0x3cf. No driver makes
/// such accesses.
impl<B: Bitmap + Send + Sync + 'static> DevicePio for SharedVga<B> {
    fn pio_read(&self, base: PioAddress, offset: PioAddressOffset, data: &mut [u8]) {
        self.with(|vga| vga.port_read(base.0.wrapping_add(offset), data));
    }

    fn pio_write(&self, base: PioAddress, offset: PioAddressOffset, data: &[u8]) {
        self.write(|vga| vga.port_write(base.0.wrapping_add(offset), data));
    }
}

/// For an `MmioManager` (feature `vm-device`): register it at [`WINDOW`](crate::WINDOW), and at the addresses
/// of BAR0, BAR2 and the ROM ([`Mappings::bar`](crate::Mappings::bar)).
///
/// An address reaches whatever is there at the moment, whatever range it came through. So a BAR that has
/// moved doesn't answer at its old place. It must be registered again at its new place.
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
