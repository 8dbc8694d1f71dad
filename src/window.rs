// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The 0xa0000 window: planes, latches, write modes and chain 4.
//!
//! An address in the window becomes a *planar address*. Each one refers to a group: four bytes, one from each
//! plane. Planar address A is the group at VRAM byte 4 * A, plane 0 first.

mod alu;
#[cfg(test)]
mod tests;

use vm_memory::bitmap::Bitmap;

use crate::mappings::{WINDOW, WindowRam};
use crate::planes::group_mask;
use crate::regs::crtc::{self, Crtc};
use crate::regs::{Registers, graphics, sequencer};
use crate::vram::Vram;
use alu::{Alu, Latched};

/// Length of the window, in bytes.
pub(crate) const LEN: u64 = WINDOW.end - WINDOW.start;

/// Bytes of a run that are written at once.
const BLOCK: usize = 32;

/// A part that no access reaches.
const NOWHERE: WindowRam = WindowRam {
    offset: 0,
    len: 0,
    vram_offset: 0,
};

/// Where accesses to the window lead. Decoded from the registers, and valid until one of them is written.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    /// The part that is plain RAM.
    ram: WindowRam,
    /// The part that answers through the planes, except the plain RAM.
    planes: WindowRam,
    /// The address bits that are used once the plane is known.
    address_mask: u32,
    /// The number of bits by which reads then shift an address to the right.
    read_shift: u32,
    /// The plane that is read, by the low two address bits.
    read_planes: [u8; 4],
    /// Whether reads leave the latches alone.
    keeps_latches: bool,
    color_compare: Option<ColorCompare>,
    /// The number of bits by which writes shift an address to the right.
    write_shift: u32,
    /// The planes that writes change, by the low two address bits, as masks of their bytes.
    write_masks: [u32; 4],
    /// Whether the bytes of a run go to consecutive planar addresses, in the same planes.
    writes_in_sequence: bool,
    alu: Alu,
}

impl Routes {
    pub fn new(regs: &Registers) -> Self {
        let graphics = &regs.graphics.data;
        let sequencer = regs.effective_sequencer();
        let chain_4 = sequencer[sequencer::MEMORY_MODE] & sequencer::CHAIN_4 != 0;
        let chain_odd_even = graphics[graphics::MISCELLANEOUS] & graphics::CHAIN_ODD_EVEN != 0;
        // In QEMU, odd/even addressing depends on the Graphics Controller for reads, and on the Sequencer for
        // writes.
        let odd_even_reads = graphics[graphics::MODE] & graphics::HOST_ODD_EVEN != 0;
        let odd_even_writes = sequencer[sequencer::MEMORY_MODE] & sequencer::ODD_EVEN_OFF == 0;
        // Here QEMU uses the register as the guest wrote it, even while VBE is enabled.
        let keeps_latches = regs.sequencer.data[sequencer::MEMORY_MODE] & sequencer::CHAIN_4 != 0;

        let address_mask = match (chain_4, chain_odd_even) {
            (true, _) => !3,
            (false, true) => !1,
            (false, false) => !0,
        };
        let read_map = graphics[graphics::READ_MAP] & 3;
        let read_planes = match (chain_4, odd_even_reads) {
            (true, _) => [0, 1, 2, 3],
            (false, true) => [0, 1, 0, 1].map(|odd| read_map & 2 | odd),
            (false, false) => [read_map; 4],
        };
        let compares = graphics[graphics::MODE] & graphics::READ_MODE_1 != 0 && !keeps_latches;
        let write_shift = address_shift(&regs.crtc, odd_even_writes);
        let written_planes = match (chain_4, odd_even_writes) {
            (true, _) => [0b0001, 0b0010, 0b0100, 0b1000],
            (false, true) => [0b0101, 0b1010, 0b0101, 0b1010],
            (false, false) => [0b1111; 4],
        };
        let map_mask = sequencer[sequencer::MAP_MASK];
        Self {
            ram: regs.window_ram.unwrap_or(NOWHERE),
            planes: regs.window_part().unwrap_or(NOWHERE),
            address_mask,
            read_shift: address_shift(&regs.crtc, odd_even_reads),
            read_planes,
            keeps_latches,
            color_compare: compares.then(|| ColorCompare::new(graphics)),
            write_shift,
            write_masks: written_planes.map(|planes| group_mask(planes & map_mask)),
            writes_in_sequence: regs.window_ram.is_none()
                && !(chain_4 || chain_odd_even || odd_even_writes)
                && write_shift == 0
                && map_mask & sequencer::ALL_PLANES != 0,
            alu: if chain_4 {
                Alu::COPY
            } else {
                Alu::new(&regs.graphics)
            },
        }
    }

    /// Reads from `offset` in the window, byte by byte. A read of the planes loads the latches, `latches`.
    #[inline]
    pub fn read<B: Bitmap + 'static>(
        &self,
        latches: &mut u32,
        vram: &Vram<B>,
        offset: u64,
        data: &mut [u8],
    ) {
        match data {
            [byte] => *byte = self.read_byte(latches, vram, offset),
            _ => self.read_run(latches, vram, offset, data),
        }
    }

    /// Writes from `offset` in the window on, byte by byte. `latches` has the latches' contents.
    #[inline]
    pub fn write<B: Bitmap + 'static>(
        &self,
        latches: u32,
        vram: &Vram<B>,
        offset: u64,
        data: &[u8],
    ) {
        match data {
            [value] => self.write_byte(&self.alu.with_latches(latches), vram, offset, *value),
            _ => self.write_run(latches, vram, offset, data),
        }
    }

    #[inline(always)]
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "there are four planes of eight bits"
    )]
    fn read_byte<B: Bitmap + 'static>(&self, latches: &mut u32, vram: &Vram<B>, offset: u64) -> u8 {
        if let Some(address) = self.ram.address(offset) {
            return vram.byte(address);
        }
        let Some(address) = self.planes.address(offset) else {
            return 0xff;
        };
        let planar_address = (address & self.address_mask) >> self.read_shift;
        let Some(planes) = vram.group(planar_address) else {
            return 0xff;
        };
        if !self.keeps_latches {
            *latches = planes;
        }
        match &self.color_compare {
            None => (planes >> (8 * self.read_planes[address as usize & 3])) as u8,
            Some(color_compare) => color_compare.matches(planes),
        }
    }

    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "there are four planes")]
    fn write_byte<B: Bitmap + 'static>(
        &self,
        alu: &Latched,
        vram: &Vram<B>,
        offset: u64,
        value: u8,
    ) {
        if let Some(address) = self.ram.address(offset) {
            return vram.set_byte(address, value);
        }
        let Some(address) = self.planes.address(offset) else {
            return;
        };
        let mask = self.write_masks[address as usize & 3];
        if mask != 0 {
            let planar_address = (address & self.address_mask) >> self.write_shift;
            let planes = alu.planes(value);
            vram.update_group(planar_address, |old| old ^ ((old ^ planes) & mask));
        }
    }

    #[inline(never)]
    fn read_run<B: Bitmap + 'static>(
        &self,
        latches: &mut u32,
        vram: &Vram<B>,
        offset: u64,
        data: &mut [u8],
    ) {
        if let Some(address) = self.ram.address_of_run(offset, data.len()) {
            return vram.read(address.into(), data);
        }
        let (inside, outside) = data.split_at_mut(len_inside(offset, data.len()));
        for (byte, offset) in inside.iter_mut().zip(offset..) {
            *byte = self.read_byte(latches, vram, offset);
        }
        outside.fill(0xff);
    }

    #[inline(never)]
    fn write_run<B: Bitmap + 'static>(
        &self,
        latches: u32,
        vram: &Vram<B>,
        offset: u64,
        data: &[u8],
    ) {
        let alu = &self.alu.with_latches(latches);
        if let Some(address) = self.ram.address_of_run(offset, data.len()) {
            vram.write(address.into(), data);
        } else if self.writes_in_sequence
            && let Some(first) = self.planes.address_of_run(offset, data.len())
        {
            self.write_sequence(alu, vram, first, data);
        } else {
            let inside = data.iter().take(len_inside(offset, data.len()));
            for (value, offset) in inside.zip(offset..) {
                self.write_byte(alu, vram, offset, *value);
            }
        }
    }

    /// Writes bytes to the planar addresses from `first` on.
    ///
    /// A part of the window is completely in VRAM or not at all, and so is every block.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "a run is no longer than the window, and no planar address is near 2^32"
    )]
    fn write_sequence<B: Bitmap + 'static>(
        &self,
        alu: &Latched,
        vram: &Vram<B>,
        first: u32,
        data: &[u8],
    ) {
        let mask = self.write_masks[0];
        let update = |old, value| old ^ ((old ^ alu.planes(value)) & mask);
        let (blocks, rest) = data.as_chunks::<BLOCK>();
        let mut address = first;
        for block in blocks {
            vram.update_groups(address, |planes: &mut [_; BLOCK]| {
                for (planes, value) in planes.iter_mut().zip(block) {
                    *planes = update(u32::from_le_bytes(*planes), *value).to_le_bytes();
                }
            });
            address += BLOCK as u32;
        }
        for (value, address) in rest.iter().zip(address..) {
            vram.update_group(address, |old| update(old, *value));
        }
    }
}

/// The number of bytes in the window, of `len` bytes from `offset` on.
fn len_inside(offset: u64, len: usize) -> usize {
    usize::try_from(LEN.saturating_sub(offset)).map_or(len, |left| left.min(len))
}

/// The number of dropped address bits: one in word mode, two in double-word mode.
fn address_shift(crtc: &Crtc, odd_even: bool) -> u32 {
    if crtc.data[crtc::UNDERLINE_LOCATION] & crtc::DOUBLE_WORD != 0 {
        2
    } else {
        u32::from(odd_even && crtc.data[crtc::MODE_CONTROL] & crtc::BYTE_MODE == 0)
    }
}

/// Read mode 1: which pixels have a certain colour.
#[derive(Clone, Debug)]
struct ColorCompare {
    color: u32,
    /// The planes that are compared.
    care: u32,
}

impl ColorCompare {
    fn new(graphics: &[u8; 16]) -> Self {
        Self {
            color: group_mask(graphics[graphics::COLOR_COMPARE]),
            care: group_mask(graphics[graphics::COLOR_DONT_CARE]),
        }
    }

    fn matches(&self, planes: u32) -> u8 {
        let [a, b, c, d] = ((planes ^ self.color) & self.care).to_le_bytes();
        !(a | b | c | d)
    }
}
