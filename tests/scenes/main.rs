// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Scenes: what the screen shows after a few register accesses, in every kind of mode, as QEMU shows it.
//!
//! The pictures in `tests/data/scenes` are QEMU 10.0's. To record them again, run
//!
//! ```sh
//! STDVGA_RECORD=1 cargo test --test scenes
//! ```
//!
//! On a difference, both pictures and one of the differing pixels are left in `target/tmp/scenes`.
//!
//! - `blank.rs`: what shows while the palette is switched off, and after a reset
//! - `text.rs`: cells, fonts, the cursor, split screens
//! - `planar.rs`: 16 colours, also as CGA's two
//! - `cga.rs`: CGA's 4 colours
//! - `doubled.rs`: 256 colours, as in mode 13h and Mode X
//! - `vbe.rs`: DISPI modes
#![cfg(target_os = "linux")]

mod blank;
mod cga;
mod doubled;
mod planar;
mod text;
mod vbe;

use std::fs;
use std::path::{Path, PathBuf};

use stdvga::{Config, Variant};
use stdvga_testing::driver::{
    BAR0, BAR2, COMMAND, COMMAND_MEMORY, FRAMEBUFFER_ADDRESS, MMIO_ADDRESS,
};
use stdvga_testing::driver::{Guest, Monitor};
use stdvga_testing::picture;
use stdvga_testing::picture::Picture;
use stdvga_testing::qtest::{Peer, has_qemu};

/// A part of a scene: what a guest does between two refreshes of the screen.
type Part = fn(&mut Guest);

/// Fails unless the scene on a VGA with 16 MiB shows QEMU's picture of it.
#[track_caller]
fn expect_picture(name: &str, scene: Part) {
    expect_picture_on((Variant::Vga, 16), name, &[scene]);
}

/// Fails unless the last part of the scene shows QEMU's picture of it. The device is given as its
/// variant and MiB of VRAM.
#[track_caller]
fn expect_picture_on(device: (Variant, u32), name: &str, parts: &[Part]) {
    let recorded = PathBuf::from(format!("tests/data/scenes/{name}.png"));
    if std::env::var_os("STDVGA_RECORD").is_some() {
        qemus_picture(device, parts).save(&recorded);
    }
    let expected = Picture::load(&recorded);
    let expected = expected.unwrap_or_else(|| panic!("{} is missing", recorded.display()));
    let mut guest = new_guest(device);
    let mut monitor = Monitor::default();
    for part in parts {
        part(&mut guest);
        monitor.refresh(&mut guest, 0);
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenes");
    fs::create_dir_all(&directory).expect("the target directory can be written");
    let shown = Picture::of_surface(monitor.dimensions(), &monitor.pixels);
    if let Err(difference) = picture::compare(&directory.join(name), &shown, &expected) {
        panic!("{name}: {difference}");
    }
}

/// A guest of a device that blinks text no more than QEMU 10.0 does.
fn new_guest((variant, vram_mib): (Variant, u32)) -> Guest {
    Guest::with(Config::new(variant).vram_mib(vram_mib).text_blink(false))
}

/// Puts the scene to QEMU.
fn qemus_picture((variant, vram_mib): (Variant, u32), parts: &[Part]) -> Picture {
    assert!(has_qemu(), "recording needs QEMU");
    let (machine, name) = match variant {
        Variant::Vga => ("pc", "VGA"),
        Variant::SecondaryVga => ("pc", "secondary-vga"),
        _ => ("isapc", "isa-vga"),
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let dump = directory.path().join("dump.ppm");
    let mut guest = new_guest((variant, vram_mib));
    let mut lines = place_bars();
    for part in parts {
        guest.log = Some(Vec::new());
        part(&mut guest);
        lines.extend(guest.log.take().unwrap_or_default());
        lines.push(format!("screendump {}", dump.display()));
    }
    Peer::qemu(machine, &format!("{name},vgamem_mb={vram_mib}")).ask(&lines);
    Picture::load_dump(&dump)
}

/// Lines that put BAR0 and BAR2 where a guest's logged accesses go.
fn place_bars() -> Vec<String> {
    [
        (BAR0, FRAMEBUFFER_ADDRESS),
        (BAR2, MMIO_ADDRESS),
        (COMMAND, COMMAND_MEMORY.into()),
    ]
    .iter()
    .flat_map(|(register, value)| {
        [
            format!("outl 0xcf8 {:#x}", 0x8000_1000 | u32::from(*register)),
            format!("outl 0xcfc {value:#x}"),
        ]
    })
    .collect()
}

/// Bytes that differ from their neighbours, in rows of `pitch`: each row shows which it is.
fn pattern(pitch: usize, rows: usize) -> Vec<u8> {
    (0..rows)
        .flat_map(|y| (0..pitch).map(move |x| (5 * x + 37 * y + (x >> 3) * y) as u8))
        .collect()
}
