// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The machines and devices that actions are put to.

/// A machine and its device, in QEMU's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    pub machine: &'static str,
    pub device: &'static str,
}

/// All setups that are compared.
pub const SETUPS: [Setup; 14] = [
    pc("VGA,vgamem_mb=1"),
    pc("VGA,vgamem_mb=3"),
    pc("VGA"),
    pc("VGA,vgamem_mb=64"),
    pc("VGA,vgamem_mb=256"),
    pc("VGA,xres=1920,yres=1080"),
    pc("VGA,xres=5120,yres=2880,refresh_rate=60000"),
    pc("VGA,xmax=1280,ymax=1024"),
    pc("VGA,edid=off"),
    pc("VGA,mmio=off"),
    pc("VGA,qemu-extended-regs=off"),
    pc("secondary-vga"),
    pc("secondary-vga,vgamem_mb=2"),
    Setup {
        machine: "isapc",
        device: "isa-vga",
    },
];

/// One of each kind, with so little VRAM that much is tried in little time.
pub const SMALL_SETUPS: [Setup; 4] = [
    pc("VGA,vgamem_mb=1"),
    pc("VGA,vgamem_mb=1,mmio=off"),
    pc("secondary-vga,vgamem_mb=1"),
    Setup {
        machine: "isapc",
        device: "isa-vga,vgamem_mb=1",
    },
];

pub const fn pc(device: &'static str) -> Setup {
    Setup {
        machine: "pc",
        device,
    }
}

impl Setup {
    /// The device's name, without its properties.
    pub fn name(&self) -> &'static str {
        self.device.split(',').next().unwrap_or(self.device)
    }

    pub fn is_pci(&self) -> bool {
        self.machine == "pc"
    }

    pub fn has_legacy(&self) -> bool {
        self.name() != "secondary-vga"
    }

    pub fn has_mmio(&self) -> bool {
        self.is_pci() && !self.device.contains("mmio=off")
    }

    pub fn has_rom(&self) -> bool {
        self.name() == "VGA"
    }

    /// Length of VRAM, in bytes.
    pub fn vram_len(&self) -> u64 {
        let given = self
            .device
            .split(',')
            .find_map(|property| property.strip_prefix("vgamem_mb="));
        let default = if self.is_pci() { 16 } else { 8 };
        let mib: u64 = given.map_or(default, |mib| mib.parse().expect("a number of MiB"));
        mib.next_power_of_two() << 20
    }
}
