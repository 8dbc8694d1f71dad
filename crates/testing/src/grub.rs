// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Disk images that boot GRUB, built with Debian's packages `grub-pc-bin`, `grub-efi-amd64-bin`,
//! `grub-common` and `mtools`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SECTOR: usize = 512;

/// What starts GRUB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// A BIOS, from a floppy of 1.44 MB.
    Bios,
    /// UEFI, from a disk of 2.88 MB without partitions.
    Uefi,
}

impl Firmware {
    /// The files that must be there for an image to be built.
    pub fn needs(self) -> [&'static str; 4] {
        let kernel = match self {
            Self::Bios => "/usr/lib/grub/i386-pc/kernel.img",
            Self::Uefi => "/usr/lib/grub/x86_64-efi/kernel.img",
        };
        [kernel, FONT, "/usr/bin/grub-mkimage", "/usr/bin/mcopy"]
    }

    /// GRUB's name for what it's built for.
    fn platform(self) -> &'static str {
        match self {
            Self::Bios => "i386-pc",
            Self::Uefi => "x86_64-efi",
        }
    }
}

/// A font of the ASCII characters, to load as `$prefix/ascii.pf2`.
const FONT: &str = "/usr/share/grub/ascii.pf2";

/// Writes an image that loads `modules` and runs `config`. If there are menu entries in that, GRUB shows
/// them as its menu then; otherwise its command line.
///
/// The modules are files in the image: in GRUB itself they'd be compressed, and an interpreted CPU takes
/// a minute to decompress them.
pub fn build(firmware: Firmware, modules: &[&str], config: &str, image: &Path) {
    let files = tempfile::tempdir().expect("a temporary directory");
    let file = |name| files.path().join(name);
    let insmod = modules.iter().map(|module| format!("insmod {module}\n"));
    let grub_cfg = insmod.collect::<String>() + config;
    fs::write(file("grub.cfg"), grub_cfg).expect("the configuration can be written");
    make_core(firmware, &file("core"));

    let platform = Path::new("/usr/lib/grub").join(firmware.platform());
    // What the image was before would stay in it.
    let _ = fs::remove_file(image);
    match firmware {
        Firmware::Bios => format_floppy(image, &platform.join("boot.img"), &file("core")),
        Firmware::Uefi => format_disk(image, &file("core")),
    }
    let directory = format!("boot/grub/{}", firmware.platform());
    make_directories(image, &["boot", "boot/grub", &directory]);
    copy(image, &[file("grub.cfg"), FONT.into()], "boot/grub");
    let names = with_dependencies(&platform, modules);
    let mut loadable: Vec<_> = names
        .iter()
        .map(|name| platform.join(format!("{name}.mod")))
        .collect();
    loadable.push(platform.join("moddep.lst"));
    copy(image, &loadable, &directory);
}

/// GRUB with what it needs to load everything else.
fn make_core(firmware: Firmware, core: &Path) {
    let built_in: &[&str] = match firmware {
        Firmware::Bios => &["biosdisk", "fat"],
        Firmware::Uefi => &["fat"],
    };
    let options = [
        "--format",
        firmware.platform(),
        "--prefix",
        "/boot/grub",
        "--output",
    ];
    let mut make = Command::new("grub-mkimage");
    run(make.args(options).arg(core).args(built_in));
}

/// A floppy whose boot sector loads the core, which follows it, before the file system.
fn format_floppy(image: &Path, boot_sector: &Path, core: &Path) {
    let core = fs::read(core).expect("GRUB's core");
    let reserved = (1 + core.len().div_ceil(SECTOR)).to_string();
    let mut format = Command::new("mformat");
    format.args(["-C", "-f", "1440", "-R", &reserved, "-i"]);
    run(format.arg(image).arg("-B").arg(boot_sector));
    let mut bytes = fs::read(image).expect("mformat's image");
    bytes[SECTOR..][..core.len()].copy_from_slice(&core);
    fs::write(image, bytes).expect("the image can be written");
}

/// A disk with the core where UEFI looks for it.
fn format_disk(image: &Path, core: &Path) {
    run(Command::new("mformat")
        .args(["-C", "-f", "2880", "-i"])
        .arg(image));
    make_directories(image, &["EFI", "EFI/BOOT"]);
    copy(image, &[core.into()], "EFI/BOOT/BOOTX64.EFI");
}

/// `modules`, the one that runs `grub.cfg`, and all that these need.
fn with_dependencies(platform: &Path, modules: &[&str]) -> BTreeSet<String> {
    let list = fs::read_to_string(platform.join("moddep.lst")).expect("GRUB's list of modules");
    let needed_by = |module: &str| {
        let needed = list
            .lines()
            .find_map(|line| line.strip_prefix(module)?.strip_prefix(':'));
        needed.unwrap_or_else(|| panic!("GRUB has no module {module:?}"))
    };
    let mut names = BTreeSet::new();
    let mut next = [modules, &["normal"]].concat();
    while let Some(module) = next.pop() {
        if names.insert(module.to_owned()) {
            next.extend(needed_by(module).split_whitespace());
        }
    }
    names
}

fn make_directories(image: &Path, directories: &[&str]) {
    let directories = directories.iter().map(|directory| format!("::{directory}"));
    run(Command::new("mmd").arg("-i").arg(image).args(directories));
}

/// Copies files of the host to a place in the image.
fn copy(image: &Path, files: &[PathBuf], to: &str) {
    run(Command::new("mcopy")
        .arg("-i")
        .arg(image)
        .args(files)
        .arg(format!("::{to}")));
}

/// Runs a tool, which must succeed.
pub fn run(tool: &mut Command) {
    let output = tool
        .output()
        .unwrap_or_else(|error| panic!("{tool:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{tool:?}: {}\n{stderr}",
        output.status
    );
}
