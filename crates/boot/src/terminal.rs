// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the terminal shows: a text screen as text, any other picture as a preview; and messages.

use std::io::{self, IsTerminal, Write};

use stdvga::TextScreen;
use stdvga_frontend::picture::Picture;
pub use stdvga_frontend::say;

const COLUMNS: u32 = 80;

/// Prints a text screen, if there's something on it.
pub fn print_text(text: &TextScreen) -> io::Result<()> {
    let text = text.to_string();
    if text.is_empty() {
        return Ok(());
    }
    writeln!(io::stdout(), "{text}")
}

/// Prints a preview of a picture, if there's something to see.
pub fn print_picture(picture: &Picture) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let colour = out.is_terminal();
    out.write_all(picture.preview(COLUMNS, colour).as_bytes())
}
