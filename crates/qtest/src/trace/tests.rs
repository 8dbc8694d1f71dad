// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the comments say.

use rand::prelude::*;

use crate::command::Session;
use crate::machine::tests::machine;

/// A session whose lines are commented, with BAR0 at 0xfd000000 and BAR2 at 0xfe000000.
fn session(device: &str) -> Session {
    let mut session = Session::new(machine(&["--device", device]), true);
    for line in [
        "outl 0xcf8 0x80001010",
        "outl 0xcfc 0xfd000000",
        "outl 0xcf8 0x80001018",
        "outl 0xcfc 0xfe000000",
        "outl 0xcf8 0x80001004",
        "outw 0xcfc 2",
    ] {
        say(&mut session, line);
    }
    session
}

/// Puts a line to a session. The reply, and what the trace says.
fn say(session: &mut Session, line: &str) -> (String, String) {
    let (mut reply, mut trace) = (Vec::new(), Vec::new());
    let answered = session.answer(line.as_bytes(), &mut reply, &mut trace);
    answered.expect("memory takes all answers");
    let [reply, trace] = [reply, trace].map(|text| String::from_utf8(text).expect("text"));
    (reply, trace)
}

/// Puts lines to one session, and compares the comments on them.
fn check(conversation: &[(&str, &str)]) {
    let mut session = session("VGA");
    for (line, comment) in conversation {
        let (_, trace) = say(&mut session, line);
        assert_eq!(trace, format!("{line}   # {comment}\n"));
    }
}

#[test]
fn indexed_registers_are_named_by_the_index_written_last() {
    check(&[
        ("outb 0x3c4 0xfa", "Sequencer index = fa: Map Mask"),
        ("inb 0x3c4", "= 0x02: Sequencer index: Map Mask"),
        ("outb 0x3c5 0x05", "Sequencer 02 Map Mask = 05: planes 0 2"),
        ("inb 0x3c5", "= 0x05: Sequencer 02 Map Mask: planes 0 2"),
        ("outb 0x3ce 8", "Graphics index = 08: Bit Mask"),
        ("outb 0x3cf 0xf0", "Graphics 08 Bit Mask = f0"),
        ("outb 0x3b4 0x13", "CRTC index = 13: Offset"),
        (
            "outb 0x3b5 40",
            "CRTC 13 Offset = 28: 320 bytes of VRAM a row",
        ),
        ("outb 0x3b4 0x19", "CRTC index = 19: (none)"),
    ]);
}

#[test]
fn a_word_at_an_index_port_is_told_as_the_register() {
    check(&[
        (
            "outw 0x3c4 0x0f02",
            "Sequencer 02 Map Mask = 0f: planes 0-3",
        ),
        ("inw 0x3c4", "= 0x0f02: Sequencer 02 Map Mask: planes 0-3"),
        (
            "outw 0x3ce 0x4005",
            "Graphics 05 Graphics Mode = 40: write mode 0, read mode 0, 256 colours",
        ),
        (
            "outw 0x3ce 0x1003",
            "Graphics 03 Data Rotate = 10: rotate by 0, OR",
        ),
        ("outw 0x3b4 0x0e0a", "CRTC 0a Cursor Start = 0e: line 14"),
        (
            "outw 0x3b4 0x4f01",
            "CRTC 01 Horizontal Display End = 4f: 80 characters",
        ),
        (
            "outw 0x3c4 0x1603",
            "Sequencer 03 Character Map Select = 16: font at 32 KiB, plus 8 KiB, second font at 16 KiB",
        ),
    ]);
}

#[test]
fn a_word_at_other_ports_is_two_registers() {
    check(&[
        (
            "inw 0x3c7",
            "= 0x0000: DAC State = 00: writing; DAC write index = 00",
        ),
        (
            "outw 0x3cf 0x0106",
            "Graphics 00 Set/Reset = 06: planes 1 2",
        ),
    ]);
}

#[test]
fn miscellaneous_output_decides_which_addresses_answer() {
    let void = "void: Miscellaneous Output selects the other addresses";
    check(&[
        ("outb 0x3d4 1", void),
        ("inb 0x3da", &format!("= 0xff: {void}")),
        (
            "outb 0x3c2 0x63",
            "Miscellaneous Output = 63: colour addresses 0x3dx, RAM enabled, 25 MHz, \
             high page of odd/even, negative horizontal sync",
        ),
        ("outb 0x3b4 1", void),
        ("outb 0x3d4 1", "CRTC index = 01: Horizontal Display End"),
    ]);
}

#[test]
fn status_and_feature_registers_have_names() {
    check(&[
        (
            "inb 0x3ba",
            "= 0x09: Input Status 1: vertical retrace, display off",
        ),
        ("inb 0x3ba", "= 0x00: Input Status 1: display on"),
        ("outb 0x3ba 0x10", "Feature Control = 10"),
        ("inb 0x3ca", "= 0x10: Feature Control"),
        ("inb 0x3c2", "= 0x00: Input Status 0"),
        (
            "inb 0x3cc",
            "= 0x00: Miscellaneous Output: monochrome addresses 0x3bx, 25 MHz",
        ),
        ("inb 0x3c6", "= 0x00: PEL Mask, which this card lacks"),
        ("inb 0x3c3", "= 0x00: void: nothing to read here"),
        ("outb 0x3cc 1", "void: nothing to write here"),
    ]);
}

#[test]
fn the_attribute_flip_flop_is_followed() {
    check(&[
        (
            "outb 0x3c0 0x13",
            "Attribute index = 13: display blank, Horizontal Pixel Panning",
        ),
        ("inb 0x3c0", "= 0x00: void: data is expected next"),
        (
            "outb 0x3c0 3",
            "Attribute 13 Horizontal Pixel Panning = 03: by 3 pixels",
        ),
        (
            "inb 0x3c1",
            "= 0x03: Attribute 13 Horizontal Pixel Panning: by 3 pixels",
        ),
        (
            "outb 0x3c0 5",
            "Attribute index = 05: display blank, Palette",
        ),
        (
            "inb 0x3ba",
            "= 0x09: Input Status 1: vertical retrace, display off",
        ),
        (
            "outb 0x3c0 0x25",
            "Attribute index = 25: display on, Palette",
        ),
        ("outb 0x3c0 0x14", "Attribute 05 Palette = 14"),
    ]);
}

#[test]
fn the_dacs_components_are_counted() {
    check(&[
        ("outb 0x3c8 0xff", "DAC write index = ff"),
        ("outb 0x3c9 1", "DAC ff red = 01"),
        ("outb 0x3c9 2", "DAC ff green = 02"),
        ("outb 0x3c9 3", "DAC ff blue = 03"),
        ("outb 0x3c9 4", "DAC 00 red = 04"),
        ("outb 0x3c7 0xff", "DAC read index = ff"),
        ("inb 0x3c7", "= 0x03: DAC State: reading"),
        ("inb 0x3c9", "= 0x01: DAC ff red"),
    ]);
}

#[test]
fn dispi_takes_words() {
    let void = "void: DISPI ports take words";
    check(&[
        ("outw 0x1ce 1", "DISPI index = 01: XRES"),
        ("outw 0x1d0 0x0280", "DISPI 1 XRES = 640"),
        ("inw 0x1cf", "= 0x0280: DISPI 1 XRES = 640"),
        ("outb 0x1d0 1", void),
        ("inb 0x1ce", &format!("= 0xff: {void}")),
        ("outl 0x1ce 4", void),
        ("inw 0x1d1", "= 0xffff: void: DISPI data is at 0x1d0"),
        ("outw 0x1ce 4", "DISPI index = 04: ENABLE"),
        (
            "outw 0x1d0 0xe1",
            "DISPI 4 ENABLE = 00e1: enabled, 8-bit DAC, linear framebuffer, memory not cleared",
        ),
        ("outw 0x1ce 0", "DISPI index = 00: ID"),
        ("inw 0x1d0", "= 0xb0c5: DISPI 0 ID: version 5"),
        ("outw 0x1ce 10", "DISPI index = 0a: VIDEO_MEMORY_64K"),
        (
            "inw 0x1d0",
            "= 0x0100: DISPI a VIDEO_MEMORY_64K = 256: 16384 KiB",
        ),
        ("outw 0x1ce 0x1234", "DISPI index = 1234: (none)"),
    ]);
}

#[test]
fn a_dword_at_the_ports_is_void_unless_it_starts_before_them() {
    check(&[
        ("outl 0x3c4 0x0f02", "void: a dword at byte ports"),
        (
            "inl 0x3b2",
            "= 0x0000ffff: nothing answers; CRTC 00 Horizontal Total = 00",
        ),
        (
            "inw 0x3b3",
            "= 0x00ff: nothing answers; CRTC index = 00: Horizontal Total",
        ),
        ("inw 0x3b5", "= 0xff00: CRTC 00 Horizontal Total"),
        ("inb 0x60", "= 0xff: nothing answers"),
    ]);
}

#[test]
fn bar2_reaches_the_same_registers() {
    check(&[
        (
            "writew 0xfe000404 0x0f02",
            "BAR2: Sequencer 02 Map Mask = 0f: planes 0-3",
        ),
        ("inb 0x3c5", "= 0x0f: Sequencer 02 Map Mask: planes 0-3"),
        (
            "writeb 0xfe000402 1",
            "BAR2: Miscellaneous Output = 01: colour addresses 0x3dx, 25 MHz",
        ),
        (
            "writeb 0xfe000414 0x0c",
            "BAR2: CRTC index = 0c: Start Address High",
        ),
        ("writew 0xfe000502 0x0280", "BAR2: DISPI 1 XRES = 640"),
        (
            "writel 0xfe000504 0x002001e0",
            "BAR2: DISPI 2 YRES = 480; DISPI 3 BPP = 32",
        ),
        ("inw 0x1ce", "= 0x0003: DISPI index: BPP"),
        ("readb 0xfe000501", "= 0xc5: BAR2: DISPI 0 ID"),
        (
            "writel 0xfe000604 0xbebebebe",
            "BAR2: Extended 4 byte order = bebebebe: big-endian",
        ),
        (
            "readw 0xfe000604",
            "= 0x0000: BAR2: void: extended registers take dwords",
        ),
        ("readb 0xfe000300", "= 0xff: BAR2: a hole"),
    ]);
}

#[test]
fn edid_bytes_are_named_by_what_they_are_of() {
    check(&[
        (
            "readq 0xfe000000",
            "= 0x00ffffffffffff00: BAR2: EDID + 0x0: header",
        ),
        ("readb 0xfe000012", "= 0x01: BAR2: EDID + 0x12: version"),
        (
            "read 0xfe000080 256",
            "BAR2: EDID + 0x80 to 0x17f: CTA-861 block to DisplayID block",
        ),
        (
            "writeb 0xfe000036 1",
            "BAR2: EDID + 0x36: descriptor 1; void: read-only",
        ),
    ]);
}

#[test]
fn configuration_space_is_told_register_by_register() {
    check(&[
        (
            "outl 0xcf8 0x80001010",
            "PCI address = 80001010: bus 0, device 2, function 0, 10 BAR0",
        ),
        (
            "outl 0xcfc 0xffffffff",
            "PCI 10 BAR0 = ffffffff: asks for the size",
        ),
        ("inl 0xcfc", "= 0xff000008: PCI 10 BAR0: prefetchable"),
        (
            "inl 0xcf8",
            "= 0x80001010: PCI address: bus 0, device 2, function 0, 10 BAR0",
        ),
        (
            "outl 0xcf8 0x80001030",
            "PCI address = 80001030: bus 0, device 2, function 0, 30 ROM BAR",
        ),
        (
            "outl 0xcfc 0xfc000001",
            "PCI 30 ROM BAR = fc000001: enabled",
        ),
        (
            "outl 0xcf8 0x80001004",
            "PCI address = 80001004: bus 0, device 2, function 0, 04 COMMAND",
        ),
        (
            "inl 0xcfc",
            "= 0x00000002: PCI 04 COMMAND = 0002: memory; PCI 06 STATUS = 0000",
        ),
        (
            "outb 0xcfc 7",
            "PCI 04 COMMAND = 07: I/O, memory, bus master",
        ),
        ("outb 0xcfd 4", "PCI 05 COMMAND = 04: interrupt off"),
        ("outw 0xcf8 0", "void: only a dword sets the PCI address"),
        (
            "outl 0xcf8 0x1840",
            "PCI address = 00001840: disabled, bus 0, device 3, function 0, 40 device-specific",
        ),
        ("inl 0xcfc", "= 0xffffffff: nothing answers"),
    ]);
}

#[test]
fn memory_is_told_by_what_is_there() {
    check(&[
        ("writeb 0xa0000 0x12", "window + 0x0"),
        ("readw 0xb8000", "= 0x0000: window + 0x18000"),
        ("writel 0xfd001234 1", "VRAM + 0x1234"),
        ("readl 0x1000", "= 0x00000000: nothing answers"),
        ("memset 0xfd000000 0x100000 0x5a", "VRAM + 0x0 to 0xfffff"),
        ("read 0xfdfffffe 4", "VRAM + 0xfffffe; EDID + 0x0: header"),
    ]);
}

#[test]
fn the_windows_ram_is_told_by_the_vram_it_shows() {
    check(&[
        (
            "outw 0x3ce 0x0506",
            "Graphics 06 Miscellaneous = 05: graphics, 64 KiB at 0xa0000",
        ),
        (
            "outw 0x3c4 0x0e04",
            "Sequencer 04 Memory Mode = 0e: extended memory, sequential, chain 4",
        ),
        (
            "outw 0x3c4 0x0f02",
            "Sequencer 02 Map Mask = 0f: planes 0-3",
        ),
        ("outw 0x1ce 5", "DISPI index = 05: BANK"),
        ("outw 0x1d0 3", "DISPI 5 BANK = 3: VRAM from 192 KiB"),
        ("writeb 0xa0010 1", "window, VRAM + 0x30010"),
        ("readb 0xb0010", "= 0xff: window + 0x10010"),
    ]);
}

#[test]
fn the_rom_is_read_only() {
    check(&[
        (
            "outl 0xcf8 0x80001030",
            "PCI address = 80001030: bus 0, device 2, function 0, 30 ROM BAR",
        ),
        (
            "outl 0xcfc 0xfc000001",
            "PCI 30 ROM BAR = fc000001: enabled",
        ),
        ("writeb 0xfc000010 0", "ROM + 0x10; void: read-only"),
        ("read 0xfc000000 65536", "ROM + 0x0 to 0xffff"),
    ]);
}

#[test]
fn what_is_no_access_is_told_too() {
    check(&[
        ("clock_step 5", "now 5 ns"),
        ("outb 0x3c4 2", "Sequencer index = 02: Map Mask"),
        (
            "system_reset",
            "the registers are as at power-on, memory stays",
        ),
        (
            "inb 0x3c5",
            "= 0x00: Sequencer 00 Reset: asynchronous reset, synchronous reset",
        ),
        ("screendump /dev/null", "blank; a picture of 640x480"),
        ("inb", "FAIL the address is missing"),
    ]);
}

#[test]
fn a_comment_has_an_end() {
    let mut session = session("VGA");
    let (_, trace) = say(&mut session, "read 0xfe000000 4096");
    assert!(trace.ends_with("; ...\n") && trace.len() < 500, "{trace}");
}

#[test]
fn secondary_vga_has_no_ports_to_tell_of() {
    let mut session = session("secondary-vga");
    let (_, trace) = say(&mut session, "outb 0x3c4 2");
    assert_eq!(trace, "outb 0x3c4 2   # nothing answers\n");
}

/// The number that a line reads.
fn ask(session: &mut Session, line: &str) -> u64 {
    let (reply, _) = say(session, line);
    let digits = reply.trim_end().strip_prefix("OK 0x");
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.unwrap_or_else(|| panic!("{line}: {reply}"))
}

#[track_caller]
fn check_name(session: &mut Session, line: &str, name: &str) {
    let (_, trace) = say(session, line);
    assert!(trace.contains(name), "{name}isn't in {trace}");
}

/// A random access to the ports, or to BAR2.
fn random_access(rng: &mut SmallRng) -> String {
    let address = match rng.random_range(0..4) {
        0 => rng.random_range(0x3b0..0x3e0),
        1 => rng.random_range(0x1cd..0x1d2),
        2 => rng.random_range(0xfe00_0400_u32..0xfe00_0420),
        _ => rng.random_range(0xfe00_0500..0xfe00_0516),
    };
    let is_port = address <= 0xffff;
    let value: u32 = rng.random();
    let width = ["b", "w", "l"][rng.random_range(0..3)];
    match (is_port, rng.random()) {
        (true, true) => format!("in{width} {address:#x}"),
        (true, false) => format!("out{width} {address:#x} {value:#x}"),
        (false, true) => format!("read{width} {address:#x}"),
        (false, false) => format!("write{width} {address:#x} {value:#x}"),
    }
}

#[test]
fn names_keep_up_with_the_device_whatever_is_accessed() {
    let mut rng = SmallRng::seed_from_u64(7);
    let mut session = session("VGA");
    let session = &mut session;
    for _ in 0..2000 {
        for _ in 0..rng.random_range(1..8) {
            say(session, &random_access(&mut rng));
        }
        for (index, data, block) in [
            (0x3c4, 0x3c5, "Sequencer"),
            (0x3ce, 0x3cf, "Graphics"),
            (0x3c8, 0x3c9, "DAC"),
        ] {
            let number = ask(session, &format!("inb {index:#x}"));
            check_name(
                session,
                &format!("outb {data:#x} 0"),
                &format!("{block} {number:02x} "),
            );
        }
        let number = ask(session, "inw 0x1ce");
        check_name(session, "inw 0x1d0", &format!("DISPI {number:x} "));

        let (_, trace) = say(session, "inb 0x3c0");
        let value = ask(session, "inb 0x3c0");
        assert!(
            value == 0 || !trace.contains("data is expected"),
            "{value:#x}: {trace}"
        );

        let color = ask(session, "inb 0x3cc") & 1 != 0;
        let (crtc, status) = if color {
            (0x3d4, 0x3da)
        } else {
            (0x3b4, 0x3ba)
        };
        let number = ask(session, &format!("inb {crtc:#x}"));
        check_name(
            session,
            &format!("inb {:#x}", crtc + 1),
            &format!("CRTC {number:02x} "),
        );
        check_name(session, &format!("inb {status:#x}"), "Input Status 1");
        let number = ask(session, "inb 0x3c0") & 0x1f;
        check_name(session, "inb 0x3c1", &format!("Attribute {number:02x} "));
    }
}
