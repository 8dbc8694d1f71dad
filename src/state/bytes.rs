// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Encodes a state as bytes, and decodes it. [`State::to_bytes`] documents the layout.
//!
//! Decoding checks only the form: tags, and where the bytes end. Values are checked when a state is restored,
//! wherever it comes from.

use std::ops::RangeInclusive;

use super::{
    AttributeState, CrtcState, DacState, DispiState, GraphicsState, Hardware, MiscState, PciState,
    RetraceTiming, SequencerState, State,
};
use crate::config::{ByteOrder, Monitor};
use crate::error::{Allowed, StateError};
use crate::mappings::WindowRam;
use crate::variant::Variant;

/// The first bytes of a state. Anything that treats a state as text and converts line endings corrupts them.
const MAGIC: [u8; 8] = *b"STDVGA\r\n";

impl State {
    /// The state as 1161 to 1505 bytes, for [`State::from_bytes`].
    ///
    /// # Layout
    ///
    /// The fields follow one another in this order, with nothing between them:
    ///
    /// | field | type |
    /// | --- | --- |
    /// | | the 8 bytes `STDVGA`, 0x0d, 0x0a |
    /// | `version` | u32: 1 |
    /// | `hardware`: `variant` | tag: 0 `VGA`, 1 `secondary-vga`, 2 `isa-vga` |
    /// | `vram_bytes`, `rom_bytes` | u64 each |
    /// | `mmio`, `qemu_extended_regs`, `dispi_data_port_1cf`, `precise_retrace` | bool each |
    /// | `pci`: `bytes` | option of 256 u8 |
    /// | `monitor`: `xres`, `yres`, `xmax`, `ymax`, `refresh_rate` | option of five u32 |
    /// | `misc`: `output`, `feature_control` | u8 each |
    /// | `in_retrace` | bool |
    /// | `timing`: `nanoseconds_per_character`, `characters_per_line`, `lines`, first and last of `vertical_retrace`, first and last of `horizontal_retrace` | option of seven u64 |
    /// | `sequencer`: `index` | u8 |
    /// | `registers` | 8 u8 |
    /// | `vbe_chained` | bool |
    /// | `crtc`: `index` | u8 |
    /// | `registers` | 256 u8 |
    /// | `graphics`: `index` | u8 |
    /// | `registers` | 16 u8 |
    /// | `latches` | 4 u8 |
    /// | `attribute`: `index` | u8 |
    /// | `data_next` | bool |
    /// | `registers` | 21 u8 |
    /// | `dac`: `reading` | bool |
    /// | `read_index`, `write_index`, `component` | u8 each |
    /// | `staged` | 3 u8 |
    /// | `entries` | 256 times 3 u8: red, green, blue |
    /// | `dispi`: `index` | u16 |
    /// | `registers` | 10 u16 |
    /// | `bank_offset` | u32 |
    /// | `byte_order` | tag: 0 little, 1 big |
    /// | `window_ram`: `offset`, `len`, `vram_offset` | option of three u32 |
    /// | `resets` | u64 |
    ///
    /// Numbers are little-endian. A tag is a u8. A bool is a tag: 0 or 1. An option starts with a tag. `None`
    /// is only the tag 0. Otherwise it's the tag 1, followed by the value.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        self.encode(&mut bytes);
        bytes
    }

    /// The state that [`State::to_bytes`] encoded as these bytes, in this version of the crate or an earlier
    /// one.
    ///
    /// The bytes may come from anywhere. Nothing is allocated because of what they claim. A restore checks
    /// whether a device can have the values.
    ///
    /// # Errors
    ///
    /// - [`StateError::Magic`] if the bytes aren't a state at all
    /// - [`StateError::Version`] if a newer version of the crate wrote them
    /// - [`StateError::Truncated`] or [`StateError::Trailing`] if the state doesn't end where the bytes do
    /// - [`StateError::Tag`] if a tag has a value that the layout doesn't have
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let mut reader = Reader {
            len: bytes.len(),
            rest: bytes,
        };
        let found = reader.bytes()?;
        if found != MAGIC {
            return Err(StateError::Magic {
                found,
                expected: MAGIC,
            });
        }
        // The version determines what follows, so it's checked first.
        let version = u32::decode(&mut reader.clone())?;
        Self::check_version(version)?;
        let state = Self::decode(&mut reader)?;
        if reader.rest.is_empty() {
            Ok(state)
        } else {
            Err(StateError::Trailing {
                end: reader.offset(),
                len: reader.len,
            })
        }
    }
}

/// The bytes that haven't been read yet.
#[derive(Clone)]
struct Reader<'a> {
    /// Length of all bytes.
    len: usize,
    rest: &'a [u8],
}

impl Reader<'_> {
    /// Where the rest starts.
    fn offset(&self) -> usize {
        self.len.saturating_sub(self.rest.len())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return Err(StateError::Truncated {
                offset: self.offset(),
                needed: N,
                left: self.rest.len(),
            });
        };
        self.rest = rest;
        Ok(*bytes)
    }

    /// A tag from 0 to `last`.
    fn tag(&mut self, last: u8) -> Result<u8, StateError> {
        let offset = self.offset();
        let tag = u8::decode(self)?;
        if tag <= last {
            return Ok(tag);
        }
        Err(StateError::Tag {
            offset,
            value: tag,
            allowed: Allowed::Range(0..=last.into()),
        })
    }
}

/// A part of a state, as bytes.
trait Encoding: Sized {
    fn encode(&self, bytes: &mut Vec<u8>);

    fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError>;
}

macro_rules! encode_integers {
    ($($integer:ty),+) => {$(
        impl Encoding for $integer {
            fn encode(&self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }

            fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
                reader.bytes().map(Self::from_le_bytes)
            }
        }
    )+};
}

encode_integers!(u8, u16, u32, u64);

impl Encoding for bool {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push((*self).into());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(reader.tag(1)? == 1)
    }
}

impl Encoding for Variant {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(match self {
            Self::Vga => 0,
            Self::SecondaryVga => 1,
            Self::IsaVga => 2,
        });
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(match reader.tag(2)? {
            0 => Self::Vga,
            1 => Self::SecondaryVga,
            _ => Self::IsaVga,
        })
    }
}

impl Encoding for ByteOrder {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(match self {
            Self::Little => 0,
            Self::Big => 1,
        });
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(match reader.tag(1)? {
            0 => Self::Little,
            _ => Self::Big,
        })
    }
}

impl<T: Encoding> Encoding for Option<T> {
    fn encode(&self, bytes: &mut Vec<u8>) {
        self.is_some().encode(bytes);
        if let Some(value) = self {
            value.encode(bytes);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        bool::decode(reader)?.then(|| T::decode(reader)).transpose()
    }
}

impl<T: Encoding + Copy + Default, const N: usize> Encoding for [T; N] {
    fn encode(&self, bytes: &mut Vec<u8>) {
        for element in self {
            element.encode(bytes);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut array = [T::default(); N];
        for element in &mut array {
            *element = T::decode(reader)?;
        }
        Ok(array)
    }
}

impl<T: Encoding> Encoding for RangeInclusive<T> {
    fn encode(&self, bytes: &mut Vec<u8>) {
        self.start().encode(bytes);
        self.end().encode(bytes);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(T::decode(reader)?..=T::decode(reader)?)
    }
}

/// Encodes structs field by field, in the given order. If a field is left out or changes its type, the code
/// doesn't compile.
macro_rules! encode_structs {
    ($($name:ident { $($field:ident: $type:ty,)+ })+) => {$(
        impl Encoding for $name {
            fn encode(&self, bytes: &mut Vec<u8>) {
                let Self { $($field),+ } = self;
                $(<$type>::encode($field, bytes);)+
            }

            fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
                Ok(Self { $($field: <$type>::decode(reader)?),+ })
            }
        }
    )+};
}

encode_structs! {
    State {
        version: u32,
        hardware: Hardware,
        pci: Option<PciState>,
        monitor: Option<Monitor>,
        misc: MiscState,
        sequencer: SequencerState,
        crtc: CrtcState,
        graphics: GraphicsState,
        attribute: AttributeState,
        dac: DacState,
        dispi: DispiState,
        byte_order: ByteOrder,
        window_ram: Option<WindowRam>,
        resets: u64,
    }
    Hardware {
        variant: Variant,
        vram_bytes: u64,
        rom_bytes: u64,
        mmio: bool,
        qemu_extended_regs: bool,
        dispi_data_port_1cf: bool,
        precise_retrace: bool,
    }
    PciState {
        bytes: [u8; 256],
    }
    Monitor {
        xres: u32,
        yres: u32,
        xmax: u32,
        ymax: u32,
        refresh_rate: u32,
    }
    MiscState {
        output: u8,
        feature_control: u8,
        in_retrace: bool,
        timing: Option<RetraceTiming>,
    }
    RetraceTiming {
        nanoseconds_per_character: u64,
        characters_per_line: u64,
        lines: u64,
        vertical_retrace: RangeInclusive<u64>,
        horizontal_retrace: RangeInclusive<u64>,
    }
    SequencerState {
        index: u8,
        registers: [u8; 8],
        vbe_chained: bool,
    }
    CrtcState {
        index: u8,
        registers: [u8; 256],
    }
    GraphicsState {
        index: u8,
        registers: [u8; 16],
        latches: [u8; 4],
    }
    AttributeState {
        index: u8,
        data_next: bool,
        registers: [u8; 0x15],
    }
    DacState {
        reading: bool,
        read_index: u8,
        write_index: u8,
        component: u8,
        staged: [u8; 3],
        entries: [[u8; 3]; 256],
    }
    DispiState {
        index: u16,
        registers: [u16; 10],
        bank_offset: u32,
    }
    WindowRam {
        offset: u32,
        len: u32,
        vram_offset: u32,
    }
}
