// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Which register an access reaches. Indices and the flip-flop are followed as the device does it.

use std::ops::RangeInclusive;

use super::comment::{Comment, Item, range};
use super::registers::{
    ATTRIBUTE, ATTRIBUTE_INDEX, CONFIG_ADDRESS, CRTC, DAC_DATA, DAC_READ_INDEX, DAC_STATE,
    DAC_WRITE_INDEX, DISPI, EDID, EXTENDED, FEATURE_CONTROL, GRAPHICS, INPUT_STATUS_0,
    INPUT_STATUS_1, MISCELLANEOUS_OUTPUT, PCI, PEL_MASK, SEQUENCER,
};
use super::table::{Block, Register};
use crate::machine::{Place, aligned_len};

/// The device's ports that take bytes: a word is two of them.
const BYTE_PORTS: [RangeInclusive<u32>; 5] = [
    0x3b4..=0x3b5,
    0x3ba..=0x3ba,
    0x3c0..=0x3cf,
    0x3d4..=0x3d5,
    0x3da..=0x3da,
];
/// The device's ports that take words.
const WORD_PORTS: RangeInclusive<u32> = 0x1ce..=0x1d1;

/// The ports of indices whose registers are at the next port.
const INDEX_PORTS: [u16; 4] = [0x3b4, 0x3c4, 0x3ce, 0x3d4];

/// Where the EDID blob ends in BAR2.
const EDID_END: u64 = 0x180;

const COMPONENTS: [&str; 3] = ["red", "green", "blue"];

/// A piece of an access that was made: its direction, and the bytes written or read.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    pub is_write: bool,
    pub data: &'a [u8],
}

impl Access<'_> {
    pub fn part(&self, start: usize, len: usize) -> Self {
        Self {
            data: &self.data[start..start + len],
            ..*self
        }
    }

    /// The number that up to four bytes are.
    fn value(&self) -> u32 {
        little_endian(self.data)
    }
}

fn little_endian(data: &[u8]) -> u32 {
    data.iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u32::from(*byte))
}

/// The lowest bits, as many as `bytes` bytes have.
fn low_bits(bytes: usize) -> u32 {
    u32::MAX >> (32 - 8 * bytes.clamp(1, 4))
}

/// What must be known of the device to name what an access reaches.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Whether Miscellaneous Output selects 0x3dx, and not 0x3bx.
    has_color_addresses: bool,
    sequencer: u8,
    graphics: u8,
    crtc: u8,
    attribute: u8,
    /// Whether the next write to 0x3c0 is data.
    attribute_data_next: bool,
    dac_read: u8,
    dac_write: u8,
    /// The colour component that comes next, for reads and writes alike.
    dac_component: usize,
    dispi: u16,
}

impl Decoder {
    /// Tells what a piece of an access reached, and keeps up with what it did to the indices.
    pub fn access(&mut self, place: Place, access: Access<'_>, comment: &mut Comment) {
        let bytes = |part, offset| Item::bytes(part, offset, access.data.len());
        match place {
            Place::Ports(port) => self.ports(port, access, comment),
            Place::ConfigAddress => comment.push(config_address(access)),
            Place::Config(offset) => config(offset, access, comment),
            Place::Window(offset) => comment.push(bytes("window", offset)),
            Place::WindowRam(offset) => comment.push(bytes("window, VRAM", offset)),
            Place::Framebuffer(offset) => comment.push(bytes("VRAM", offset)),
            Place::Mmio(offset) => self.mmio(offset, access, comment),
            Place::Rom(offset) => {
                comment.push(bytes("ROM", offset));
                if access.is_write {
                    comment.push(Item::text("void: read-only"));
                }
            }
            Place::Open(_) => comment.push(Item::text("nothing answers")),
        }
    }

    /// Where no port of the device's is, naturally aligned pieces are taken; from one of its ports on,
    /// as much as can be.
    fn ports(&mut self, port: u16, access: Access<'_>, comment: &mut Comment) {
        let mut at = 0;
        while at < access.data.len() {
            let here = u32::from(port) + at as u32;
            let left = access.data.len() - at;
            let mut len = if left == 3 { 2 } else { left };
            if let Some(ports) = BYTE_PORTS.iter().find(|ports| ports.contains(&here)) {
                if len == 4 {
                    comment.push(Item::text("void: a dword at byte ports"));
                } else {
                    let inside = len.min((ports.end() - here) as usize + 1);
                    self.bytes(here as u16, access.part(at, inside), comment);
                }
            } else if WORD_PORTS.contains(&here) {
                comment.push(self.dispi_port(here, access.part(at, len)));
            } else {
                comment.push(Item::text("nothing answers"));
                len = aligned_len(here.into(), left);
            }
            at += len;
        }
    }

    /// BAR2 takes naturally aligned pieces of at most four bytes.
    fn mmio(&mut self, offset: u64, access: Access<'_>, comment: &mut Comment) {
        let mut at = 0;
        while at < access.data.len() {
            let here = offset + at as u64;
            let left = access.data.len() - at;
            let mut len = aligned_len(here, left);
            let piece = access.part(at, len);
            match here {
                0..EDID_END => {
                    len = left.min((EDID_END - here) as usize);
                    comment.push(edid(here as u16, len));
                    if access.is_write {
                        comment.push(Item::text("void: read-only"));
                    }
                }
                0x400..0x420 => self.bytes(0x3c0 + (here - 0x400) as u16, piece, comment),
                0x500..0x516 => {
                    let first = (here - 0x500) as u16 / 2;
                    for (register, data) in (first..).zip(piece.data.chunks(2)) {
                        self.dispi = register;
                        comment.push(self.dispi(Access { data, ..piece }));
                    }
                }
                0x600..0x608 if len == 4 => {
                    let register = (here - 0x600) as u16;
                    let value = piece.value();
                    comment.push(Item::indexed(&EXTENDED, register, value, u32::MAX));
                }
                0x600..0x608 => comment.push(Item::text("void: extended registers take dwords")),
                _ => comment.push(Item::text("a hole")),
            }
            at += len;
        }
    }

    /// Bytes at consecutive ports. An index that comes with its data isn't told: the data's register
    /// names it.
    fn bytes(&mut self, first: u16, access: Access<'_>, comment: &mut Comment) {
        let last = first + access.data.len() as u16 - 1;
        for (port, value) in (first..).zip(access.data) {
            let item = self.byte(port, access.is_write, *value);
            if port == last || !INDEX_PORTS.contains(&port) {
                comment.push(item);
            }
        }
    }

    fn dispi_port(&mut self, port: u32, access: Access<'_>) -> Item {
        match port {
            _ if access.data.len() != 2 => Item::text("void: DISPI ports take words"),
            0x1ce => {
                let index = access.value() as u16;
                if access.is_write {
                    self.dispi = index;
                }
                Item::index(&DISPI, index, index)
            }
            0x1cf | 0x1d0 => self.dispi(access),
            _ => Item::text("void: DISPI data is at 0x1d0"),
        }
    }

    /// The selected DISPI register. A byte is written with zeros above it, and read alone.
    fn dispi(&self, access: Access<'_>) -> Item {
        let known = if access.is_write {
            0xffff
        } else {
            low_bits(access.data.len())
        };
        Item::indexed(&DISPI, self.dispi, access.value(), known)
    }

    /// A byte at a port of 0x3b0-0x3df, or at its image in BAR2.
    fn byte(&mut self, port: u16, is_write: bool, value: u8) -> Item {
        let selected = match port & 0xfff0 {
            0x3b0 => !self.has_color_addresses,
            0x3d0 => self.has_color_addresses,
            _ => true,
        };
        if !selected {
            return Item::text("void: Miscellaneous Output selects the other addresses");
        }
        match (port, is_write) {
            (0x3c0, _) => self.attribute(is_write, value),
            (0x3c1, false) => byte_register(&ATTRIBUTE, self.attribute & 0x1f, value),
            (0x3c2, true) => {
                self.has_color_addresses = value & 1 != 0;
                lone_register(&MISCELLANEOUS_OUTPUT, value)
            }
            (0x3c2, false) => lone_register(&INPUT_STATUS_0, value),
            (0x3c4, _) => byte_index(&SEQUENCER, &mut self.sequencer, 0x07, value),
            (0x3c5, _) => byte_register(&SEQUENCER, self.sequencer, value),
            (0x3c6, _) => lone_register(&PEL_MASK, value),
            (0x3c7, false) => lone_register(&DAC_STATE, value),
            (0x3c7, true) => {
                (self.dac_read, self.dac_component) = (value, 0);
                lone_register(&DAC_READ_INDEX, value)
            }
            (0x3c8, _) => {
                if is_write {
                    (self.dac_write, self.dac_component) = (value, 0);
                }
                lone_register(&DAC_WRITE_INDEX, value)
            }
            (0x3c9, _) => self.dac(is_write, value),
            (0x3cc, false) => lone_register(&MISCELLANEOUS_OUTPUT, value),
            (0x3ce, _) => byte_index(&GRAPHICS, &mut self.graphics, 0x0f, value),
            (0x3cf, _) => byte_register(&GRAPHICS, self.graphics, value),
            (0x3b4 | 0x3d4, _) => byte_index(&CRTC, &mut self.crtc, 0xff, value),
            (0x3b5 | 0x3d5, _) => byte_register(&CRTC, self.crtc, value),
            (0x3ba | 0x3da, true) | (0x3ca, false) => lone_register(&FEATURE_CONTROL, value),
            (0x3ba | 0x3da, false) => {
                self.attribute_data_next = false;
                lone_register(&INPUT_STATUS_1, value)
            }
            (_, true) => Item::text("void: nothing to write here"),
            (_, false) => Item::text("void: nothing to read here"),
        }
    }

    fn attribute(&mut self, is_write: bool, value: u8) -> Item {
        let was_data = self.attribute_data_next;
        if is_write {
            self.attribute_data_next = !was_data;
            if was_data {
                return byte_register(&ATTRIBUTE, self.attribute & 0x1f, value);
            }
            self.attribute = value & 0x3f;
        }
        if was_data {
            return Item::text("void: data is expected next");
        }
        let (register, _) = ATTRIBUTE.find((value & 0x1f).into());
        lone_register(&ATTRIBUTE_INDEX, value).and(register.name)
    }

    fn dac(&mut self, is_write: bool, value: u8) -> Item {
        let index = if is_write {
            &mut self.dac_write
        } else {
            &mut self.dac_read
        };
        let component = COMPONENTS[self.dac_component % 3];
        let name = format!("DAC {index:02x} {component}");
        self.dac_component += 1;
        if self.dac_component == COMPONENTS.len() {
            self.dac_component = 0;
            *index = index.wrapping_add(1);
        }
        Item::register(name, &DAC_DATA, value.into(), 0xff)
    }
}

/// A register that no index selects.
fn lone_register(register: &Register, value: u8) -> Item {
    Item::register(register.name.to_owned(), register, value.into(), 0xff)
}

fn byte_register(block: &Block, index: u8, value: u8) -> Item {
    Item::indexed(block, index.into(), value.into(), 0xff)
}

/// An index register, of which the device keeps the bits in `mask`.
fn byte_index(block: &Block, index: &mut u8, mask: u8, value: u8) -> Item {
    *index = value & mask;
    Item::index(block, value.into(), (*index).into())
}

/// Bytes of the EDID blob.
fn edid(start: u16, len: usize) -> Item {
    let last = start + len as u16 - 1;
    let [first_name, last_name] = [start, last].map(|offset| EDID.find(offset).0.name);
    let range = format!("EDID + {}", range(start.into(), u64::from(last) + 1));
    Item::Text(if first_name == last_name {
        format!("{range}: {first_name}")
    } else {
        format!("{range}: {first_name} to {last_name}")
    })
}

/// The address register of configuration mechanism #1.
fn config_address(access: Access<'_>) -> Item {
    let (address, len) = (access.value(), access.data.len());
    if access.is_write && len != 4 {
        return Item::text("void: only a dword sets the PCI address");
    }
    let name = CONFIG_ADDRESS.name.to_owned();
    let item = Item::register(name, &CONFIG_ADDRESS, address, low_bits(len));
    let offset = (address & 0xff) as u16;
    let (register, _) = PCI.find(offset);
    item.and(&format!("{offset:02x} {}", register.name))
}

/// An access to configuration space, which may hold several registers, or a part of one.
fn config(offset: u16, access: Access<'_>, comment: &mut Comment) {
    let mut at = 0;
    while at < access.data.len() {
        let here = offset + at as u16;
        let (_, place) = PCI.find(here);
        let len = usize::from(place.end - here).min(access.data.len() - at);
        // What has more bytes than a register is plain bytes.
        let skipped = if place.len() > 4 {
            0
        } else {
            here - place.start
        };
        let shift = 8 * u32::from(skipped);
        let value = access.part(at, len).value() << shift;
        comment.push(Item::indexed(&PCI, here, value, low_bits(len) << shift));
        at += len;
    }
}
