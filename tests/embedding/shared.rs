// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What every VMM does: the device behind a lock, and the memory that is mapped for it.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use stdvga::{Config, Effects, MappedRange, Mappings, StdVga};

/// Host memory that the guest reaches without exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first guest physical address.
    pub guest: u64,
    pub len: u64,
    pub source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// VRAM from this byte on, to read and write.
    Vram(u64),
    /// The option ROM, to read only.
    Rom,
}

/// The VMM's side: maps memory into the guest. There are three slots.
pub trait GuestMemory: Send {
    fn map(&mut self, slot: usize, region: &Region) -> io::Result<()>;
    fn unmap(&mut self, slot: usize);
}

/// What is mapped into the guest.
pub struct Mapped {
    memory: Box<dyn GuestMemory>,
    regions: [Option<Region>; 3],
}

impl Mapped {
    pub fn new(memory: impl GuestMemory + 'static) -> Self {
        Self {
            memory: Box::new(memory),
            regions: [None; 3],
        }
    }

    /// Makes the guest's memory what `mappings` says, and touches only what changed.
    pub fn follow(&mut self, mappings: &Mappings) {
        let wanted = regions(mappings);
        // What goes must be gone before anything comes: it may have been in the way.
        for (slot, region) in self.regions.iter_mut().enumerate() {
            if region.is_some() && *region != wanted[slot] {
                self.memory.unmap(slot);
                *region = None;
            }
        }
        for (slot, region) in self.regions.iter_mut().enumerate() {
            if region.is_none()
                && let Some(wanted) = wanted[slot]
            {
                // It fails where a guest puts a BAR over its RAM. Then accesses to it trap.
                *region = self.memory.map(slot, &wanted).ok().map(|()| wanted);
            }
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // The guest must not reach memory that its owner is about to give back.
        self.follow(&Mappings::default());
    }
}

fn regions(mappings: &Mappings) -> [Option<Region>; 3] {
    let region = |range: MappedRange, source| Region {
        guest: range.base.0,
        len: range.len,
        source,
    };
    [
        mappings
            .window
            .map(|window| region(window.range(), Source::Vram(window.vram_offset.into()))),
        mappings
            .framebuffer
            .map(|bar0| region(bar0, Source::Vram(0))),
        mappings.rom.map(|rom| region(rom, Source::Rom)),
    ]
}

/// The device for all that reach it: buses, vCPU threads, the display thread.
#[derive(Clone)]
pub struct SharedVga(Arc<Mutex<(StdVga, Mapped)>>);

impl SharedVga {
    pub fn new(vga: StdVga, memory: impl GuestMemory + 'static) -> Self {
        let mut mapped = Mapped::new(memory);
        // The framebuffer of `isa-vga` is there from the start.
        mapped.follow(&vga.mappings());
        Self(Arc::new(Mutex::new((vga, mapped))))
    }

    /// Uses the device where nothing is to be followed: `vga.with(|vga| vga.port_read(port, data))`.
    pub fn with<T>(&self, call: impl FnOnce(&mut StdVga) -> T) -> T {
        call(&mut self.lock().0)
    }

    /// Writes to the device, and follows what that changed before the vCPU goes on:
    /// `vga.write(|vga| vga.port_write(port, data))`.
    pub fn write(&self, write: impl FnOnce(&mut StdVga) -> Effects) {
        let (vga, mapped) = &mut *self.lock();
        if write(vga).contains(Effects::MAPPINGS) {
            mapped.follow(&vga.mappings());
        }
    }

    fn lock(&self) -> MutexGuard<'_, (StdVga, Mapped)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands a string instruction's reads from a port over as the accesses that they are, of `size` bytes
/// each.
pub fn string_in(size: usize, data: &mut [u8], read: impl FnMut(&mut [u8])) {
    data.chunks_mut(size.max(1)).for_each(read);
}

/// As `string_in`, for writes.
pub fn string_out(size: usize, data: &[u8], write: impl FnMut(&[u8])) {
    data.chunks(size.max(1)).for_each(write);
}

/// Where configuration space is counted in registers of four bytes: the offset of a byte of one.
/// What lies behind the end of the space stays behind it.
pub fn config_offset(reg_idx: usize, offset: u64) -> u16 {
    u16::try_from(4 * reg_idx as u64 + offset).unwrap_or(u16::MAX)
}

/// Places a BAR as firmware does, for VMMs that choose the addresses themselves. It answers once bit 1
/// (memory) of COMMAND is set, too.
pub fn place_bar(vga: &SharedVga, bar: u16, address: u32) {
    vga.write(|vga| vga.config_write(0x10 + 4 * bar, &address.to_le_bytes()));
}

/// A device with a VGA BIOS in its option ROM, for firmware to run.
pub fn with_vga_bios(file: &Path) -> Result<StdVga, Box<dyn Error>> {
    let rom = Some(fs::read(file)?);
    Ok(StdVga::new(Config::default().rom(rom))?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use stdvga::MappedRange;
    use vm_memory::GuestAddress;

    use super::*;

    /// Memory that refuses regions over one another, as hypervisors do.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<[Option<Region>; 3]>>);

    impl Memory {
        fn slots(&self) -> MutexGuard<'_, [Option<Region>; 3]> {
            self.0.lock().expect("no panic before")
        }
    }

    impl GuestMemory for Memory {
        fn map(&mut self, slot: usize, region: &Region) -> io::Result<()> {
            let end = region.guest + region.len;
            let overlaps =
                |other: &Region| other.guest < end && region.guest < other.guest + other.len;
            if self.slots().iter().flatten().any(overlaps) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            self.slots()[slot] = Some(*region);
            Ok(())
        }

        fn unmap(&mut self, slot: usize) {
            self.slots()[slot] = None;
        }
    }

    fn mappings(bar0: u64, rom: u64) -> Mappings {
        let range = |base, len| {
            let base = GuestAddress(base);
            Some(MappedRange { base, len })
        };
        Mappings {
            framebuffer: range(bar0, 1 << 20),
            rom: range(rom, 1 << 16),
            ..Mappings::default()
        }
    }

    #[test]
    fn what_was_in_the_way_makes_room() {
        let mut mapped = Mapped::new(Memory::default());
        let mut bases = |bar0, rom| {
            mapped.follow(&mappings(bar0, rom));
            mapped
                .regions
                .map(|region| region.map(|region| region.guest))
        };
        let (one, other) = (0xe000_0000, 0xf000_0000);
        assert_eq!(bases(one, other), [None, Some(one), Some(other)]);
        assert_eq!(bases(other, other), [None, None, Some(other)], "refused");
        assert_eq!(bases(other, one), [None, Some(other), Some(one)]);
    }

    #[test]
    fn nothing_stays_mapped_of_a_device_that_is_gone() {
        let memory = Memory::default();
        let mut mapped = Mapped::new(memory.clone());
        mapped.follow(&mappings(0xe000_0000, 0xf000_0000));
        assert!(memory.slots()[1].is_some());
        drop(mapped);
        assert_eq!(*memory.slots(), [None; 3]);
    }

    #[test]
    fn strings_are_cut_by_the_size_of_an_access() {
        let mut cut = Vec::new();
        string_out(2, &[1, 2, 3, 4], |access| cut.push(access.to_vec()));
        assert_eq!(cut, [[1, 2], [3, 4]]);
        let mut data = [0; 3];
        let mut next = 0;
        string_in(1, &mut data, |access| {
            next += 1;
            access.fill(next);
        });
        assert_eq!(data, [1, 2, 3]);
    }

    #[test]
    fn a_vga_bios_is_read_into_the_rom() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&[0x55, 0xaa, 1]).expect("a written file");
        let vga = with_vga_bios(file.path()).expect("a device");
        assert_eq!(vga.rom(), Some(&[0x55, 0xaa, 1, 0][..]));
    }

    #[test]
    fn a_placed_bar_answers_once_memory_is_enabled() {
        let vga = StdVga::new(Config::default()).expect("a valid configuration");
        let vga = SharedVga::new(vga, Memory::default());
        place_bar(&vga, 0, 0xe000_0000);
        let framebuffer = || vga.with(|vga| vga.mappings().framebuffer);
        assert_eq!(framebuffer(), None);
        vga.write(|vga| vga.config_write(0x04, &[2]));
        let base = framebuffer().map(|range| range.base);
        assert_eq!(base, Some(GuestAddress(0xe000_0000)));
    }

    #[test]
    fn registers_behind_configuration_space_stay_behind_it() {
        assert_eq!(config_offset(4, 2), 0x12);
        assert_eq!(config_offset(usize::MAX / 4, 3), u16::MAX);
    }
}
