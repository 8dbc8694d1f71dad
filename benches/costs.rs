// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a hostile guest can cost at most: `cargo bench --bench costs` searches for the slowest access, and
//! measures the largest pictures.
//!
//! `docs/threat-model.md` shows what it printed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Parser;
use rand::prelude::*;
use stdvga::{Dirty, Screen, Surface};
use stdvga_testing::actions::{Access, Choices, Setup, pc, program};
use stdvga_testing::driver::{ENABLE, ENABLED, Guest};
use stdvga_testing::machine::Machine;

/// How often the same is done: the shortest time counts, for other programs make all but that longer.
const ROUNDS: usize = 5;
const PROGRAMS: u64 = 40;
const ACCESSES: usize = 5000;
/// The largest VRAM.
const VRAM_MIB: u32 = 512;

#[derive(Parser)]
struct Options {
    /// Do everything once, with little
    #[arg(long)]
    test: bool,
    /// What `cargo bench` adds, and `cargo test` doesn't
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let Options { test, bench } = Options::parse();
    let is_quick = test || !bench;
    search(if is_quick { 1 } else { PROGRAMS });
    clear(if is_quick { 16 } else { VRAM_MIB });
    draw(if is_quick { 1 } else { VRAM_MIB });
}

/// The shortest time that something takes.
fn shortest(mut run: impl FnMut()) -> Duration {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

/// Searches random programs for the access of each kind that takes the longest.
fn search(programs: u64) {
    let setups = [
        pc("VGA,vgamem_mb=1"),
        Setup {
            machine: "isapc",
            device: "isa-vga,vgamem_mb=1",
        },
    ];
    let mut slowest: BTreeMap<&str, (Duration, String)> = BTreeMap::new();
    for (seed, setup) in (0..programs).zip(setups.iter().cycle()) {
        let accesses = program::random(setup, Choices::seeded(seed), ACCESSES);
        let mut times = vec![Duration::MAX; accesses.len()];
        for _ in 0..ROUNDS {
            let mut machine = Machine::new(setup, true);
            for (access, time) in accesses.iter().zip(&mut times) {
                let start = Instant::now();
                machine.put(access);
                *time = start.elapsed().min(*time);
            }
        }
        for (access, time) in accesses.iter().zip(times) {
            let found = slowest.entry(kind(access)).or_default();
            if time > found.0 {
                *found = (time, access.to_string().chars().take(40).collect());
            }
        }
    }
    println!("| accesses, with 1 MiB of VRAM | slowest found, µs | it was |");
    println!("| --- | --- | --- |");
    for (kind, (time, access)) in slowest {
        println!("| {kind} | {:.2} | `{access}` |", micros(time));
    }
}

fn kind(access: &Access) -> &'static str {
    match access {
        Access::In { port, .. } | Access::Out { port, .. } => match port {
            0x1ce..=0x1d0 => "DISPI ports, which clear VRAM",
            0xcf8..=0xcff => "configuration space",
            _ => "VGA ports",
        },
        Access::Read { address, .. } | Access::Write { address, .. } => match address {
            0xa_0000..0xc_0000 => "window",
            _ => "BARs: BAR2 clears VRAM, too",
        },
        Access::ReadBytes { .. } | Access::WriteBytes { .. } | Access::Fill { .. } => {
            "runs, up to 1 MiB in one call"
        }
        Access::Reset | Access::ScreenDump => "reset",
    }
}

/// Clears all of VRAM by an access, over and over.
fn clear(vram_mib: u32) {
    let mut guest = Guest::with_vram(vram_mib);
    guest.vbe_mode(16_000, 12_000, 32);
    let mut enable = || {
        guest.dispi(ENABLE, 0);
        guest.dispi(ENABLE, ENABLED);
    };
    let start = Instant::now();
    enable();
    let first = start.elapsed();
    println!(
        "\nENABLE, which clears {vram_mib} MiB of VRAM: {:.0} µs",
        micros(shortest(enable))
    );
    println!("The first time, {:.0} µs", micros(first));
}

/// Draws the largest pictures.
fn draw(vram_mib: u32) {
    println!("\n| picture | pixels | whole, ms | compared, ms |");
    println!("| --- | --- | --- | --- |");
    for bpp in [4, 8, 15, 16, 24, 32] {
        let mut guest = Guest::with_vram(vram_mib);
        guest.vbe_mode(16_000, 12_000, bpp);
        measure(&guest);
    }
    let shapes: [fn(&mut Guest); 3] = [
        // 100 rows, of cells as large as they come.
        |guest| {
            guest.mode_03h();
            guest.crtc_mode(159, 1023, 255, 0x1f, 0xa3);
            guest.crtc(0x06, 100);
            guest.sequencer(0x01, 0x08);
        },
        // Rows of one line, far apart.
        |guest| {
            guest.mode_03h();
            guest.crtc_mode(14, 1023, 255, 0x00, 0xa3);
        },
        // The widest planar picture, with pixels doubled.
        |guest| {
            guest.planar_mode(2048, 1024);
            guest.sequencer(0x01, 0x09);
        },
    ];
    for set_mode in shapes {
        let mut guest = Guest::with_vram(vram_mib);
        set_mode(&mut guest);
        measure(&guest);
    }
}

fn measure(guest: &Guest) {
    let vram = guest.vga.vram();
    let mut bytes = vec![0; 1 << 20];
    SmallRng::seed_from_u64(0).fill(&mut bytes[..]);
    for offset in (0..vram.len()).step_by(bytes.len()) {
        vram.write(offset, &bytes);
    }
    let scanout = guest.vga.scanout();
    let size = Screen::new().size(&scanout);
    let mut pixels = vec![0; size.pixels() as usize];
    let mut time = |dirty: Dirty<'_>| {
        let mut screen = Screen::new();
        let mut refresh = || {
            let surface = Surface::new(&mut pixels, size.width as usize);
            screen
                .refresh(&scanout, vram, dirty, Duration::ZERO, surface)
                .expect("the surface has the size asked for");
        };
        // The first draws everything.
        refresh();
        shortest(refresh)
    };
    let [whole, compared] = [Dirty::All, Dirty::Compare].map(&mut time);
    println!(
        "| {} | {size} | {:.2} | {:.2} |",
        scanout.mode(),
        micros(whole) / 1000.0,
        micros(compared) / 1000.0
    );
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
