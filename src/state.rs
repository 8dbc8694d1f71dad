// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A device's saved state: everything that a guest can see of it, now or later, except VRAM.
//!
//! [`StdVga::state`] returns it. [`StdVga::from_state`] builds a device from it, and [`StdVga::restore`]
//! restores an existing device to it. It's plain data: a field for each register or file of registers, and a
//! struct for each block of the chip. Values that are computed from other fields aren't in it, such as the
//! picture, the mappings, and the pitch of a DISPI mode. VRAM is memory, and is saved as such, or as
//! [`VramPages`]. The embedder keeps the option ROM's bytes.
//!
//! # Saving and restoring
//!
//! To save:
//!
//! 1. Pause the vCPUs. Pass on writes that the hypervisor still holds back (KVM's coalesced ones).
//! 2. Call [`StdVga::state`]. [Formats](#formats) lists the ways to store the result.
//! 3. Save VRAM. If its region is part of the memory that your VMM's snapshot covers, the snapshot does it.
//!    Many snapshots cover only RAM regions, such as those of crosvm, Cloud Hypervisor and OpenVMM. In that
//!    case, save VRAM's pages with the device: in [`VramPages`], or directly with [`Vram::nonzero_pages`] and
//!    [`Vram::restore_pages`]. If you copied memory while the guest ran, the pages that the device wrote
//!    meanwhile are marked in VRAM's bitmap, not in the hypervisor's log: see
//!    [`DirtyBitmap`](crate::DirtyBitmap).
//!
//! There are two ways to restore. For both, no vCPU may run meanwhile, and the clock of
//! [`Retrace::Precise`](crate::Retrace::Precise) must continue with the guest's time.
//!
//! **Build a new device** if the VMM starts with the saved guest:
//!
//! 1. Build it with [`StdVga::from_state`], or with [`StdVga::from_state_with_vram`] on the region that the
//!    guest's memory was restored to. If VRAM's pages were saved with the device, restore them.
//! 2. Map all of its [`StdVga::mappings`], and set the mode event.
//! 3. Draw with a new [`Screen`](crate::Screen). Its first refresh draws everything.
//!
//! **Restore the device in place** if buses and threads already hold it. That's the case if it was built
//! before its state arrived, as in many VMMs, or if a running guest returns to a snapshot:
//!
//! 1. Call [`StdVga::restore_with_pages`]. If VRAM comes with the guest's memory, call [`StdVga::restore`]
//!    after that memory was restored. A [`Screen`](crate::Screen) draws everything from the next scanout that
//!    it gets, so VRAM must be complete by then.
//! 2. If the effects contain [`Effects::MAPPINGS`](crate::Effects::MAPPINGS), follow the new mappings. The
//!    mode event and the screen stay.
//!
//! Neither way brings back a picture that stayed on the old surface while the screen was blank.
//!
//! ```
//! use stdvga::state::VramPages;
//! use stdvga::{Config, Effects, StdVga};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::default().vram_mib(1);
//! let mut vga = StdVga::new(config.clone())?;
//! vga.vram().write(0x100, b"a picture");
//!
//! let state = vga.state();
//! let pages = VramPages::save(vga.vram());
//!
//! // Later, or elsewhere:
//! let restored = StdVga::from_state(config, &state)?;
//! pages.restore(restored.vram())?;
//! assert_eq!(restored.state(), state);
//! assert_eq!(restored.mappings(), vga.mappings());
//! assert_eq!(VramPages::save(restored.vram()), pages);
//!
//! // Or the same device goes back to it:
//! let _ = vga.port_write(0x3c0, &[0x20]);
//! let effects = vga.restore_with_pages(&state, &pages)?;
//! assert!(!effects.contains(Effects::MAPPINGS));
//! assert_eq!(vga.state(), state);
//! # Ok(())
//! # }
//! ```
//!
//! # Formats
//!
//! - [`State::to_bytes`] and [`State::from_bytes`] need no feature, and fit everywhere: for example into a
//!   separate file, or into a bytes field of OpenVMM's protobufs.
//! - With the feature `serde`, a state can be part of a larger document. The format must name fields, and
//!   distinguish `None` from a missing field. JSON and CBOR do. TOML leaves out `None` when it writes, so it
//!   can't read back its own states. Formats that don't name fields (bincode, postcard) can't read the states
//!   of earlier versions. For all of these, use [`State::to_bytes`].
//!
//! # Trust
//!
//! A saved state comes from outside, so each field is checked when a device is built from it or restored to
//! it. The error names the first wrong field, its value, and what is allowed. A state that passes may still
//! be one that no guest could cause. The device has the same bounds with it as with any other.
//!
//! # Versions
//!
//! [`State::version`] comes first in every format. It increases whenever a field is added, removed, or
//! changes its meaning. Older versions can be read. A field that they lack gets the value that devices of
//! that version effectively had. Newer versions and unknown fields are refused, because a guest mustn't
//! continue with half of its state.
//!
//! [`StdVga::state`]: crate::StdVga::state
//! [`StdVga::from_state`]: crate::StdVga::from_state
//! [`StdVga::from_state_with_vram`]: crate::StdVga::from_state_with_vram
//! [`StdVga::restore`]: crate::StdVga::restore
//! [`StdVga::restore_with_pages`]: crate::StdVga::restore_with_pages
//! [`StdVga::mappings`]: crate::StdVga::mappings
//! [`Vram::nonzero_pages`]: crate::Vram::nonzero_pages
//! [`Vram::restore_pages`]: crate::Vram::restore_pages

mod blocks;
mod bytes;
#[cfg(feature = "serde")]
mod serialize;
mod vram;

use std::ops::RangeInclusive;

use crate::config::{ByteOrder, Monitor};
use crate::error::StateError;
use crate::mappings::WindowRam;
use crate::variant::Variant;

pub use crate::error::Allowed;
pub(crate) use blocks::{check_forced, check_window_ram};
pub use vram::{VramPage, VramPages};

/// The saved state of a [`StdVga`](crate::StdVga).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct State {
    /// The version of this format: [`State::VERSION`] in a newly saved state.
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "serialize::known_version")
    )]
    pub version: u32,
    /// The hardware that the device was built as.
    pub hardware: Hardware,
    /// PCI configuration space; `None` on `isa-vga`.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "serialize::required"))]
    pub pci: Option<PciState>,
    /// The monitor that the EDID blob describes. `None` if there's no blob. Zeros stand for its defaults, and
    /// are restored as those.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "serialize::required"))]
    pub monitor: Option<Monitor>,
    /// The General Registers.
    pub misc: MiscState,
    /// The Sequencer.
    pub sequencer: SequencerState,
    /// The CRT Controller.
    pub crtc: CrtcState,
    /// The Graphics Controller.
    pub graphics: GraphicsState,
    /// The Attribute Controller.
    pub attribute: AttributeState,
    /// The DAC.
    pub dac: DacState,
    /// DISPI, the Bochs VBE extensions.
    pub dispi: DispiState,
    /// Byte order of direct-colour pixels, as in the extended registers.
    pub byte_order: ByteOrder,
    /// The part of the 0xa0000 window that is plain RAM. The device re-evaluates it only at some writes, so
    /// it isn't a function of the registers.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "serialize::required"))]
    pub window_ram: Option<WindowRam>,
    /// The number of resets since power-on. It tells a [`Screen`](crate::Screen) that a picture dates from
    /// before a reset.
    pub resets: u64,
}

impl State {
    /// The version of this format that [`StdVga::state`](crate::StdVga::state) writes, and the newest one
    /// that can be read.
    pub const VERSION: u32 = 1;

    /// Refuses unknown versions.
    pub(crate) fn check_version(version: u32) -> Result<(), StateError> {
        if (1..=Self::VERSION).contains(&version) {
            Ok(())
        } else {
            Err(StateError::Version {
                version,
                newest: Self::VERSION,
            })
        }
    }
}

/// The hardware that a device was built as, as far as a guest can tell. A state can be restored only with a
/// configuration that builds the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Hardware {
    /// Which device it is.
    pub variant: Variant,
    /// Length of VRAM, in bytes.
    pub vram_bytes: u64,
    /// Length of the option ROM's BAR, in bytes. 0 if there's none.
    pub rom_bytes: u64,
    /// Whether BAR2 exists.
    pub mmio: bool,
    /// Whether BAR2 holds the extended registers.
    pub qemu_extended_regs: bool,
    /// Whether DISPI data answers at port 0x1cf.
    pub dispi_data_port_1cf: bool,
    /// Whether the retrace bits follow a clock.
    pub precise_retrace: bool,
}

/// The PCI configuration space.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct PciState {
    /// All bytes, as a guest reads them. Read-only bits must match the configuration.
    #[cfg_attr(feature = "serde", serde(with = "serialize::array"))]
    pub bytes: [u8; 256],
}

/// The General Registers: Miscellaneous Output, Feature Control and Input Status 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct MiscState {
    /// Miscellaneous Output (written at 0x3c2, read at 0x3cc); bit 4 isn't stored.
    pub output: u8,
    /// Feature Control (written at 0x3da, read at 0x3ca); only bit 4 is stored.
    pub feature_control: u8,
    /// Whether Input Status 1 reported a retrace when it was last read. Without a timing, it reports the
    /// opposite next time.
    pub in_retrace: bool,
    /// When the retraces happen, once a guest programmed the CRTC. Precise retrace only.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "serialize::required"))]
    pub timing: Option<RetraceTiming>,
}

/// When the retraces happen, as programmed when the device last evaluated it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct RetraceTiming {
    /// Duration of a character: 282 to 357.
    pub nanoseconds_per_character: u64,
    /// Characters in a line, 5 to 520.
    pub characters_per_line: u64,
    /// Lines in a frame, 2 to 1025.
    pub lines: u64,
    /// The lines of the vertical retrace, up to 1039.
    pub vertical_retrace: RangeInclusive<u64>,
    /// The characters of a line's horizontal retrace, up to 290.
    pub horizontal_retrace: RangeInclusive<u64>,
}

/// The Sequencer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct SequencerState {
    /// The index (0x3c4), 0 to 7.
    pub index: u8,
    /// The registers as a guest reads them (0x3c5).
    pub registers: [u8; 8],
    /// Whether DISPI has had a mode of 8 or more bits per pixel since the reset. If so, memory and display
    /// act as if chain 4 and all planes were on while DISPI is enabled, whatever the registers say.
    pub vbe_chained: bool,
}

/// The CRT Controller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct CrtcState {
    /// The index (0x3d4).
    pub index: u8,
    /// The registers (0x3d5). All 256 are storage. While DISPI is enabled, it dictates some bits.
    #[cfg_attr(feature = "serde", serde(with = "serialize::array"))]
    pub registers: [u8; 256],
}

/// The Graphics Controller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct GraphicsState {
    /// The index (0x3ce), 0 to 15.
    pub index: u8,
    /// The registers (0x3cf). While DISPI is enabled, it dictates some bits.
    pub registers: [u8; 16],
    /// The latches, one byte per plane.
    pub latches: [u8; 4],
}

/// The Attribute Controller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct AttributeState {
    /// The index (0x3c0): five bits, and bit 5, the palette address source.
    pub index: u8,
    /// The flip-flop: whether the next write to 0x3c0 is data.
    pub data_next: bool,
    /// The registers (0x3c1).
    pub registers: [u8; 0x15],
}

/// The DAC.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct DacState {
    /// What 0x3c7 reads: whether the read index was set last, not the write index.
    pub reading: bool,
    /// The entry that is read next (0x3c7).
    pub read_index: u8,
    /// The entry that is written next (0x3c8).
    pub write_index: u8,
    /// The component that is read or written next (0x3c9): 0 to 2.
    pub component: u8,
    /// Components written, until the third stores an entry.
    pub staged: [u8; 3],
    /// Red, green and blue of each entry, with all eight bits as written.
    #[cfg_attr(feature = "serde", serde(with = "serialize::array"))]
    pub entries: [[u8; 3]; 256],
}

/// DISPI, the Bochs VBE extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct DispiState {
    /// The index (0x1ce), with all 16 bits.
    pub index: u16,
    /// Registers 0 (ID) to 9 (Y_OFFSET), as stored. While DISPI is enabled, they contain a mode that fits
    /// into VRAM.
    pub registers: [u16; 10],
    /// The offset that is added to an address in the 64 KiB window, in bytes: the bank, or 0 once ENABLE was
    /// rewritten.
    pub bank_offset: u32,
}
