// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Names of ports, of indexed registers and of their bits, as the VGA references have them.

/// Attribute Controller: index and data in turn.
pub const ATTRIBUTE: u16 = 0x3c0;
/// Attribute Controller: data, for reading.
pub const ATTRIBUTE_READ: u16 = 0x3c1;
/// Miscellaneous Output, for writing. Reading this port reads [`INPUT_STATUS_0`].
pub const MISC_OUTPUT: u16 = 0x3c2;
pub const INPUT_STATUS_0: u16 = 0x3c2;
/// Sequencer: index; data is at the next port.
pub const SEQUENCER: u16 = 0x3c4;
pub const PEL_MASK: u16 = 0x3c6;
/// DAC: index of the entry to read. Reading this port reads [`DAC_STATE`].
pub const DAC_READ_INDEX: u16 = 0x3c7;
pub const DAC_STATE: u16 = 0x3c7;
/// DAC: index of the entry to write.
pub const DAC_WRITE_INDEX: u16 = 0x3c8;
/// DAC: red, green and blue in turn.
pub const DAC_DATA: u16 = 0x3c9;
/// Feature Control, for reading.
pub const FEATURE_CONTROL_READ: u16 = 0x3ca;
/// Miscellaneous Output, for reading.
pub const MISC_OUTPUT_READ: u16 = 0x3cc;
/// Graphics Controller: index; data is at the next port.
pub const GRAPHICS: u16 = 0x3ce;
/// CRT Controller at the colour address: index; data is at the next port.
pub const CRTC: u16 = 0x3d4;
/// CRT Controller at the monochrome address.
pub const MONO_CRTC: u16 = 0x3b4;
/// Input Status 1 at the colour address. Writing this port writes Feature Control.
pub const INPUT_STATUS_1: u16 = 0x3da;
/// Input Status 1 at the monochrome address.
pub const MONO_INPUT_STATUS_1: u16 = 0x3ba;
/// DISPI: index.
pub const DISPI_INDEX: u16 = 0x1ce;
/// DISPI: data at an unaligned address, on x86 machines.
pub const DISPI_DATA_X86: u16 = 0x1cf;
/// DISPI: data.
pub const DISPI_DATA: u16 = 0x1d0;

/// Miscellaneous Output: CRTC, Input Status 1 and Feature Control are at 0x3dx, not 0x3bx.
pub const COLOR_ADDRESSES: u8 = 0x01;
/// Attribute Controller index: the palette feeds the display.
pub const PALETTE_ADDRESS_SOURCE: u8 = 0x20;

// Attribute Controller, behind the 16 palette registers.
pub const ATTRIBUTE_MODE_CONTROL: u8 = 0x10;
pub const COLOR_PLANE_ENABLE: u8 = 0x12;
pub const PIXEL_PANNING: u8 = 0x13;
pub const COLOR_SELECT: u8 = 0x14;

/// Attribute Mode Control: line graphics characters go on in their ninth dot.
pub const LINE_GRAPHICS: u8 = 0x04;
/// Attribute Mode Control: attribute bit 7 blinks.
pub const BLINK: u8 = 0x08;
/// Attribute Mode Control: the lower part of a split screen isn't panned.
pub const PANNING_RESET: u8 = 0x20;
/// Attribute Mode Control: bits 5:4 of colours come from Color Select, too.
pub const COLOR_SELECT_5_4: u8 = 0x80;

// Sequencer.
pub const SEQUENCER_RESET: u8 = 0x00;
pub const CLOCKING_MODE: u8 = 0x01;
pub const MAP_MASK: u8 = 0x02;
pub const CHARACTER_MAP_SELECT: u8 = 0x03;
pub const MEMORY_MODE: u8 = 0x04;

/// Clocking Mode: cells of 8 dots, not 9.
pub const EIGHT_DOTS: u8 = 0x01;
/// Clocking Mode: each dot is as wide as two.
pub const DOT_CLOCK_HALF: u8 = 0x08;
/// Map Mask.
pub const ALL_PLANES: u8 = 0x0f;
/// Memory Mode: there are 256 KiB, and not 64. The device takes no notice.
pub const EXTENDED_MEMORY: u8 = 0x02;
/// Memory Mode: addresses aren't spread over odd and even planes.
pub const ODD_EVEN_OFF: u8 = 0x04;
/// Memory Mode: the low two bits of an address select the plane.
pub const CHAIN_4: u8 = 0x08;

// Graphics Controller.
pub const SET_RESET: u8 = 0x00;
pub const ENABLE_SET_RESET: u8 = 0x01;
pub const COLOR_COMPARE: u8 = 0x02;
pub const DATA_ROTATE: u8 = 0x03;
pub const READ_MAP: u8 = 0x04;
pub const GRAPHICS_MODE: u8 = 0x05;
pub const MISCELLANEOUS: u8 = 0x06;
pub const COLOR_DONT_CARE: u8 = 0x07;
pub const BIT_MASK: u8 = 0x08;

/// Graphics Mode: reads compare colours.
pub const READ_MODE_1: u8 = 0x08;
/// Graphics Mode: pixels of two bits, as CGA has them.
pub const SHIFT_CGA: u8 = 0x20;
/// Graphics Mode: pixels of eight bits.
pub const SHIFT_256: u8 = 0x40;
/// Graphics Mode: bit 0 of an address selects the plane that is read.
pub const HOST_ODD_EVEN: u8 = 0x10;
/// Miscellaneous: bit 0 of an address doesn't reach memory.
pub const CHAIN_ODD_EVEN: u8 = 0x02;
/// Miscellaneous: text, with 32 KiB at 0xb8000 and [`CHAIN_ODD_EVEN`].
pub const TEXT_B8000_32K: u8 = 0x0e;
/// Miscellaneous: graphics, with 128 KiB at 0xa0000.
pub const MAP_A0000_128K: u8 = 0x01;
/// Miscellaneous: graphics, with 64 KiB at 0xa0000.
pub const MAP_A0000_64K: u8 = 0x05;
/// Miscellaneous: graphics, with 32 KiB at 0xb0000.
pub const MAP_B0000_32K: u8 = 0x09;
/// Miscellaneous: graphics, with 32 KiB at 0xb8000.
pub const MAP_B8000_32K: u8 = 0x0d;

// CRT Controller.
pub const HORIZONTAL_TOTAL: u8 = 0x00;
pub const HORIZONTAL_DISPLAY_END: u8 = 0x01;
pub const HORIZONTAL_RETRACE_START: u8 = 0x04;
pub const HORIZONTAL_RETRACE_END: u8 = 0x05;
pub const VERTICAL_TOTAL: u8 = 0x06;
pub const OVERFLOW: u8 = 0x07;
pub const PRESET_ROW_SCAN: u8 = 0x08;
pub const MAXIMUM_SCAN_LINE: u8 = 0x09;
pub const CURSOR_START: u8 = 0x0a;
pub const CURSOR_END: u8 = 0x0b;
pub const START_ADDRESS_HIGH: u8 = 0x0c;
pub const START_ADDRESS_LOW: u8 = 0x0d;
pub const CURSOR_LOCATION_HIGH: u8 = 0x0e;
pub const CURSOR_LOCATION_LOW: u8 = 0x0f;
pub const VERTICAL_RETRACE_START: u8 = 0x10;
pub const VERTICAL_RETRACE_END: u8 = 0x11;
pub const VERTICAL_DISPLAY_END: u8 = 0x12;
pub const OFFSET: u8 = 0x13;
pub const UNDERLINE_LOCATION: u8 = 0x14;
pub const VERTICAL_BLANK_START: u8 = 0x15;
pub const VERTICAL_BLANK_END: u8 = 0x16;
pub const MODE_CONTROL: u8 = 0x17;
pub const LINE_COMPARE: u8 = 0x18;

/// Vertical Retrace End: registers 0 to 7 are write-protected.
pub const CRTC_PROTECT: u8 = 0x80;
/// Underline Location: addresses of the CPU lose two bits.
pub const DOUBLE_WORD: u8 = 0x40;
/// Maximum Scan Line: each row is shown twice.
pub const DOUBLE_SCAN: u8 = 0x80;
/// Mode Control: addresses of the CPU don't lose a bit.
pub const BYTE_MODE: u8 = 0x40;

// DISPI.
pub const ID: u16 = 0x0;
pub const XRES: u16 = 0x1;
pub const YRES: u16 = 0x2;
pub const BPP: u16 = 0x3;
pub const ENABLE: u16 = 0x4;
pub const BANK: u16 = 0x5;
pub const VIRT_WIDTH: u16 = 0x6;
pub const VIRT_HEIGHT: u16 = 0x7;
pub const X_OFFSET: u16 = 0x8;
pub const Y_OFFSET: u16 = 0x9;
pub const VIDEO_MEMORY_64K: u16 = 0xa;

/// DISPI ENABLE: on, linear framebuffer.
pub const ENABLED: u16 = 0x41;
/// DISPI ENABLE: linear framebuffer, of which the device takes no notice.
pub const LINEAR_FRAMEBUFFER: u16 = 0x40;
/// DISPI ENABLE: XRES, YRES and BPP read as their maxima.
pub const GETCAPS: u16 = 0x02;
/// DISPI ENABLE: eight bits a colour component.
pub const DAC_8BIT: u16 = 0x20;
/// DISPI ENABLE: leave VRAM as it is.
pub const NO_CLEAR: u16 = 0x80;

// BAR2.

/// Where a port of 0x3c0-0x3df is in BAR2.
pub const fn bar2_port(port: u16) -> u64 {
    0x400 + (port - 0x3c0) as u64
}

/// Where a DISPI register is in BAR2.
pub const fn bar2_dispi(register: u16) -> u64 {
    0x500 + 2 * register as u64
}

/// Length of the extended registers' block.
pub const EXTENDED_SIZE: u64 = 0x600;
/// Byte order of the framebuffer: a pattern that reads [`BIG_ENDIAN`] or [`LITTLE_ENDIAN`].
pub const EXTENDED_BYTE_ORDER: u64 = 0x604;
pub const BIG_ENDIAN: u32 = 0xbebe_bebe;
pub const LITTLE_ENDIAN: u32 = 0x1e1e_1e1e;

// PCI configuration space.
pub const COMMAND: u16 = 0x04;
pub const REVISION_ID: u16 = 0x08;
pub const CACHE_LINE_SIZE: u16 = 0x0c;
pub const LATENCY_TIMER: u16 = 0x0d;
pub const BAR0: u16 = 0x10;
pub const BAR2: u16 = 0x18;
pub const ROM_BAR: u16 = 0x30;
pub const INTERRUPT_LINE: u16 = 0x3c;
pub const INTERRUPT_PIN: u16 = 0x3d;

/// COMMAND: memory is decoded.
pub const COMMAND_MEMORY: u16 = 0x0002;
