// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The layer between a VMM and the device, which every embedder would otherwise write.
//!
//! - [`SharedVga`] is the device behind a lock, for everything that uses it. Through [`MappedRegions`], it
//!   makes the guest's memory match [`StdVga::mappings`]. It reports what a write changed.
//! - [`DirtyPages`] collects the pages that were written, from the device's marks and KVM's logs.
//!   [`DirtyReaders`] does so for several readers (a screen and a migration).
//! - [`Picture`] is a [`Screen`](crate::Screen) with its own surface, and a limit to its size.
//! - [`string_in`] and [`string_out`] split string instructions into accesses.
//!
//! The layer is optional. It uses only the crate's public API, and adds nothing that a guest can see. It
//! knows no hypervisor: a VMM provides the mapping of memory as a [`RegionMapper`].
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
//! // vCPU threads: the guest's memory follows a write before they continue.
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
