// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a viewer hasn't got yet.

use std::ops::Range;

use stdvga::{Rect, Size};

/// Pixels in an update: what's left comes with the next one.
const MOST_PIXELS: u32 = 4 << 20;
/// Rectangles in an update, before they're cut into pieces.
const MOST_RECTS: usize = 512;
/// Pixels of a piece in each direction. A piece is a multiple of ZRLE's tiles.
pub const PIECE: Size = Size {
    width: 1024,
    height: 64,
};

/// What a viewer hasn't got yet: of each row, all from the first column that changed to the last.
pub struct Stale {
    width: u32,
    rows: Vec<Range<u32>>,
    /// How many rows aren't empty.
    count: usize,
    /// The row below the last one that was taken, while others are left. Where a guest redraws faster than
    /// a viewer takes, each row has its turn.
    next: usize,
}

impl Stale {
    /// All of a picture.
    pub fn all(size: Size) -> Self {
        let is_empty = size.width == 0;
        Self {
            width: size.width,
            rows: vec![0..size.width; size.height as usize],
            count: if is_empty { 0 } else { size.height as usize },
            next: 0,
        }
    }

    /// Adds what of `rect` the viewer can see.
    pub fn add(&mut self, rect: &Rect) {
        let columns = rect.x..rect.x.saturating_add(rect.size.width).min(self.width);
        if columns.is_empty() {
            return;
        }
        let rows = self.rows.iter_mut().skip(rect.y as usize);
        for row in rows.take(rect.size.height as usize) {
            if (*row).is_empty() {
                self.count += 1;
                *row = columns.clone();
            } else {
                *row = row.start.min(columns.start)..row.end.max(columns.end);
            }
        }
    }

    /// Takes as much as an update may have, from where the last one ended: a rectangle for each run of
    /// rows that changed alike.
    pub fn take(&mut self) -> Vec<Rect> {
        let mut rects: Vec<Rect> = Vec::new();
        let mut pixels = 0;
        for _ in 0..self.rows.len() {
            let (y, row) = (self.next as u32, &mut self.rows[self.next]);
            let changed = !(*row).is_empty();
            pixels += row.len() as u32;
            if pixels > MOST_PIXELS || self.count == 0 {
                break;
            }
            if changed && !extend(rects.last_mut(), row, y) {
                if rects.len() == MOST_RECTS {
                    break;
                }
                rects.push(Rect {
                    x: row.start,
                    y,
                    size: Size {
                        width: row.len() as u32,
                        height: 1,
                    },
                });
            }
            self.count -= usize::from(changed);
            *row = 0..0;
            self.next = (self.next + 1) % self.rows.len();
        }
        if self.count == 0 {
            self.next = 0;
        }
        rects
    }

    /// Whether the viewer has got everything.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Makes a rectangle longer by a row, if it's the one below that changed alike.
fn extend(rect: Option<&mut Rect>, row: &Range<u32>, y: u32) -> bool {
    let Some(rect) = rect else { return false };
    let is_alike = rect.x == row.start && rect.size.width == row.len() as u32;
    let is_below = rect.y + rect.size.height == y;
    if is_alike && is_below {
        rect.size.height += 1;
    }
    is_alike && is_below
}

/// Cuts rectangles into pieces, each of which is made and sent by itself.
pub fn pieces(rects: &[Rect]) -> Vec<Rect> {
    let mut pieces = Vec::new();
    for rect in rects {
        for (y, height) in parts(rect.y, rect.size.height, PIECE.height) {
            for (x, width) in parts(rect.x, rect.size.width, PIECE.width) {
                let size = Size { width, height };
                pieces.push(Rect { x, y, size });
            }
        }
    }
    pieces
}

/// Starts and lengths of parts that are no longer than `most`.
fn parts(start: u32, len: u32, most: u32) -> impl Iterator<Item = (u32, u32)> {
    let offsets = (0..len).step_by(most as usize);
    offsets.map(move |offset| (start + offset, most.min(len - offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        let size = Size { width, height };
        Rect { x, y, size }
    }

    #[test]
    fn changes_add_up_and_a_large_picture_comes_in_parts() {
        let mut stale = Stale::all(rect(0, 0, 4096, 2000).size);
        assert_eq!(stale.take(), [rect(0, 0, 4096, 1024)]);
        assert_eq!(stale.take(), [rect(0, 1024, 4096, 976)]);
        assert!(stale.is_empty());
        stale.add(&rect(10, 5, 20, 3));
        stale.add(&rect(40, 6, 10, 1));
        stale.add(&rect(4000, 1999, 200, 9));
        stale.add(&rect(4096, 0, 1, 1));
        let parts = [
            rect(10, 5, 20, 1),
            rect(10, 6, 40, 1),
            rect(10, 7, 20, 1),
            rect(4000, 1999, 96, 1),
        ];
        assert_eq!(stale.take(), parts);
        assert!(stale.is_empty());
        assert_eq!(stale.take(), []);
    }

    #[test]
    fn each_row_has_its_turn_even_if_all_change_between_updates() {
        let size = rect(0, 0, 7680, 4320).size;
        let mut stale = Stale::all(size);
        let updates = 7680 * 4320 / MOST_PIXELS as usize + 1;
        let mut sent = vec![0; 4320];
        for _ in 0..updates {
            for rect in stale.take() {
                let rows = rect.y as usize..(rect.y + rect.size.height) as usize;
                sent[rows].iter_mut().for_each(|times| *times += 1);
            }
            stale.add(&rect(0, 0, 7680, 4320));
        }
        let never = sent.iter().position(|times| *times == 0);
        assert_eq!(never, None, "a row didn't come in {updates} updates");
    }

    #[test]
    fn an_update_has_few_rectangles_whatever_changed() {
        let mut stale = Stale::all(rect(0, 0, 64, 0xffff).size);
        while !stale.take().is_empty() {}
        (0..0xffff).for_each(|y| stale.add(&rect(y % 2, y, 9, 1)));
        let mut rows = 0;
        while !stale.is_empty() {
            let rects = stale.take();
            assert!((1..=MOST_RECTS).contains(&rects.len()), "{}", rects.len());
            rows += rects.iter().map(|rect| rect.size.height).sum::<u32>();
        }
        assert_eq!(rows, 0xffff);
    }

    #[test]
    fn pieces_have_all_pixels_and_none_twice() {
        for whole in [
            rect(0, 0, 1, 1),
            rect(5, 7, 1024, 64),
            rect(5, 7, 1025, 65),
            rect(0, 0, 7680, 546),
            rect(0, 0, 8, 0xffff),
            rect(0, 0, 0xffff, 64),
        ] {
            let pieces = pieces(&[whole]);
            let fits =
                |piece: &Rect| piece.size.width <= PIECE.width && piece.size.height <= PIECE.height;
            assert!(pieces.iter().all(fits), "{whole:?}");
            let pixels: u64 = pieces.iter().map(|piece| piece.size.pixels()).sum();
            assert_eq!(pixels, whole.size.pixels(), "{whole:?}");
            for (n, piece) in pieces.iter().enumerate() {
                let apart = |other: &Rect| (other.x, other.y) != (piece.x, piece.y);
                assert!(pieces[n + 1..].iter().all(apart), "{whole:?}: {piece:?}");
            }
            assert!(pieces.len() <= usize::from(u16::MAX), "{whole:?}");
        }
    }
}
