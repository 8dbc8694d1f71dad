// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! QEMU with a guest of its own, and what its screen shows.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use stdvga_testing::program::text;
use stdvga_testing::qmp::Monitor;
use stdvga_testing::skip::QEMU;
use tempfile::TempDir;

use crate::run::{Picture, SEABIOS};

/// How long a guest may take: generous, for slow machines.
pub const LIMIT: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(100);
const RFLAGS_IF: u32 = 1 << 9;

/// A running QEMU.
pub struct Qemu {
    process: Child,
    monitor: Monitor,
    /// Its socket and pictures.
    files: TempDir,
}

impl Qemu {
    /// Boots from a floppy. The VGA is among the options.
    pub fn start(options: &[String], floppy: &Path) -> Self {
        let file = text(floppy);
        let drive = format!("if=floppy,format=raw,readonly=on,file={file}");
        let boot = ["-bios", SEABIOS, "-drive", &drive].map(str::to_owned);
        Self::run(&[options, &boot].concat())
    }

    /// Starts a machine with no KVM, and nothing but what the options give it.
    pub fn run(options: &[String]) -> Self {
        let files = tempfile::tempdir().expect("a temporary directory");
        let socket = files.path().join("monitor");
        let mut process = Command::new(QEMU)
            .args("-M pc -accel tcg -m 32 -nodefaults -vga none -display none".split(' '))
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", text(&socket)))
            .args(options)
            .stdin(Stdio::null())
            .spawn()
            .expect("QEMU runs");
        let monitor = Monitor::connect(&socket, &mut process).expect("a monitor that answers");
        Self {
            process,
            monitor,
            files,
        }
    }

    /// Waits until the guest sleeps with interrupts off.
    pub fn wait_for_halt(&mut self) {
        let start = Instant::now();
        while !self.is_halted() {
            assert!(
                start.elapsed() < LIMIT,
                "under QEMU, the guest doesn't halt"
            );
            thread::sleep(PAUSE);
        }
    }

    fn is_halted(&mut self) -> bool {
        let command = json!({"command-line": "info registers"});
        let answer = self.monitor.call("human-monitor-command", command);
        let answer = answer.expect("QEMU goes on");
        let registers = answer.as_str().expect("a text");
        let mut words = registers.split_whitespace();
        let flags = words.find_map(|word| u32::from_str_radix(word.strip_prefix("EFL=")?, 16).ok());
        words.any(|word| word == "HLT=1") && flags.is_some_and(|flags| flags & RFLAGS_IF == 0)
    }

    /// What the screen shows: `expected`, if it shows that within `time`.
    pub fn picture(&mut self, expected: &Picture, time: Duration) -> Picture {
        let start = Instant::now();
        loop {
            let picture = self.dump();
            if picture == *expected || start.elapsed() >= time {
                return picture;
            }
            thread::sleep(PAUSE);
        }
    }

    /// What the screen shows at this moment.
    pub fn dump(&mut self) -> Picture {
        let file = self.files.path().join("picture.ppm");
        let command = json!({"filename": file});
        self.monitor
            .call("screendump", command)
            .expect("QEMU goes on");
        Picture::load_dump(&file)
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // It has ended already where a test fails because of that.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
