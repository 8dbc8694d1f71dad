// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! How a viewer wants its pixels (RFC 6143, 7.4).

use std::io::{self, ErrorKind};

/// How a viewer wants its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelFormat {
    /// Of a pixel.
    pub(crate) bytes: usize,
    big_endian: bool,
    /// Red, green and blue: the highest value, and the bit that it starts at.
    channels: [Channel; 3],
    /// The bytes of a pixel, in little-endian order, that ZRLE leaves out since they have no colour.
    pub(crate) left_out: Option<LeftOut>,
    /// A pixel is an index into a palette, which the viewer must be told.
    pub(crate) has_palette: bool,
}

type Channel = (u16, u8);

/// The byte of a pixel that has no colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeftOut {
    First,
    Last,
}

impl PixelFormat {
    /// Pixels as they are here, 0x00RRGGBB, in little-endian order.
    pub(crate) const OURS: [u8; 16] = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
    /// With a palette, pixels have three bits of red and green and two of blue. The palette says that.
    const PALETTE: [Channel; 3] = [(7, 0), (7, 3), (3, 6)];
    /// Colours of the palette.
    pub(crate) const COLOURS: u16 = 256;

    /// Takes the format from a viewer's message.
    pub fn parse(format: [u8; 16]) -> io::Result<Self> {
        let [bits, depth, big_endian, true_colour, maxima_and_shifts @ ..] = format;
        let big_endian = big_endian != 0;
        if bits == 8 && true_colour == 0 {
            return Ok(Self {
                bytes: 1,
                big_endian,
                channels: Self::PALETTE,
                left_out: None,
                has_palette: true,
            });
        }
        let [r, r2, g, g2, b, b2, r_shift, g_shift, b_shift, _, _, _] = maxima_and_shifts;
        let channels = [([r, r2], r_shift), ([g, g2], g_shift), ([b, b2], b_shift)]
            .map(|(max, shift)| (u16::from_be_bytes(max), shift));
        let fits = |(max, shift): Channel| shift < bits && u64::from(max) << shift >> bits == 0;
        let known = matches!(bits, 8 | 16 | 32) && true_colour != 0;
        if !known || !channels.into_iter().all(fits) {
            return Err(invalid(format!("pixels can't be sent as {format:?}")));
        }
        Ok(Self {
            bytes: usize::from(bits / 8),
            big_endian,
            channels,
            left_out: left_out(bits, depth, big_endian, channels),
            has_palette: false,
        })
    }

    /// The value of a pixel that is 0x00RRGGBB.
    fn value(&self, pixel: u32) -> u32 {
        let [_, rgb @ ..] = pixel.to_be_bytes();
        let mut value = 0;
        for (colour, (max, shift)) in rgb.into_iter().zip(self.channels) {
            value |= ((u32::from(colour) * u32::from(max) + 127) / 255) << shift;
        }
        value
    }

    /// Puts a pixel that is 0x00RRGGBB.
    pub fn put(&self, pixel: u32, message: &mut Vec<u8>) {
        let value = self.value(pixel);
        if self.big_endian {
            message.extend_from_slice(&value.to_be_bytes()[4 - self.bytes..]);
        } else {
            message.extend_from_slice(&value.to_le_bytes()[..self.bytes]);
        }
    }

    /// Puts a pixel as ZRLE has it: without a byte that has no colour.
    pub fn put_compact(&self, pixel: u32, message: &mut Vec<u8>) {
        let start = message.len();
        self.put(pixel, message);
        match self.left_out {
            None => {}
            Some(LeftOut::First) => drop(message.remove(start)),
            Some(LeftOut::Last) => drop(message.pop()),
        }
    }

    /// Bytes of a pixel in ZRLE.
    pub(crate) fn compact_bytes(&self) -> usize {
        self.bytes - usize::from(self.left_out.is_some())
    }

    /// The palette's colours in turn: red, green and blue, of 16 bits.
    pub(crate) fn palette() -> impl Iterator<Item = [u16; 3]> {
        let colour = |value: u16, (max, shift)| {
            let colour = u32::from(value >> shift & max) * 0xffff / u32::from(max);
            colour as u16
        };
        (0..Self::COLOURS).map(move |value| Self::PALETTE.map(|channel| colour(value, channel)))
    }
}

/// Which byte of a pixel ZRLE leaves out.
fn left_out(bits: u8, depth: u8, big_endian: bool, channels: [Channel; 3]) -> Option<LeftOut> {
    if bits != 32 || depth > 24 {
        return None;
    }
    let used = channels
        .into_iter()
        .fold(0, |used, (max, shift)| used | u32::from(max) << shift);
    match (used.leading_zeros() >= 8, used.trailing_zeros() >= 8) {
        (true, _) if big_endian => Some(LeftOut::First),
        (true, _) => Some(LeftOut::Last),
        (false, true) if big_endian => Some(LeftOut::Last),
        (false, true) => Some(LeftOut::First),
        (false, false) => None,
    }
}

impl Default for PixelFormat {
    fn default() -> Self {
        Self {
            bytes: 4,
            big_endian: false,
            channels: [(255, 16), (255, 8), (255, 0)],
            left_out: Some(LeftOut::Last),
            has_palette: false,
        }
    }
}

/// What a viewer says that can't be served.
pub fn invalid(message: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(bits: u8, big_endian: u8, maxima: [u8; 3], shifts: [u8; 3]) -> [u8; 16] {
        let ([r, g, b], [r_shift, g_shift, b_shift]) = (maxima, shifts);
        let depth = bits.min(24);
        [
            bits, depth, big_endian, 1, 0, r, 0, g, 0, b, r_shift, g_shift, b_shift, 0, 0, 0,
        ]
    }

    #[test]
    fn pixels_are_sent_as_a_viewer_wants_them() {
        for (format, expected, compact) in [
            (
                format(32, 0, [255; 3], [16, 8, 0]),
                &[0x56, 0x80, 0xff, 0][..],
                &[0x56, 0x80, 0xff][..],
            ),
            (
                format(32, 1, [255; 3], [0, 8, 16]),
                &[0, 0x56, 0x80, 0xff],
                &[0x56, 0x80, 0xff],
            ),
            (
                format(32, 0, [255; 3], [24, 16, 8]),
                &[0, 0x56, 0x80, 0xff],
                &[0x56, 0x80, 0xff],
            ),
            (
                format(32, 1, [255; 3], [24, 16, 8]),
                &[0xff, 0x80, 0x56, 0],
                &[0xff, 0x80, 0x56],
            ),
            (
                format(32, 0, [255; 3], [24, 8, 0]),
                &[0x56, 0x80, 0, 0xff],
                &[0x56, 0x80, 0, 0xff],
            ),
            (
                format(16, 0, [31, 63, 31], [11, 5, 0]),
                &[0x0a, 0xfc],
                &[0x0a, 0xfc],
            ),
            (
                format(16, 1, [31, 63, 31], [11, 5, 0]),
                &[0xfc, 0x0a],
                &[0xfc, 0x0a],
            ),
            (format(8, 0, [7, 7, 3], [0, 3, 6]), &[0x67], &[0x67]),
            (format(8, 0, [255; 3], [0, 0, 0]), &[0xff], &[0xff]), // one over the other
        ] {
            let parsed = PixelFormat::parse(format).unwrap();
            let (mut message, mut short) = (Vec::new(), Vec::new());
            parsed.put(0xff_8056, &mut message);
            parsed.put_compact(0xff_8056, &mut short);
            assert_eq!(message, expected, "{format:?}");
            assert_eq!(short, compact, "{format:?}, by ZRLE");
            assert_eq!(parsed.compact_bytes(), compact.len(), "{format:?}");
        }
    }

    #[test]
    fn a_pixel_that_may_have_more_than_24_bits_keeps_all_its_bytes() {
        let mut format = format(32, 0, [255; 3], [16, 8, 0]);
        format[1] = 32;
        assert_eq!(PixelFormat::parse(format).unwrap().compact_bytes(), 4);
    }

    #[test]
    fn a_format_that_has_no_room_for_its_colours_is_refused() {
        let mut palette = format(16, 0, [7, 7, 3], [0, 3, 6]);
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
    fn a_palette_has_the_colours_that_the_pixels_stand_for() {
        let mut format = format(8, 0, [0; 3], [255; 3]); // a palette has no use for them
        format[3] = 0;
        let format = PixelFormat::parse(format).unwrap();
        let palette: Vec<_> = PixelFormat::palette().collect();
        assert_eq!(palette.len(), 256);
        for (pixel, expected) in [
            (0, [0; 3]),
            (0xff_ffff, [0xffff; 3]),
            (0xff_0000, [0xffff, 0, 0]),
            (0x00_ff00, [0, 0xffff, 0]),
            (0x00_00ff, [0, 0, 0xffff]),
            (0x92_00aa, [0x9248, 0, 0xaaaa]),
        ] {
            let mut index = Vec::new();
            format.put(pixel, &mut index);
            assert_eq!(palette[usize::from(index[0])], expected, "{pixel:06x}");
        }
    }

    #[test]
    fn a_viewer_starts_with_the_format_that_it_is_told() {
        let told = PixelFormat::parse(PixelFormat::OURS).unwrap();
        assert_eq!(told, PixelFormat::default());
    }
}
