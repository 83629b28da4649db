//! A request to a source, and the rows it yields before they are chosen and split.

use super::{Options, Shape, Split};

/// Called from any thread with the number of files read so far and the number of all files.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// A request to a source.
pub(super) struct Request<'a> {
    pub options: &'a Options,
    pub progress: Progress<'a>,
    /// Whether a missing label column is an error.
    pub label_needed: bool,
}

/// Everything a source holds.
#[derive(Debug, PartialEq)]
pub(super) struct Raw {
    pub name: String,
    pub shape: Shape,
    pub classes: Vec<String>,
    /// A table's column names; its values are not standardised yet.
    pub columns: Option<Vec<String>>,
    /// The training rows, or all rows where the source has no test rows of its own.
    pub rows: Split,
    pub test: Option<Split>,
    pub notes: Vec<String>,
}

impl Raw {
    /// Rows without classes.
    pub fn of(name: impl Into<String>, shape: Shape, rows: Split) -> Self {
        Self { name: name.into(), shape, classes: Vec::new(), columns: None, rows, test: None, notes: Vec::new() }
    }
}
