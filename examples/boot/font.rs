//! A small font: five dots by seven, drawn for this example.

/// Dots in a row of a glyph.
pub const WIDTH: u32 = 5;
const HEIGHT: usize = 7;

/// Each glyph's rows from top to bottom.
const GLYPHS: [(u8, &str); 47] = [
    (b' ', "..... ..... ..... ..... ..... ..... ....."),
    (b'A', "..#.. .#.#. #...# #...# ##### #...# #...#"),
    (b'B', "####. #...# #...# ####. #...# #...# ####."),
    (b'C', ".#### #.... #.... #.... #.... #.... .####"),
    (b'D', "###.. #..#. #...# #...# #...# #..#. ###.."),
    (b'E', "##### #.... #.... ####. #.... #.... #####"),
    (b'F', "##### #.... #.... ####. #.... #.... #...."),
    (b'G', ".#### #.... #.... #.### #...# #...# .####"),
    (b'H', "#...# #...# #...# ##### #...# #...# #...#"),
    (b'I', ".###. ..#.. ..#.. ..#.. ..#.. ..#.. .###."),
    (b'J', "..### ...#. ...#. ...#. ...#. #..#. .##.."),
    (b'K', "#...# #..#. #.#.. ##... #.#.. #..#. #...#"),
    (b'L', "#.... #.... #.... #.... #.... #.... #####"),
    (b'M', "#...# ##.## #.#.# #.#.# #...# #...# #...#"),
    (b'N', "#...# ##..# ##..# #.#.# #..## #..## #...#"),
    (b'O', ".###. #...# #...# #...# #...# #...# .###."),
    (b'P', "####. #...# #...# ####. #.... #.... #...."),
    (b'Q', ".###. #...# #...# #...# #.#.# #..#. .##.#"),
    (b'R', "####. #...# #...# ####. #.#.. #..#. #...#"),
    (b'S', ".#### #.... #.... .###. ....# ....# ####."),
    (b'T', "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#.."),
    (b'U', "#...# #...# #...# #...# #...# #...# .###."),
    (b'V', "#...# #...# #...# #...# .#.#. .#.#. ..#.."),
    (b'W', "#...# #...# #...# #.#.# #.#.# ##.## #...#"),
    (b'X', "#...# #...# .#.#. ..#.. .#.#. #...# #...#"),
    (b'Y', "#...# #...# .#.#. ..#.. ..#.. ..#.. ..#.."),
    (b'Z', "##### ....# ...#. ..#.. .#... #.... #####"),
    (b'0', ".###. #...# #..## #.#.# ##..# #...# .###."),
    (b'1', "..#.. .##.. #.#.. ..#.. ..#.. ..#.. #####"),
    (b'2', ".###. #...# ....# ..##. .#... #.... #####"),
    (b'3', "####. ....# ....# .###. ....# ....# ####."),
    (b'4', "...#. ..##. .#.#. #..#. ##### ...#. ...#."),
    (b'5', "##### #.... ####. ....# ....# #...# .###."),
    (b'6', ".###. #.... #.... ####. #...# #...# .###."),
    (b'7', "##### ....# ...#. ...#. ..#.. ..#.. ..#.."),
    (b'8', ".###. #...# #...# .###. #...# #...# .###."),
    (b'9', ".###. #...# #...# .#### ....# ....# .###."),
    (b'.', "..... ..... ..... ..... ..... .##.. .##.."),
    (b',', "..... ..... ..... ..... .##.. ..#.. .#..."),
    (b':', "..... .##.. .##.. ..... .##.. .##.. ....."),
    (b'-', "..... ..... ..... .###. ..... ..... ....."),
    (b'+', "..... ..#.. ..#.. ##### ..#.. ..#.. ....."),
    (b'/', "....# ...#. ...#. ..#.. .#... .#... #...."),
    (b'(', "...#. ..#.. .#... .#... .#... ..#.. ...#."),
    (b')', ".#... ..#.. ...#. ...#. ...#. ..#.. .#..."),
    (b'\'', "..#.. ..#.. .#... ..... ..... ..... ....."),
    (b'!', "..#.. ..#.. ..#.. ..#.. ..... ..#.. ..#.."),
];

/// A glyph: a row a byte, its leftmost dot in bit 4.
pub type Glyph = [u8; HEIGHT];

/// A rectangle of dots, in dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// All characters that there are, and their glyphs.
pub fn glyphs() -> impl Iterator<Item = (u8, Glyph)> {
    GLYPHS.iter().map(|(character, rows)| {
        let mut glyph = [0; HEIGHT];
        for (row, dots) in glyph.iter_mut().zip(rows.split(' ')) {
            *row = dots
                .bytes()
                .fold(0, |row, dot| row << 1 | u8::from(dot == b'#'));
        }
        (*character, glyph)
    })
}

/// The sixteen lines of a text cell: every row twice, a line below the top.
pub fn cell_lines(glyph: Glyph) -> [u8; 16] {
    let mut lines = [0; 16];
    for (pair, row) in lines[1..].chunks_exact_mut(2).zip(glyph) {
        pair.fill(row << 2);
    }
    lines
}

/// The rectangles that a character is drawn with: none where it has no glyph.
pub fn rectangles(character: u8) -> Vec<Rectangle> {
    let mut open: Vec<Rectangle> = Vec::new();
    let Some((_, glyph)) = glyphs().find(|(known, _)| *known == character) else {
        return open;
    };
    for (row, y) in glyph.into_iter().zip(0..) {
        for (x, width) in runs(row) {
            // A run that continues one of the row above makes that rectangle higher.
            match open
                .iter_mut()
                .find(|r| (r.x, r.width, r.y + r.height) == (x, width, y))
            {
                Some(rectangle) => rectangle.height += 1,
                None => open.push(Rectangle {
                    x,
                    y,
                    width,
                    height: 1,
                }),
            }
        }
    }
    open
}

/// Where dots follow each other in a row: the first of them, and how many there are.
fn runs(row: u8) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for x in (0..WIDTH).filter(|x| row & 1 << (WIDTH - 1 - x) != 0) {
        match runs.last_mut() {
            Some((start, len)) if *start + *len == x => *len += 1,
            _ => runs.push((x, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_cover_exactly_the_dots_of_a_glyph() {
        for (character, glyph) in glyphs() {
            let mut drawn: Glyph = [0; HEIGHT];
            for Rectangle {
                x,
                y,
                width,
                height,
            } in rectangles(character)
            {
                for row in &mut drawn[y as usize..(y + height) as usize] {
                    for dot in x..x + width {
                        assert_eq!(*row & 0x10 >> dot, 0, "drawn twice");
                        *row |= 0x10 >> dot;
                    }
                }
            }
            assert_eq!(drawn, glyph, "{:?}", char::from(character));
        }
    }

    #[test]
    fn every_glyph_has_seven_rows_of_five_dots() {
        for (character, rows) in GLYPHS {
            let rows: Vec<_> = rows.split(' ').collect();
            assert!(
                rows.len() == HEIGHT && rows.iter().all(|row| row.len() == 5),
                "{character}"
            );
        }
    }
}
