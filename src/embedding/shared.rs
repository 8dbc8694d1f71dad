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

/// What a write to a [`SharedVga`] changed. The guest's memory has followed already.
#[derive(Debug)]
#[non_exhaustive]
pub struct Change<'a, B: Bitmap = DirtyBitmap> {
    /// The device.
    pub vga: &'a StdVga<B>,
    /// What changed: never nothing.
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

/// The device behind a lock, for all that reach it: buses, vCPU threads, the display thread. A clone is the
/// same device.
///
/// What a write changes is followed before its call returns, and under the lock: the guest's memory is what
/// [`StdVga::mappings`] says before the vCPU goes on. When the last clone goes, all is unmapped.
///
/// With the feature `vm-device` it's a `DevicePio` and a `DeviceMmio` of rust-vmm's `vm-device`.
pub struct SharedVga<B: Bitmap = DirtyBitmap>(Arc<Mutex<Shared<B>>>);

impl<B: Bitmap + 'static> SharedVga<B> {
    /// Shares a device, and maps what it has mapped already: `isa-vga`'s framebuffer, or all of a device that
    /// was restored.
    ///
    /// `on_change` is called after every write that changed something, on the thread that wrote, under the
    /// lock: so it mustn't use the device but by what it's given. The first call may come from here.
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

    /// Uses the device if nothing is to be followed: for reads and for writes to VRAM.
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

    /// Writes to the device, and follows what that changed before the vCPU goes on. Also resets it.
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

    /// Brings the device to a saved state, and follows: [`StdVga::restore`]. What can't be mapped is handed to
    /// `on_change`, and isn't an error here.
    ///
    /// # Errors
    ///
    /// As there. Nothing is changed then.
    pub fn restore(&self, state: &State) -> Result<(), StateError> {
        self.try_write(|vga| vga.restore(state))
    }

    /// Places a BAR at an address that the VMM chose, and follows: [`StdVga::place_bar`].
    ///
    /// # Errors
    ///
    /// As there. Nothing is changed then.
    pub fn place_bar(&self, bar: &Bar, address: GuestAddress) -> Result<(), PlaceBarError> {
        self.try_write(|vga| vga.place_bar(bar, address))
    }

    /// Brings the device and VRAM to what was saved, and follows: [`StdVga::restore_with_pages`].
    ///
    /// # Errors
    ///
    /// As there. Nothing is changed then.
    pub fn restore_with_pages(&self, state: &State, pages: &VramPages) -> Result<(), StateError> {
        self.try_write(|vga| vga.restore_with_pages(state, pages))
    }

    /// Changes which kinds of regions are mapped, now: [`MappedRegions::only`]. What couldn't be mapped or
    /// unmapped before is tried again.
    ///
    /// What can't be mapped is handed to `on_change`, with [`Effects::MAPPINGS`].
    pub fn set_mapped(&self, kinds: RegionKinds) {
        let mut shared = self.lock();
        shared.regions.set_kinds(kinds);
        shared.follow(Effects::MAPPINGS);
    }

    /// A reference that doesn't keep the device: for a display thread, which then ends with it.
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
        // A panic of the embedder's doesn't leave the device half changed.
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

/// A [`SharedVga`] that may be gone.
pub struct WeakVga<B: Bitmap = DirtyBitmap>(Weak<Mutex<Shared<B>>>);

impl<B: Bitmap> WeakVga<B> {
    /// The device, as long as a clone of it is left. Don't keep it: the device stays for as long.
    ///
    /// If all others go meanwhile, this clone is the last one. Its memory is then unmapped where it's dropped, on
    /// this thread. Who drops the others waits for this thread before what the mapper needs goes.
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
