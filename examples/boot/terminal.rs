// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the terminal shows: a text screen as text, any other picture as a preview; and messages.

use std::io::{self, IsTerminal, Write};

use codepage_437::{CP437_WINGDINGS, FromCp437};
use stdvga::TextScreen;

use crate::screen::picture::Picture;
pub use crate::screen::say;

const COLUMNS: u32 = 80;

/// The lines of a text screen in Unicode, without the blanks at their ends and below the last one.
pub fn lines(text: &TextScreen) -> Vec<String> {
    let line = |row: u32| {
        let characters: Vec<u8> = text
            .row(row)
            .iter()
            .map(|cell| {
                if cell.character == 0 {
                    b' '
                } else {
                    cell.character
                }
            })
            .collect();
        let line = String::from_cp437(characters, &CP437_WINGDINGS);
        line.trim_end_matches([' ', '\u{a0}']).to_owned()
    };
    let mut lines: Vec<String> = (0..text.rows).map(line).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// Prints a text screen.
pub fn print_text(text: &TextScreen) -> io::Result<()> {
    let mut out = io::stdout().lock();
    lines(text)
        .iter()
        .try_for_each(|line| writeln!(out, "{line}"))
}

/// Prints a preview of a picture, if there's something to see.
pub fn print_picture(picture: &Picture) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let colour = out.is_terminal();
    out.write_all(picture.preview(COLUMNS, colour).as_bytes())
}
