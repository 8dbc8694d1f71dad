// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device on the buses of rust-vmm's `vm-device`.

use std::mem;

use vm_device::bus::{MmioAddress, MmioAddressOffset, PioAddress, PioAddressOffset};
use vm_device::{MutDeviceMmio, MutDevicePio};
use vm_memory::GuestAddress;
use vm_memory::bitmap::Bitmap;

use crate::device::StdVga;
use crate::dirty::DirtyBitmap;
use crate::effects::Effects;

/// A [`StdVga`] on the buses of rust-vmm's `vm-device` (feature `vm-device`).
///
/// `Arc<Mutex<BusVga>>` is a `DevicePio` and a `DeviceMmio`. The same one is registered on all ranges:
/// the ports ([`Variant::port_ranges`](crate::Variant::port_ranges)), the 0xa0000 window
/// ([`WINDOW`](crate::WINDOW)), BAR2, and BAR0 and the ROM where they trap
/// ([`Mappings`](crate::Mappings)). An address reaches what is there at the moment, whatever range it
/// came through, so that a BAR that has moved isn't answered at its old place. At its new place it must
/// be registered anew.
///
/// These buses return nothing, so the effects of writes are kept: take them after each access.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use stdvga::{BusVga, Config, Effects, StdVga};
/// use vm_device::bus::{PioAddress, PioRange};
/// use vm_device::device_manager::{IoManager, PioManager};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let vga = Arc::new(Mutex::new(BusVga::new(StdVga::new(Config::default())?)));
/// let mut manager = IoManager::new();
/// for ports in vga.lock().unwrap().vga.variant().port_ranges() {
///     let range = PioRange::new(PioAddress(*ports.start()), ports.len() as u16)?;
///     manager.register_pio(range, vga.clone())?;
/// }
///
/// // The palette is switched on:
/// manager.pio_write(PioAddress(0x3c0), &[0x20])?;
/// let effects = vga.lock().unwrap().take_effects();
/// assert_eq!(effects, Effects::SCANOUT | Effects::MODE);
/// # Ok(())
/// # }
/// ```
///
/// What these buses can't hand over is an access that straddles the edge of a range (a word at 0x3cf,
/// say): they refuse it. Drivers make none.
#[derive(Debug)]
pub struct BusVga<B: Bitmap = DirtyBitmap> {
    /// The device, for what isn't on these buses: configuration space, resets, the scanout.
    pub vga: StdVga<B>,
    effects: Effects,
}

impl<B: Bitmap + 'static> BusVga<B> {
    /// Puts a device on buses.
    pub fn new(vga: StdVga<B>) -> Self {
        Self {
            vga,
            effects: Effects::empty(),
        }
    }

    /// What the writes on the buses changed since this was last called.
    ///
    /// With several vCPUs, it may tell of another one's write, too. Hold one lock from here until
    /// the mappings are followed: then no vCPU goes on before what it wrote has come true.
    pub fn take_effects(&mut self) -> Effects {
        mem::replace(&mut self.effects, Effects::empty())
    }
}

impl<B: Bitmap + 'static> MutDevicePio for BusVga<B> {
    fn pio_read(&mut self, base: PioAddress, offset: PioAddressOffset, data: &mut [u8]) {
        self.vga.port_read(base.0.wrapping_add(offset), data);
    }

    fn pio_write(&mut self, base: PioAddress, offset: PioAddressOffset, data: &[u8]) {
        self.effects |= self.vga.port_write(base.0.wrapping_add(offset), data);
    }
}

impl<B: Bitmap + 'static> MutDeviceMmio for BusVga<B> {
    fn mmio_read(&mut self, base: MmioAddress, offset: MmioAddressOffset, data: &mut [u8]) {
        self.vga.memory_read(address(base, offset), data);
    }

    fn mmio_write(&mut self, base: MmioAddress, offset: MmioAddressOffset, data: &[u8]) {
        self.effects |= self.vga.memory_write(address(base, offset), data);
    }
}

fn address(base: MmioAddress, offset: MmioAddressOffset) -> GuestAddress {
    GuestAddress(base.0.wrapping_add(offset))
}
