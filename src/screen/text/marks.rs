// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Marks on what must be drawn.

use std::iter;
use std::ops::Range;

/// Marks per word.
const WORD: usize = u64::BITS as usize;
/// The range without any marks. Extending it to a mark gives that mark's range.
const NOTHING: Range<usize> = Range {
    start: usize::MAX,
    end: 0,
};

/// A set of marked numbers.
#[derive(Debug)]
pub struct Marks {
    words: Vec<u64>,
    /// The smallest range that contains all marks.
    around: Range<usize>,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            words: Vec::new(),
            around: NOTHING,
        }
    }
}

impl Marks {
    /// Makes room for the numbers below `len`, and marks all.
    pub fn fill(&mut self, len: usize) {
        self.words.clear();
        self.words.resize(len.div_ceil(WORD), u64::MAX);
        self.around = 0..len;
    }

    pub fn clear(&mut self) {
        let words = self.around.start / WORD..self.around.end.div_ceil(WORD);
        if let Some(words) = self.words.get_mut(words) {
            words.fill(0);
        }
        self.around = NOTHING;
    }

    pub fn is_empty(&self) -> bool {
        self.around.is_empty()
    }

    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "numbers are below the length that `fill` was given"
    )]
    pub fn add(&mut self, number: usize) {
        self.words[number / WORD] |= 1 << (number % WORD);
        self.around.start = self.around.start.min(number);
        self.around.end = self.around.end.max(number + 1);
    }

    /// The runs of marks in a range.
    pub fn runs(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let end = range.end.min(self.around.end);
        let mut next = range.start.max(self.around.start);
        iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let first = self.find(true, next..end);
            next = self.find(false, first..end);
            (first < next).then_some(first..next)
        })
    }

    /// The first number in a range that is marked (or that isn't). The range's end if there's none.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "numbers are below the length that `fill` was given"
    )]
    fn find(&self, marked: bool, range: Range<usize>) -> usize {
        let others = if marked { 0 } else { u64::MAX };
        let mut start = range.start;
        while start < range.end {
            let found = (self.words[start / WORD] ^ others) >> (start % WORD);
            if found != 0 {
                return range.end.min(start + found.trailing_zeros() as usize);
            }
            start = (start / WORD + 1) * WORD;
        }
        range.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(len: usize, numbers: &[usize]) -> Marks {
        let mut marks = Marks::default();
        marks.fill(len);
        marks.clear();
        for number in numbers {
            marks.add(*number);
        }
        marks
    }

    /// Starts and ends.
    fn runs(marks: &Marks, range: Range<usize>) -> Vec<(usize, usize)> {
        let runs = marks.runs(range);
        runs.map(|run| (run.start, run.end)).collect()
    }

    #[test]
    fn marks_that_follow_one_another_are_a_run_whatever_word_they_are_in() {
        let marks = marks(256, &[0, 62, 63, 64, 65, 200, 255]);
        assert_eq!(
            runs(&marks, 0..256),
            [(0, 1), (62, 66), (200, 201), (255, 256)]
        );
    }

    #[test]
    fn a_run_ends_where_the_range_does() {
        let marks = marks(256, &[9, 10, 11, 12]);
        assert_eq!(runs(&marks, 10..12), [(10, 12)]);
        assert_eq!(runs(&marks, 0..10), [(9, 10)]);
        assert_eq!(runs(&marks, 13..256), []);
        assert_eq!(runs(&marks, 11..11), []);
    }

    #[test]
    fn all_are_marked_in_what_was_filled_and_none_in_what_was_cleared() {
        let mut marks = marks(128, &[5]);
        marks.fill(192);
        assert_eq!(runs(&marks, 1..191), [(1, 191)]);
        marks.clear();
        assert!(marks.is_empty());
        assert_eq!(runs(&marks, 0..192), []);
    }
}
