//! The 0xa0000 window: planes, latches, write modes and chain 4.
//!
//! An address in the window becomes a *planar address*, each of which holds four bytes, one a plane.
//! Planar address A is the dword at VRAM byte 4 * A, plane 0 in its low byte.

use vm_memory::bitmap::Bitmap;

use crate::mappings::WindowRam;
use crate::regs::graphics::{self, GraphicsController};
use crate::regs::{Registers, crtc, sequencer};
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

/// Reads from `offset` in the window, byte by byte. A read of the planes loads the latches.
///
/// `offset + data.len()` must not lie behind the window's end, and `routes` must be the registers'.
pub(crate) fn read<B: Bitmap>(
    regs: &mut Registers,
    routes: &Routes,
    vram: &Vram<B>,
    offset: u32,
    data: &mut [u8],
) {
    for (byte, offset) in data.iter_mut().zip(offset..) {
        *byte = match routes.ram.address(offset) {
            Some(address) => vram.byte(address),
            None => read_byte(regs, vram, routes, offset),
        };
    }
}

/// Writes from `offset` in the window on, byte by byte. `latch` is what the latches hold.
///
/// `offset + data.len()` must not lie behind the window's end, and `routes` must be the registers'.
pub(crate) fn write<B: Bitmap>(
    latch: u32,
    routes: &Routes,
    vram: &Vram<B>,
    offset: u32,
    data: &[u8],
) {
    for (value, offset) in data.iter().zip(offset..) {
        match routes.ram.address(offset) {
            Some(address) => vram.set_byte(address, *value),
            None => write_byte(vram, routes, latch, offset, *value),
        }
    }
}

/// Where accesses to the window lead, decoded from the registers: good until one of them is written.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    read: Route,
    /// The planes that even and odd addresses are read from, but in chain 4.
    read_planes: [u32; 2],
    write: Route,
    /// The planes that writes to even and odd addresses change, as masks of their bytes.
    write_masks: [u32; 2],
    alu: Alu,
    /// The part that is plain RAM, if any.
    ram: Part,
}

impl Routes {
    pub fn new(regs: &Registers) -> Self {
        let sequencer = regs.effective_sequencer();
        // QEMU takes odd/even addressing of reads from the Graphics Controller, of writes from the
        // Sequencer.
        let odd_even_reads = regs.graphics.data[graphics::MODE] & graphics::HOST_ODD_EVEN != 0;
        let odd_even_writes = sequencer[sequencer::MEMORY_MODE] & sequencer::ODD_EVEN_OFF == 0;
        let write = Route::new(regs, odd_even_writes);
        let read_map = u32::from(regs.graphics.data[graphics::READ_MAP] & 3);
        let map_mask = sequencer[sequencer::MAP_MASK];
        Self {
            read: Route::new(regs, odd_even_reads),
            read_planes: if odd_even_reads {
                [read_map & 2, read_map & 2 | 1]
            } else {
                [read_map; 2]
            },
            write_masks: if odd_even_writes && !write.chain_4 {
                [0b0101, 0b1010].map(|reached| plane_bytes(map_mask & reached))
            } else {
                [plane_bytes(map_mask); 2]
            },
            write,
            alu: Alu::new(&regs.graphics),
            ram: regs.window_ram.map_or(Part::NONE, Part::new),
        }
    }
}

/// A part of the window, and the address that its first byte has.
#[derive(Clone, Debug)]
struct Part {
    start: u32,
    len: u32,
    address: u32,
}

impl Part {
    const NONE: Self = Self {
        start: 0,
        len: 0,
        address: 0,
    };

    fn new(part: WindowRam) -> Self {
        Self {
            start: part.offset,
            len: part.len,
            address: part.vram_offset,
        }
    }

    /// The address that `offset` in the window has, where it's in this part.
    #[inline]
    fn address(&self, offset: u32) -> Option<u32> {
        let within = offset.wrapping_sub(self.start);
        (within < self.len).then_some(self.address + within)
    }
}

/// How addresses in the window reach the planes.
#[derive(Clone, Debug)]
struct Route {
    /// The part of the window that answers.
    part: Part,
    /// Whether the low two address bits select the plane.
    chain_4: bool,
    /// The address bits that count, once the plane is known.
    mask: u32,
    /// Address bits that are dropped then: one in word mode, two in double-word mode.
    shift: u32,
}

impl Route {
    fn new(regs: &Registers, odd_even: bool) -> Self {
        let chain_4 = regs.effective_sequencer()[sequencer::MEMORY_MODE] & sequencer::CHAIN_4 != 0;
        let chain_odd_even =
            regs.graphics.data[graphics::MISCELLANEOUS] & graphics::CHAIN_ODD_EVEN != 0;
        let mask = match (chain_4, chain_odd_even) {
            (true, _) => !3,
            (false, true) => !1,
            (false, false) => !0,
        };
        let shift = if regs.crtc.data[crtc::UNDERLINE_LOCATION] & crtc::DOUBLE_WORD != 0 {
            2
        } else {
            u32::from(odd_even && regs.crtc.data[crtc::MODE_CONTROL] & crtc::BYTE_MODE == 0)
        };
        Self {
            part: Part::new(regs.window_part()),
            chain_4,
            mask,
            shift,
        }
    }

    /// The planar address of an address, where it lies in VRAM.
    #[inline]
    fn planar<B: Bitmap>(&self, vram: &Vram<B>, address: u32) -> Option<u32> {
        let planar = (address & self.mask) >> self.shift;
        (planar <= vram.mask() >> 2).then_some(planar)
    }
}

#[inline]
fn read_byte<B: Bitmap>(regs: &mut Registers, vram: &Vram<B>, routes: &Routes, offset: u32) -> u8 {
    let route = &routes.read;
    let Some(address) = route.part.address(offset) else {
        return 0xff;
    };
    let plane = if route.chain_4 {
        address & 3
    } else {
        routes.read_planes[address as usize & 1]
    };
    let Some(planar) = route.planar(vram, address) else {
        return 0xff;
    };
    // Here QEMU looks at the register as the guest wrote it, also while VBE is enabled.
    if regs.sequencer.data[sequencer::MEMORY_MODE] & sequencer::CHAIN_4 != 0 {
        return vram.byte(planar << 2 | plane);
    }
    let latch = vram.planes(planar);
    regs.graphics.latch = latch;
    if regs.graphics.data[graphics::MODE] & graphics::READ_MODE_1 == 0 {
        return (latch >> (8 * plane)) as u8;
    }
    let compare = plane_bytes(regs.graphics.data[graphics::COLOR_COMPARE]);
    let care = plane_bytes(regs.graphics.data[graphics::COLOR_DONT_CARE]);
    let [a, b, c, d] = ((latch ^ compare) & care).to_le_bytes();
    !(a | b | c | d)
}

#[inline]
fn write_byte<B: Bitmap>(vram: &Vram<B>, routes: &Routes, latch: u32, offset: u32, value: u8) {
    let route = &routes.write;
    let Some(address) = route.part.address(offset) else {
        return;
    };
    let Some(planar) = route.planar(vram, address) else {
        return;
    };
    if route.chain_4 {
        let plane = address & 3;
        if routes.write_masks[0] >> (8 * plane) & 1 != 0 {
            vram.set_byte(planar << 2 | plane, value);
        }
        return;
    }
    let mask = routes.write_masks[address as usize & 1];
    if mask != 0 {
        let data = routes.alu.data(value, latch);
        vram.update_planes(planar, |old| (old & !mask) | (data & mask));
    }
}

/// What a write does to its value: write mode, rotation, Set/Reset, function and Bit Mask.
#[derive(Clone, Debug)]
struct Alu {
    write_mode: u8,
    rotation: u32,
    function: u8,
    set_reset: u32,
    enable_set_reset: u32,
    bit_mask: u32,
}

impl Alu {
    fn new(graphics: &GraphicsController) -> Self {
        let registers = &graphics.data;
        let data_rotate = registers[graphics::DATA_ROTATE];
        Self {
            write_mode: registers[graphics::MODE] & 3,
            rotation: u32::from(data_rotate & 7),
            function: data_rotate >> 3 & 3,
            set_reset: plane_bytes(registers[graphics::SET_RESET]),
            enable_set_reset: plane_bytes(registers[graphics::ENABLE_SET_RESET]),
            bit_mask: replicate(registers[graphics::BIT_MASK]),
        }
    }

    /// What a write of `value` puts into the four planes, before the Map Mask.
    #[inline]
    fn data(&self, value: u8, latch: u32) -> u32 {
        let rotated = replicate(value.rotate_right(self.rotation));
        let (data, bit_mask) = match self.write_mode {
            0 => {
                let enabled = self.enable_set_reset;
                let data = (rotated & !enabled) | (self.set_reset & enabled);
                (data, self.bit_mask)
            }
            1 => return latch,
            2 => (plane_bytes(value), self.bit_mask),
            _ => (self.set_reset, self.bit_mask & rotated),
        };
        let data = match self.function {
            0 => data,
            1 => data & latch,
            2 => data | latch,
            _ => data ^ latch,
        };
        (data & bit_mask) | (latch & !bit_mask)
    }
}

/// The byte in all four planes.
fn replicate(value: u8) -> u32 {
    u32::from_le_bytes([value; 4])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ByteOrder, Retrace};

    /// A chip in planar mode at 0xa0000, all planes enabled, byte addressing; and 1 MiB of VRAM.
    struct Chip {
        regs: Registers,
        vram: Vram,
    }

    impl Chip {
        fn planar() -> Self {
            let mut regs = Registers::new(1 << 20, Retrace::Dumb, ByteOrder::Little, true);
            regs.sequencer.data[sequencer::MAP_MASK] = sequencer::ALL_PLANES;
            regs.sequencer.data[sequencer::MEMORY_MODE] = sequencer::ODD_EVEN_OFF;
            regs.graphics.data[graphics::MISCELLANEOUS] = graphics::MEMORY_MAP_A0000_64K;
            regs.graphics.data[graphics::BIT_MASK] = 0xff;
            regs.crtc.data[crtc::MODE_CONTROL] = crtc::BYTE_MODE;
            Self {
                regs,
                vram: Vram::allocate(1 << 20).unwrap(),
            }
        }

        /// A text mode's set-up: odd and even addresses at 0xb8000.
        fn odd_even() -> Self {
            let mut chip = Self::planar();
            chip.regs.sequencer.data[sequencer::MAP_MASK] = 0b0011;
            chip.regs.sequencer.data[sequencer::MEMORY_MODE] = 0;
            chip.regs.graphics.data[graphics::MODE] = graphics::HOST_ODD_EVEN;
            chip.regs.graphics.data[graphics::MISCELLANEOUS] =
                graphics::MEMORY_MAP | graphics::CHAIN_ODD_EVEN;
            chip
        }

        fn graphics(&mut self, register: usize, value: u8) {
            self.regs.graphics.data[register] = value;
        }

        fn write(&mut self, offset: u32, value: u8) {
            let routes = Routes::new(&self.regs);
            write(
                self.regs.graphics.latch,
                &routes,
                &self.vram,
                offset,
                &[value],
            );
        }

        fn read(&mut self, offset: u32) -> u8 {
            let mut data = [0];
            let routes = Routes::new(&self.regs);
            read(&mut self.regs, &routes, &self.vram, offset, &mut data);
            data[0]
        }

        /// Stores four planes at planar address 0, and loads them into the latches.
        fn latch(&mut self, planes: u32) {
            self.vram.update_planes(0, |_| planes);
            self.read(0);
            assert_eq!(self.regs.graphics.latch, planes);
        }
    }

    #[test]
    fn the_memory_map_chooses_the_part_that_answers() {
        for (map, answers) in [
            (0, 0..0x2_0000),
            (1, 0..0x1_0000),
            (2, 0x1_0000..0x1_8000),
            (3, 0x1_8000..0x2_0000),
        ] {
            let mut chip = Chip::planar();
            chip.graphics(graphics::MISCELLANEOUS, map << 2);
            for offset in [0, 0xffff, 0x1_0000, 0x1_7fff, 0x1_8000, 0x1_ffff] {
                chip.write(offset, 0x42);
                let expected = if answers.contains(&offset) {
                    0x42
                } else {
                    0xff
                };
                assert_eq!(chip.read(offset), expected, "map {map}, offset {offset:#x}");
            }
        }
    }

    #[test]
    fn the_map_mask_chooses_the_planes_that_are_written() {
        let mut chip = Chip::planar();
        chip.regs.sequencer.data[sequencer::MAP_MASK] = 0b0101;
        chip.write(3, 0xab);
        assert_eq!(chip.vram.planes(3), 0x00ab_00ab);
    }

    #[test]
    fn write_mode_0_rotates_sets_and_masks() {
        let mut chip = Chip::planar();
        chip.latch(0x4433_2211);
        chip.graphics(graphics::DATA_ROTATE, 4);
        chip.graphics(graphics::SET_RESET, 0b0010);
        chip.graphics(graphics::ENABLE_SET_RESET, 0b0110);
        chip.graphics(graphics::BIT_MASK, 0x0f);
        chip.write(1, 0x5a);
        // Rotated: 0xa5. Plane 1 is set, plane 2 reset; the high nibbles come from the latches.
        assert_eq!(chip.vram.planes(1), 0x4530_2f15);
    }

    #[test]
    fn write_mode_0_combines_with_the_latches() {
        for (function, expected) in [(0, 0x0f), (1, 0x05), (2, 0x5f), (3, 0x5a)] {
            let mut chip = Chip::planar();
            chip.latch(0x5555_5555);
            chip.graphics(graphics::DATA_ROTATE, function << 3);
            chip.write(1, 0x0f);
            assert_eq!(chip.vram.byte(4), expected, "function {function}");
        }
    }

    #[test]
    fn write_mode_1_copies_the_latches() {
        let mut chip = Chip::planar();
        chip.latch(0x4433_2211);
        chip.graphics(graphics::MODE, 1);
        chip.graphics(graphics::BIT_MASK, 0);
        chip.write(7, 0xff);
        assert_eq!(
            chip.vram.planes(7),
            0x4433_2211,
            "neither the value nor the bit mask counts"
        );
    }

    #[test]
    fn write_mode_2_writes_a_colour() {
        let mut chip = Chip::planar();
        chip.latch(0);
        chip.graphics(graphics::MODE, 2);
        chip.graphics(graphics::BIT_MASK, 0x81);
        chip.write(0, 0xf9);
        assert_eq!(chip.vram.planes(0), 0x8100_0081, "colour 9: planes 0 and 3");
    }

    #[test]
    fn write_mode_3_masks_the_set_reset_colour_by_the_value() {
        let mut chip = Chip::planar();
        chip.latch(0xffff_ffff);
        chip.graphics(graphics::MODE, 3);
        chip.graphics(graphics::SET_RESET, 0b0001);
        chip.graphics(graphics::BIT_MASK, 0x3c);
        chip.graphics(graphics::DATA_ROTATE, 4);
        chip.write(0, 0xf0);
        assert_eq!(
            chip.vram.planes(0),
            0xf3f3_f3ff,
            "0xf0 rotated is 0x0f; masked, 0x0c"
        );
    }

    #[test]
    fn read_mode_0_reads_the_selected_plane() {
        let mut chip = Chip::planar();
        chip.vram.update_planes(5, |_| 0x4433_2211);
        for (plane, expected) in [(0, 0x11), (1, 0x22), (2, 0x33), (3, 0x44)] {
            chip.graphics(graphics::READ_MAP, plane);
            assert_eq!(chip.read(5), expected, "plane {plane}");
        }
    }

    #[test]
    fn read_mode_1_compares_colours() {
        let mut chip = Chip::planar();
        chip.vram.update_planes(5, |_| 0x00ff_00f0);
        chip.graphics(graphics::MODE, graphics::READ_MODE_1);
        chip.graphics(graphics::COLOR_COMPARE, 0b0101);
        chip.graphics(graphics::COLOR_DONT_CARE, 0b1111);
        assert_eq!(chip.read(5), 0xf0, "colour 5 is where plane 0 is set too");
        chip.graphics(graphics::COLOR_DONT_CARE, 0);
        assert_eq!(chip.read(5), 0xff, "no plane is looked at");
    }

    #[test]
    fn odd_and_even_addresses_reach_the_planes_of_text() {
        let mut chip = Chip::odd_even();
        chip.write(0x1_8000, b'A');
        chip.write(0x1_8001, 0x07);
        chip.write(0x1_8002, b'B');
        assert_eq!(chip.vram.planes(0), 0x0741);
        assert_eq!([chip.read(0x1_8000), chip.read(0x1_8001)], [b'A', 0x07]);
        // In byte mode the address isn't shifted: the next cell is at planar address 2.
        assert_eq!(chip.vram.planes(2), 0x42);
        chip.regs.crtc.data[crtc::MODE_CONTROL] = 0;
        assert_eq!(chip.read(0x1_8004), 0x42, "in word mode it is");
    }

    #[test]
    fn reads_take_odd_even_from_the_graphics_controller_and_writes_from_the_sequencer() {
        let mut chip = Chip::planar();
        chip.regs.crtc.data[crtc::MODE_CONTROL] = 0;
        chip.graphics(graphics::MODE, graphics::HOST_ODD_EVEN);
        chip.vram.update_planes(1, |_| 0x1111_2211);
        assert_eq!(chip.read(3), 0x22, "shifted, plane 1");
        chip.write(3, 0x55);
        assert_eq!(chip.vram.planes(3), 0x5555_5555, "not shifted, all planes");
    }

    #[test]
    fn chain_4_spreads_addresses_unless_double_words_are_on() {
        let mut chip = Chip::planar();
        chip.regs.sequencer.data[sequencer::MEMORY_MODE] =
            sequencer::CHAIN_4 | sequencer::ODD_EVEN_OFF;
        chip.regs.sequencer.data[sequencer::MAP_MASK] = 0b0111;
        chip.write(5, 0x55);
        assert_eq!(chip.vram.byte(4 * 4 + 1), 0x55);
        assert_eq!(chip.read(5), 0x55);
        chip.write(7, 0x77);
        assert_eq!(chip.read(7), 0, "plane 3 is masked");
        chip.regs.crtc.data[crtc::UNDERLINE_LOCATION] = crtc::DOUBLE_WORD;
        chip.write(5, 0x66);
        assert_eq!(chip.vram.byte(5), 0x66);
    }

    #[test]
    fn chain_4_reads_leave_the_latches_alone() {
        let mut chip = Chip::planar();
        chip.latch(0x4433_2211);
        chip.regs.sequencer.data[sequencer::MEMORY_MODE] = sequencer::CHAIN_4;
        chip.read(100);
        assert_eq!(chip.regs.graphics.latch, 0x4433_2211);
    }

    #[test]
    fn planes_behind_the_end_of_vram_read_ones_and_ignore_writes() {
        let mut chip = Chip::planar();
        chip.latch(0x4433_2211);
        chip.regs.dispi.bank_offset = 0xf_0000;
        chip.write(0, 0x55);
        assert_eq!(chip.read(0), 0xff);
        assert_eq!(chip.regs.graphics.latch, 0x4433_2211);
        let mut everything = vec![0; 1 << 20];
        chip.vram.read(0, &mut everything);
        assert_eq!(
            everything.iter().filter(|byte| **byte != 0).count(),
            4,
            "only the latched planes"
        );
    }

    #[test]
    fn plain_ram_is_linear_whatever_the_other_registers_say() {
        let mut chip = Chip::planar();
        chip.regs.window_ram = Some(WindowRam {
            offset: 0,
            len: 0x1_0000,
            vram_offset: 0x2_0000,
        });
        chip.regs.graphics.latch = 0x0bad_cafe;
        chip.write(5, 0x55);
        assert_eq!(chip.vram.byte(0x2_0005), 0x55);
        assert_eq!(chip.read(5), 0x55);
        assert_eq!(chip.regs.graphics.latch, 0x0bad_cafe);
    }
}
