// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Runs the program, and compares the pictures that it writes.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use stdvga_testing::picture;
pub use stdvga_testing::picture::Picture;
use stdvga_testing::program::text;
use stdvga_testing::skip::skip;

use crate::BOOT;

pub const SEABIOS: &str = "/usr/share/seabios/bios-256k.bin";
pub const SEAVGABIOS: &str = "/usr/share/seabios/vgabios-stdvga.bin";
pub const PLEX86_VGABIOS: &str = "/usr/share/vgabios/vgabios.bin";

/// The program with `arguments`, ready to run.
pub fn command(arguments: &[&str]) -> Command {
    BOOT.command(arguments)
}

/// Runs the program with `arguments`.
pub fn boot(arguments: &[&str]) -> Output {
    BOOT.run(arguments)
}

/// Runs the program, which must succeed, and returns what it printed.
pub fn boot_ok(arguments: &[&str]) -> String {
    let output = boot(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "boot {arguments:?}: {}\n{stderr}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether a test can run: /dev/kvm can be opened, and these files exist. Says why not.
pub fn have_kvm_and(files: &[&str]) -> bool {
    let kvm = File::options().read(true).write(true).open("/dev/kvm");
    let missing = match kvm {
        Err(error) => Some(format!("/dev/kvm: {error}")),
        Ok(_) => {
            let file = files.iter().find(|file| !Path::new(file).is_file());
            file.map(|file| format!("{file} isn't there"))
        }
    };
    let Some(missing) = missing else { return true };
    skip(&missing);
    false
}

/// A file of this name for a test to write.
pub fn temporary(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    fs::create_dir_all(&directory).expect("the target directory can be written");
    directory.join(name)
}

/// Plex86's VGA BIOS without a PCI header, so that firmware must take it from fw_cfg.
pub fn without_pci_header() -> &'static Path {
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
        let mut rom = fs::read(PLEX86_VGABIOS).expect("the VGA BIOS can be read");
        // Where the header is; and a ROM's bytes have a sum of 0.
        let removed = rom[0x18].wrapping_add(rom[0x19]);
        rom[0x18..0x1a].fill(0);
        let last = rom.last_mut().expect("the VGA BIOS isn't empty");
        *last = last.wrapping_add(removed);
        let path = temporary("vgabios.bin");
        fs::write(&path, rom).expect("the VGA BIOS can be written");
        path
    });
    &FILE
}

/// A BIOS image of 64 KiB that starts with `code`, in segment 0xf000, and jumps there.
pub fn bios(name: &str, code: &[u8]) -> String {
    let mut image = code.to_vec();
    image.resize(0xfff0, 0);
    image.extend([0xea, 0x00, 0x00, 0x00, 0xf0]); // the reset vector: jmp 0xf000:0
    image.resize(0x1_0000, 0);
    let path = temporary(name);
    fs::write(&path, image).expect("the image can be written");
    text(&path).to_owned()
}

/// The number before `what` in what the program said, at its last place there.
pub fn count(stderr: &str, what: &str) -> f64 {
    let (before, _) = stderr
        .rsplit_once(&format!(" {what}"))
        .unwrap_or_else(|| panic!("{what:?} isn't in:\n{stderr}"));
    let number = before.rsplit(' ').next().and_then(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("there's no number before {what:?} in:\n{stderr}"))
}

/// Fails unless two pictures are the same.
pub fn assert_same(name: &str, actual: &Picture, expected: &Picture) {
    if let Err(difference) = picture::compare(&temporary(name), actual, expected) {
        panic!("{name}: {difference}");
    }
}

/// Compares a picture with the recorded one. Records it first, where that's asked for: what QEMU shows
/// when it runs the same guest.
pub fn assert_recorded(name: &str, actual: &Picture, run_by_qemu: impl FnOnce() -> Picture) {
    let recorded = Path::new("tests/data").join(format!("{name}.png"));
    if env::var_os("STDVGA_RECORD").is_some() {
        run_by_qemu().save(&recorded);
    }
    let expected = Picture::load(&recorded);
    let expected = expected.unwrap_or_else(|| panic!("{} is missing", recorded.display()));
    assert_same(name, actual, &expected);
}

/// Until the guest halts, and not until its screen stands still: a machine that is short of time shows
/// that, too.
pub const UNTIL_HALTED: [&str; 2] = ["--seconds", "900"];
