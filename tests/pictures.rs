// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What recorded pictures can't tell of the screen: what time changes, what shows where there's no picture to
//! draw, surfaces of any size, and text that's read as text.
//!
//! What the kinds of picture look like is in `tests/scenes`, and what of them is drawn again when in
//! `tests/refreshes`.

use std::time::Duration;

use stdvga::{Config, Dirty, Mode, RefreshError, Screen, Surface, SurfaceError, Variant};
use stdvga_testing::driver::{
    ATTRIBUTE_MODE_CONTROL, BLINK, CURSOR_END, CURSOR_LOCATION_HIGH, CURSOR_LOCATION_LOW,
    CURSOR_START, Guest, HORIZONTAL_DISPLAY_END, LINE_COMPARE, MAP_A0000_64K, MAXIMUM_SCAN_LINE,
    MISCELLANEOUS, Monitor, OFFSET, OVERFLOW, START_ADDRESS_HIGH, VERTICAL_DISPLAY_END,
    VERTICAL_TOTAL,
};

/// Colour `index` of [`Guest::palette_16`], as the screen shows it.
fn color(index: u8) -> u32 {
    let widen = |v: u8| u32::from(v << 2 | if v & 1 != 0 { 3 } else { 0 });
    widen(index * 4) << 16 | widen(60 - index * 4) << 8 | widen(index ^ 5)
}

/// A character that fills its cell, once [`text_guest`] has loaded the font.
const BLOCK: u8 = 0xdb;

/// A guest in text mode whose font has no dots but those of [`BLOCK`].
fn text_guest(config: Config) -> Guest {
    let mut guest = Guest::with(config);
    guest.mode_03h();
    guest.load_glyph(BLOCK, &[0xff; 16]);
    guest
}

// What time changes.

#[test]
fn the_cursor_covers_its_lines_and_blinks_every_266_ms() {
    let mut guest = text_guest(Config::default());
    guest.write_cell(3, 2, b' ', 0x0a);
    for (index, value) in [
        (CURSOR_START, 13),
        (CURSOR_END, 14),
        (CURSOR_LOCATION_HIGH, 0),
        (CURSOR_LOCATION_LOW, 163),
    ] {
        guest.crtc(index, value);
    }
    let mut monitor = Monitor::default();
    let mut lines_at = |guest: &mut Guest, milliseconds| {
        monitor.refresh(guest, milliseconds);
        (32..48)
            .filter(|y| monitor.row(27, *y, 9) == [color(10); 9])
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines_at(&mut guest, 1000),
        [45, 46],
        "the first text picture shows it"
    );
    assert_eq!(lines_at(&mut guest, 1265), [45, 46]);
    assert_eq!(lines_at(&mut guest, 1266), [0; 0]);
    assert_eq!(lines_at(&mut guest, 1531), [0; 0]);
    assert_eq!(lines_at(&mut guest, 1532), [45, 46]);
}

#[test]
fn text_blinks_as_on_hardware_unless_told_otherwise() {
    for text_blink in [true, false] {
        let mut guest = text_guest(Config::default().text_blink(text_blink));
        guest.attribute(ATTRIBUTE_MODE_CONTROL, BLINK);
        guest.unblank();
        guest.write_cell(0, 0, BLOCK, 0xaf);
        guest.write_cell(1, 0, b' ', 0xaf);
        guest.write_cell(2, 0, BLOCK, 0x2f);
        let mut monitor = Monitor::default();
        let mut colors_at = |milliseconds| {
            monitor.refresh(&mut guest, milliseconds);
            [0, 9, 18].map(|x| monitor.pixel(x, 0))
        };
        let [visible, hidden] = [colors_at(0), colors_at(533)];
        // A block that blinks, a space that does, and a block that doesn't.
        if text_blink {
            assert_eq!(visible, [15, 2, 15].map(color));
            assert_eq!(hidden, [2, 2, 15].map(color));
        } else {
            assert_eq!(visible, [15, 10, 15].map(color));
            assert_eq!(hidden, visible);
        }
    }
}

#[test]
fn what_blinks_goes_on_where_the_clock_went_back() {
    let mut guest = text_guest(Config::default());
    guest.attribute(ATTRIBUTE_MODE_CONTROL, BLINK);
    guest.unblank();
    guest.write_cell(0, 0, b' ', 0x0a);
    guest.write_cell(1, 0, BLOCK, 0xaf);
    guest.crtc(CURSOR_START, 0);
    guest.crtc(CURSOR_END, 15);
    guest.crtc(CURSOR_LOCATION_HIGH, 0);
    guest.crtc(CURSOR_LOCATION_LOW, 0);
    let hour = 3_600_000;
    let mut monitor = Monitor::default();
    let mut visible_at = |milliseconds| {
        monitor.refresh(&mut guest, milliseconds);
        [(0, 10), (9, 15)].map(|(x, index)| monitor.pixel(x, 0) == color(index))
    };
    assert_eq!(visible_at(hour), [true, true], "the cursor, and text");
    assert_eq!(visible_at(100), [false, false], "an hour before");
    assert_eq!(visible_at(365), [false, false]);
    assert_eq!(visible_at(366), [true, false], "266 ms later");
    assert_eq!(visible_at(633), [false, true], "533 ms later");
}

#[test]
fn text_that_does_not_blink_shows_while_other_text_is_hidden() {
    let mut guest = text_guest(Config::default());
    guest.attribute(ATTRIBUTE_MODE_CONTROL, BLINK);
    guest.unblank();
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    monitor.refresh(&mut guest, 533);
    guest.write_cell(0, 0, BLOCK, 0x2f);
    guest.write_cell(1, 0, BLOCK, 0xaf);
    monitor.refresh(&mut guest, 600);
    let drawn = [0, 9].map(|x| monitor.pixel(x, 0));
    assert_eq!(drawn, [15, 2].map(color));
}

// Where there's no picture to draw.

#[test]
fn before_any_mode_the_screen_is_black_at_640x480() {
    let mut guest = Guest::new(Variant::Vga);
    let mut monitor = Monitor::default();
    let damage = monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.dimensions(), (640, 480));
    let is_black = monitor.pixels.iter().all(|pixel| *pixel == 0);
    assert!(is_black, "the screen isn't black");
    assert!(!damage.is_empty(), "a new surface is drawn on");
    assert!(
        monitor.refresh(&mut guest, 0).is_empty(),
        "it's black already"
    );
}

#[test]
fn the_old_picture_survives_a_reset_until_a_mode_is_set() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_13h();
    guest.window_write(0, &[3]);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    guest.reset();
    guest.vram_write(0, &[4]);
    let damage = monitor.refresh(&mut guest, 0);
    assert!(damage.is_empty(), "drawn: {damage:?}");
    assert_eq!(
        (monitor.dimensions(), monitor.pixel(0, 0)),
        ((640, 400), color(3))
    );
    guest.mode_03h();
    monitor.refresh(&mut guest, 0);
    assert_eq!(
        (monitor.dimensions(), monitor.pixel(0, 0)),
        ((720, 400), color(0))
    );
}

#[test]
fn an_old_picture_in_direct_colours_goes_on_to_follow_vram() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(64, 64, 32);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    guest.reset();
    guest.vram_write(0, &0x0012_3456_u32.to_le_bytes());
    let damage = monitor.refresh(&mut guest, 0);
    assert!(!damage.is_empty(), "nothing was drawn");
    assert_eq!(
        (monitor.dimensions(), monitor.pixel(0, 0)),
        ((64, 64), 0x0012_3456)
    );
}

#[test]
fn cells_behind_the_end_of_vram_keep_the_picture_before() {
    let mut guest = text_guest(Config::default().vram_mib(1));
    // Two columns of 1024 rows, one line each, 2040 bytes apart: they pass 1 MiB.
    for (index, value) in [
        (HORIZONTAL_DISPLAY_END, 1),
        (OVERFLOW, 0x52),
        (MAXIMUM_SCAN_LINE, 0x40),
        (VERTICAL_DISPLAY_END, 0xff),
        (OFFSET, 0xff),
    ] {
        guest.crtc(index, value);
    }
    guest.vram_write(0, &[BLOCK, 0x0f].repeat(1 << 19));
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    let drawn = |monitor: &Monitor| (0..1024).filter(|y| monitor.pixel(0, *y) != 0).count();
    assert_eq!(monitor.dimensions(), (18, 1024));
    assert_eq!(
        drawn(&monitor),
        516,
        "515 rows, and the last one, behind the split"
    );
    guest.start_address(0xffff);
    monitor.refresh(&mut guest, 0);
    assert_eq!(
        drawn(&monitor),
        516,
        "fewer rows lie in VRAM, but the others keep what they showed"
    );
}

#[test]
fn a_text_screen_of_an_impossible_size_leaves_the_picture_alone() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_13h();
    guest.window_write(0, &[3]);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    // 200 columns of 100 rows: more than QEMU draws.
    guest.graphics(MISCELLANEOUS, 0x00);
    guest.crtc(HORIZONTAL_DISPLAY_END, 199);
    guest.crtc(VERTICAL_TOTAL, 100);
    let Mode::Text(text) = *guest.vga.scanout().mode() else {
        panic!("not text")
    };
    assert!(!text.is_drawable(), "{text:?}");
    let damage = monitor.refresh(&mut guest, 0);
    assert!(damage.is_empty(), "drawn: {damage:?}");
    assert_eq!(
        (monitor.dimensions(), monitor.pixel(0, 0)),
        ((640, 400), color(3))
    );
}

// Surfaces.

#[test]
fn a_surface_that_is_too_small_is_refused_and_left_alone() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(64, 2, 32);
    let scanout = guest.vga.scanout();
    let mut screen = Screen::new();
    let mut refresh = |pixels: &mut [u32], stride| {
        screen.refresh(
            &scanout,
            guest.vga.vram(),
            Dirty::Compare,
            Duration::ZERO,
            Surface::new(pixels, stride),
        )
    };
    let mut pixels = [7; 200];
    assert_eq!(
        refresh(&mut pixels, 63),
        Err(RefreshError::Surface(SurfaceError::Stride {
            stride: 63,
            width: 64
        }))
    );
    let too_small = SurfaceError::TooSmall {
        pixels: 163,
        needed: 164,
    };
    assert_eq!(
        refresh(&mut pixels[..163], 100),
        Err(RefreshError::Surface(too_small))
    );
    assert_eq!(pixels, [7; 200]);
    let damage = refresh(&mut pixels[..164], 100).expect("the last row needs no stride");
    assert_eq!(
        damage
            .iter()
            .map(|rect| rect.size.width * rect.size.height)
            .sum::<u32>(),
        128
    );
    assert_eq!(
        (pixels[63], pixels[64], pixels[100], pixels[164]),
        (0, 7, 0, 7),
        "between rows nothing is drawn"
    );
}

// Text that's read as text.

#[test]
fn the_text_screen_can_be_read_as_text() {
    let mut guest = text_guest(Config::default());
    for (column, character) in (0..).zip(*b"stdvga") {
        guest.write_cell(column, 24, character, 0x1f);
    }
    let [high, low] = 1926_u16.to_be_bytes();
    guest.crtc(CURSOR_START, 0);
    guest.crtc(CURSOR_LOCATION_HIGH, high);
    guest.crtc(CURSOR_LOCATION_LOW, low);
    let text = guest
        .vga
        .scanout()
        .text(guest.vga.vram())
        .expect("a text mode");
    assert_eq!((text.columns, text.rows), (80, 25));
    let last: Vec<u8> = text.row(24).iter().map(|cell| cell.character).collect();
    assert_eq!(last[..7], *b"stdvga\0");
    assert_eq!(text.row(24)[0].attribute, 0x1f);
    assert_eq!(text.cursor, Some((6, 24)));
    assert_eq!(text.row(25), [], "past the last row");
    guest.graphics(MISCELLANEOUS, MAP_A0000_64K);
    assert_eq!(guest.vga.scanout().text(guest.vga.vram()), None, "graphics");
}

#[test]
fn a_text_screen_displays_as_lines_of_unicode_without_blanks_at_their_ends() {
    let mut guest = text_guest(Config::default());
    let displayed = |guest: &Guest| {
        let text = guest.vga.scanout().text(guest.vga.vram());
        text.expect("a text mode").to_string()
    };
    assert_eq!(displayed(&guest), "", "nothing but zeros");
    // A frame of code page 437, a control character, and blanks of three kinds.
    for (row, line) in [(1, b"\xc9\xcd\xbb \x01 \0\xff"), (3, b"end  \0  ")] {
        for (column, character) in (0..).zip(line) {
            guest.write_cell(column, row, *character, 0x07);
        }
    }
    assert_eq!(displayed(&guest), "\n╔═╗ ☺\n\nend");
}

#[test]
fn a_text_cursor_behind_the_last_column_is_nowhere() {
    let mut guest = text_guest(Config::default());
    guest.crtc(OFFSET, 50); // 100 cells, of which 80 show
    guest.crtc(CURSOR_START, 0);
    guest.crtc(CURSOR_LOCATION_HIGH, 0);
    for (location, cursor) in [
        (79, Some((79, 0))),
        (80, None),
        (99, None),
        (100, Some((0, 1))),
    ] {
        guest.crtc(CURSOR_LOCATION_LOW, location);
        let text = guest.vga.scanout().text(guest.vga.vram());
        let text = text.expect("a text mode");
        assert_eq!(text.cursor, cursor, "at cell {location}");
    }
}

#[test]
fn a_split_text_screen_restarts_with_the_row_after_the_line_compare() {
    let mut guest = text_guest(Config::default());
    guest.crtc(START_ADDRESS_HIGH, 0x10);
    guest.crtc(LINE_COMPARE, 40);
    guest.crtc(OVERFLOW, 0x02);
    guest.crtc(MAXIMUM_SCAN_LINE, 0x0f);
    guest.vram_write(0, &[b'S', 0x0c]);
    let text = guest
        .vga
        .scanout()
        .text(guest.vga.vram())
        .expect("a text mode");
    let row_with_it = (0..text.rows).position(|row| text.row(row)[0].character == b'S');
    assert_eq!(row_with_it, Some(3), "line 40 falls into row 2");
}
