//! Text to scan codes: what `--type` takes, for a US keyboard.

use anyhow::{Context, Result, bail};

const SHIFT: u8 = 0x2a;
const RELEASE: u8 = 0x80;
const EXTENDED: u8 = 0xe0;

/// The rows of the main block, with the scan code of their first key: unshifted, then shifted.
const ROWS: [(u8, &str, &str); 4] = [
    (0x02, "1234567890-=", "!@#$%^&*()_+"),
    (0x10, "qwertyuiop[]", "QWERTYUIOP{}"),
    (0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
    (0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
];

/// Keys by name, for `<name>`, and whether their code is an extended one.
const NAMED: [(&str, bool, u8); 32] = [
    ("esc", false, 0x01),
    ("backspace", false, 0x0e),
    ("tab", false, 0x0f),
    ("enter", false, 0x1c),
    ("space", false, 0x39),
    ("up", true, 0x48),
    ("down", true, 0x50),
    ("left", true, 0x4b),
    ("right", true, 0x4d),
    ("home", true, 0x47),
    ("end", true, 0x4f),
    ("pgup", true, 0x49),
    ("pgdn", true, 0x51),
    ("ins", true, 0x52),
    ("del", true, 0x53),
    ("ctrl", false, 0x1d),
    ("alt", false, 0x38),
    ("shift", false, SHIFT),
    ("capslock", false, 0x3a),
    ("menu", true, 0x5d),
    ("f1", false, 0x3b),
    ("f2", false, 0x3c),
    ("f3", false, 0x3d),
    ("f4", false, 0x3e),
    ("f5", false, 0x3f),
    ("f6", false, 0x40),
    ("f7", false, 0x41),
    ("f8", false, 0x42),
    ("f9", false, 0x43),
    ("f10", false, 0x44),
    ("f11", false, 0x57),
    ("f12", false, 0x58),
];

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
        Some(&(_, true, code)) => Ok(vec![EXTENDED, code, EXTENDED, code | RELEASE]),
        Some(&(_, false, code)) => Ok(vec![code, code | RELEASE]),
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
    for (first, plain, shifted) in ROWS {
        if let Some(index) = plain.find(character) {
            let code = first + index as u8;
            return Ok(vec![code, code | RELEASE]);
        }
        if let Some(index) = shifted.find(character) {
            let code = first + index as u8;
            return Ok(vec![SHIFT, code, code | RELEASE, SHIFT | RELEASE]);
        }
    }
    bail!(
        "--type: a US keyboard has no key for {character:?}: use ASCII, or <name> for special keys"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
