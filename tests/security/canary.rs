// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! VRAM between two pieces of memory that nobody may read or write.

use std::sync::Arc;

use stdvga::{Config, DirtyBitmap, Effects, StdVga};
use stdvga_testing::driver::Guest;
use vm_memory::bitmap::NewBitmap;
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{MmapRegion, VolatileMemory};

/// What the memory around VRAM holds: no byte that a guest of these tests writes.
pub const CANARY: u8 = 0xa5;
/// Length of VRAM, and of the memory on either side.
const MIB: usize = 1 << 20;

/// Memory of which the middle is VRAM, which holds zeros.
pub struct Canary {
    memory: MmapRegion,
}

impl Canary {
    /// A guest of a device on that VRAM.
    pub fn guest(config: Config) -> (Self, Guest) {
        let memory: MmapRegion = MmapRegion::new(3 * MIB).expect("3 MiB of memory");
        let canary = Self { memory };
        for start in [0, 2 * MIB] {
            let piece = canary.memory.get_slice(start, MIB).expect("a third");
            piece.copy_from(&[CANARY; MIB]);
        }
        let middle = canary.memory.get_slice(MIB, MIB).expect("a third");
        let builder = MmapRegionBuilder::new_with_bitmap(MIB, DirtyBitmap::with_len(MIB));
        // SAFETY: these bytes are mapped for as long as `memory` is there, which each test keeps until its
        // end, behind its guest.
        #[allow(unsafe_code)]
        let builder = unsafe { builder.with_raw_mmap_pointer(middle.ptr_guard_mut().as_ptr()) };
        let vram = builder
            .with_mmap_prot(canary.memory.prot())
            .with_mmap_flags(canary.memory.flags())
            .build()
            .expect("a region of memory that's mapped");
        let vga = StdVga::with_vram(config, Arc::new(vram)).expect("a valid configuration");
        let guest = Guest {
            vga,
            effects: Effects::empty(),
            log: None,
        };
        (canary, guest)
    }

    /// Fails if anything was written around VRAM.
    #[track_caller]
    pub fn expect_untouched(&self) {
        for start in [0, 2 * MIB] {
            let mut piece = vec![0; MIB];
            let slice = self.memory.get_slice(start, MIB).expect("a third");
            slice.copy_to(&mut piece[..]);
            let changed = piece.iter().position(|byte| *byte != CANARY);
            let distance = changed.map(|at| (start + at) as isize - MIB as isize);
            assert_eq!(distance, None, "bytes from VRAM's start that were written");
        }
    }

    /// Fails if anything was written to VRAM.
    #[track_caller]
    pub fn expect_zeros(&self, guest: &Guest) {
        let mut vram = vec![0; MIB];
        guest.vga.vram().read(0, &mut vram);
        let changed = vram.iter().position(|byte| *byte != 0);
        assert_eq!(changed, None, "the byte of VRAM that was written");
    }
}
