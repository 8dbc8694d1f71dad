// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Signals, and guests that draw nothing: what was drawn is shown and saved, and nothing takes its place.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use iced_x86::IcedError;
use iced_x86::code_asm::*;
use rustix::process::{Pid, Signal, kill_process};
use stdvga_testing::program::text;

use crate::BOOT;
use crate::boot_sectors::{sector, set_mode};
use crate::run::{Picture, SEABIOS, SEAVGABIOS, bios, command, have_kvm_and, temporary};

/// No wait in here ends by time, unless something is wrong.
const LIMIT: Duration = Duration::from_secs(300);

/// Puts a line that guests write to the serial port into stderr.
const READY: &str = "ready";

/// Says [`READY`], and then runs for ever.
fn ready(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.mov(dx, 0x3f8)?;
    for byte in READY.bytes().chain([b'\n']) {
        a.mov(al, u32::from(byte))?;
        a.out(dx, al)?;
    }
    let mut forever = a.create_label();
    a.set_label(&mut forever)?;
    a.jmp(forever)
}

/// A BIOS that draws nothing, for ever.
fn silent_bios(name: &str) -> String {
    let assemble = || {
        let mut a = CodeAssembler::new(16)?;
        ready(&mut a)?;
        a.assemble(0)
    };
    bios(name, &assemble().expect("the BIOS assembles"))
}

/// A floppy whose boot sector writes an 'A' on the screen.
fn drawing_floppy(name: &str) -> String {
    let image = temporary(name);
    let sector = sector(|a| {
        set_mode(a, 0x0003)?;
        a.mov(ax, 0x0e41)?;
        a.int(0x10)?;
        ready(a)
    });
    fs::write(&image, sector).expect("the image can be written");
    text(&image).to_owned()
}

/// The program, while it runs a guest that has got to where it says [`READY`].
struct Running {
    process: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut process = command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut stderr = BufReader::new(process.stderr.take().expect("stderr is a pipe"));
        let mut said = String::new();
        while !said.lines().any(|line| line == READY) {
            let read = stderr.read_line(&mut said).expect("stderr is text");
            assert!(read > 0, "the guest wasn't ready:\n{said}");
        }
        Self {
            process,
            stderr,
            said,
        }
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.process);
        kill_process(id, signal).expect("the program is there");
    }

    /// Waits for the end. Gives its status, what was printed, and what was said.
    fn end(mut self) -> (ExitStatus, String, String) {
        let (mut printed, mut said) = (String::new(), std::mem::take(&mut self.said));
        let mut stdout = self.process.stdout.take().expect("stdout is a pipe");
        stdout.read_to_string(&mut printed).expect("stdout is text");
        let rest = self.stderr.read_to_string(&mut said);
        rest.expect("stderr is text");
        (
            self.process.wait().expect("the program ends"),
            printed,
            said,
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already if the test went well.
        let _ = self.process.kill();
    }
}

#[test]
fn a_signal_ends_the_machine_with_its_screen_printed_and_saved() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let floppy = drawing_floppy("signals.img");
    let screenshot = temporary("signals.png");
    for (signal, status, words) in [
        (Signal::INT, 130, "ended by Ctrl-C"),
        (Signal::TERM, 143, "ended by SIGTERM"),
    ] {
        let _ = fs::remove_file(&screenshot);
        let files = ["--bios", SEABIOS, "--vgabios", SEAVGABIOS];
        let own = ["--floppy", &floppy, "--screenshot", text(&screenshot)];
        let running = Running::start(&[&files[..], &own, &["--until-text", "never"]].concat());
        running.signal(signal);
        let (found, printed, said) = running.end();
        assert_eq!(found.code(), Some(status), "{said}");
        assert!(said.contains(words), "{words:?} isn't in:\n{said}");
        assert_eq!(printed, "A\n", "{said}");
        let picture = Picture::load(&screenshot).expect("the picture was written");
        assert_eq!(picture.size, (720, 400), "{said}");
    }
}

#[test]
fn a_signal_before_anything_is_drawn_leaves_the_last_picture_as_it_is() {
    if !have_kvm_and(&[SEAVGABIOS]) {
        return;
    }
    let bios = silent_bios("silent.bin");
    let screenshot = temporary("silent.png");
    for (options, status) in [(&[][..], 130), (&["--vnc", "0"], 1)] {
        fs::write(&screenshot, "precious").expect("the file can be written");
        let files = ["--bios", &bios, "--vgabios", SEAVGABIOS];
        let own = ["--screenshot", text(&screenshot)];
        let running = Running::start(&[&files[..], &own, options].concat());
        running.signal(Signal::INT);
        let (found, printed, said) = running.end();
        assert_eq!(found.code(), Some(status), "{options:?}: {said}");
        assert_eq!(printed, "");
        let words = "no picture is written to ";
        assert!(said.contains(words), "{words:?} isn't in:\n{said}");
        assert!(said.contains("the guest drew nothing"), "{said}");
        let left = fs::read(&screenshot).expect("the file is there");
        assert_eq!(left, b"precious", "{said}");
    }
}

#[test]
fn a_second_signal_ends_the_program_though_its_picture_cannot_be_written() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let floppy = drawing_floppy("second-signal.img");
    // Nobody reads it: writing to it waits for ever.
    let fifo = temporary("second-signal.png");
    let _ = fs::remove_file(&fifo);
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo runs").success());
    let files = ["--bios", SEABIOS, "--vgabios", SEAVGABIOS];
    let own = ["--floppy", &floppy, "--screenshot", text(&fifo)];
    let mut running = Running::start(&[&files[..], &own, &["--until-text", "never"]].concat());
    let start = Instant::now();
    let status = loop {
        running.signal(Signal::INT);
        thread::sleep(Duration::from_millis(100));
        let status = running.process.try_wait().expect("it can be waited for");
        if let Some(status) = status {
            break status;
        }
        assert!(start.elapsed() < LIMIT, "it didn't end");
    };
    assert_eq!(status.code(), Some(130));
    let (_, _, said) = running.end();
    assert!(!said.contains("ended by"), "it wrote the picture:\n{said}");
    let _ = fs::remove_file(&fifo);
}

/// Fails unless a BIOS that draws nothing is reported so, with `words`, and leaves a picture as it is. Runs
/// it with `options`.
fn assert_draws_nothing(bios: &str, options: &[&str], words: &[&str]) {
    let screenshot = Path::new(bios).with_extension("png");
    fs::write(&screenshot, "precious").expect("the file can be written");
    let files = ["--bios", bios, "--vgabios", SEAVGABIOS];
    let own = ["--screenshot", text(&screenshot)];
    let output = BOOT.run(&[&files[..], &own, options].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.ends_with("the guest drew nothing"), "{said}");
    for words in words {
        assert!(said.contains(words), "{words:?} isn't in:\n{said}");
    }
    let left = fs::read(&screenshot).expect("the file is there");
    assert_eq!(left, b"precious", "{said}");
}

#[test]
fn the_user_learns_after_some_seconds_that_nothing_has_been_drawn_and_why() {
    if !have_kvm_and(&[SEAVGABIOS]) {
        return;
    }
    let exits = format!("exits so far: {}", READY.len() + 1);
    let words = [
        "nothing has been drawn yet",
        &exits,
        "may interpret code, which is slow",
    ];
    let bios = silent_bios("suspense.bin");
    assert_draws_nothing(&bios, &["--seconds", "12"], &words);
}

#[test]
fn a_file_that_is_no_bios_is_suspected_to_be_none() {
    if !have_kvm_and(&[SEAVGABIOS]) {
        return;
    }
    let path = temporary("garbage.bin");
    fs::write(&path, vec![0xf4; 0x1_0000]).expect("the file can be written"); // HLT
    let words = [
        "may not be a BIOS image",
        "this one has [f4, f4, f4, f4, f4]",
        "halted with interrupts off",
    ];
    assert_draws_nothing(text(&path), &[], &words);
}
