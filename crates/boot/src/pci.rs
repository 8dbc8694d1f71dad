// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! PCI as firmware finds it: configuration mechanism #1 (ports 0xcf8 and 0xcfc), an i440FX host
//! bridge at 00:00.0, and the VGA at 00:02.0.

/// Where the VGA sits, as QEMU's `pc` machine has it: bus 0, device 2, function 0.
pub const VGA_ADDRESS: u32 = address(2);
const BRIDGE_ADDRESS: u32 = address(0);

/// What the address register must hold, apart from the register's number, to reach a device.
const fn address(device: u32) -> u32 {
    ENABLE | device << 11
}

const ENABLE: u32 = 1 << 31;
const REGISTER: u32 = 0xfc;

/// What an access to 0xcf8-0xcff reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The address register of mechanism #1.
    Address,
    /// The host bridge's configuration space, at this offset.
    Bridge(u16),
    /// The VGA's configuration space, at this offset.
    Vga(u16),
    /// No device: reads all ones.
    Nothing,
}

/// The host bridge and the address register.
pub struct Pci {
    address: u32,
    bridge: [u8; 256],
}

impl Pci {
    /// The state after power-on.
    pub fn new() -> Self {
        let mut bridge = [0; 256];
        bridge[0x00..0x04].copy_from_slice(&[0x86, 0x80, 0x37, 0x12]); // 8086:1237, i440FX
        bridge[0x08] = 0x02; // revision
        bridge[0x0b] = 0x06; // class: a bridge, subclass 0: to the host
        Self { address: 0, bridge }
    }

    /// What an access of `len` bytes to `port` reaches.
    pub fn target(&self, port: u16, len: usize) -> Target {
        let within = usize::from(port & 3);
        match port {
            0xcf8 if len == 4 => Target::Address,
            0xcfc..=0xcff if within + len <= 4 => {
                let offset = (self.address & REGISTER) as u16 | port & 3;
                match self.address & !REGISTER & !3 {
                    BRIDGE_ADDRESS => Target::Bridge(offset),
                    VGA_ADDRESS => Target::Vga(offset),
                    _ => Target::Nothing,
                }
            }
            _ => Target::Nothing,
        }
    }

    /// Reads the address register.
    pub fn read_address(&self, data: &mut [u8]) {
        data.copy_from_slice(&self.address.to_le_bytes()[..data.len()]);
    }

    /// Writes the address register: a dword.
    pub fn write_address(&mut self, data: &[u8]) {
        if let Ok(bytes) = data.try_into() {
            self.address = u32::from_le_bytes(bytes);
        }
    }

    /// Reads the host bridge's configuration space.
    pub fn read_bridge(&self, offset: u16, data: &mut [u8]) {
        for (byte, offset) in data.iter_mut().zip(usize::from(offset)..) {
            *byte = self.bridge.get(offset).copied().unwrap_or(0xff);
        }
    }

    /// Writes the host bridge's configuration space. Its chipset registers are storage: firmware
    /// switches the memory at 0xc0000-0xfffff with some of them, which is RAM all the time here.
    pub fn write_bridge(&mut self, offset: u16, data: &[u8]) {
        for (value, offset) in data.iter().zip(usize::from(offset)..) {
            if (0x50..0x100).contains(&offset) {
                self.bridge[offset] = *value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pci_at(address: u32) -> Pci {
        let mut pci = Pci::new();
        pci.write_address(&address.to_le_bytes());
        pci
    }

    #[test]
    fn the_data_port_reaches_the_byte_that_its_low_bits_name() {
        let pci = pci_at(VGA_ADDRESS | 0x10);
        assert_eq!(pci.target(0xcfc, 4), Target::Vga(0x10));
        assert_eq!(pci.target(0xcfe, 2), Target::Vga(0x12));
        assert_eq!(pci.target(0xcff, 2), Target::Nothing);
    }

    #[test]
    fn other_devices_and_a_clear_enable_bit_reach_nothing() {
        assert_eq!(
            pci_at(VGA_ADDRESS & !ENABLE).target(0xcfc, 4),
            Target::Nothing
        );
        assert_eq!(
            pci_at(VGA_ADDRESS | 0x100).target(0xcfc, 4),
            Target::Nothing
        );
        assert_eq!(
            pci_at(VGA_ADDRESS | 1 << 16).target(0xcfc, 4),
            Target::Nothing
        );
    }

    #[test]
    fn the_bridge_keeps_its_ids_and_stores_its_chipset_registers() {
        let mut pci = Pci::new();
        pci.write_bridge(0x00, &[1, 2, 3, 4]);
        pci.write_bridge(0x59, &[0x30]);
        let (mut ids, mut pam) = ([0; 4], [0; 1]);
        pci.read_bridge(0x00, &mut ids);
        pci.read_bridge(0x59, &mut pam);
        assert_eq!((u32::from_le_bytes(ids), pam), (0x1237_8086, [0x30]));
    }
}
