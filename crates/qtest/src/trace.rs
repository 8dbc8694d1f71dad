// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! `--trace`: every command again, with a comment that tells which registers and bits it reached.
//!
//! - `registers.rs` has the names and fields; `table.rs` is what they are made of.
//! - `decode.rs` finds the registers that an access reaches.
//! - `comment.rs` puts into words what was found.

mod comment;
mod decode;
mod registers;
mod table;
#[cfg(test)]
mod tests;

use crate::machine::Place;
use comment::{Comment, Item};
use decode::{Access, Decoder};

/// Follows the commands, and comments each. Lines and comments together are input again.
#[derive(Debug, Default)]
pub struct Tracer {
    decoder: Decoder,
    comment: Comment,
}

impl Tracer {
    /// Takes in an access of a command: the pieces that it reached, and the bytes written or read.
    pub fn access(&mut self, pieces: &[(Place, usize)], is_write: bool, data: &[u8]) {
        if let (true, [(Place::Mmio(_), _), ..]) = (self.comment.is_empty(), pieces) {
            self.comment.via = "BAR2: ";
        }
        let access = Access { is_write, data };
        let mut at = 0;
        for (place, len) in pieces {
            self.decoder
                .access(*place, access.part(at, *len), &mut self.comment);
            at += len;
        }
    }

    /// Takes in the value that a command of one access read.
    pub fn value_read(&mut self, value: u64, width: usize) {
        let digits = 2 * width;
        self.comment.read = Some(format!("0x{value:0digits$x}"));
    }

    /// Takes in a reset of the device.
    pub fn reset(&mut self) {
        self.decoder = Decoder::default();
        self.say("the registers are as at power-on, memory stays");
    }

    /// Takes in something else to tell of the command.
    pub fn say(&mut self, text: &str) {
        self.comment.push(Item::text(text));
    }

    /// The comment on the command that ends here.
    pub fn take_comment(&mut self) -> String {
        std::mem::take(&mut self.comment).to_string()
    }
}
