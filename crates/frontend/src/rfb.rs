// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The messages of RFB, the protocol of VNC viewers (RFC 6143). Pixels are sent raw: every viewer knows
//! that encoding.

use std::io::{self, ErrorKind, Read, Write};

use stdvga::{Rect, Size};

use super::picture::Picture;

/// A viewer shows it in its title.
const NAME: &str = "stdvga";
/// RFB's word for no password.
const SECURITY_NONE: u8 = 1;
const ENCODING_RAW: i32 = 0;
/// A rectangle in this encoding has no pixels: it's the picture's new size.
const ENCODING_DESKTOP_SIZE: i32 = -223;

/// What a viewer says.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// It wants pixels like this.
    Format(PixelFormat),
    /// It has told the encodings that it knows.
    Encodings { desktop_size: bool },
    /// It's ready for an update: with all of `rect`, or only with what changed.
    Request { incremental: bool, rect: Rect },
    /// A key, by its X11 keysym.
    Key { down: bool, keysym: u32 },
    /// Something about mouse or clipboard, which the machine doesn't have.
    Other,
}

impl Message {
    /// Reads a viewer's next message.
    pub fn read(stream: &mut impl Read) -> io::Result<Self> {
        let [kind] = bytes(stream)?;
        Ok(match kind {
            0 => {
                let [_, _, _, format @ ..]: [u8; 19] = bytes(stream)?;
                Self::Format(PixelFormat::parse(format)?)
            }
            2 => {
                let [_, count @ ..]: [u8; 3] = bytes(stream)?;
                let mut desktop_size = false;
                for _ in 0..u16::from_be_bytes(count) {
                    desktop_size |= i32::from_be_bytes(bytes(stream)?) == ENCODING_DESKTOP_SIZE;
                }
                Self::Encodings { desktop_size }
            }
            3 => {
                let [incremental] = bytes(stream)?;
                let mut number = || bytes(stream).map(|bytes| u16::from_be_bytes(bytes).into());
                let (x, y, width, height) = (number()?, number()?, number()?, number()?);
                Self::Request {
                    incremental: incremental != 0,
                    rect: Rect {
                        x,
                        y,
                        size: Size { width, height },
                    },
                }
            }
            4 => {
                let [down, _, _, keysym @ ..]: [u8; 7] = bytes(stream)?;
                Self::Key {
                    down: down != 0,
                    keysym: u32::from_be_bytes(keysym),
                }
            }
            5 => {
                let _pointer: [u8; 5] = bytes(stream)?;
                Self::Other
            }
            6 => {
                let [_, _, _, len @ ..]: [u8; 7] = bytes(stream)?;
                let len = u32::from_be_bytes(len).into();
                io::copy(&mut stream.take(len), &mut io::sink())?;
                Self::Other
            }
            _ => return Err(invalid(format!("RFB has no message {kind} to a server"))),
        })
    }
}

/// Agrees with a viewer on a version of RFB, on no password, and on `size`.
pub fn greet(stream: &mut (impl Read + Write), size: Size) -> io::Result<()> {
    stream.write_all(b"RFB 003.008\n")?;
    let version: [u8; 12] = bytes(stream)?;
    if matches!(&version, b"RFB 003.007\n" | b"RFB 003.008\n") {
        stream.write_all(&[1, SECURITY_NONE])?;
        let [security] = bytes(stream)?;
        if security != SECURITY_NONE {
            return Err(invalid(format!("security type {security} isn't offered")));
        }
    } else {
        // 3.3, or what counts as 3.3.
        stream.write_all(&u32::from(SECURITY_NONE).to_be_bytes())?;
    }
    if version == *b"RFB 003.008\n" {
        stream.write_all(&0_u32.to_be_bytes())?;
    }
    // Every viewer shares the screen with the others, whether it wants that or not.
    let [_shared] = bytes(stream)?;
    let mut message = Vec::new();
    put_numbers(&mut message, [size.width, size.height]);
    message.extend(PixelFormat::OURS);
    message.extend((NAME.len() as u32).to_be_bytes());
    message.extend(NAME.as_bytes());
    stream.write_all(&message)
}

/// An update that tells the picture's new size.
pub fn resize(size: Size) -> Vec<u8> {
    let rect = Rect { x: 0, y: 0, size };
    let mut message = update_header(1);
    put_rect(&mut message, &rect, ENCODING_DESKTOP_SIZE);
    message
}

/// An update with `rects` of a picture; what lies outside of it is black.
pub fn update(picture: &Picture, rects: &[Rect], format: &PixelFormat) -> Vec<u8> {
    let mut message = update_header(rects.len());
    for rect in rects {
        put_rect(&mut message, rect, ENCODING_RAW);
        for y in rect.y..rect.y + rect.size.height {
            let row = picture.row(y);
            for x in rect.x..rect.x + rect.size.width {
                let pixel = row.get(x as usize).copied().unwrap_or(0);
                format.put(pixel, &mut message);
            }
        }
    }
    message
}

fn update_header(rects: usize) -> Vec<u8> {
    let mut message = vec![0, 0];
    put_numbers(&mut message, [rects as u32]);
    message
}

fn put_rect(message: &mut Vec<u8>, rect: &Rect, encoding: i32) {
    put_numbers(message, [rect.x, rect.y, rect.size.width, rect.size.height]);
    message.extend(encoding.to_be_bytes());
}

/// Puts numbers of 16 bits, as RFB has them for sizes and places.
fn put_numbers<const N: usize>(message: &mut Vec<u8>, numbers: [u32; N]) {
    for number in numbers {
        message.extend((number as u16).to_be_bytes());
    }
}

/// How a viewer wants its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelFormat {
    bytes: usize,
    big_endian: bool,
    /// Red, green and blue: the highest value, and the bit that it starts at.
    channels: [(u16, u8); 3],
}

impl PixelFormat {
    /// Pixels as they are here, 0x00RRGGBB, in little-endian order.
    const OURS: [u8; 16] = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];

    fn parse(format: [u8; 16]) -> io::Result<Self> {
        let [
            bits,
            _depth,
            big_endian,
            true_colour,
            maxima_and_shifts @ ..,
        ] = format;
        let [r, r2, g, g2, b, b2, r_shift, g_shift, b_shift, _, _, _] = maxima_and_shifts;
        let channels = [([r, r2], r_shift), ([g, g2], g_shift), ([b, b2], b_shift)]
            .map(|(max, shift)| (u16::from_be_bytes(max), shift));
        let fits = |(max, shift): (u16, u8)| shift < bits && u64::from(max) << shift >> bits == 0;
        let known = matches!(bits, 8 | 16 | 32) && true_colour != 0;
        if !known || !channels.into_iter().all(fits) {
            return Err(invalid(format!("pixels can't be sent as {format:?}")));
        }
        Ok(Self {
            bytes: usize::from(bits / 8),
            big_endian: big_endian != 0,
            channels,
        })
    }

    /// Puts a pixel that is 0x00RRGGBB.
    fn put(&self, pixel: u32, message: &mut Vec<u8>) {
        let [_, rgb @ ..] = pixel.to_be_bytes();
        let mut value = 0;
        for (colour, (max, shift)) in rgb.into_iter().zip(self.channels) {
            value |= ((u32::from(colour) * u32::from(max) + 127) / 255) << shift;
        }
        if self.big_endian {
            message.extend_from_slice(&value.to_be_bytes()[4 - self.bytes..]);
        } else {
            message.extend_from_slice(&value.to_le_bytes()[..self.bytes]);
        }
    }
}

impl Default for PixelFormat {
    fn default() -> Self {
        Self {
            bytes: 4,
            big_endian: false,
            channels: [(255, 16), (255, 8), (255, 0)],
        }
    }
}

fn bytes<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn invalid(message: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use rand::prelude::*;

    use super::*;

    fn format(bits: u8, big_endian: u8, maxima: [u8; 3], shifts: [u8; 3]) -> [u8; 16] {
        let ([r, g, b], [r_shift, g_shift, b_shift]) = (maxima, shifts);
        [
            bits, bits, big_endian, 1, 0, r, 0, g, 0, b, r_shift, g_shift, b_shift, 0, 0, 0,
        ]
    }

    #[test]
    fn pixels_are_sent_as_a_viewer_wants_them() {
        for (format, expected) in [
            (
                format(32, 0, [255; 3], [16, 8, 0]),
                &[0x56, 0x80, 0xff, 0][..],
            ),
            (format(32, 1, [255; 3], [0, 8, 16]), &[0, 0x56, 0x80, 0xff]),
            (format(16, 0, [31, 63, 31], [11, 5, 0]), &[0x0a, 0xfc]),
            (format(16, 1, [31, 63, 31], [11, 5, 0]), &[0xfc, 0x0a]),
            (format(8, 0, [7, 7, 3], [0, 3, 6]), &[0x67]),
            (format(8, 0, [255; 3], [0, 0, 0]), &[0xff]), // one over the other
        ] {
            let mut message = Vec::new();
            PixelFormat::parse(format)
                .unwrap()
                .put(0xff_8056, &mut message);
            assert_eq!(message, expected, "{format:?}");
        }
    }

    #[test]
    fn a_format_that_has_no_room_for_its_colours_or_a_palette_is_refused() {
        let mut palette = format(8, 0, [7, 7, 3], [0, 3, 6]);
        palette[3] = 0;
        for format in [
            palette,
            format(24, 0, [255; 3], [16, 8, 0]),
            format(0, 0, [0; 3], [0; 3]),
            format(32, 0, [255; 3], [25, 8, 0]),
            format(32, 0, [255; 3], [255, 8, 0]),
            format(8, 0, [255, 255, 255], [0, 0, 1]),
        ] {
            assert!(PixelFormat::parse(format).is_err(), "{format:?}");
        }
    }

    #[test]
    fn a_viewer_starts_with_the_format_that_it_is_told() {
        let told = PixelFormat::parse(PixelFormat::OURS).unwrap();
        assert_eq!(told, PixelFormat::default());
    }

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
}
