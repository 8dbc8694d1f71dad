// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Firmware, keys, and BARs that move.

use std::fs;

use iced_x86::IcedError;
use iced_x86::code_asm::*;
use stdvga_testing::program::text;
use stdvga_testing::skip::has_qemu;

use crate::boot_sectors::{sector, set_mode};
use crate::qemu::Qemu;
use crate::run::{
    PLEX86_VGABIOS, Picture, SEABIOS, SEAVGABIOS, UNTIL_HALTED, assert_recorded, assert_same, boot,
    boot_ok, have_kvm_and, temporary, without_pci_header,
};
use crate::{demo, embedded};

#[test]
fn seabios_says_its_version_and_that_there_is_nothing_to_boot() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let files = ["--bios", SEABIOS, "--vgabios", SEAVGABIOS];
    let options = ["--text", "--until-text", "No bootable device"];
    let screen = boot_ok(&[&files[..], &options].concat());
    assert!(screen.starts_with("SeaBIOS (version "), "{screen}");
    assert!(screen.contains("No bootable device"), "{screen}");
}

#[test]
fn a_vga_bios_without_a_pci_header_is_run_from_fw_cfg() {
    if !have_kvm_and(&[SEABIOS, PLEX86_VGABIOS]) {
        return;
    }
    let vgabios = text(without_pci_header());
    let files = ["--bios", SEABIOS, "--vgabios", vgabios];
    let options = ["--text", "--until-text", "No bootable device"];
    let screen = boot_ok(&[&files[..], &options].concat());
    assert!(screen.contains("SeaBIOS (version "), "{screen}");
    // It tells its name as a VBE implementation.
    let name = |a: &mut CodeAssembler| {
        const INFO: u32 = 0x9000;
        set_mode(a, 0x0003)?;
        a.mov(ax, 0x4f00)?;
        a.mov(di, INFO)?;
        a.int(0x10)?;
        let (mut next, mut end) = (a.create_label(), a.create_label());
        a.lds(si, dword_ptr(INFO + 6))?;
        a.set_label(&mut next)?;
        a.lodsb()?;
        a.test(al, al)?;
        a.jz(end)?;
        a.mov(ah, 0x0e)?;
        a.int(0x10)?;
        a.jmp(next)?;
        a.set_label(&mut end)?;
        a.nop()
    };
    let screen = boot_sector("name", vgabios, name, &[]).0;
    assert!(screen.contains("Bochs VBE"), "{screen}");
}

/// Boots a sector, which must succeed. Gives the text screen, and what the program said.
fn boot_sector(
    name: &str,
    vgabios: &str,
    draw: fn(&mut CodeAssembler) -> Result<(), IcedError>,
    options: &[&str],
) -> (String, String) {
    let image = temporary(&format!("{name}.img"));
    fs::write(&image, sector(draw)).expect("the image can be written");
    let files = ["--bios", SEABIOS, "--vgabios", vgabios];
    let own = ["--floppy", text(&image), "--text"];
    let output = boot(&[&files[..], &own, &UNTIL_HALTED, options].concat());
    let [screen, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{stderr}");
    (screen, stderr)
}

/// Echoes what is typed up to Enter.
pub fn echo(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let (mut next, mut end) = (a.create_label(), a.create_label());
    set_mode(a, 0x0003)?;
    a.mov(ax, 0x0e3f)?; // '?'
    a.int(0x10)?;
    a.set_label(&mut next)?;
    a.xor(ax, ax)?;
    a.int(0x16)?;
    a.cmp(al, 13)?;
    a.je(end)?;
    a.mov(ah, 0x0e)?;
    a.int(0x10)?;
    a.jmp(next)?;
    a.set_label(&mut end)
}

#[test]
fn typed_keys_reach_the_guest() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let keys = ["--type", "Hello, VGA <enter>"];
    let screen = boot_sector("echo", SEAVGABIOS, echo, &keys).0;
    assert_eq!(screen, "?Hello, VGA\n");
}

/// Writes a dword of the VGA's configuration space.
pub fn configure(a: &mut CodeAssembler, register: u32, value: u32) -> Result<(), IcedError> {
    a.mov(dx, 0xcf8)?;
    a.mov(eax, 0x8000_1000 + register)?;
    a.out(dx, eax)?;
    a.mov(dx, 0xcfc)?;
    a.mov(eax, value)?;
    a.out(dx, eax)
}

#[test]
fn a_bar_that_is_moved_over_ram_does_not_hurt_the_guest() {
    const BAR0: u32 = 0x10;
    const BAR2: u32 = 0x18;
    let moves = |a: &mut CodeAssembler| {
        set_mode(a, 0x0003)?;
        for (register, address) in [
            (BAR0, 0x0000_0000),
            (BAR0, 0x0100_0000),
            (BAR0, 0xff00_0000),
            (BAR2, 0x0000_7000), // over this very code
            (BAR0, 0xe000_0000),
            (BAR2, 0xe000_0000), // over the framebuffer
        ] {
            configure(a, register, address)?;
        }
        a.mov(ax, 0x0e21)?; // '!'
        a.int(0x10)
    };
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let (screen, stderr) = boot_sector("moves", SEAVGABIOS, moves, &[]);
    assert_eq!(screen, "!\n");
    assert!(stderr.contains("at 0x1000000: KVM refuses"), "{stderr}");
}

#[test]
fn the_scripted_guest_needs_no_kvm() {
    let screenshot = temporary("no-kvm.png");
    let output = boot(&["--guest", "scripted", "--screenshot", text(&screenshot)]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let actual = Picture::load(&screenshot).expect("boot wrote the picture");
    assert_recorded("demo", &actual, || {
        assert!(has_qemu(), "recording needs QEMU 10.0");
        let image = embedded::image(&demo::program()).expect("the guest can be assembled");
        let file = temporary("demo.bin");
        fs::write(&file, image).expect("the image can be written");
        let options = ["-device", "VGA,addr=02.0", "-bios", text(&file)];
        let mut qemu = Qemu::run(&options.map(str::to_owned));
        qemu.wait_for_halt();
        qemu.dump()
    });
}

#[test]
fn embedded_and_scripted_guest_draw_the_same_picture() {
    if !have_kvm_and(&[]) {
        return;
    }
    let picture = |guest: &str| {
        let screenshot = temporary(&format!("{guest}.png"));
        boot_ok(&["--guest", guest, "--screenshot", text(&screenshot)]);
        Picture::load(&screenshot).expect("boot wrote the picture")
    };
    assert_same("embedded", &picture("embedded"), &picture("scripted"));
}
