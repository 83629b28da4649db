//! Data sources, all of them ending in one [`Dataset`]. Knows no GPU.

mod glyphs;
mod idx;
mod options;
mod points;
mod strokes;

use std::path::{Path, PathBuf};

pub use options::{Channels, Fit, ImageSize, Options};

/// Why a data set could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// There is no such file, folder or built-in source.
    #[error("there is no data at {0}: give a folder of IDX files, or one of the built-in strokes and points")]
    Missing(PathBuf),
    /// A file could not be read.
    #[error("{path} could not be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is no valid IDX file: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A source's options make no sense.
    #[error("`{spec}` is no valid data source: {reason}")]
    Spec {
        /// What was asked for.
        spec: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What one example is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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

/// The examples of a split, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Levels 0 to 255, standing for [0, 1].
    Bytes(Vec<u8>),
    /// Numbers as they are.
    Floats(Vec<f32>),
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
}

impl Split {
    /// The split as the device holds it: floats, or bytes packed in words with each row starting on a word.
    pub fn words(&self, width: usize) -> Vec<u32> {
        match &self.values {
            Values::Floats(values) => bytemuck::cast_slice(values).to_vec(),
            Values::Bytes(bytes) => bytes
                .chunks(width)
                .flat_map(|row| row.chunks(4))
                .map(|quad| {
                    let mut word = [0; 4];
                    word[..quad.len()].copy_from_slice(quad);
                    u32::from_le_bytes(word)
                })
                .collect(),
        }
    }
}

/// The columns of a table. Training sees each with its mean taken away and divided by its deviation.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Columns {
    /// What they are called.
    pub names: Vec<String>,
    /// Their means over the training rows.
    pub mean: Vec<f32>,
    /// Their standard deviations there; 1 for a column that is always the same.
    pub deviation: Vec<f32>,
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
}

impl Dataset {
    /// Loads or makes a source: `strokes`, `points`, with options after a colon, or a folder.
    pub fn load(options: impl Into<Options>) -> Result<Self, DataError> {
        let wanted = options.into();
        let spec = wanted.source.as_str();
        let (kind, options) = spec.split_once(':').unwrap_or((spec, ""));
        match kind {
            "strokes" => strokes::Options::parse(spec, options).map(|o| strokes::dataset(&o)),
            "points" => points::Options::parse(spec, options).map(|o| points::dataset(&o)),
            _ => idx::folder(Path::new(spec)),
        }
    }

    /// Whether the examples are levels in [0, 1].
    pub fn is_bytes(&self) -> bool {
        matches!(self.train.values, Values::Bytes(_))
    }
}

/// Reads `name=value` and bare words separated by commas.
fn pairs(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (part, None),
    })
}

/// The value of an option, within a range.
fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
    spec: &str,
    name: &str,
    value: Option<&str>,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, DataError> {
    value.and_then(|v| v.parse().ok()).filter(|v| range.contains(v)).ok_or_else(|| DataError::Spec {
        spec: spec.to_string(),
        reason: format!("{name} takes a number from {} to {}", range.start(), range.end()),
    })
}

fn unknown(spec: &str, option: &str, known: &str) -> DataError {
    DataError::Spec { spec: spec.to_string(), reason: format!("there is no option `{option}`; there are {known}") }
}
