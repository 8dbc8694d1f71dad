// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The PCI configuration space, and the option ROM.

use std::iter;

use vm_memory::bitmap::Bitmap;

use super::StdVga;
use crate::counters::count;
use crate::effects::Effects;
use crate::pci::{Bar, PciConfig};
use crate::regs::Touched;

impl<B: Bitmap + 'static> StdVga<B> {
    /// The BARs that the device has, ascending: what a VMM allocates addresses for. None on `isa-vga`.
    ///
    /// Where they are at the moment, [`StdVga::mappings`] tells.
    pub fn bars(&self) -> impl Iterator<Item = Bar> + use<B> {
        let bars = self.pci.as_ref().map(PciConfig::bars);
        bars.into_iter().flatten().flatten()
    }

    /// Reads one access of 1, 2 or 4 bytes to the PCI configuration space.
    ///
    /// All ones where the variant has none, from offset 256 on, and for a slice of any other length.
    pub fn config_read(&mut self, offset: u16, data: &mut [u8]) {
        count(&mut self.counters.config.reads);
        match &self.pci {
            Some(pci) if is_config_access(offset, data) => pci.read(usize::from(offset), data),
            _ => {
                self.count_invalid();
                data.fill(0xff);
            }
        }
    }

    /// Writes one access of 1, 2 or 4 bytes to the PCI configuration space.
    ///
    /// Ignored where the variant has none, from offset 256 on, and for a slice of any other length.
    pub fn config_write(&mut self, offset: u16, data: &[u8]) -> Effects {
        count(&mut self.counters.config.writes);
        match &mut self.pci {
            Some(pci) if is_config_access(offset, data) => pci.write(usize::from(offset), data),
            _ => {
                self.count_invalid();
                return Effects::empty();
            }
        }
        self.settle(Touched::MAPPINGS)
    }

    /// Reads from the option ROM at `offset` bytes from its start. What lies behind its end reads as
    /// all ones.
    pub fn rom_read(&mut self, offset: u64, data: &mut [u8]) {
        count(&mut self.counters.rom_reads);
        let rom = self.rom.as_deref().unwrap_or_default();
        if offset >= rom.len() as u64 {
            count(&mut self.counters.invalid);
        }
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| rom.get(offset..))
            .unwrap_or_default();
        let values = rest.iter().copied().chain(iter::repeat(0xff));
        for (byte, value) in data.iter_mut().zip(values) {
            *byte = value;
        }
    }
}

fn is_config_access(offset: u16, data: &[u8]) -> bool {
    PciConfig::contains(usize::from(offset)) && matches!(data.len(), 1 | 2 | 4)
}
