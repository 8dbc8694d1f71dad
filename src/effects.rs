// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What an access changed that may concern the embedder.

use bitflags::bitflags;

bitflags! {
    /// What a write, a reset or a restore changed for the embedder.
    ///
    /// Rewriting a register with its current value reports nothing. A reset always reports
    /// [`Effects::SCANOUT`], and so does [`StdVga::restore`](crate::StdVga::restore).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[must_use = "the embedder must follow changed mappings"]
    pub struct Effects: u8 {
        /// [`StdVga::mappings`](crate::StdVga::mappings) has changed.
        const MAPPINGS = 1 << 0;
        /// [`StdVga::scanout`](crate::StdVga::scanout) may have changed, because a register that affects the
        /// picture did. Writes to VRAM don't report this.
        const SCANOUT = 1 << 1;
        /// The picture's kind, size or pixel format changed. [`StdVga::scanout`](crate::StdVga::scanout) has
        /// the new one.
        const MODE = 1 << 2;
    }
}
