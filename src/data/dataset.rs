//! What every source becomes: rows of numbers with their classes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Columns, DataError};

/// What one example is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// An image: `height x width x channels`, the channels of a pixel side by side.
    Image {
        /// Rows of pixels.
        height: usize,
        /// Pixels of a row.
        width: usize,
        /// 1 for grey, 3 for red, green and blue.
        channels: usize,
    },
    /// A point of so many coordinates.
    Point(usize),
    /// A row of a table of so many columns.
    Table(usize),
}

impl Shape {
    /// Numbers of one example.
    pub fn len(self) -> usize {
        match self {
            Shape::Image { height, width, channels } => height * width * channels,
            Shape::Point(n) | Shape::Table(n) => n,
        }
    }

    /// Whether an example has no numbers.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// `grey images of 28x28`: to stand behind a count.
impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shape::Image { height, width, channels: 1 } => write!(f, "grey images of {height}x{width}"),
            Shape::Image { height, width, .. } => write!(f, "colour images of {height}x{width}"),
            Shape::Point(n) => write!(f, "points of {n} coordinates"),
            Shape::Table(n) => write!(f, "rows of {n} columns"),
        }
    }
}

/// The examples of a split, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Levels 0 to 255, standing for [0, 1].
    Bytes(Vec<u8>),
    /// Numbers as they are.
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

    /// So many of them from a place on, as numbers: levels in [0, 1].
    pub fn numbers(&self, range: std::ops::Range<usize>) -> Vec<f32> {
        match self {
            Values::Bytes(levels) => levels[range].iter().map(|level| f32::from(*level) / 255.0).collect(),
            Values::Floats(values) => values[range].to_vec(),
        }
    }
}

/// What an image was drawn from: a place in a grid of known factors for each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factors {
    /// What the factors are called.
    pub names: Vec<String>,
    /// How many values each can have.
    pub counts: Vec<usize>,
    /// A row's values side by side, row by row.
    pub values: Vec<u16>,
}

/// Some of the examples.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// How many there are.
    pub rows: usize,
    /// Them.
    pub values: Values,
    /// Their classes, where known: places in [`Dataset::classes`].
    pub labels: Option<Vec<u32>>,
    /// Where each comes from, where that is more than its place: a file, a line.
    pub origins: Option<Vec<String>>,
    /// What each was drawn from, where that is known.
    pub factors: Option<Factors>,
}

/// Up to four bytes in a word.
fn packed(quad: &[u8]) -> u32 {
    let mut word = [0; 4];
    word[..quad.len()].copy_from_slice(quad);
    u32::from_le_bytes(word)
}

impl Split {
    /// Rows without anything known about them.
    pub fn of(rows: usize, values: Values) -> Self {
        Self { rows, values, labels: None, origins: None, factors: None }
    }

    /// The split as the device holds it: floats, or bytes packed in words with each row starting on a word.
    pub fn words(&self, width: usize) -> Cow<'_, [u32]> {
        match &self.values {
            Values::Floats(values) => Cow::Borrowed(bytemuck::cast_slice(values)),
            Values::Bytes(bytes) => {
                // Rows of whole words lie in memory as the device wants them: no second copy of the pixels.
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

    /// The same of some of its rows, in the order they are named.
    pub fn words_of(&self, rows: impl Iterator<Item = usize>, width: usize) -> Vec<u32> {
        let span = |row: usize| row * width..(row + 1) * width;
        match &self.values {
            Values::Floats(values) => rows.flat_map(|row| values[span(row)].iter().map(|v| v.to_bits())).collect(),
            Values::Bytes(bytes) => rows.flat_map(|row| bytes[span(row)].chunks(4)).map(packed).collect(),
        }
    }

    /// Some of its rows as numbers: levels in [0, 1], or floats as they are.
    pub fn numbers(&self, rows: std::ops::Range<usize>, width: usize) -> Vec<f32> {
        self.values.numbers(rows.start * width..rows.end * width)
    }

    /// Leaves the marked rows and drops the others, in place.
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
        if let Some(origins) = &mut self.origins {
            let mut marks = keep.iter();
            origins.retain(|_| marks.next().copied().unwrap_or(false));
        }
        self.rows = keep.iter().filter(|keep| **keep).count();
    }

    /// Repeats some of its rows behind the others.
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
        if let Some(origins) = &mut self.origins {
            repeat_rows(origins, rows, again);
        }
        self.rows += again.len();
    }

    /// Takes the marked rows out. Only these are copied: what stays moves together in place.
    pub fn take_out(&mut self, marked: &[bool]) -> Split {
        let rows = self.rows;
        let taken = Split {
            rows: marked.iter().filter(|marked| **marked).count(),
            values: match &self.values {
                Values::Bytes(values) => Values::Bytes(marked_rows(values, rows, marked)),
                Values::Floats(values) => Values::Floats(marked_rows(values, rows, marked)),
            },
            labels: self.labels.as_ref().map(|labels| marked_rows(labels, rows, marked)),
            origins: self.origins.as_ref().map(|origins| marked_rows(origins, rows, marked)),
            factors: self.factors.as_ref().map(|factors| Factors {
                names: factors.names.clone(),
                counts: factors.counts.clone(),
                values: marked_rows(&factors.values, rows, marked),
            }),
        };
        let rest: Vec<bool> = marked.iter().map(|marked| !marked).collect();
        self.retain(&rest);
        taken
    }
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

/// A data set, ready to be trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// A short name, for run folders.
    pub name: String,
    /// What one example is.
    pub shape: Shape,
    /// What the labels stand for.
    pub classes: Vec<String>,
    /// A table's columns.
    pub columns: Option<Columns>,
    /// What the model learns from.
    pub train: Split,
    /// What it is judged by.
    pub test: Split,
    /// What a user should know of how it was read: rows left out, files skipped, images resized.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Whether the examples are levels in [0, 1].
    pub fn is_bytes(&self) -> bool {
        matches!(self.train.values, Values::Bytes(_))
    }

    /// Refuses what was put together by hand and does not fit together.
    pub fn check(&self) -> Result<(), DataError> {
        let width = self.shape.len();
        for (which, split) in [("training", &self.train), ("test", &self.test)] {
            let values = split.values.len();
            let labels = split.labels.as_ref().map_or(split.rows, Vec::len);
            let same_kind = matches!(split.values, Values::Bytes(_)) == self.is_bytes();
            if split.rows == 0 || width == 0 || values != split.rows * width || labels != split.rows || !same_kind {
                let reason = format!(
                    "its {which} split has {} rows, {values} numbers and {labels} labels, which do not make {}",
                    split.rows, self.shape
                );
                return Err(DataError::unusable(&self.name, reason));
            }
        }
        Ok(())
    }

    /// What a model must remember of the data it was trained on.
    pub fn description(&self) -> Description {
        Description {
            name: self.name.clone(),
            shape: self.shape,
            bytes: self.is_bytes(),
            classes: self.classes.clone(),
            columns: self.columns.clone(),
        }
    }
}

/// What a model remembers of the data it was trained on: enough to bring other data to the same form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The data set's short name.
    pub name: String,
    /// What one example is.
    pub shape: Shape,
    /// Whether examples are levels in [0, 1].
    pub bytes: bool,
    /// What the labels stood for.
    pub classes: Vec<String>,
    /// A table's columns, with the scaler.
    pub columns: Option<Columns>,
}

/// Rows that a trained model is to be applied to.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Them, in the model's form.
    pub split: Split,
    /// What their labels stand for.
    pub classes: Vec<String>,
    /// What a user should know of how they were read.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split() -> Split {
        Split {
            rows: 4,
            values: Values::Bytes(vec![0, 1, 10, 11, 20, 21, 30, 31]),
            labels: Some(vec![0, 1, 2, 3]),
            origins: Some(["a", "b", "c", "d"].map(String::from).into()),
            factors: Some(Factors { names: vec!["f".into()], counts: vec![9], values: vec![5, 6, 7, 8] }),
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
        assert_eq!(stays.origins.unwrap(), ["a", "c"]);
        assert_eq!(taken.origins.unwrap(), ["b", "d"]);
        assert_eq!(stays.factors.unwrap().values, [5, 7]);
        assert_eq!(taken.factors.unwrap().values, [6, 8]);
    }

    #[test]
    fn each_row_starts_on_a_word() {
        let split = Split::of(2, Values::Bytes(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(*split.words(3), [0x0003_0201, 0x0006_0504]);
        let split = Split::of(2, Values::Bytes(vec![1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(*split.words(4), [0x0403_0201, 0x0807_0605]);
    }
}
