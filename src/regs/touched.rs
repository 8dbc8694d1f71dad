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
        /// The picture, and with it perhaps its kind, size or pixel format.
        const SHAPE = 1 << 2 | Self::PICTURE.bits();
    }
}

impl Touched {
    /// This if `condition` holds, nothing otherwise.
    #[inline]
    pub fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::empty() }
    }
}
