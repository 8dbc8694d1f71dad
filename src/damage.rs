// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Sizes, rectangles, and the parts of a picture that changed.

use std::fmt;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels per line.
    pub width: u32,
    /// Lines.
    pub height: u32,
}

impl Size {
    /// Width times height.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a product of two 32-bit numbers"
    )]
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A rectangle of pixels on a surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rect {
    /// Pixels from the left edge.
    pub x: u32,
    /// Lines from the top.
    pub y: u32,
    /// Width and height in pixels.
    pub size: Size,
}

impl Rect {
    const EMPTY: Self = Self {
        x: 0,
        y: 0,
        size: Size {
            width: 0,
            height: 0,
        },
    };

    fn right(&self) -> u32 {
        self.x.saturating_add(self.size.width)
    }

    fn bottom(&self) -> u32 {
        self.y.saturating_add(self.size.height)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }

    /// The smallest rectangle around both.
    fn around(&self, other: &Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        Self {
            x,
            y,
            size: Size {
                width: self.right().max(other.right()).saturating_sub(x),
                height: self.bottom().max(other.bottom()).saturating_sub(y),
            },
        }
    }

    /// Whether `below` starts where this one ends, in the same columns.
    fn continues_in(&self, below: &Self) -> bool {
        self.bottom() == below.y && self.x == below.x && self.size.width == below.size.width
    }
}

/// The [parts of a picture](crate::glossary#damage) that changed: at most [`Damage::MAX_RECTS`] rectangles,
/// which don't overlap.
///
/// They contain every pixel that changed, and may contain others. A refresh draws whole lines of graphics. If
/// more parts changed than there are rectangles, some are merged.
#[derive(Clone, Copy)]
pub struct Damage {
    rects: [Rect; Self::MAX_RECTS],
    len: usize,
}

impl fmt::Debug for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rects()).finish()
    }
}

impl Damage {
    /// The maximum number of rectangles.
    pub const MAX_RECTS: usize = 16;

    pub(crate) const NONE: Self = Self {
        rects: [Rect::EMPTY; Self::MAX_RECTS],
        len: 0,
    };

    /// The rectangles.
    #[expect(clippy::indexing_slicing, reason = "`len` is at most `MAX_RECTS`")]
    pub fn rects(&self) -> &[Rect] {
        &self.rects[..self.len]
    }

    /// Iterates over the rectangles.
    pub fn iter(&self) -> impl Iterator<Item = Rect> {
        self.rects().iter().copied()
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The whole picture.
    pub(crate) fn whole(size: Size) -> Self {
        let mut damage = Self::NONE;
        damage.add(Rect { x: 0, y: 0, size });
        damage
    }

    /// Adds whole lines.
    pub(crate) fn add_lines(&mut self, y: u32, lines: u32, width: u32) {
        let size = Size {
            width,
            height: lines,
        };
        self.add(Rect { x: 0, y, size });
    }

    /// Adds a rectangle. It's merged with those that it overlaps or continues. If the list is full, it's
    /// merged with the last one.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "if `len` is `MAX_RECTS`, one is removed first"
    )]
    pub(crate) fn add(&mut self, rect: Rect) {
        let mut added = rect;
        let is_full = self.len == Self::MAX_RECTS;
        let mut joined = self
            .joins(&added)
            .or(is_full.then_some(Self::MAX_RECTS - 1));
        while let Some(index) = joined {
            added = added.around(&self.rects[index]);
            self.len -= 1;
            self.rects.swap(index, self.len);
            joined = self.joins(&added);
        }
        self.rects[self.len] = added;
        self.len += 1;
    }

    /// The index of a rectangle to merge with.
    fn joins(&self, rect: &Rect) -> Option<usize> {
        self.rects()
            .iter()
            .position(|other| other.overlaps(rect) || other.continues_in(rect))
    }
}

impl Default for Damage {
    fn default() -> Self {
        Self::NONE
    }
}

impl PartialEq for Damage {
    fn eq(&self, other: &Self) -> bool {
        self.rects() == other.rects()
    }
}

impl Eq for Damage {}

#[cfg(test)]
mod tests {
    use rand::prelude::*;

    use super::*;

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect {
            x,
            y,
            size: Size { width, height },
        }
    }

    #[test]
    fn lines_that_follow_one_another_are_one_rectangle() {
        let mut damage = Damage::NONE;
        damage.add_lines(3, 2, 640);
        damage.add_lines(5, 1, 640);
        damage.add_lines(7, 1, 640);
        assert_eq!(damage.rects(), [rect(0, 3, 640, 3), rect(0, 7, 640, 1)]);
    }

    #[test]
    fn damage_is_the_same_where_its_rectangles_are() {
        let lines = |first| {
            let mut damage = Damage::NONE;
            damage.add_lines(first, 1, 640);
            damage
        };
        assert_eq!(lines(3), lines(3));
        assert_ne!(lines(3), lines(4));
        assert_ne!(lines(3), Damage::NONE);
        let mut emptied = lines(3);
        emptied.len = 0;
        assert_eq!(emptied, Damage::NONE, "what was there before doesn't count");
    }

    #[test]
    fn rectangles_beyond_the_most_are_joined_to_the_last() {
        let mut damage = Damage::NONE;
        for y in 0..20 {
            damage.add_lines(2 * y, 1, 8);
        }
        assert_eq!(damage.rects().len(), Damage::MAX_RECTS);
        assert_eq!(damage.rects()[14], rect(0, 28, 8, 1));
        assert_eq!(damage.rects()[15], rect(0, 30, 8, 9));
    }

    /// Cells of a grid that change, in reading order.
    fn grid(seed: u64) -> impl Iterator<Item = Rect> {
        let mut rng = SmallRng::seed_from_u64(seed);
        let density = rng.random_range(0.01..0.9);
        (0..12)
            .flat_map(|y| (0..12).map(move |x| rect(9 * x, 16 * y, 9, 16)))
            .filter(move |_| rng.random_bool(density))
    }

    #[test]
    fn rectangles_hold_all_that_was_added_and_dont_overlap() {
        for seed in 0..2000 {
            let mut damage = Damage::NONE;
            let added: Vec<_> = grid(seed).collect();
            for rect in &added {
                damage.add(*rect);
            }
            for rect in &added {
                let held = |outer: &Rect| outer.around(rect) == *outer;
                assert!(
                    damage.rects().iter().any(held),
                    "seed {seed}: {rect:?} isn't in {damage:?}"
                );
            }
            for (index, one) in damage.rects().iter().enumerate() {
                for other in &damage.rects()[..index] {
                    assert!(!one.overlaps(other), "seed {seed}: {one:?} and {other:?}");
                }
            }
        }
    }
}
