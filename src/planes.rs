// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The planes. Four consecutive bytes of VRAM, one from each plane, make a group.

/// A group: one byte from each plane, plane 0 first. It holds eight planar pixels, or a cell of text.
pub(crate) type Group = [u8; GROUP_BYTES];

/// Bytes of a group.
pub(crate) const GROUP_BYTES: usize = 4;

/// For each set of planes, the group with 0xff in their bytes.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const MASKS: [u32; 16] = {
    let mut masks = [0; 16];
    let mut planes = 0;
    while planes < masks.len() {
        let mut plane = 0;
        while plane < GROUP_BYTES {
            if planes >> plane & 1 != 0 {
                masks[planes] |= 0xff << (8 * plane);
            }
            plane += 1;
        }
        planes += 1;
    }
    masks
};

/// The group with 0xff in the bytes of `planes` (one bit per plane), as a little-endian dword. Bits 7:4 are
/// ignored.
#[inline]
#[expect(clippy::indexing_slicing, reason = "there are 16 entries")]
pub(crate) fn group_mask(planes: u8) -> u32 {
    MASKS[usize::from(planes & 0x0f)]
}
