use std::sync::LazyLock;

use rand::prelude::*;

use super::*;
use crate::config::{ByteOrder, Retrace};
use crate::regs::dispi;

/// A chip in planar mode at 0xa0000, all planes enabled, byte addressing; and 1 MiB of VRAM.
struct Chip {
    regs: Registers,
    vram: Vram,
}

impl Chip {
    fn planar() -> Self {
        let mut regs = Registers::new(1 << 20, Retrace::Dumb, ByteOrder::Little, true);
        regs.sequencer.data[sequencer::MAP_MASK] = sequencer::ALL_PLANES;
        regs.sequencer.data[sequencer::MEMORY_MODE] = sequencer::ODD_EVEN_OFF;
        regs.graphics.data[graphics::MISCELLANEOUS] = graphics::MEMORY_MAP_A0000_64K;
        regs.graphics.data[graphics::BIT_MASK] = 0xff;
        regs.crtc.data[crtc::MODE_CONTROL] = crtc::BYTE_MODE;
        Self {
            regs,
            vram: Vram::allocate(1 << 20).unwrap(),
        }
    }

    /// A text mode's set-up: odd and even addresses at 0xb8000.
    fn odd_even() -> Self {
        let mut chip = Self::planar();
        chip.regs.sequencer.data[sequencer::MAP_MASK] = 0b0011;
        chip.regs.sequencer.data[sequencer::MEMORY_MODE] = 0;
        chip.regs.graphics.data[graphics::MODE] = graphics::HOST_ODD_EVEN;
        chip.regs.graphics.data[graphics::MISCELLANEOUS] =
            graphics::MEMORY_MAP | graphics::CHAIN_ODD_EVEN;
        chip
    }

    fn graphics(&mut self, register: usize, value: u8) {
        self.regs.graphics.data[register] = value;
    }

    fn write(&mut self, offset: u32, value: u8) {
        let routes = Routes::new(&self.regs);
        let latch = self.regs.graphics.latch;
        routes.write(latch, &self.vram, offset.into(), &[value]);
    }

    fn read(&mut self, offset: u32) -> u8 {
        let mut data = [0];
        let routes = Routes::new(&self.regs);
        let latch = &mut self.regs.graphics.latch;
        routes.read(latch, &self.vram, offset.into(), &mut data);
        data[0]
    }

    fn planes(&self, address: u32) -> u32 {
        self.vram.planes(address).unwrap()
    }

    /// Stores four planes at planar address 0, and loads them into the latches.
    fn latch(&mut self, planes: u32) {
        self.vram.update_planes(0, |_| planes);
        self.read(0);
        assert_eq!(self.regs.graphics.latch, planes);
    }
}

#[test]
fn write_mode_0_rotates_sets_and_masks() {
    let mut chip = Chip::planar();
    chip.latch(0x4433_2211);
    chip.graphics(graphics::DATA_ROTATE, 4);
    chip.graphics(graphics::SET_RESET, 0b0010);
    chip.graphics(graphics::ENABLE_SET_RESET, 0b0110);
    chip.graphics(graphics::BIT_MASK, 0x0f);
    chip.write(1, 0x5a);
    // Rotated: 0xa5. Plane 1 is set, plane 2 reset; the high nibbles come from the latches.
    assert_eq!(chip.planes(1), 0x4530_2f15);
}

#[test]
fn write_mode_0_combines_with_the_latches() {
    for (function, expected) in [(0, 0x0f), (1, 0x05), (2, 0x5f), (3, 0x5a)] {
        let mut chip = Chip::planar();
        chip.latch(0x5555_5555);
        chip.graphics(graphics::DATA_ROTATE, function << 3);
        chip.write(1, 0x0f);
        assert_eq!(chip.vram.byte(4), expected, "function {function}");
    }
}

#[test]
fn write_mode_1_copies_the_latches() {
    let mut chip = Chip::planar();
    chip.latch(0x4433_2211);
    chip.graphics(graphics::MODE, 1);
    chip.graphics(graphics::BIT_MASK, 0);
    chip.write(7, 0xff);
    assert_eq!(
        chip.planes(7),
        0x4433_2211,
        "neither the value nor the bit mask counts"
    );
}

#[test]
fn write_mode_2_writes_a_colour() {
    let mut chip = Chip::planar();
    chip.latch(0);
    chip.graphics(graphics::MODE, 2);
    chip.graphics(graphics::BIT_MASK, 0x81);
    chip.write(0, 0xf9);
    assert_eq!(chip.planes(0), 0x8100_0081, "colour 9: planes 0 and 3");
}

#[test]
fn write_mode_3_masks_the_set_reset_colour_by_the_value() {
    let mut chip = Chip::planar();
    chip.latch(0xffff_ffff);
    chip.graphics(graphics::MODE, 3);
    chip.graphics(graphics::SET_RESET, 0b0001);
    chip.graphics(graphics::BIT_MASK, 0x3c);
    chip.graphics(graphics::DATA_ROTATE, 4);
    chip.write(0, 0xf0);
    assert_eq!(
        chip.planes(0),
        0xf3f3_f3ff,
        "0xf0 rotated is 0x0f; masked, 0x0c"
    );
}

#[test]
fn read_mode_0_reads_the_selected_plane() {
    let mut chip = Chip::planar();
    chip.vram.update_planes(5, |_| 0x4433_2211);
    for (plane, expected) in [(0, 0x11), (1, 0x22), (2, 0x33), (3, 0x44)] {
        chip.graphics(graphics::READ_MAP, plane);
        assert_eq!(chip.read(5), expected, "plane {plane}");
    }
}

#[test]
fn odd_and_even_addresses_reach_the_planes_of_text() {
    let mut chip = Chip::odd_even();
    chip.write(0x1_8000, b'A');
    chip.write(0x1_8001, 0x07);
    chip.write(0x1_8002, b'B');
    assert_eq!(chip.planes(0), 0x0741);
    assert_eq!([chip.read(0x1_8000), chip.read(0x1_8001)], [b'A', 0x07]);
    // In byte mode the address isn't shifted: the next cell is at planar address 2.
    assert_eq!(chip.planes(2), 0x42);
    chip.regs.crtc.data[crtc::MODE_CONTROL] = 0;
    assert_eq!(chip.read(0x1_8004), 0x42, "in word mode it is");
}

#[test]
fn planes_behind_the_end_of_vram_read_ones_and_ignore_writes() {
    let mut chip = Chip::planar();
    chip.latch(0x4433_2211);
    chip.regs.dispi.bank_offset = 0xf_0000;
    chip.write(0, 0x55);
    assert_eq!(chip.read(0), 0xff);
    assert_eq!(chip.regs.graphics.latch, 0x4433_2211);
    let mut everything = vec![0; 1 << 20];
    chip.vram.read(0, &mut everything);
    assert_eq!(
        everything.iter().filter(|byte| **byte != 0).count(),
        4,
        "only the latched planes"
    );
}

/// What VRAM holds before a run: rows of all values.
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
        let mut regs = Chip::planar().regs;
        rng.fill(&mut regs.graphics.data);
        regs.sequencer.data[sequencer::MAP_MASK] = rng.random();
        regs.graphics.latch = rng.random();
        if rng.random() {
            // A run goes to one planar address after the other.
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

    /// Makes an access, to planes of all values; returns what the data, the latches, VRAM and the
    /// dirty bitmap are then.
    fn outcome(&self, access: impl Fn(&Routes, &mut u32, &Vram, &mut [u8])) -> Outcome {
        let vram = Vram::allocate(1 << 20).unwrap();
        vram.write(0, &MEMORY);
        let mut dirty = vec![0; vram.dirty_words()];
        vram.region().bitmap().drain_into(&mut dirty).unwrap();
        dirty.fill(0);
        let mut latch = self.regs.graphics.latch;
        let mut data = self.data.clone();
        access(&Routes::new(&self.regs), &mut latch, &vram, &mut data);
        let mut memory = vec![0; MEMORY.len()];
        vram.read(0, &mut memory);
        vram.region().bitmap().drain_into(&mut dirty).unwrap();
        (data, latch, memory, dirty)
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
        let at_once = case.outcome(|routes, latch, vram, data| {
            routes.write(*latch, vram, case.offset, data);
        });
        let one_by_one = case.outcome(|routes, latch, vram, data| {
            for (byte, offset) in data.iter().zip(case.offset..) {
                routes.write(*latch, vram, offset, &[*byte]);
            }
        });
        case.check(seed, at_once, one_by_one);
    }
}

#[test]
fn a_run_of_reads_does_what_its_bytes_do_one_by_one() {
    for seed in 0..500 {
        let case = Case::random(seed);
        let at_once = case.outcome(|routes, latch, vram, data| {
            routes.read(latch, vram, case.offset, data);
        });
        let one_by_one = case.outcome(|routes, latch, vram, data| {
            for (byte, offset) in data.chunks_mut(1).zip(case.offset..) {
                routes.read(latch, vram, offset, byte);
            }
        });
        case.check(seed, at_once, one_by_one);
    }
}
