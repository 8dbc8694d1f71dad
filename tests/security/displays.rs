// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Pictures that would reach beyond VRAM.

use stdvga::{Config, Dirty, Variant};
use stdvga_testing::driver::*;

use crate::{Canary, expect_one_color, guest};

/// CVE-2014-3615: sizes and offsets that VRAM can't hold showed the host's memory.
#[test]
fn cve_2014_3615_a_dispi_mode_never_reaches_beyond_vram() {
    for bpp in [4, 8, 15, 16, 24, 32] {
        for (width, height) in [(16_000, 12_000), (65_535, 65_535), (8, 12_000), (16_000, 1)] {
            for is_enabled_first in [false, true] {
                let (canary, mut guest) = guest();
                if is_enabled_first {
                    guest.vbe_mode(64, 64, bpp);
                }
                for (register, value) in [
                    (BPP, bpp),
                    (XRES, width),
                    (YRES, height),
                    (VIRT_WIDTH, 16_000),
                    (X_OFFSET, 16_000),
                    (Y_OFFSET, 12_000),
                    (ENABLE, ENABLED),
                    (VIRT_WIDTH, 16_000),
                    (X_OFFSET, 16_000),
                    (Y_OFFSET, 12_000),
                ] {
                    guest.dispi(register, value);
                }
                guest.unblank();
                let mode = guest.graphics_mode();
                let end = u64::from(mode.layout.start)
                    + u64::from(mode.layout.pitch) * u64::from(mode.size.height);
                assert!(end <= 1 << 20, "{mode:?} ends at {end:#x}");
                expect_one_color(&mut guest);
                canary.expect_zeros(&guest);
                canary.expect_untouched();
            }
        }
    }
}

/// CVE-2016-3712: a DISPI mode's VGA registers were reprogrammed behind its back.
#[test]
fn cve_2016_3712_registers_under_a_dispi_mode_dont_make_it_larger() {
    for bpp in [4, 8, 16, 24, 32] {
        for value in [0x00, 0x40, 0xff] {
            let (canary, mut guest) = guest();
            guest.vbe_mode(1024, 1024, bpp);
            let before = guest.graphics_mode();
            guest.crtc(VERTICAL_RETRACE_END, 0x00);
            for index in [
                HORIZONTAL_DISPLAY_END,
                OVERFLOW,
                MAXIMUM_SCAN_LINE,
                START_ADDRESS_HIGH,
                START_ADDRESS_LOW,
                VERTICAL_DISPLAY_END,
                OFFSET,
                MODE_CONTROL,
                LINE_COMPARE,
            ] {
                guest.crtc(index, value);
            }
            for index in [GRAPHICS_MODE, MISCELLANEOUS] {
                guest.graphics(index, value);
            }
            for index in [CLOCKING_MODE, MAP_MASK, MEMORY_MODE] {
                guest.sequencer(index, value);
            }
            let after = guest.graphics_mode();
            assert_eq!((after.size, after.layout), (before.size, before.layout));
            expect_one_color(&mut guest);
            canary.expect_zeros(&guest);
            canary.expect_untouched();
        }
    }
}

/// CVE-2017-13672: a VGA mode whose lines span 2 MiB was read beyond VRAM.
#[test]
fn cve_2017_13672_lines_far_apart_wrap() {
    let shift_modes = [0x00, SHIFT_CGA, SHIFT_256];
    for (shift_mode, clocking) in shift_modes
        .into_iter()
        .flat_map(|mode| [(mode, EIGHT_DOTS), (mode, EIGHT_DOTS | DOT_CLOCK_HALF)])
    {
        let (canary, mut guest) = guest();
        guest.planar_mode(640, 480);
        guest.graphics(GRAPHICS_MODE, shift_mode);
        guest.sequencer(CLOCKING_MODE, clocking);
        guest.crtc_mode(79, 1023, 0xff, 0x40, 0xe3);
        guest.start_address(0xffff);
        expect_one_color(&mut guest);
        canary.expect_zeros(&guest);
        canary.expect_untouched();
    }
}

/// CVE-2017-13673: a partial refresh of a split screen failed an assertion.
#[test]
fn cve_2017_13673_a_split_screen_is_refreshed_in_parts() {
    for split in [0, 1, 100, 199] {
        let (canary, mut guest) = guest();
        guest.planar_mode(640, 200);
        guest.start_address(0xff00);
        guest.split(split);
        expect_one_color(&mut guest);
        canary.expect_untouched();
    }
}

/// CVE-2018-5683: text in the last rows was read beyond VRAM.
#[test]
fn cve_2018_5683_rows_of_text_end_with_vram() {
    for offset in [0, 1, 0x80, 0xff] {
        for last_column in [1, 15, 79] {
            let (canary, mut guest) = guest();
            guest.mode_03h();
            let last_line = if last_column == 79 { 199 } else { 999 };
            guest.crtc_mode(last_column, last_line, offset, 0x00, 0xa3);
            guest.start_address(0xffff);
            let mut monitor = Monitor::default();
            for dirty in [Dirty::All, Dirty::Compare, Dirty::Pages(&[u64::MAX; 4])] {
                monitor.refresh_where(&mut guest, dirty, 0);
            }
            // Cells past the end aren't drawn: a new surface is black there. Character 0 has no dots.
            let black = guest.vga.scanout().palette()[0];
            let shown: Vec<u32> = monitor.pixels.iter().copied().filter(|p| *p != 0).collect();
            assert!(
                !shown.is_empty() && shown.iter().all(|pixel| *pixel == black),
                "{shown:x?}"
            );
            canary.expect_zeros(&guest);
            canary.expect_untouched();
        }
    }
}

/// CVE-2018-7858: the end of the region that a partial refresh looked at was wrong.
#[test]
fn cve_2018_7858_partial_refreshes_look_at_pages_that_are_there() {
    for bpp in [4, 8, 15, 16, 24, 32] {
        for virtual_width in [0, 1000, 16_000] {
            let (canary, mut guest) = guest();
            guest.vbe_mode(800, 12_000, bpp);
            guest.dispi(VIRT_WIDTH, virtual_width);
            guest.dispi(Y_OFFSET, 7);
            expect_one_color(&mut guest);
            guest.dispi(ENABLE, 0);
            guest.start_address(0xfff0);
            expect_one_color(&mut guest);
            canary.expect_untouched();
        }
    }
}

/// CVE-2026-17516: QEMU 10.0 writes past the end of a row's buffer here.
#[test]
fn cve_2026_17516_a_panned_picture_follows_text_of_as_many_cells_as_it_has_pixels() {
    let (canary, mut guest) = guest();
    guest.misc_output(0x67);
    guest.sequencer(CLOCKING_MODE, EIGHT_DOTS);
    guest.graphics(MISCELLANEOUS, TEXT_B8000_32K);
    guest.crtc_mode(39, 7, 0, 0x00, 0xe3);
    guest.palette_16();
    guest.unblank();
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.dimensions(), (40 * 8, 8), "40x8 characters");

    guest.graphics(MISCELLANEOUS, MAP_A0000_128K);
    guest.graphics(GRAPHICS_MODE, 0x00);
    guest.crtc(HORIZONTAL_DISPLAY_END, 4);
    guest.attribute(PIXEL_PANNING, 3);
    guest.unblank();
    guest.vram_write(0, &[0b0001_0000, 0, 0, 0, 0b0010_0000]);
    let words = guest.take_dirty();
    monitor.refresh_where(&mut guest, Dirty::Pages(&words), 0);
    assert_eq!(monitor.dimensions(), (40, 8));
    let lit = |x: u32| monitor.pixel(x, 7) != monitor.pixel(20, 7);
    assert_eq!(
        (0..40).filter(|x| lit(*x)).collect::<Vec<_>>(),
        [0, 7],
        "the fourth pixel comes first"
    );
    canary.expect_untouched();
}

/// It has no number: QEMU before 9.1 cleared VRAM when a screen that showed VRAM itself went blank.
#[test]
fn a_blank_screen_leaves_vram_alone() {
    for variant in [Variant::Vga, Variant::SecondaryVga, Variant::IsaVga] {
        let (canary, mut guest) = Canary::guest(Config::new(variant));
        let set = |guest: &mut Guest, register, value| match variant {
            Variant::SecondaryVga => guest.mmio_dispi(register, value),
            _ => guest.dispi(register, value),
        };
        for (register, value) in [(XRES, 64), (YRES, 64), (BPP, 32), (ENABLE, ENABLED)] {
            set(&mut guest, register, value);
        }
        let pixels = vec![0x42; 64 * 64 * 4];
        guest.vram_write(0, &pixels);
        let mut monitor = Monitor::default();
        for palette_address_source in [PALETTE_ADDRESS_SOURCE, 0x00] {
            match variant {
                Variant::SecondaryVga => guest.mmio_outb(ATTRIBUTE, palette_address_source),
                _ => {
                    guest.inb(INPUT_STATUS_1);
                    guest.outb(ATTRIBUTE, palette_address_source);
                }
            }
            monitor.refresh(&mut guest, 0);
        }
        let mut after = vec![0; pixels.len()];
        guest.vga.vram().read(0, &mut after);
        assert!(after == pixels, "VRAM of {variant:?} changed");
        canary.expect_untouched();
    }
}
