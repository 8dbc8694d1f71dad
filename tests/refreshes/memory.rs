// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What memory refreshes need: some for the first of a mode, and none after it.

use stdvga::{Dirty, Variant};
use stdvga_testing::driver::{Guest, Monitor};

#[test]
fn a_refresh_allocates_nothing_after_the_first_of_a_mode() {
    type SetMode = fn(&mut Guest);
    let modes: [(&str, SetMode); 5] = [
        ("mode 03h", Guest::mode_03h),
        ("mode 13h", Guest::mode_13h),
        ("planar", |guest| guest.planar_mode(640, 480)),
        ("8 bpp", |guest| guest.vbe_mode(640, 480, 8)),
        ("32 bpp", |guest| guest.vbe_mode(640, 480, 32)),
    ];
    for (mode, set_mode) in modes {
        let mut guest = Guest::new(Variant::Vga);
        set_mode(&mut guest);
        let every_page = vec![u64::MAX; guest.vga.vram().dirty_words()];
        for dirty in [Dirty::All, Dirty::Compare, Dirty::Pages(&every_page)] {
            let mut monitor = Monitor::default();
            monitor.refresh_where(&mut guest, dirty, 0);
            let allocated = allocation_counter::measure(|| {
                for milliseconds in [100, 1000] {
                    guest.vram_write(0, &[1, 2, 3, milliseconds as u8]);
                    monitor.refresh_where(&mut guest, dirty, milliseconds);
                }
            });
            assert_eq!(allocated.count_total, 0, "{mode}, {dirty:?}");
        }
    }
}

#[test]
fn text_whose_rows_lie_far_apart_takes_little_more_than_2_mib() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_03h();
    // As many rows as there can be, as far from each other as they can be.
    guest.crtc_mode(14, 1023, 255, 0x00, 0xa3);
    guest.expect_mode("text 15x1024 (135x1024)");
    let scanout = guest.vga.scanout();
    let mut monitor = Monitor::default();
    let size = monitor.screen.size(&scanout);
    monitor.size = Some(size);
    monitor.pixels = vec![0; size.pixels() as usize];
    let allocated = allocation_counter::measure(|| {
        monitor.refresh_where(&mut guest, Dirty::Compare, 0);
    });
    assert!(
        allocated.bytes_max < 5 << 19,
        "{} bytes",
        allocated.bytes_max
    );
}
