//! The options of a source.

use serde::{Deserialize, Serialize};

use super::{NamedKind, TextUnit, ValueKind};
use crate::described;

described! {
    /// Colour channels of images.
    pub enum Channels {
        Grey = "grey": "One level per pixel",
        Rgb = "rgb": "Red, green and blue",
    }
}

described! {
    /// How an image of another shape is resized.
    #[derive(Default)]
    pub enum Fit {
        Fit = "fit": "Shrunk to fit, with black bars",
        #[default]
        Crop = "crop": "Scaled to fill the size, with the overhang cut off",
        Stretch = "stretch": "Each side scaled by itself, so that proportions change",
    }
}

/// The size of an image, written `64x48`: height, then width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ImageSize {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

/// The longest side of an image.
pub(super) const LONGEST: usize = 4096;

impl std::str::FromStr for ImageSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let side = |text: &str| text.trim().parse().ok().filter(|side| (1..=LONGEST).contains(side));
        let (height, width) = text.split_once('x').unwrap_or((text, text));
        match (side(height), side(width)) {
            (Some(height), Some(width)) => Ok(Self { height, width }),
            _ => Err(format!("`{text}` is not an image size: write 64x64, height first, each from 1 to {LONGEST}")),
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

described! {
    /// What becomes of rows of a table with missing values.
    #[derive(Default)]
    pub enum Missing {
        #[default]
        Keep = "keep": "They are learned from: the loss is that of what is there, and the encoder is told what is not",
        Drop = "drop": "They are left out",
    }
}

described! {
    /// What the rows of a source are read as.
    #[derive(Default)]
    pub enum RowFormat {
        #[default]
        Auto = "auto": "What its name and its content say",
        Table = "table": "Rows of a table",
        Text = "text": "Texts",
        Series = "series": "Time series",
        Images = "images": "Images",
    }
}

impl RowFormat {
    /// Whether it is left to the source.
    pub fn is_auto(&self) -> bool {
        *self == RowFormat::Auto
    }
}

/// A source, and which of its rows to load and how.
///
/// ```
/// use wgvae_data::{Dataset, Options};
///
/// let mut options = Options::from("points:count=200");
/// options.limit = Some(50);
/// assert_eq!(Dataset::load(options)?.train.rows, 50);
/// # Ok::<(), wgvae_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `strokes`, `points`, `sprites`, `expressions` or `waves` with options after a colon, a folder, or a file.
    pub source: String,
    /// What rows are read as.
    pub format: RowFormat,
    /// The column of a table, or the field of JSON lines, that holds texts.
    pub text: Option<String>,
    /// The columns of a table that tell series and steps apart: that of the series, and that of the time.
    pub series: Vec<String>,
    /// What the tokens of texts are.
    pub tokens: TextUnit,
    /// The most tokens of a vocabulary; by default 256 characters or 10,000 words.
    pub vocabulary: Option<usize>,
    /// The most tokens of a text, by default 256 characters or bytes, or 64 words; the most steps of a series, by default any.
    pub max_length: Option<usize>,
    /// Samples a second that sounds are brought to; by default the rate of most, and at most 16,000, or 8000 for series of samples.
    pub sample_rate: Option<u32>,
    /// Bands of a log-mel picture of a sound; by default 64.
    pub mel_bands: Option<usize>,
    /// How long a row of a sound is; by default as long as the longest, and at most 4 seconds.
    pub seconds: Option<f64>,
    /// Steps of a beat in piano rolls of MIDI files; by default 4. A row has `max_length` steps, by default 64.
    pub steps_per_beat: Option<usize>,
    /// The column of a table that holds the class.
    pub label: Option<String>,
    /// The columns of a table to learn from; if empty, all but the label.
    pub columns: Vec<String>,
    /// The columns of a table to leave out, where none are chosen.
    pub drop_columns: Vec<String>,
    /// The kinds of columns of a table, where they are not those that suit their values.
    pub kinds: Vec<NamedKind>,
    /// Words that stand for missing values, beside empty cells; if none is, those that usually do. `COLUMN=WORD` is one of a column.
    pub missing_words: Vec<String>,
    /// Words of a smaller share of a column's cells are grouped.
    pub rare: Option<f64>,
    /// Whether relations between columns of a table are looked for, and kept in rows that are drawn or filled.
    pub relations: bool,
    /// The kind of a table's other columns; by default, that which suits the values of each.
    pub kind: Option<ValueKind>,
    /// What becomes of rows of a table with missing values.
    pub missing: Missing,
    /// Classes to keep; if empty, all.
    pub keep_label: Vec<String>,
    /// Classes to drop.
    pub drop_label: Vec<String>,
    /// Share of the rows that is held out for testing, if the source has no test rows of its own.
    pub test_share: f64,
    /// The largest number of training rows.
    pub limit: Option<usize>,
    /// Repeat rows of the rarer classes, so that each class has the same weight in training.
    pub balance: bool,
    /// Seed of the split into training and test rows.
    pub seed: u64,
    /// Fail on a file or row that cannot be used, instead of skipping it.
    pub strict: bool,
    /// The size that images are resized to; by default the size they all have, if it is the same for all and not large.
    pub image_size: Option<ImageSize>,
    /// Colour channels of images; by default grey if all files are grey.
    pub channels: Option<Channels>,
    /// How images of another shape are resized.
    pub fit: Fit,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            source: "strokes".into(),
            format: RowFormat::Auto,
            text: None,
            series: Vec::new(),
            tokens: TextUnit::Characters,
            vocabulary: None,
            max_length: None,
            sample_rate: None,
            mel_bands: None,
            seconds: None,
            steps_per_beat: None,
            label: None,
            columns: Vec::new(),
            drop_columns: Vec::new(),
            kinds: Vec::new(),
            missing_words: Vec::new(),
            rare: None,
            relations: true,
            kind: None,
            missing: Missing::default(),
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

impl Options {
    /// Whether a key is set that only texts have.
    pub(super) fn has_vocabulary(&self) -> bool {
        self.tokens != TextUnit::default() || self.vocabulary.is_some()
    }

    /// Whether a key is set that texts have; series may have some of them, too.
    pub(super) fn has_tokens(&self) -> bool {
        self.has_vocabulary() || self.max_length.is_some()
    }
}

impl From<&str> for Options {
    fn from(source: &str) -> Self {
        Self { source: source.into(), ..Self::default() }
    }
}
