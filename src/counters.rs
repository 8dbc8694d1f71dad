// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a device did, as plain numbers.

/// What a [`StdVga`](crate::StdVga) was asked for and what came of it, since it was built.
///
/// For metrics: an embedder takes them now and then, and reports differences. A guest can drive them as
/// fast as it likes; they wrap at the end. They aren't part of the saved state. A reset keeps them,
/// and so does [`StdVga::restore`](crate::StdVga::restore).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Accesses to the PCI configuration space.
    pub config: Accesses,
    /// Accesses to ports.
    pub ports: Accesses,
    /// Accesses to BAR2, in the embedder's calls.
    pub mmio: Accesses,
    /// Accesses to the 0xa0000 window, in the embedder's calls. Where it's mapped as RAM, the device
    /// sees none.
    pub window: Accesses,
    /// Reads from the option ROM. Where it's mapped, the device sees none.
    pub rom_reads: u64,
    /// Those of the above that start past the end of their space, have a length that isn't an access's,
    /// or are to a space that the variant lacks. Ports that aren't the device's, and holes between
    /// registers, don't count.
    pub invalid: u64,
    /// How often [`StdVga::mappings`](crate::StdVga::mappings) changed.
    pub mapping_changes: u64,
    /// How often the picture's kind, size or pixel format changed.
    pub mode_changes: u64,
    /// Resets.
    pub resets: u64,
}

/// How often a space was accessed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accesses {
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
}

/// Adds one.
#[inline]
pub(crate) fn count(counter: &mut u64) {
    *counter = counter.wrapping_add(1);
}
