// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Which device it is.

use std::fmt;

/// Which of QEMU's three standard VGA devices this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Variant {
    /// `VGA`: a PCI device of class 0x030000 with the legacy ports and the 0xa0000 window.
    #[default]
    Vga,
    /// `secondary-vga`: a PCI device of class 0x038000 without ports and window. All its registers are
    /// accessed through BAR2.
    SecondaryVga,
    /// `isa-vga`: legacy ports, the 0xa0000 window, and the framebuffer at 0xe0000000. It has no PCI
    /// configuration space, no BAR2, and no EDID.
    IsaVga,
}

impl Variant {
    /// Whether the variant has a PCI configuration space and BARs.
    pub const fn is_pci(self) -> bool {
        matches!(self, Self::Vga | Self::SecondaryVga)
    }

    /// Whether the variant decodes the legacy ports and the 0xa0000 window.
    pub const fn has_legacy(self) -> bool {
        matches!(self, Self::Vga | Self::IsaVga)
    }

    /// The framebuffer's size in MiB, unless the configuration has one.
    pub(crate) const fn default_vram_mib(self) -> u32 {
        match self {
            Self::Vga | Self::SecondaryVga => 16,
            Self::IsaVga => 8,
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vga => "VGA",
            Self::SecondaryVga => "secondary-vga",
            Self::IsaVga => "isa-vga",
        })
    }
}
