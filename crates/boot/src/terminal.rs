// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the terminal shows: a text screen as text, any other picture as a preview; and messages.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

use stdvga::TextScreen;
use stdvga_frontend::picture::Picture;
pub use stdvga_frontend::say;

/// The width of a preview that goes to no terminal, or to one that doesn't tell its own.
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
    let [no_color, term] = ["NO_COLOR", "TERM"].map(|name| env::var_os(name).unwrap_or_default());
    let colour = out.is_terminal() && takes_colour(&no_color, &term);
    out.write_all(picture.preview(columns(), colour).as_bytes())
}

/// How many characters fit into a line.
fn columns() -> u32 {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map_or(COLUMNS, |(width, _)| match width.0 {
        0 => COLUMNS, // it doesn't know
        width => width.into(),
    })
}

/// Whether a terminal may be sent colours, by what its user set.
fn takes_colour(no_color: &OsStr, term: &OsStr) -> bool {
    no_color.is_empty() && term != "dumb"
}
