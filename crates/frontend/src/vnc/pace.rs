// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! How much of what a viewer says is taken: one that says more than any user could waits.

use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

/// The time in which so much is taken.
const FRAME: Duration = Duration::from_millis(40);
const MOST_BYTES: usize = 64 << 10;
/// What a message counts, for its own sake: 256 make a frame.
const MESSAGE_BYTES: usize = 256;
/// Bytes that are taken at once.
const READ: usize = 8 << 10;

/// A viewer's stream, at a pace that costs little.
pub struct Paced<R> {
    stream: R,
    pace: Pace,
}

impl<R> Paced<R> {
    /// Paces a stream.
    pub fn new(stream: R) -> Self {
        let pace = Pace {
            since: Instant::now(),
            bytes: 0,
        };
        Self { stream, pace }
    }

    /// Counts a message.
    pub fn count_message(&mut self) {
        self.spend(MESSAGE_BYTES);
    }

    fn spend(&mut self, bytes: usize) {
        thread::sleep(self.pace.spend(bytes, Instant::now()));
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let len = bytes.len().min(READ);
        let read = self.stream.read(&mut bytes[..len])?;
        self.spend(read);
        Ok(read)
    }
}

/// What was taken in this frame.
struct Pace {
    since: Instant,
    bytes: usize,
}

impl Pace {
    /// Counts bytes. Returns how long to wait before more are taken.
    fn spend(&mut self, bytes: usize, now: Instant) -> Duration {
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= FRAME {
            (self.since, self.bytes) = (now, bytes);
            return Duration::ZERO;
        }
        self.bytes += bytes;
        if self.bytes <= MOST_BYTES {
            return Duration::ZERO;
        }
        FRAME - elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often `bytes` can be spent in a second, where nothing else takes time.
    fn times_a_second(bytes: usize) -> usize {
        let start = Instant::now();
        let mut pace = Pace {
            since: start,
            bytes: 0,
        };
        let (mut now, mut times) = (start, 0);
        while now < start + Duration::from_secs(1) {
            now += pace.spend(bytes, now);
            times += 1;
        }
        times
    }

    #[test]
    fn a_viewer_is_heard_at_a_pace_that_no_user_reaches_and_no_more() {
        let (messages, reads) = (times_a_second(MESSAGE_BYTES), times_a_second(READ));
        assert!((6400..6500).contains(&messages), "{messages} messages");
        assert!(
            (200..=225).contains(&reads),
            "{reads} reads of {READ} bytes"
        );
    }

    #[test]
    fn a_viewer_that_says_little_never_waits() {
        let start = Instant::now();
        let mut pace = Pace {
            since: start,
            bytes: 0,
        };
        for millisecond in 0..10_000 {
            let now = start + Duration::from_millis(millisecond);
            assert_eq!(pace.spend(MESSAGE_BYTES + 10, now), Duration::ZERO);
        }
    }

    #[test]
    fn what_is_read_is_all_that_was_said() {
        let said: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let mut read = Vec::new();
        Paced::new(&said[..]).read_to_end(&mut read).unwrap();
        assert!(read == said, "{} bytes of {}", read.len(), said.len());
    }
}
