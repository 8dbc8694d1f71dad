// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

use std::sync::LazyLock;

use rand::prelude::*;

use super::*;
use crate::config::{ByteOrder, Retrace};
use crate::regs::dispi;

/// Registers of a planar mode at 0xa0000, with all planes enabled and byte addressing.
fn planar() -> Registers {
    let mut regs = Registers::new(1 << 20, Retrace::Dumb, ByteOrder::Little, true);
    regs.sequencer.data[sequencer::MAP_MASK] = sequencer::ALL_PLANES;
    regs.sequencer.data[sequencer::MEMORY_MODE] = sequencer::ODD_EVEN_OFF;
    regs.graphics.data[graphics::MISCELLANEOUS] = graphics::MEMORY_MAP_A0000_64K;
    regs.graphics.data[graphics::BIT_MASK] = 0xff;
    regs.crtc.data[crtc::MODE_CONTROL] = crtc::BYTE_MODE;
    regs
}

/// The contents of VRAM before a run: rows of all values.
static MEMORY: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..1_u32 << 20).map(|at| (at % 251) as u8).collect());

/// Random registers, and a random run of bytes in the window.
struct Case {
    regs: Registers,
    offset: u64,
    data: Vec<u8>,
}

impl Case {
    fn random(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut regs = planar();
        rng.fill(&mut regs.graphics.data);
        regs.sequencer.data[sequencer::MAP_MASK] = rng.random();
        regs.graphics.latches = rng.random();
        if rng.random() {
            // A run goes to consecutive planar addresses.
            regs.graphics.data[graphics::MISCELLANEOUS] &= !graphics::CHAIN_ODD_EVEN;
        } else {
            rng.fill(&mut regs.sequencer.data);
            regs.sequencer.vbe_chained = rng.random();
            regs.crtc.data[crtc::UNDERLINE_LOCATION] = rng.random();
            regs.crtc.data[crtc::MODE_CONTROL] = rng.random();
            regs.dispi.data[dispi::ENABLE] = rng.random();
        }
        regs.dispi.bank_offset = rng.random_range(0..6) * dispi::BANK_BYTES;
        if rng.random_ratio(1, 4) {
            regs.window_ram = regs.window_part();
            regs.graphics.data[graphics::MISCELLANEOUS] = rng.random();
        }
        let edges = [0, 0x1_0000, 0x1_8000, LEN];
        let edge: u64 = edges[rng.random_range(0..edges.len())];
        let mut data = vec![0; rng.random_range(0..600)];
        rng.fill(&mut data[..]);
        Self {
            regs,
            offset: edge.saturating_add_signed(rng.random_range(-600..200)),
            data,
        }
    }

    /// Makes an access to planes with all values. Returns the resulting data, latches, VRAM and dirty bitmap.
    fn outcome(&self, access: impl Fn(&Routes, &mut u32, &Vram, &mut [u8])) -> Outcome {
        let vram = Vram::allocate(1 << 20).unwrap();
        vram.write(0, &MEMORY);
        let mut dirty = vec![0; vram.dirty_words()];
        vram.region().bitmap().drain_into(&mut dirty).unwrap();
        dirty.fill(0);
        let mut latches = self.regs.graphics.latches;
        let mut data = self.data.clone();
        access(&Routes::new(&self.regs), &mut latches, &vram, &mut data);
        let mut memory = vec![0; MEMORY.len()];
        vram.read(0, &mut memory);
        vram.region().bitmap().drain_into(&mut dirty).unwrap();
        (data, latches, memory, dirty)
    }

    fn check(&self, seed: u64, given: Outcome, expected: Outcome) {
        let case = format!(
            "seed {seed}: {} bytes at {:#x}, {:?}",
            self.data.len(),
            self.offset,
            Routes::new(&self.regs)
        );
        assert_eq!(given.0, expected.0, "data; {case}");
        assert_eq!(given.1, expected.1, "latches; {case}");
        if given.2 != expected.2 {
            for (at, (given, expected)) in given.2.iter().zip(&expected.2).enumerate() {
                assert_eq!(given, expected, "VRAM at {at:#x}; {case}");
            }
        }
        assert_eq!(given.3, expected.3, "dirty pages; {case}");
    }
}

/// Data, latches, VRAM and dirty pages.
type Outcome = (Vec<u8>, u32, Vec<u8>, Vec<u64>);

#[test]
fn a_run_of_writes_does_what_its_bytes_do_one_by_one() {
    for seed in 0..500 {
        let case = Case::random(seed);
        let at_once = case.outcome(|routes, latches, vram, data| {
            routes.write(*latches, vram, case.offset, data);
        });
        let one_by_one = case.outcome(|routes, latches, vram, data| {
            for (byte, offset) in data.iter().zip(case.offset..) {
                routes.write(*latches, vram, offset, &[*byte]);
            }
        });
        case.check(seed, at_once, one_by_one);
    }
}

#[test]
fn a_run_of_reads_does_what_its_bytes_do_one_by_one() {
    for seed in 0..500 {
        let case = Case::random(seed);
        let at_once = case.outcome(|routes, latches, vram, data| {
            routes.read(latches, vram, case.offset, data);
        });
        let one_by_one = case.outcome(|routes, latches, vram, data| {
            for (byte, offset) in data.chunks_mut(1).zip(case.offset..) {
                routes.read(latches, vram, offset, byte);
            }
        });
        case.check(seed, at_once, one_by_one);
    }
}
