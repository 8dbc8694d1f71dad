// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! String instructions (`rep insb`, `rep outsw` and the like).

/// Passes the reads of a string instruction to `read` as single accesses of `size` bytes each.
///
/// KVM reports many elements in one exit. Some bindings, such as `kvm-ioctls`, pass them on as one slice,
/// which looks like one wide access. Split it before any bus sees it. `size` is given by the exit
/// (`kvm_run`'s `io.size`): 1, 2 or 4. 0 counts as 1.
///
/// ```
/// use stdvga::embedding::string_in;
/// use stdvga::{Config, StdVga};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut vga = StdVga::new(Config::default())?;
/// // Six components of the DAC's entries: `rep insb` from 0x3c9.
/// let mut data = [0xff; 6];
/// string_in(1, &mut data, |access| vga.port_read(0x3c9, access));
/// assert_eq!(data, [0; 6]);
/// # Ok(())
/// # }
/// ```
pub fn string_in(size: usize, data: &mut [u8], read: impl FnMut(&mut [u8])) {
    data.chunks_mut(size.max(1)).for_each(read);
}

/// Passes the writes of a string instruction to `write` as single accesses, as [`string_in`] does for reads.
///
/// ```
/// use stdvga::embedding::string_out;
///
/// let mut accesses = Vec::new();
/// string_out(2, &[1, 2, 3, 4], |access| accesses.push(access.to_vec()));
/// assert_eq!(accesses, [[1, 2], [3, 4]]);
/// ```
pub fn string_out(size: usize, data: &[u8], write: impl FnMut(&[u8])) {
    data.chunks(size.max(1)).for_each(write);
}
