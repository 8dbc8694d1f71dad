// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Guest physical addresses, and the door that each one reaches.

use vm_memory::GuestAddress;
use vm_memory::bitmap::Bitmap;

use super::StdVga;
use crate::effects::Effects;
use crate::mappings::{MappedRange, WINDOW};
use crate::window;

/// A door that an address reaches, and the offset from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Window(u64),
    Mmio(u64),
    Framebuffer(u64),
    Rom(u64),
}

impl<B: Bitmap + 'static> StdVga<B> {
    /// Reads from the guest physical address `address`: from the 0xa0000 window, BAR2, BAR0 or the ROM,
    /// wherever they are at the moment ([`StdVga::mappings`]).
    ///
    /// This is for buses that know addresses. If the bus knows which BAR is accessed, [`StdVga::mmio_read`],
    /// [`StdVga::window_read`], [`StdVga::rom_read`] and [`Vram::read`](crate::Vram::read) take the offset.
    /// Other devices' addresses read all ones.
    ///
    /// No driver makes ranges overlap. If they do, they have QEMU's order for ranges that are enabled at once
    /// ([`Mappings`](crate::Mappings)).
    pub fn memory_read(&mut self, address: GuestAddress, data: &mut [u8]) {
        match self.door(address) {
            Some(Door::Window(offset)) => self.window_read(offset, data),
            Some(Door::Mmio(offset)) => self.mmio_read(offset, data),
            Some(Door::Framebuffer(offset)) => self.vram.read(offset, data),
            Some(Door::Rom(offset)) => self.rom_read(offset, data),
            None => data.fill(0xff),
        }
    }

    /// Writes to the guest physical address `address`, as [`StdVga::memory_read`] reads. Writes to the ROM,
    /// and to other devices' addresses, are ignored.
    pub fn memory_write(&mut self, address: GuestAddress, data: &[u8]) -> Effects {
        match self.door(address) {
            Some(Door::Window(offset)) => self.window_write(offset, data),
            Some(Door::Mmio(offset)) => return self.mmio_write(offset, data),
            Some(Door::Framebuffer(offset)) => self.vram.write(offset, data),
            Some(Door::Rom(_)) | None => {}
        }
        Effects::empty()
    }

    fn door(&self, address: GuestAddress) -> Option<Door> {
        let mappings = &self.mappings;
        let whole = MappedRange {
            base: GuestAddress(WINDOW.start),
            len: window::LEN,
        };
        let window = self.variant.has_legacy().then_some(whole);
        let offset_in = |range: Option<MappedRange>| range?.offset_of(address);
        let in_window = offset_in(window);
        let is_window_ram = |offset: &u64| {
            mappings
                .window
                .is_some_and(|ram| ram.address(*offset).is_some())
        };
        in_window
            .filter(is_window_ram)
            .map(Door::Window)
            .or_else(|| offset_in(mappings.rom).map(Door::Rom))
            .or_else(|| offset_in(mappings.mmio).map(Door::Mmio))
            .or_else(|| offset_in(mappings.framebuffer).map(Door::Framebuffer))
            .or_else(|| in_window.map(Door::Window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::variant::Variant;

    const BAR0: u32 = 0xfd00_0000;
    const BAR2: u32 = 0xfebf_0000;
    const ROM: u32 = 0xfebe_0000;

    fn vga(variant: Variant) -> StdVga {
        let rom = Some(vec![0x55; 4096]);
        let mut vga = StdVga::new(Config::new(variant).rom(rom)).unwrap();
        for (bar, value) in [(0x10, BAR0), (0x18, BAR2), (0x30, ROM | 1), (0x04, 2)] {
            let _ = vga.config_write(bar, &value.to_le_bytes());
        }
        vga
    }

    fn read<const N: usize>(vga: &mut StdVga, address: u32) -> [u8; N] {
        let mut data = [0xaa; N];
        vga.memory_read(GuestAddress(address.into()), &mut data);
        data
    }

    fn write(vga: &mut StdVga, address: u32, data: &[u8]) -> Effects {
        vga.memory_write(GuestAddress(address.into()), data)
    }

    #[test]
    fn an_address_reaches_the_bar_that_is_there() {
        let mut vga = vga(Variant::Vga);
        let _ = write(&mut vga, BAR0 + 5, &[1, 2]);
        assert_eq!(read(&mut vga, BAR0 + 4), [0, 1, 2]);
        let effects = write(&mut vga, BAR2 + 0x400, &[0x20]);
        assert!(effects.contains(Effects::SCANOUT), "{effects:?}");
        assert_eq!(read(&mut vga, BAR2 + 0x500), [0xc5, 0xb0]);
        assert_eq!(write(&mut vga, ROM, &[1]), Effects::empty());
        assert_eq!(read(&mut vga, ROM), [0x55]);
        assert_eq!(read(&mut vga, BAR2 + 0x1000), [0xff; 2], "behind BAR2");
    }

    #[test]
    fn an_address_that_a_bar_left_reads_ones() {
        let mut vga = vga(Variant::Vga);
        let _ = vga.config_write(0x18, &(BAR2 + 0x1000).to_le_bytes());
        assert_eq!(read(&mut vga, BAR2 + 0x500), [0xff; 2]);
        assert_eq!(read(&mut vga, BAR2 + 0x1500), [0xc5, 0xb0]);
        let _ = vga.config_write(0x04, &[0]);
        assert_eq!(read(&mut vga, BAR2 + 0x1500), [0xff; 2], "not decoded");
    }

    #[test]
    fn the_window_is_there_whatever_the_bars_are() {
        let mut vga = vga(Variant::Vga);
        let _ = vga.config_write(0x04, &[0]);
        let _ = vga.port_write(0x3c4, &[0x02, 0x0f]) | vga.port_write(0x3c4, &[0x04, 0x0e]);
        let _ = write(&mut vga, 0xb_8000, &[0x41, 0x07]);
        assert_eq!(read(&mut vga, 0xb_8000), [0x41, 0x07]);
    }

    #[test]
    fn ranges_that_overlap_lie_as_in_qemu() {
        let mut vga = vga(Variant::Vga);
        let address = GuestAddress(ROM.into());
        let mut place = |bar: u16, value: u32| {
            let _ = vga.config_write(bar, &value.to_le_bytes());
            vga.door(address)
        };
        assert_eq!(place(0x10, ROM & 0xff00_0000), Some(Door::Rom(0)));
        assert_eq!(place(0x18, ROM), Some(Door::Rom(0)));
        assert_eq!(place(0x30, 0), Some(Door::Mmio(0)));
        assert_eq!(
            place(0x18, 0),
            Some(Door::Framebuffer(u64::from(ROM & 0x00ff_ffff)))
        );
    }

    #[test]
    fn a_bar_lies_over_the_trapped_window_and_under_its_ram() {
        let mut vga = vga(Variant::Vga);
        let _ = vga.config_write(0x18, &0xa_0000_u32.to_le_bytes());
        let address = GuestAddress(0xa_0008);
        assert_eq!(vga.door(address), Some(Door::Mmio(8)));
        let _ = vga.port_write(0x3ce, &[0x06, 0x05])
            | vga.port_write(0x3c4, &[0x04, 0x0e])
            | vga.port_write(0x3c4, &[0x02, 0x0f]);
        assert_eq!(vga.door(address), Some(Door::Window(8)));
    }

    #[test]
    fn secondary_vga_has_no_window_to_reach() {
        assert_eq!(
            vga(Variant::SecondaryVga).door(GuestAddress(0xa_0000)),
            None
        );
    }
}
