//! BAR2: the EDID blob, the remapped ports, the DISPI registers and QEMU's extended registers.

use vm_memory::bitmap::Bitmap;

use crate::config::ByteOrder;
use crate::counters::count;
use crate::device::StdVga;
use crate::effects::Effects;
use crate::ports;

/// Length of BAR2, in bytes.
pub const BAR2_BYTES: u64 = 0x1000;

/// The port that the first byte of the remapped ports is.
const FIRST_PORT: u16 = 0x3c0;

/// Extended registers: length of their block in bytes (read).
const EXTENDED_SIZE: u64 = 0x600;
/// Extended registers: byte order of the framebuffer.
const EXTENDED_BYTE_ORDER: u64 = 0x604;
/// What [`EXTENDED_SIZE`] reads.
const EXTENDED_BYTES: u32 = 8;
const BIG_ENDIAN: u32 = 0xbebe_bebe;
const LITTLE_ENDIAN: u32 = 0x1e1e_1e1e;

/// What a naturally aligned piece of an access reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Area {
    Edid(usize),
    Ports(u16),
    /// The number of the first DISPI register.
    Dispi(u16),
    Extended,
    Hole,
}

/// Length of the first piece of an access of `len` bytes at `offset`: as much as is naturally
/// aligned, at most 4 bytes.
fn piece_len(offset: u64, len: usize) -> usize {
    [4, 2]
        .into_iter()
        .find(|size| *size <= len && offset.is_multiple_of(*size as u64))
        .unwrap_or(1)
}

/// Puts values into an access, as many as there is room for.
fn put(values: impl IntoIterator<Item = u8>, data: &mut [u8]) {
    for (byte, value) in data.iter_mut().zip(values) {
        *byte = value;
    }
}

impl<B: Bitmap> StdVga<B> {
    /// Reads from BAR2 at `offset` bytes from its start.
    ///
    /// Any length goes: the access is cut into naturally aligned pieces of at most 4 bytes, ascending.
    /// Holes, and everything where the device has no BAR2, read all ones.
    pub fn mmio_read(&mut self, offset: u64, data: &mut [u8]) {
        count(&mut self.counters_mut().mmio.reads);
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
    /// Any length goes, as for [`StdVga::mmio_read`]. Holes and the EDID blob ignore it.
    pub fn mmio_write(&mut self, offset: u64, data: &[u8]) -> Effects {
        count(&mut self.counters_mut().mmio.writes);
        self.count_if_behind_bar2(offset);
        let mut effects = Effects::empty();
        let (mut offset, mut rest) = (offset, data);
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(piece_len(offset, rest.len()));
            effects |= self.write_piece(offset, piece);
            offset = offset.saturating_add(piece.len() as u64);
            rest = behind;
        }
        self.settle(effects)
    }

    fn count_if_behind_bar2(&mut self, offset: u64) {
        if !self.has_mmio() || offset >= BAR2_BYTES {
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
            _ if !self.has_mmio() => Area::Hole,
            0..0x180 if self.edid().is_some() => Area::Edid(offset as usize),
            0x400..0x420 => Area::Ports(FIRST_PORT + (offset - 0x400) as u16),
            0x500..0x516 => Area::Dispi((offset - 0x500) as u16 / 2),
            0x600..0x608 if self.has_extended_registers() => Area::Extended,
            _ => Area::Hole,
        }
    }

    fn read_piece(&mut self, offset: u64, data: &mut [u8]) {
        match self.area(offset) {
            Area::Edid(start) => match self.edid() {
                Some(edid) => put(edid.blob.iter().copied().skip(start), data),
                None => data.fill(0xff),
            },
            Area::Ports(first) => {
                for (byte, port) in data.iter_mut().zip(first..) {
                    *byte = ports::read_byte(self.registers_mut(), port);
                }
            }
            Area::Dispi(first) => {
                // A single byte, at either address, is the register's low one.
                for (bytes, register) in data.chunks_mut(2).zip(first..) {
                    let dispi = &mut self.registers_mut().dispi;
                    dispi.index = register;
                    put(dispi.read_data().to_le_bytes(), bytes);
                }
            }
            Area::Extended => {
                let value = match (offset, data.len()) {
                    (EXTENDED_SIZE, 4) => EXTENDED_BYTES,
                    (EXTENDED_BYTE_ORDER, 4) => match self.registers().byte_order {
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

    fn write_piece(&mut self, offset: u64, data: &[u8]) -> Effects {
        let mut effects = Effects::empty();
        match self.area(offset) {
            Area::Ports(first) => {
                for (byte, port) in data.iter().zip(first..) {
                    effects |= ports::write_byte(self.registers_mut(), port, *byte);
                }
            }
            Area::Dispi(first) => {
                // A single byte, at either address, is the register's value, extended by zeros.
                for (bytes, register) in data.chunks(2).zip(first..) {
                    self.registers_mut().dispi.index = register;
                    let mut value = [0; 2];
                    put(bytes.iter().copied(), &mut value);
                    effects |= self.write_dispi(u16::from_le_bytes(value));
                }
            }
            Area::Extended => {
                let order = match <[u8; 4]>::try_from(data).map(u32::from_le_bytes) {
                    Ok(BIG_ENDIAN) if offset == EXTENDED_BYTE_ORDER => ByteOrder::Big,
                    Ok(LITTLE_ENDIAN) if offset == EXTENDED_BYTE_ORDER => ByteOrder::Little,
                    _ => return effects,
                };
                let regs = self.registers_mut();
                effects |= Effects::SHAPE.when(regs.byte_order != order);
                regs.byte_order = order;
            }
            Area::Edid(_) | Area::Hole => {}
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Variant};

    const DISPI: u64 = 0x500;

    fn secondary() -> StdVga {
        StdVga::new(Config {
            variant: Variant::SecondaryVga,
            ..Config::default()
        })
        .unwrap()
    }

    fn write(vga: &mut StdVga, offset: u64, data: &[u8]) {
        let _ = vga.mmio_write(offset, data);
    }

    fn read<const N: usize>(vga: &mut StdVga, offset: u64) -> [u8; N] {
        let mut data = [0xaa; N];
        vga.mmio_read(offset, &mut data);
        data
    }

    #[test]
    fn the_edid_blob_is_read_only_and_ends_in_a_hole() {
        let mut vga = secondary();
        write(&mut vga, 0, &[0x55; 8]);
        assert_eq!(
            read(&mut vga, 0),
            [0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]
        );
        assert_eq!(read(&mut vga, 0x17f), [0x00, 0xff]);
        let mut without = StdVga::new(Config {
            edid: false,
            ..Config::default()
        })
        .unwrap();
        assert_eq!(read(&mut without, 0), [0xff; 8]);
    }

    #[test]
    fn a_word_write_at_an_index_port_programs_the_register() {
        let mut vga = secondary();
        write(&mut vga, 0x404, &[0x02, 0x0f]);
        assert_eq!(
            read(&mut vga, 0x404),
            [0x02, 0x0f, 0x00, 0x00],
            "four ports, ascending"
        );
        assert_eq!(
            read(&mut vga, 0x41f),
            [0xff, 0xff],
            "port 0x3df in monochrome, and a hole"
        );
    }

    #[test]
    fn the_crtc_needs_the_color_addresses() {
        let mut vga = secondary();
        assert_eq!(read(&mut vga, 0x414), [0xff]);
        write(&mut vga, 0x402, &[0x01]);
        write(&mut vga, 0x414, &[0x0c, 0x12]);
        assert_eq!(read(&mut vga, 0x414), [0x0c, 0x12]);
        assert_eq!(
            read(&mut vga, 0x410),
            [0x00; 4],
            "0x3d0-0x3d3 are ports here, of no register"
        );
    }

    #[test]
    fn dispi_registers_are_words_whose_bytes_read_the_low_half() {
        let mut vga = secondary();
        assert_eq!(read(&mut vga, DISPI), [0xc5, 0xb0]);
        assert_eq!(read(&mut vga, DISPI + 1), [0xc5]);
        assert_eq!(
            read(&mut vga, DISPI + 0x14),
            [0x00, 0x01, 0x00, 0x00],
            "16 MiB; then no register"
        );
        write(&mut vga, DISPI + 2, &[0x20, 0x03]);
        write(&mut vga, DISPI + 3, &[0x40]);
        assert_eq!(
            read(&mut vga, DISPI + 2),
            [0x40, 0x00],
            "a byte is extended by zeros"
        );
    }

    #[test]
    fn unaligned_dispi_accesses_are_cut_into_aligned_ones() {
        let mut vga = secondary();
        write(&mut vga, DISPI + 2, &[0x80, 0x02, 0xe0, 0x01]);
        assert_eq!(
            read(&mut vga, DISPI + 1),
            [0xc5, 0x80],
            "the low bytes of registers 0 and 1"
        );
        assert_eq!(read(&mut vga, DISPI + 1), [0xc5, 0x80, 0x02, 0xe0]);
        assert_eq!(
            read(&mut vga, DISPI),
            [0xc5, 0xb0, 0x80, 0x02, 0xe0, 0x01, 0x00, 0x00]
        );
    }

    #[test]
    fn dispi_accesses_set_the_index_that_the_ports_share() {
        let mut vga = StdVga::new(Config::default()).unwrap();
        read::<2>(&mut vga, DISPI + 6);
        let mut index = [0; 2];
        vga.port_read(0x1ce, &mut index);
        assert_eq!(index, [3, 0]);
    }

    #[test]
    fn extended_registers_answer_whole_dwords_only() {
        let mut vga = secondary();
        assert_eq!(read(&mut vga, 0x600), 8_u32.to_le_bytes());
        assert_eq!(read(&mut vga, 0x600), [0; 2]);
        assert_eq!(read(&mut vga, 0x604), LITTLE_ENDIAN.to_le_bytes());
        write(&mut vga, 0x604, &BIG_ENDIAN.to_le_bytes()[..2]);
        assert_eq!(read(&mut vga, 0x604), LITTLE_ENDIAN.to_le_bytes());
        write(&mut vga, 0x604, &0x1234_5678_u32.to_le_bytes());
        assert_eq!(read(&mut vga, 0x604), LITTLE_ENDIAN.to_le_bytes());
        write(&mut vga, 0x604, &BIG_ENDIAN.to_le_bytes());
        assert_eq!(read(&mut vga, 0x604), BIG_ENDIAN.to_le_bytes());
        assert_eq!(
            read(&mut vga, 0x606),
            [0x00, 0x00, 0xff, 0xff],
            "two words: a void one, and a hole"
        );
    }

    #[test]
    fn the_byte_order_survives_a_reset() {
        let mut vga = secondary();
        write(&mut vga, 0x604, &BIG_ENDIAN.to_le_bytes());
        let _ = vga.reset();
        assert_eq!(read(&mut vga, 0x604), BIG_ENDIAN.to_le_bytes());
    }

    #[test]
    fn holes_read_ones_at_any_length_and_offset() {
        let mut vga = secondary();
        for offset in [
            0x180,
            0x3ff,
            0x420,
            0x4fe,
            0x516,
            0x608,
            0xff9,
            0x1000,
            u64::MAX - 3,
        ] {
            write(&mut vga, offset, &[0; 1]);
            assert_eq!(read(&mut vga, offset), [0xff; 1], "offset {offset:#x}");
        }
        assert_eq!(read(&mut vga, 0x700), [0xff; 100]);
        assert_eq!(read(&mut vga, u64::MAX), [0xff; 16]);
    }

    #[test]
    fn without_extended_registers_their_place_is_a_hole() {
        let mut vga = StdVga::new(Config {
            qemu_extended_regs: false,
            ..Config::default()
        })
        .unwrap();
        assert_eq!(read(&mut vga, 0x600), [0xff; 8]);
    }

    #[test]
    fn without_mmio_the_whole_bar_is_a_hole() {
        let mut vga = StdVga::new(Config {
            mmio: false,
            ..Config::default()
        })
        .unwrap();
        for offset in [0, 0x400, DISPI, 0x600] {
            write(&mut vga, offset, &[1; 4]);
            assert_eq!(read(&mut vga, offset), [0xff; 4], "offset {offset:#x}");
        }
    }
}
