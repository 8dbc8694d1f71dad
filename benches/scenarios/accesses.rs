// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Accesses of a guest.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stdvga::{Clock, Config, Retrace, StdVga, Variant};
use stdvga_testing::driver::*;

use super::Measure;

/// Bytes of a run of writes in one call.
pub const RUN_BYTES: usize = 4096;

pub fn measure(to: &mut impl Measure) {
    ports(to);
    window(to);
}

fn ports(to: &mut impl Measure) {
    to.measure("port_seq", || {
        let mut vga = planar();
        let mut planes = 0;
        move || {
            planes = (planes + 1) & 0x07;
            write(&mut vga, SEQUENCER, &[MAP_MASK]);
            write(&mut vga, SEQUENCER + 1, &[planes]);
        }
    });
    to.measure("port_3da", || {
        let mut vga = planar();
        move || read(&mut vga, INPUT_STATUS_1)
    });
    to.measure("port_3da_precise", || {
        let mut vga = with_precise_retrace();
        move || read(&mut vga, INPUT_STATUS_1)
    });
    to.measure("dac_entry", || {
        let mut vga = planar();
        let mut value = 0_u8;
        move || {
            value = value.wrapping_add(1);
            for _ in 0..3 {
                write(&mut vga, DAC_DATA, &[value]);
            }
        }
    });
    to.measure("dispi", || {
        let mut vga = planar();
        let mut value = 0_u16;
        move || {
            value = value.wrapping_add(8);
            write(&mut vga, DISPI_INDEX, &VIRT_WIDTH.to_le_bytes());
            write(&mut vga, DISPI_DATA, &value.to_le_bytes());
        }
    });
}

fn window(to: &mut impl Measure) {
    to.measure("planar_write", || {
        let mut vga = planar();
        let mut next = offsets();
        move || vga.window_write(next(), black_box(&[0x5a]))
    });
    to.measure("planar_read", || {
        let mut vga = planar();
        let mut next = offsets();
        move || {
            let mut data = [0];
            vga.window_read(next(), &mut data);
            black_box(data);
        }
    });
    to.measure("planar_run", || {
        let mut vga = planar();
        move || vga.window_write(0, black_box(&[0x5a; RUN_BYTES]))
    });
    to.measure("text_write", || {
        let mut guest = Guest::new(Variant::Vga);
        guest.mode_03h();
        let mut next = offsets();
        move || {
            let offset = 0x1_8000 + next();
            guest.vga.window_write(offset, black_box(&[0x5a]));
        }
    });
}

fn planar() -> StdVga {
    let mut guest = Guest::new(Variant::Vga);
    guest.planar_mode(640, 480);
    guest.vga
}

fn with_precise_retrace() -> StdVga {
    let time = AtomicU64::new(0);
    let clock = Clock::new(move || Duration::from_nanos(time.fetch_add(1000, Ordering::Relaxed)));
    let mut guest = Guest::with(Config::default().retrace(Retrace::Precise(clock)));
    guest.misc_output(COLOR_ADDRESSES);
    guest.vga
}

/// Places in the window, one after the other, again and again.
fn offsets() -> impl FnMut() -> u64 {
    let mut offset = 0;
    move || {
        offset = (offset + 1) & 0x7fff;
        black_box(offset)
    }
}

fn write(vga: &mut StdVga, port: u16, data: &[u8]) {
    let _ = black_box(vga.port_write(black_box(port), black_box(data)));
}

fn read(vga: &mut StdVga, port: u16) {
    let mut data = [0];
    vga.port_read(black_box(port), &mut data);
    black_box(data);
}
