// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

use std::sync::{Arc, Mutex, MutexGuard};

use super::*;
use crate::mappings::WindowRam;

/// Memory that refuses overlapping regions, as hypervisors do, and regions over RAM below 64 MiB.
#[derive(Clone, Default)]
struct Memory {
    mapped: Arc<Mutex<Vec<Region>>>,
    is_stuck: bool,
}

impl Memory {
    fn mapped(&self) -> MutexGuard<'_, Vec<Region>> {
        self.mapped.lock().unwrap()
    }

    /// The addresses of the regions, by kind.
    fn bases(&self) -> [Option<u64>; 3] {
        [RegionKind::Window, RegionKind::Framebuffer, RegionKind::Rom].map(|kind| {
            let mapped = self.mapped();
            let region = mapped.iter().find(|region| region.kind == kind);
            region.map(|region| region.guest.0)
        })
    }
}

impl RegionMapper for Memory {
    fn map(&mut self, region: &Region) -> io::Result<()> {
        let range = |region: &Region| MappedRange::new(region.guest, region.len);
        let mut mapped = self.mapped();
        let is_taken = |other: &Region| overlap(&range(other), &range(region));
        if region.guest.0 >= 1 << 20 && region.guest.0 < 64 << 20 || mapped.iter().any(is_taken) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        mapped.push(*region);
        Ok(())
    }

    fn unmap(&mut self, region: &Region) -> io::Result<()> {
        if self.is_stuck {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let mut mapped = self.mapped();
        let at = mapped.iter().position(|mapped| mapped == region);
        mapped.remove(at.expect("a region that was mapped"));
        Ok(())
    }
}

const ONE: u64 = 0xe000_0000;
const OTHER: u64 = 0xf000_0000;
const WINDOW: WindowRam = WindowRam {
    offset: 0,
    len: 0x1_0000,
    vram_offset: 0x3_0000,
};

fn range(base: u64, len: u64) -> Option<MappedRange> {
    Some(MappedRange::new(GuestAddress(base), len))
}

fn mappings(bar0: u64, rom: u64) -> Mappings {
    Mappings {
        framebuffer: range(bar0, 1 << 20),
        rom: range(rom, 1 << 16),
        window: Some(WINDOW),
        ..Mappings::default()
    }
}

#[test]
fn regions_show_what_the_mappings_say() {
    let memory = Memory::default();
    let mut regions = MappedRegions::new(memory.clone());
    assert!(regions.follow(&mappings(ONE, OTHER)).is_empty());
    let shown: Vec<_> = regions.mapped().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "the VGA's window, 0x10000 bytes from 0x30000 on, at 0xa0000",
            "the VGA's framebuffer, 0x100000 bytes from 0x0 on, at 0xe0000000",
            "the VGA's option ROM, 0x10000 bytes from 0x0 on, at 0xf0000000",
        ]
    );
    let read_only: Vec<_> = regions.mapped().map(Region::is_read_only).collect();
    assert_eq!(read_only, [false, false, true]);
    assert_eq!(
        *memory.mapped(),
        regions.mapped().copied().collect::<Vec<_>>()
    );
}

#[test]
fn what_was_in_the_way_makes_room() {
    let memory = Memory::default();
    let mut regions = MappedRegions::new(memory.clone());
    for (bar0, rom) in [(ONE, OTHER), (OTHER, ONE), (ONE, OTHER)] {
        assert!(regions.follow(&mappings(bar0, rom)).is_empty());
        assert_eq!(memory.bases(), [Some(0xa_0000), Some(bar0), Some(rom)]);
    }
}

#[test]
fn what_is_refused_is_handed_back_and_tried_again_at_the_next_change() {
    let memory = Memory::default();
    let mut regions = MappedRegions::new(memory.clone());
    let in_ram = mappings(32 << 20, OTHER);
    for _ in 0..2 {
        let errors: Vec<_> = regions
            .follow(&in_ram)
            .iter()
            .map(ToString::to_string)
            .collect();
        let expected = "can't map the VGA's framebuffer, 0x100000 bytes from 0x0 on, at 0x2000000: entity already exists";
        assert_eq!(errors, [expected]);
        assert_eq!(memory.bases(), [Some(0xa_0000), None, Some(OTHER)]);
    }
    assert!(regions.follow(&mappings(ONE, OTHER)).is_empty());
    assert_eq!(memory.bases()[1], Some(ONE));
}

#[test]
fn a_region_that_cant_be_unmapped_stays_and_is_handed_back() {
    let memory = Memory {
        is_stuck: true,
        ..Memory::default()
    };
    let mut regions = MappedRegions::new(memory.clone());
    assert!(regions.follow(&mappings(ONE, OTHER)).is_empty());
    let errors = regions.follow(&mappings(OTHER + (1 << 20), OTHER));
    assert!(
        matches!(&errors[..], [MapError::Unmap { region, .. }] if region.guest.0 == ONE),
        "{errors:?}"
    );
    assert_eq!(memory.bases(), [Some(0xa_0000), Some(ONE), Some(OTHER)]);
}

#[test]
fn kinds_that_are_left_out_trap() {
    let memory = Memory::default();
    let mut regions = MappedRegions::new(memory.clone()).only(RegionKinds::empty());
    assert!(regions.follow(&mappings(ONE, OTHER)).is_empty());
    assert_eq!(memory.bases(), [None; 3]);
    regions.set_kinds(RegionKinds::all() - RegionKinds::WINDOW);
    assert!(regions.follow(&mappings(ONE, OTHER)).is_empty());
    assert_eq!(memory.bases(), [None, Some(ONE), Some(OTHER)]);
}

#[test]
fn what_lies_below_something_else_or_isnt_whole_pages_traps() {
    let left_out = [
        (
            "BAR0 below BAR2",
            Mappings {
                mmio: range(ONE + 0x1000, 0x1000),
                ..mappings(ONE, OTHER)
            },
            [Some(0xa_0000), None, Some(OTHER)],
        ),
        (
            "BAR0 below the ROM",
            mappings(ONE, ONE),
            [Some(0xa_0000), None, Some(ONE)],
        ),
        (
            "the ROM below the window",
            mappings(ONE, 0xa_0000),
            [Some(0xa_0000), Some(ONE), None],
        ),
        (
            "a ROM of 2 KiB",
            Mappings {
                rom: range(OTHER, 2048),
                ..mappings(ONE, OTHER)
            },
            [Some(0xa_0000), Some(ONE), None],
        ),
        (
            "a ROM that doesn't start at a page",
            Mappings {
                rom: range(OTHER + 2048, 4096),
                ..mappings(ONE, OTHER)
            },
            [Some(0xa_0000), Some(ONE), None],
        ),
    ];
    for (what, mappings, expected) in left_out {
        let memory = Memory::default();
        let mut regions = MappedRegions::new(memory.clone());
        let errors = regions.follow(&mappings);
        assert!(errors.is_empty(), "{what}: {errors:?}");
        assert_eq!(memory.bases(), expected, "{what}");
    }
}

#[test]
fn nothing_stays_mapped_of_a_device_that_is_gone() {
    let memory = Memory::default();
    let mut regions = MappedRegions::new(memory.clone());
    assert!(regions.follow(&mappings(ONE, OTHER)).is_empty());
    drop(regions);
    assert_eq!(memory.bases(), [None; 3]);
}

#[test]
fn a_mapper_that_cant_unmap_keeps_its_memory_after_the_device() {
    for (is_stuck, references) in [(false, 1), (true, 2)] {
        let memory = Memory {
            is_stuck,
            ..Memory::default()
        };
        let mut regions = MappedRegions::new(memory.clone());
        assert!(regions.follow(&mappings(ONE, OTHER)).is_empty());
        drop(regions);
        let left = Arc::strong_count(&memory.mapped);
        assert_eq!(left, references, "references if stuck is {is_stuck}");
    }
}
