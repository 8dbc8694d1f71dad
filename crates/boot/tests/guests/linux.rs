// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Debian's kernel, booted without firmware.

use std::fs::{self, File};
use std::process::Command;
use std::sync::LazyLock;

use stdvga_testing::program::text;
use stdvga_testing::skip::downloaded;

use crate::BOOT;
use crate::run::{boot, boot_ok, have_kvm_and, temporary};

static KERNEL: LazyLock<String> = LazyLock::new(|| downloaded("vmlinuz"));

#[test]
fn a_kernel_that_decompresses_itself_tells_so_on_the_screen() {
    if !have_kvm_and(&[&*KERNEL]) {
        return;
    }
    let message = "KASLR disabled: 'nokaslr' on cmdline.";
    let options = ["--append", "nokaslr", "--text", "--until-text", message];
    let screen = boot_ok(&[&["--kernel", &*KERNEL], &options[..]].concat());
    assert!(screen.contains(message), "{screen}");
}

/// On an ordinary KVM the kernel goes on up to where it lacks a root file system, panics, and asks for a
/// reset. A KVM that interprets the kernel lacks instructions that it needs, once it has its consoles.
#[test]
fn the_vga_console_shows_what_the_serial_console_tells() {
    if !have_kvm_and(&[&*KERNEL, "/usr/bin/xz"]) {
        return;
    }
    let (kernel, screenshot) = (vmlinux(), temporary("vgacon.png"));
    let files = ["--kernel", &kernel, "--screenshot", text(&screenshot)];
    // Without CMPXCHG16B, which such a KVM lacks, the kernel gets further.
    let append = "console=tty0 console=ttyS0 clearcpuid=cx16 panic=-1";
    let options = ["--append", append, "--memory", "128", "--text"];
    let output = boot(&[&files[..], &options, &["--seconds", "1200"]].concat());
    let screen = String::from_utf8_lossy(&output.stdout);
    let serial = String::from_utf8_lossy(&output.stderr);
    let told = |what: &str| assert!(serial.contains(what), "{what:?} isn't in:\n{serial}");

    told("Console: colour VGA+ 80x25");
    let last = serial.lines().rfind(|line| line.starts_with('['));
    let last = last.expect("the serial console tells something");
    assert!(
        joined(&screen).contains(&joined(last)),
        "{last:?} isn't on the screen:\n{screen}"
    );
    if output.status.success() {
        told("Kernel panic - not syncing: VFS: Unable to mount root fs");
        told("boot: the guest asked for a reset");
    } else {
        told("an instruction that this KVM can't emulate) at 0010:ffffffff");
        told(", bytes [");
    }
}

/// Text without blanks: the screen breaks lines anywhere, and blanks at their ends can't be seen.
fn joined(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The kernel that's compressed in the file: where KVM interprets it, it would need minutes to decompress.
fn vmlinux() -> String {
    let image = fs::read(&*KERNEL).expect("the kernel can be read");
    let field = |at: usize| {
        let bytes = image[at..at + 4].try_into().expect("four bytes");
        u32::from_le_bytes(bytes) as usize
    };
    // Fields of the boot protocol: setup_sects, payload_offset and payload_length.
    let start = 512 * (usize::from(image[0x1f1]) + 1) + field(0x248);
    let payload = &image[start..start + field(0x24c)];
    let (compressed, kernel) = (temporary("vmlinux.xz"), temporary("vmlinux"));
    fs::write(&compressed, payload).expect("the payload can be written");
    let xz = Command::new("xz")
        .args(["--decompress", "--stdout", "--single-stream"])
        .stdin(File::open(&compressed).expect("the payload can be read"))
        .stdout(File::create(&kernel).expect("the kernel can be written"))
        .status();
    let xz = xz.expect("xz runs");
    assert!(xz.success(), "xz: {xz}");
    text(&kernel).to_owned()
}

#[test]
fn what_cannot_be_booted_is_refused() {
    if !have_kvm_and(&[&*KERNEL]) {
        return;
    }
    let file = |name: &str, len: usize| {
        let path = temporary(name);
        fs::write(&path, vec![0; len]).expect("the file can be written");
        text(&path).to_owned()
    };
    let zeros = file("zeros", 1 << 20);
    BOOT.assert_refuses(&["--kernel", &zeros], &[&zeros, "neither a bzImage nor"]);
    let missing = text(&temporary("no-kernel")).to_owned();
    BOOT.assert_refuses(&["--kernel", &missing], &[&missing, "can't be read"]);
    let kernel = ["--kernel", &*KERNEL];
    let refuses =
        |options: &[&str], words: &[&str]| BOOT.assert_refuses(&[&kernel, options].concat(), words);
    refuses(&["--memory", "8"], &[&*KERNEL, "can't be loaded", "8 MiB"]);
    refuses(&["--memory", "64"], &["--memory 64", &*KERNEL, "needs "]);
    refuses(&["--initrd", &missing], &[&missing, "can't be read"]);
    let large = file("large-initrd", 50 << 20);
    let options = ["--memory", "128", "--initrd", &large];
    refuses(&options, &[&large, "52428800", "at most"]);
    let long = "x".repeat(2048);
    refuses(&["--append", &long], &["--append", "2048", "at most 2047"]);
    refuses(&["--append", "é"], &["--append", "ASCII"]);
}
