//! A request to a source, and the rows it yields before they are chosen and split.

use super::dialect::Dialect;
use super::series::RawSeries;
use super::text::{KnownTexts, RawTokens};
use super::{Column, Columns, DataError, Examples, NamedKind, Options, Series, Shape, Sound, ValueKind, Values};

/// The most columns of a table. A field takes many times the memory of the comma behind it.
pub(super) const MAX_COLUMNS: usize = 1 << 16;

/// Called from any thread with the number of files read so far and the number of all files.
pub type ReadProgress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// A request to a source.
pub(super) struct Request<'a> {
    pub options: &'a Options,
    pub progress: ReadProgress<'a>,
    /// Whether a missing label column is an error.
    pub label_needed: bool,
    /// The columns of the model that the rows are for.
    pub like: Option<&'a Columns>,
    /// The vocabulary of the model that the rows are for.
    pub texts: Option<KnownTexts<'a>>,
    /// The channels of the model that the rows are for.
    pub series: Option<KnownSeries<'a>>,
    /// The sounds of the model that the rows are for, and the shape of a row.
    pub sound: Option<(Sound, Shape)>,
    /// Whether they are the rows that it was trained on.
    pub is_own: bool,
}

/// The channels of a model that rows are for, and the steps of its rows.
pub(super) struct KnownSeries<'a> {
    pub series: &'a Series,
    pub length: usize,
}

/// A column of a table as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RawColumn {
    /// Its name, how it is written, and its words, if it has any: cells are their places then.
    pub column: Column,
    /// The kind that was asked for.
    pub asked: Option<ValueKind>,
    /// Whether its cells are places of words.
    pub is_of_words: bool,
    /// Whether the digits of its numbers are known.
    pub is_measured: bool,
}

/// The columns of a table as they were read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawColumns {
    pub all: Vec<RawColumn>,
    /// Whether the names are the source's own; those of an array are numbers.
    pub are_named: bool,
    /// How the file is written, if it is a text.
    pub dialect: Option<Dialect>,
}

impl RawColumns {
    /// Whether the cells of each column are places of words.
    pub fn are_places(&self) -> Vec<bool> {
        self.all.iter().map(|raw| raw.is_of_words).collect()
    }

    /// Their names.
    pub fn names(&self) -> Vec<&str> {
        self.all.iter().map(|raw| raw.column.name.as_str()).collect()
    }

    /// Numbers.
    pub fn numbers(names: Vec<String>) -> Self {
        let raw = |name| RawColumn { column: Column { name, ..Column::default() }, ..RawColumn::default() };
        Self { all: names.into_iter().map(raw).collect(), are_named: true, dialect: None }
    }

    /// Columns of an array: `x_0`, `x_1`, ...
    pub fn unnamed(count: usize) -> Self {
        let names = (0..count).map(|column| format!("x_{column}")).collect();
        Self { are_named: false, ..Self::numbers(names) }
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
    /// What the numbers of texts stand for.
    pub text: Option<RawTokens>,
    /// The channels of series; a value is NaN where one is missing, and behind the last step of a row.
    pub series: Option<RawSeries>,
    /// How rows stand for sounds.
    pub sound: Option<Sound>,
    /// The training rows, or all rows where the source has no test rows of its own.
    pub rows: Examples,
    pub test: Option<Examples>,
    pub notes: Vec<String>,
}

impl Raw {
    /// The rows of an array. Those of a table have columns, unless they are too many.
    pub fn of_array(shape: Shape, rows: Examples) -> Self {
        match shape {
            Shape::Table(width) if width <= MAX_COLUMNS => {
                Self { columns: Some(RawColumns::unnamed(width)), ..Self::of("", shape, rows) }
            }
            Shape::Table(width) => Self::of("", Shape::Point(width), rows),
            _ => Self::of("", shape, rows),
        }
    }

    /// Takes the kinds that were asked for of an array's columns; those of a table are known, but for the kind of all others.
    pub fn ask(&mut self, kinds: &[NamedKind], of_others: Option<ValueKind>) -> Result<(), String> {
        let Some(columns) = self.columns.as_mut() else { return Ok(()) };
        for named in kinds.iter().filter(|_| !columns.are_named) {
            let count = columns.all.len();
            let place = columns.all.iter().position(|raw| raw.column.name == named.name);
            let reason =
                || format!("there is no column `{}`; there are x_0 to x_{}", named.name, count.saturating_sub(1));
            let ignored =
                || format!("{}=ignore works only on tables: an array's columns are known by their places", named.name);
            columns.all[place.ok_or_else(reason)?].asked = Some(named.kind.ok_or_else(ignored)?);
        }
        columns.all.iter_mut().for_each(|raw| raw.asked = raw.asked.or(of_others));
        Ok(())
    }

    /// Leaves out rows with missing values, and notes how many; that may not be all.
    pub fn note_dropped(&mut self, options: &Options) -> Result<(), DataError> {
        match self.drop_missing() {
            0 => return Ok(()),
            dropped => self.notes.push(format!("{dropped} rows were left out because values are missing")),
        }
        match std::iter::once(&self.rows).chain(&self.test).any(|split| split.rows == 0) {
            true => Err(DataError::unusable(&options.source, "every row has a missing value")),
            false => Ok(()),
        }
    }

    fn drop_missing(&mut self) -> usize {
        let mut dropped = 0;
        for split in std::iter::once(&mut self.rows).chain(&mut self.test) {
            let width = self.shape.len().max(1);
            let Values::Floats(values) = &split.values else { continue };
            let whole: Vec<bool> = values.chunks(width).map(|row| !row.iter().any(|value| value.is_nan())).collect();
            dropped += whole.iter().filter(|whole| !**whole).count();
            split.retain(&whole);
        }
        dropped
    }

    /// Rows without classes.
    pub fn of(name: impl Into<String>, shape: Shape, rows: Examples) -> Self {
        Self {
            name: name.into(),
            shape,
            classes: Vec::new(),
            columns: None,
            text: None,
            series: None,
            sound: None,
            rows,
            test: None,
            notes: Vec::new(),
        }
    }
}
