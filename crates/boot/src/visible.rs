// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Whether the guest shows something, and what it may mean if it doesn't.

use stdvga::TextScreen;
use stdvga_frontend::display::Display;

use crate::firmware;
use crate::outcome::Start;

/// Whether there's something to see: a cursor alone is nothing, and a picture that's too large is something.
pub fn is_visible(display: &Display, text: Option<&TextScreen>) -> bool {
    display.is_too_large() || !display.picture.is_black() && text.is_none_or(is_written)
}

/// Whether a text screen has a character or a colour on it.
fn is_written(text: &TextScreen) -> bool {
    const BACKGROUND: u8 = 0x70;
    let mut cells = (0..text.rows).flat_map(|row| text.row(row));
    cells.any(|cell| !matches!(cell.to_char(), ' ' | '\u{a0}') || cell.attribute & BACKGROUND != 0)
}

/// What it may mean that a guest has drawn nothing, in lines for the user.
pub fn causes_of_nothing(start: &Start, exits: u64, is_running: bool) -> Vec<String> {
    let mut causes = Vec::new();
    match start {
        Start::Bios(bios) if exits == 0 => causes.push(firmware::suspicion(bios)),
        Start::Bios(_) => {}
        Start::LongMode(_) => causes.push(
            "the kernel may lack a driver for this screen; with console=ttyS0 in --append, it reports here".into(),
        ),
    }
    if is_running {
        causes.push(
            "the guest may need more time: a KVM in a virtual machine may interpret code, which is slow".into(),
        );
    }
    causes
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use stdvga::{Config, Dirty, StdVga};

    use super::*;
    use crate::outcome::LongMode;

    /// A display and a text screen of 80x25 cells, filled with a cell.
    fn text_of(character: u8, attribute: u8) -> (Display, Option<TextScreen>) {
        let vga = StdVga::new(Config::default()).unwrap();
        let ram = vm_memory::GuestMemoryMmap::from_ranges(&[(vm_memory::GuestAddress(0), 0x1000)]);
        let (fw_cfg, cmos) = (
            crate::fw_cfg::FwCfg::new(Vec::new()),
            crate::cmos::Cmos::new(0x1000),
        );
        let mut board = crate::board::Board::new(vga, ram.unwrap(), fw_cfg, cmos, false);
        crate::scripted::run(&mut board, &crate::demo::text_mode(), |_| {});
        for cell in 0..80 * 25 {
            let _ = board.mmio_write(0xb_8000 + 2 * cell, &[character, attribute]);
        }
        let (scanout, vram) = (board.vga.scanout(), board.vga.vram());
        let mut display = Display::new(Instant::now(), None);
        display.refresh(&scanout, vram, Dirty::Compare).unwrap();
        (display, scanout.text(vram))
    }

    #[test]
    fn a_blank_text_screen_shows_nothing_and_one_of_characters_or_colours_does() {
        for (character, attribute, expected) in [
            (b' ', 0x07, false),
            (0, 0x07, false),
            (0xff, 0x07, false),
            (b'A', 0x07, true),
            (b' ', 0x17, true),
        ] {
            let (display, text) = text_of(character, attribute);
            assert!(text.is_some(), "it isn't a text screen");
            let found = is_visible(&display, text.as_ref());
            assert_eq!(found, expected, "{character:#x}, {attribute:#x}");
        }
    }

    #[test]
    fn a_black_picture_shows_nothing() {
        assert!(!is_visible(&Display::new(Instant::now(), None), None));
    }

    #[test]
    fn each_kind_of_guest_has_causes_of_its_own() {
        let bios = || Start::Bios(vec![0; 0x1_0000]);
        let kernel = || {
            Start::LongMode(LongMode {
                rip: 0,
                rsi: 0,
                page_tables: 0,
                gdt: 0,
                code: 0,
                data: 0,
            })
        };
        for (start, exits, is_running, words) in [
            (bios(), 0, false, &["not be a BIOS image"][..]),
            (bios(), 0, true, &["not be a BIOS image", "slow"]),
            (bios(), 1, true, &["slow"]),
            (bios(), 1, false, &[]),
            (kernel(), 0, true, &["console=ttyS0", "slow"]),
            (kernel(), 9, false, &["console=ttyS0"]),
        ] {
            let causes = causes_of_nothing(&start, exits, is_running);
            assert_eq!(causes.len(), words.len(), "{causes:?}");
            for (cause, word) in causes.iter().zip(words) {
                assert!(cause.contains(word), "{word:?} isn't in {cause:?}");
            }
        }
    }
}
