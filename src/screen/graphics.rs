//! Graphics: rows of VRAM as planes, palette indices or direct colours.

use vm_memory::bitmap::Bitmap;

use super::Surface;
use crate::config::ByteOrder;
use crate::regs::crtc;
use crate::scanout::{Format, GraphicsMode, VGA_BYTES};
use crate::vram::Vram;

/// Pixels that four bytes, one a plane, hold.
const GROUP_PIXELS: usize = 8;
/// Bytes of such a group.
const GROUP_BYTES: usize = 4;

/// A byte's bits spread over eight bytes, the highest bit in the first.
const SPREAD: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[byte][bit] = (byte >> (7 - bit) & 1) as u8;
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// A row as it lies in VRAM: its address, and by how many pixels it's shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    address: u32,
    panning: u32,
}

/// The row that each line of the picture shows, from the top down.
fn rows(mode: &GraphicsMode) -> impl Iterator<Item = Row> + use<> {
    let mode = *mode;
    // The row counter's bits that must be set for the address to move on: those that are folded in.
    let folded = u32::from(!mode.crtc_mode & crtc::NO_ROW_ADDRESSING);
    let mut base = mode.layout.start;
    let mut counter = 0_u32;
    let mut repeats = 0;
    let mut panning = mode.panning;
    (0..mode.size.height).map(move |line| {
        let row = Row {
            address: fold(base, counter, mode.crtc_mode),
            panning,
        };
        repeats += 1;
        if repeats == mode.row_repeat {
            repeats = 0;
            if counter & folded == folded {
                base = base.wrapping_add(mode.layout.pitch);
            }
            counter += 1;
        }
        if line == mode.layout.line_compare {
            base = 0;
            if mode.panning_reset {
                panning = 0;
            }
        }
        row
    })
}

/// Replaces address bits by bits of the row counter, as CGA and Hercules lay out their rows.
fn fold(address: u32, counter: u32, crtc_mode: u8) -> u32 {
    let mut address = address;
    if crtc_mode & crtc::ROW_BIT_0_OFF == 0 {
        let bit = if crtc_mode & crtc::BYTE_MODE != 0 {
            15
        } else {
            14
        };
        address = (address & !(1 << bit)) | (counter & 1) << bit;
    }
    if crtc_mode & crtc::ROW_BIT_1_OFF == 0 {
        address = (address & !(1 << 15)) | (counter >> 1 & 1) << 15;
    }
    address
}

/// Draws the whole picture.
pub(super) fn draw<B: Bitmap>(
    mode: &GraphicsMode,
    palette: &[u32; 256],
    vram: &Vram<B>,
    surface: &mut Surface<'_>,
) {
    let mut source = Source {
        vram,
        bytes: Vec::new(),
        pixels: Vec::new(),
    };
    let mut above: Option<(Row, &[u32])> = None;
    for (row, line) in rows(mode).zip(surface.rows(mode.size)) {
        match above {
            Some((drawn, pixels)) if drawn == row => line.copy_from_slice(pixels),
            _ => source.draw_row(mode, row, palette, line),
        }
        above = Some((row, line));
    }
}

/// Where rows come from, and room for one.
struct Source<'a, B: Bitmap> {
    vram: &'a Vram<B>,
    bytes: Vec<u8>,
    /// Palette indices of planar formats.
    pixels: Vec<u8>,
}

impl<B: Bitmap> Source<'_, B> {
    fn draw_row(&mut self, mode: &GraphicsMode, row: Row, palette: &[u32; 256], line: &mut [u32]) {
        let color = |index: &u8| palette[usize::from(*index)];
        match mode.format {
            Format::Planar { doubled } => {
                self.draw_groups(row, mode.planes, doubled, planar_pixels, palette, line);
            }
            Format::Cga { doubled } => {
                self.draw_groups(row, mode.planes, doubled, cga_pixels, palette, line);
            }
            Format::Indexed8Doubled => {
                let bytes = self.fetch_doubled(row, line.len() / 2);
                for (pair, index) in line.chunks_exact_mut(2).zip(bytes) {
                    pair.fill(color(index));
                }
            }
            Format::Indexed8 => {
                convert::<1>(self.fetch(row.address, line.len()), line, |[index]| {
                    color(&index)
                })
            }
            Format::Rgb555(ByteOrder::Little) => {
                convert(self.fetch(row.address, line.len() * 2), line, |bytes| {
                    rgb555(u16::from_le_bytes(bytes), replicate5)
                });
            }
            Format::Rgb555(ByteOrder::Big) => {
                convert(self.fetch(row.address, line.len() * 2), line, |bytes| {
                    rgb555(u16::from_be_bytes(bytes), |value| value << 3)
                });
            }
            Format::Rgb565(ByteOrder::Little) => {
                convert(self.fetch(row.address, line.len() * 2), line, |bytes| {
                    rgb565(u16::from_le_bytes(bytes), replicate5, |green| {
                        green << 2 | green >> 4
                    })
                });
            }
            Format::Rgb565(ByteOrder::Big) => {
                convert(self.fetch(row.address, line.len() * 2), line, |bytes| {
                    rgb565(
                        u16::from_be_bytes(bytes),
                        |value| value << 3,
                        |green| green << 2,
                    )
                });
            }
            Format::Rgb888(ByteOrder::Little) => {
                convert(
                    self.fetch(row.address, line.len() * 3),
                    line,
                    |[blue, green, red]| u32::from_be_bytes([0, red, green, blue]),
                );
            }
            Format::Rgb888(ByteOrder::Big) => {
                convert(
                    self.fetch(row.address, line.len() * 3),
                    line,
                    |[red, green, blue]| u32::from_be_bytes([0, red, green, blue]),
                );
            }
            Format::Xrgb8888(ByteOrder::Little) => {
                convert(self.fetch(row.address, line.len() * 4), line, |bytes| {
                    u32::from_le_bytes(bytes) & 0x00ff_ffff
                });
            }
            Format::Xrgb8888(ByteOrder::Big) => {
                convert(self.fetch(row.address, line.len() * 4), line, |bytes| {
                    u32::from_be_bytes(bytes) & 0x00ff_ffff
                });
            }
        }
    }

    /// Draws a row of groups of eight pixels in four planes.
    fn draw_groups(
        &mut self,
        row: Row,
        planes: u8,
        doubled: bool,
        pixels: fn([u8; GROUP_BYTES]) -> [u8; GROUP_PIXELS],
        palette: &[u32; 256],
        line: &mut [u32],
    ) {
        let width = if doubled { line.len() / 2 } else { line.len() };
        // A shifted row needs a part of the next group.
        let groups = width / GROUP_PIXELS + usize::from(row.panning != 0);
        let enabled: [u8; GROUP_BYTES] =
            std::array::from_fn(|plane| if planes >> plane & 1 != 0 { 0xff } else { 0 });
        fetch(
            self.vram,
            row.address & !3,
            VGA_BYTES,
            groups * GROUP_BYTES,
            &mut self.bytes,
        );
        self.pixels.clear();
        for group in self.bytes.chunks_exact(GROUP_BYTES) {
            let group = std::array::from_fn(|plane| group[plane] & enabled[plane]);
            self.pixels.extend(pixels(group));
        }

        let colors = self
            .pixels
            .iter()
            .skip(row.panning as usize)
            .map(|index| palette[usize::from(*index)]);
        if doubled {
            for (pair, color) in line.chunks_exact_mut(2).zip(colors) {
                pair.fill(color);
            }
        } else {
            for (pixel, color) in line.iter_mut().zip(colors) {
                *pixel = color;
            }
        }
    }

    /// Fetches the `len` palette indices of a 256-colour row whose pixels show twice.
    ///
    /// QEMU shifts such a row by four pixels for two steps of panning, but by one where the row
    /// crosses the end of VGA's address space.
    fn fetch_doubled(&mut self, row: Row, len: usize) -> &[u8] {
        let steps = row.panning >> 1;
        let crosses = row.address.saturating_add(len as u32) >= VGA_BYTES;
        let skipped = if crosses { steps } else { 4 * steps };
        fetch(
            self.vram,
            row.address.wrapping_add(skipped),
            VGA_BYTES,
            len,
            &mut self.bytes,
        );
        &self.bytes
    }

    /// Fetches `len` bytes of a linear mode, wrapping at the end of VRAM.
    fn fetch(&mut self, address: u32, len: usize) -> &[u8] {
        fetch(
            self.vram,
            address,
            self.vram.mask() + 1,
            len,
            &mut self.bytes,
        );
        &self.bytes
    }
}

/// Reads `len` bytes from `address` on, which wraps at `wrap`, a power of two within VRAM.
fn fetch<B: Bitmap>(vram: &Vram<B>, address: u32, wrap: u32, len: usize, bytes: &mut Vec<u8>) {
    bytes.resize(len, 0);
    let mut at = 0;
    while at < len {
        let start = address.wrapping_add(at as u32) & (wrap - 1);
        let piece = (len - at).min((wrap - start) as usize);
        vram.read(u64::from(start), &mut bytes[at..at + piece]);
        at += piece;
    }
}

fn convert<const N: usize>(bytes: &[u8], line: &mut [u32], pixel: impl Fn([u8; N]) -> u32) {
    for (place, bytes) in line.iter_mut().zip(bytes.chunks_exact(N)) {
        *place = pixel(std::array::from_fn(|index| bytes[index]));
    }
}

/// 16 colours: a bit of each plane, the highest bit first.
fn planar_pixels(group: [u8; GROUP_BYTES]) -> [u8; GROUP_PIXELS] {
    let [a, b, c, d] = group.map(|byte| SPREAD[usize::from(byte)]);
    std::array::from_fn(|pixel| a[pixel] | b[pixel] << 1 | c[pixel] << 2 | d[pixel] << 3)
}

/// CGA: two bits of planes 0 and 2 for the first four pixels, of planes 1 and 3 for the others.
fn cga_pixels([a, b, c, d]: [u8; GROUP_BYTES]) -> [u8; GROUP_PIXELS] {
    std::array::from_fn(|pixel| {
        let (low, high) = if pixel < 4 { (a, c) } else { (b, d) };
        let shift = 6 - 2 * (pixel & 3);
        (low >> shift & 3) | (high >> shift & 3) << 2
    })
}

/// Five bits as eight, with the high bits repeated below.
fn replicate5(value: u8) -> u8 {
    value << 3 | value >> 2
}

fn rgb555(value: u16, widen: impl Fn(u8) -> u8) -> u32 {
    let field = |shift: u32| widen((value >> shift & 0x1f) as u8);
    u32::from_be_bytes([0, field(10), field(5), field(0)])
}

fn rgb565(value: u16, widen5: impl Fn(u8) -> u8, widen6: impl Fn(u8) -> u8) -> u32 {
    let red = widen5((value >> 11) as u8);
    let green = widen6((value >> 5 & 0x3f) as u8);
    let blue = widen5((value & 0x1f) as u8);
    u32::from_be_bytes([0, red, green, blue])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanout::{Layout, Size};

    const NORMAL: u8 = crtc::NO_ROW_ADDRESSING;

    fn mode(height: u32, row_repeat: u32, crtc_mode: u8) -> GraphicsMode {
        GraphicsMode {
            size: Size { width: 8, height },
            format: Format::Planar { doubled: false },
            planes: 15,
            row_repeat,
            panning: 0,
            panning_reset: false,
            crtc_mode,
            layout: Layout {
                start: 1000,
                pitch: 80,
                line_compare: 1023,
            },
        }
    }

    fn addresses(mode: &GraphicsMode) -> Vec<u32> {
        rows(mode).map(|row| row.address).collect()
    }

    #[test]
    fn rows_repeat_before_the_next() {
        assert_eq!(
            addresses(&mode(5, 1, NORMAL)),
            [1000, 1080, 1160, 1240, 1320]
        );
        assert_eq!(
            addresses(&mode(5, 2, NORMAL)),
            [1000, 1000, 1080, 1080, 1160]
        );
    }

    #[test]
    fn the_line_after_the_line_compare_restarts_at_0_without_restarting_the_repeats() {
        let mut mode = mode(6, 2, NORMAL);
        mode.layout.line_compare = 2;
        assert_eq!(addresses(&mode), [1000, 1000, 1080, 0, 80, 80]);
    }

    #[test]
    fn panning_ends_at_the_line_compare_if_it_is_reset_there() {
        let mut mode = mode(3, 1, NORMAL);
        mode.panning = 5;
        mode.layout.line_compare = 1;
        let panning = |mode: &GraphicsMode| rows(mode).map(|row| row.panning).collect::<Vec<_>>();
        assert_eq!(panning(&mode), [5, 5, 5]);
        mode.panning_reset = true;
        assert_eq!(panning(&mode), [5, 5, 0]);
    }

    #[test]
    fn cga_rows_are_interleaved() {
        let mut mode = mode(5, 1, crtc::ROW_BIT_1_OFF);
        mode.layout.start = 0;
        assert_eq!(
            addresses(&mode),
            [0, 0x4000, 80, 0x4000 + 80, 160],
            "word mode: bit 14"
        );
        mode.crtc_mode |= crtc::BYTE_MODE;
        assert_eq!(addresses(&mode)[..2], [0, 0x8000], "byte mode: bit 15");
    }

    #[test]
    fn four_row_interleave_moves_on_after_four_rows() {
        let mut mode = mode(6, 1, 0);
        mode.layout.start = 0;
        assert_eq!(
            addresses(&mode),
            [0, 0x4000, 0x8000, 0xc000, 80, 0x4000 + 80]
        );
    }

    #[test]
    fn planes_give_a_bit_each_and_cga_two() {
        assert_eq!(
            planar_pixels([0x80, 0xc0, 0xe0, 0xf1]),
            [15, 14, 12, 8, 0, 0, 0, 8]
        );
        assert_eq!(
            cga_pixels([0b00_01_10_11, 0b11_00_00_00, 0b01_00_00_00, 0b10_00_00_11]),
            [4, 1, 2, 3, 11, 0, 0, 12]
        );
    }

    #[test]
    fn fetches_wrap() {
        let vram = Vram::allocate(1 << 20).unwrap();
        vram.write(0, &[1, 2]);
        vram.write(u64::from(VGA_BYTES) - 2, &[8, 9]);
        let mut bytes = Vec::new();
        fetch(&vram, VGA_BYTES - 2, VGA_BYTES, 4, &mut bytes);
        assert_eq!(bytes, [8, 9, 1, 2]);
        fetch(&vram, 5 * VGA_BYTES - 2, VGA_BYTES, 3, &mut bytes);
        assert_eq!(bytes, [8, 9, 1]);
    }

    #[test]
    fn colours_are_widened_by_repeating_their_high_bits() {
        // 10000, 00001, 11111; and 10000, 100001, 00001.
        assert_eq!(rgb555(0xc03f, replicate5), 0x84_08_ff);
        assert_eq!(
            rgb565(0x8421, replicate5, |green| green << 2 | green >> 4),
            0x84_86_08
        );
    }
}
