// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Accesses to the 0xa0000 window that would reach beyond VRAM.

use stdvga_testing::driver::*;

use crate::canary::CANARY;
use crate::guest;

/// CVE-2016-3710: banks led addresses of the window beyond VRAM.
#[test]
fn cve_2016_3710_a_bank_doesnt_lead_beyond_vram() {
    let set_ups: [fn(&mut Guest); 5] = [
        |_| {},
        |guest| guest.graphics(GRAPHICS_MODE, HOST_ODD_EVEN),
        |guest| guest.sequencer(MEMORY_MODE, 0x00),
        |guest| {
            guest.sequencer(MAP_MASK, 0x07);
            guest.sequencer(MEMORY_MODE, CHAIN_4 | ODD_EVEN_OFF);
        },
        |guest| guest.sequencer(MEMORY_MODE, CHAIN_4 | ODD_EVEN_OFF),
    ];
    for (number, set_up) in set_ups.into_iter().enumerate() {
        for memory_map in 0..4 {
            let (canary, mut guest) = guest();
            guest.planar_mode(640, 480);
            set_up(&mut guest);
            guest.graphics(MISCELLANEOUS, memory_map << 2 | 1);
            for bank in [0, 3, 4, 8, 15, 16, 0xffff] {
                guest.dispi(BANK, bank);
                for offset in [
                    0, 0x7fff, 0x8000, 0xfffc, 0xffff, 0x1_0000, 0x1_fff8, 0x1_ffff,
                ] {
                    let read: [u8; 8] = guest.window_read(offset);
                    assert!(
                        !read.contains(&CANARY),
                        "{offset:#x} of the window reads {read:x?}: set-up {number}, bank {bank}"
                    );
                    guest.window_write(offset, &[0x42; 8]);
                }
            }
            canary.expect_untouched();
        }
    }
}

/// Long accesses are cut where the window, and VRAM, end.
#[test]
fn a_run_over_the_end_of_the_window_stays_inside() {
    for memory_map in 0..4 {
        let (canary, mut guest) = guest();
        guest.mode_13h();
        guest.graphics(MISCELLANEOUS, memory_map << 2 | 1);
        for bank in [0, 15] {
            guest.dispi(BANK, bank);
            for offset in [0, 0x1_0000, 0x1_ff00] {
                let mut data = vec![0x42; 0x4_0000];
                guest.window_write(offset, &data);
                guest.vga.window_read(offset, &mut data);
                assert!(!data.contains(&CANARY), "a run from {offset:#x} on");
            }
        }
        canary.expect_untouched();
    }
}
