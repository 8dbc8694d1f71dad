// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The chip's registers, one file per block, and what couples the blocks.
//!
//! Registers are data. Nothing here knows buses, memory or pictures. Only this file says what a register
//! write touches.

pub(crate) mod attribute;
pub(crate) mod crtc;
pub(crate) mod dac;
pub(crate) mod dispi;
pub(crate) mod graphics;
pub(crate) mod misc;
pub(crate) mod retrace;
pub(crate) mod sequencer;
mod touched;

use attribute::AttributeController;
use crtc::Crtc;
use dac::Dac;
use dispi::Dispi;
use graphics::GraphicsController;
use misc::Misc;
use sequencer::Sequencer;
pub(crate) use touched::Touched;

use crate::config::{ByteOrder, Retrace};
use crate::mappings::WindowRam;

/// Stores `value`. Returns whether that changed anything.
#[inline]
fn replace<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}

/// Everything that a guest can program, except memory.
#[derive(Clone, Debug)]
pub(crate) struct Registers {
    pub attribute: AttributeController,
    pub crtc: Crtc,
    pub dac: Dac,
    pub dispi: Dispi,
    pub graphics: GraphicsController,
    pub misc: Misc,
    pub sequencer: Sequencer,
    /// Byte order of direct-colour pixels. A reset leaves it alone.
    pub byte_order: ByteOrder,
    /// The part of the 0xa0000 window that is plain RAM.
    ///
    /// It's state, not a function of the registers, because QEMU doesn't re-evaluate it at every write that
    /// could change it.
    pub window_ram: Option<WindowRam>,
    pub has_window: bool,
}

impl Registers {
    pub fn new(vram_len: u32, retrace: Retrace, byte_order: ByteOrder, has_window: bool) -> Self {
        Self {
            attribute: AttributeController::default(),
            crtc: Crtc::default(),
            dac: Dac::default(),
            dispi: Dispi::new(vram_len),
            graphics: GraphicsController::default(),
            misc: Misc::new(retrace),
            sequencer: Sequencer::default(),
            byte_order,
            window_ram: None,
            has_window,
        }
    }

    /// Sets all registers to their state at power-on, except the latches and the byte order.
    pub fn reset(&mut self) {
        self.attribute = AttributeController::default();
        self.crtc = Crtc::default();
        self.dac = Dac::default();
        self.dispi.reset();
        self.graphics.reset();
        self.misc.reset();
        self.sequencer = Sequencer::default();
        self.window_ram = None;
    }

    /// The Sequencer's registers as memory and display decode see them.
    #[inline]
    pub fn effective_sequencer(&self) -> &[u8; 8] {
        if self.dispi.enabled() {
            self.sequencer.vbe()
        } else {
            &self.sequencer.data
        }
    }

    #[inline(never)]
    pub fn write_misc_output(&mut self, value: u8) {
        self.misc.write_output(value);
        self.update_timing();
    }

    #[inline]
    pub fn write_attribute(&mut self, value: u8) -> Touched {
        let touched = if self.attribute.data_next {
            Touched::PICTURE
        } else {
            Touched::SHAPE
        };
        touched.when(self.attribute.write(value))
    }

    #[inline(never)]
    pub fn write_sequencer(&mut self, value: u8) -> Touched {
        let changed = self.sequencer.write_data(value);
        let touched = match usize::from(self.sequencer.index) {
            sequencer::CLOCKING_MODE => {
                self.update_timing();
                Touched::SHAPE
            }
            sequencer::CHARACTER_MAP => Touched::PICTURE,
            _ => Touched::empty(),
        };
        touched.when(changed) | self.update_window()
    }

    #[inline]
    pub fn write_dac(&mut self, value: u8) -> Touched {
        Touched::PICTURE.when(self.dac.write_data(value))
    }

    #[inline(never)]
    pub fn write_graphics(&mut self, value: u8) -> Touched {
        let before = self.graphics.read_data();
        self.graphics.write_data(value);
        self.follow_vbe();
        let touched = match usize::from(self.graphics.index) {
            graphics::MODE | graphics::MISCELLANEOUS => Touched::SHAPE,
            _ => Touched::empty(),
        };
        touched.when(self.graphics.read_data() != before) | self.update_window()
    }

    #[inline(never)]
    pub fn write_crtc(&mut self, value: u8) -> Touched {
        let before = self.crtc.read_data();
        let stored = self.crtc.write_data(value);
        let index = usize::from(self.crtc.index);
        // QEMU also recomputes the timing at Mode Control, which has nothing to do with it. That picks up
        // earlier changes to other registers.
        let shapes_timing = matches!(
            index,
            crtc::HORIZONTAL_TOTAL | crtc::HORIZONTAL_RETRACE_START
                ..=crtc::OVERFLOW | crtc::VERTICAL_RETRACE_END | crtc::MODE_CONTROL
        );
        if stored && shapes_timing {
            self.update_timing();
        }
        self.follow_vbe();
        let touched = match index {
            crtc::HORIZONTAL_DISPLAY_END
            | crtc::VERTICAL_TOTAL
            | crtc::OVERFLOW
            | crtc::MAXIMUM_SCAN_LINE
            | crtc::VERTICAL_DISPLAY_END => Touched::SHAPE,
            crtc::CURSOR_START..=crtc::CURSOR_LOCATION_LOW
            | crtc::OFFSET
            | crtc::MODE_CONTROL
            | crtc::LINE_COMPARE => Touched::PICTURE,
            _ => Touched::empty(),
        };
        touched.when(self.crtc.read_data() != before)
    }

    /// Writes the indexed DISPI register. The second value is the number of bytes to clear, from the start of
    /// VRAM.
    #[inline(never)]
    pub fn write_dispi(&mut self, value: u16) -> (Touched, u64) {
        let before = (self.dispi.enabled(), self.dispi.has_8_bit_dac());
        match self.dispi.write_data(value) {
            dispi::Write::Inert => (Touched::empty(), 0),
            dispi::Write::Bank => (self.update_window(), 0),
            dispi::Write::Mode { changed } => {
                self.follow_vbe();
                (Touched::SHAPE.when(changed), 0)
            }
            dispi::Write::Enable { cleared } => {
                self.follow_vbe();
                let changed = before != (self.dispi.enabled(), self.dispi.has_8_bit_dac());
                let touched = Touched::SHAPE.when(changed);
                (touched | self.update_window(), cleared)
            }
        }
    }

    pub fn write_byte_order(&mut self, order: ByteOrder) -> Touched {
        Touched::SHAPE.when(replace(&mut self.byte_order, order))
    }

    fn update_timing(&mut self) {
        let clocking = self.effective_sequencer()[sequencer::CLOCKING_MODE];
        self.misc
            .update_timing(&self.crtc, clocking & sequencer::DOT_CLOCK_HALF != 0);
    }

    /// While VBE is enabled, forces the VGA registers to its mode. They keep these values after VBE is
    /// disabled.
    pub fn follow_vbe(&mut self) {
        if !self.dispi.enabled() {
            return;
        }
        let mode = &self.dispi.data;
        let planar = mode[dispi::BPP] == 4;
        // `correct_mode` leaves no mode without pixels.
        let [last_character, _] = (mode[dispi::XRES] / 8).wrapping_sub(1).to_le_bytes();
        let last_line = mode[dispi::YRES].wrapping_sub(1);

        let graphics = &mut self.graphics.data;
        graphics[graphics::MISCELLANEOUS] = (graphics[graphics::MISCELLANEOUS]
            & !graphics::MEMORY_MAP)
            | graphics::MEMORY_MAP_A0000_64K
            | graphics::GRAPHICS_MODE;
        graphics[graphics::MODE] &= !graphics::SHIFT;

        let crtc = &mut self.crtc.data;
        crtc[crtc::HORIZONTAL_DISPLAY_END] = last_character;
        [crtc[crtc::VERTICAL_DISPLAY_END], _] = last_line.to_le_bytes();
        crtc[crtc::OVERFLOW] &= !(crtc::OVERFLOW_VERTICAL_END_8 | crtc::OVERFLOW_VERTICAL_END_9);
        crtc[crtc::OVERFLOW] |= crtc::OVERFLOW_LINE_COMPARE_8;
        if last_line & 0x100 != 0 {
            crtc[crtc::OVERFLOW] |= crtc::OVERFLOW_VERTICAL_END_8;
        }
        if last_line & 0x200 != 0 {
            crtc[crtc::OVERFLOW] |= crtc::OVERFLOW_VERTICAL_END_9;
        }
        crtc[crtc::MAXIMUM_SCAN_LINE] &= !(crtc::DOUBLE_SCAN | crtc::SCAN_LINES);
        crtc[crtc::MAXIMUM_SCAN_LINE] |= crtc::LINE_COMPARE_9;
        [crtc[crtc::OFFSET], ..] = (self.dispi.pitch / 8).to_le_bytes();
        crtc[crtc::MODE_CONTROL] |= crtc::NO_ROW_ADDRESSING;
        crtc[crtc::LINE_COMPARE] = 0xff;

        if !planar {
            graphics[graphics::MODE] |= graphics::SHIFT_256;
            self.sequencer.vbe_chained = true;
        }
    }

    /// Re-evaluates which part of the 0xa0000 window is plain RAM.
    #[inline]
    fn update_window(&mut self) -> Touched {
        let is_ram = if self.dispi.enabled() {
            self.sequencer.vbe_chained
        } else {
            self.sequencer.is_chained()
        };
        if !is_ram && self.window_ram.is_none() {
            return Touched::empty();
        }
        let window_ram = if is_ram { self.window_part() } else { None };
        Touched::MAPPINGS.when(replace(&mut self.window_ram, window_ram))
    }

    /// The part of the 0xa0000 window that answers, and the address of its first byte.
    pub fn window_part(&self) -> Option<WindowRam> {
        let memory_map = self.graphics.memory_map();
        self.has_window
            .then(|| WindowRam::of_memory_map(memory_map, self.dispi.bank_offset))
    }
}
