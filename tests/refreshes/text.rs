// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What is drawn of a text screen.

use stdvga::Dirty;
use stdvga_testing::driver::{CHARACTER_MAP_SELECT, Guest, Monitor};

use super::{drawn_by_pages, rect, shown};

/// VRAM bytes of a cell, and of a row of mode 03h.
const CELL: u64 = 4;
const ROW: u64 = 80 * CELL;
/// A font's bytes of VRAM.
const FONT: u64 = 0x8000;

#[test]
fn a_row_that_lies_in_two_pages_is_drawn_as_one() {
    let (mut guest, mut monitor) = shown(Guest::mode_03h);
    assert!((12 * ROW..13 * ROW).contains(&4096), "row 12 lies in both");
    guest.vram_write(4096 - CELL, &[b'A', 0x1f, 0, 0, b'B', 0x1f, 0, 0]);
    let column = ((4096 - CELL - 12 * ROW) / CELL) as u32;
    let cells = rect(9 * column, 12 * 16, 18, 16);
    assert_eq!(
        drawn_by_pages(&mut monitor, &mut guest),
        (Some(cells), vec![cells])
    );
}

#[test]
fn a_cell_that_shows_twice_is_drawn_twice() {
    let (mut guest, mut monitor) = shown(|guest| {
        guest.mode_03h();
        // Rows from 4 on show again what the first ones do.
        guest.split(4 * 16);
    });
    guest.vram_write(2 * ROW, &[b'A', 0x1f]);
    let (_, damage) = drawn_by_pages(&mut monitor, &mut guest);
    assert_eq!(damage, [rect(0, 2 * 16, 9, 16), rect(0, 6 * 16, 9, 16)]);
}

#[test]
fn cells_far_apart_are_drawn_alone() {
    let (mut guest, mut monitor) = shown(Guest::mode_03h);
    guest.vram_write(0, &[b'A', 0x1f]);
    guest.vram_write(70 * CELL, &[b'A', 0x1f]);
    guest.vram_write(24 * ROW, &[b'A', 0x1f]);
    let (_, damage) = drawn_by_pages(&mut monitor, &mut guest);
    assert_eq!(
        damage,
        [
            rect(0, 0, 9, 16),
            rect(70 * 9, 0, 9, 16),
            rect(0, 24 * 16, 9, 16)
        ]
    );
}

#[test]
fn what_doesnt_show_draws_nothing() {
    let (mut guest, mut monitor) = shown(Guest::mode_03h);
    guest.vram_write(3, &[1]);
    assert_eq!(
        drawn_by_pages(&mut monitor, &mut guest),
        (None, vec![]),
        "plane 3"
    );
    guest.vram_write(25 * ROW, &[b'A', 0x1f]);
    assert_eq!(
        drawn_by_pages(&mut monitor, &mut guest),
        (None, vec![]),
        "past the last row"
    );
    guest.vram_write(FONT + 2, &[1]);
    assert_eq!(
        drawn_by_pages(&mut monitor, &mut guest),
        (None, vec![]),
        "a font that isn't in use"
    );
}

#[test]
fn a_changed_glyph_of_the_second_font_draws_the_text_anew() {
    let (mut guest, mut monitor) = shown(|guest| {
        guest.mode_03h();
        // Attribute bit 3 selects the font behind the first.
        guest.sequencer(CHARACTER_MAP_SELECT, 0x20);
    });
    guest.vram_write(FONT + 2, &[1]);
    let whole = rect(0, 0, 720, 400);
    assert_eq!(
        drawn_by_pages(&mut monitor, &mut guest),
        (Some(whole), vec![whole])
    );
}

/// The one case in which refreshes of what changed don't end with the pixels that drawing all gives.
#[test]
fn cells_past_the_end_of_vram_keep_their_pixels_until_all_is_drawn() {
    for dirty in [Dirty::Pages(&[0; 4]), Dirty::Compare] {
        let mut guest = Guest::with_vram(1);
        guest.mode_03h();
        // 1024 rows of one line, 2040 bytes apart: they pass 1 MiB. The last one shows byte 0.
        guest.crtc_mode(7, 1023, 255, 0x40, 0xa3);
        guest.vram_write(0, &[b' ', 0x1f].repeat(1 << 19));
        let mut monitor = Monitor::default();
        let mut rows_shown = |guest: &mut Guest, dirty| {
            monitor.refresh_where(guest, dirty, 0);
            (0..1024).filter(|y| monitor.pixel(0, *y) != 0).count()
        };
        assert_eq!(rows_shown(&mut guest, dirty), 516, "{dirty:?}");
        // Fewer rows of the same screen lie in VRAM.
        guest.start_address(0xffff);
        assert_eq!(rows_shown(&mut guest, dirty), 516, "{dirty:?}");
        assert_eq!(
            rows_shown(&mut guest, Dirty::All),
            387,
            "{dirty:?}, then all"
        );
    }
}
