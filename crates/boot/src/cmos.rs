// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The battery-backed memory and clock behind ports 0x70 and 0x71, as far as SeaBIOS asks it.

use std::time::{SystemTime, UNIX_EPOCH};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The 128 bytes, and which is selected.
pub struct Cmos {
    index: u8,
    bytes: [u8; 128],
}

impl Cmos {
    /// Contents that tell of `memory` bytes of RAM from address 0.
    pub fn new(memory: u64) -> Self {
        let extended = (memory.saturating_sub(MIB) / KIB).min(0xffff) as u16;
        let above_16_mib = (memory.saturating_sub(16 * MIB) / (64 * KIB)).min(0xffff) as u16;
        let mut bytes = [0; 128];
        bytes[0x0a] = 0x26; // the divider runs, and no update is in progress
        bytes[0x0b] = 0x02; // 24 hours, BCD
        bytes[0x0d] = 0x80; // the battery is good
        bytes[0x38] = 0x30; // third boot device: CD
        bytes[0x3d] = 0x21; // first boot device: floppy; second: disk
        for (at, value) in [
            (0x15, 640),
            (0x17, extended),
            (0x30, extended),
            (0x34, above_16_mib),
        ] {
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        Self { index: 0, bytes }
    }

    /// Reads `port`: the byte selected at 0x71; 0x70 can't be read.
    pub fn read(&self, port: u16) -> u8 {
        match port {
            0x71 => {
                clock(self.index, SystemTime::now()).unwrap_or(self.bytes[usize::from(self.index)])
            }
            _ => 0xff,
        }
    }

    /// Writes `port`: the index at 0x70 (bit 7 masks the NMI, and isn't part of it), data at 0x71.
    pub fn write(&mut self, port: u16, value: u8) {
        match port {
            0x70 => self.index = value & 0x7f,
            _ => self.bytes[usize::from(self.index)] = value,
        }
    }
}

/// What the clock's register `index` shows at `now`, in BCD; `None` for other registers.
fn clock(index: u8, now: SystemTime) -> Option<u8> {
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let (year, month, day) = date(seconds / 86_400);
    let value = match index {
        0x00 => seconds % 60,
        0x02 => seconds / 60 % 60,
        0x04 => seconds / 3600 % 24,
        0x06 => (seconds / 86_400 + 4) % 7 + 1, // 1 January 1970 was a Thursday; Sunday is 1
        0x07 => day,
        0x08 => month,
        0x09 => year % 100,
        0x32 => year / 100,
        _ => return None,
    };
    Some(((value / 10) << 4 | (value % 10)) as u8)
}

/// Year, month and day of the Gregorian calendar, `days` after 1 January 1970.
fn date(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for len in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < len {
            break;
        }
        days -= len;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_clock_shows_utc_in_bcd() {
        let now = UNIX_EPOCH + Duration::from_secs(951_827_696); // Tuesday 2000-02-29 12:34:56
        let shown = [0x32, 9, 8, 7, 6, 4, 2, 0].map(|index| clock(index, now).unwrap_or(0));
        assert_eq!(shown, [0x20, 0x00, 0x02, 0x29, 3, 0x12, 0x34, 0x56]);
    }

    #[test]
    fn memory_sizes_are_told_in_both_units() {
        let mut cmos = Cmos::new(32 * MIB);
        let mut read = |index| {
            cmos.write(0x70, index);
            cmos.read(0x71)
        };
        assert_eq!([0x30, 0x31].map(&mut read), (31 * 1024u16).to_le_bytes());
        assert_eq!([0x34, 0x35].map(&mut read), 256u16.to_le_bytes());
    }
}
