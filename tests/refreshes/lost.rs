// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What is drawn on a surface that lost its picture: it's a new one, or a picture was shown otherwise.

use stdvga::{Dirty, Variant};
use stdvga_testing::driver::{Guest, Monitor, OVERFLOW, VERTICAL_DISPLAY_END};

use super::{drawn_by, rect, shown};

/// Text of no rows, which isn't drawn.
fn impossible_text(guest: &mut Guest) {
    guest.mode_03h();
    guest.crtc(VERTICAL_DISPLAY_END, 0);
    guest.crtc(OVERFLOW, 0);
}

#[test]
fn a_black_picture_is_drawn_on_a_surface_that_holds_nothing() {
    type Steps = &'static [fn(&mut Guest)];
    let ways: [(&str, Steps, (u32, u32)); 5] = [
        ("before any mode", &[|_| {}], (640, 480)),
        (
            "impossible text before any mode",
            &[impossible_text],
            (640, 480),
        ),
        ("blank", &[Guest::mode_03h, Guest::blank], (720, 400)),
        (
            "blank, and reset",
            &[Guest::mode_13h, Guest::blank, Guest::reset],
            (640, 400),
        ),
        (
            "blank, and impossible text",
            &[Guest::mode_13h, Guest::blank, impossible_text],
            (640, 400),
        ),
    ];
    for (way, steps, (width, height)) in ways {
        let mut guest = Guest::new(Variant::Vga);
        let mut monitor = Monitor::default();
        for step in steps {
            step(&mut guest);
            monitor.refresh(&mut guest, 0);
        }
        let whole = rect(0, 0, width, height);
        for _ in 0..2 {
            assert_eq!(
                drawn_by(&mut monitor, &mut guest, Dirty::All, 0),
                (Some(whole), vec![whole]),
                "{way}"
            );
            let lit = monitor.pixels.iter().position(|pixel| *pixel != 0);
            assert_eq!(lit, None, "{way}: the first pixel that isn't black");
        }
        assert_eq!(
            drawn_by(&mut monitor, &mut guest, Dirty::Compare, 0),
            (None, vec![]),
            "{way}: it's black already"
        );
    }
}

/// What knows of no change.
const UNCHANGED: [Dirty<'_>; 2] = [Dirty::Pages(&[0; 64]), Dirty::Compare];

#[test]
fn a_picture_that_was_shown_directly_stays_after_a_reset_and_follows_vram() {
    for dirty in UNCHANGED {
        let (mut guest, mut monitor) = shown(Guest::mode_03h);
        guest.vbe_mode(1024, 768, 32);
        monitor.skip(&mut guest, 0);
        guest.vram_write(4096 * 5, &[1, 2, 3, 0]);
        guest.reset();
        let whole = rect(0, 0, 1024, 768);
        assert_eq!(
            drawn_by(&mut monitor, &mut guest, dirty, 0),
            (Some(whole), vec![whole]),
            "{dirty:?}"
        );
        assert_eq!(monitor.dimensions(), (1024, 768), "{dirty:?}");
        let lit: Vec<u32> = monitor.pixels.iter().copied().filter(|p| *p != 0).collect();
        assert_eq!(
            lit,
            [0x03_02_01],
            "{dirty:?}: VRAM has one pixel, and the text is gone"
        );
        assert_eq!(monitor.pixel(0, 5), 0x03_02_01, "{dirty:?}");

        guest.take_dirty();
        guest.vram_write(4096 * 7, &[1]);
        let words = guest.take_dirty();
        let line = rect(0, 7, 1024, 1);
        assert_eq!(
            drawn_by(&mut monitor, &mut guest, Dirty::Pages(&words), 0),
            (Some(line), vec![line]),
            "{dirty:?}"
        );
    }
}

#[test]
fn nothing_is_left_of_a_skipped_picture_that_vram_doesnt_hold_as_it_shows() {
    type SetMode = fn(&mut Guest);
    let skipped: [(&str, SetMode, SetMode, (u32, u32)); 4] = [
        (
            "a reset",
            |guest| guest.vbe_mode(1600, 1200, 8),
            Guest::reset,
            (1600, 1200),
        ),
        ("a reset", Guest::mode_13h, Guest::reset, (640, 400)),
        ("a reset", Guest::mode_03h, Guest::reset, (720, 400)),
        (
            "impossible text",
            |guest| guest.planar_mode(640, 480),
            impossible_text,
            (640, 480),
        ),
    ];
    for (what, set_mode, end, (width, height)) in skipped {
        for dirty in UNCHANGED {
            let (mut guest, mut monitor) = shown(Guest::mode_03h);
            guest.write_cell(0, 0, b'A', 0xff);
            monitor.refresh(&mut guest, 0);
            set_mode(&mut guest);
            monitor.skip(&mut guest, 0);
            end(&mut guest);
            let whole = rect(0, 0, width, height);
            assert_eq!(
                drawn_by(&mut monitor, &mut guest, dirty, 0),
                (Some(whole), vec![whole]),
                "{width}x{height}, {what}, {dirty:?}"
            );
            let lit = monitor.pixels.iter().position(|pixel| *pixel != 0);
            assert_eq!(
                lit, None,
                "{width}x{height}, {what}, {dirty:?}: the first pixel that isn't black"
            );
        }
    }
}

#[test]
fn what_comes_after_a_skipped_picture_is_drawn_whole() {
    type SetMode = fn(&mut Guest);
    let direct: SetMode = |guest| guest.vbe_mode(640, 480, 32);
    let indexed: SetMode = |guest| guest.vbe_mode(640, 480, 8);
    let ways: [(&str, SetMode, SetMode); 6] = [
        ("direct, text", direct, Guest::mode_03h),
        ("direct, graphics", direct, Guest::mode_13h),
        ("direct, blank", direct, Guest::blank),
        ("direct, the same", direct, |_| {}),
        ("indexed, text", indexed, Guest::mode_03h),
        ("indexed, the same", indexed, |_| {}),
    ];
    for (way, set_skipped, set_mode) in ways {
        for dirty in UNCHANGED {
            let (mut guest, mut monitor) = shown(set_mode);
            set_skipped(&mut guest);
            monitor.skip(&mut guest, 0);
            set_mode(&mut guest);
            let drawn = drawn_by(&mut monitor, &mut guest, dirty, 0);
            let (width, height) = monitor.dimensions();
            let whole = rect(0, 0, width, height);
            assert_eq!(drawn, (Some(whole), vec![whole]), "{way}, {dirty:?}");
            let mut all = Monitor::default();
            all.refresh(&mut guest, 0);
            assert!(
                (all.size, &all.pixels) == (monitor.size, &monitor.pixels),
                "{way}, {dirty:?}: other pixels"
            );
        }
    }
}

#[test]
fn a_skipped_picture_is_no_refresh() {
    let (mut guest, mut monitor) = shown(Guest::mode_03h);
    monitor.skip(&mut guest, 0);
    assert_eq!(monitor.screen.refreshes(), 1);
}
