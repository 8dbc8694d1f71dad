// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! How a write changes its value: write modes, rotation, Set/Reset, function and Bit Mask.

use crate::planes::group_mask;
use crate::regs::graphics::{self, GraphicsController};

/// The byte in all four planes.
fn replicate(value: u8) -> u32 {
    u32::from_le_bytes([value; 4])
}

/// How the four planes are computed from a value and the latches, before the Map Mask.
///
/// The value, spread over the planes, is the source. With any registers, each written bit depends only on the
/// same bit of the source and of the latches. So a table of the four cases is enough.
#[derive(Clone, Debug)]
pub(super) struct Alu {
    source: Source,
    /// The planes if the source is all zeros.
    zeros: ByLatch,
    /// The planes if it's all ones.
    ones: ByLatch,
}

impl Alu {
    /// The planes take the value, as in chain 4.
    pub const COPY: Self = Self {
        source: Source::Value { rotation: 0 },
        zeros: ByLatch::new(0, 0),
        ones: ByLatch::new(!0, !0),
    };

    pub fn new(graphics: &GraphicsController) -> Self {
        let registers = &graphics.data;
        let by_latch = |source| {
            ByLatch::new(
                combine(registers, source, 0),
                combine(registers, source, !0),
            )
        };
        Self {
            source: match registers[graphics::MODE] & graphics::WRITE_MODE {
                2 => Source::Color,
                _ => Source::Value {
                    rotation: u32::from(registers[graphics::DATA_ROTATE] & graphics::ROTATION),
                },
            },
            zeros: by_latch(0),
            ones: by_latch(!0),
        }
    }

    /// What writes do with these contents of the latches.
    #[inline]
    pub fn with_latches(&self, latches: u32) -> Latched {
        let zeros = self.zeros.bits(latches);
        Latched {
            source: self.source,
            zeros,
            inverted: zeros ^ self.ones.bits(latches),
        }
    }
}

/// Bits that each depend on the same bit of the latches.
#[derive(Clone, Debug)]
struct ByLatch {
    /// The bits if the latches are all zeros.
    zeros: u32,
    /// The bits that differ if they're all ones.
    inverted: u32,
}

impl ByLatch {
    const fn new(zeros: u32, ones: u32) -> Self {
        Self {
            zeros,
            inverted: zeros ^ ones,
        }
    }

    #[inline]
    fn bits(&self, latches: u32) -> u32 {
        self.zeros ^ (self.inverted & latches)
    }
}

/// How a value becomes the source.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Rotated right, in every plane.
    Value { rotation: u32 },
    /// A bit for each plane.
    Color,
}

/// An [`Alu`] while the latches don't change.
#[derive(Clone, Debug)]
pub(super) struct Latched {
    source: Source,
    /// The planes if the source is all zeros.
    zeros: u32,
    /// The bits that differ if it's all ones.
    inverted: u32,
}

impl Latched {
    /// The four planes after a write of `value`, before the Map Mask.
    #[inline]
    pub fn planes(&self, value: u8) -> u32 {
        let source = match self.source {
            // Rotating four equal bytes as one number rotates each of them.
            Source::Value { rotation } => replicate(value).rotate_right(rotation),
            Source::Color => group_mask(value),
        };
        self.zeros ^ (source & self.inverted)
    }
}

/// Applies the write mode, Set/Reset, the function and the Bit Mask to a source.
fn combine(registers: &[u8; 16], source: u32, latches: u32) -> u32 {
    let set_reset = group_mask(registers[graphics::SET_RESET]);
    let bit_mask = replicate(registers[graphics::BIT_MASK]);
    let (data, bit_mask) = match registers[graphics::MODE] & graphics::WRITE_MODE {
        0 => {
            let enabled = group_mask(registers[graphics::ENABLE_SET_RESET]);
            ((source & !enabled) | (set_reset & enabled), bit_mask)
        }
        1 => return latches,
        2 => (source, bit_mask),
        _ => (set_reset, bit_mask & source),
    };
    let data = match registers[graphics::DATA_ROTATE] >> 3 & 3 {
        0 => data,
        1 => data & latches,
        2 => data | latches,
        _ => data ^ latches,
    };
    (data & bit_mask) | (latches & !bit_mask)
}

#[cfg(test)]
mod tests {
    use rand::prelude::*;

    use super::*;

    #[test]
    fn four_cases_stand_for_all() {
        let mut rng = SmallRng::seed_from_u64(1);
        for _ in 0..10_000 {
            let mut controller = GraphicsController::default();
            rng.fill(&mut controller.data);
            let registers = &controller.data;
            let (value, latches): (u8, u32) = (rng.random(), rng.random());
            let source = if registers[graphics::MODE] & graphics::WRITE_MODE == 2 {
                group_mask(value)
            } else {
                replicate(value.rotate_right(registers[graphics::DATA_ROTATE].into()))
            };
            assert_eq!(
                Alu::new(&controller).with_latches(latches).planes(value),
                combine(registers, source, latches),
                "value {value:#x}, latches {latches:#x}, registers {registers:x?}"
            );
        }
    }
}
