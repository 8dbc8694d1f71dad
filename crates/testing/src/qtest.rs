// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The two sides of a comparison: QEMU, and the program `stdvga-qtest`. Both answer the same lines.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use serde_json::json;
use tempfile::TempDir;

use crate::program::Program;
use crate::qmp::Monitor;
use crate::skip::QEMU;
pub use crate::skip::has_qemu;

/// The arguments that give either program a machine and a device.
fn arguments(machine: &str, device: &str) -> [String; 4] {
    // QEMU places PCI devices as it likes; this workspace's program has it at 02.0.
    let device = match device.split_once(',') {
        _ if machine != "pc" => device.to_owned(),
        Some((name, properties)) => format!("{name},addr=02.0,{properties}"),
        None => format!("{device},addr=02.0"),
    };
    ["-M".into(), machine.into(), "-device".into(), device]
}

/// How often QEMU is started, until one answers: seldom, once in many thousand starts, it hangs before
/// that.
const STARTS: u32 = 3;

/// A program that answers qtest lines.
pub struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// QEMU's monitor, which does what its qtest doesn't; and where its socket is, which goes with the directory.
    monitor: Option<(Monitor, TempDir)>,
}

impl Peer {
    /// This workspace's program.
    pub fn stdvga(program: Program, machine: &str, device: &str) -> Self {
        Self::stdvga_with(program, &arguments(machine, device))
    }

    /// This workspace's program with arguments of its own.
    pub fn stdvga_with(program: Program, arguments: &[String]) -> Self {
        Self::start(program.command(arguments))
    }

    /// QEMU, stopped, so that nothing but the lines happens.
    pub fn qemu(machine: &str, device: &str) -> Self {
        let no_other_vga = ["-vga", "none"].map(str::to_owned);
        Self::qemu_with(&[&no_other_vga[..], &arguments(machine, device)].concat())
    }

    /// QEMU, stopped, with a machine and a VGA of the caller's.
    pub fn qemu_with(arguments: &[String]) -> Self {
        let mut starts = (0..STARTS).map(|_| Self::try_qemu_with(arguments));
        let peer = starts.find_map(|started| {
            let unanswered = |error| eprintln!("QEMU's monitor doesn't answer: {error}");
            started.map_err(unanswered).ok()
        });
        peer.expect("a QEMU that answers")
    }

    fn try_qemu_with(arguments: &[String]) -> io::Result<Self> {
        let files = tempfile::tempdir().expect("a temporary directory");
        let bios = files.path().join("halt.bin");
        fs::write(&bios, halting_bios()).expect("a BIOS image");
        let socket = files.path().join("monitor");
        let mut command = Command::new(QEMU);
        command
            .args([
                "-accel",
                "tcg",
                "-S",
                "-m",
                "16",
                "-display",
                "none",
                "-nodefaults",
                "-no-user-config",
            ])
            .args(["-qtest", "stdio", "-qtest-log", "none", "-qmp"])
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .arg("-bios")
            .arg(bios)
            .args(arguments);
        let mut peer = Self::start(command);
        peer.monitor = Some((Monitor::connect(&socket, &mut peer.child)?, files));
        Ok(peer)
    }

    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} doesn't start: {error}"));
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            child,
            input,
            output,
            monitor: None,
        }
    }

    /// Puts lines to the program, and gives its answers.
    pub fn ask(&mut self, lines: &[String]) -> Vec<String> {
        self.try_ask(lines)
            .unwrap_or_else(|error| panic!("the program answers: {error}"))
    }

    /// Puts lines to a program that may end at them.
    pub fn try_ask(&mut self, lines: &[String]) -> io::Result<Vec<String>> {
        let mut answers = Vec::with_capacity(lines.len());
        for part in lines.chunk_by(|a, b| is_qtest(a) && is_qtest(b)) {
            match (&mut self.monitor, part) {
                (Some((monitor, _)), [line]) if !is_qtest(line) => {
                    execute(monitor, line)?;
                    answers.push("OK".into());
                }
                _ => self.ask_qtest(part, &mut answers)?,
            }
        }
        Ok(answers)
    }

    fn ask_qtest(&mut self, lines: &[String], answers: &mut Vec<String>) -> io::Result<()> {
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        let (input, output) = (&mut self.input, &mut self.output);
        // Written on a thread of its own: neither side ever waits for the other to read.
        thread::scope(|scope| {
            let writer = scope.spawn(move || input.write_all(text.as_bytes()));
            for line in lines {
                let mut answer = String::new();
                if output.read_line(&mut answer)? == 0 {
                    return Err(ended(format!("the program ended at `{line}`")));
                }
                answer.truncate(answer.trim_end().len());
                answers.push(answer);
            }
            writer.join().expect("a writer that doesn't panic")
        })
    }
}

fn ended(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, message)
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both end by themselves at the end of their input, or not: a test is over in either case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Leaves out the lines that a difference doesn't need. `differs` tells how many of the lines it's given
/// lead to the difference, if they still do.
pub fn shrink(
    mut lines: Vec<String>,
    mut differs: impl FnMut(&[String]) -> Option<usize>,
) -> Vec<String> {
    let mut piece = lines.len().div_ceil(2);
    loop {
        let mut start = 0;
        while start < lines.len() {
            let end = (start + piece).min(lines.len());
            let mut without = [&lines[..start], &lines[end..]].concat();
            match differs(&without) {
                Some(len) => {
                    without.truncate(len);
                    lines = without;
                }
                None => start = end,
            }
        }
        if piece <= 1 {
            return lines;
        }
        piece = piece.div_ceil(2);
    }
}

/// The lines, each with what it does in the terms of the VGA references.
pub fn decode(program: Program, machine: &str, device: &str, lines: &[String]) -> String {
    let trace = ["--trace".to_owned()];
    let mut command = program.command(&[&arguments(machine, device)[..], &trace].concat());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    let mut input = child.stdin.take().expect("a pipe");
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    thread::scope(|scope| {
        // Written on a thread of its own, and closed at its end.
        scope.spawn(move || input.write_all(text.as_bytes()));
        let output = child
            .wait_with_output()
            .expect("the program ends with its input");
        String::from_utf8_lossy(&output.stderr).into_owned()
    })
}

/// Whether QEMU's qtest knows the line's command. Its monitor executes the others; the program knows
/// those of them that need no processor.
fn is_qtest(line: &str) -> bool {
    let command = line.split(' ').next().unwrap_or(line);
    !matches!(command, "system_reset" | "screendump" | "cont" | "stop")
}

/// Has QEMU's monitor execute a line that isn't for its qtest.
fn execute(monitor: &mut Monitor, line: &str) -> io::Result<()> {
    let (command, argument) = line.split_once(' ').unwrap_or((line, ""));
    let arguments = match command {
        "screendump" => json!({"filename": argument}),
        _ => json!({}),
    };
    monitor.call(command, arguments)?;
    if command == "system_reset" {
        monitor.wait_for_event("RESET")?;
    }
    Ok(())
}

/// 64 KiB whose reset vector halts: QEMU wants a BIOS, and never runs it.
fn halting_bios() -> Vec<u8> {
    let mut bios = vec![0; 1 << 16];
    bios[0xfff0..0xfff2].copy_from_slice(&[0xfa, 0xf4]);
    bios
}
