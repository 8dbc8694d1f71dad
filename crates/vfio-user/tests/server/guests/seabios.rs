// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! SeaBIOS with a VGA BIOS that needs no legacy ports, and GRUB on it.

use std::path::PathBuf;

use stdvga_testing::grub::Firmware;
use stdvga_testing::skip::downloaded;
use tempfile::TempDir;

use super::grub_screens;
use super::machine::{assert_same, have_guests, serve};
use super::pair::Pair;
use crate::server::Server;

/// A floppy with GRUB.
struct Floppy {
    _files: TempDir,
    image: PathBuf,
}

impl Floppy {
    /// Where it can't be had, this says why not.
    fn new() -> Option<Self> {
        if !have_guests() || !grub_screens::have_grub(Firmware::Bios) {
            return None;
        }
        let files = tempfile::tempdir().expect("a temporary directory");
        let image = files.path().join("grub.img");
        grub_screens::build(Firmware::Bios, "vbe", &image);
        Some(Self {
            _files: files,
            image,
        })
    }

    /// Boots from it on both devices. It needs no controller: the firmware gets it from QEMU.
    fn boot(&self, server: Server, device: &str) -> Pair {
        let floppy = format!("name=floppyimg/grub.img,file={}", self.image.display());
        Pair::start(server, device, &["-fw_cfg", &floppy])
    }
}

/// A device with the VGA BIOS, for both.
fn with_rom(device: &str) -> String {
    let rom = downloaded("qemu/usr/share/seabios/vgabios-bochs-display.bin");
    format!("{device},romfile={rom}")
}

#[test]
fn grub_on_seabios_shows_what_it_shows_on_qemus_device_and_again_in_a_second_qemu() {
    let Some(floppy) = Floppy::new() else { return };
    let device = with_rom("VGA");
    let mut pair = floppy.boot(serve(&device), &device);
    let menu = grub_screens::assert_same_menu(&mut pair, "seabios-grub");
    grub_screens::assert_same_graphics(&mut pair, "seabios-grub");

    let mut pair = floppy.boot(pair.into_server(), &device);
    let name = "seabios-grub-in-a-second-qemu";
    let again = grub_screens::assert_same_menu(&mut pair, name);
    assert_same(name, &again, &menu);
}

#[test]
fn grub_on_seabios_shows_on_the_secondary_vga_what_it_shows_on_bochs_display() {
    let Some(floppy) = Floppy::new() else { return };
    let server = serve(&with_rom("secondary-vga"));
    let mut pair = floppy.boot(server, &with_rom("bochs-display"));
    grub_screens::assert_same_menu(&mut pair, "bochs-display-grub");
    grub_screens::assert_same_graphics(&mut pair, "bochs-display-grub");
}
