// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The EDID blob in BAR2: EDID 1.4, a CTA-861 extension, and DisplayID for large screens.

use crate::config::Monitor;

/// Length of the blob: three blocks.
const EDID_BYTES: usize = 3 * BLOCK;

/// Length of a block, in bytes.
const BLOCK: usize = 128;
/// Length of a descriptor, in bytes.
const DESCRIPTOR: usize = 18;
/// The first of the four descriptors in the base block.
const FIRST_DESCRIPTOR: usize = 54;
/// Where the established timings are.
const ESTABLISHED_TIMINGS: usize = 0x23;
/// Where the eight standard timings are.
const STANDARD_TIMINGS: usize = 0x26;
const MAX_STANDARD_TIMINGS: usize = 8;
/// Where the video data block's codes start in the CTA-861 extension.
const CTA_CODES: usize = 5;

/// The parts of the base block that are the same for every monitor, by offset.
const FIXED: [(usize, &[u8]); 5] = [
    (0x00, &[0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]),
    // Manufacturer "RHT", product 0x1234, no serial number, week 42 of 2014, EDID 1.4.
    (0x08, &[0x49, 0x14, 0x34, 0x12, 0, 0, 0, 0, 42, 24, 1, 4]),
    // Digital input, 8 bits a colour, DisplayPort.
    (0x14, &[0xa5]),
    // Gamma 2.2; sRGB isn't claimed, the first descriptor is the preferred timing.
    (0x17, &[0x78, 0x06]),
    // Chromaticity of the primaries and the white point.
    (
        0x19,
        &[0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54],
    ),
];

/// How the EDID lists a mode, besides the standard timings.
#[derive(Clone, Copy)]
enum Listing {
    /// A bit in the established timings: offset from their start, and bit.
    Established(usize, u8),
    /// A bit in the additional standard timings descriptor: offset in it, and bit.
    Additional(usize, u8),
    /// A video identification code of CTA-861.
    Cta(u8),
    /// A standard timing, if there's room.
    Plain,
}

use Listing::{Additional, Cta, Established, Plain};

/// The modes that can be listed, in order: width, height, listing.
const MODES: [(u32, u32, Listing); 22] = [
    (5120, 2160, Cta(125)),
    (4096, 2160, Cta(101)),
    (3840, 2160, Cta(96)),
    (2560, 1080, Cta(89)),
    (2048, 1152, Plain),
    (1920, 1080, Cta(31)),
    (3840, 2160, Cta(97)),
    (1920, 1200, Additional(10, 0)),
    (1600, 1200, Additional(9, 2)),
    (1680, 1050, Additional(9, 5)),
    (1440, 900, Additional(8, 5)),
    (1280, 1024, Additional(7, 1)),
    (1280, 960, Additional(7, 3)),
    (1280, 768, Additional(7, 6)),
    (1920, 1440, Additional(11, 5)),
    (1856, 1392, Additional(10, 3)),
    (1792, 1344, Additional(10, 5)),
    (1440, 1050, Additional(8, 1)),
    (1360, 768, Additional(8, 7)),
    (1024, 768, Established(1, 3)),
    (800, 600, Established(0, 0)),
    (640, 480, Established(0, 5)),
];

/// The preferred mode's timing. Pixels, lines, and units of 10 kHz.
///
/// QEMU computes with 32 bits and lets absurd properties wrap. So does this.
struct Timing {
    width: u32,
    height: u32,
    width_mm: u32,
    height_mm: u32,
    horizontal_front: u32,
    horizontal_sync: u32,
    horizontal_blank: u32,
    vertical_front: u32,
    vertical_sync: u32,
    vertical_blank: u32,
    clock: u64,
}

impl Timing {
    #[expect(clippy::arithmetic_side_effects, reason = "divisors are constants")]
    fn new(monitor: &Monitor) -> Self {
        let width = monitor.xres;
        let height = monitor.yres;
        let refresh_rate = monitor.refresh_rate;
        let part = |of: u32, factor: u32, divisor: u32| of.wrapping_mul(factor) / divisor;
        // 100 dots an inch.
        let millimetres = |dots: u32| part(dots, 254, 10) / 100;
        let horizontal_blank = part(width, 35, 100);
        let vertical_blank = part(height, 35, 1000);
        let pixels = u64::from(width.wrapping_add(horizontal_blank));
        let lines = u64::from(height.wrapping_add(vertical_blank));
        Self {
            width,
            height,
            width_mm: millimetres(width),
            height_mm: millimetres(height),
            horizontal_front: part(width, 25, 100),
            horizontal_sync: part(width, 3, 100),
            horizontal_blank,
            vertical_front: part(height, 5, 1000),
            vertical_sync: part(height, 5, 1000),
            vertical_blank,
            clock: u64::from(refresh_rate)
                .wrapping_mul(pixels)
                .wrapping_mul(lines)
                / 10_000_000,
        }
    }

    /// Whether it doesn't fit into a detailed timing descriptor and needs DisplayID.
    fn is_large(&self) -> bool {
        self.width >= 4096 || self.height >= 4096 || self.clock >= 65536
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "low and high bits have places of their own"
    )]
    fn detailed_descriptor(&self) -> [u8; DESCRIPTOR] {
        let high = |a: u32, b: u32| ((a >> 8 & 0xf) << 4 | (b >> 8 & 0xf)) as u8;
        let [clock_low, clock_high, ..] = self.clock.to_le_bytes();
        [
            clock_low,
            clock_high,
            self.width as u8,
            self.horizontal_blank as u8,
            high(self.width, self.horizontal_blank),
            self.height as u8,
            self.vertical_blank as u8,
            high(self.height, self.vertical_blank),
            self.horizontal_front as u8,
            self.horizontal_sync as u8,
            ((self.vertical_front & 0xf) << 4 | (self.vertical_sync & 0xf)) as u8,
            ((self.horizontal_front >> 8 & 3) << 6
                | (self.horizontal_sync >> 8 & 3) << 4
                | (self.vertical_front >> 4 & 3) << 2
                | (self.vertical_sync >> 4 & 3)) as u8,
            self.width_mm as u8,
            self.height_mm as u8,
            high(self.width_mm, self.height_mm),
            0,
            0,
            // Digital separate sync, both negative.
            0x18,
        ]
    }

    /// DisplayID 1.3 with one type I detailed timing.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the fields have 16 bits, as in QEMU"
    )]
    fn display_id(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..8].copy_from_slice(&[0x70, 0x13, 23, 3, 0, 3, 0, 20]);
        block[8..11].copy_from_slice(&self.clock.to_le_bytes()[..3]);
        block[11] = 0x88;
        let fields = [
            self.width,
            self.horizontal_blank,
            self.horizontal_front,
            self.horizontal_sync,
            self.height,
            self.vertical_blank,
            self.vertical_front,
            self.vertical_sync,
        ];
        for (place, field) in block[12..28].chunks_exact_mut(2).zip(fields) {
            place.copy_from_slice(&(field.wrapping_sub(1) as u16).to_le_bytes());
        }
        block[28] = checksum(&block[1..28]);
        block[127] = checksum(&block[..127]);
        block
    }
}

/// The modes within the limits, sorted by how they're listed.
struct ModeList {
    established: [u8; 3],
    standard: Vec<[u8; 2]>,
    additional: [u8; DESCRIPTOR],
    cta_codes: Vec<u8>,
}

impl ModeList {
    #[expect(
        clippy::indexing_slicing,
        reason = "`MODES` names bytes that are there"
    )]
    fn new(monitor: &Monitor) -> Self {
        let mut list = Self {
            established: [0; 3],
            standard: Vec::with_capacity(MAX_STANDARD_TIMINGS),
            additional: descriptor(0xf7, &[0x0a]),
            cta_codes: Vec::new(),
        };
        let exceeds = |value, limit| limit != 0 && value > limit;
        for (width, height, listing) in MODES {
            if exceeds(width, monitor.xmax) || exceeds(height, monitor.ymax) {
                continue;
            }
            if let Established(byte, bit) = listing {
                list.established[byte] |= 1 << bit;
                continue;
            }
            if list.standard.len() < MAX_STANDARD_TIMINGS {
                // A mode whose aspect ratio or width has no code is left out.
                list.standard.extend(standard_timing(width, height));
            } else if let Additional(byte, bit) = listing {
                list.additional[byte] |= 1 << bit;
            }
            if let Cta(code) = listing {
                list.cta_codes.push(code);
            }
        }
        list.standard.resize(MAX_STANDARD_TIMINGS, [1, 1]);
        list
    }
}

#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "modes of the list have 640 to 5120 pixels a row"
)]
fn standard_timing(width: u32, height: u32) -> Option<[u8; 2]> {
    let aspect = [(16, 10), (4, 3), (5, 4), (16, 9)]
        .iter()
        .position(|(x, y)| width * y == height * x)?;
    let columns = u8::try_from(width / 8 - 31).ok()?;
    Some([columns, (aspect as u8) << 6])
}

/// A display descriptor with a tag and data. The rest is zeros.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "callers give 13 bytes at most"
)]
fn descriptor(tag: u8, data: &[u8]) -> [u8; DESCRIPTOR] {
    let mut bytes = [0; DESCRIPTOR];
    bytes[3] = tag;
    bytes[5..5 + data.len()].copy_from_slice(data);
    bytes
}

/// The byte that makes the sum of `bytes` and itself 0 modulo 256.
fn checksum(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte))
        .wrapping_neg()
}

/// Builds the blob that describes `monitor`.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a block has room for all that there is to list"
)]
fn build(monitor: &Monitor) -> [u8; EDID_BYTES] {
    let timing = Timing::new(monitor);
    let modes = ModeList::new(monitor);
    let large = timing.is_large();

    let mut base = [0; BLOCK];
    for (offset, bytes) in FIXED {
        base[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    // Centimetres.
    base[0x15] = (timing.width_mm / 10) as u8;
    base[0x16] = (timing.height_mm / 10) as u8;
    base[ESTABLISHED_TIMINGS..STANDARD_TIMINGS].copy_from_slice(&modes.established);
    base[STANDARD_TIMINGS..FIRST_DESCRIPTOR].copy_from_slice(modes.standard.as_flattened());
    base[0x7e] = if large { 2 } else { 1 };

    let mut cta = [0; BLOCK];
    let codes = modes.cta_codes.len();
    let first_cta_descriptor = CTA_CODES + codes;
    cta[..CTA_CODES].copy_from_slice(&[2, 3, first_cta_descriptor as u8, 0, 0x40 | codes as u8]);
    cta[CTA_CODES..first_cta_descriptor].copy_from_slice(&modes.cta_codes);

    let detailed = (!large).then(|| timing.detailed_descriptor());
    let mut descriptors = detailed.into_iter().chain([
        modes.additional,
        // Range limits: 50-125 Hz, 30-160 kHz, 2550 MHz.
        descriptor(
            0xfd,
            &[50, 125, 30, 160, 255, 1, 10, 32, 32, 32, 32, 32, 32],
        ),
        descriptor(0xfc, b"QEMU Monitor\n"),
    ]);
    let unused = descriptor(0x10, &[]);
    let base_slots =
        base[FIRST_DESCRIPTOR..FIRST_DESCRIPTOR + 4 * DESCRIPTOR].chunks_exact_mut(DESCRIPTOR);
    let cta_slots = cta[first_cta_descriptor..BLOCK - 1].chunks_exact_mut(DESCRIPTOR);
    for slot in base_slots.chain(cta_slots) {
        slot.copy_from_slice(&descriptors.next().unwrap_or(unused));
    }
    base[127] = checksum(&base[..127]);
    cta[127] = checksum(&cta[..127]);

    let mut blob = [0; EDID_BYTES];
    blob[..BLOCK].copy_from_slice(&base);
    blob[BLOCK..2 * BLOCK].copy_from_slice(&cta);
    if large {
        blob[2 * BLOCK..].copy_from_slice(&timing.display_id());
    }
    blob
}

/// The blob, and the monitor that it describes.
#[derive(Clone, Debug)]
pub(crate) struct Edid {
    pub monitor: Monitor,
    pub blob: [u8; EDID_BYTES],
}

impl Edid {
    pub fn new(monitor: Monitor) -> Self {
        let monitor = monitor.with_defaults();
        Self {
            blob: build(&monitor),
            monitor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_monitor_has_qemus_blob() {
        let blob = build(&Monitor::default());
        #[rustfmt::skip]
        let base = [
            0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x49, 0x14, 0x34, 0x12, 0x00, 0x00, 0x00, 0x00,
            0x2a, 0x18, 0x01, 0x04, 0xa5, 0x20, 0x14, 0x78, 0x06, 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26,
            0x0f, 0x50, 0x54, 0x21, 0x08, 0x00, 0xe1, 0xc0, 0xd1, 0xc0, 0xd1, 0x00, 0xa9, 0x40, 0xb3, 0x00,
            0x95, 0x00, 0x81, 0x80, 0x81, 0x40, 0xea, 0x29, 0x00, 0xc0, 0x51, 0x20, 0x1c, 0x30, 0x40, 0x26,
            0x44, 0x40, 0x45, 0xcb, 0x10, 0x00, 0x00, 0x18, 0x00, 0x00, 0x00, 0xf7, 0x00, 0x0a, 0x00, 0x40,
            0x82, 0x00, 0x28, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xfd, 0x00, 0x32,
            0x7d, 0x1e, 0xa0, 0xff, 0x01, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x00, 0x00, 0x00, 0xfc,
            0x00, 0x51, 0x45, 0x4d, 0x55, 0x20, 0x4d, 0x6f, 0x6e, 0x69, 0x74, 0x6f, 0x72, 0x0a, 0x01, 0x3a,
        ];
        assert_eq!(blob[..BLOCK], base, "the base block");
        assert_eq!(
            blob[0x80..0x8b],
            [
                0x02, 0x03, 0x0b, 0x00, 0x46, 0x7d, 0x65, 0x60, 0x59, 0x1f, 0x61
            ]
        );
        assert_eq!(blob[0xff], 0x2f, "the CTA-861 extension's checksum");
        assert_eq!(blob[0x100..], [0; BLOCK], "no third block");
    }

    #[test]
    fn a_5k_monitor_needs_display_id() {
        let monitor = Monitor {
            xres: 5120,
            yres: 2880,
            refresh_rate: 60_000,
            ..Monitor::default()
        };
        let blob = build(&monitor);
        assert_eq!(
            blob[0x36..0x3b],
            [0, 0, 0, 0xf7, 0],
            "no detailed timing in the base block"
        );
        assert_eq!(blob[0x7e], 2, "two extensions");
        let display_id = [
            0x70, 0x13, 0x17, 0x03, 0x00, 0x03, 0x00, 0x14, 0xc2, 0xe2, 0x01, 0x88, 0xff, 0x13,
            0xff, 0x06, 0xff, 0x04, 0x98, 0x00, 0x3f, 0x0b, 0x63, 0x00, 0x0d, 0x00, 0x0d, 0x00,
            0x16,
        ];
        assert_eq!(blob[0x100..0x11d], display_id);
        assert_eq!(blob[0x17f], 0x90);
    }

    #[test]
    fn every_block_sums_to_zero_whatever_the_properties() {
        let values = [0, 1, 255, 640, 4095, 4096, 65536, u32::MAX];
        for xres in values {
            for yres in values {
                for refresh_rate in [0, 1, 60_000, u32::MAX] {
                    let monitor = Monitor {
                        xres,
                        yres,
                        refresh_rate,
                        ..Monitor::default()
                    };
                    for (index, block) in build(&monitor).chunks(BLOCK).enumerate() {
                        assert_eq!(checksum(block), 0, "block {index} of {monitor:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn limits_leave_out_modes() {
        let list = ModeList::new(&Monitor {
            xmax: 800,
            ymax: 600,
            ..Monitor::default()
        });
        assert_eq!(list.established, [0b10_0001, 0, 0], "800x600 and 640x480");
        assert_eq!(list.standard, [[1, 1]; 8]);
        assert!(list.cta_codes.is_empty());
    }
}
