// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! How a register's name and fields are told, and what its values say.

use std::ops::Range;

/// A register, or a field of the EDID blob.
#[derive(Debug)]
pub struct Register {
    pub name: &'static str,
    /// Whether its values are told in decimal.
    pub is_decimal: bool,
    fields: &'static [Field],
}

/// The registers behind an index, or in a range of offsets.
#[derive(Debug)]
pub struct Block {
    pub name: &'static str,
    /// Digits that an index is told with.
    pub digits: usize,
    /// By index or offset, ascending from 0. A register reaches up to the next one's.
    pub registers: &'static [(u16, Register)],
}

/// What some bits of a register say.
#[derive(Debug)]
pub struct Field {
    mask: u32,
    says: Says,
}

#[derive(Debug)]
enum Says {
    /// A text where the bits, in their place, are this.
    If(u32, &'static str),
    /// A number for the text's `{}`: the bits', plus the first, times the second.
    Number(u32, u32, &'static str),
    /// Which planes the bits set name.
    Planes,
}

impl Block {
    /// The register that has the index or offset, and where it starts and ends.
    pub fn find(&self, index: u16) -> (&'static Register, Range<u16>) {
        let next = self.registers.partition_point(|(first, _)| *first <= index);
        let (start, register) = &self.registers[next.saturating_sub(1)];
        let end = self
            .registers
            .get(next)
            .map_or(u16::MAX, |(first, _)| *first);
        (register, *start..end)
    }
}

impl Register {
    /// What a value says, of which only the bits in `known` were accessed.
    pub fn meaning(&self, value: u32, known: u32) -> Vec<String> {
        self.fields
            .iter()
            .filter(|field| field.mask & !known == 0)
            .filter_map(|field| field.meaning(value))
            .collect()
    }
}

impl Field {
    fn meaning(&self, value: u32) -> Option<String> {
        let bits = value & self.mask;
        match self.says {
            Says::If(wanted, text) => (bits == wanted).then(|| text.to_owned()),
            Says::Number(plus, factor, text) => {
                let number = (bits >> self.mask.trailing_zeros())
                    .saturating_add(plus)
                    .saturating_mul(factor);
                Some(text.replace("{}", &number.to_string()))
            }
            Says::Planes if bits == self.mask => Some("planes 0-3".to_owned()),
            Says::Planes if bits == 0 => Some("no planes".to_owned()),
            Says::Planes => {
                let set = (0..4).filter(|plane| bits >> plane & 1 != 0);
                let planes: Vec<String> = set.map(|plane: u32| plane.to_string()).collect();
                Some(format!("planes {}", planes.join(" ")))
            }
        }
    }
}

/// A register whose value has no fields to tell.
pub const fn plain(name: &'static str) -> Register {
    hex(name, &[])
}

/// A register whose value is told in hexadecimal.
pub const fn hex(name: &'static str, fields: &'static [Field]) -> Register {
    Register {
        name,
        is_decimal: false,
        fields,
    }
}

/// A register whose value is told in decimal.
pub const fn decimal(name: &'static str, fields: &'static [Field]) -> Register {
    Register {
        name,
        is_decimal: true,
        fields,
    }
}

/// The text holds where the bits of the mask are the value.
pub const fn is(mask: u32, value: u32, text: &'static str) -> Field {
    assert!(value & !mask == 0, "the bits can't be the value");
    Field {
        mask,
        says: Says::If(value, text),
    }
}

/// The text holds where the bits are set.
pub const fn set(mask: u32, text: &'static str) -> Field {
    is(mask, mask, text)
}

/// The text holds where the bits are clear.
pub const fn clear(mask: u32, text: &'static str) -> Field {
    is(mask, 0, text)
}

/// The bits are a number.
pub const fn number(mask: u32, text: &'static str) -> Field {
    times(mask, 1, text)
}

/// The bits are a number less one.
pub const fn count(mask: u32, text: &'static str) -> Field {
    Field {
        mask,
        says: Says::Number(1, 1, text),
    }
}

/// The bits are a number in units of `factor`.
pub const fn times(mask: u32, factor: u32, text: &'static str) -> Field {
    Field {
        mask,
        says: Says::Number(0, factor, text),
    }
}

/// The four bits are planes.
pub const fn planes(mask: u32) -> Field {
    Field {
        mask,
        says: Says::Planes,
    }
}
