// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What guests have done to such devices: each vulnerability that QEMU's had is a test here, by its name.
//!
//! VRAM has 1 MiB, and lies between memory that holds another byte ([`canary`]). Reading beyond VRAM shows as that
//! byte, or as a picture that isn't of one colour though all of VRAM is zeros; writing beyond it is found
//! afterwards.
#![cfg(target_os = "linux")]

mod canary;
mod displays;
mod inputs;
#[cfg(feature = "memfd")]
mod sealed_memfd;
mod shared_memory;
mod window;

use stdvga::{Config, Dirty};
use stdvga_testing::driver::*;

use canary::Canary;

fn guest() -> (Canary, Guest) {
    let (canary, mut guest) = Canary::guest(Config::default());
    guest.misc_output(COLOR_ADDRESSES);
    // No index that leads elsewhere looks like index 0.
    guest.palette_16();
    for index in 1..=255 {
        guest.dac(index, [0x20 | index >> 3, index & 0x3f, index >> 6]);
    }
    (canary, guest)
}

/// Draws the whole picture, and then it again for each page that may be marked. Fails where it isn't of one
/// colour: where it shows what isn't in VRAM.
#[track_caller]
fn expect_one_color(guest: &mut Guest) {
    let mut monitor = Monitor::default();
    monitor.refresh_where(guest, Dirty::All, 0);
    let first = monitor.pixel(0, 0);
    let is_first = |monitor: &Monitor| monitor.pixels.iter().all(|pixel| *pixel == first);
    let mode = guest.vga.scanout().mode().to_string();
    assert!(
        is_first(&monitor),
        "a picture of {mode} isn't of one colour"
    );

    for source in pages() {
        monitor.refresh_where(guest, Dirty::Pages(&source), 0);
        assert!(
            is_first(&monitor),
            "a picture of {mode} isn't of one colour any more after {source:x?}"
        );
    }
    monitor.refresh_where(guest, Dirty::Compare, 0);
    assert!(is_first(&monitor), "a picture of {mode}, compared");
}

/// Dirty words of 1 MiB: with one page marked at either end of each word, and all.
fn pages() -> Vec<[u64; 4]> {
    let mut all = vec![[u64::MAX; 4]];
    for word in 0..4 {
        for page in [0, 1, 31, 63] {
            let mut words = [0; 4];
            words[word] = 1 << page;
            all.push(words);
        }
    }
    all
}
