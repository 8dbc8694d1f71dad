// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The 0xa0000 window.

use vm_memory::bitmap::Bitmap;

use super::StdVga;
use crate::counters::count;
use crate::window::{self, Routes};

impl<B: Bitmap + 'static> StdVga<B> {
    /// Reads from the 0xa0000 window at `offset` bytes from its start.
    ///
    /// Any length is accepted. The bytes are read one after the other, in ascending order. Reads return all
    /// ones past the window's end, in parts that no memory map covers, and if the variant has no window.
    pub fn window_read(&mut self, offset: u64, data: &mut [u8]) {
        count(&mut self.counters.window.reads);
        self.count_if_outside_window(offset);
        self.read_window(offset, data);
    }

    /// Writes to the 0xa0000 window at `offset` bytes from its start.
    ///
    /// Any length is accepted. The bytes are written one after the other, in ascending order. Only VRAM
    /// changes.
    pub fn window_write(&mut self, offset: u64, data: &[u8]) {
        count(&mut self.counters.window.writes);
        self.count_if_outside_window(offset);
        self.write_window(offset, data);
    }

    /// Carries out collected writes to the 0xa0000 window: offsets from its start, and bytes.
    ///
    /// This does the same as calling [`StdVga::window_write`] for each of them, in order. Drain KVM's ring of
    /// coalesced writes into it before you pass any other access, and before [`StdVga::scanout`],
    /// [`StdVga::drain_dirty`] and [`StdVga::state`]. (Accesses through mapped memory may still overtake
    /// writes that wait in the ring, as in QEMU. No driver mixes them.)
    pub fn window_writes<'a>(&mut self, writes: impl IntoIterator<Item = (u64, &'a [u8])>) {
        for (offset, data) in writes {
            self.window_write(offset, data);
        }
    }

    #[inline]
    fn read_window(&mut self, offset: u64, data: &mut [u8]) {
        let latches = &mut self.registers.graphics.latches;
        match &self.routes {
            Some(routes) => routes.read(latches, &self.vram, offset, data),
            None => self.decode_routes_and_read(offset, data),
        }
    }

    #[inline]
    fn write_window(&mut self, offset: u64, data: &[u8]) {
        let latches = self.registers.graphics.latches;
        match &self.routes {
            Some(routes) => routes.write(latches, &self.vram, offset, data),
            None => self.decode_routes_and_write(offset, data),
        }
    }

    #[inline]
    fn count_if_outside_window(&mut self, offset: u64) {
        if offset >= window::LEN || !self.variant.has_legacy() {
            self.count_invalid();
        }
    }

    // Out of line, so that accesses whose routes are known needn't save registers for them.

    #[inline(never)]
    fn decode_routes_and_read(&mut self, offset: u64, data: &mut [u8]) {
        self.routes = Some(Routes::new(&self.registers));
        self.read_window(offset, data);
    }

    #[inline(never)]
    fn decode_routes_and_write(&mut self, offset: u64, data: &[u8]) {
        self.routes = Some(Routes::new(&self.registers));
        self.write_window(offset, data);
    }
}
