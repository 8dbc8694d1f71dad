// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Where the choices of a program come from.

use std::convert::Infallible;

use rand::prelude::*;
use rand::rand_core::TryRng;

/// Random numbers: the same for the same seed, or for the same bytes.
pub enum Choices {
    Seeded(SmallRng),
    /// Bytes that a fuzzer made, the first one next. Zeros follow.
    Given(Vec<u8>, usize),
}

impl Choices {
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(SmallRng::seed_from_u64(seed))
    }

    pub fn given(bytes: &[u8]) -> Self {
        Self::Given(bytes.to_vec(), 0)
    }

    /// Whether there's more than zeros to come.
    pub fn are_left(&self) -> bool {
        match self {
            Self::Seeded(_) => true,
            Self::Given(bytes, at) => *at < bytes.len(),
        }
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut next = [0; N];
        match self {
            Self::Seeded(rng) => rng.fill(&mut next[..]),
            Self::Given(bytes, at) => {
                for (place, byte) in next.iter_mut().zip(&bytes[(*at).min(bytes.len())..]) {
                    *place = *byte;
                }
                *at += N;
            }
        }
        next
    }
}

impl TryRng for Choices {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        if let Self::Seeded(rng) = self {
            return rng.try_next_u32();
        }
        // Small ranges look at the high bits, small numbers at the low ones: two bytes are enough for both.
        let [low, high] = self.bytes();
        Ok(u32::from_le_bytes([low, high, low, high]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        match self {
            Self::Seeded(rng) => rng.try_next_u64(),
            Self::Given(..) => Ok(u64::from_le_bytes(self.bytes())),
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match self {
            Self::Seeded(rng) => rng.try_fill_bytes(bytes),
            Self::Given(..) => {
                // A block of VRAM isn't worth as many bytes of input: what they lead to is.
                let seed = u64::from_le_bytes(self.bytes());
                SmallRng::seed_from_u64(seed).try_fill_bytes(bytes)
            }
        }
    }
}
