// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! OVMF, whose QemuVideoDxe drives the device; its shell, and GRUB on it.

use std::fs;

use stdvga_testing::grub::Firmware;
use stdvga_testing::skip::downloaded;

use super::grub_screens;
use super::machine::{assert_same, have_guests, serve};
use super::pair::Pair;

/// What the shell runs at its start: it scrolls, and tells by which driver.
const SCRIPT: &str = "@echo -off\r\ncls\r\nver\r\ndrivers\r\necho The shell has come\r\n";
const SHELL_HAS_COME: &str = "The shell has come\r\n";
/// It waits for a command: no more is written.
const PROMPT: &str = "Shell>";
/// Of text, of the background, and of two emphases.
const COLORS: usize = 4;

/// Starts OVMF with a disk, which is given as the properties of QEMU's drive.
fn start(device: &str, disk: &str) -> Pair {
    let [code, vars] = ["CODE", "VARS"].map(|part| {
        let file = downloaded(&format!("ovmf/OVMF_{part}_4M.fd"));
        format!("if=pflash,format=raw,snapshot=on,file={file}")
    });
    let disk = format!("if=virtio,readonly=on,{disk}");
    let guest = ["-drive", &code, "-drive", &vars, "-drive", &disk];
    Pair::start(serve(device), device, &guest)
}

/// The shell shows the same on both devices, and so again after a reset.
fn assert_shells_are_same(device: &str, name: &str) {
    if !have_guests() {
        return;
    }
    let files = tempfile::tempdir().expect("a temporary directory");
    fs::write(files.path().join("startup.nsh"), SCRIPT).expect("the script can be written");
    let mut pair = start(
        device,
        &format!("format=vvfat,dir={}", files.path().display()),
    );
    pair.wait_for(SHELL_HAS_COME);
    pair.wait_for(PROMPT);
    let picture = pair.assert_same_picture(name, COLORS);
    pair.reset(SHELL_HAS_COME);
    pair.wait_for(PROMPT);
    let again = pair.assert_same_picture(&format!("{name}-after-a-reset"), COLORS);
    assert_same(&format!("{name}-again"), &again, &picture);
}

#[test]
fn the_uefi_shell_shows_what_it_shows_on_qemus_device_and_again_after_a_reset() {
    assert_shells_are_same("secondary-vga", "uefi-shell");
}

#[test]
fn the_uefi_shell_takes_the_mode_that_the_monitor_prefers_as_on_qemus_device() {
    assert_shells_are_same("VGA,xres=1024,yres=768", "uefi-shell-1024x768");
}

#[test]
fn grub_on_uefi_shows_what_it_shows_on_qemus_device() {
    if !have_guests() || !grub_screens::have_grub(Firmware::Uefi) {
        return;
    }
    let files = tempfile::tempdir().expect("a temporary directory");
    let image = files.path().join("grub.img");
    grub_screens::build(Firmware::Uefi, "efi_gop", &image);
    let mut pair = start(
        "secondary-vga",
        &format!("format=raw,file={}", image.display()),
    );
    grub_screens::assert_same_menu(&mut pair, "uefi-grub");
    grub_screens::assert_same_graphics(&mut pair, "uefi-grub");
}
