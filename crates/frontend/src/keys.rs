// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Text and keysyms to scan codes: what `--type` takes and what viewers type, for a US keyboard.

use anyhow::{Context, Result, bail};

/// A key by its scan code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    extended: bool,
    code: u8,
}

impl Key {
    const fn plain(code: u8) -> Self {
        let extended = false;
        Self { extended, code }
    }

    const fn extended(code: u8) -> Self {
        let extended = true;
        Self { extended, code }
    }

    fn pressed(self) -> Vec<u8> {
        if self.extended {
            vec![0xe0, self.code]
        } else {
            vec![self.code]
        }
    }

    fn released(self) -> Vec<u8> {
        let code = self.code | 0x80;
        Self { code, ..self }.pressed()
    }

    fn typed(self) -> Vec<u8> {
        [self.pressed(), self.released()].concat()
    }
}

const SHIFT: Key = Key::plain(0x2a);

/// The rows of the main block, with the scan code of their first key: unshifted, then shifted.
const ROWS: [(u8, &str, &str); 4] = [
    (0x02, "1234567890-=", "!@#$%^&*()_+"),
    (0x10, "qwertyuiop[]", "QWERTYUIOP{}"),
    (0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
    (0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
];

/// Keys by name, for `<name>`, and by X11 keysym.
const NAMED: [(&str, u32, Key); 32] = [
    ("esc", 0xff1b, Key::plain(0x01)),
    ("backspace", 0xff08, Key::plain(0x0e)),
    ("tab", 0xff09, Key::plain(0x0f)),
    ("enter", 0xff0d, Key::plain(0x1c)),
    ("space", 0x0020, Key::plain(0x39)),
    ("up", 0xff52, Key::extended(0x48)),
    ("down", 0xff54, Key::extended(0x50)),
    ("left", 0xff51, Key::extended(0x4b)),
    ("right", 0xff53, Key::extended(0x4d)),
    ("home", 0xff50, Key::extended(0x47)),
    ("end", 0xff57, Key::extended(0x4f)),
    ("pgup", 0xff55, Key::extended(0x49)),
    ("pgdn", 0xff56, Key::extended(0x51)),
    ("ins", 0xff63, Key::extended(0x52)),
    ("del", 0xffff, Key::extended(0x53)),
    ("ctrl", 0xffe3, Key::plain(0x1d)),
    ("alt", 0xffe9, Key::plain(0x38)),
    ("shift", 0xffe1, SHIFT),
    ("capslock", CAPS_LOCK, Key::plain(0x3a)),
    ("menu", 0xff67, Key::extended(0x5d)),
    ("f1", 0xffbe, Key::plain(0x3b)),
    ("f2", 0xffbf, Key::plain(0x3c)),
    ("f3", 0xffc0, Key::plain(0x3d)),
    ("f4", 0xffc1, Key::plain(0x3e)),
    ("f5", 0xffc2, Key::plain(0x3f)),
    ("f6", 0xffc3, Key::plain(0x40)),
    ("f7", 0xffc4, Key::plain(0x41)),
    ("f8", 0xffc5, Key::plain(0x42)),
    ("f9", 0xffc6, Key::plain(0x43)),
    ("f10", 0xffc7, Key::plain(0x44)),
    ("f11", 0xffc8, Key::plain(0x57)),
    ("f12", 0xffc9, Key::plain(0x58)),
];
const CAPS_LOCK: u32 = 0xffe5;

/// The scan codes of each key in turn: pressed, then released.
pub fn scan_codes(text: &str) -> Result<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (codes, used) = if first == '<' {
            let end = rest
                .find('>')
                .with_context(|| format!("--type: {rest:?} lacks a '>': <lt> types a '<'"))?;
            (named(&rest[1..end])?, end + 1)
        } else {
            (character(first)?, first.len_utf8())
        };
        keys.push(codes);
        rest = &rest[used..];
    }
    Ok(keys)
}

fn named(name: &str) -> Result<Vec<u8>> {
    let wanted = name.to_ascii_lowercase();
    if wanted == "lt" {
        return character('<');
    }
    match NAMED.iter().find(|(name, ..)| *name == wanted) {
        Some((.., key)) => Ok(key.typed()),
        None => {
            let names: Vec<_> = NAMED.iter().map(|(name, ..)| format!("<{name}>")).collect();
            bail!(
                "--type: there's no key <{name}>: there are <lt> {}",
                names.join(" ")
            )
        }
    }
}

fn character(character: char) -> Result<Vec<u8>> {
    match character {
        ' ' => return named("space"),
        '\n' => return named("enter"),
        '\t' => return named("tab"),
        _ => {}
    }
    match key_of(character) {
        Some((key, false)) => Ok(key.typed()),
        Some((key, true)) => Ok([SHIFT.pressed(), key.typed(), SHIFT.released()].concat()),
        None => bail!(
            "--type: a US keyboard has no key for {character:?}: use ASCII, or <name> for special keys"
        ),
    }
}

/// The key that has a character, and whether it needs Shift.
fn key_of(character: char) -> Option<(Key, bool)> {
    for (first, plain, shifted) in ROWS {
        for (row, needs_shift) in [(plain, false), (shifted, true)] {
            if let Some(index) = row.find(character) {
                return Some((Key::plain(first + index as u8), needs_shift));
            }
        }
    }
    None
}

/// The keyboard of a viewer, who tells by keysyms what keys mean on a keyboard that may be another one.
#[derive(Default)]
pub struct Keyboard {
    held: Vec<Key>,
}

impl Keyboard {
    /// The scan codes for a key that is pressed or released; none for one that isn't known.
    pub fn codes(&mut self, keysym: u32, down: bool) -> Vec<u8> {
        let keysym = main_block(keysym);
        if keysym == CAPS_LOCK {
            return Vec::new(); // where it's on, the characters that follow are capitals
        }
        let named = NAMED.iter().find(|(_, known, _)| *known == keysym);
        let character = char::from_u32(keysym).and_then(key_of);
        let (key, needs_shift) = match (named, character) {
            (Some((.., key)), _) => (*key, None),
            (None, Some((key, shift))) => (key, Some(shift)),
            (None, None) => return Vec::new(),
        };
        let was_held = self.held.contains(&key);
        self.held.retain(|held| *held != key);
        if !down {
            return if was_held { key.released() } else { Vec::new() };
        }
        self.held.push(key);
        // RFC 6143: the character counts, and not whether the viewer's keyboard has it with Shift.
        match (needs_shift, self.held.contains(&SHIFT)) {
            (Some(true), false) => [SHIFT.pressed(), key.pressed(), SHIFT.released()].concat(),
            (Some(false), true) => [SHIFT.released(), key.pressed(), SHIFT.pressed()].concat(),
            _ => key.pressed(),
        }
    }

    /// The scan codes that release each key that's held.
    pub fn release_all(&mut self) -> impl Iterator<Item = Vec<u8>> {
        self.held.drain(..).map(Key::released)
    }
}

/// The keysym of the main block's key that does the same.
fn main_block(keysym: u32) -> u32 {
    match keysym {
        0xff95..=0xff9c => keysym - 0x45, // the keypad's cursor keys
        0xff9e => 0xff63,                 // ... Ins
        0xff9f => 0xffff,                 // ... Del
        0xff8d => 0xff0d,                 // ... Enter
        0xffaa..=0xffb9 | 0xffbd => keysym - 0xff80, // ... characters
        0xffe2 | 0xffe4 | 0xffea => keysym - 1, // Shift, Ctrl and Alt on the right
        0xfe20 => 0xff09,                 // Tab with Shift
        _ => keysym,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u32 = 'a' as u32;
    const SHIFT_LEFT: u32 = 0xffe1;

    #[test]
    fn letters_shifted_signs_and_names_become_make_and_break_codes() {
        let keys = scan_codes("a?<Enter><up>").unwrap();
        let shifted = vec![0x2a, 0x35, 0xb5, 0xaa];
        let up = vec![0xe0, 0x48, 0xe0, 0xc8];
        assert_eq!(keys, [vec![0x1e, 0x9e], shifted, vec![0x1c, 0x9c], up]);
    }

    #[test]
    fn lt_types_the_angle_bracket_that_starts_names() {
        let comma = vec![0x2a, 0x33, 0xb3, 0xaa];
        let period = vec![0x2a, 0x34, 0xb4, 0xaa];
        assert_eq!(scan_codes("<lt>>").unwrap(), [comma, period]);
    }

    #[test]
    fn a_name_without_an_end_is_refused() {
        for text in ["<enter", "<", "dir<"] {
            let message = scan_codes(text).unwrap_err().to_string();
            assert!(message.contains("lacks a '>'"), "{text}: {message}");
        }
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        for unknown in ["<f13>", "<>"] {
            let message = scan_codes(unknown).unwrap_err().to_string();
            assert!(
                [unknown, "<lt>", "<enter>"]
                    .iter()
                    .all(|key| message.contains(key)),
                "{message}"
            );
        }
        assert!(scan_codes("ü").is_err());
    }

    fn typed(events: &[(u32, bool)]) -> Vec<u8> {
        let mut keyboard = Keyboard::default();
        let codes = events
            .iter()
            .map(|(keysym, down)| keyboard.codes(*keysym, *down));
        codes.collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_viewers_keys_are_held_until_they_are_released() {
        let up = 0xff52;
        let codes = typed(&[(A, true), (A, true), (up, true), (A, false), (up, false)]);
        assert_eq!(codes, [0x1e, 0x1e, 0xe0, 0x48, 0x9e, 0xe0, 0xc8]);
    }

    #[test]
    fn a_viewer_types_characters_whatever_its_keyboard_needs_for_them() {
        let [capital, slash] = ['A', '/'].map(u32::from);
        assert_eq!(
            typed(&[(capital, true), (capital, false)]),
            [0x2a, 0x1e, 0xaa, 0x9e]
        );
        // With Shift on a German keyboard, without on ours.
        let codes = typed(&[(SHIFT_LEFT, true), (slash, true), (slash, false)]);
        assert_eq!(codes, [0x2a, 0xaa, 0x35, 0x2a, 0xb5]);
        // A viewer may let go of Shift first: the key is the same.
        let codes = typed(&[
            (SHIFT_LEFT, true),
            (capital, true),
            (SHIFT_LEFT, false),
            (A, false),
        ]);
        assert_eq!(codes, [0x2a, 0x1e, 0xaa, 0x9e]);
    }

    #[test]
    fn the_keypad_and_the_right_hand_keys_do_what_the_others_do() {
        for (keysym, code) in [
            (0xffb7, 0x08),
            (0xff8d, 0x1c),
            (0xffe4, 0x1d),
            (0xffad, 0x0c),
        ] {
            assert_eq!(typed(&[(keysym, true)]), [code], "{keysym:#x}");
        }
        for (keysym, code) in [
            (0xff95, 0x47),
            (0xff97, 0x48),
            (0xff9c, 0x4f),
            (0xff9f, 0x53),
        ] {
            assert_eq!(typed(&[(keysym, true)]), [0xe0, code], "{keysym:#x}");
        }
    }

    #[test]
    fn a_key_that_is_not_known_or_not_held_types_nothing() {
        let (caps_lock, alt_gr) = (0xffe5, 0xfe03);
        for keysym in [caps_lock, alt_gr, 0xfc, 0, u32::MAX] {
            let codes = typed(&[(keysym, true), (keysym, false)]);
            assert!(codes.is_empty(), "{keysym:#x}: {codes:02x?}");
        }
        let codes = typed(&[(A, false)]);
        assert!(codes.is_empty(), "{codes:02x?}");
    }

    #[test]
    fn a_viewer_that_goes_lets_go_of_its_keys() {
        let mut keyboard = Keyboard::default();
        for keysym in [SHIFT_LEFT, A] {
            keyboard.codes(keysym, true);
        }
        assert_eq!(keyboard.release_all().collect::<Vec<_>>(), [[0xaa], [0x9e]]);
        assert_eq!(keyboard.release_all().count(), 0);
    }
}
