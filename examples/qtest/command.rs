//! The protocol: a line is a command, and every command gets one line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::machine::{Machine, Picture};

/// The most bytes that one `read`, `write` or `memset` covers.
const MAX_BYTES: u64 = 1 << 30;
/// `read`, `write` and `memset` go in pieces of so many bytes.
const PIECE_BYTES: usize = 1 << 16;

/// The most characters that the reason of a `FAIL` has.
const MAX_MESSAGE: usize = 300;

/// A machine, and the conversation with it.
pub struct Session {
    machine: Machine,
}

/// An access's width in bytes, and whether it's a read, by the command's name.
fn access(name: &str) -> Option<(usize, bool)> {
    Some(match name {
        "inb" | "readb" => (1, true),
        "inw" | "readw" => (2, true),
        "inl" | "readl" => (4, true),
        "readq" => (8, true),
        "outb" | "writeb" => (1, false),
        "outw" | "writew" => (2, false),
        "outl" | "writel" => (4, false),
        "writeq" => (8, false),
        _ => return None,
    })
}

impl Session {
    pub fn new(machine: Machine) -> Self {
        Self { machine }
    }

    /// Executes a line, and appends its answer to `reply`.
    pub fn answer(&mut self, line: &[u8], reply: &mut Vec<u8>) {
        let start = reply.len();
        if let Err(error) = self.execute(line, reply) {
            reply.truncate(start);
            // One line of bounded length, whatever the error quotes.
            let message = format!("{error:#}").replace(['\n', '\r'], " ");
            let message: String = message.chars().take(MAX_MESSAGE).collect();
            reply.extend_from_slice(format!("FAIL {message}").as_bytes());
        }
        reply.push(b'\n');
    }

    fn execute(&mut self, line: &[u8], reply: &mut Vec<u8>) -> Result<()> {
        let line = std::str::from_utf8(line).context("the line isn't text")?;
        // What a trace says behind the command is for people.
        let line = line
            .split_once('#')
            .map_or(line, |(command, _)| command)
            .trim_end();
        let mut words = line.split(' ');
        let name = words.next().unwrap_or("");
        if let Some((width, is_read)) = access(name) {
            let address = number(words.next().context("the address is missing")?)?;
            let value = if is_read {
                0
            } else {
                number(words.next().context("the value is missing")?)?
            };
            end(words)?;
            return self.access(name, width, is_read, address, value, reply);
        }
        match name {
            "read" => {
                let (address, size) = range(&mut words)?;
                end(words)?;
                self.read(address, size, reply);
            }
            "write" => {
                let (address, size) = range(&mut words)?;
                let data = hex_bytes(words.next().context("the data is missing")?)?;
                end(words)?;
                self.write(address, size, &data);
                reply.extend_from_slice(b"OK");
            }
            "memset" => {
                let (address, size) = range(&mut words)?;
                let value = number(words.next().context("the value is missing")?)?;
                end(words)?;
                self.fill(address, size, value as u8);
                reply.extend_from_slice(b"OK");
            }
            "clock_step" => {
                let nanoseconds = number(words.next().context("the nanoseconds are missing")?)?;
                end(words)?;
                write!(reply, "OK {}", self.machine.step_clock(nanoseconds))?;
            }
            "system_reset" => {
                end(words)?;
                self.machine.reset();
                reply.extend_from_slice(b"OK");
            }
            "screendump" => {
                let path = line.split_once(' ').map_or("", |(_, path)| path);
                ensure!(!path.is_empty(), "the file's name is missing");
                let picture = self.machine.refresh()?;
                write_ppm(picture, Path::new(path))
                    .with_context(|| format!("screendump '{path}'"))?;
                reply.extend_from_slice(b"OK");
            }
            "" => bail!("the line is empty"),
            _ => bail!("unknown command '{name}'"),
        }
        Ok(())
    }

    fn access(
        &mut self,
        name: &str,
        width: usize,
        is_read: bool,
        address: u64,
        value: u64,
        reply: &mut Vec<u8>,
    ) -> Result<()> {
        let is_port = name.starts_with(['i', 'o']);
        let mut bytes = value.to_le_bytes();
        let data = &mut bytes[..width];
        if is_port {
            let port = u16::try_from(address)
                .ok()
                .with_context(|| format!("there's no port {address:#x}"))?;
            if is_read {
                self.machine.port_read(port, data);
            } else {
                self.machine.port_write(port, data);
            }
        } else if is_read {
            self.machine.memory_read(address, data);
        } else {
            self.machine.memory_write(address, data);
        }

        // What wasn't read is zero from the start.
        let value = u64::from_le_bytes(bytes);
        match (is_read, is_port) {
            (true, true) => write!(reply, "OK 0x{value:04x}")?,
            (true, false) => write!(reply, "OK 0x{value:016x}")?,
            (false, _) => reply.extend_from_slice(b"OK"),
        }
        Ok(())
    }

    fn read(&mut self, address: u64, size: u64, reply: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        reply.extend_from_slice(b"OK 0x");
        let mut piece = vec![0; PIECE_BYTES];
        for (address, len) in pieces(address, size) {
            self.machine.memory_read(address, &mut piece[..len]);
            reply.extend(
                piece[..len]
                    .iter()
                    .flat_map(|byte| [byte >> 4, byte & 15])
                    .map(|digit| DIGITS[usize::from(digit)]),
            );
        }
    }

    fn write(&mut self, address: u64, size: u64, data: &[u8]) {
        let given = data.len().min(size as usize);
        self.machine.memory_write(address, &data[..given]);
        self.fill(address.wrapping_add(given as u64), size - given as u64, 0);
    }

    fn fill(&mut self, address: u64, size: u64, value: u8) {
        let piece = vec![value; PIECE_BYTES];
        for (address, len) in pieces(address, size) {
            self.machine.memory_write(address, &piece[..len]);
        }
    }
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
        .with_context(|| format!("'{word}' is no number of 64 bits"))
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
