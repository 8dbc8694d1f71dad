// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a write may have changed, before the device has looked.

use bitflags::bitflags;

bitflags! {
    /// What a write to registers may have changed for the embedder. `StdVga::settle` finds out whether
    /// it did, and makes [`Effects`](crate::Effects) of it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[must_use = "the device must look at what may have changed"]
    pub(crate) struct Touched: u8 {
        /// What must be mapped where.
        const MAPPINGS = 1 << 0;
        /// The picture.
        const PICTURE = 1 << 1;
        /// The picture's kind, size or pixel format.
        const MODE = 1 << 2;
    }
}

impl Touched {
    /// What a register touches that shapes the picture.
    pub const SHAPE: Self = Self::PICTURE.union(Self::MODE);

    /// This if `condition` holds, nothing otherwise.
    #[inline]
    pub fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::empty() }
    }
}
