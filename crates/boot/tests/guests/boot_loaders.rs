// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Boot loaders show on the program's machine what they show under QEMU.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use stdvga_testing::grub::{self, Firmware};
use stdvga_testing::program::text;
use stdvga_testing::skip::has_qemu;

use crate::qemu::{LIMIT, Qemu};
use crate::run::{
    PLEX86_VGABIOS, Picture, SEABIOS, SEAVGABIOS, UNTIL_HALTED, assert_same, boot, count,
    have_kvm_and, temporary, without_pci_header,
};

/// Has GRUB halt where it looks for a key, for then its screen is finished: INT 16h leads to `cli; hlt`,
/// in bytes of the BIOS's data area that belong to programs.
const HALT_AT_KEY: &str = "
write_word 0x4f0 0xf4fa
write_dword 0x58 0x4f0
";

/// Has GRUB show a menu that waits for a key.
const MENU: &str = "
set menu_color_normal=yellow/blue
set menu_color_highlight=white/red
menuentry 'The first entry' { true }
menuentry 'The second entry' { true }
menuentry 'The third entry' { true }
";

/// In this time a cursor comes and goes often.
const BLINKS: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
enum VgaBios {
    /// SeaBIOS's, from the ROM BAR.
    Sea,
    /// That of Plex86 and Bochs, from fw_cfg.
    Plex86,
}

impl VgaBios {
    fn path(self) -> &'static Path {
        match self {
            Self::Sea => Path::new(SEAVGABIOS),
            Self::Plex86 => without_pci_header(),
        }
    }

    /// What gives QEMU a VGA with it.
    fn qemu_options(self) -> Vec<String> {
        let path = text(self.path());
        let vga = |rom| ["-device".into(), format!("VGA,romfile={rom}")];
        match self {
            Self::Sea => vga(path).into(),
            Self::Plex86 => {
                let file = format!("name=vgaroms/vgabios.bin,file={path}");
                [&vga("")[..], &["-fw_cfg".into(), file]].concat()
            }
        }
    }
}

/// Whether a test can run that needs these files, too.
fn have_all_and(files: &[&str]) -> bool {
    let own = [SEABIOS, SEAVGABIOS, PLEX86_VGABIOS];
    have_kvm_and(&[&own[..], files].concat()) && has_qemu()
}

/// What the program shows and says in the end.
struct Screen {
    picture: Picture,
    text: String,
    log: String,
}

impl Screen {
    /// Whether there's more than a message on it, which would be in grey on black.
    fn is_colorful(&self) -> bool {
        self.picture.pixels.iter().collect::<HashSet<_>>().len() > 2
    }
}

/// Boots the program from a floppy.
fn boot_floppy(image: &Path, vga_bios: VgaBios, until: &[&str]) -> Screen {
    let screenshot = image.with_extension("png");
    let files = ["--bios", SEABIOS, "--vgabios", text(vga_bios.path())];
    let own = ["--floppy", text(image), "--screenshot", text(&screenshot)];
    let blink = ["--text-blink", "off"];
    let output = boot(&[&files[..], &own, &blink, until].concat());
    let [text, log] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (exits, seconds) = (count(&log, "exits"), count(&log, "s;"));
    println!("{}: {exits} exits, {seconds} s", image.display());
    let picture = Picture::load(&screenshot).expect("boot wrote the picture");
    Screen { picture, text, log }
}

/// Boots GRUB with `modules` and `config` under KVM and under QEMU, until it looks for a key. By then its
/// screen must be the one that's meant.
fn assert_grub_draws_the_same(
    name: &str,
    vga_bios: VgaBios,
    modules: &[&str],
    config: &str,
    is_meant: impl Fn(&Screen) -> bool,
) {
    if !have_all_and(&Firmware::Bios.needs()) {
        return;
    }
    let image = temporary(&format!("{name}.img"));
    let modules = [modules, &["memrw"]].concat();
    let config = [HALT_AT_KEY, config].concat();
    grub::build(Firmware::Bios, &modules, &config, &image);
    let mut qemu = Qemu::start(&vga_bios.qemu_options(), &image);
    let screen = boot_floppy(&image, vga_bios, &UNTIL_HALTED);
    let log = &screen.log;
    assert!(log.contains("halted with interrupts off"), "{log}");
    assert!(is_meant(&screen), "not this screen:\n{}{log}", screen.text);
    qemu.wait_for_halt();
    let expected = qemu.picture(&screen.picture, BLINKS);
    assert_same(name, &screen.picture, &expected);
}

fn assert_text_menu_is_qemus(name: &str, vga_bios: VgaBios, modules: &[&str], config: &str) {
    let config = [config, MENU].concat();
    assert_grub_draws_the_same(name, vga_bios, modules, &config, |screen| {
        screen.text.contains("The third entry")
    });
}

#[test]
fn a_grub_menu_through_seavgabios_is_qemus() {
    assert_text_menu_is_qemus("grub-text", VgaBios::Sea, &[], "");
}

#[test]
fn a_grub_menu_through_plex86s_vga_bios_is_qemus() {
    assert_text_menu_is_qemus("grub-text-plex86", VgaBios::Plex86, &[], "");
}

#[test]
fn a_grub_menu_written_to_text_memory_is_qemus() {
    let (modules, config) = (["vga_text"], "terminal_output vga_text");
    assert_text_menu_is_qemus("grub-vga-text", VgaBios::Sea, &modules, config);
}

/// Has GRUB draw its menu with a driver, in a mode of 640x480.
fn assert_graphics_menu_is_qemus(name: &str, vga_bios: VgaBios, driver: &str, bits: u32) {
    let config = format!(
        "loadfont $prefix/ascii.pf2
        set gfxmode=640x480x{bits}
        terminal_output gfxterm
        {MENU}"
    );
    let mode = format!("graphics 640x480, {bits} bpp");
    assert_grub_draws_the_same(name, vga_bios, &[driver, "gfxterm"], &config, |screen| {
        screen.log.contains(&mode) && screen.is_colorful()
    });
}

#[test]
fn a_grub_menu_in_planes_is_qemus() {
    assert_graphics_menu_is_qemus("grub-vga", VgaBios::Sea, "vga", 4);
}

#[test]
fn a_grub_menu_in_a_vbe_mode_of_seavgabios_is_qemus() {
    assert_graphics_menu_is_qemus("grub-vbe", VgaBios::Sea, "vbe", 8);
}

#[test]
fn a_grub_menu_in_a_vbe_mode_of_plex86s_vga_bios_is_qemus() {
    assert_graphics_menu_is_qemus("grub-vbe-plex86", VgaBios::Plex86, "vbe", 8);
}

#[test]
fn a_grub_menu_in_a_dispi_mode_is_qemus() {
    assert_graphics_menu_is_qemus("grub-bochs", VgaBios::Sea, "video_bochs", 16);
}

/// Has GRUB list the modes of a VGA BIOS; `last` is among the last lines.
fn assert_list_of_modes_is_qemus(name: &str, vga_bios: VgaBios, last: &str) {
    let modules = ["vbe", "videoinfo", "read"];
    assert_grub_draws_the_same(name, vga_bios, &modules, "videoinfo\nread", |screen| {
        screen.text.contains(last)
    });
}

#[test]
fn grubs_list_of_seavgabioss_modes_is_qemus() {
    let last = "Preferred mode: 1280x800";
    assert_list_of_modes_is_qemus("grub-videoinfo", VgaBios::Sea, last);
}

#[test]
fn grubs_list_of_the_modes_of_plex86s_vga_bios_is_qemus() {
    let last = "0x195 2048 x 1536 x 32";
    assert_list_of_modes_is_qemus("grub-videoinfo-plex86", VgaBios::Plex86, last);
}

#[test]
fn grubs_video_test_is_qemus() {
    let modules = ["vbe", "videotest"];
    let config = "loadfont $prefix/ascii.pf2\nvideotest 640x480x8";
    assert_grub_draws_the_same("grub-videotest", VgaBios::Sea, &modules, config, |screen| {
        screen.log.contains("graphics 640x480, 8 bpp") && screen.is_colorful()
    });
}

const SYSLINUX_MODULES: &str = "/usr/lib/syslinux/modules/bios";

/// A floppy from which SYSLINUX shows a menu that waits for a key.
fn build_syslinux(menu: &str, image: &Path) {
    let configuration = format!(
        "UI {menu}\nMENU TITLE Three entries\n\
         LABEL The first entry\nLOCALBOOT 0\n\
         LABEL The second entry\nLOCALBOOT 0\n\
         LABEL The third entry\nLOCALBOOT 0\n"
    );
    let file = image.with_extension("cfg");
    fs::write(&file, configuration).expect("the configuration can be written");
    let modules = [menu, "libcom32.c32", "libutil.c32"];
    let modules = modules.map(|module| Path::new(SYSLINUX_MODULES).join(module));
    let mut tools = ["mformat", "syslinux", "mcopy", "mcopy"].map(Command::new);
    let [format, install, copy, configure] = &mut tools;
    format.args(["-C", "-f", "1440", "-i"]).arg(image);
    install.arg("--install").arg(image);
    copy.arg("-i").arg(image).args(modules).arg("::");
    configure
        .arg("-i")
        .arg(image)
        .arg(file)
        .arg("::syslinux.cfg");
    tools.iter_mut().for_each(grub::run);
}

/// Boots SYSLINUX under KVM and under QEMU. A KVM that interprets code may lack the IRET of SYSLINUX.
fn assert_syslinux_draws_the_same_or_kvm_cannot_run_it(name: &str, menu: &str) {
    let module = format!("{SYSLINUX_MODULES}/{menu}");
    if !have_all_and(&[&module, "/usr/bin/syslinux", "/usr/bin/mcopy"]) {
        return;
    }
    let image = temporary(&format!("{name}.img"));
    build_syslinux(menu, &image);
    let mut qemu = Qemu::start(&VgaBios::Sea.qemu_options(), &image);
    let screen = boot_floppy(&image, VgaBios::Sea, &["--until-stable"]);
    let log = &screen.log;
    if log.contains("KVM's internal error") {
        let iret = "(an instruction that this KVM can't emulate) at 0020:";
        assert!(log.contains(iret) && log.contains("bytes [cf, "), "{log}");
        return;
    }
    assert!(screen.is_colorful(), "no menu:\n{}{log}", screen.text);
    let expected = qemu.picture(&screen.picture, LIMIT);
    assert_same(name, &screen.picture, &expected);
}

#[test]
fn a_syslinux_text_menu_is_qemus_or_kvm_says_what_it_cannot_run() {
    assert_syslinux_draws_the_same_or_kvm_cannot_run_it("syslinux-menu", "menu.c32");
}

#[test]
fn a_syslinux_graphics_menu_is_qemus_or_kvm_says_what_it_cannot_run() {
    assert_syslinux_draws_the_same_or_kvm_cannot_run_it("syslinux-vesamenu", "vesamenu.c32");
}
