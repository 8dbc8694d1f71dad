// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Saving and restoring VRAM leaves memory alone that nobody touched. The only test of its process, for it
//! looks at how much memory that has.
#![cfg(target_os = "linux")]

use std::fs;

use stdvga::{Config, DirtyBitmap, StdVga};

/// How much memory of its own this process has, in KiB.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the status of this process");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse().ok())
        .expect("RssAnon in KiB")
}

#[test]
fn private_vram_that_nobody_touched_stays_out_of_memory() {
    const MIB: u32 = 512;
    let vga = StdVga::new(Config::default().vram_mib(MIB)).expect("a valid configuration");
    let before = resident_kib();
    let last = u64::from(MIB) * 256 - 1;
    for (page, value) in [(0, 1), (0x1_2345, 2), (last, 3)] {
        vga.vram()
            .write(page * DirtyBitmap::PAGE_SIZE as u64, &[value]);
    }
    let found: Vec<_> = vga.vram().nonzero_pages().map(|(page, _)| page).collect();
    assert_eq!(found, [0, 0x1_2345, last]);
    let page = |value| vec![value; DirtyBitmap::PAGE_SIZE];
    let restored = vga.vram().restore_pages([(1, page(4)), (last, page(5))]);
    restored.expect("two pages of VRAM");

    let grown = resident_kib().saturating_sub(before);
    // Pages may be huge ones of 2 MiB.
    assert!(
        grown < 16 << 10,
        "{grown} KiB came into memory, and four pages were written"
    );
}
