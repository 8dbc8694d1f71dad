// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Where dirty pages are known, what lies in them is drawn.

use std::time::Duration;

use rand::prelude::*;
use rand::rngs::SmallRng;
use stdvga::{BitmapLengthError, Config, Dirty, Rect, RefreshError, Screen, Surface};
use stdvga_testing::driver::{
    ATTRIBUTE_MODE_CONTROL, BLINK, COLOR_PLANE_ENABLE, CURSOR_END, CURSOR_LOCATION_LOW,
    CURSOR_START, DAC_8BIT, ENABLE, ENABLED, Guest, LINE_GRAPHICS, Monitor, OVERFLOW,
    VERTICAL_DISPLAY_END, Y_OFFSET,
};

use super::{UNTOUCHED, drawn_by, drawn_by_pages, rect, shown};

#[test]
fn nothing_is_drawn_where_nothing_was_written() {
    let modes: [fn(&mut Guest); 4] = [
        Guest::mode_03h,
        Guest::mode_13h,
        |guest| guest.planar_mode(640, 480),
        |guest| guest.vbe_mode(1024, 768, 32),
    ];
    for set_mode in modes {
        let (mut guest, mut monitor) = shown(set_mode);
        assert_eq!(drawn_by_pages(&mut monitor, &mut guest), (None, vec![]));
    }
}

#[test]
fn the_lines_in_a_written_page_are_drawn() {
    // A row is a page.
    let (mut guest, mut monitor) = shown(|guest| guest.vbe_mode(1024, 768, 32));
    guest.vram_write(4096 * 5 + 100, &[1]);
    guest.vram_write(4096 * 7 - 1, &[1, 2]);
    assert_eq!(
        drawn_by_pages(&mut monitor, &mut guest),
        (Some(rect(0, 5, 1024, 3)), vec![rect(0, 5, 1024, 3)])
    );
}

#[test]
fn lines_that_show_the_same_row_are_drawn_together() {
    // 320 bytes of each plane make 40 doubled rows a page.
    let (mut guest, mut monitor) = shown(Guest::mode_13h);
    guest.vram_write(0x5000, &[1]);
    let first = 0x5000 / 320;
    let last = 0x5fff / 320;
    let lines = rect(0, 2 * first, 640, 2 * (last - first + 1));
    assert_eq!(
        drawn_by_pages(&mut monitor, &mut guest),
        (Some(lines), vec![lines])
    );
}

#[test]
fn a_row_that_wraps_is_drawn_for_either_part() {
    let (mut guest, mut monitor) = shown(|guest| {
        guest.planar_mode(640, 480);
        // The last row begins 40 planar addresses before the end.
        guest.start_address(0xffd8);
    });
    guest.vram_write(0, &[1]);
    let (drawn, _) = drawn_by_pages(&mut monitor, &mut guest);
    assert_eq!(drawn.map(|rect| rect.y), Some(0), "the part at 0");
    guest.vram_write(0x3_ffff, &[1]);
    let (drawn, _) = drawn_by_pages(&mut monitor, &mut guest);
    assert_eq!(drawn, Some(rect(0, 0, 640, 1)), "the part at the end");
}

#[test]
fn a_written_cell_is_drawn_alone() {
    let (mut guest, mut monitor) = shown(Guest::mode_03h);
    guest.write_cell(79, 24, b'A', 0x1f);
    let cell = rect(79 * 9, 24 * 16, 9, 16);
    assert_eq!(
        drawn_by_pages(&mut monitor, &mut guest),
        (Some(cell), vec![cell])
    );
}

#[test]
fn cells_that_were_written_side_by_side_are_one_rectangle() {
    let (mut guest, mut monitor) = shown(Guest::mode_03h);
    for row in [3, 4] {
        for column in 10..20 {
            guest.write_cell(column, row, b'A', 0x1f);
        }
    }
    guest.write_cell(30, 4, b'A', 0x1f);
    let (_, damage) = drawn_by_pages(&mut monitor, &mut guest);
    assert_eq!(damage, [rect(90, 48, 90, 32), rect(270, 64, 9, 16)]);
}

#[test]
fn a_cell_that_was_written_with_what_it_held_isnt_drawn() {
    let (mut guest, mut monitor) = shown(|guest| {
        guest.mode_03h();
        guest.write_cell(0, 0, b'A', 0x1f);
    });
    guest.write_cell(0, 0, b'A', 0x1f);
    assert_eq!(drawn_by_pages(&mut monitor, &mut guest), (None, vec![]));
}

#[test]
fn a_changed_glyph_draws_the_text_anew() {
    let (mut guest, mut monitor) = shown(Guest::mode_03h);
    guest.load_glyph(b'A', &[0x7e]);
    let whole = rect(0, 0, 720, 400);
    assert_eq!(
        drawn_by_pages(&mut monitor, &mut guest),
        (Some(whole), vec![whole])
    );
}

#[test]
fn a_cursor_that_moves_draws_the_cell_that_it_left_and_the_one_that_it_came_to() {
    let (mut guest, mut monitor) = shown(|guest| {
        guest.mode_03h();
        guest.crtc(CURSOR_START, 14);
        guest.crtc(CURSOR_END, 15);
    });
    guest.crtc(CURSOR_LOCATION_LOW, 80);
    let (_, damage) = drawn_by_pages(&mut monitor, &mut guest);
    assert_eq!(damage, [rect(0, 0, 9, 32)], "rows 0 and 1");
}

#[test]
fn a_blinking_cursor_draws_its_cell() {
    let (mut guest, mut monitor) = shown(|guest| {
        guest.mode_03h();
        guest.crtc(CURSOR_START, 0);
        guest.crtc(CURSOR_END, 15);
        guest.crtc(CURSOR_LOCATION_LOW, 3);
    });
    let words = guest.take_dirty();
    let mut drawn_at =
        |milliseconds| drawn_by(&mut monitor, &mut guest, Dirty::Pages(&words), milliseconds);
    let cell = rect(27, 0, 9, 16);
    assert_eq!(drawn_at(265), (None, vec![]));
    assert_eq!(drawn_at(266), (Some(cell), vec![cell]), "hidden");
    assert_eq!(drawn_at(531), (None, vec![]));
    assert_eq!(drawn_at(532), (Some(cell), vec![cell]), "shown");
}

#[test]
fn blinking_text_draws_the_cells_that_blink() {
    let (mut guest, mut monitor) = shown(|guest| {
        guest.mode_03h();
        guest.attribute(ATTRIBUTE_MODE_CONTROL, BLINK);
        guest.unblank();
        guest.write_cell(5, 2, b'A', 0x8f);
        guest.write_cell(7, 2, b'A', 0x0f);
    });
    let words = guest.take_dirty();
    let cell = rect(45, 32, 9, 16);
    assert_eq!(
        drawn_by(&mut monitor, &mut guest, Dirty::Pages(&words), 533),
        (Some(cell), vec![cell])
    );
}

#[test]
fn registers_that_change_what_pixels_look_like_draw_the_picture_anew() {
    type Step = fn(&mut Guest);
    let changes: [(&str, Step, Step, Rect); 4] = [
        (
            "a colour of mode 13h",
            Guest::mode_13h,
            |guest| guest.dac(200, [1, 2, 3]),
            rect(0, 0, 640, 400),
        ),
        (
            "the width of the DAC",
            |guest| {
                guest.vbe_mode(64, 2, 8);
                guest.dac(9, [0xc1, 0x80, 0x3f]);
            },
            |guest| guest.dispi(ENABLE, ENABLED | DAC_8BIT),
            rect(0, 0, 64, 2),
        ),
        (
            "the ninth dot of line graphics",
            Guest::mode_03h,
            |guest| {
                guest.attribute(ATTRIBUTE_MODE_CONTROL, LINE_GRAPHICS);
                guest.unblank();
            },
            rect(0, 0, 720, 400),
        ),
        (
            "a plane that is switched off",
            |guest| guest.planar_mode(640, 480),
            |guest| {
                guest.attribute(COLOR_PLANE_ENABLE, 0x07);
                guest.unblank();
            },
            rect(0, 0, 640, 480),
        ),
    ];
    for (what, set_mode, change, whole) in changes {
        let (mut guest, mut monitor) = shown(set_mode);
        for dirty in [Dirty::Pages(&[0; 64]), Dirty::Compare] {
            set_mode(&mut guest);
            monitor.refresh_where(&mut guest, dirty, 0);
            change(&mut guest);
            assert_eq!(
                drawn_by(&mut monitor, &mut guest, dirty, 0),
                (Some(whole), vec![whole]),
                "{what}, {dirty:?}"
            );
            let mut all = Monitor::default();
            all.refresh(&mut guest, 0);
            assert!(monitor.pixels == all.pixels, "{what}, {dirty:?}");
        }
    }
}

#[test]
fn the_palette_is_no_matter_to_direct_colours() {
    let (mut guest, mut monitor) = shown(|guest| guest.vbe_mode(64, 64, 32));
    guest.dac(200, [1, 2, 3]);
    assert_eq!(drawn_by_pages(&mut monitor, &mut guest), (None, vec![]));
}

#[test]
fn what_was_written_while_the_screen_was_blank_shows_afterwards() {
    let (mut guest, mut monitor) = shown(|guest| guest.vbe_mode(64, 64, 32));
    guest.blank();
    guest.expect_mode("blank");
    let words = guest.take_dirty();
    monitor.refresh_where(&mut guest, Dirty::Pages(&words), 0);
    guest.vram_write(0, &[1, 2, 3, 0]);
    let words = guest.take_dirty();
    monitor.refresh_where(&mut guest, Dirty::Pages(&words), 0);
    guest.unblank();
    let words = guest.take_dirty();
    monitor.refresh_where(&mut guest, Dirty::Pages(&words), 0);
    assert_eq!(monitor.pixel(0, 0), 0x03_02_01);
}

#[test]
fn a_picture_that_comes_back_is_drawn_anew() {
    let impossible_text = |guest: &mut Guest| {
        guest.mode_03h();
        guest.crtc(VERTICAL_DISPLAY_END, 0);
        guest.crtc(OVERFLOW, 0);
    };
    type SetMode = fn(&mut Guest);
    let ways: [(&str, SetMode, SetMode); 4] = [
        ("text, graphics, text", Guest::mode_03h, Guest::mode_13h),
        ("graphics, text, graphics", Guest::mode_13h, Guest::mode_03h),
        (
            "text, impossible text, text",
            Guest::mode_03h,
            impossible_text,
        ),
        (
            "graphics, impossible text, graphics",
            Guest::mode_13h,
            impossible_text,
        ),
    ];
    for (way, set_mode, set_another) in ways {
        let (mut guest, mut monitor) = shown(set_mode);
        let mut refresh_by_pages = |guest: &mut Guest| {
            let words = guest.take_dirty();
            monitor.refresh_where(guest, Dirty::Pages(&words), 0);
            monitor.pixels.clone()
        };
        set_another(&mut guest);
        guest.vram_write(0, &[0xdb, 0x1f]);
        refresh_by_pages(&mut guest);
        set_mode(&mut guest);
        let pixels = refresh_by_pages(&mut guest);
        let mut all = Monitor::default();
        all.refresh(&mut guest, 0);
        assert!(pixels == all.pixels, "{way}");
    }
}

#[test]
fn a_screen_that_goes_blank_is_drawn_black_in_the_size_of_its_picture() {
    let whole = rect(0, 0, 800, 600);
    for dirty in [Dirty::Pages(&[0; 64]), Dirty::Compare] {
        let (mut guest, mut monitor) = shown(|guest| guest.vbe_mode(800, 600, 32));
        guest.vram_write(0, &[0xff; 4]);
        guest.blank();
        assert_eq!(
            drawn_by(&mut monitor, &mut guest, dirty, 0),
            (Some(whole), vec![whole]),
            "{dirty:?}"
        );
        assert_eq!(monitor.dimensions(), (800, 600), "{dirty:?}");
        let is_black = monitor.pixels.iter().all(|pixel| *pixel == 0);
        assert!(is_black, "{dirty:?}: the screen isn't black");
        guest.expect_vram(0, [0xff; 4]);
    }
}

#[test]
fn a_blank_screen_is_drawn_on_a_surface_that_holds_nothing() {
    let (mut guest, mut monitor) = shown(|guest| guest.vbe_mode(64, 64, 32));
    guest.blank();
    let whole = rect(0, 0, 64, 64);
    for _ in 0..2 {
        assert_eq!(
            drawn_by(&mut monitor, &mut guest, Dirty::All, 0),
            (Some(whole), vec![whole])
        );
    }
}

#[test]
fn nothing_of_a_surface_shows_where_cells_dont_lie_in_vram() {
    let mut guest = Guest::with_vram(1);
    guest.mode_03h();
    guest.crtc_mode(7, 1023, 255, 0x00, 0xa3);
    guest.start_address(0xffff);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    let whole = rect(0, 0, 72, 1024);
    assert_eq!(
        drawn_by(&mut monitor, &mut guest, Dirty::All, 0),
        (Some(whole), vec![whole])
    );
    let untouched = monitor.pixels.iter().position(|p| *p == UNTOUCHED);
    assert_eq!(untouched, None, "the first pixel that wasn't drawn");
}

#[test]
fn everything_is_drawn_on_a_surface_that_holds_nothing() {
    let (mut guest, mut monitor) = shown(Guest::mode_03h);
    let whole = rect(0, 0, 720, 400);
    assert_eq!(
        drawn_by(&mut monitor, &mut guest, Dirty::All, 0),
        (Some(whole), vec![whole])
    );
}

#[test]
fn a_bitmap_of_the_wrong_length_is_refused_and_nothing_drawn() {
    let (mut guest, mut monitor) = shown(|guest| guest.vbe_mode(64, 64, 32));
    guest.vram_write(0, &[1, 2, 3, 0]);
    let words = guest.take_dirty();
    let scanout = guest.vga.scanout();
    monitor.pixels.fill(UNTOUCHED);
    let refused = monitor.screen.refresh(
        &scanout,
        guest.vga.vram(),
        Dirty::Pages(&words[1..]),
        Duration::ZERO,
        Surface::new(&mut monitor.pixels, 64),
    );
    let error = BitmapLengthError {
        given: 63,
        needed: 64,
    };
    assert_eq!(refused, Err(RefreshError::Dirty(error)));
    assert_eq!(
        error.to_string(),
        "a dirty bitmap of 63 words was given, but this VRAM needs 64 (`Vram::dirty_words`)"
    );
    let drawn = monitor.pixels.iter().position(|p| *p != UNTOUCHED);
    assert_eq!(drawn, None, "the first pixel that was drawn");

    monitor.refresh_where(&mut guest, Dirty::Pages(&words), 0);
    assert_eq!(monitor.pixel(0, 0), 0x03_02_01, "the screen goes on");
}

/// Rows that lie side by side, in VRAM and on the surface, are drawn as one. A surface with room between its
/// lines has them drawn one by one.
#[test]
fn rows_side_by_side_are_drawn_as_each_by_itself() {
    let mut rng = SmallRng::seed_from_u64(1);
    for (bpp, bytes) in [(8, 1), (15, 2), (16, 2), (24, 3), (32, 4)] {
        // 300 lines of 256 pixels, from VRAM's first byte on, and up to its last line.
        let lines = (1_u32 << 20) / (256 * bytes);
        for first_line in [0, lines as u16 - 300] {
            let mut guest = Guest::with(Config::default().vram_mib(1));
            guest.vbe_mode(256, 300, bpp);
            guest.dispi(Y_OFFSET, first_line);
            guest.expect_dispi(Y_OFFSET, first_line);
            let mut content = vec![0; guest.vga.vram().len() as usize];
            rng.fill_bytes(&mut content);
            guest.vram_write(0, &content);
            let scanout = guest.vga.scanout();
            let size = Screen::new().size(&scanout);
            let (width, height) = (size.width as usize, size.height as usize);

            let mut displays = [width, width + 5].map(|stride| {
                let pixels = vec![UNTOUCHED; stride * height];
                (Screen::new(), stride, pixels)
            });
            // All of it, and then what a few changed pages show: side by side, and alone.
            let mut words = vec![u64::MAX; guest.vga.vram().dirty_words()];
            for round in 0..3 {
                let drawn = displays.each_mut().map(|(screen, stride, pixels)| {
                    let surface = Surface::new(pixels, *stride);
                    let dirty = Dirty::Pages(&words);
                    let (vram, now) = (guest.vga.vram(), Duration::ZERO);
                    let damage = screen.refresh(&scanout, vram, dirty, now, surface);
                    let lines = pixels.chunks(*stride).flat_map(|line| &line[..width]);
                    let picture: Vec<u32> = lines.copied().collect();
                    (damage.expect("room").rects().to_vec(), picture)
                });
                let [joined, alone] = drawn;
                assert_eq!(
                    joined.0, alone.0,
                    "{bpp} bpp from line {first_line}, round {round}"
                );
                assert!(
                    joined.1 == alone.1,
                    "{bpp} bpp from line {first_line}, round {round}: other pixels"
                );
                words.fill(0);
                let mut changed = [0; 4000];
                rng.fill_bytes(&mut changed);
                for page in [3, 4, 5, 9, 18] {
                    let first = u64::from(256 * bytes * u32::from(first_line) / 4096);
                    guest.vram_write(4096 * (first + page) + 17, &changed);
                }
                words.copy_from_slice(&guest.take_dirty());
            }
        }
    }
}
