// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The protocol, line by line.

use super::*;
use crate::machine::tests::machine;

/// A session with the plainest machine: VRAM is at 0xe0000000 at once, and stays there.
fn session() -> Session {
    Session::new(
        machine(&["--machine", "isapc", "--device", "isa-vga"]),
        false,
    )
}

fn reply(session: &mut Session, line: impl AsRef<[u8]>) -> String {
    let (mut reply, mut trace) = (Vec::new(), Vec::new());
    let answered = session.answer(line.as_ref(), &mut reply, &mut trace);
    answered.expect("memory takes all answers");
    String::from_utf8(reply).expect("a reply that is text")
}

/// Puts lines to one session, and compares its replies.
fn check(conversation: &[(&str, &str)]) {
    let mut session = session();
    for (line, expected) in conversation {
        assert_eq!(reply(&mut session, line), format!("{expected}\n"), "{line}");
    }
}

#[test]
fn port_accesses_reply_with_at_least_four_digits() {
    check(&[
        ("outb 0x3c4 2", "OK"),
        ("inb 0x3c4", "OK 0x0002"),
        ("outw 0x3c4 0x0f02", "OK"),
        ("inw 0x3c4", "OK 0x0f02"),
        ("outl 0x3c4 0", "OK"),
        ("inl 0x3c4", "OK 0xffffffff"),
    ]);
}

#[test]
fn memory_accesses_reply_with_sixteen_digits() {
    check(&[
        ("writeq 0xe0000000 0x1122334455667788", "OK"),
        ("readq 0xe0000000", "OK 0x1122334455667788"),
        ("writel 0xe0000000 0xa1a2a3a4", "OK"),
        ("readl 0xe0000000", "OK 0x00000000a1a2a3a4"),
        ("writew 0xe0000000 0xb1b2", "OK"),
        ("readw 0xe0000000", "OK 0x000000000000b1b2"),
        ("writeb 0xe0000000 0xc1", "OK"),
        ("readb 0xe0000000", "OK 0x00000000000000c1"),
        ("readq 0xe0000000", "OK 0x11223344a1a2b1c1"),
    ]);
}

#[test]
fn ranges_are_hexadecimal_bytes_in_ascending_order() {
    check(&[
        ("memset 0xe0000000 6 0xEE", "OK"),
        ("write 0xe0000001 3 0x01aBff", "OK"),
        ("read 0xe0000000 6", "OK 0xee01abffeeee"),
    ]);
}

#[test]
fn data_that_is_missing_is_zero_and_data_that_is_left_over_is_dropped() {
    check(&[
        ("memset 0xe0000000 6 0xee", "OK"),
        ("write 0xe0000000 3 0x01", "OK"),
        ("write 0xe0000004 1 0x0203", "OK"),
        ("read 0xe0000000 6", "OK 0x010000ee02ee"),
        ("write 0xe0000000 6 0x", "OK"),
        ("read 0xe0000000 6", "OK 0x000000000000"),
    ]);
}

#[test]
fn a_range_may_be_longer_than_the_pieces_it_goes_in() {
    let mut session = session();
    let size = 3 * PIECE_BYTES + 1;
    assert_eq!(
        reply(&mut session, format!("memset 0xe0000001 {size} 0xab")),
        "OK\n"
    );
    let expected = format!("OK 0x00{}00\n", "ab".repeat(size));
    let found = reply(&mut session, format!("read 0xe0000000 {}", size + 2));
    assert!(
        found == expected,
        "{size} bytes of 0xab between two zeros, not {found:.40}..."
    );
}

#[test]
fn numbers_are_decimal_or_hexadecimal() {
    check(&[
        ("outb 964 10", "OK"),
        ("inb 0x3C4", "OK 0x0002"),
        ("outb 0x003c5 007", "OK"),
        ("inb 0x3c5", "OK 0x0007"),
    ]);
}

#[test]
fn values_are_cut_to_the_accesss_width() {
    check(&[
        ("outb 0x3c4 0x102", "OK"),
        ("inb 0x3c4", "OK 0x0002"),
        ("outw 0x3c4 0xffff0304", "OK"),
        ("inw 0x3c4", "OK 0x0204"),
        ("writel 0xe0000000 0xffffffff00000001", "OK"),
        ("writeb 0xe0000002 0x1ee", "OK"),
        ("memset 0xe0000004 1 0xfff77", "OK"),
        ("readq 0xe0000000", "OK 0x0000007700ee0001"),
    ]);
}

#[test]
fn the_clock_moves_only_when_it_is_stepped() {
    check(&[
        ("clock_step 1000", "OK 1000"),
        ("inb 0x3da", "OK 0x00ff"),
        ("clock_step 0", "OK 1000"),
        ("clock_step 5", "OK 1005"),
        ("clock_step 0xffffffffffffffff", "OK 18446744073709551615"),
    ]);
}

#[test]
fn a_reset_clears_registers_but_not_memory() {
    check(&[
        ("outw 0x3c4 0x0f02", "OK"),
        ("writeb 0xe0000000 0x77", "OK"),
        ("system_reset", "OK"),
        ("inw 0x3c4", "OK 0x0000"),
        ("readb 0xe0000000", "OK 0x0000000000000077"),
    ]);
}

#[test]
fn what_follows_a_space_and_a_hash_is_a_comment() {
    check(&[
        ("outb 0x3c4 2 # Sequencer index", "OK"),
        ("inb 0x3c4   #", "OK 0x0002"),
        ("inb 0x3c4#", "FAIL '0x3c4#' isn't a 64-bit number"),
        (" # nothing but a comment", "FAIL the line is empty"),
        ("#", "FAIL unknown command '#'"),
    ]);
    assert_eq!(reply(&mut session(), b"inb 0x3c4 # \xff"), "OK 0x0000\n");
}

#[test]
fn a_carriage_return_at_the_end_does_no_harm() {
    check(&[("inb 0x3c4\r", "OK 0x0000"), ("system_reset \r", "OK")]);
}

#[test]
fn what_is_no_command_fails_and_says_why() {
    let no_number = "isn't a 64-bit number";
    let missing = |what: &str| format!("the {what} is missing");
    let mut session = session();
    for (line, reason) in [
        ("", "the line is empty".to_owned()),
        ("out 0x3c4 2", "unknown command 'out'".to_owned()),
        ("inq 0x3c4", "unknown command 'inq'".to_owned()),
        ("INB 0x3c4", "unknown command 'INB'".to_owned()),
        ("b", "unknown command 'b'".to_owned()),
        ("é", "unknown command 'é'".to_owned()),
        ("inb", missing("address")),
        (
            "inb 0x3c4 2",
            "there's '2' behind the command's end".to_owned(),
        ),
        ("inb  0x3c4", format!("'' {no_number}")),
        ("inb 0x10000", "there's no port 0x10000".to_owned()),
        ("inb 0x", format!("'0x' {no_number}")),
        ("inb -1", format!("'-1' {no_number}")),
        ("inb +1", format!("'+1' {no_number}")),
        ("inb 3c4", format!("'3c4' {no_number}")),
        ("outb 0x3c4", missing("value")),
        ("outb 0x3c4 two", format!("'two' {no_number}")),
        (
            "outb 0x3c4 2 3",
            "there's '3' behind the command's end".to_owned(),
        ),
        (
            "readb 18446744073709551616",
            format!("'18446744073709551616' {no_number}"),
        ),
        ("read 0xe0000000", missing("size")),
        (
            "read 0xe0000000 0",
            "a size of 0: 1 to 1073741824 bytes are allowed".to_owned(),
        ),
        (
            "memset 0xe0000000 0x40000001 0",
            "a size of 1073741825: 1 to 1073741824 bytes are allowed".to_owned(),
        ),
        ("write 0xe0000000 1", missing("data")),
        (
            "write 0xe0000000 1 ab",
            "the data doesn't start with 0x".to_owned(),
        ),
        (
            "write 0xe0000000 1 0xabc",
            "the data has half a byte".to_owned(),
        ),
        (
            "write 0xe0000000 1 0xag",
            "the data isn't hexadecimal".to_owned(),
        ),
        (
            "write 0xe0000000 1 0xé",
            "the data isn't hexadecimal".to_owned(),
        ),
        ("memset 0xe0000000 1", missing("value")),
        ("clock_step", "the nanoseconds are missing".to_owned()),
        (
            "system_reset 1",
            "there's '1' behind the command's end".to_owned(),
        ),
        ("screendump", "the file's name is missing".to_owned()),
    ] {
        let expected = format!("FAIL {reason}\n");
        assert_eq!(reply(&mut session, line), expected, "{line}");
    }
    let found = reply(&mut session, b"inb \xff");
    assert!(found.starts_with("FAIL the line isn't text: "), "{found}");
}

#[test]
fn a_failed_command_did_nothing() {
    check(&[
        (
            "outb 0x3c4 2 3",
            "FAIL there's '3' behind the command's end",
        ),
        ("inb 0x3c4", "OK 0x0000"),
        (
            "write 0xe0000000 2 0x12zz",
            "FAIL the data isn't hexadecimal",
        ),
        ("readw 0xe0000000", "OK 0x0000000000000000"),
    ]);
}

#[test]
fn a_failure_is_one_line_of_bounded_length() {
    let mut session = session();
    let found = reply(&mut session, "é".repeat(MAX_LINE / 2 - 1));
    assert_eq!(found.chars().count(), "FAIL \n".len() + MAX_MESSAGE);
    let found = reply(&mut session, "inb\r\n1");
    assert_eq!(found, "FAIL unknown command 'inb  1'\n");
    let found = reply(&mut session, "screendump /nowhere/\r/x");
    assert!(
        found.starts_with("FAIL screendump '/nowhere/ /x': "),
        "{found}"
    );
}

#[test]
fn a_line_has_to_be_shorter_than_the_limit() {
    let mut session = session();
    let longest = format!("write 0xe0000000 3 0x{}", "1".repeat(MAX_LINE - 22));
    assert_eq!(longest.len(), MAX_LINE - 1);
    assert_eq!(reply(&mut session, &longest), "OK\n");
    let expected = "FAIL the line has more than 65535 bytes\n";
    assert_eq!(reply(&mut session, longest + "1"), expected);
    assert_eq!(
        reply(
            &mut session,
            "inb 0x3c4 #".to_owned() + &" ".repeat(MAX_LINE)
        ),
        expected
    );
}

/// What a `screendump` writes.
fn screendump(session: &mut Session) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // A hash that no space precedes belongs to the name, and so do spaces.
    let path = directory.path().join("a picture#1.ppm");
    assert_eq!(
        reply(session, format!("screendump {}", path.display())),
        "OK\n"
    );
    std::fs::read(path).expect("the picture")
}

#[test]
fn a_screendump_is_a_portable_pixmap_of_the_screen() {
    let mut session = session();
    for (register, value) in [(1, 8), (2, 2), (3, 32), (4, 1)] {
        reply(&mut session, format!("outw 0x1ce {register}"));
        reply(&mut session, format!("outw 0x1d0 {value}"));
    }
    reply(&mut session, "outb 0x3c0 0x20");
    // Two rows of eight pixels: the first of each has a colour.
    reply(&mut session, "writel 0xe0000000 0x00112233");
    reply(&mut session, "writel 0xe0000020 0x00445566");
    let mut expected = b"P6\n8 2\n255\n".to_vec();
    for first in [[0x11, 0x22, 0x33], [0x44, 0x55, 0x66]] {
        expected.extend(first);
        expected.extend([0; 7 * 3]);
    }
    assert_eq!(screendump(&mut session), expected);
}

#[test]
fn before_any_mode_the_screen_is_black_at_640x480() {
    let expected = [&b"P6\n640 480\n255\n"[..], &[0; 640 * 480 * 3]].concat();
    let dump = screendump(&mut session());
    assert!(dump == expected, "it isn't black, or not of that size");
}

#[test]
fn the_cursor_blinks_by_the_sessions_clock() {
    let mut session = session();
    // Two cells of 9x1 with attribute 7, which is the DAC's white.
    for line in [
        "outw 0x3b4 0x0101",
        "writeb 0xe0000001 7",
        "outb 0x3c0 7",
        "outb 0x3c0 7",
        "outb 0x3c8 7",
        "outb 0x3c9 63",
        "outb 0x3c9 63",
        "outb 0x3c9 63",
        "outb 0x3c0 0x20",
    ] {
        assert_eq!(reply(&mut session, line), "OK\n", "{line}");
    }
    let header = b"P6\n18 1\n255\n";
    let shown = [&header[..], &[0xff; 9 * 3], &[0; 9 * 3]].concat();
    let hidden = [&header[..], &[0; 18 * 3]].concat();
    for (step, expected) in [
        (0, &shown),
        (265_999_999, &shown),
        (1, &hidden),
        (265_999_999, &hidden),
        (1, &shown),
    ] {
        let now = reply(&mut session, format!("clock_step {step}"));
        assert_eq!(&screendump(&mut session), expected, "at {now}");
    }
}
