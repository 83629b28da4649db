//! What a user may say about a source.

use serde::{Deserialize, Serialize};

/// Colours of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// One level a pixel.
    Grey,
    /// Red, green and blue.
    Rgb,
}

/// How an image of another shape becomes one of the wanted size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Whole, with black bars.
    Fit,
    /// Filled, with what sticks out cut off.
    #[default]
    Crop,
    /// Each side by itself.
    Stretch,
}

/// Rows and pixels of a row, written `64x48`: height, then width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ImageSize {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
}

/// The longest side of an image that can be learned from.
pub(super) const LONGEST: usize = 4096;

impl std::str::FromStr for ImageSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let side = |text: &str| text.trim().parse().ok().filter(|side| (1..=LONGEST).contains(side));
        let (height, width) = text.split_once('x').unwrap_or((text, text));
        match (side(height), side(width)) {
            (Some(height), Some(width)) => Ok(Self { height, width }),
            _ => Err(format!("`{text}` is no image size: write 64x64, height first, each from 1 to {LONGEST}")),
        }
    }
}

impl std::fmt::Display for ImageSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

impl From<ImageSize> for String {
    fn from(size: ImageSize) -> Self {
        size.to_string()
    }
}

impl TryFrom<String> for ImageSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A source, and what of it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `strokes`, `points` or `sprites` with options after a colon, a folder, or a file.
    pub source: String,
    /// The column with the class, of a table.
    pub label: Option<String>,
    /// Columns to learn from, of a table; all that are not the label where empty.
    pub columns: Vec<String>,
    /// Classes to keep; all where empty.
    pub keep_label: Vec<String>,
    /// Classes to leave out.
    pub drop_label: Vec<String>,
    /// Share of the rows that is kept for testing, where the source has no test rows of its own.
    pub test_share: f64,
    /// At most so many training rows.
    pub limit: Option<usize>,
    /// Repeat rows of the rarer classes, so that each class has the same weight in training.
    pub balance: bool,
    /// Of the split into training and test rows.
    pub seed: u64,
    /// A file or row that cannot be used is an error, not something to skip.
    pub strict: bool,
    /// The size images are brought to; the first one's where not said.
    pub image_size: Option<ImageSize>,
    /// Colours of images; grey where all files are, where not said.
    pub channels: Option<Channels>,
    /// How images of another shape are brought to size.
    pub fit: Fit,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            source: "strokes".into(),
            label: None,
            columns: Vec::new(),
            keep_label: Vec::new(),
            drop_label: Vec::new(),
            test_share: 0.1,
            limit: None,
            balance: false,
            seed: 0,
            strict: false,
            image_size: None,
            channels: None,
            fit: Fit::default(),
        }
    }
}

impl From<&str> for Options {
    fn from(source: &str) -> Self {
        Self { source: source.into(), ..Self::default() }
    }
}
