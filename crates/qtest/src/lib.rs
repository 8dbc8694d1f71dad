// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! QEMU's qtest line protocol around `stdvga`: a script of accesses can be put to this program and to
//! QEMU, and every answer compared.
//!
//! - [`options`] understands QEMU's own `-M` and `-device` strings.
//! - [`command`] is the protocol: lines to commands, answers to lines.
//! - [`machine`] is the machine around the device: which access reaches what.
//! - `trace` comments each command for people: `--trace`.

pub mod command;
pub mod machine;
pub mod options;
#[cfg(test)]
mod tests;
mod trace;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};

use crate::command::{MAX_LINE, Session};
use crate::machine::Machine;
use crate::options::Options;

/// Answers are handed to the writing thread in pieces of about this many bytes.
const REPLY_BYTES: usize = 1 << 16;

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
    // their own: this one never waits for the client to read.
    let (replies, to_write) = mpsc::channel::<Vec<u8>>();
    let writer = thread::spawn(move || write_replies(&to_write));
    let trace = io::stderr().lock();
    serve(&mut session, io::stdin().lock(), &replies, trace)?;
    drop(replies);
    match writer.join() {
        Ok(result) => result.context("writing to standard output"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Answers each line of `input`, until its end or until nobody reads the answers any more.
fn serve(
    session: &mut Session,
    input: impl Read,
    replies: &mpsc::Sender<Vec<u8>>,
    mut trace: impl Write,
) -> Result<()> {
    let mut input = BufReader::with_capacity(REPLY_BYTES, input);
    let mut line = Vec::new();
    let mut reply = Vec::with_capacity(REPLY_BYTES);
    let mut traced = Vec::new();
    while read_line(&mut input, &mut line).context("reading from standard input")? {
        session.answer(&line, &mut reply, &mut traced);
        trace.write_all(&traced).context("writing the trace")?;
        traced.clear();
        // While there's another line to read, answers are collected; the client waits for them otherwise.
        if reply.len() >= REPLY_BYTES || !input.buffer().contains(&b'\n') {
            let full = std::mem::replace(&mut reply, Vec::with_capacity(REPLY_BYTES));
            if replies.send(full).is_err() {
                break;
            }
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

fn write_replies(replies: &mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let mut output = io::stdout().lock();
    for reply in replies {
        output.write_all(&reply)?;
        output.flush()?;
    }
    Ok(())
}
