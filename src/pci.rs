// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! PCI configuration space: the type 0 header, two memory BARs and the expansion ROM BAR.

use std::iter;

use vm_memory::GuestAddress;

use crate::config::Config;
use crate::error::PlaceBarError;
use crate::mappings::{BAR0_INDEX, BAR2_INDEX, MappedRange, ROM_INDEX};
use crate::variant::Variant;

/// Length of BAR2, in bytes.
pub const BAR2_BYTES: u64 = 0x1000;

/// Length of the configuration space, in bytes.
const CONFIG_BYTES: usize = 256;

const VENDOR_ID: usize = 0x00;
const DEVICE_ID: usize = 0x02;
const COMMAND: usize = 0x04;
const REVISION_ID: usize = 0x08;
const SUBCLASS: usize = 0x0a;
const BASE_CLASS: usize = 0x0b;
const CACHE_LINE_SIZE: usize = 0x0c;
const BAR0: usize = 0x10;
const BAR2: usize = 0x18;
const SUBSYSTEM_VENDOR_ID: usize = 0x2c;
const SUBSYSTEM_ID: usize = 0x2e;
const ROM_BAR: usize = 0x30;
const INTERRUPT_LINE: usize = 0x3c;
/// The first byte after the PCI header. From here on there is plain storage, which a reset keeps.
const DEVICE_SPECIFIC: usize = 0x40;

/// COMMAND: the device answers its memory BARs.
const COMMAND_MEMORY: u16 = 1 << 1;
/// COMMAND bits that can be written: I/O, memory, bus master, SERR#, and interrupt disable.
const COMMAND_WRITABLE: u16 = 0x0507;
/// BAR type: 32-bit prefetchable memory.
const BAR_PREFETCHABLE: u32 = 0x8;
/// Expansion ROM BAR: the ROM answers.
const ROM_ENABLE: u32 = 1;

/// One of the device's BARs: 32-bit memory, whether or not it's mapped at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bar {
    /// Its number: 0 for VRAM, 2 for the registers, and 6 for the expansion ROM, as in VFIO, crosvm and Cloud
    /// Hypervisor.
    pub index: usize,
    /// Offset of its register in the configuration space, in bytes.
    pub register: u16,
    /// The address in its register, whether or not the BAR answers there at the moment. 0 until one is
    /// programmed. [`Mappings::bar`](crate::Mappings::bar) says where it answers.
    pub address: GuestAddress,
    /// Length in bytes, a power of two.
    pub len: u64,
    /// Whether reads have no side effects and writes may be merged.
    pub prefetchable: bool,
}

/// The device's configuration space.
#[derive(Clone, Debug)]
pub(crate) struct PciConfig {
    pub bytes: [u8; CONFIG_BYTES],
    /// The bits that a write can change.
    pub writable: [u8; CONFIG_BYTES],
    pub vram_len: u64,
    pub has_mmio: bool,
    /// Length of the ROM BAR in bytes, a power of two.
    pub rom_len: Option<u64>,
}

impl PciConfig {
    /// The configuration space at power-on. `vram_len` and `rom_len` are powers of two.
    pub fn new(config: &Config, vram_len: u64, rom_len: Option<u64>) -> Self {
        let mut space = Self {
            bytes: [0; CONFIG_BYTES],
            writable: [0; CONFIG_BYTES],
            vram_len,
            has_mmio: config.mmio,
            rom_len,
        };
        put(&mut space.bytes, VENDOR_ID, 0x1234_u16.to_le_bytes());
        put(&mut space.bytes, DEVICE_ID, 0x1111_u16.to_le_bytes());
        // Drivers conclude from the revision that the extended registers exist.
        space.bytes[REVISION_ID] = if config.mmio && config.qemu_extended_regs {
            2
        } else {
            0
        };
        space.bytes[SUBCLASS] = if config.variant == Variant::SecondaryVga {
            0x80
        } else {
            0x00
        };
        space.bytes[BASE_CLASS] = 0x03;
        put(
            &mut space.bytes,
            SUBSYSTEM_VENDOR_ID,
            0x1af4_u16.to_le_bytes(),
        );
        put(&mut space.bytes, SUBSYSTEM_ID, 0x1100_u16.to_le_bytes());

        put(&mut space.writable, COMMAND, COMMAND_WRITABLE.to_le_bytes());
        space.writable[CACHE_LINE_SIZE] = 0xff;
        space.writable[INTERRUPT_LINE] = 0xff;
        space.writable[DEVICE_SPECIFIC..].fill(0xff);
        for bar in space.bars().into_iter().flatten() {
            let mut writable = address_bits(bar.len);
            if bar.index == ROM_INDEX {
                writable |= ROM_ENABLE;
            }
            let register = usize::from(bar.register);
            put(&mut space.writable, register, writable.to_le_bytes());
        }
        space.reset();
        space
    }

    /// Those of BAR0, BAR2 and the expansion ROM BAR that exist.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "registers lie in 256 bytes"
    )]
    pub fn bars(&self) -> [Option<Bar>; 3] {
        let bar = |index, register: usize, len, prefetchable| Bar {
            index,
            register: register as u16,
            address: GuestAddress(u64::from(self.dword(register) & address_bits(len))),
            len,
            prefetchable,
        };
        [
            Some(bar(BAR0_INDEX, BAR0, self.vram_len, true)),
            self.has_mmio
                .then(|| bar(BAR2_INDEX, BAR2, BAR2_BYTES, false)),
            self.rom_len.map(|len| bar(ROM_INDEX, ROM_BAR, len, false)),
        ]
    }

    /// Clears what a guest can write, except the device-specific part.
    pub fn reset(&mut self) {
        for (byte, writable) in self
            .bytes
            .iter_mut()
            .zip(self.writable)
            .take(DEVICE_SPECIFIC)
        {
            *byte &= !writable;
        }
        [self.bytes[BAR0], ..] = BAR_PREFETCHABLE.to_le_bytes();
    }

    /// Reads from `offset` on. If an access starts inside, its bytes past the end read as zero.
    pub fn read(&self, offset: usize, data: &mut [u8]) {
        let values = self.bytes.iter().copied().skip(offset);
        for (byte, value) in data.iter_mut().zip(values.chain(iter::repeat(0))) {
            *byte = value;
        }
    }

    /// Writes from `offset` on. Only writable bits change.
    pub fn write(&mut self, offset: usize, data: &[u8]) {
        let places = self.bytes.iter_mut().zip(self.writable).skip(offset);
        for ((byte, writable), value) in places.zip(data) {
            *byte = (*byte & !writable) | (value & writable);
        }
    }

    /// Writes the address of a BAR into its register.
    pub fn place(&mut self, bar: &Bar, address: GuestAddress) -> Result<(), PlaceBarError> {
        let Bar { index, len, .. } = *bar;
        let is_own = |own: &Bar| (own.index, own.register, own.len) == (index, bar.register, len);
        let bars = self.bars();
        let Some(own) = bars.iter().flatten().find(|own| is_own(own)) else {
            return Err(PlaceBarError::Missing { index, len });
        };
        let register = usize::from(own.register);
        let enable = self.dword(register) & ROM_ENABLE;
        match u32::try_from(address.0) {
            Ok(base) if range(base, len).is_some_and(|range| range.base == address) => {
                // The ROM's enable bit is kept. In other BARs that bit can't be written.
                self.write(register, &(base | enable).to_le_bytes());
                Ok(())
            }
            _ => Err(PlaceBarError::Address {
                index,
                address: address.0,
                len,
            }),
        }
    }

    /// Whether `offset` lies in the configuration space.
    pub fn contains(offset: usize) -> bool {
        offset < CONFIG_BYTES
    }

    /// Where VRAM answers.
    pub fn framebuffer(&self) -> Option<MappedRange> {
        self.decode(self.dword(BAR0), self.vram_len)
    }

    /// Where BAR2 answers.
    pub fn mmio(&self) -> Option<MappedRange> {
        if self.has_mmio {
            self.decode(self.dword(BAR2), BAR2_BYTES)
        } else {
            None
        }
    }

    /// Where the option ROM answers.
    pub fn rom(&self) -> Option<MappedRange> {
        let bar = self.dword(ROM_BAR);
        if bar & ROM_ENABLE != 0 {
            self.decode(bar, self.rom_len?)
        } else {
            None
        }
    }

    /// The range that a memory BAR decodes. `None` while COMMAND disables memory.
    fn decode(&self, bar: u32, len: u64) -> Option<MappedRange> {
        let command = u16::from(self.bytes[COMMAND]);
        if command & COMMAND_MEMORY != 0 {
            range(bar, len)
        } else {
            None
        }
    }

    fn dword(&self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        self.read(offset, &mut bytes);
        u32::from_le_bytes(bytes)
    }
}

/// The range that a BAR's register selects. `None` at address 0, or if it would contain the last byte below 4
/// GiB. As in QEMU, a range of a single byte never answers.
fn range(bar: u32, len: u64) -> Option<MappedRange> {
    let base = u64::from(bar & address_bits(len));
    let answers = base != 0 && len > 1 && base.saturating_add(len) <= u64::from(u32::MAX);
    answers.then_some(MappedRange::new(GuestAddress(base), len))
}

/// The offset of a byte in configuration space, for VMMs that count four-byte registers. Offsets past the end
/// of the space stay past it, and accesses there do nothing.
///
/// ```
/// assert_eq!(stdvga::config_offset(4, 2), 0x12);
/// ```
pub fn config_offset(register: usize, byte: u64) -> u16 {
    let offset = (register as u64).saturating_mul(4).saturating_add(byte);
    u16::try_from(offset).unwrap_or(u16::MAX)
}

/// The address bits of a BAR whose length is a power of two.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a range has 1 byte to 2 GiB"
)]
fn address_bits(len: u64) -> u32 {
    !((len - 1) as u32)
}

fn put<const N: usize>(space: &mut [u8; CONFIG_BYTES], offset: usize, bytes: [u8; N]) {
    for (place, byte) in space.iter_mut().skip(offset).zip(bytes) {
        *place = byte;
    }
}
