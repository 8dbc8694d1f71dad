//! The 0xa0000 window: planes, latches, write modes and chain 4.
//!
//! An address in the window becomes a *planar address*, each of which holds four bytes, one a plane.
//! Planar address A is the dword at VRAM byte 4 * A, plane 0 in its low byte.

use vm_memory::bitmap::Bitmap;

use crate::regs::{Registers, crtc, graphics, sequencer};
use crate::vram::Vram;

/// Length of the window, in bytes.
pub(crate) const LEN: u32 = 0x2_0000;

/// Four plane bits as a dword with 0xff in the bytes of the set ones.
const PLANE_BYTES: [u32; 16] = {
    let mut expanded = [0; 16];
    let mut planes = 0;
    while planes < 16 {
        let mut plane = 0;
        while plane < 4 {
            if planes >> plane & 1 != 0 {
                expanded[planes] |= 0xff << (8 * plane);
            }
            plane += 1;
        }
        planes += 1;
    }
    expanded
};

fn plane_bytes(planes: u8) -> u32 {
    PLANE_BYTES[usize::from(planes & 0x0f)]
}

/// Reads the byte at `offset` in the window. A read of the planes loads the latches.
#[inline]
pub(crate) fn read_byte<B: Bitmap>(regs: &mut Registers, vram: &Vram<B>, offset: u32) -> u8 {
    if let Some(address) = ram_address(regs, offset) {
        return vram.byte(address);
    }
    let Some(mut address) = decode(regs, offset) else {
        return 0xff;
    };
    let memory_mode = regs.effective_sequencer()[sequencer::MEMORY_MODE];
    let mode = regs.graphics.data[graphics::MODE];
    let read_map = regs.graphics.data[graphics::READ_MAP];
    let odd_even = mode & graphics::HOST_ODD_EVEN != 0;

    let plane = if memory_mode & sequencer::CHAIN_4 != 0 {
        let plane = address & 3;
        address &= !3;
        plane
    } else if odd_even {
        u32::from(read_map & 2) | (address & 1)
    } else {
        u32::from(read_map & 3)
    };
    if regs.graphics.data[graphics::MISCELLANEOUS] & graphics::CHAIN_ODD_EVEN != 0 {
        address &= !1;
    }
    // QEMU takes the odd/even bit of the Graphics Controller here, and the Sequencer's for writes.
    address = shift(regs, address, odd_even);
    if !inside(vram, address) {
        return 0xff;
    }

    // Here QEMU looks at the register as the guest wrote it, also while VBE is enabled.
    if regs.sequencer.data[sequencer::MEMORY_MODE] & sequencer::CHAIN_4 != 0 {
        return vram.byte(address << 2 | plane);
    }
    let latch = vram.planes(address);
    regs.graphics.latch = latch;
    if mode & graphics::READ_MODE_1 == 0 {
        return latch.to_le_bytes()[plane as usize];
    }
    let compare = plane_bytes(regs.graphics.data[graphics::COLOR_COMPARE]);
    let care = plane_bytes(regs.graphics.data[graphics::COLOR_DONT_CARE]);
    let [a, b, c, d] = ((latch ^ compare) & care).to_le_bytes();
    !(a | b | c | d)
}

/// Writes the byte at `offset` in the window.
#[inline]
pub(crate) fn write_byte<B: Bitmap>(regs: &Registers, vram: &Vram<B>, offset: u32, value: u8) {
    if let Some(address) = ram_address(regs, offset) {
        return vram.set_byte(address, value);
    }
    let Some(mut address) = decode(regs, offset) else {
        return;
    };
    let sequencer = regs.effective_sequencer();
    let memory_mode = sequencer[sequencer::MEMORY_MODE];
    let chain_4 = memory_mode & sequencer::CHAIN_4 != 0;
    let odd_even = memory_mode & sequencer::ODD_EVEN_OFF == 0;

    let mut planes = sequencer[sequencer::MAP_MASK] & sequencer::ALL_PLANES;
    let plane = address & 3;
    if chain_4 {
        planes &= 1 << plane;
        address &= !3;
    } else {
        if odd_even {
            planes &= if address & 1 != 0 { 0b1010 } else { 0b0101 };
        }
        if regs.graphics.data[graphics::MISCELLANEOUS] & graphics::CHAIN_ODD_EVEN != 0 {
            address &= !1;
        }
    }
    address = shift(regs, address, odd_even);
    if !inside(vram, address) || planes == 0 {
        return;
    }

    if chain_4 {
        return vram.set_byte(address << 2 | plane, value);
    }
    let data = write_data(regs, value);
    let mask = plane_bytes(planes);
    vram.set_planes(address, (vram.planes(address) & !mask) | (data & mask));
}

/// What a write of `value` puts into the four planes, before the Map Mask.
fn write_data(regs: &Registers, value: u8) -> u32 {
    let registers = &regs.graphics.data;
    let latch = regs.graphics.latch;
    let rotate = registers[graphics::DATA_ROTATE];
    let rotated = value.rotate_right(u32::from(rotate & 7));
    let set_reset = plane_bytes(registers[graphics::SET_RESET]);
    let bit_mask = registers[graphics::BIT_MASK];

    let (data, bit_mask) = match registers[graphics::MODE] & 3 {
        0 => {
            let enabled = plane_bytes(registers[graphics::ENABLE_SET_RESET]);
            (
                (replicate(rotated) & !enabled) | (set_reset & enabled),
                bit_mask,
            )
        }
        1 => return latch,
        2 => (plane_bytes(value), bit_mask),
        _ => (set_reset, bit_mask & rotated),
    };
    let data = match rotate >> 3 & 3 {
        0 => data,
        1 => data & latch,
        2 => data | latch,
        _ => data ^ latch,
    };
    let mask = replicate(bit_mask);
    (data & mask) | (latch & !mask)
}

/// The byte in all four planes.
fn replicate(value: u8) -> u32 {
    u32::from_le_bytes([value; 4])
}

/// The byte of VRAM at `offset`, where that part of the window is plain RAM.
fn ram_address(regs: &Registers, offset: u32) -> Option<u32> {
    let ram = regs.window_ram?;
    let within = offset.checked_sub(ram.offset)?;
    (within < ram.len).then_some(ram.vram_offset + within)
}

/// The address that `offset` has inside the memory map, where the map contains it.
fn decode(regs: &Registers, offset: u32) -> Option<u32> {
    match regs.graphics.memory_map() {
        0 => Some(offset),
        1 => (offset < 0x1_0000).then_some(offset + regs.dispi.bank_offset),
        2 => offset
            .checked_sub(0x1_0000)
            .filter(|within| *within < 0x8000),
        _ => offset.checked_sub(0x1_8000),
    }
}

/// Drops the address bits that don't reach memory in double-word and word mode.
fn shift(regs: &Registers, address: u32, odd_even: bool) -> u32 {
    if regs.crtc.data[crtc::UNDERLINE_LOCATION] & crtc::DOUBLE_WORD != 0 {
        address >> 2
    } else if odd_even && regs.crtc.data[crtc::MODE_CONTROL] & crtc::BYTE_MODE == 0 {
        address >> 1
    } else {
        address
    }
}

/// Whether the planar address lies in VRAM.
fn inside<B: Bitmap>(vram: &Vram<B>, address: u32) -> bool {
    address <= vram.mask() >> 2
}
