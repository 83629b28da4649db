//! Data sets: examples to train on and to test with, and what they are.

use serde::{Deserialize, Serialize};

use super::{Columns, DataError, Examples, Fingerprints, Options, Series, Sound, Values, Vocabulary, description};
use crate::is_missing;

/// The shape of one example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// An image: `height x width x channels`, the channels of a pixel next to each other.
    Image {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// 1 for grey, 3 for red, green and blue.
        channels: usize,
    },
    /// A point with this many coordinates.
    Point(usize),
    /// A row of a table with this many columns.
    Table(usize),
    /// A text, as numbers of its tokens: see [`Vocabulary`].
    Text {
        /// Numbers of a row: the tokens of the longest text, and its end.
        length: usize,
        /// Tokens of the vocabulary.
        tokens: usize,
    },
    /// A time series: the channels of a step next to each other.
    Series {
        /// Steps of the longest.
        length: usize,
        /// Numbers at each step.
        channels: usize,
    },
}

impl Shape {
    /// How many numbers one example has.
    pub fn len(self) -> usize {
        match self {
            Shape::Image { height, width, channels } => height * width * channels,
            Shape::Point(n) | Shape::Table(n) => n,
            Shape::Text { length, .. } => length,
            Shape::Series { length, channels } => length * channels,
        }
    }

    /// Whether an example has no numbers.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A plural such as `grey images of 28x28`, to follow a count.
impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shape::Image { height, width, channels: 1 } => write!(f, "grey images of {height}x{width}"),
            Shape::Image { height, width, .. } => write!(f, "colour images of {height}x{width}"),
            Shape::Point(n) => write!(f, "points of {n} coordinates"),
            Shape::Table(n) => write!(f, "rows of {n} columns"),
            Shape::Text { length, .. } => write!(f, "texts of at most {} tokens", length.saturating_sub(1)),
            Shape::Series { length, channels: 1 } => write!(f, "series of at most {length} steps"),
            Shape::Series { length, channels } => {
                write!(f, "series of at most {length} steps of {channels} channels")
            }
        }
    }
}

/// A data set, ready for training.
///
/// ```
/// use wgvae_data::Dataset;
///
/// let data = Dataset::load("points:moons,count=200")?; // a folder or a file is named by its path
/// assert_eq!(data.shape.len(), 2);
/// assert!(data.train.rows > data.test.rows);
/// # Ok::<(), wgvae_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// A short name, for run folders.
    pub name: String,
    /// The shape of one example.
    pub shape: Shape,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// A table's columns.
    pub columns: Option<Columns>,
    /// The tokens of texts.
    pub vocabulary: Option<Vocabulary>,
    /// The channels of series.
    pub series: Option<Series>,
    /// How rows stand for sounds or music.
    pub sound: Option<Sound>,
    /// Whether pixels of images may be missing: [`MISSING`](crate::MISSING).
    pub missing: bool,
    /// The training rows.
    pub train: Examples,
    /// The test rows.
    pub test: Examples,
    /// Notes for the user on how it was read: rows left out, files skipped, images resized.
    pub notes: Vec<String>,
    /// How it was loaded, so that it can be loaded again; of rows in memory, the source is their name.
    pub options: Options,
}

impl Dataset {
    /// Whether the examples are stored as bytes, that is as levels in [0, 1].
    pub fn is_bytes(&self) -> bool {
        matches!(self.train.values, Values::Bytes(_))
    }

    /// Whether values may be missing.
    pub fn has_missing(&self) -> bool {
        has_missing(self.missing, self.columns.as_ref(), self.series.as_ref())
    }

    /// Whether all values that are there lie in [0, 1], as the levels of images do.
    pub fn is_levels(&self) -> bool {
        self.all_are(|value| (0.0..=1.0).contains(&value))
    }

    /// Whether all values that are there are levels of 256, from 0 to 1.
    pub fn is_of_256_levels(&self) -> bool {
        self.all_are(|value| (0.0..=1.0).contains(&value) && (255.0 * value - (255.0 * value).round()).abs() < 1e-3)
    }

    /// Whether something holds for all values that are there; for levels of images it does.
    fn all_are(&self, holds: impl Fn(f32) -> bool) -> bool {
        [&self.train, &self.test].into_iter().all(|split| match &split.values {
            Values::Bytes(_) => true,
            Values::Floats(values) => values.iter().all(|value| is_missing(*value) || holds(*value)),
        })
    }

    /// Refuses a data set whose parts do not match.
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

    /// The description of the data that a trained model keeps.
    pub fn description(&self) -> Description {
        Description {
            name: self.name.clone(),
            shape: self.shape,
            bytes: self.is_bytes(),
            classes: self.classes.clone(),
            columns: self.columns.clone(),
            vocabulary: self.vocabulary.clone(),
            series: self.series.clone(),
            sound: self.sound,
            missing: self.missing,
            trained: Fingerprints::of(&self.train),
        }
    }
}

/// A description of the training data, sufficient to convert other data to the same form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "description::Unchecked")]
pub struct Description {
    /// The data set's short name.
    pub name: String,
    /// The shape of one example.
    pub shape: Shape,
    /// Whether examples are levels in [0, 1].
    pub bytes: bool,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// A table's columns, with their means and deviations.
    pub columns: Option<Columns>,
    /// The tokens of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<Vocabulary>,
    /// The channels of series, with their means and deviations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
    /// How rows stand for sounds or music.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<Sound>,
    /// Whether pixels of images may be missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// Which rows the model was trained on, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained: Option<Fingerprints>,
}

impl Description {
    /// Whether values may be missing.
    pub fn has_missing(&self) -> bool {
        has_missing(self.missing, self.columns.as_ref(), self.series.as_ref())
    }
}

/// Whether values may be missing, of images, tables or series.
fn has_missing(of_images: bool, columns: Option<&Columns>, series: Option<&Series>) -> bool {
    of_images || columns.is_some_and(|columns| columns.missing) || series.is_some_and(|series| series.missing)
}

/// Rows for a trained model.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The rows, in the model's form.
    pub split: Examples,
    /// Names of their classes.
    pub classes: Vec<String>,
    /// Notes for the user on how they were read.
    pub notes: Vec<String>,
}
