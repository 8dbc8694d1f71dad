// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What is drawn on a surface that doesn't hold the picture before, while no mode is drawn.

use stdvga::{Dirty, Variant};

use super::driver::{Guest, Monitor, OVERFLOW, VERTICAL_DISPLAY_END};
use super::{drawn_by, rect};

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
