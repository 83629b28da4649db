//! Cells of a table, and the words that are no words: missing values and truth values.

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A number.
    Number(f32),
    /// A number of twice the precision.
    Exact(f64),
    /// A truth value.
    Truth(bool),
    /// A word.
    Word(String),
    /// Nothing.
    Missing,
}

/// What values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// Values of rows that were read.
    Kept,
    /// Means: numbers may have more digits than the column.
    Mean,
    /// Draws: numbers have as many digits as the column, and lie within the range that was seen.
    Drawn,
    /// Draws of which numbers have as many digits as the column, and may lie beyond the range that was seen.
    DrawnBeyond,
}

impl Provenance {
    /// Whether they are draws.
    pub fn is_draw(self) -> bool {
        matches!(self, Provenance::Drawn | Provenance::DrawnBeyond)
    }
}

/// Words that stand for missing values, unless a user names others; in columns of numbers, `none` and other words do so too.
pub(crate) const MISSING: [&str; 14] =
    ["na", "n/a", "nan", "?", "null", "-", ".", "--", "#n/a", "#na", "<na>", "nat", "nil", "\\n"];
const LONGEST_MISSING: usize = 4;

/// Whether a text is empty or one of these words; if there are none, of those that usually stand for a missing value.
pub(crate) fn is_missing_word(words: &[String], text: &str) -> bool {
    let is_it = |word: &str| word.eq_ignore_ascii_case(text);
    text.is_empty()
        || match words.is_empty() {
            true => text.len() <= LONGEST_MISSING && MISSING.into_iter().any(is_it),
            false => words.iter().any(|word| is_it(word)),
        }
}

/// The truth value that a word is.
pub(crate) fn truth(word: &str) -> Option<bool> {
    let is = |truth: &str| word.eq_ignore_ascii_case(truth);
    (is("true") || is("false")).then(|| is("true"))
}
