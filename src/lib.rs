// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! QEMU's standard VGA device (PCI `1234:1111`) for any virtual machine monitor.
//!
//! Firmware, boot loaders and operating systems already include drivers for this card: SeaBIOS, OVMF, GRUB,
//! Linux (vgacon, vesafb, bochs-drm), the BSDs, Haiku and ReactOS. Windows uses it with its generic drivers.
//! This crate gives the guests of a VMM written in Rust a screen.
//!
//! - [`StdVga`] is the guest's side: PCI configuration space, BARs, the legacy ports and the 0xa0000 window.
//!   It's built from a [`Config`], as one of three [`Variant`]s.
//! - [`Scanout`] is what the screen shows now, as a small value that is copied under the VMM's lock.
//! - [`Screen`] is the host's side. It draws a scanout and the [`Vram`] into a surface of the caller's,
//!   without the lock.
//! - [`embedding`] is a layer between these and a VMM: a lock that all threads share, guest memory that
//!   follows the device, and pictures with their own memory.
//!
//! The device knows offsets and little-endian byte slices, not buses. It owns no thread, reads no clock, and
//! calls nothing back, except an optional [`Clock`] for [`Retrace::Precise`]. Nothing that a guest does makes
//! it panic.
//!
//! # Example
//!
//! A guest sets 640x480 with 32 bits per pixel, and draws a white dot:
//!
//! ```
//! use std::time::Duration;
//! use stdvga::{Config, Dirty, Effects, Screen, StdVga, Surface, Variant};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut vga = StdVga::new(Config::new(Variant::Vga).vram_mib(16))?;
//!
//! // The vCPU thread passes accesses on. COMMAND and BAR0 come from the firmware:
//! let mut effects = vga.config_write(0x10, &0xfd00_0000_u32.to_le_bytes());
//! effects |= vga.config_write(0x04, &2_u16.to_le_bytes());
//! assert!(effects.contains(Effects::MAPPINGS));
//! let framebuffer = vga.mappings().framebuffer.ok_or("BAR0 is not mapped")?;
//! assert_eq!((framebuffer.base.0, framebuffer.len), (0xfd00_0000, 16 << 20));
//!
//! // The guest's driver sets the mode through the DISPI registers, and switches the palette on. Without
//! // that (bit 5 of the Attribute Controller's index), the screen stays blank in any mode.
//! for (register, value) in [(1_u16, 640_u16), (2, 480), (3, 32), (4, 0x41)] {
//!     effects |= vga.port_write(0x1ce, &register.to_le_bytes());
//!     effects |= vga.port_write(0x1d0, &value.to_le_bytes());
//! }
//! effects |= vga.port_write(0x3c0, &[0x20]);
//! assert!(effects.contains(Effects::MODE));
//!
//! // BAR0 is VRAM. The guest writes to it without exits.
//! vga.vram().write(0, &0x00ff_ffff_u32.to_le_bytes());
//!
//! // The display thread takes the scanout, and draws without the device's lock.
//! let vram = vga.vram().clone();
//! let scanout = vga.scanout();
//! assert_eq!(scanout.mode().to_string(), "graphics 640x480, 32 bpp");
//!
//! let mut screen = Screen::new();
//! let size = screen.size(&scanout);
//! // The guest chooses the size: up to 16000x12000. Don't allocate more than you want to show.
//! assert!(size.pixels() <= 3840 * 2160);
//! let mut pixels = vec![0; size.pixels() as usize];
//! let surface = Surface::new(&mut pixels, size.width as usize);
//! // The first refresh draws everything. Later ones draw what changed.
//! let damage = screen.refresh(&scanout, &vram, Dirty::Compare, Duration::ZERO, surface)?;
//! assert!(!damage.is_empty());
//! assert_eq!(pixels[..2], [0x00ff_ffff, 0]);
//! # Ok(())
//! # }
//! ```
//!
//! # Beyond the API
//!
//! The [`glossary`] explains the words that these pages use. The source's `docs` folder has more:
//!
//! - `embedding.md` shows how to put the device into a VMM, with code for four of them.
//! - `guests.md` lists guests that were seen to run.
//! - `design.md` explains how the crate is built.
//! - `conformance.md` lists where QEMU, and so this device, behaves unexpectedly.
//! - `threat-model.md` explains what a guest can't do.
//! - `testing.md` lists what a change must pass.
//!
//! # Features
//!
//! - `memfd`: `StdVga::with_sealed_memfd`, for VRAM that other processes can map (Linux).
//! - `serde`: `Serialize` and `Deserialize` for the saved state ([`state`]).
//! - `vm-device`: [`SharedVga`](embedding::SharedVga) on the port and MMIO buses of rust-vmm's `vm-device`.

// This code handles a guest's values everywhere. Anything that could panic or lose bits needs a stated reason
// why it doesn't.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod config;
mod counters;
mod damage;
mod device;
mod dirty;
mod edid;
mod effects;
pub mod embedding;
mod error;
mod mappings;
mod pci;
mod planes;
mod regs;
mod rom;
mod scanout;
mod screen;
pub mod state;
mod text;
mod variant;
mod vram;
mod window;

pub use config::{ByteOrder, Clock, Config, Monitor, Retrace};
pub use counters::{Accesses, Counters};
pub use damage::{Damage, Rect, Size};
pub use device::StdVga;
pub use dirty::{Dirty, DirtyBitmap};
pub use effects::Effects;
pub use error::{
    BitmapLengthError, ConfigError, NoEdidError, PlaceBarError, RefreshError, StateError,
    SurfaceError, VramPageError,
};
pub use mappings::{ISA_FRAMEBUFFER, MappedRange, Mappings, WINDOW, WindowRam};
pub use pci::{BAR2_BYTES, Bar, config_offset};
pub use rom::Rom;
pub use scanout::{Cursor, DirectScanout, Format, GraphicsMode, Layout, Mode, Scanout, TextMode};
pub use screen::{Kernels, Screen, Surface};
pub use state::State;
pub use text::{Cell, TextScreen};
pub use variant::Variant;
pub use vram::Vram;

/// The crate of [`MmapRegion`](vm_memory::MmapRegion), [`GuestAddress`](vm_memory::GuestAddress) and
/// [`FileOffset`](vm_memory::FileOffset), which are in this API.
pub use vm_memory;
/// The crate of the mode event's [`EventFd`](vmm_sys_util::eventfd::EventFd).
#[cfg(target_os = "linux")]
pub use vmm_sys_util;

// This module exists only in the documentation.
#[cfg(doc)]
#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}

/// Runs the README's examples as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_and_the_screen_may_move_to_other_threads() {
        fn assert<T: Send + Sync>() {}
        assert::<StdVga>();
        assert::<Vram>();
        assert::<Scanout>();
        assert::<Screen>();
    }
}
