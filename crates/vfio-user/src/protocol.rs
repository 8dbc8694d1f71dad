// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The protocol: what a client asks, and what it's answered.
//!
//! A client is hostile, so no length is believed. A message takes at most [`MAX_MESSAGE`] bytes of memory, and
//! so does its answer. One that's refused is still read to its end: there the next one begins. Descriptors that
//! come with messages are closed by the kernel, for nobody takes them: the device has no DMA and no interrupts.

mod message;
#[cfg(test)]
mod tests;

use std::io::{self, BufReader, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, ensure};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use vfio_bindings::bindings::vfio::{
    VFIO_DEVICE_FLAGS_PCI, VFIO_DEVICE_FLAGS_RESET, VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS,
    VFIO_REGION_INFO_CAP_SPARSE_MMAP, VFIO_REGION_INFO_FLAG_CAPS,
};

use self::message::{Answer, Fields, HEADER_BYTES, Header};
use crate::device::Device;

/// The most bytes of a region that one message reads or writes.
pub const MAX_DATA: usize = 1 << 20;
/// The most bytes that a message has.
pub const MAX_MESSAGE: usize = HEADER_BYTES + ACCESS_BYTES + MAX_DATA;

// Lengths of what precedes data, or is all that follows a header.
const ACCESS_BYTES: usize = 16;
const DEVICE_INFO_BYTES: u32 = 16;
const REGION_INFO_BYTES: u32 = 32;
const IRQ_INFO_BYTES: u32 = 16;
const DMA_MAP_BYTES: usize = 32;
const DMA_UNMAP_BYTES: usize = 24;
/// A list of one area that can be mapped.
const MAPPED_AREA_BYTES: u32 = 32;

/// Shorter messages arrive by one system call.
const BUFFER_BYTES: usize = 4096;

/// What clients are told with the version: as many descriptors as come with an answer, and [`MAX_DATA`].
const CAPABILITIES: &[u8] =
    b"{\"capabilities\":{\"max_msg_fds\":1,\"max_data_xfer_size\":1048576}}\0";

/// Commands that are carried out. All others are refused.
mod command {
    pub const VERSION: u16 = 1;
    pub const DMA_MAP: u16 = 2;
    pub const DMA_UNMAP: u16 = 3;
    pub const DEVICE_INFO: u16 = 4;
    pub const REGION_INFO: u16 = 5;
    pub const IRQ_INFO: u16 = 7;
    pub const SET_IRQS: u16 = 8;
    pub const REGION_READ: u16 = 9;
    pub const REGION_WRITE: u16 = 10;
    pub const DEVICE_RESET: u16 = 13;
}

/// Where answers go.
pub trait Answers {
    /// Sends an answer, and a descriptor of `file` with it.
    ///
    /// # Errors
    ///
    /// If it can't be sent.
    fn send(&mut self, answer: &[u8], file: Option<BorrowedFd<'_>>) -> io::Result<()>;
}

impl Answers for &UnixStream {
    fn send(&mut self, answer: &[u8], file: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let sent = match file {
            Some(file) => send_with_file(self, answer, file)?,
            None => 0,
        };
        self.write_all(&answer[sent..])
    }
}

/// Sends the first of some bytes, and a descriptor with them. Gives how many bytes that were.
fn send_with_file(stream: &UnixStream, bytes: &[u8], file: BorrowedFd<'_>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let files = [file];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let has_room = ancillary.push(SendAncillaryMessage::ScmRights(&files));
    debug_assert!(has_room, "a descriptor fits");
    let sent = rustix::io::retry_on_intr(|| {
        let bytes = [IoSlice::new(bytes)];
        rustix::net::sendmsg(stream, &bytes, &mut ancillary, SendFlags::NOSIGNAL)
    });
    Ok(sent?)
}

/// Carries out messages until there are no more.
///
/// # Errors
///
/// If nobody can tell where the next message begins, or the connection fails.
pub fn serve(input: impl Read, mut answers: impl Answers, device: &Device) -> Result<()> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let (mut body, mut answer) = (Vec::new(), Answer::default());
    while let Some(header) = Header::read(&mut input)? {
        let is_whole = read_body(&mut input, header, &mut body)?;
        if header.is_reply() {
            continue;
        }
        answer.clear();
        let outcome = if is_whole {
            carry_out(header.command, &body, device, &mut answer)
        } else {
            Err(Errno::INVAL)
        };
        if header.wants_reply() {
            answer.finish(header, outcome);
            let sent = answers.send(answer.bytes(), answer.file());
            sent.context("answering a message")?;
        }
    }
    Ok(())
}

/// Reads what follows a header. More than a message may have is skipped: false.
fn read_body(input: &mut impl Read, header: Header, body: &mut Vec<u8>) -> Result<bool> {
    let len = header.body_len();
    body.clear();
    if HEADER_BYTES + len <= MAX_MESSAGE {
        body.resize(len, 0);
        input.read_exact(body).context("reading a message")?;
        return Ok(true);
    }
    let len = len as u64;
    let skipped = io::copy(&mut input.take(len), &mut io::sink()).context("skipping a message")?;
    ensure!(skipped == len, "the end is in the middle of a message");
    Ok(false)
}

/// Carries out a command, and appends what is answered.
fn carry_out(command: u16, body: &[u8], device: &Device, answer: &mut Answer) -> Result<(), Errno> {
    let fields = Fields::of(body);
    match command {
        command::VERSION => version(fields, answer),
        command::DMA_MAP => first(body, DMA_MAP_BYTES).map(drop),
        command::DMA_UNMAP => first(body, DMA_UNMAP_BYTES).map(|echo| answer.extend(echo)),
        command::DEVICE_INFO => device_info(fields, answer),
        command::REGION_INFO => region_info(fields, device, answer),
        command::IRQ_INFO => irq_info(fields, answer),
        command::SET_IRQS => set_irqs(fields),
        command::REGION_READ => region_read(fields, device, answer),
        command::REGION_WRITE => region_write(fields, device, answer),
        command::DEVICE_RESET => {
            device.reset();
            Ok(())
        }
        _ => Err(Errno::OPNOTSUPP),
    }
}

/// The bytes that a command begins with.
fn first(body: &[u8], len: usize) -> Result<&[u8], Errno> {
    body.get(..len).ok_or(Errno::INVAL)
}

/// Says which version is spoken: 0.0. What the client says of itself makes no difference to this server.
fn version(mut fields: Fields<'_>, answer: &mut Answer) -> Result<(), Errno> {
    let (major, _minor) = (fields.u16()?, fields.u16()?);
    if major != 0 {
        return Err(Errno::OPNOTSUPP);
    }
    answer.extend_u32(&[0]);
    answer.extend(CAPABILITIES);
    Ok(())
}

fn device_info(mut fields: Fields<'_>, answer: &mut Answer) -> Result<(), Errno> {
    let _room = fields.u32()?;
    answer.extend_u32(&[
        DEVICE_INFO_BYTES,
        VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
        VFIO_PCI_NUM_REGIONS,
        VFIO_PCI_NUM_IRQS,
    ]);
    Ok(())
}

/// Says what a region is. How to map it is only said to those who have room for that.
fn region_info(mut fields: Fields<'_>, device: &Device, answer: &mut Answer) -> Result<(), Errno> {
    let (room, _flags, index) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let region = device.region(index).ok_or(Errno::INVAL)?;
    let (all, flags, list_at) = match region.file {
        Some(_) => (
            REGION_INFO_BYTES + MAPPED_AREA_BYTES,
            region.flags | VFIO_REGION_INFO_FLAG_CAPS,
            REGION_INFO_BYTES,
        ),
        None => (REGION_INFO_BYTES, region.flags, 0),
    };
    let offset_in_file = 0;
    answer.extend_u32(&[all, flags, index, list_at]);
    answer.extend_u64(&[region.len, offset_in_file]);
    if let Some(file) = region.file
        && room >= all
    {
        let (version, next, reserved) = (1_u16, 0, 0);
        answer.extend(&(VFIO_REGION_INFO_CAP_SPARSE_MMAP as u16).to_ne_bytes());
        answer.extend(&version.to_ne_bytes());
        let areas = 1;
        answer.extend_u32(&[next, areas, reserved]);
        answer.extend_u64(&[0, region.len]);
        answer.attach(file);
    }
    Ok(())
}

/// Says that the device has no interrupts of a kind.
fn irq_info(mut fields: Fields<'_>, answer: &mut Answer) -> Result<(), Errno> {
    let (_room, _flags, index) = (fields.u32()?, fields.u32()?, fields.u32()?);
    if index >= VFIO_PCI_NUM_IRQS {
        return Err(Errno::INVAL);
    }
    let (flags, count) = (0, 0);
    answer.extend_u32(&[IRQ_INFO_BYTES, flags, index, count]);
    Ok(())
}

/// Lets clients set up interrupts that never come.
fn set_irqs(mut fields: Fields<'_>) -> Result<(), Errno> {
    let (_len, _flags, index) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let (_start, _count) = (fields.u32()?, fields.u32()?);
    if index >= VFIO_PCI_NUM_IRQS {
        return Err(Errno::INVAL);
    }
    Ok(())
}

/// Which bytes of a region a message is about.
struct Access {
    offset: u64,
    region: u32,
    count: u32,
}

impl Access {
    fn take(fields: &mut Fields<'_>) -> Result<Self, Errno> {
        let access = Self {
            offset: fields.u64()?,
            region: fields.u32()?,
            count: fields.u32()?,
        };
        if access.region >= VFIO_PCI_NUM_REGIONS || access.count as usize > MAX_DATA {
            return Err(Errno::INVAL);
        }
        Ok(access)
    }

    /// Every answer has it again.
    fn repeat(&self, answer: &mut Answer) {
        answer.extend_u64(&[self.offset]);
        answer.extend_u32(&[self.region, self.count]);
    }
}

fn region_read(mut fields: Fields<'_>, device: &Device, answer: &mut Answer) -> Result<(), Errno> {
    let access = Access::take(&mut fields)?;
    access.repeat(answer);
    let data = answer.extend_zeros(access.count as usize);
    device.region_read(access.region, access.offset, data);
    Ok(())
}

fn region_write(mut fields: Fields<'_>, device: &Device, answer: &mut Answer) -> Result<(), Errno> {
    let access = Access::take(&mut fields)?;
    let data = fields.rest();
    if data.len() != access.count as usize {
        return Err(Errno::INVAL);
    }
    device.region_write(access.region, access.offset, data);
    access.repeat(answer);
    Ok(())
}
