// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Messages as bytes. Client and server share a host, so numbers are in its byte order.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, ensure};
use rustix::io::Errno;
use stdvga::vm_memory::FileOffset;

pub const HEADER_BYTES: usize = 16;

// Flags of a message.
/// It answers another message.
pub const REPLY: u32 = 1 << 0;
/// It isn't to be answered.
pub const NO_REPLY: u32 = 1 << 4;
/// It says why nothing was done.
pub const ERROR: u32 = 1 << 5;

/// What every message begins with.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    id: u16,
    pub command: u16,
    /// Bytes of the message, at least those of its header.
    len: usize,
    flags: u32,
}

impl Header {
    /// Reads the next message's header; none at the end of `input`.
    pub fn read(input: &mut impl Read) -> Result<Option<Self>> {
        let mut bytes = [0; HEADER_BYTES];
        let (first, rest) = bytes.split_at_mut(1);
        match input.read_exact(first) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read.context("reading a message")?,
        }
        input.read_exact(rest).context("reading a message")?;
        let [i0, i1, c0, c1, l0, l1, l2, l3, f0, f1, f2, f3, ..] = bytes;
        let len = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        ensure!(
            len >= HEADER_BYTES,
            "a message of {len} bytes can't have a header"
        );
        Ok(Some(Self {
            id: u16::from_ne_bytes([i0, i1]),
            command: u16::from_ne_bytes([c0, c1]),
            len,
            flags: u32::from_ne_bytes([f0, f1, f2, f3]),
        }))
    }

    /// How many bytes follow it, as the client says.
    pub fn body_len(self) -> usize {
        self.len - HEADER_BYTES
    }

    /// Whether the client answers a message. Nobody asked it anything.
    pub fn is_reply(self) -> bool {
        self.flags & REPLY != 0
    }

    /// Whether the client waits for an answer.
    pub fn wants_reply(self) -> bool {
        self.flags & NO_REPLY == 0
    }
}

/// What follows a header, field by field.
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub fn of(body: &'a [u8]) -> Self {
        Self(body)
    }

    fn next<const N: usize>(&mut self) -> Result<[u8; N], Errno> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Errno::INVAL)?;
        self.0 = rest;
        Ok(*field)
    }

    pub fn u16(&mut self) -> Result<u16, Errno> {
        self.next().map(u16::from_ne_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Errno> {
        self.next().map(u32::from_ne_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Errno> {
        self.next().map(u64::from_ne_bytes)
    }

    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// An answer in the making.
#[derive(Default)]
pub struct Answer {
    /// With room for the header.
    bytes: Vec<u8>,
    file: Option<FileOffset>,
}

impl Answer {
    /// Makes it one without a body.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.resize(HEADER_BYTES, 0);
        self.file = None;
    }

    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn extend_u32(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.extend(&number.to_ne_bytes());
        }
    }

    pub fn extend_u64(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.extend(&number.to_ne_bytes());
        }
    }

    /// Appends zeros, to be overwritten.
    pub fn extend_zeros(&mut self, len: usize) -> &mut [u8] {
        let start = self.bytes.len();
        self.bytes.resize(start + len, 0);
        &mut self.bytes[start..]
    }

    /// Gives the client a descriptor of a file.
    pub fn attach(&mut self, file: FileOffset) {
        self.file = Some(file);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn file(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(|file| file.file().as_fd())
    }

    /// Makes it the answer to `message`. What was refused has an errno, and nothing else.
    pub fn finish(&mut self, message: Header, outcome: Result<(), Errno>) {
        let (flags, errno) = match outcome {
            Ok(()) => (REPLY, 0),
            Err(error) => {
                self.clear();
                (REPLY | ERROR, error.raw_os_error())
            }
        };
        let header = [
            &message.id.to_ne_bytes()[..],
            &message.command.to_ne_bytes(),
            &(self.bytes.len() as u32).to_ne_bytes(),
            &flags.to_ne_bytes(),
            &errno.to_ne_bytes(),
        ];
        self.bytes[..HEADER_BYTES].copy_from_slice(&header.concat());
    }
}
