// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Refreshes where nothing changed, or little.

use std::hint::black_box;

use stdvga::{Dirty, Kernels};
use stdvga_testing::driver::Guest;

use super::Measure;
use super::display::Display;

/// Bytes of VRAM that a character takes: one in each plane.
const PLANES: usize = 4;

pub fn measure(to: &mut impl Measure) {
    nothing(to);
    one_line(to);
    text(to);
    shown_from_vram(to);
}

fn planar(guest: &mut Guest) {
    guest.planar_mode(640, 480);
}

fn vbe_32(guest: &mut Guest) {
    guest.vbe_mode(1920, 1080, 32);
}

fn display(set_mode: fn(&mut Guest)) -> Display {
    let mut guest = Guest::with_vram(16);
    set_mode(&mut guest);
    Display::new(guest, Kernels::Detected)
}

/// The screen of a guest that wrote VRAM, and the marks of that.
fn written(set_mode: fn(&mut Guest), offset: u64, data: &[u8]) -> (Display, Vec<u64>) {
    let mut display = display(set_mode);
    display.guest.vga.vram().write(offset, data);
    let words = display.take_dirty();
    (display, words)
}

fn nothing(to: &mut impl Measure) {
    let modes: [(_, fn(&mut Guest)); 3] = [
        ("idle/text", Guest::mode_03h),
        ("idle/planar", planar),
        ("idle/1080p", vbe_32),
    ];
    for (name, set_mode) in modes {
        to.measure(name, || {
            let (mut display, words) = written(set_mode, 0, &[]);
            move || {
                black_box(display.refresh(Dirty::Pages(black_box(&words))));
            }
        });
    }
    to.measure("compare_1080p", || {
        let mut display = display(vbe_32);
        move || {
            black_box(display.refresh(Dirty::Compare));
        }
    });
}

fn one_line(to: &mut impl Measure) {
    let lines: [(_, fn(&mut Guest), _); 2] = [
        ("one_line_1080p", vbe_32, 1920 * 4),
        ("one_line_planar", planar, 80 * 4),
    ];
    for (name, set_mode, bytes) in lines {
        to.measure(name, || {
            let offset = 100 * bytes as u64;
            let (mut display, words) = written(set_mode, offset, &vec![0x5a; bytes]);
            move || {
                black_box(display.refresh(Dirty::Pages(black_box(&words))));
            }
        });
    }
}

/// Cells are drawn only where they differ from what was there. So they're written in every round.
fn text(to: &mut impl Measure) {
    for (name, cells) in [("one_text_row", 80), ("one_text_cell", 1)] {
        to.measure(name, || {
            let offset = 10 * 80 * PLANES as u64;
            let mut old = vec![0; cells * PLANES];
            let mut display = display(Guest::mode_03h);
            display.guest.vga.vram().read(offset, &mut old);
            let mut new = old.clone();
            // Fonts lie in the planes behind these.
            for [character, attribute, ..] in new.as_chunks_mut::<PLANES>().0 {
                *character ^= 0xff;
                *attribute ^= 0xff;
            }
            let mut write = move |display: &Display| {
                display.guest.vga.vram().write(offset, &new);
                std::mem::swap(&mut old, &mut new);
            };
            write(&display);
            let words = display.take_dirty();
            move || {
                write(&display);
                black_box(display.refresh(Dirty::Pages(black_box(&words))));
            }
        });
    }
}

fn shown_from_vram(to: &mut impl Measure) {
    to.measure("scanout_only", || {
        let (display, words) = written(vbe_32, 100 * 1920 * 4, &[0x5a; 1920 * 4]);
        move || {
            let scanout = display.guest.vga.scanout();
            let direct = scanout.direct(display.guest.vga.vram());
            black_box(direct.map(|direct| direct.damage(black_box(&words))));
        }
    });
}
