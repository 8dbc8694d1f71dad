// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The protocol: a line is a command, and every command gets one line.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::machine::{Machine, Picture, Space};
use crate::trace::Tracer;

/// A line has fewer bytes than this, its comment included.
pub const MAX_LINE: usize = 1 << 16;
/// The most bytes that one `read`, `write` or `memset` covers.
const MAX_BYTES: u64 = 1 << 30;
/// `read`, `write` and `memset` go in pieces of so many bytes.
const PIECE_BYTES: usize = 1 << 16;

/// The most characters that the reason of a `FAIL` has.
const MAX_MESSAGE: usize = 300;

/// What a comment starts with.
const COMMENT: &[u8] = b" #";
/// What a trace has between a command and its comment.
const SEPARATOR: &[u8] = b"   # ";

/// A machine, and the conversation with it.
pub struct Session {
    machine: Machine,
    tracer: Option<Tracer>,
}

/// What a command is answered.
enum Answer {
    Done,
    Value(String),
    /// What so many bytes of memory hold, from an address on.
    Bytes(u64, u64),
    Failure(String),
}

/// A command that is one access.
#[derive(Clone, Copy)]
struct Access {
    space: Space,
    /// In bytes.
    width: usize,
    is_read: bool,
}

impl Access {
    fn named(name: &str) -> Option<Self> {
        let (operation, suffix) = name.split_at_checked(name.len().checked_sub(1)?)?;
        let (space, is_read) = match operation {
            "in" => (Space::Ports, true),
            "out" => (Space::Ports, false),
            "read" => (Space::Memory, true),
            "write" => (Space::Memory, false),
            _ => return None,
        };
        let width = match suffix {
            "b" => 1,
            "w" => 2,
            "l" => 4,
            "q" if space == Space::Memory => 8,
            _ => return None,
        };
        Some(Self {
            space,
            width,
            is_read,
        })
    }
}

impl Session {
    /// A session that comments what it does, if it's told to `trace`.
    pub fn new(machine: Machine, trace: bool) -> Self {
        Self {
            machine,
            tracer: trace.then(Tracer::default),
        }
    }

    /// Executes a line: writes its answer to `reply`, and appends the line with a comment to `trace`.
    ///
    /// # Errors
    ///
    /// If `reply` doesn't take the answer. A command that fails is answered, too.
    pub fn answer(
        &mut self,
        line: &[u8],
        reply: &mut impl Write,
        trace: &mut Vec<u8>,
    ) -> io::Result<()> {
        let command = without_comment(line);
        // One line of bounded length, whatever the error quotes.
        let failure = |error: anyhow::Error| {
            let message = format!("{error:#}").replace(['\n', '\r'], " ");
            let message: String = message.chars().take(MAX_MESSAGE).collect();
            Answer::Failure(format!("FAIL {message}"))
        };
        let answer = self.execute(command).unwrap_or_else(failure);
        match &answer {
            Answer::Done => reply.write_all(b"OK")?,
            Answer::Value(value) => write!(reply, "OK {value}")?,
            Answer::Bytes(address, size) => self.read_range(*address, *size, reply)?,
            Answer::Failure(reason) => reply.write_all(reason.as_bytes())?,
        }
        reply.write_all(b"\n")?;
        if let Some(tracer) = &mut self.tracer {
            let mut comment = tracer.take_comment();
            if let Answer::Failure(reason) = answer {
                comment = reason;
            }
            trace.extend_from_slice(command);
            // A trace is input again: its lines aren't too long, but where those put in were.
            if command.len() + SEPARATOR.len() + comment.len() < MAX_LINE {
                trace.extend_from_slice(SEPARATOR);
                trace.extend_from_slice(comment.as_bytes());
            }
            trace.push(b'\n');
        }
        Ok(())
    }

    fn execute(&mut self, command: &[u8]) -> Result<Answer> {
        ensure!(
            command.len() < MAX_LINE,
            "the line has more than {} bytes",
            MAX_LINE - 1
        );
        let command = std::str::from_utf8(command).context("the line isn't text")?;
        let mut words = command.split(' ');
        let name = words.next().unwrap_or("");
        if let Some(access) = Access::named(name) {
            let address = number(words.next().context("the address is missing")?)?;
            let value = if access.is_read {
                0
            } else {
                number(words.next().context("the value is missing")?)?
            };
            end(words)?;
            return self.access(access, address, value);
        }
        match name {
            "read" => {
                let (address, size) = range(&mut words)?;
                end(words)?;
                return Ok(Answer::Bytes(address, size));
            }
            "write" => {
                let (address, size) = range(&mut words)?;
                let data = hex_bytes(words.next().context("the data is missing")?)?;
                end(words)?;
                self.write_range(address, size, &data);
            }
            "memset" => {
                let (address, size) = range(&mut words)?;
                let value = number(words.next().context("the value is missing")?)?;
                end(words)?;
                self.fill(address, size, value as u8);
            }
            "clock_step" => {
                let nanoseconds = number(words.next().context("the nanoseconds are missing")?)?;
                end(words)?;
                let now = self.machine.step_clock(nanoseconds);
                if let Some(tracer) = &mut self.tracer {
                    tracer.say(&format!("now {now} ns"));
                }
                return Ok(Answer::Value(now.to_string()));
            }
            "system_reset" => {
                end(words)?;
                self.machine.reset();
                if let Some(tracer) = &mut self.tracer {
                    tracer.reset();
                }
            }
            "screendump" => {
                let path = command.split_once(' ').map_or("", |(_, path)| path);
                ensure!(!path.is_empty(), "the file's name is missing");
                let picture = self.machine.refresh()?;
                write_ppm(picture, Path::new(path))
                    .with_context(|| format!("screendump '{path}'"))?;
                if let Some(tracer) = &mut self.tracer {
                    tracer.say(&format!("{}; a picture of {}", picture.mode, picture.size));
                }
            }
            "" => bail!("the line is empty"),
            _ => bail!("unknown command '{name}'"),
        }
        Ok(Answer::Done)
    }

    fn access(&mut self, access: Access, address: u64, value: u64) -> Result<Answer> {
        let Access {
            space,
            width,
            is_read,
        } = access;
        if space == Space::Ports {
            ensure!(
                address <= u64::from(u16::MAX),
                "there's no port {address:#x}"
            );
        }
        // What isn't read stays zero.
        let mut bytes = value.to_le_bytes();
        let data = &mut bytes[..width];
        if !is_read {
            self.write(space, address, data);
            return Ok(Answer::Done);
        }
        self.read(space, address, data);
        let value = u64::from_le_bytes(bytes);
        if let Some(tracer) = &mut self.tracer {
            tracer.value_read(value, width);
        }
        Ok(Answer::Value(match space {
            Space::Ports => format!("0x{value:04x}"),
            Space::Memory => format!("0x{value:016x}"),
        }))
    }

    fn read(&mut self, space: Space, address: u64, data: &mut [u8]) {
        let Some(tracer) = &mut self.tracer else {
            return self.machine.read(space, address, data);
        };
        let pieces = self.machine.reach(space, address, data.len());
        self.machine.read(space, address, data);
        tracer.access(&pieces, false, data);
    }

    fn write(&mut self, space: Space, address: u64, data: &[u8]) {
        // The write may move what it reaches: look before it.
        if let Some(tracer) = &mut self.tracer {
            let pieces = self.machine.reach(space, address, data.len());
            tracer.access(&pieces, true, data);
        }
        self.machine.write(space, address, data);
    }

    /// Writes what a range holds, piece by piece: all of it may be more than memory has room for.
    fn read_range(&mut self, address: u64, size: u64, reply: &mut impl Write) -> io::Result<()> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        reply.write_all(b"OK 0x")?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut digits = Vec::with_capacity(2 * PIECE_BYTES);
        for (address, len) in pieces(address, size) {
            self.read(Space::Memory, address, &mut piece[..len]);
            digits.clear();
            for byte in &piece[..len] {
                let pair = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
                digits.extend_from_slice(&pair);
            }
            reply.write_all(&digits)?;
        }
        Ok(())
    }

    fn write_range(&mut self, address: u64, size: u64, data: &[u8]) {
        let given = data.len().min(size as usize);
        self.write(Space::Memory, address, &data[..given]);
        self.fill(address.wrapping_add(given as u64), size - given as u64, 0);
    }

    fn fill(&mut self, address: u64, size: u64, value: u8) {
        let piece = vec![value; PIECE_BYTES];
        for (address, len) in pieces(address, size) {
            self.write(Space::Memory, address, &piece[..len]);
        }
    }
}

/// What a line commands. From a `#` behind a space on, it's for people.
fn without_comment(line: &[u8]) -> &[u8] {
    if line.len() >= MAX_LINE {
        return line;
    }
    let end = line
        .windows(COMMENT.len())
        .position(|bytes| bytes == COMMENT)
        .unwrap_or(line.len());
    line[..end].trim_ascii_end()
}

/// Cuts a range into pieces that a buffer holds.
fn pieces(address: u64, size: u64) -> impl Iterator<Item = (u64, usize)> {
    (0..size).step_by(PIECE_BYTES).map(move |at| {
        (
            address.wrapping_add(at),
            (size - at).min(PIECE_BYTES as u64) as usize,
        )
    })
}

fn end<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<()> {
    match words.next() {
        None => Ok(()),
        Some(word) => bail!("there's '{word}' behind the command's end"),
    }
}

fn range<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<(u64, u64)> {
    let address = number(words.next().context("the address is missing")?)?;
    let size = number(words.next().context("the size is missing")?)?;
    ensure!(
        (1..=MAX_BYTES).contains(&size),
        "a size of {size}: 1 to {MAX_BYTES} bytes are allowed"
    );
    Ok((address, size))
}

/// A number, decimal or hexadecimal with `0x`.
fn number(word: &str) -> Result<u64> {
    let parsed = match word.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => word.parse(),
    };
    parsed
        .ok()
        .filter(|_| !word.contains('+'))
        .with_context(|| format!("'{word}' isn't a 64-bit number"))
}

fn hex_bytes(word: &str) -> Result<Vec<u8>> {
    let digits = word
        .strip_prefix("0x")
        .context("the data doesn't start with 0x")?;
    ensure!(digits.len() % 2 == 0, "the data has half a byte");
    let digit = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
    digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect::<Option<_>>()
        .context("the data isn't hexadecimal")
}

/// Writes a picture as a binary portable pixmap.
fn write_ppm(picture: &Picture, path: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write!(
        file,
        "P6\n{} {}\n255\n",
        picture.size.width, picture.size.height
    )?;
    for pixel in &picture.pixels {
        let [_, rgb @ ..] = pixel.to_be_bytes();
        file.write_all(&rgb)?;
    }
    file.flush()?;
    Ok(())
}
