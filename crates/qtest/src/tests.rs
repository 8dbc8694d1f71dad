// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The program from its input to its output.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::prelude::*;

use super::*;
use crate::machine::tests::machine;

const DEVICE: [&str; 2] = ["--device", "VGA,vgamem_mb=1,romfile="];

/// What the program says to some input: answers, and trace.
fn run(input: impl AsRef<[u8]>, trace: bool) -> (Vec<u8>, Vec<u8>) {
    let mut session = Session::new(machine(&DEVICE), trace);
    let (mut replies, mut traced) = (Vec::new(), Vec::new());
    serve(&mut session, input.as_ref(), &mut replies, &mut traced).expect("no failure");
    (replies, traced)
}

fn answers(input: impl AsRef<[u8]>) -> String {
    let (answers, trace) = run(input, false);
    assert!(trace.is_empty(), "there's no trace unless it's asked for");
    String::from_utf8(answers).expect("answers that are text")
}

#[test]
fn thousands_of_lines_are_answered_in_order() {
    let numbers = || (0..20_000).map(|number| number % 251);
    let input: String = numbers()
        .map(|number| format!("outb 0x3d4 {number}\noutb 0x3b4 {number}\ninb 0x3b4\n"))
        .collect();
    let expected: String = numbers()
        .map(|number| format!("OK\nOK\nOK 0x{number:04x}\n"))
        .collect();
    assert!(answers(input) == expected, "the answers differ");
}

#[test]
fn a_last_line_without_an_end_is_answered() {
    assert_eq!(answers("outb 0x3c4 2\ninb 0x3c4"), "OK\nOK 0x0002\n");
    assert_eq!(answers("\n"), "FAIL the line is empty\n");
    assert_eq!(answers(""), "");
}

#[test]
fn the_line_behind_one_that_is_too_long_is_answered() {
    for too_long in [MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE] {
        let input = format!("{}\ninb 0x3c4\n", "x".repeat(too_long));
        let expected = "FAIL the line has more than 65535 bytes\nOK 0x0000\n";
        assert_eq!(answers(input), expected, "{too_long} bytes");
    }
}

/// Answers that a client has got so far.
#[derive(Clone, Default)]
struct Heard(Rc<RefCell<Vec<u8>>>);

impl Heard {
    fn lines(&self) -> usize {
        let bytes = self.0.borrow();
        bytes.iter().filter(|byte| **byte == b'\n').count()
    }
}

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client that waits for the answers to its whole lines, before it says more.
struct Client {
    says: std::vec::IntoIter<&'static str>,
    lines: usize,
    heard: Heard,
}

impl Read for Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert_eq!(
            self.heard.lines(),
            self.lines,
            "answers before more is said"
        );
        let Some(text) = self.says.next() else {
            return Ok(0);
        };
        self.lines += text.matches('\n').count();
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        Ok(text.len())
    }
}

#[test]
fn all_whole_lines_are_answered_before_more_is_waited_for() {
    let heard = Heard::default();
    let client = Client {
        says: vec!["inb 0x3c4\n", "inb 0x3c4\nin", "b 0x3", "c4\ninb 0x3c4\n"].into_iter(),
        lines: 0,
        heard: heard.clone(),
    };
    let mut session = Session::new(machine(&DEVICE), false);
    serve(&mut session, client, heard.clone(), io::sink()).expect("no failure");
    assert_eq!(heard.lines(), 4);
}

/// Counts bytes, and the most that came at once.
#[derive(Default)]
struct Counted {
    bytes: usize,
    most: usize,
}

impl Write for &mut Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len();
        self.most = self.most.max(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_long_answer_is_handed_on_in_pieces() {
    let mut session = Session::new(machine(&DEVICE), false);
    let mut counted = Counted::default();
    let size = 8 << 20;
    let input = format!("read 0xa0000 {size}\n").repeat(2);
    serve(&mut session, input.as_bytes(), &mut counted, io::sink()).expect("no failure");
    assert_eq!(counted.bytes, 2 * (2 * size + "OK 0x\n".len()));
    assert!(counted.most <= 2 * REPLY_BYTES, "{} at once", counted.most);
}

#[test]
fn the_end_of_the_answers_reader_ends_the_program() {
    let (replies, reader) = backlog::new(MAX_BACKLOG);
    drop(reader);
    let mut session = Session::new(machine(&DEVICE), false);
    serve(&mut session, io::repeat(b'\n'), replies, io::sink()).expect("no failure");
}

/// An endless text, and how often it was read from.
struct Endless<'a>(&'a [u8], Arc<AtomicUsize>);

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.fetch_add(1, Ordering::Relaxed);
        let len = self.0.len().min(buffer.len());
        buffer[..len].copy_from_slice(&self.0[..len]);
        Ok(len)
    }
}

#[test]
fn no_more_input_is_read_than_there_is_room_for_its_answers() {
    const MOST: usize = 1 << 20;
    let lines = b"read 0xa0000 0x1000\nread 0xa0000 0x1000\n";
    let answers = 2 * (2 * 0x1000 + "OK 0x\n".len());
    let reads = Arc::new(AtomicUsize::new(0));
    let input = Endless(lines, Arc::clone(&reads));
    let (replies, mut reader) = backlog::new(MOST);
    let serving = thread::spawn(move || {
        let mut session = Session::new(machine(&DEVICE), false);
        serve(&mut session, input, replies, io::sink())
    });
    let mut taken = 0;
    let mut piece = [0; 1000];
    while taken < 4 * MOST {
        taken += reader.read(&mut piece).expect("there's always more");
        // What is read, waits, is being handed on, or is being made.
        let most = taken + MOST + REPLY_BYTES + answers;
        let asked = reads.load(Ordering::Relaxed).saturating_sub(1) * answers;
        assert!(
            asked <= most,
            "answers of {asked} bytes, after {taken} were read"
        );
    }
    drop(reader);
    let served = serving.join().expect("no panic");
    served.expect("a client that goes is no failure");
}

/// Lines of all kinds: commands, comments, failures, and lots of random accesses.
fn mixed_lines() -> Vec<u8> {
    let mut lines = Vec::new();
    for line in [
        &b"outl 0xcf8 0x80001010"[..],
        b"outl 0xcfc 0xfd000000 # BAR0",
        b"outl 0xcf8 0x80001018   #",
        b"outl 0xcfc 0xfe000000",
        b"outl 0xcf8 0x80001004",
        b"outw 0xcfc 2",
        b"memset 0xfcfffff0 0x200000 0x5a",
        b"read 0xfe000000 0x1000",
        b"clock_step 12345",
        b"screendump /nowhere/picture.ppm",
        b"",
        b" # nothing",
        b"# nothing",
        b" inb 0x3c4",
        b"inb 0x3c4 \r",
        b"in\rb # 0x3c4",
        b"inb 0x3c4 # \xff",
        b"\xff # not text",
        &[b'x'; MAX_LINE - 1],
        &[b'x'; MAX_LINE],
        &[b' '; MAX_LINE],
        &[b" #", &[b'x'; MAX_LINE][..]].concat(),
        b"system_reset",
    ] {
        lines.extend_from_slice(line);
        lines.push(b'\n');
    }
    let mut rng = SmallRng::seed_from_u64(3);
    for _ in 0..5000 {
        let (name, address) = match rng.random_range(0..4) {
            0 => ("outb", rng.random_range(0x3b0..0x3e0)),
            1 => ("outw", rng.random_range(0x1ce..0x1d1)),
            2 => ("inw", rng.random_range(0x3b0..0x3e0)),
            _ => ("readl", rng.random_range(0xa_0000..0xc_0000)),
        };
        let value = if name.starts_with("out") {
            format!(" {}", rng.random::<u8>())
        } else {
            String::new()
        };
        lines.extend_from_slice(format!("{name} {address:#x}{value}\n").as_bytes());
    }
    lines
}

#[test]
fn a_trace_is_input_that_gets_the_same_answers() {
    let (answers, trace) = run(mixed_lines(), true);
    let (answers_again, trace_again) = run(&trace, true);
    assert!(answers_again == answers, "the answers differ");
    assert!(trace_again == trace, "the traces differ");
    let (answers_without, _) = run(&trace, false);
    assert!(
        answers_without == answers,
        "a trace of the trace isn't needed"
    );
}
