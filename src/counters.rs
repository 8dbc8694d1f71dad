// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a device did, in plain numbers.

/// Counts what a [`StdVga`](crate::StdVga) has done since it was built.
///
/// They're meant for metrics: an embedder reads them now and then, and reports differences. A guest can
/// increase them as fast as it likes, and they wrap around. They aren't part of the saved state. A reset
/// keeps them, and so does [`StdVga::restore`](crate::StdVga::restore).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Accesses to the PCI configuration space.
    pub config: Accesses,
    /// Accesses to ports.
    pub ports: Accesses,
    /// Accesses to BAR2, counted by the embedder's calls.
    pub mmio: Accesses,
    /// Accesses to the 0xa0000 window, counted by the embedder's calls. The device doesn't see accesses to
    /// parts that are mapped as RAM.
    pub window: Accesses,
    /// Reads from the option ROM. The device doesn't see them while the ROM is mapped.
    pub rom_reads: u64,
    /// Those of the above that start past the end of their space, have an invalid length, or go to a space
    /// that the variant lacks. Ports of other devices, and holes between registers, don't count.
    pub invalid: u64,
    /// How often [`StdVga::mappings`](crate::StdVga::mappings) changed.
    pub mapping_changes: u64,
    /// How often the picture's kind, size or pixel format changed.
    pub mode_changes: u64,
    /// System resets.
    pub resets: u64,
}

/// Counts accesses to a space.
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
