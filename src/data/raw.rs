//! A request to a source, and the rows it yields before they are chosen and split.

use super::{Columns, Kind, Options, Shape, Split};

/// Called from any thread with the number of files read so far and the number of all files.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// A request to a source.
pub(super) struct Request<'a> {
    pub options: &'a Options,
    pub progress: Progress<'a>,
    /// Whether a missing label column is an error.
    pub label_needed: bool,
    /// The columns of the model that the rows are for.
    pub like: Option<&'a Columns>,
}

/// The columns of a table as they were read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawColumns {
    pub names: Vec<String>,
    /// The words of each, whose places its cells are; none where they are numbers.
    pub words: Vec<Option<Vec<String>>>,
    /// The kinds that were asked for.
    pub asked: Vec<Option<Kind>>,
}

impl RawColumns {
    /// Whether the cells of each column are places of words.
    pub fn are_places(&self) -> Vec<bool> {
        self.words.iter().map(Option::is_some).collect()
    }

    /// Numbers.
    pub fn numbers(names: Vec<String>) -> Self {
        Self { words: vec![None; names.len()], asked: vec![None; names.len()], names }
    }
}

/// Everything a source holds.
#[derive(Debug, PartialEq)]
pub(super) struct Raw {
    pub name: String,
    pub shape: Shape,
    pub classes: Vec<String>,
    /// A table's columns; its values are cells, NaN where one is missing.
    pub columns: Option<RawColumns>,
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
