// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The debug console at port 0x402, and how a guest's text gets to the terminal.

use std::io::{self, Write};

use stdvga_frontend::messages;

/// Text that the guest writes for developers: dropped, or copied to stderr.
pub struct Console {
    echo: bool,
}

impl Console {
    /// What the port reads as where the console exists.
    pub const PRESENT: u8 = 0xe9;

    /// A console that copies to stderr where `echo` is set.
    pub fn new(echo: bool) -> Self {
        Self { echo }
    }

    /// One byte from the guest.
    pub fn write(&mut self, byte: u8) {
        if self.echo {
            // Copying never fails.
            let _ = GuestText.write_all(&[byte]);
        }
    }
}

/// Copies a guest's text to stderr. Nothing that could command the terminal gets through.
pub struct GuestText;

impl Write for GuestText {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let shown = text.iter().filter_map(|byte| match byte {
            b'\r' => None,
            b'\t' | b'\n' | b' '..=b'~' => Some(char::from(*byte)),
            _ => Some('?'),
        });
        messages::copy(&shown.collect::<String>());
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
