// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What an access changed that the embedder may care about.

use bitflags::bitflags;

bitflags! {
    /// What a write, a reset or a restore changed for the embedder.
    ///
    /// Rewriting a register with the value it has reports nothing. A reset always reports
    /// [`Effects::SCANOUT`], and so does [`StdVga::restore`](crate::StdVga::restore).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[must_use = "the embedder must follow changed mappings"]
    pub struct Effects: u8 {
        /// [`StdVga::mappings`](crate::StdVga::mappings) answers otherwise than before.
        const MAPPINGS = 1 << 0;
        /// [`StdVga::scanout`](crate::StdVga::scanout) may answer otherwise than before: a register
        /// changed that the picture depends on. Writes to VRAM don't report it.
        const SCANOUT = 1 << 1;
        /// The picture's kind, size or pixel format changed. [`StdVga::scanout`](crate::StdVga::scanout)
        /// has the new one.
        const MODE = 1 << 2;
    }
}
