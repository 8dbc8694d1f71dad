// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a write may have changed, before the device has checked.

use bitflags::bitflags;

bitflags! {
    /// What a register write may have changed for the embedder. `StdVga::settle` checks whether it did, and
    /// returns [`Effects`](crate::Effects).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[must_use = "the device must look at what may have changed"]
    pub(crate) struct Touched: u8 {
        /// What must be mapped, and where.
        const MAPPINGS = 1 << 0;
        /// The picture.
        const PICTURE = 1 << 1;
        /// The picture's kind, size or pixel format.
        const MODE = 1 << 2;
    }
}

impl Touched {
    /// What a register that shapes the picture touches.
    pub const SHAPE: Self = Self::PICTURE.union(Self::MODE);

    /// `self` if `condition` holds, otherwise nothing.
    #[inline]
    pub fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::empty() }
    }
}
