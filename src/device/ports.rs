// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The legacy ports: which port reaches which register, and how wide accesses are split.

use std::ops::{Range, RangeInclusive};

use vm_memory::bitmap::Bitmap;

use super::StdVga;
use crate::counters::count;
use crate::effects::Effects;
use crate::regs::{Registers, Touched};
use crate::variant::Variant;

/// DISPI index.
const DISPI_INDEX: u16 = 0x1ce;
/// DISPI data at an unaligned address, on x86 machines only.
const DISPI_DATA_X86: u16 = 0x1cf;
/// DISPI data.
const DISPI_DATA: u16 = 0x1d0;
/// The DISPI word ports.
const DISPI_PORTS: RangeInclusive<u16> = DISPI_INDEX..=0x1d1;

/// All of the device's ports.
const PORT_RANGES: [RangeInclusive<u16>; 6] = [
    DISPI_PORTS,
    0x3b4..=0x3b5,
    0x3ba..=0x3ba,
    0x3c0..=0x3cf,
    0x3d4..=0x3d5,
    0x3da..=0x3da,
];

/// What ports read that no device has.
const OPEN_BUS: u8 = 0xff;

/// Whether `port` is one of the VGA's: a register's, or a hole's between two.
#[inline]
fn is_vga_port(port: u16) -> bool {
    matches!(
        port,
        0x3b4 | 0x3b5 | 0x3ba | 0x3c0..=0x3cf | 0x3d4 | 0x3d5 | 0x3da
    )
}

/// Splits a dword that starts outside the device's ports. Returns the pieces that start inside: the port, and
/// which bytes of the access it is. A dword that starts inside is void.
///
/// Outside, a piece is as large as its alignment allows. Inside, it's the rest of the access. KVM-style
/// accesses see this in QEMU.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "an access has four bytes"
)]
fn pieces_of_dword(port: u16) -> impl Iterator<Item = (u16, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < 4 {
            let start = at;
            let port = port.checked_add(start as u16)?;
            let left = if start == 1 { 2 } else { 4 - start };
            if is_vga_port(port) || DISPI_PORTS.contains(&port) {
                at += left;
                return (start != 0).then_some((port, start..at));
            }
            at += left.min(1 << port.trailing_zeros().min(2));
        }
        None
    })
}

impl Variant {
    /// The I/O ports that the device answers, in ascending order, for a bus on which ranges are registered.
    /// Empty if the variant has no ports.
    ///
    /// The ports between them belong to others. For example, 0x3bc-0x3bf belong to a parallel port.
    pub const fn port_ranges(self) -> &'static [RangeInclusive<u16>] {
        if self.has_legacy() { &PORT_RANGES } else { &[] }
    }
}

impl<B: Bitmap + 'static> StdVga<B> {
    /// Reads one access of 1, 2 or 4 bytes at I/O port `port`.
    ///
    /// Ports that the device doesn't have read all ones. So do all ports of `secondary-vga`, and a slice of
    /// any other length. An access that straddles the edge of the device's ports may be passed whole: the
    /// bytes that aren't the device's read all ones.
    ///
    /// Each of the VGA's ports (0x3b4-0x3df) holds a byte register. A word reaches two of them. DISPI's ports
    /// (0x1ce-0x1d0) answer only words. Dwords reach neither.
    ///
    /// A slice that contains several accesses must be split by the size of one access. `kvm-ioctls` passes a
    /// `rep insb` this way.
    pub fn port_read(&mut self, port: u16, data: &mut [u8]) {
        count(&mut self.counters.ports.reads);
        if self.variant.has_legacy() {
            self.read_ports(port, data);
        } else {
            self.count_invalid();
            data.fill(OPEN_BUS);
        }
    }

    /// Writes one access of 1, 2 or 4 bytes at I/O port `port`.
    ///
    /// Ports that the device doesn't have ignore it. [`StdVga::port_read`] explains the rest.
    pub fn port_write(&mut self, port: u16, data: &[u8]) -> Effects {
        count(&mut self.counters.ports.writes);
        if !self.variant.has_legacy() {
            self.count_invalid();
            return Effects::empty();
        }
        let touched = self.write_ports(port, data);
        self.settle(touched)
    }

    #[inline]
    fn read_ports(&mut self, port: u16, data: &mut [u8]) {
        match data {
            [byte] => *byte = self.read_vga_port(port),
            [low, high] if DISPI_PORTS.contains(&port) => {
                [*low, *high] = self.read_dispi_port(port).to_le_bytes();
            }
            _ => self.read_pieces(port, data),
        }
    }

    #[inline]
    fn write_ports(&mut self, port: u16, data: &[u8]) -> Touched {
        match *data {
            [byte] => write_byte(&mut self.registers, port, byte),
            [low, high] if DISPI_PORTS.contains(&port) => {
                self.write_dispi_port(port, u16::from_le_bytes([low, high]))
            }
            _ => self.write_pieces(port, data),
        }
    }

    /// Reads an access that QEMU splits: words into bytes. A slice of another length reads all ones.
    #[inline(never)]
    fn read_pieces(&mut self, port: u16, data: &mut [u8]) {
        match data {
            [low, high] => {
                *low = self.read_vga_port(port);
                *high = self.read_vga_port(port.wrapping_add(1));
            }
            _ => {
                data.fill(OPEN_BUS);
                if data.len() == 4 {
                    for (port, piece) in pieces_of_dword(port) {
                        self.read_ports(port, data.get_mut(piece).unwrap_or_default());
                    }
                } else {
                    self.count_invalid();
                }
            }
        }
    }

    /// Writes an access that QEMU splits: words into bytes. A slice of another length writes nothing.
    #[inline(never)]
    fn write_pieces(&mut self, port: u16, data: &[u8]) -> Touched {
        let mut touched = Touched::empty();
        match *data {
            [low, high] => {
                touched |= write_byte(&mut self.registers, port, low);
                touched |= write_byte(&mut self.registers, port.wrapping_add(1), high);
            }
            [_, _, _, _] => {
                for (port, piece) in pieces_of_dword(port) {
                    touched |= self.write_ports(port, data.get(piece).unwrap_or_default());
                }
            }
            _ => self.count_invalid(),
        }
        touched
    }

    #[inline]
    fn read_vga_port(&mut self, port: u16) -> u8 {
        if is_vga_port(port) {
            read_byte(&mut self.registers, port)
        } else {
            OPEN_BUS
        }
    }

    fn read_dispi_port(&self, port: u16) -> u16 {
        let dispi = &self.registers.dispi;
        match port {
            DISPI_INDEX => dispi.index,
            DISPI_DATA => dispi.read_data(),
            DISPI_DATA_X86 if self.has_dispi_data_port_1cf => dispi.read_data(),
            _ => u16::from_le_bytes([OPEN_BUS; 2]),
        }
    }

    fn write_dispi_port(&mut self, port: u16, value: u16) -> Touched {
        match port {
            DISPI_INDEX => {
                self.registers.dispi.index = value;
                Touched::empty()
            }
            DISPI_DATA => self.write_dispi(value),
            DISPI_DATA_X86 if self.has_dispi_data_port_1cf => self.write_dispi(value),
            _ => Touched::empty(),
        }
    }
}

/// Reads the register at a port of 0x3b0-0x3df.
#[inline]
pub(super) fn read_byte(regs: &mut Registers, port: u16) -> u8 {
    match port {
        0x3c0 => regs.attribute.read(),
        0x3c1 => regs.attribute.read_data(),
        0x3c4 => regs.sequencer.index,
        0x3c5 => regs.sequencer.read_data(),
        0x3c7 => regs.dac.state,
        0x3c8 => regs.dac.write_index,
        0x3c9 => regs.dac.read_data(),
        0x3ca => regs.misc.feature_control,
        0x3cc => regs.misc.output,
        0x3ce => regs.graphics.index,
        0x3cf => regs.graphics.read_data(),
        // The rest answers in only one of the two address halves.
        _ if regs.misc.rejects(port) => OPEN_BUS,
        0x3b4 | 0x3d4 => regs.crtc.index,
        0x3b5 | 0x3d5 => regs.crtc.read_data(),
        0x3ba | 0x3da => {
            regs.attribute.data_next = false;
            regs.misc.read_status_1()
        }
        // Input Status 0 (0x3c2) is constant; the PEL mask (0x3c6) doesn't exist.
        _ => 0,
    }
}

/// Writes the register at a port of 0x3b0-0x3df. Other ports ignore it.
#[inline]
pub(super) fn write_byte(regs: &mut Registers, port: u16, value: u8) -> Touched {
    match port {
        0x3c0 => return regs.write_attribute(value),
        0x3c2 => regs.write_misc_output(value),
        0x3c4 => regs.sequencer.write_index(value),
        0x3c5 => return regs.write_sequencer(value),
        0x3c7 => regs.dac.write_read_index(value),
        0x3c8 => regs.dac.write_write_index(value),
        0x3c9 => return regs.write_dac(value),
        0x3ce => regs.graphics.write_index(value),
        0x3cf => return regs.write_graphics(value),
        // The rest answers in only one of the two address halves.
        _ if regs.misc.rejects(port) => {}
        0x3b4 | 0x3d4 => regs.crtc.index = value,
        0x3b5 | 0x3d5 => return regs.write_crtc(value),
        0x3ba | 0x3da => regs.misc.write_feature_control(value),
        _ => {}
    }
    Touched::empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_of_ports_are_those_that_are_decoded() {
        for port in 0..=u16::MAX {
            let listed = PORT_RANGES.iter().any(|range| range.contains(&port));
            let decoded = is_vga_port(port) || DISPI_PORTS.contains(&port);
            assert_eq!(listed, decoded, "port {port:#x}");
        }
        assert!(PORT_RANGES.is_sorted_by_key(|range| *range.start()));
        assert_eq!(Variant::IsaVga.port_ranges(), PORT_RANGES);
        assert!(Variant::SecondaryVga.port_ranges().is_empty());
    }
}
