// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The messages of RFB, the protocol of VNC viewers (RFC 6143).
//!
//! Everything that a viewer says is read here. Reading a message takes little memory, however long it is.

use std::io::{self, Read, Write};

use stdvga::{Rect, Size};

use super::pixel_format::{PixelFormat, invalid};

/// A viewer shows it in its title.
const NAME: &str = "stdvga";
const ENCODING_RAW: i32 = 0;
const ENCODING_ZRLE: i32 = 16;
/// A rectangle in this encoding has no pixels: it's the picture's new size.
const ENCODING_DESKTOP_SIZE: i32 = -223;
/// Bytes of a clipboard that are skipped. A viewer that has more is turned away.
const MOST_CLIPBOARD: u32 = 1 << 20;

/// How pixels are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As they are: every viewer knows that.
    #[default]
    Raw,
    /// See [`zrle`](super::zrle).
    Zrle,
}

impl Encoding {
    /// Its number in messages.
    fn number(self) -> i32 {
        match self {
            Self::Raw => ENCODING_RAW,
            Self::Zrle => ENCODING_ZRLE,
        }
    }
}

/// What a viewer says.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// It wants pixels like this.
    Format(PixelFormat),
    /// It has told the encodings that it knows.
    Encodings {
        /// The first one of ours, if it told any.
        pixels: Encoding,
        /// It can be told a new size.
        desktop_size: bool,
    },
    /// It's ready for an update.
    Request {
        /// Only what changed is wanted, and not all of `rect`.
        incremental: bool,
        /// The part of the picture that is asked for.
        rect: Rect,
    },
    /// A key.
    Key {
        /// It's pressed, and not released.
        down: bool,
        /// Its X11 keysym.
        keysym: u32,
    },
    /// Something about mouse or clipboard, which the machine doesn't have.
    Other,
}

impl Message {
    /// Reads a viewer's next message.
    pub fn read(stream: &mut impl Read) -> io::Result<Self> {
        let [kind] = bytes(stream)?;
        match kind {
            0 => {
                let [_, _, _, format @ ..]: [u8; 19] = bytes(stream)?;
                PixelFormat::parse(format).map(Self::Format)
            }
            2 => read_encodings(stream),
            3 => {
                let [incremental] = bytes(stream)?;
                let mut number = || bytes(stream).map(|bytes| u16::from_be_bytes(bytes).into());
                let (x, y, width, height) = (number()?, number()?, number()?, number()?);
                let size = Size { width, height };
                Ok(Self::Request {
                    incremental: incremental != 0,
                    rect: Rect { x, y, size },
                })
            }
            4 => {
                let [down, _, _, keysym @ ..]: [u8; 7] = bytes(stream)?;
                Ok(Self::Key {
                    down: down != 0,
                    keysym: u32::from_be_bytes(keysym),
                })
            }
            5 => {
                let _pointer: [u8; 5] = bytes(stream)?;
                Ok(Self::Other)
            }
            6 => skip_clipboard(stream),
            _ => Err(invalid(format!("RFB has no message {kind} to a server"))),
        }
    }
}

fn read_encodings(stream: &mut impl Read) -> io::Result<Message> {
    let [_, count @ ..]: [u8; 3] = bytes(stream)?;
    let (mut pixels, mut desktop_size) = (None, false);
    for _ in 0..u16::from_be_bytes(count) {
        match i32::from_be_bytes(bytes(stream)?) {
            ENCODING_RAW => pixels = pixels.or(Some(Encoding::Raw)),
            ENCODING_ZRLE => pixels = pixels.or(Some(Encoding::Zrle)),
            ENCODING_DESKTOP_SIZE => desktop_size = true,
            _ => {}
        }
    }
    Ok(Message::Encodings {
        pixels: pixels.unwrap_or_default(),
        desktop_size,
    })
}

fn skip_clipboard(stream: &mut impl Read) -> io::Result<Message> {
    let [_, _, _, len @ ..]: [u8; 7] = bytes(stream)?;
    let len = u32::from_be_bytes(len);
    if len > MOST_CLIPBOARD {
        return Err(invalid(format!(
            "its clipboard has {len} bytes, and {MOST_CLIPBOARD} are the most"
        )));
    }
    io::copy(&mut stream.take(len.into()), &mut io::sink())?;
    Ok(Message::Other)
}

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 3.3, or what counts as that.
    V3_3,
    /// 3.7
    V3_7,
    /// 3.8
    V3_8,
}

/// What a viewer must show before it's let in, by its number in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Nothing.
    None = 1,
    /// That it knows the password.
    Password = 2,
}

impl Version {
    /// Agrees with a viewer on a version.
    pub fn agree(stream: &mut (impl Read + Write)) -> io::Result<Self> {
        stream.write_all(b"RFB 003.008\n")?;
        let version: [u8; 12] = bytes(stream)?;
        match &version {
            b"RFB 003.007\n" => Ok(Self::V3_7),
            // Later versions begin like 3.8, and what else there is counts as 3.3.
            [b'R', b'F', b'B', b' ', number @ ..] if number[..7] >= b"003.008"[..] => {
                Ok(Self::V3_8)
            }
            [b'R', b'F', b'B', b' ', ..] => Ok(Self::V3_3),
            _ => Err(invalid("it doesn't speak RFB".into())),
        }
    }

    /// Agrees with a viewer on what it must show.
    pub fn agree_on(self, security: Security, stream: &mut (impl Read + Write)) -> io::Result<()> {
        let number = security as u8;
        if self == Self::V3_3 {
            return stream.write_all(&u32::from(number).to_be_bytes());
        }
        stream.write_all(&[1, number])?;
        let [answer] = bytes(stream)?;
        if answer != number {
            return Err(invalid(format!("security type {answer} isn't offered")));
        }
        Ok(())
    }

    /// Lets a viewer in.
    pub fn welcome(self, security: Security, stream: &mut impl Write) -> io::Result<()> {
        if self.has_result(security) {
            stream.write_all(&0_u32.to_be_bytes())?;
        }
        Ok(())
    }

    /// Turns a viewer away, with the reason if the version has a place for it.
    pub fn refuse(
        self,
        security: Security,
        reason: &str,
        stream: &mut impl Write,
    ) -> io::Result<()> {
        let mut message = Vec::new();
        if self.has_result(security) {
            message.extend(1_u32.to_be_bytes());
        }
        if self == Self::V3_8 {
            put_text(&mut message, reason);
        }
        stream.write_all(&message)
    }

    /// Whether the viewer is told if it's let in.
    fn has_result(self, security: Security) -> bool {
        self == Self::V3_8 || security == Security::Password
    }
}

/// Tells a viewer that was let in the size of the screen.
pub fn start(size: Size, stream: &mut (impl Read + Write)) -> io::Result<()> {
    // Every viewer shares the screen with the others, whether it wants that or not.
    let [_shared] = bytes(stream)?;
    let mut message = Vec::new();
    put_numbers(&mut message, [size.width, size.height]);
    message.extend(PixelFormat::OURS);
    put_text(&mut message, NAME);
    stream.write_all(&message)
}

/// Puts the colours that pixels are indices of.
pub fn put_palette(message: &mut Vec<u8>) {
    message.extend([1, 0]);
    put_numbers(message, [0, PixelFormat::COLOURS.into()]);
    PixelFormat::palette().for_each(|colour| put_numbers(message, colour.map(u32::from)));
}

/// Puts an update that tells the picture's new size.
pub fn put_resize(message: &mut Vec<u8>, size: Size) {
    put_update(message, 1);
    let rect = Rect { x: 0, y: 0, size };
    put_rect_in(message, &rect, ENCODING_DESKTOP_SIZE);
}

/// Puts the start of an update with so many rectangles.
pub fn put_update(message: &mut Vec<u8>, rects: u16) {
    message.extend([0, 0]);
    message.extend(rects.to_be_bytes());
}

/// Puts the start of a rectangle, whose pixels follow.
pub fn put_rect(message: &mut Vec<u8>, rect: &Rect, encoding: Encoding) {
    put_rect_in(message, rect, encoding.number());
}

fn put_rect_in(message: &mut Vec<u8>, rect: &Rect, encoding: i32) {
    put_numbers(message, [rect.x, rect.y, rect.size.width, rect.size.height]);
    message.extend(encoding.to_be_bytes());
}

/// Puts numbers of 16 bits, as RFB has them for sizes and places.
fn put_numbers<const N: usize>(message: &mut Vec<u8>, numbers: [u32; N]) {
    for number in numbers {
        message.extend((number as u16).to_be_bytes());
    }
}

fn put_text(message: &mut Vec<u8>, text: &str) {
    message.extend((text.len() as u32).to_be_bytes());
    message.extend(text.as_bytes());
}

/// Reads so many bytes.
pub(crate) fn bytes<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use rand::prelude::*;

    use super::*;

    #[test]
    fn whatever_a_viewer_says_is_a_message_or_an_error() {
        for seed in 0..10_000 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let mut said: Vec<u8> = (0..64).map(|_| rng.random()).collect();
            said[0] %= 8;
            if let Ok(Message::Format(format)) = Message::read(&mut &said[..]) {
                format.put(0xff_ffff, &mut Vec::new());
            }
        }
    }

    #[test]
    fn the_first_encoding_that_is_ours_is_taken() {
        let said = |numbers: &[i32]| {
            let mut said = vec![2, 0, 0, numbers.len() as u8];
            numbers
                .iter()
                .for_each(|number| said.extend(number.to_be_bytes()));
            Message::read(&mut &said[..]).unwrap()
        };
        for (numbers, pixels, desktop_size) in [
            (&[][..], Encoding::Raw, false),
            (&[7, 5], Encoding::Raw, false),
            (&[7, 16, 0], Encoding::Zrle, false),
            (&[-223, 0, 16], Encoding::Raw, true),
            (&[16, 0, -223], Encoding::Zrle, true),
        ] {
            let expected = Message::Encodings {
                pixels,
                desktop_size,
            };
            assert_eq!(said(numbers), expected, "{numbers:?}");
        }
    }

    #[test]
    fn a_clipboard_is_skipped_unless_it_is_large() {
        let said = |len: u32| [&[6, 0, 0, 0][..], &len.to_be_bytes(), &[b'x'; 8]].concat();
        let mut short = &said(8)[..];
        assert_eq!(Message::read(&mut short).unwrap(), Message::Other);
        assert!(short.is_empty(), "{short:?} is left");
        for len in [MOST_CLIPBOARD + 1, u32::MAX] {
            let error = Message::read(&mut &said(len)[..]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{len}: {error}");
        }
    }
}
