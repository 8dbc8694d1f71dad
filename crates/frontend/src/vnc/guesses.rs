// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Makes guessing a password slow.

use std::time::{Duration, Instant};

const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The delay is doubled so many times.
const MOST_DOUBLINGS: u32 = 3;
/// After so long without a wrong password, they're forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// The wrong passwords of late, whoever gave them.
#[derive(Default)]
pub struct WrongGuesses {
    count: u32,
    last: Option<Instant>,
}

impl WrongGuesses {
    /// Counts one. Returns after what time to say that it's wrong. The right one never waits.
    pub fn add(&mut self, now: Instant) -> Duration {
        let quiet = self.last.map(|last| now.saturating_duration_since(last));
        if quiet.is_some_and(|quiet| quiet >= FORGOTTEN) {
            self.count = 0;
        }
        let delay = FIRST_DELAY * (1 << self.count.min(MOST_DOUBLINGS));
        self.count = self.count.saturating_add(1);
        self.last = Some(now);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_password_in_a_row_is_answered_later_up_to_a_limit() {
        let start = Instant::now();
        let mut guesses = WrongGuesses::default();
        let delays: Vec<_> = (0..6).map(|_| guesses.add(start).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 8, 8]);
        let soon = start + FORGOTTEN - Duration::from_secs(1);
        assert_eq!(guesses.add(soon).as_secs(), 8);
        assert_eq!(guesses.add(soon + FORGOTTEN).as_secs(), 1, "a new start");
    }
}
