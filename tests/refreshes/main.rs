// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a refresh draws, and what it says that it drew.
//!
//! - `pages.rs`: what is drawn where dirty pages are known
//! - `text.rs`: what is drawn of a text screen
//! - `compare.rs`: what is drawn where VRAM is compared
//! - `lost.rs`: what is drawn on a surface that lost its picture, while no mode is drawn
//! - `memory.rs`: that a refresh needs no new memory
//! - `direct.rs`: pictures that need no drawing
//! - `random.rs`: whatever a guest does, and wherever changes are known from, the surface ends up as if all
//!   of it had been drawn

mod compare;
mod direct;
mod lost;
mod memory;
mod pages;
mod random;
mod text;

use stdvga::{Dirty, Rect, Size, Variant};
use stdvga_testing::driver::{Guest, Monitor, UNTOUCHED};

fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
    Rect {
        x,
        y,
        size: Size { width, height },
    }
}

/// A guest in a mode, and a monitor that shows it and took note of all pages written so far.
fn shown(set_mode: impl FnOnce(&mut Guest)) -> (Guest, Monitor) {
    let mut guest = Guest::new(Variant::Vga);
    set_mode(&mut guest);
    let mut monitor = Monitor::default();
    let words = guest.take_dirty();
    monitor.refresh_where(&mut guest, Dirty::Pages(&words), 0);
    (guest, monitor)
}

/// The smallest rectangle around the pixels that a refresh drew, and the damage that it told.
fn drawn_by(
    monitor: &mut Monitor,
    guest: &mut Guest,
    dirty: Dirty<'_>,
    milliseconds: u64,
) -> (Option<Rect>, Vec<Rect>) {
    monitor.pixels.fill(UNTOUCHED);
    let damage = monitor.refresh_where(guest, dirty, milliseconds);
    let (width, _) = monitor.dimensions();
    let mut drawn: Option<[u32; 4]> = None;
    for (at, pixel) in (0..).zip(&monitor.pixels) {
        if *pixel != UNTOUCHED {
            let (x, y) = (at % width, at / width);
            let [left, top, right, bottom] = drawn.unwrap_or([x, y, x, y]);
            drawn = Some([left.min(x), top.min(y), right.max(x), bottom.max(y)]);
        }
    }
    let drawn =
        drawn.map(|[left, top, right, bottom]| rect(left, top, right - left + 1, bottom - top + 1));
    (drawn, damage.rects().to_vec())
}

/// The same where the pages that were written are known.
fn drawn_by_pages(monitor: &mut Monitor, guest: &mut Guest) -> (Option<Rect>, Vec<Rect>) {
    let words = guest.take_dirty();
    drawn_by(monitor, guest, Dirty::Pages(&words), 0)
}
