// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Debian's Linux with bochs-drm.

use stdvga_testing::picture::Picture;
use stdvga_testing::skip::downloaded;

use super::machine::{Machine, assert_same, have_guests, on_both};

/// Regions of a PCI device.
const BAR0: u32 = 0;
const BAR2: u32 = 2;

/// A booted Linux, which runs what it's told by the serial port.
struct Linux(Machine);

impl Linux {
    fn booted(mut machine: Machine) -> Self {
        machine.serial.wait_for("ready\n");
        Self(machine)
    }

    /// Runs a command, which must succeed, and returns what it printed.
    fn run(&mut self, command: &str) -> String {
        let serial = &mut self.0.serial;
        serial.send(&format!("{command}; echo status $?\n"));
        let output = serial.wait_for("status ");
        let status = serial.wait_for("\n");
        assert_eq!(status, "0", "`{command}` printed:\n{output}");
        output
    }

    /// The test pattern of modetest in a mode, given as `WIDTHxHEIGHT` or `WIDTHxHEIGHT@FORMAT`.
    fn test_pattern(&mut self, mode: &str) -> Picture {
        // It shows the pattern until a line comes: the pattern is there where it reads.
        self.run(&format!(
            "mkfifo /line; modetest -M bochs-drm -s Virtual-1:{mode} -F tiles </line 2>&1 & exec 3>/line; \
             while kill -0 $! && ! grep -qs '^0 0x0 ' /proc/$!/syscall; do :; done; kill -0 $!"
        ));
        let picture = self.0.picture();
        self.run("exec 3>&-; wait; rm /line");
        picture
    }
}

/// Runs Linux on this crate's device and on QEMU's own.
fn on_both_devices<T: Send>(device: &str, run: impl Fn(Linux) -> T + Sync) -> [T; 2] {
    let (kernel, initrd) = (downloaded("vmlinuz"), downloaded("initrd.gz"));
    // Without a check of the timer, which a machine that's short of time may fail.
    let append = "console=tty0 console=ttyS0 quiet panic=-1 no_timer_check";
    let guest = [
        "-kernel",
        &kernel,
        "-initrd",
        &initrd,
        "-append",
        append,
        "-no-reboot",
    ];
    on_both(device, &guest, |machine| run(Linux::booted(machine)))
}

#[test]
fn bochs_drm_says_at_its_start_what_it_says_on_qemus_device() {
    if !have_guests() {
        return;
    }
    let bios = downloaded("qemu/usr/share/seabios/vgabios-bochs-display.bin");
    for device in ["secondary-vga", &format!("VGA,romfile={bios}")] {
        let [ours, qemus] = on_both_devices(device, |mut linux| {
            linux.run("dmesg | sed 's/^[^]]*] //' | grep -E 'bochs|drm'")
        });
        assert!(ours.contains("Found bochs VGA, ID 0xb0c5"), "{ours}");
        assert_eq!(ours, qemus, "{device}");
    }
}

#[test]
fn linux_reads_the_modes_that_it_reads_of_qemus_device() {
    if !have_guests() {
        return;
    }
    for (xres, yres) in [(1280, 800), (1920, 1080), (5120, 2880)] {
        let device = format!("secondary-vga,xres={xres},yres={yres}");
        let [ours, qemus] = on_both_devices(&device, |mut linux| {
            linux.run("cd /sys/class/drm/card0-Virtual-1; cat status modes; hexdump -C edid")
        });
        assert!(ours.contains("1024x768"), "{ours}");
        assert_eq!(ours, qemus, "{device}");
    }
}

#[test]
fn the_console_shows_what_it_shows_on_qemus_device() {
    if !have_guests() {
        return;
    }
    let [ours, qemus] = on_both_devices("secondary-vga", |mut linux| {
        linux.run(
            "{ printf '\\033c\\033[?25l'; seq -s ' ' 2000; \
             for colour in 30 31 32 33 34 35 36 37 40 41 42 43 44 45 46 47; do \
                 printf \"\\033[${colour}mtext\\033[1mbold\\033[m\"; done; \
             printf '\\n\\033[7m%80s\\033[m' 'the last line'; } >/dev/tty0",
        );
        // The kernel draws lines later than they're written, and in their order: a cell of 8 pixels after the other.
        linux.0.picture_where("the last line", |picture| {
            let (width, height) = picture.size;
            picture.pixels[(width * (height - 1) + 80 * 8 - 1) as usize] != [0; 3]
        })
    });
    assert_same("console", &ours, &qemus);
}

#[test]
fn modetest_shows_in_each_mode_what_it_shows_on_qemus_device() {
    if !have_guests() {
        return;
    }
    const MODES: [&str; 7] = [
        "640x480",
        "800x600",
        "1024x768",
        "1280x1024",
        "1600x1200",
        "1920x1080",
        "800x600@BX24",
    ];
    let [ours, qemus] = on_both_devices("secondary-vga", |mut linux| {
        MODES.map(|mode| linux.test_pattern(mode))
    });
    for ((mode, ours), qemus) in MODES.iter().zip(&ours).zip(&qemus) {
        let (width, height) = qemus.size;
        let size = format!("{width}x{height}");
        assert!(mode.starts_with(&size), "{mode}: QEMU's picture has {size}");
        assert_same(mode, ours, qemus);
    }
}

#[test]
fn linux_draws_without_asking_for_vram() {
    if !have_guests() {
        return;
    }
    let [[vram, registers], _] = on_both_devices("secondary-vga", |mut linux| {
        linux.test_pattern("1024x768");
        [BAR0, BAR2].map(|bar| linux.0.accesses(bar))
    });
    println!("{registers} accesses to BAR2");
    assert_eq!(vram, 0, "accesses to BAR0");
    assert!(registers > 0, "none to BAR2 were seen either");
}
