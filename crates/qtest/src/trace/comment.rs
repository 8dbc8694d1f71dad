// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a trace says behind a command.

use std::fmt;

use super::table::{Block, Register};

/// How many items a comment has at most: one `write` can reach a thousand registers.
const MAX_ITEMS: usize = 8;

/// What a piece of an access reached.
#[derive(Debug)]
pub enum Item {
    Register {
        name: String,
        value: String,
        is_decimal: bool,
        meaning: Vec<String>,
    },
    /// Bytes of a part of the device: the offset of the first, and of the one behind the last.
    Bytes {
        part: &'static str,
        start: u64,
        end: u64,
    },
    Text(String),
}

impl Item {
    /// A register, of whose value only the bits in `known` were accessed.
    pub fn register(name: String, register: &Register, value: u32, known: u32) -> Self {
        let digits = known.count_ones() as usize / 4;
        let value_known = (value & known) >> known.trailing_zeros();
        Self::Register {
            name,
            value: if register.is_decimal {
                format!("{value_known}")
            } else {
                format!("{value_known:0digits$x}")
            },
            is_decimal: register.is_decimal,
            meaning: register.meaning(value, known),
        }
    }

    /// The register of a block that an index selects.
    pub fn indexed(block: &Block, index: u16, value: u32, known: u32) -> Self {
        let (register, _) = block.find(index);
        let digits = block.digits;
        let name = format!("{} {index:0digits$x} {}", block.name, register.name);
        Self::register(name, register, value, known)
    }

    /// An index register, and what it selects.
    pub fn index(block: &Block, value: u16, index: u16) -> Self {
        let (register, _) = block.find(index);
        Self::Register {
            name: format!("{} index", block.name),
            value: format!("{value:02x}"),
            is_decimal: false,
            meaning: vec![register.name.to_owned()],
        }
    }

    /// Bytes of a part of the device, from an offset on.
    pub fn bytes(part: &'static str, start: u64, len: usize) -> Self {
        Self::Bytes {
            part,
            start,
            end: start + len as u64,
        }
    }

    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// Says more of a register's value.
    pub fn and(mut self, text: &str) -> Self {
        if let Self::Register { meaning, .. } = &mut self {
            meaning.push(text.to_owned());
        }
        self
    }

    /// Takes in the next item, where the two are told as one.
    fn absorb(&mut self, next: &Self) -> bool {
        match (self, next) {
            (
                Self::Bytes { part, end, .. },
                Self::Bytes {
                    part: next_part,
                    start: next_start,
                    end: next_end,
                },
            ) if part == next_part && end == next_start => {
                *end = *next_end;
                true
            }
            (Self::Text(text), Self::Text(next_text)) => text == next_text,
            _ => false,
        }
    }

    /// Writes the item; without its value, if that was told already.
    fn write(&self, f: &mut fmt::Formatter<'_>, is_value_told: bool) -> fmt::Result {
        match self {
            Self::Register {
                name,
                value,
                is_decimal,
                meaning,
            } => {
                f.write_str(name)?;
                if *is_decimal || !is_value_told {
                    write!(f, " = {value}")?;
                }
                if !meaning.is_empty() {
                    write!(f, ": {}", meaning.join(", "))?;
                }
                Ok(())
            }
            Self::Bytes { part, start, end } => write!(f, "{part} + {}", range(*start, *end)),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Offsets in words: the first, and the last of more than a single access has.
pub fn range(start: u64, end: u64) -> String {
    if end - start > 8 {
        format!("{start:#x} to {:#x}", end - 1)
    } else {
        format!("{start:#x}")
    }
}

/// The comment on one command.
#[derive(Debug, Default)]
pub struct Comment {
    /// The value read, as the reply has it.
    pub read: Option<String>,
    /// Where the first item lies, if its name doesn't say.
    pub via: &'static str,
    items: Vec<Item>,
    /// Whether there are more items than are told.
    is_cut: bool,
}

impl Comment {
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn push(&mut self, item: Item) {
        if self.items.last_mut().is_some_and(|last| last.absorb(&item)) {
            return;
        }
        if self.items.len() < MAX_ITEMS {
            self.items.push(item);
        } else {
            self.is_cut = true;
        }
    }
}

impl fmt::Display for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(value) = &self.read {
            write!(f, "= {value}: ")?;
        }
        f.write_str(self.via)?;
        let is_value_told = self.read.is_some() && self.items.len() == 1;
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            item.write(f, is_value_told)?;
        }
        if self.is_cut {
            f.write_str("; ...")?;
        }
        Ok(())
    }
}
