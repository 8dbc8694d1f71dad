// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The password of VNC viewers (RFC 6143, 7.2.2).
//!
//! It keeps strangers out of a quiet network, and no more: it has 8 bytes, its cipher is DES, and what
//! comes after it isn't encrypted.

use std::fmt;
use std::io;
use std::path::Path;

use anyhow::{Result, ensure};
use des::Des;
use des::cipher::{Array, BlockCipherEncrypt, KeyInit};
use subtle::ConstantTimeEq;

use super::files;
use super::messages::say;

/// Bytes that VNC uses.
const MOST_BYTES: usize = 8;
/// A file with one line and some notes below it.
const MOST_FILE_BYTES: usize = 4096;
const OPTION: &str = "--vnc-password-file";

/// What a viewer must encrypt to show that it knows the password.
pub type Challenge = [u8; 16];

/// A password. Nothing prints it.
#[derive(Clone)]
pub struct Password([u8; MOST_BYTES]);

impl Password {
    /// Takes the first line of a file.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = files::read(OPTION, path, MOST_FILE_BYTES)?;
        let name = path.display();
        let line = bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let len = line.len();
        ensure!(len > 0, "{OPTION} {name}: the first line is empty");
        ensure!(
            len <= MOST_BYTES,
            "{OPTION} {name}: the first line has {len} bytes, and VNC uses the first {MOST_BYTES} of a password only; \
             give a shorter one"
        );
        if let Some(warning) = seen_by_others(path) {
            say(warning);
        }
        Ok(Self::new(line))
    }

    /// A password of at most 8 bytes: others are left out.
    pub fn new(text: &[u8]) -> Self {
        let mut password = [0; MOST_BYTES];
        password
            .iter_mut()
            .zip(text)
            .for_each(|(to, from)| *to = *from);
        Self(password)
    }

    /// A challenge that nobody can foresee.
    pub fn challenge() -> io::Result<Challenge> {
        let mut challenge = [0; 16];
        getrandom::fill(&mut challenge).map_err(io::Error::other)?;
        Ok(challenge)
    }

    /// Whether an answer to the challenge comes from somebody who knows the password. How long this
    /// takes doesn't depend on the answer.
    pub fn is_answered(&self, challenge: &Challenge, answer: &Challenge) -> bool {
        self.answer(challenge).ct_eq(answer).into()
    }

    /// The right answer to a challenge.
    pub fn answer(&self, challenge: &Challenge) -> Challenge {
        // VNC takes the bits of each byte in the other order than DES does.
        let cipher = Des::new(&Array(self.0.map(u8::reverse_bits)));
        let mut answer = *challenge;
        for half in answer.as_chunks_mut().0 {
            let mut block = Array::<u8, _>(*half);
            cipher.encrypt_block(&mut block);
            *half = block.0;
        }
        answer
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// What to say of a password that more than its owner can read.
#[cfg(unix)]
fn seen_by_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;

    let mode = path.metadata().ok()?.permissions().mode();
    let name = path.display();
    (mode & 0o077 != 0).then(|| {
        format!("{OPTION} {name}: others can read or change it; chmod 600 {name} prevents that")
    })
}

#[cfg(not(unix))]
fn seen_by_others(_: &Path) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_right_answer_is_the_one_that_other_implementations_give() {
        // The DES test vector of FIPS 46: key 133457799bbcdff1, with the bits of each byte turned round.
        let key = [0x13, 0x34, 0x57, 0x79, 0x9b, 0xbc, 0xdf, 0xf1].map(u8::reverse_bits);
        let block = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        let expected = [0x85, 0xe8, 0x13, 0x54, 0x0f, 0x0a, 0xb4, 0x05];
        let challenge = [block, block].concat().try_into().unwrap();
        let answer = Password::new(&key).answer(&challenge);
        assert_eq!(answer[..], [expected, expected].concat());
    }

    #[test]
    fn only_the_password_answers_the_challenge() {
        let password = Password::new(b"secret");
        let challenge = Password::challenge().unwrap();
        let answer = password.answer(&challenge);
        assert!(password.is_answered(&challenge, &answer));
        for other in ["", "secre", "secret1", "Secret"] {
            let wrong = Password::new(other.as_bytes()).answer(&challenge);
            assert!(!password.is_answered(&challenge, &wrong), "{other:?}");
        }
        assert_ne!(challenge, Password::challenge().unwrap());
    }

    #[test]
    fn the_first_line_of_a_file_is_the_password() {
        for (contents, expected) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("secret\r\nnotes below", "secret"),
            ("12345678\n", "12345678"),
            (" \n", " "),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), contents).unwrap();
            let password = Password::read(file.path()).unwrap();
            assert_eq!(
                password.0,
                Password::new(expected.as_bytes()).0,
                "{contents:?}"
            );
        }
    }

    #[test]
    fn a_file_that_has_no_password_is_refused_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, contents: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, contents).unwrap();
            path
        };
        for (path, wrong) in [
            (file("empty", b""), "is empty"),
            (file("blank", b"\nsecret"), "first line is empty"),
            (
                file("long", b"123456789\n"),
                "has 9 bytes, and VNC uses the first 8",
            ),
            (
                file("large", &[b'\n'; MOST_FILE_BYTES + 1]),
                "at most 4096 fit",
            ),
            (folder.path().to_owned(), "isn't a file"),
            (folder.path().join("missing"), "can't be read"),
            #[cfg(unix)]
            ("/dev/zero".into(), "isn't a file"),
        ] {
            let message = format!("{:#}", Password::read(&path).unwrap_err());
            let start = format!("{OPTION} {}", path.display());
            assert!(
                message.starts_with(&start) && message.contains(wrong),
                "{message}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_warned_of() {
        use std::os::unix::fs::PermissionsExt;

        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, warns) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            let warning = seen_by_others(file.path());
            assert_eq!(warning.is_some(), warns, "{mode:o}: {warning:?}");
        }
    }
}
