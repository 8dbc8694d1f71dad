// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device behind a lock.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use vm_memory::GuestAddress;
use vm_memory::bitmap::Bitmap;

use super::{MapError, MappedRegions, RegionKinds};
use crate::device::StdVga;
use crate::dirty::DirtyBitmap;
use crate::effects::Effects;
use crate::error::{PlaceBarError, StateError};
use crate::pci::Bar;
use crate::state::{State, VramPages};

/// What a write to a [`SharedVga`] changed. The guest's memory already follows it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Change<'a, B: Bitmap = DirtyBitmap> {
    /// The device.
    pub vga: &'a StdVga<B>,
    /// What changed. Never empty.
    pub effects: Effects,
    /// Regions that couldn't be mapped or unmapped.
    pub errors: Vec<MapError>,
}

type OnChange<B> = Box<dyn FnMut(Change<'_, B>) + Send>;

struct Shared<B: Bitmap> {
    // Dropped first: the guest loses the memory before the device does.
    regions: MappedRegions,
    vga: StdVga<B>,
    on_change: OnChange<B>,
}

impl<B: Bitmap + 'static> Shared<B> {
    fn follow(&mut self, effects: Effects) {
        let errors = if effects.contains(Effects::MAPPINGS) {
            self.regions.follow(&self.vga.mappings())
        } else {
            Vec::new()
        };
        if !effects.is_empty() {
            (self.on_change)(Change {
                vga: &self.vga,
                effects,
                errors,
            });
        }
    }
}

/// The device behind a lock, for everything that uses it: buses, vCPU threads, the display thread. A clone
/// refers to the same device.
///
/// Before a write returns, and still under the lock, the guest's memory is made to match
/// [`StdVga::mappings`]. The vCPU continues only afterwards. When the last clone is dropped, everything is
/// unmapped.
///
/// With the feature `vm-device` it implements `DevicePio` and `DeviceMmio` of rust-vmm's `vm-device`.
pub struct SharedVga<B: Bitmap = DirtyBitmap>(Arc<Mutex<Shared<B>>>);

impl<B: Bitmap + 'static> SharedVga<B> {
    /// Shares a device, and maps what its mappings already contain: `isa-vga`'s framebuffer, or all regions
    /// of a device that was restored.
    ///
    /// `on_change` is called after every write that changed something, on the thread that wrote, under the
    /// lock. Therefore it must use the device only through its argument. `new` itself may call it first.
    pub fn new(
        vga: StdVga<B>,
        regions: MappedRegions,
        on_change: impl FnMut(Change<'_, B>) + Send + 'static,
    ) -> Self {
        let mut shared = Shared {
            regions,
            vga,
            on_change: Box::new(on_change),
        };
        if shared.vga.mappings() != Default::default() {
            shared.follow(Effects::MAPPINGS);
        }
        Self(Arc::new(Mutex::new(shared)))
    }

    /// Uses the device for what changes no mappings: for reads, and for writes to VRAM.
    ///
    /// ```
    /// # fn f(vga: &stdvga::embedding::SharedVga) {
    /// # let data = &mut [0];
    /// vga.with(|vga| vga.port_read(0x3da, data));
    /// # }
    /// ```
    pub fn with<T>(&self, call: impl FnOnce(&mut StdVga<B>) -> T) -> T {
        call(&mut self.lock().vga)
    }

    /// Writes to the device, and lets the guest's memory follow before the vCPU continues. Also used for
    /// resets.
    ///
    /// ```
    /// # fn f(vga: &stdvga::embedding::SharedVga) {
    /// # let data = &[0x20];
    /// vga.write(|vga| vga.port_write(0x3c0, data));
    /// vga.write(|vga| vga.reset());
    /// # }
    /// ```
    pub fn write(&self, write: impl FnOnce(&mut StdVga<B>) -> Effects) {
        let Ok(()) = self.try_write(|vga| Ok::<_, Infallible>(write(vga)));
    }

    /// Restores a saved state in place, and lets the guest's memory follow: [`StdVga::restore`]. Mapping
    /// errors go to `on_change`. They aren't errors of this call.
    ///
    /// # Errors
    ///
    /// Those of [`StdVga::restore`]. Nothing has changed in that case.
    pub fn restore(&self, state: &State) -> Result<(), StateError> {
        self.try_write(|vga| vga.restore(state))
    }

    /// Places a BAR at an address that the VMM chose, and lets the guest's memory follow:
    /// [`StdVga::place_bar`].
    ///
    /// # Errors
    ///
    /// Those of [`StdVga::place_bar`]. Nothing has changed in that case.
    pub fn place_bar(&self, bar: &Bar, address: GuestAddress) -> Result<(), PlaceBarError> {
        self.try_write(|vga| vga.place_bar(bar, address))
    }

    /// Restores a saved state and VRAM in place, and lets the guest's memory follow:
    /// [`StdVga::restore_with_pages`].
    ///
    /// # Errors
    ///
    /// Those of [`StdVga::restore_with_pages`]. Nothing has changed in that case.
    pub fn restore_with_pages(&self, state: &State, pages: &VramPages) -> Result<(), StateError> {
        self.try_write(|vga| vga.restore_with_pages(state, pages))
    }

    /// Changes at once which kinds of regions are mapped: [`MappedRegions::only`]. It also tries again to map
    /// and unmap what failed before.
    ///
    /// Mapping errors go to `on_change`, with [`Effects::MAPPINGS`].
    pub fn set_mapped(&self, kinds: RegionKinds) {
        let mut shared = self.lock();
        shared.regions.set_kinds(kinds);
        shared.follow(Effects::MAPPINGS);
    }

    /// A reference that doesn't keep the device alive, for a display thread that should end with it.
    pub fn downgrade(&self) -> WeakVga<B> {
        WeakVga(Arc::downgrade(&self.0))
    }

    fn try_write<E>(
        &self,
        write: impl FnOnce(&mut StdVga<B>) -> Result<Effects, E>,
    ) -> Result<(), E> {
        let mut shared = self.lock();
        let effects = write(&mut shared.vga)?;
        shared.follow(effects);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Shared<B>> {
        // A panic in the embedder's code doesn't leave the device half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Bitmap> Clone for SharedVga<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Bitmap> fmt::Debug for SharedVga<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedVga").finish_non_exhaustive()
    }
}

/// A reference to a [`SharedVga`] that may be gone.
pub struct WeakVga<B: Bitmap = DirtyBitmap>(Weak<Mutex<Shared<B>>>);

impl<B: Bitmap> WeakVga<B> {
    /// The device, as long as a clone of it is left. Don't keep the result, because it keeps the device
    /// alive.
    ///
    /// If all other clones are dropped meanwhile, this is the last one. Memory is then unmapped when it's
    /// dropped, on this thread. Whoever drops the others must wait for this thread before destroying anything
    /// that the mapper needs.
    pub fn upgrade(&self) -> Option<SharedVga<B>> {
        self.0.upgrade().map(SharedVga)
    }
}

impl<B: Bitmap> Clone for WeakVga<B> {
    fn clone(&self) -> Self {
        Self(Weak::clone(&self.0))
    }
}

impl<B: Bitmap> fmt::Debug for WeakVga<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakVga").finish_non_exhaustive()
    }
}
