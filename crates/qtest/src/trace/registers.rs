// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The registers' names and fields, as the VGA, Bochs VBE, PCI and EDID references have them.

use super::table::{
    Block, Field, Register, clear, count, decimal, hex, is, number, plain, planes, set, times,
};

/// Miscellaneous Output: ports 0x3c2 (write) and 0x3cc (read).
pub const MISCELLANEOUS_OUTPUT: Register = hex(
    "Miscellaneous Output",
    &[
        set(0x01, "colour addresses 0x3dx"),
        clear(0x01, "monochrome addresses 0x3bx"),
        set(0x02, "RAM enabled"),
        is(0x0c, 0x00, "25 MHz"),
        is(0x0c, 0x04, "28 MHz"),
        is(0x0c, 0x08, "external clock"),
        set(0x20, "high page of odd/even"),
        set(0x40, "negative horizontal sync"),
        set(0x80, "negative vertical sync"),
    ],
);

/// Feature Control: ports 0x3ba or 0x3da (write) and 0x3ca (read).
pub const FEATURE_CONTROL: Register = plain("Feature Control");

/// Input Status 0: port 0x3c2 (read).
pub const INPUT_STATUS_0: Register = plain("Input Status 0");

/// Input Status 1: ports 0x3ba or 0x3da (read).
pub const INPUT_STATUS_1: Register = hex(
    "Input Status 1",
    &[
        set(0x08, "vertical retrace"),
        set(0x01, "display off"),
        clear(0x01, "display on"),
    ],
);

/// PEL Mask: port 0x3c6.
pub const PEL_MASK: Register = plain("PEL Mask, which this card lacks");

/// DAC State: port 0x3c7 (read).
pub const DAC_STATE: Register = hex(
    "DAC State",
    &[is(0x03, 0x00, "writing"), is(0x03, 0x03, "reading")],
);

/// DAC: ports 0x3c7 (write), 0x3c8 and 0x3c9.
pub const DAC_READ_INDEX: Register = plain("DAC read index");
pub const DAC_WRITE_INDEX: Register = plain("DAC write index");
pub const DAC_DATA: Register = plain("DAC data");

/// The Attribute Controller's index, but for the number of the register.
pub const ATTRIBUTE_INDEX: Register = hex(
    "Attribute index",
    &[set(0x20, "display on"), clear(0x20, "display blank")],
);

pub const SEQUENCER: Block = Block {
    name: "Sequencer",
    digits: 2,
    registers: &[
        (
            0x00,
            hex(
                "Reset",
                &[
                    clear(0x01, "asynchronous reset"),
                    clear(0x02, "synchronous reset"),
                ],
            ),
        ),
        (
            0x01,
            hex(
                "Clocking Mode",
                &[
                    set(0x01, "8 dots a character"),
                    clear(0x01, "9 dots a character"),
                    set(0x04, "load every 2nd character"),
                    set(0x08, "dot clock halved"),
                    set(0x10, "load every 4th character"),
                    set(0x20, "screen off"),
                ],
            ),
        ),
        (0x02, hex("Map Mask", &[planes(0x0f)])),
        (
            0x03,
            hex(
                "Character Map Select",
                &[
                    times(0x03, 16, "font at {} KiB"),
                    set(0x10, "plus 8 KiB"),
                    times(0x0c, 16, "second font at {} KiB"),
                    set(0x20, "plus 8 KiB"),
                ],
            ),
        ),
        (
            0x04,
            hex(
                "Memory Mode",
                &[
                    set(0x02, "extended memory"),
                    set(0x04, "sequential"),
                    clear(0x04, "odd/even"),
                    set(0x08, "chain 4"),
                ],
            ),
        ),
        (0x05, plain("(none)")),
        (0x07, plain("Horizontal Character Counter Reset")),
    ],
};

pub const GRAPHICS: Block = Block {
    name: "Graphics",
    digits: 2,
    registers: &[
        (0x00, hex("Set/Reset", &[planes(0x0f)])),
        (0x01, hex("Enable Set/Reset", &[planes(0x0f)])),
        (0x02, hex("Color Compare", &[planes(0x0f)])),
        (
            0x03,
            hex(
                "Data Rotate",
                &[
                    number(0x07, "rotate by {}"),
                    is(0x18, 0x00, "replace"),
                    is(0x18, 0x08, "AND"),
                    is(0x18, 0x10, "OR"),
                    is(0x18, 0x18, "XOR"),
                ],
            ),
        ),
        (0x04, hex("Read Map Select", &[number(0x03, "plane {}")])),
        (
            0x05,
            hex(
                "Graphics Mode",
                &[
                    number(0x03, "write mode {}"),
                    number(0x08, "read mode {}"),
                    set(0x10, "odd/even"),
                    is(0x60, 0x20, "interleaved shift"),
                    set(0x40, "256 colours"),
                ],
            ),
        ),
        (
            0x06,
            hex(
                "Miscellaneous",
                &[
                    set(0x01, "graphics"),
                    clear(0x01, "text"),
                    set(0x02, "chain odd/even"),
                    is(0x0c, 0x00, "128 KiB at 0xa0000"),
                    is(0x0c, 0x04, "64 KiB at 0xa0000"),
                    is(0x0c, 0x08, "32 KiB at 0xb0000"),
                    is(0x0c, 0x0c, "32 KiB at 0xb8000"),
                ],
            ),
        ),
        (0x07, hex("Color Don't Care", &[planes(0x0f)])),
        (0x08, plain("Bit Mask")),
        (0x09, plain("(none)")),
    ],
};

pub const ATTRIBUTE: Block = Block {
    name: "Attribute",
    digits: 2,
    registers: &[
        (0x00, plain("Palette")),
        (
            0x10,
            hex(
                "Mode Control",
                &[
                    set(0x01, "graphics"),
                    clear(0x01, "text"),
                    set(0x02, "monochrome"),
                    set(0x04, "line graphics"),
                    set(0x08, "blink"),
                    set(0x20, "panning ends at line compare"),
                    set(0x40, "256 colours"),
                    set(0x80, "palette bits 5:4 from Color Select"),
                ],
            ),
        ),
        (0x11, plain("Overscan Color")),
        (0x12, hex("Color Plane Enable", &[planes(0x0f)])),
        (
            0x13,
            hex("Horizontal Pixel Panning", &[number(0x0f, "by {} pixels")]),
        ),
        (0x14, plain("Color Select")),
        (0x15, plain("(none)")),
    ],
};

pub const CRTC: Block = Block {
    name: "CRTC",
    digits: 2,
    registers: &[
        (0x00, plain("Horizontal Total")),
        (
            0x01,
            hex("Horizontal Display End", &[count(0xff, "{} characters")]),
        ),
        (0x02, plain("Start Horizontal Blanking")),
        (
            0x03,
            hex(
                "End Horizontal Blanking",
                &[number(0x1f, "at {}"), number(0x60, "skew {}")],
            ),
        ),
        (0x04, plain("Start Horizontal Retrace")),
        (
            0x05,
            hex(
                "End Horizontal Retrace",
                &[
                    number(0x1f, "at {}"),
                    number(0x60, "skew {}"),
                    set(0x80, "end blanking bit 5"),
                ],
            ),
        ),
        (0x06, plain("Vertical Total")),
        (
            0x07,
            hex(
                "Overflow",
                &[
                    set(0x01, "total bit 8"),
                    set(0x02, "display end bit 8"),
                    set(0x04, "start retrace bit 8"),
                    set(0x08, "start blanking bit 8"),
                    set(0x10, "line compare bit 8"),
                    set(0x20, "total bit 9"),
                    set(0x40, "display end bit 9"),
                    set(0x80, "start retrace bit 9"),
                ],
            ),
        ),
        (
            0x08,
            hex(
                "Preset Row Scan",
                &[number(0x1f, "row {}"), number(0x60, "{} bytes panning")],
            ),
        ),
        (
            0x09,
            hex(
                "Maximum Scan Line",
                &[
                    count(0x1f, "{} lines a row"),
                    set(0x20, "start blanking bit 9"),
                    set(0x40, "line compare bit 9"),
                    set(0x80, "double scan"),
                ],
            ),
        ),
        (
            0x0a,
            hex(
                "Cursor Start",
                &[number(0x1f, "line {}"), set(0x20, "cursor off")],
            ),
        ),
        (
            0x0b,
            hex(
                "Cursor End",
                &[number(0x1f, "line {}"), number(0x60, "skew {}")],
            ),
        ),
        (0x0c, plain("Start Address High")),
        (0x0d, plain("Start Address Low")),
        (0x0e, plain("Cursor Location High")),
        (0x0f, plain("Cursor Location Low")),
        (0x10, plain("Vertical Retrace Start")),
        (
            0x11,
            hex(
                "Vertical Retrace End",
                &[
                    number(0x0f, "at {}"),
                    clear(0x10, "interrupt cleared"),
                    set(0x20, "interrupt off"),
                    set(0x40, "5 refreshes a line"),
                    set(0x80, "protects 00-07"),
                ],
            ),
        ),
        (0x12, plain("Vertical Display End")),
        (
            0x13,
            hex("Offset", &[times(0xff, 8, "{} bytes of VRAM a row")]),
        ),
        (
            0x14,
            hex(
                "Underline Location",
                &[
                    number(0x1f, "line {}"),
                    set(0x20, "count by 4"),
                    set(0x40, "double words"),
                ],
            ),
        ),
        (0x15, plain("Start Vertical Blanking")),
        (0x16, plain("End Vertical Blanking")),
        (
            0x17,
            hex(
                "Mode Control",
                &[
                    clear(0x01, "row bit 0 as address bit 13"),
                    clear(0x02, "row bit 1 as address bit 14"),
                    set(0x04, "lines counted by 2"),
                    set(0x08, "count by 2"),
                    set(0x20, "word address bit 0 from bit 15"),
                    set(0x40, "bytes"),
                    clear(0x40, "words"),
                    set(0x80, "sync on"),
                    clear(0x80, "sync off"),
                ],
            ),
        ),
        (0x18, plain("Line Compare")),
        (0x19, plain("(none)")),
    ],
};

pub const DISPI: Block = Block {
    name: "DISPI",
    digits: 1,
    registers: &[
        (
            0x0,
            hex(
                "ID",
                &[
                    is(0xffff, 0xb0c0, "version 0"),
                    is(0xffff, 0xb0c1, "version 1"),
                    is(0xffff, 0xb0c2, "version 2"),
                    is(0xffff, 0xb0c3, "version 3"),
                    is(0xffff, 0xb0c4, "version 4"),
                    is(0xffff, 0xb0c5, "version 5"),
                ],
            ),
        ),
        (0x1, decimal("XRES", &[])),
        (0x2, decimal("YRES", &[])),
        (0x3, decimal("BPP", &[])),
        (
            0x4,
            hex(
                "ENABLE",
                &[
                    set(0x01, "enabled"),
                    clear(0x01, "disabled"),
                    set(0x02, "capabilities"),
                    set(0x20, "8-bit DAC"),
                    set(0x40, "linear framebuffer"),
                    set(0x80, "memory not cleared"),
                ],
            ),
        ),
        (
            0x5,
            decimal("BANK", &[times(0xffff, 64, "VRAM from {} KiB")]),
        ),
        (0x6, decimal("VIRT_WIDTH", &[])),
        (0x7, decimal("VIRT_HEIGHT", &[])),
        (0x8, decimal("X_OFFSET", &[])),
        (0x9, decimal("Y_OFFSET", &[])),
        (
            0xa,
            decimal("VIDEO_MEMORY_64K", &[times(0xffff, 64, "{} KiB")]),
        ),
        (0xb, plain("(none)")),
    ],
};

/// QEMU's extended registers: offsets from BAR2 + 0x600.
pub const EXTENDED: Block = Block {
    name: "Extended",
    digits: 1,
    registers: &[
        (0x0, plain("size")),
        (
            0x4,
            hex(
                "byte order",
                &[
                    is(u32::MAX, 0xbebe_bebe, "big-endian"),
                    is(u32::MAX, 0x1e1e_1e1e, "little-endian"),
                ],
            ),
        ),
    ],
};

/// The address register of configuration mechanism #1, but for the register's number.
pub const CONFIG_ADDRESS: Register = hex(
    "PCI address",
    &[
        clear(1 << 31, "disabled"),
        number(0x00ff_0000, "bus {}"),
        number(0x0000_f800, "device {}"),
        number(0x0000_0700, "function {}"),
    ],
);

/// A base address register's fields.
const BAR_FIELDS: &[Field] = &[
    is(u32::MAX, u32::MAX, "asks for the size"),
    is(0xf, 0x8, "prefetchable"),
];

pub const PCI: Block = Block {
    name: "PCI",
    digits: 2,
    registers: &[
        (0x00, plain("vendor ID")),
        (0x02, plain("device ID")),
        (
            0x04,
            hex(
                "COMMAND",
                &[
                    set(0x001, "I/O"),
                    set(0x002, "memory"),
                    set(0x004, "bus master"),
                    set(0x100, "SERR#"),
                    set(0x400, "interrupt off"),
                ],
            ),
        ),
        (0x06, plain("STATUS")),
        (0x08, plain("revision ID")),
        (0x09, plain("programming interface")),
        (0x0a, plain("subclass")),
        (0x0b, plain("base class")),
        (0x0c, plain("cache line size")),
        (0x0d, plain("latency timer")),
        (0x0e, plain("header type")),
        (0x0f, plain("BIST")),
        (0x10, hex("BAR0", BAR_FIELDS)),
        (0x14, hex("BAR1", BAR_FIELDS)),
        (0x18, hex("BAR2", BAR_FIELDS)),
        (0x1c, hex("BAR3", BAR_FIELDS)),
        (0x20, hex("BAR4", BAR_FIELDS)),
        (0x24, hex("BAR5", BAR_FIELDS)),
        (0x28, plain("CardBus CIS")),
        (0x2c, plain("subsystem vendor ID")),
        (0x2e, plain("subsystem ID")),
        (0x30, hex("ROM BAR", &[set(0x1, "enabled")])),
        (0x34, plain("capabilities pointer")),
        (0x35, plain("(reserved)")),
        (0x3c, plain("interrupt line")),
        (0x3d, plain("interrupt pin")),
        (0x3e, plain("minimum grant")),
        (0x3f, plain("maximum latency")),
        (0x40, plain("device-specific")),
    ],
};

/// What the bytes of the EDID blob are.
pub const EDID: Block = Block {
    name: "EDID",
    digits: 2,
    registers: &[
        (0x00, plain("header")),
        (0x08, plain("manufacturer")),
        (0x0a, plain("product code")),
        (0x0c, plain("serial number")),
        (0x10, plain("week and year")),
        (0x12, plain("version")),
        (0x14, plain("video input")),
        (0x15, plain("screen size")),
        (0x17, plain("gamma")),
        (0x18, plain("features")),
        (0x19, plain("chromaticity")),
        (0x23, plain("established timings")),
        (0x26, plain("standard timings")),
        (0x36, plain("descriptor 1")),
        (0x48, plain("descriptor 2")),
        (0x5a, plain("descriptor 3")),
        (0x6c, plain("descriptor 4")),
        (0x7e, plain("extensions")),
        (0x7f, plain("checksum")),
        (0x80, plain("CTA-861 block")),
        (0x100, plain("DisplayID block")),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCKS: [&Block; 8] = [
        &SEQUENCER, &GRAPHICS, &ATTRIBUTE, &CRTC, &DISPI, &EXTENDED, &PCI, &EDID,
    ];

    #[test]
    fn registers_are_in_the_order_of_their_numbers_from_0_on() {
        for block in BLOCKS {
            let numbers: Vec<u16> = block.registers.iter().map(|(first, _)| *first).collect();
            assert_eq!(numbers.first(), Some(&0), "{}", block.name);
            assert!(
                numbers.is_sorted_by(|a, b| a < b),
                "{}: {numbers:x?}",
                block.name
            );
        }
    }
}
