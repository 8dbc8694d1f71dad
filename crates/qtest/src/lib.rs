// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! QEMU's qtest line protocol around `stdvga`: a script of accesses can be put to this program and to
//! QEMU, and every answer compared.
//!
//! - [`Options`] understands QEMU's own `-M` and `-device` strings.
//! - [`command`] is the protocol: lines to commands, answers to lines.
//! - [`machine`] is the machine around the device: which access reaches what.
//! - `backlog` holds answers that nobody has read yet.
//! - `trace` comments each command for people: `--trace`.

mod backlog;
pub mod command;
pub mod machine;
mod options;
#[cfg(test)]
mod tests;
mod trace;

pub use options::{Options, with_long_flags};

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::thread;

use anyhow::{Context, Result};

use crate::command::{MAX_LINE, Session};
use crate::machine::Machine;

/// Answers are handed to the writing thread, and written, in pieces of about this many bytes.
const REPLY_BYTES: usize = 1 << 16;
/// The most bytes of answers that wait for a client to read them. Until it does, no more of its lines are carried
/// out.
const MAX_BACKLOG: usize = 64 << 20;

/// Runs the program on standard input and output, until its input ends.
///
/// # Errors
///
/// If the machine can't be had, or standard input and output fail.
pub fn run(options: &Options) -> Result<()> {
    if let Some(help) = options.device_help() {
        let written = io::stdout().write_all(help.as_bytes());
        return written.context("writing to standard output");
    }
    let machine = Machine::new(options)?;
    let mut session = Session::new(machine, options.trace);

    // A client may send all its lines before it reads an answer. So answers are written by a thread of
    // their own: this one doesn't wait for the client to read, unless too much waits for that.
    let (replies, to_write) = backlog::new(MAX_BACKLOG);
    let writer = thread::spawn(move || write_replies(to_write));
    let trace = io::stderr().lock();
    serve(&mut session, io::stdin().lock(), replies, trace)?;
    match writer.join() {
        Ok(result) => result.context("writing to standard output"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Answers each line of `input`, until its end or until nobody reads the answers any more.
fn serve(
    session: &mut Session,
    input: impl Read,
    replies: impl Write,
    mut trace: impl Write,
) -> Result<()> {
    let mut input = BufReader::with_capacity(REPLY_BYTES, input);
    let mut line = Vec::new();
    let mut replies = BufWriter::with_capacity(REPLY_BYTES, replies);
    let mut traced = Vec::new();
    while read_line(&mut input, &mut line).context("reading from standard input")? {
        let answered = session.answer(&line, &mut replies, &mut traced);
        trace.write_all(&traced).context("writing the trace")?;
        traced.clear();
        // While there's another line to read, answers are collected; the client waits for them otherwise.
        let is_waited_for = !input.buffer().contains(&b'\n');
        let handed_on = answered.and_then(|()| {
            if is_waited_for {
                replies.flush()
            } else {
                Ok(())
            }
        });
        if handed_on.is_err() {
            break;
        }
    }
    Ok(())
}

/// Reads a line without its end; false at the end of the input. A line that's too long is cut to
/// [`MAX_LINE`] bytes, which tells it from those that aren't.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if input.take(MAX_LINE as u64).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.ends_with(b"\n") {
        line.pop();
    } else if line.len() == MAX_LINE {
        input.skip_until(b'\n')?;
    }
    Ok(true)
}

fn write_replies(mut replies: impl Read) -> io::Result<()> {
    let mut output = io::stdout().lock();
    let mut piece = vec![0; REPLY_BYTES];
    loop {
        match replies.read(&mut piece)? {
            0 => return Ok(()),
            len => output.write_all(&piece[..len])?,
        }
        output.flush()?;
    }
}
