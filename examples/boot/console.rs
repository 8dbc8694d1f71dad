//! The debug console at port 0x402.

use std::io::Write;

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

    /// One byte from the guest. Nothing that could command the terminal gets through.
    pub fn write(&mut self, byte: u8) {
        if self.echo {
            let shown = match byte {
                b'\n' | b' '..=b'~' => byte,
                b'\r' => return,
                _ => b'?',
            };
            // A closed stderr is no reason to stop the machine.
            let _ = std::io::stderr().write_all(&[shown]);
        }
    }
}
