// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The PCI configuration space, and the option ROM.

use std::iter;

use vm_memory::GuestAddress;
use vm_memory::bitmap::Bitmap;

use super::StdVga;
use crate::counters::count;
use crate::effects::Effects;
use crate::error::PlaceBarError;
use crate::pci::{Bar, PciConfig};
use crate::regs::Touched;

impl<B: Bitmap + 'static> StdVga<B> {
    /// The device's BARs in ascending order, for a VMM that allocates addresses. `isa-vga` has none.
    ///
    /// This isn't a guest's access: it has no side effects, and isn't counted.
    pub fn bars(&self) -> impl Iterator<Item = Bar> + use<B> {
        let bars = self.pci.as_ref().map(PciConfig::bars);
        bars.into_iter().flatten().flatten()
    }

    /// The BAR with that number ([`Bar::index`]), if the device has it.
    pub fn bar(&self, index: usize) -> Option<Bar> {
        self.bars().find(|bar| bar.index == index)
    }

    /// Writes an address into a BAR's register as firmware does, for VMMs that choose addresses themselves.
    /// `bar` is one of [`StdVga::bars`].
    ///
    /// The BAR answers there once bit 1 (memory) of COMMAND is set too. The ROM also needs bit 0 of its
    /// register. This isn't a guest's access, and isn't counted.
    ///
    /// ```
    /// use stdvga::{Config, StdVga};
    /// use stdvga::vm_memory::GuestAddress;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut vga = StdVga::new(Config::default())?;
    /// let mut effects = stdvga::Effects::empty();
    /// for (bar, address) in vga.bars().zip([0xe000_0000, 0xe100_0000]) {
    ///     effects |= vga.place_bar(&bar, GuestAddress(address))?;
    /// }
    /// assert_eq!(vga.bar(2).map(|bar| bar.address), Some(GuestAddress(0xe100_0000)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PlaceBarError`] if the device has no such BAR, or if the BAR can't answer at that address. The
    /// address must be a multiple of the BAR's length above 0, and the whole BAR must be below 0xffffffff.
    /// Nothing changes in case of an error.
    pub fn place_bar(
        &mut self,
        bar: &Bar,
        address: GuestAddress,
    ) -> Result<Effects, PlaceBarError> {
        let Some(pci) = &mut self.pci else {
            let Bar { index, len, .. } = *bar;
            return Err(PlaceBarError::Missing { index, len });
        };
        pci.place(bar, address)?;
        Ok(self.settle(Touched::MAPPINGS))
    }

    /// Reads one access of 1, 2 or 4 bytes to the PCI configuration space.
    ///
    /// Reads all ones if the variant has none, from offset 256 on, and for a slice of any other length.
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
    /// Ignored if the variant has none, from offset 256 on, and for a slice of any other length.
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

    /// Reads from the option ROM at `offset` bytes from its start. Bytes past its end read as all ones.
    pub fn rom_read(&mut self, offset: u64, data: &mut [u8]) {
        count(&mut self.counters.rom_reads);
        let rom: &[u8] = self.rom.as_deref().unwrap_or_default();
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
