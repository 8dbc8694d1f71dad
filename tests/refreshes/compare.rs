// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Where nothing is known of dirty pages, what's visible is compared.

use stdvga::{Dirty, Variant};
use stdvga_testing::driver::{Guest, Monitor};

use super::{drawn_by, rect};

fn shown(set_mode: impl FnOnce(&mut Guest)) -> (Guest, Monitor) {
    let mut guest = Guest::new(Variant::Vga);
    set_mode(&mut guest);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    (guest, monitor)
}

#[test]
fn a_changed_byte_draws_its_line() {
    type SetMode = fn(&mut Guest);
    let modes: [(SetMode, u64, _); 4] = [
        (
            |guest| guest.vbe_mode(64, 64, 32),
            64 * 4 * 9,
            rect(0, 9, 64, 1),
        ),
        (
            |guest| guest.vbe_mode(64, 64, 8),
            64 * 9 + 63,
            rect(0, 9, 64, 1),
        ),
        (Guest::mode_13h, 320 * 9, rect(0, 18, 640, 2)),
        (
            |guest| guest.planar_mode(640, 480),
            80 * 4 * 9,
            rect(0, 9, 640, 1),
        ),
    ];
    for (set_mode, address, lines) in modes {
        let (mut guest, mut monitor) = shown(set_mode);
        guest.vram_write(address, &[0x5a]);
        assert_eq!(
            drawn_by(&mut monitor, &mut guest, Dirty::Compare, 0),
            (Some(lines), vec![lines])
        );
        assert_eq!(
            drawn_by(&mut monitor, &mut guest, Dirty::Compare, 0),
            (None, vec![]),
            "once"
        );
    }
}

#[test]
fn what_was_written_with_what_it_held_isnt_drawn() {
    let (mut guest, mut monitor) = shown(|guest| guest.vbe_mode(64, 64, 32));
    guest.vram_write(0, &[0; 256]);
    assert_eq!(
        drawn_by(&mut monitor, &mut guest, Dirty::Compare, 0),
        (None, vec![])
    );
}

#[test]
fn a_changed_cell_and_a_changed_glyph_are_seen() {
    let (mut guest, mut monitor) = shown(Guest::mode_03h);
    guest.vram_write(4 * 81, b"A\x1f");
    let cell = rect(9, 16, 9, 16);
    assert_eq!(
        drawn_by(&mut monitor, &mut guest, Dirty::Compare, 0),
        (Some(cell), vec![cell])
    );
    guest.load_glyph(0xff, &[0x7e]);
    let whole = rect(0, 0, 720, 400);
    assert_eq!(
        drawn_by(&mut monitor, &mut guest, Dirty::Compare, 0),
        (Some(whole), vec![whole])
    );
}

#[test]
fn comparing_starts_anew_after_a_refresh_that_didnt_compare() {
    let every_page = [u64::MAX; 64];
    for other in [Dirty::Pages(&every_page), Dirty::All] {
        let (mut guest, mut monitor) = shown(|guest| guest.vbe_mode(64, 64, 32));
        guest.vram_write(0, &[1]);
        monitor.refresh_where(&mut guest, other, 0);
        guest.vram_write(0, &[0]);
        monitor.refresh(&mut guest, 0);
        assert_eq!(monitor.pixel(0, 0), 0, "as it was when last compared");
        assert_eq!(
            drawn_by(&mut monitor, &mut guest, Dirty::Compare, 0),
            (None, vec![])
        );
    }
}
