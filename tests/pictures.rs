//! What the screen shows: from a guest's register accesses to pixels.

mod driver;

use std::time::Duration;

use driver::{
    CURSOR_LOCATION_HIGH, CURSOR_LOCATION_LOW, CURSOR_START, DAC_8BIT, ENABLE, ENABLED, Guest,
    Monitor, NO_CLEAR, OFFSET, X_OFFSET, Y_OFFSET,
};
use stdvga::{Config, Dirty, Mode, RefreshError, Screen, Surface, SurfaceError, Variant};

/// Colour `index` of [`Guest::palette_16`], as the screen shows it.
fn color(index: u8) -> u32 {
    let widen = |v: u8| u32::from(v << 2 | if v & 1 != 0 { 3 } else { 0 });
    widen(index * 4) << 16 | widen(60 - index * 4) << 8 | widen(index ^ 5)
}

/// A guest in text mode whose font has a solid block at 0xdb and a striped one at 'S'.
fn text_guest(config: Config) -> Guest {
    let mut guest = Guest::with(config);
    guest.mode_03h();
    guest.load_glyph(0xdb, &[0xff; 16]);
    guest.load_glyph(b'S', &[0b1010_0001; 16]);
    guest
}

#[test]
fn before_any_mode_the_screen_is_black_at_640x480() {
    let mut guest = Guest::new(Variant::Vga);
    let mut monitor = Monitor::default();
    let damage = monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.dimensions(), (640, 480));
    assert!(monitor.pixels.iter().all(|pixel| *pixel == 0));
    assert!(!damage.is_empty());
    assert!(
        monitor.refresh(&mut guest, 0).is_empty(),
        "it's black already"
    );
}

#[test]
fn text_shows_in_the_guests_font_and_colours() {
    let mut guest = text_guest(Config::default());
    guest.write_cell(2, 1, b'S', 0x4e);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.dimensions(), (720, 400));
    let [ink, paper] = [color(14), color(4)];
    assert_eq!(
        monitor.row(18, 16, 9),
        [ink, paper, ink, paper, paper, paper, paper, ink, paper],
        "the ninth dot is background"
    );
    assert_eq!(monitor.pixel(18, 15), color(0), "the cell above is empty");
}

#[test]
fn line_graphics_characters_repeat_their_eighth_dot() {
    let mut guest = text_guest(Config::default());
    guest.write_cell(0, 0, 0xdb, 0x0f);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.row(7, 0, 2), [color(15), color(0)]);
    guest.attribute(0x10, 0x04);
    guest.unblank();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.row(7, 0, 2), [color(15), color(15)]);
}

#[test]
fn characters_are_8_9_or_16_dots_wide() {
    for (clocking_mode, width) in [(0x00, 9), (0x01, 8), (0x08, 16)] {
        let mut guest = text_guest(Config::default());
        guest.sequencer(1, clocking_mode);
        guest.write_cell(0, 0, b'S', 0x0f);
        let mut monitor = Monitor::default();
        monitor.refresh(&mut guest, 0);
        assert_eq!(monitor.dimensions(), (80 * width, 400));
        let first_dot = monitor
            .row(0, 0, width)
            .iter()
            .take_while(|pixel| **pixel == color(15))
            .count();
        assert_eq!(
            first_dot,
            if width == 16 { 2 } else { 1 },
            "Clocking Mode {clocking_mode:#x}"
        );
    }
}

#[test]
fn attribute_bit_3_selects_the_second_font() {
    let mut guest = text_guest(Config::default());
    guest.sequencer(3, 0x04);
    // Character map 1 of the high bits is the font at 64 KiB of VRAM.
    guest
        .vga
        .vram()
        .write(0x1_0000 + 128 * u64::from(b'S') + 2, &[0xff]);
    guest.write_cell(0, 0, b'S', 0x07);
    guest.write_cell(1, 0, b'S', 0x0f);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.row(0, 0, 3), [color(7), color(0), color(7)]);
    assert_eq!(monitor.row(9, 0, 3), [color(15); 3]);
}

#[test]
fn the_cursor_covers_its_lines_and_blinks_every_266_ms() {
    let mut guest = text_guest(Config::default());
    guest.write_cell(3, 2, b' ', 0x0a);
    for (index, value) in [(0x0a, 13), (0x0b, 14), (0x0e, 0), (0x0f, 163)] {
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
        let mut guest = text_guest(Config {
            text_blink,
            ..Config::default()
        });
        guest.attribute(0x10, 0x08);
        guest.unblank();
        guest.write_cell(0, 0, 0xdb, 0xaf);
        guest.write_cell(1, 0, b' ', 0xaf);
        guest.write_cell(2, 0, 0xdb, 0x2f);
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
fn text_that_does_not_blink_shows_while_other_text_is_hidden() {
    let mut guest = text_guest(Config::default());
    guest.attribute(0x10, 0x08);
    guest.unblank();
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    monitor.refresh(&mut guest, 533);
    guest.write_cell(0, 0, 0xdb, 0x2f);
    guest.write_cell(1, 0, 0xdb, 0xaf);
    monitor.refresh(&mut guest, 600);
    let drawn = [0, 9].map(|x| monitor.pixel(x, 0));
    assert_eq!(drawn, [15, 2].map(color));
}

#[test]
fn a_split_text_screen_restarts_with_the_row_after_the_line_compare() {
    let mut guest = text_guest(Config::default());
    guest.crtc(0x0c, 0x10);
    guest.crtc(0x18, 40);
    guest.crtc(0x07, 0x02);
    guest.crtc(0x09, 0x0f);
    guest.vga.vram().write(0, &[b'S', 0x0c]);
    let text = guest
        .vga
        .scanout()
        .text(guest.vga.vram())
        .expect("a text mode");
    let row_with_it = (0..text.rows).position(|row| text.row(row)[0].character == b'S');
    assert_eq!(row_with_it, Some(3), "line 40 falls into row 2");
}

#[test]
fn the_text_screen_can_be_read_as_text() {
    let mut guest = text_guest(Config::default());
    for (column, character) in (0..).zip(*b"stdvga") {
        guest.write_cell(column, 24, character, 0x1f);
    }
    guest.crtc(CURSOR_START, 0);
    guest.crtc(CURSOR_LOCATION_HIGH, (1926 >> 8) as u8);
    guest.crtc(CURSOR_LOCATION_LOW, (1926 & 0xff) as u8);
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
    assert!(text.row(25).is_empty());
    guest.graphics(6, 0x05);
    assert_eq!(guest.vga.scanout().text(guest.vga.vram()), None, "graphics");
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
fn planar_pixels_take_a_bit_of_each_plane() {
    let mut guest = Guest::new(Variant::Vga);
    guest.planar_mode(640, 480);
    // Write mode 0 with one plane after the other, as a driver would draw.
    for (plane, byte) in [
        (1, 0b1000_0001),
        (2, 0b1100_0000),
        (4, 0b1110_0000),
        (8, 0b1111_0000),
    ] {
        guest.sequencer(2, plane);
        guest.vga.window_write(80, &[byte]);
    }
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.dimensions(), (640, 480));
    assert_eq!(monitor.row(0, 1, 8), [15, 14, 12, 8, 0, 0, 0, 1].map(color));
    guest.attribute(0x12, 0x07);
    guest.unblank();
    monitor.refresh(&mut guest, 0);
    assert_eq!(
        monitor.row(0, 1, 8),
        [7, 6, 4, 0, 0, 0, 0, 1].map(color),
        "plane 3 is switched off"
    );
}

#[test]
fn planar_rows_are_panned_by_pixels() {
    let mut guest = Guest::new(Variant::Vga);
    guest.planar_mode(64, 2);
    guest.vga.window_write(0, &[0x01, 0x80]);
    guest.vga.window_write(8, &[0xc0]);
    guest.attribute(0x13, 7);
    guest.unblank();
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.row(0, 0, 3), [15, 15, 0].map(color));
    assert_eq!(
        monitor.row(56, 0, 4),
        [0, 15, 15, 0].map(color),
        "the end of the row shows the next group"
    );
}

#[test]
fn a_halved_dot_clock_doubles_planar_pixels() {
    let mut guest = Guest::new(Variant::Vga);
    guest.planar_mode(64, 2);
    guest.sequencer(1, 0x09);
    guest.vga.window_write(0, &[0b1010_0000]);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.dimensions(), (128, 2));
    assert_eq!(
        monitor.row(0, 0, 8),
        [15, 15, 0, 0, 15, 15, 0, 0].map(color)
    );
}

#[test]
fn mode_13h_shows_each_pixel_as_two_by_two() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_13h();
    guest.vga.window_write(320, &[3, 200]);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.dimensions(), (640, 400));
    // Entry 200 holds 200, 50 and 55, of which six bits count.
    let bright = 0x20_c8_df;
    for y in [2, 3] {
        assert_eq!(
            monitor.row(0, y, 5),
            [color(3), color(3), bright, bright, color(0)],
            "line {y}"
        );
    }
    assert_eq!(monitor.pixel(0, 4), color(0));
}

#[test]
fn unchained_256_colours_lie_in_four_planes() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_13h();
    guest.sequencer(4, 0x06);
    guest.crtc(0x14, 0x00);
    guest.crtc(0x17, 0xe3);
    for plane in 0..4 {
        guest.sequencer(2, 1 << plane);
        guest.vga.window_write(80, &[plane + 1]);
    }
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.row(0, 2, 9), [1, 1, 2, 2, 3, 3, 4, 4, 0].map(color));
}

#[test]
fn direct_colour_pixels_are_widened_to_eight_bits_a_component() {
    let cases: [(u16, &[u8], u32); 4] = [
        (15, &[0b0100_0001, 0b0100_0010], 0x84_94_08),
        (16, &[0b0010_0001, 0b1000_0100], 0x84_86_08),
        (24, &[0x33, 0x22, 0x11], 0x11_22_33),
        (32, &[0x33, 0x22, 0x11, 0xff], 0x11_22_33),
    ];
    for (bpp, bytes, expected) in cases {
        let mut guest = Guest::new(Variant::Vga);
        guest.vbe_mode(64, 2, bpp);
        guest.vga.vram().write(bytes.len() as u64, bytes);
        let mut monitor = Monitor::default();
        monitor.refresh(&mut guest, 0);
        let shown = monitor.row(0, 0, 3);
        assert_eq!(
            shown,
            [0, expected, 0],
            "{bpp} bpp: got {shown:06x?}, expected {expected:06x}"
        );
    }
}

#[test]
fn a_big_endian_framebuffer_swaps_the_bytes_of_pixels() {
    let cases: [(u16, &[u8], u32); 4] = [
        (15, &[0b0100_0010, 0b0100_0001], 0x80_90_08),
        (16, &[0b1000_0100, 0b0010_0001], 0x80_84_08),
        (24, &[0x11, 0x22, 0x33], 0x11_22_33),
        (32, &[0xff, 0x11, 0x22, 0x33], 0x11_22_33),
    ];
    for (bpp, bytes, expected) in cases {
        let mut guest = Guest::new(Variant::Vga);
        guest.vbe_mode(64, 2, bpp);
        guest.effects |= guest.vga.mmio_write(0x604, &0xbebe_bebe_u32.to_le_bytes());
        guest.vga.vram().write(0, bytes);
        let mut monitor = Monitor::default();
        monitor.refresh(&mut guest, 0);
        let shown = monitor.pixel(0, 0);
        assert_eq!(
            shown, expected,
            "{bpp} bpp: got {shown:06x}, expected {expected:06x}"
        );
    }
}

#[test]
fn vbe_8_bpp_follows_the_width_of_the_dac() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(64, 2, 8);
    guest.dac(9, [0xc1, 0x80, 0x3f]);
    guest.vga.vram().write(0, &[9]);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.pixel(0, 0), 0x07_00_ff, "six bits");
    guest.dispi(ENABLE, ENABLED | DAC_8BIT);
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.pixel(0, 0), 0xc1_80_3f, "eight bits");
}

#[test]
fn offsets_move_the_picture_in_vram() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(64, 64, 32);
    guest
        .vga
        .vram()
        .write((3 * 64 + 2) * 4, &0x00ab_cdef_u32.to_le_bytes());
    guest.dispi(X_OFFSET, 2);
    guest.dispi(Y_OFFSET, 3);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.pixel(0, 0), 0x00ab_cdef);
}

#[test]
fn vbe_4_bpp_wraps_at_256_kib() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(1024, 768, 4);
    guest.palette_16();
    guest.unblank();
    guest.vga.vram().write(0, &[0x80, 0, 0, 0]);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    // 512 bytes a row.
    assert_eq!(
        [
            monitor.pixel(0, 0),
            monitor.pixel(0, 512),
            monitor.pixel(0, 511)
        ],
        [1, 1, 0].map(color)
    );
}

#[test]
fn a_blank_screen_is_black_in_the_size_of_the_last_picture() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(800, 600, 32);
    guest.vga.vram().write(0, &[0xff; 4]);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    guest.blank();
    let damage = monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.dimensions(), (800, 600));
    assert!(monitor.pixels.iter().all(|pixel| *pixel == 0) && !damage.is_empty());
    let mut byte = [0];
    guest.vga.vram().read(0, &mut byte);
    assert_eq!(byte, [0xff], "VRAM is as it was");
}

#[test]
fn the_old_picture_survives_a_reset_until_a_mode_is_set() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_13h();
    guest.vga.window_write(0, &[3]);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    guest.effects |= guest.vga.reset();
    guest.vga.vram().write(0, &[4]);
    assert!(monitor.refresh(&mut guest, 0).is_empty());
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
    guest.effects |= guest.vga.reset();
    guest.vga.vram().write(0, &0x0012_3456_u32.to_le_bytes());
    assert!(!monitor.refresh(&mut guest, 0).is_empty());
    assert_eq!(
        (monitor.dimensions(), monitor.pixel(0, 0)),
        ((64, 64), 0x0012_3456)
    );
}

#[test]
fn cells_behind_the_end_of_vram_keep_the_picture_before() {
    let mut guest = text_guest(Config {
        vram_mib: Some(1),
        ..Config::default()
    });
    // Two columns of 1024 rows, one line each, 2040 bytes apart: they pass 1 MiB.
    for (index, value) in [
        (0x01, 1),
        (0x07, 0x52),
        (0x09, 0x40),
        (0x12, 0xff),
        (0x13, 0xff),
    ] {
        guest.crtc(index, value);
    }
    guest.vga.vram().write(0, &[0xdb, 0x0f].repeat(1 << 19));
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    let drawn = |monitor: &Monitor| (0..1024).filter(|y| monitor.pixel(0, *y) != 0).count();
    assert_eq!(monitor.dimensions(), (18, 1024));
    assert_eq!(
        drawn(&monitor),
        516,
        "515 rows, and the last one, behind the split"
    );
    guest.crtc(0x0c, 0xff);
    guest.crtc(0x0d, 0xff);
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
    guest.vga.window_write(0, &[3]);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    // 200 columns of 100 rows.
    guest.graphics(6, 0x00);
    guest.crtc(0x01, 199);
    guest.crtc(0x06, 100);
    let Mode::Text(text) = *guest.vga.scanout().mode() else {
        panic!("not text")
    };
    assert!(!text.is_drawable());
    assert!(monitor.refresh(&mut guest, 0).is_empty());
    assert_eq!(
        (monitor.dimensions(), monitor.pixel(0, 0)),
        ((640, 400), color(3))
    );
}

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
            Surface { pixels, stride },
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

#[test]
fn enabling_without_clearing_keeps_the_picture() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(64, 2, 32);
    guest.vga.vram().write(0, &[0x11, 0x22, 0x33]);
    guest.dispi(ENABLE, 0);
    guest.dispi(ENABLE, ENABLED | NO_CLEAR);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.pixel(0, 0), 0x33_22_11);
}
