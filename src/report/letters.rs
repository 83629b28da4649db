//! A few letters in pixels, for names beside images.

/// Pixels of a letter, and of the space behind it.
const WIDTH: usize = 5;
const SPACE: usize = 1;
/// Rows of a letter.
pub const HEIGHT: usize = 7;

/// The letters that there are: each row's pixels as bits, the left one highest.
const LETTERS: [(char, [u8; HEIGHT]); 20] = [
    ('0', [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110]),
    ('1', [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('2', [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111]),
    ('3', [0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110]),
    ('4', [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010]),
    ('5', [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110]),
    ('6', [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110]),
    ('7', [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000]),
    ('8', [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110]),
    ('9', [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100]),
    ('.', [0, 0, 0, 0, 0, 0b01100, 0b01100]),
    ('-', [0, 0, 0, 0b11111, 0, 0, 0]),
    ('K', [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001]),
    ('L', [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111]),
    ('d', [0b00001, 0b00001, 0b01101, 0b10011, 0b10001, 0b10001, 0b01111]),
    ('e', [0, 0, 0b01110, 0b10001, 0b11111, 0b10000, 0b01110]),
    ('i', [0b00100, 0, 0b01100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('m', [0, 0, 0b11010, 0b10101, 0b10101, 0b10101, 0b10101]),
    ('N', [0b10001, 0b11001, 0b10101, 0b10011, 0b10001, 0b10001, 0b10001]),
    ('a', [0, 0, 0b01110, 0b00001, 0b01111, 0b10001, 0b01111]),
];

/// The width of a text, in pixels.
pub fn width(text: &str) -> usize {
    text.chars().count() * (WIDTH + SPACE)
}

/// Calls `draw` with the place of each pixel of a text. A letter that is not known is left out.
pub fn pixels(text: &str, mut draw: impl FnMut(usize, usize)) {
    for (i, letter) in text.chars().enumerate() {
        let Some((_, rows)) = LETTERS.iter().find(|(known, _)| *known == letter) else { continue };
        for (y, row) in rows.iter().enumerate() {
            let set = (0..WIDTH).filter(|x| row >> (WIDTH - 1 - x) & 1 == 1);
            set.for_each(|x| draw(i * (WIDTH + SPACE) + x, y));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_drawn_where_they_are() {
        let mut drawn = vec![vec![' '; width("1L")]; HEIGHT];
        pixels("1L", |x, y| drawn[y][x] = '#');
        let rows: Vec<String> = drawn.iter().map(|row| row.iter().collect()).collect();
        let expected = [
            "  #   #     ",
            " ##   #     ",
            "  #   #     ",
            "  #   #     ",
            "  #   #     ",
            "  #   #     ",
            " ###  ##### ",
        ];
        assert_eq!(rows, expected);
        assert!("dim 0123456789  KL -1.5e3".chars().all(|c| c == ' ' || LETTERS.iter().any(|(known, _)| *known == c)));
    }
}
