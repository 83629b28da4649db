//! What is wanted of a source, and what it yields before rows are chosen and split.

use super::{Options, Shape, Split};

/// Is told, from any thread, how many files of how many have been read.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What is wanted of a source.
pub(super) struct Request<'a> {
    pub options: &'a Options,
    pub progress: Progress<'a>,
    /// Whether it matters that the label column is there.
    pub label_needed: bool,
}

/// All that a source has.
#[derive(Debug, PartialEq)]
pub(super) struct Raw {
    pub name: String,
    pub shape: Shape,
    pub classes: Vec<String>,
    /// A table's column names; its numbers are as they stand in the file.
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
