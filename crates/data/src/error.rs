//! Errors of loading and writing data, one sentence each.

use std::path::{Path, PathBuf};

/// Why a data set could not be loaded or written.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// There is no such file, folder or built-in source.
    #[error(
        "there is no data at {0}: give a file, a folder, or one of the built-in strokes, points, sprites, expressions and waves"
    )]
    Missing(PathBuf),
    /// What is there is no file or folder.
    #[error("{path} is {what}, and only regular files can be read: write what it holds into a file first")]
    NotAFile {
        /// Its path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A file could not be read.
    #[error("{path} could not be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is not a valid {kind}: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it should be.
        kind: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A row of a table is not what it should be.
    #[error("{path}, {unit} {number}: {reason}")]
    Row {
        /// The file.
        path: PathBuf,
        /// What rows are counted in.
        unit: Unit,
        /// Which one it is, counted from 1.
        number: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A source holds something, but not what was asked for.
    #[error("{source_name}: {reason}")]
    Unusable {
        /// The file, folder or built-in source.
        source_name: String,
        /// What is wrong, and what to do about it.
        reason: String,
    },
    /// A source does not fit the model that is to be applied to it.
    #[error("the model takes {takes}, but {source_name} has {has}")]
    Mismatch {
        /// What the model was trained on.
        takes: String,
        /// The file, folder or built-in source.
        source_name: String,
        /// What it holds.
        has: String,
    },
    /// The options of a built-in source are wrong.
    #[error("`{spec}` is not a valid data source: {reason}")]
    Spec {
        /// What was asked for.
        spec: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An option has a value that no source accepts.
    #[error("{option} {reason}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be written.
    #[error("{path} could not be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder to be written holds something already.
    #[error("{0} exists and is not an empty folder: give another path, or remove it first")]
    Occupied(PathBuf),
}

/// What the rows of a table are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Lines of a text.
    Line,
    /// Rows, in a file without lines.
    Row,
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unit::Line => "line",
            Unit::Row => "row",
        })
    }
}

impl DataError {
    pub(super) fn unusable(source: impl std::fmt::Display, reason: impl Into<String>) -> Self {
        Self::Unusable { source_name: source.to_string(), reason: reason.into() }
    }

    pub(super) fn read(path: &Path) -> impl Fn(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Read { path: path.clone(), source }
    }

    pub(super) fn write(path: &Path) -> impl Fn(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Write { path: path.clone(), source }
    }
}

/// How many names a sentence lists before it only counts them.
pub const LISTED: usize = 12;

/// `a, b, c and 5 more`
pub fn list<T: AsRef<str>>(names: &[T]) -> String {
    list_of(names, names.len())
}

/// [`list`] of so many names, of which these are the first.
pub fn list_of<T: AsRef<str>>(names: &[T], all: usize) -> String {
    let first: Vec<String> = names.iter().take(LISTED).map(|name| shown(name.as_ref())).collect();
    match all.saturating_sub(first.len()) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// A word from a file as a sentence can show it: on one line and not too long.
pub fn shown(word: &str) -> String {
    shown_to(word, 40)
}

/// A sentence from elsewhere, on one line and not too long: it may contain much of a damaged file.
#[cfg(feature = "parquet")]
pub(super) fn shortened(sentence: impl AsRef<str>) -> String {
    shown_to(sentence.as_ref(), 300)
}

fn shown_to(word: &str, longest: usize) -> String {
    let mut text: String =
        word.chars().take(longest).map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_string();
    if word.chars().nth(longest).is_some() {
        text.push_str("...");
    }
    text
}

/// A message from elsewhere on one line.
pub(super) fn on_one_line(message: impl std::fmt::Display) -> String {
    message.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
