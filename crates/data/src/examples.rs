//! Rows of numbers with what is known of each: its class, its origin, its factors.

use std::borrow::Cow;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh3::xxh3_64;

use super::{Columns, Unit};
use crate::{MISSING, is_missing};

/// The examples of a split, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Levels from 0 to 255, which represent [0, 1].
    Bytes(Vec<u8>),
    /// Floats.
    Floats(Vec<f32>),
}

impl Values {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Values::Bytes(values) => values.len(),
            Values::Floats(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A range of the values as floats: levels are scaled to [0, 1].
    pub fn numbers(&self, range: std::ops::Range<usize>) -> Vec<f32> {
        match self {
            Values::Bytes(levels) => levels[range].iter().map(|level| f32::from(*level) / 255.0).collect(),
            Values::Floats(values) => values[range].to_vec(),
        }
    }
}

/// The known factors of variation that each image was generated from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factors {
    /// Names of the factors.
    pub names: Vec<String>,
    /// How many values each factor can have.
    pub counts: Vec<usize>,
    /// Whether the values of each factor are in an order, as places and sizes are, and kinds of shapes are not.
    pub ordered: Vec<bool>,
    /// `(rows, factors)`: the index of each factor's value.
    pub values: Vec<u16>,
}

/// Where examples come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// A file each.
    Files(Vec<String>),
    /// A line or a row each of one file, counted from 1.
    Numbered(Unit, Vec<u64>),
}

impl Origins {
    /// The origin of a row, in words.
    pub fn of(&self, row: usize) -> Option<String> {
        match self {
            Origins::Files(files) => files.get(row).cloned(),
            Origins::Numbered(unit, numbers) => numbers.get(row).map(|number| format!("{unit} {number}")),
        }
    }

    fn marked(&self, rows: usize, marked: &[bool]) -> Self {
        match self {
            Origins::Files(files) => Origins::Files(marked_rows(files, rows, marked)),
            Origins::Numbered(unit, numbers) => Origins::Numbered(*unit, marked_rows(numbers, rows, marked)),
        }
    }
}

/// Something in a row that no row had which a model was trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// The row.
    pub row: usize,
    /// The column of the model.
    pub column: usize,
    /// What it is, as a sentence about the cell.
    pub why: String,
}

/// The training or the test examples.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    /// How many examples there are.
    pub rows: usize,
    /// `(rows, D)`: the examples.
    pub values: Values,
    /// Their classes, if known: indices into [`Dataset::classes`](crate::Dataset::classes).
    pub labels: Option<Vec<u32>>,
    /// Where each example comes from, if known.
    pub origins: Option<Origins>,
    /// The factors of each example, if known.
    pub factors: Option<Factors>,
    /// What the model that a table's rows are for has not seen, by rows.
    pub unseen: Vec<Unseen>,
}

/// At most `most` of `rows` rows, from all over them: the first rows of a folder or a file are often alike.
pub fn spread(rows: usize, most: usize) -> Vec<usize> {
    let count = rows.min(most);
    (0..count).map(|i| (i as u128 * rows as u128 / count as u128) as usize).collect()
}

/// Packs up to four bytes into a word.
fn packed(quad: &[u8]) -> u32 {
    let mut word = [0; 4];
    word[..quad.len()].copy_from_slice(quad);
    u32::from_le_bytes(word)
}

impl Examples {
    /// A split without labels, origins or factors.
    pub fn of(rows: usize, values: Values) -> Self {
        Self { rows, values, labels: None, origins: None, factors: None, unseen: Vec::new() }
    }

    /// Puts the mark of missing values in place of NaN; returns how many there are.
    pub fn mark_missing(&mut self) -> usize {
        let Values::Floats(values) = &mut self.values else { return 0 };
        let missing = values.iter_mut().filter(|value| value.is_nan()).map(|value| *value = MISSING);
        missing.count()
    }

    /// Whether any value is marked as missing.
    pub fn has_missing(&self) -> bool {
        matches!(&self.values, Values::Floats(values) if values.iter().any(|value| is_missing(*value)))
    }

    /// Rows `(N, width)`: floats unchanged, or levels in [0, 1] as bytes.
    pub fn of_numbers(numbers: &[f32], bytes: bool, width: usize) -> Self {
        let level = |v: &f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
        let values = match bytes {
            true => Values::Bytes(numbers.iter().map(level).collect()),
            false => Values::Floats(numbers.to_vec()),
        };
        Self::of(numbers.len() / width, values)
    }

    /// The split as the device holds it: floats, or bytes packed in words with each row starting on a word.
    pub fn words(&self, width: usize) -> Cow<'_, [u32]> {
        match &self.values {
            Values::Floats(values) => Cow::Borrowed(bytemuck::cast_slice(values)),
            Values::Bytes(bytes) => {
                // Rows of whole words already have the device's format, so the pixels need no second copy.
                if cfg!(target_endian = "little")
                    && width.is_multiple_of(4)
                    && let Ok(words) = bytemuck::try_cast_slice(bytes)
                {
                    return Cow::Borrowed(words);
                }
                Cow::Owned(bytes.chunks(width.max(1)).flat_map(|row| row.chunks(4)).map(packed).collect())
            }
        }
    }

    /// Some of the rows, in the given order, as the device holds them.
    pub fn words_of(&self, rows: impl Iterator<Item = usize>, width: usize) -> Vec<u32> {
        let span = |row: usize| row * width..(row + 1) * width;
        match &self.values {
            Values::Floats(values) => rows.flat_map(|row| values[span(row)].iter().map(|v| v.to_bits())).collect(),
            Values::Bytes(bytes) => rows.flat_map(|row| bytes[span(row)].chunks(4)).map(packed).collect(),
        }
    }

    /// Some of the rows, in the given order, as the device holds them: of columns with intervals, behind the values of each row what a loss
    /// takes beside them.
    pub fn words_with(&self, rows: impl Iterator<Item = usize>, width: usize, intervals: Option<&Columns>) -> Vec<u32> {
        let (Some(columns), Values::Floats(values)) = (intervals, &self.values) else {
            return self.words_of(rows, width);
        };
        let mut words = Vec::new();
        for row in rows.map(|row| &values[row * width..(row + 1) * width]) {
            words.extend(row.iter().map(|value| value.to_bits()));
            words.extend(columns.loss_inputs(row).into_iter().map(f32::to_bits));
        }
        words
    }

    /// A range of rows as floats: levels are scaled to [0, 1].
    pub fn numbers(&self, rows: std::ops::Range<usize>, width: usize) -> Vec<f32> {
        self.values.numbers(rows.start * width..rows.end * width)
    }

    /// A copy of at most `most` rows, drawn at random. (Every other row of MNIST would be those of one of its two groups of writers.)
    pub fn some(&self, most: usize, seed: u64) -> Self {
        self.marked(&self.marks(most, seed))
    }

    /// Moves at most `most` rows, drawn at random, into a new split.
    pub fn take_some(&mut self, most: usize, seed: u64) -> Self {
        let marked = self.marks(most, seed);
        self.take_out(&marked)
    }

    /// Marks at most `most` rows, drawn at random.
    fn marks(&self, most: usize, seed: u64) -> Vec<bool> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut marked = vec![false; self.rows];
        index::sample(&mut rng, self.rows, self.rows.min(most)).iter().for_each(|row| marked[row] = true);
        marked
    }

    /// A hash of each row's content.
    pub fn hashes(&self) -> Vec<u64> {
        let width = (self.values.len() / self.rows.max(1)).max(1);
        match &self.values {
            Values::Bytes(levels) => levels.chunks_exact(width).map(xxh3_64).collect(),
            Values::Floats(values) => {
                values.chunks_exact(width).map(|row| xxh3_64(bytemuck::cast_slice(row))).collect()
            }
        }
    }

    /// Some of the rows in this order, with their classes.
    pub fn of_rows(&self, rows: &[usize], width: usize) -> Self {
        let span = |row: &usize| row * width..(row + 1) * width;
        let values = match &self.values {
            Values::Bytes(values) => Values::Bytes(rows.iter().flat_map(|row| values[span(row)].to_vec()).collect()),
            Values::Floats(values) => Values::Floats(rows.iter().flat_map(|row| values[span(row)].to_vec()).collect()),
        };
        let labels = self.labels.as_ref().map(|labels| rows.iter().map(|row| labels[*row]).collect());
        Self { labels, ..Self::of(rows.len(), values) }
    }

    /// Keeps the marked rows and drops the others, in place.
    pub fn retain(&mut self, keep: &[bool]) {
        if keep.iter().all(|keep| *keep) {
            return;
        }
        let rows = self.rows;
        match &mut self.values {
            Values::Bytes(values) => retain_rows(values, rows, keep),
            Values::Floats(values) => retain_rows(values, rows, keep),
        }
        if let Some(labels) = &mut self.labels {
            retain_rows(labels, rows, keep);
        }
        if let Some(factors) = &mut self.factors {
            retain_rows(&mut factors.values, rows, keep);
        }
        match &mut self.origins {
            Some(Origins::Files(files)) => {
                let mut marks = keep.iter();
                files.retain(|_| marks.next().copied().unwrap_or(false));
            }
            Some(Origins::Numbered(_, numbers)) => retain_rows(numbers, rows, keep),
            None => {}
        }
        self.unseen = unseen_of(&self.unseen, keep);
        self.rows = keep.iter().filter(|keep| **keep).count();
    }

    /// Appends copies of some rows.
    pub fn repeat(&mut self, again: &[usize]) {
        let rows = self.rows;
        match &mut self.values {
            Values::Bytes(values) => repeat_rows(values, rows, again),
            Values::Floats(values) => repeat_rows(values, rows, again),
        }
        if let Some(labels) = &mut self.labels {
            repeat_rows(labels, rows, again);
        }
        if let Some(factors) = &mut self.factors {
            repeat_rows(&mut factors.values, rows, again);
        }
        match &mut self.origins {
            Some(Origins::Files(files)) => repeat_rows(files, rows, again),
            Some(Origins::Numbered(_, numbers)) => repeat_rows(numbers, rows, again),
            None => {}
        }
        self.rows += again.len();
    }

    /// A copy of the marked rows.
    fn marked(&self, marked: &[bool]) -> Examples {
        let rows = self.rows;
        Examples {
            rows: marked.iter().filter(|marked| **marked).count(),
            values: match &self.values {
                Values::Bytes(values) => Values::Bytes(marked_rows(values, rows, marked)),
                Values::Floats(values) => Values::Floats(marked_rows(values, rows, marked)),
            },
            labels: self.labels.as_ref().map(|labels| marked_rows(labels, rows, marked)),
            origins: self.origins.as_ref().map(|origins| origins.marked(rows, marked)),
            factors: self.factors.as_ref().map(|factors| Factors {
                names: factors.names.clone(),
                counts: factors.counts.clone(),
                ordered: factors.ordered.clone(),
                values: marked_rows(&factors.values, rows, marked),
            }),
            unseen: unseen_of(&self.unseen, marked),
        }
    }

    /// Drops the rows that are not kept, and then moves those that are test rows into a split of their own, if there are any.
    pub(crate) fn take_test(&mut self, keep: &[bool], mut is_test: Vec<bool>) -> Option<Examples> {
        self.retain(keep);
        retain_rows(&mut is_test, keep.len(), keep);
        is_test.contains(&true).then(|| self.take_out(&is_test))
    }

    /// Moves the marked rows into a new split. Only these are copied; the others are compacted in place.
    pub fn take_out(&mut self, marked: &[bool]) -> Examples {
        let taken = self.marked(marked);
        let rest: Vec<bool> = marked.iter().map(|marked| !marked).collect();
        self.retain(&rest);
        taken
    }
}

/// What is unseen of the marked rows, which are numbered anew.
fn unseen_of(unseen: &[Unseen], marked: &[bool]) -> Vec<Unseen> {
    let mut number = 0;
    let numbers: Vec<usize> = marked
        .iter()
        .map(|marked| {
            number += usize::from(*marked);
            number
        })
        .collect();
    let kept = unseen.iter().filter(|unseen| marked.get(unseen.row) == Some(&true));
    kept.map(|unseen| Unseen { row: numbers[unseen.row] - 1, ..unseen.clone() }).collect()
}

fn retain_rows<T: Copy>(values: &mut Vec<T>, rows: usize, keep: &[bool]) {
    let width = values.len() / rows.max(1);
    let mut end = 0;
    for row in (0..rows).filter(|row| keep[*row]) {
        values.copy_within(row * width..(row + 1) * width, end);
        end += width;
    }
    values.truncate(end);
}

fn repeat_rows<T: Clone>(values: &mut Vec<T>, rows: usize, again: &[usize]) {
    let width = values.len() / rows.max(1);
    values.reserve(width * again.len());
    for row in again {
        values.extend_from_within(row * width..(row + 1) * width);
    }
}

fn marked_rows<T: Clone>(values: &[T], rows: usize, marked: &[bool]) -> Vec<T> {
    let width = values.len() / rows.max(1);
    let mut taken = Vec::with_capacity(width * marked.iter().filter(|marked| **marked).count());
    for row in (0..rows).filter(|row| marked[*row]) {
        taken.extend_from_slice(&values[row * width..(row + 1) * width]);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split() -> Examples {
        Examples {
            rows: 4,
            values: Values::Bytes(vec![0, 1, 10, 11, 20, 21, 30, 31]),
            labels: Some(vec![0, 1, 2, 3]),
            origins: Some(Origins::Files(["a", "b", "c", "d"].map(String::from).into())),
            factors: Some(Factors {
                names: vec!["f".into()],
                counts: vec![9],
                ordered: vec![true],
                values: vec![5, 6, 7, 8],
            }),
            unseen: vec![
                Unseen { row: 1, column: 0, why: "b".into() },
                Unseen { row: 2, column: 0, why: "c".into() },
                Unseen { row: 3, column: 1, why: "d".into() },
            ],
        }
    }

    #[test]
    fn rows_stay_and_go_with_all_that_is_known_of_them() {
        let mut stays = split();
        let taken = stays.take_out(&[false, true, false, true]);
        assert_eq!((stays.rows, taken.rows), (2, 2));
        assert_eq!(stays.values, Values::Bytes(vec![0, 1, 20, 21]));
        assert_eq!(taken.values, Values::Bytes(vec![10, 11, 30, 31]));
        assert_eq!((stays.labels, taken.labels), (Some(vec![0, 2]), Some(vec![1, 3])));
        assert_eq!(stays.origins.unwrap(), Origins::Files(vec!["a".into(), "c".into()]));
        assert_eq!(taken.origins.unwrap(), Origins::Files(vec!["b".into(), "d".into()]));
        assert_eq!(stays.factors.unwrap().values, [5, 7]);
        assert_eq!(taken.factors.unwrap().values, [6, 8]);
        let unseen = |split: &[Unseen]| split.iter().map(|u| (u.row, u.why.clone())).collect::<Vec<_>>();
        assert_eq!(unseen(&stays.unseen), [(1, "c".to_string())]);
        assert_eq!(unseen(&taken.unseen), [(0, "b".to_string()), (1, "d".to_string())]);
    }

    #[test]
    fn each_row_starts_on_a_word() {
        let split = Examples::of(2, Values::Bytes(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(*split.words(3), [0x0003_0201, 0x0006_0504]);
        let split = Examples::of(2, Values::Bytes(vec![1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(*split.words(4), [0x0403_0201, 0x0807_0605]);
    }
}
