// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What stands between a VMM and the device: what every embedder would write anew.
//!
//! - [`SharedVga`] is the device behind a lock, for all that reach it. It makes the guest's memory what
//!   [`StdVga::mappings`] says, by [`MappedRegions`], and reports what a write changed.
//! - [`DirtyPages`] collects the pages that were written: the device's marks, and KVM's logs. With several
//!   readers (a screen and a migration) there's [`DirtyReaders`].
//! - [`Picture`] is a [`Screen`](crate::Screen) with a surface of its own, and a limit to its size.
//! - [`string_in`] and [`string_out`] cut string instructions into accesses.
//!
//! All of it is built on the rest of the crate's public API, adds nothing that a guest can see, and can be
//! left out. It knows no hypervisor: a VMM brings what maps memory, as a [`RegionMapper`].
//!
//! ```
//! use std::io;
//! use std::time::Duration;
//! use stdvga::embedding::{MappedRegions, Picture, Region, RegionMapper, SharedVga};
//! use stdvga::{Config, Dirty, StdVga};
//!
//! /// The VMM's memory slots.
//! struct Slots;
//!
//! impl RegionMapper for Slots {
//!     fn map(&mut self, region: &Region) -> io::Result<()> {
//!         println!("map {region}");
//!         Ok(())
//!     }
//!
//!     fn unmap(&mut self, region: &Region) -> io::Result<()> {
//!         println!("unmap {region}");
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let vga = StdVga::new(Config::default())?;
//! let vram = vga.vram().clone();
//! let vga = SharedVga::new(vga, MappedRegions::new(Slots), |change| {
//!     for error in change.errors {
//!         eprintln!("{error}");
//!     }
//! });
//!
//! // vCPU threads: what a write changed is followed before they go on.
//! vga.write(|vga| vga.port_write(0x3c0, &[0x20]));
//!
//! // The display thread: 3840x2160 pixels at most.
//! let mut picture = Picture::new(3840 * 2160);
//! let scanout = vga.with(|vga| vga.scanout()); // all that needs the lock
//! if let Some(damage) = picture.refresh(&scanout, &vram, Dirty::Compare, Duration::ZERO)? {
//!     for rect in damage.iter() {
//!         println!("show {} at {},{} of {}", rect.size, rect.x, rect.y, picture.size());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`StdVga::mappings`]: crate::StdVga::mappings

mod dirty_pages;
mod mapped_regions;
mod picture;
mod shared;
mod strings;
#[cfg(feature = "vm-device")]
mod vm_device;

pub use dirty_pages::{DirtyLogError, DirtyPages, DirtyReaderError, DirtyReaders};
pub use mapped_regions::{MapError, MappedRegions, Region, RegionKind, RegionKinds, RegionMapper};
pub use picture::Picture;
pub use shared::{Change, SharedVga, WeakVga};
pub use strings::{string_in, string_out};
