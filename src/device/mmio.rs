// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! BAR2: the EDID blob, the remapped ports, the DISPI registers and QEMU's extended registers.

use vm_memory::bitmap::Bitmap;

use super::{StdVga, ports};
use crate::config::ByteOrder;
use crate::counters::count;
use crate::effects::Effects;
use crate::pci::BAR2_BYTES;
use crate::regs::Touched;

/// The port at the first byte of the remapped ports.
const FIRST_PORT: u16 = 0x3c0;

/// Extended registers: length of their block in bytes (read).
const EXTENDED_SIZE: u64 = 0x600;
/// Extended registers: byte order of the framebuffer.
const EXTENDED_BYTE_ORDER: u64 = 0x604;
/// What [`EXTENDED_SIZE`] reads.
const EXTENDED_BYTES: u32 = 8;
const BIG_ENDIAN: u32 = 0xbebe_bebe;
const LITTLE_ENDIAN: u32 = 0x1e1e_1e1e;

/// What a naturally aligned piece of an access accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Area {
    Edid(usize),
    Ports(u16),
    /// The number of the first DISPI register.
    Dispi(u16),
    Extended,
    Hole,
}

/// Length of the first piece of an access of `len` bytes at `offset`: as long as natural alignment allows, at
/// most 4 bytes.
fn piece_len(offset: u64, len: usize) -> usize {
    [4, 2]
        .into_iter()
        .find(|size| *size <= len && offset.is_multiple_of(*size as u64))
        .unwrap_or(1)
}

/// Copies values into an access, as many as fit.
fn put(values: impl IntoIterator<Item = u8>, data: &mut [u8]) {
    for (byte, value) in data.iter_mut().zip(values) {
        *byte = value;
    }
}

impl<B: Bitmap + 'static> StdVga<B> {
    /// Reads from BAR2 at `offset` bytes from its start.
    ///
    /// | offset | what is there |
    /// | --- | --- |
    /// | 0x000-0x17f | the EDID blob, read-only ([`Config::edid`](crate::Config::edid)) |
    /// | 0x400-0x41f | the ports 0x3c0-0x3df, a byte each |
    /// | 0x500-0x515 | DISPI registers 0 to 10, a word each: 1 width, 2 height, 3 bits a pixel, 4 enable, 5 bank, 6 virtual width, 8 and 9 offsets |
    /// | 0x600-0x607 | the length of this block, and the byte order of the framebuffer ([`Config::qemu_extended_regs`](crate::Config::qemu_extended_regs)) |
    ///
    /// Any length is accepted. The access is split into naturally aligned pieces of at most 4 bytes, in
    /// ascending order. Holes read all ones, and so does everything if the device has no BAR2.
    pub fn mmio_read(&mut self, offset: u64, data: &mut [u8]) {
        count(&mut self.counters.mmio.reads);
        self.count_if_behind_bar2(offset);
        let (mut offset, mut rest) = (offset, data);
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at_mut(piece_len(offset, rest.len()));
            self.read_piece(offset, piece);
            offset = offset.saturating_add(piece.len() as u64);
            rest = behind;
        }
    }

    /// Writes to BAR2 at `offset` bytes from its start.
    ///
    /// Any length is accepted, as for [`StdVga::mmio_read`]. Holes and the EDID blob ignore writes. To switch
    /// on the palette, and with it the screen, a driver reads at 0x41a (0x3da) and then writes 0x20 at 0x400
    /// (port 0x3c0).
    pub fn mmio_write(&mut self, offset: u64, data: &[u8]) -> Effects {
        count(&mut self.counters.mmio.writes);
        self.count_if_behind_bar2(offset);
        let mut touched = Touched::empty();
        let (mut offset, mut rest) = (offset, data);
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(piece_len(offset, rest.len()));
            touched |= self.write_piece(offset, piece);
            offset = offset.saturating_add(piece.len() as u64);
            rest = behind;
        }
        self.settle(touched)
    }

    fn count_if_behind_bar2(&mut self, offset: u64) {
        if !self.has_mmio || offset >= BAR2_BYTES {
            self.count_invalid();
        }
    }

    #[expect(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "each arm takes off where its range starts"
    )]
    fn area(&self, offset: u64) -> Area {
        match offset {
            _ if !self.has_mmio => Area::Hole,
            0..0x180 if self.edid.is_some() => Area::Edid(offset as usize),
            0x400..0x420 => Area::Ports(FIRST_PORT + (offset - 0x400) as u16),
            0x500..0x516 => Area::Dispi((offset - 0x500) as u16 / 2),
            0x600..0x608 if self.has_extended_registers => Area::Extended,
            _ => Area::Hole,
        }
    }

    fn read_piece(&mut self, offset: u64, data: &mut [u8]) {
        match self.area(offset) {
            Area::Edid(start) => match &self.edid {
                Some(edid) => put(edid.blob.iter().copied().skip(start), data),
                None => data.fill(0xff),
            },
            Area::Ports(first) => {
                for (byte, port) in data.iter_mut().zip(first..) {
                    *byte = ports::read_byte(&mut self.registers, port);
                }
            }
            Area::Dispi(first) => {
                // A single byte, at either address, is the register's low one.
                for (bytes, register) in data.chunks_mut(2).zip(first..) {
                    let dispi = &mut self.registers.dispi;
                    dispi.index = register;
                    put(dispi.read_data().to_le_bytes(), bytes);
                }
            }
            Area::Extended => {
                let value = match (offset, data.len()) {
                    (EXTENDED_SIZE, 4) => EXTENDED_BYTES,
                    (EXTENDED_BYTE_ORDER, 4) => match self.registers.byte_order {
                        ByteOrder::Little => LITTLE_ENDIAN,
                        ByteOrder::Big => BIG_ENDIAN,
                    },
                    // Only whole dwords answer.
                    _ => 0,
                };
                put(value.to_le_bytes(), data);
            }
            Area::Hole => data.fill(0xff),
        }
    }

    fn write_piece(&mut self, offset: u64, data: &[u8]) -> Touched {
        let mut touched = Touched::empty();
        match self.area(offset) {
            Area::Ports(first) => {
                for (byte, port) in data.iter().zip(first..) {
                    touched |= ports::write_byte(&mut self.registers, port, *byte);
                }
            }
            Area::Dispi(first) => {
                // A single byte, at either address, is the register's value, extended by zeros.
                for (bytes, register) in data.chunks(2).zip(first..) {
                    self.registers.dispi.index = register;
                    let mut value = [0; 2];
                    put(bytes.iter().copied(), &mut value);
                    touched |= self.write_dispi(u16::from_le_bytes(value));
                }
            }
            Area::Extended => {
                let order = match <[u8; 4]>::try_from(data).map(u32::from_le_bytes) {
                    Ok(BIG_ENDIAN) if offset == EXTENDED_BYTE_ORDER => ByteOrder::Big,
                    Ok(LITTLE_ENDIAN) if offset == EXTENDED_BYTE_ORDER => ByteOrder::Little,
                    _ => return touched,
                };
                touched |= self.registers.write_byte_order(order);
            }
            Area::Edid(_) | Area::Hole => {}
        }
        touched
    }
}
