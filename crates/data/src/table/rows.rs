//! The rows of a table that was read: which columns and which rows stay, and what is noted of the others.

use std::cmp::Reverse;

use super::super::error::{Unit, list, shown};
use super::super::quote::toml_text;
use super::super::raw::{Raw, RawColumn, RawColumns, Request};
use super::super::{DataError, Dialect, Examples, Missing, Origins, Shape, Unseen, ValueKind, Values};
use super::labels::LabelColumn;
use super::names;
use super::words::Words;

/// All rows of a table, with all columns that were read.
pub struct TableRows<'a> {
    pub path: &'a std::path::Path,
    pub request: &'a Request<'a>,
    /// What rows are counted in.
    pub unit: Unit,
    pub columns: Vec<RawColumn>,
    pub dialect: Option<Dialect>,
    /// Row by row, NaN where a value is missing; of words, numbers of words.
    pub values: Vec<f32>,
    /// The number of each row in the file.
    pub numbers: Vec<u64>,
    pub labels: Option<LabelColumn>,
    /// The words of each column that has any.
    pub words: Vec<Option<Box<Words>>>,
    /// Missing values of each column.
    pub missing: Vec<usize>,
    pub unseen: Vec<Unseen>,
    pub notes: Vec<String>,
}

impl TableRows<'_> {
    /// The columns and rows that stay.
    pub fn finish(mut self) -> Result<Raw, DataError> {
        if self.rows() == 0 {
            return Err(self.unusable("it has a header, but no rows".into()));
        }
        let keep = (0..self.columns.len()).map(|place| self.keeps(place)).collect::<Result<Vec<bool>, _>>()?;
        self.keep_columns(&keep);
        if self.columns.is_empty() {
            return Err(self.unusable("no column has any value".into()));
        }
        self.finish_words();
        let usable = self.usable();
        let counts = self.missing_by_column(&usable);
        self.note_left_out(&usable, &counts)?;
        self.note_missing(&counts);
        Ok(self.into_raw(&usable))
    }

    fn rows(&self) -> usize {
        self.numbers.len()
    }

    /// Whether the columns were left to this program to choose: what was asked for stays.
    fn is_free(&self) -> bool {
        self.request.options.columns.is_empty() && self.request.like.is_none()
    }

    /// Whether rows with missing values are left out.
    fn leaves_out(&self) -> bool {
        self.request.options.missing == Missing::Drop
    }

    fn unusable(&self, reason: String) -> DataError {
        DataError::unusable(self.path.display(), reason)
    }

    /// Whether a column is learned from; notes why not, unless it has no value at all.
    fn keeps(&mut self, place: usize) -> Result<bool, DataError> {
        let (rows, is_free, width) = (self.rows(), self.is_free(), self.columns.len());
        let filled = rows - self.missing[place];
        let raw = &self.columns[place];
        if filled == 0 && is_free {
            return Ok(false);
        }
        if raw.asked.is_some() {
            return Ok(true);
        }
        let name = shown(&raw.column.name);
        match &self.words[place] {
            Some(words) => {
                let Some(why) = words.refusal(filled) else { return Ok(true) };
                if !is_free {
                    return Err(self.unusable(format!(
                        "nothing can be learned from the column `{name}`: {why}; {} learns from it all the same",
                        read_as(&name, ValueKind::Category)
                    )));
                }
                self.notes.push(format!(
                    "the column {name} was left out: {why}; {} learns from it all the same",
                    read_as(&name, ValueKind::Category)
                ));
                // It is not one of those without any value.
                self.missing[place] = 0;
                Ok(false)
            }
            None if is_free && filled == rows && width > 1 => {
                let cells = || self.values.iter().skip(place).step_by(width).copied();
                let Some(why) = names::why(&raw.column, cells) else { return Ok(true) };
                self.notes.push(format!(
                    "the column {name} was left out: {why}, which name rows rather than describe them; {} learns \
                     from it all the same",
                    read_as(&name, ValueKind::Number)
                ));
                Ok(false)
            }
            None => Ok(true),
        }
    }

    /// Leaves out the columns that are not marked, and notes those without any value.
    fn keep_columns(&mut self, keep: &[bool]) {
        if !keep.contains(&false) {
            return;
        }
        let rows = self.rows();
        let empty = self.columns.iter().zip(&self.missing).filter(|(_, missing)| **missing == rows);
        let empty: Vec<&str> = empty.map(|(raw, _)| raw.column.name.as_str()).collect();
        if !empty.is_empty() && self.is_free() {
            self.notes.push(format!("columns without any value were left out: {}", list(&empty)));
        }
        retain_in_rows(&mut self.values, keep);
        retain_in_rows(&mut self.missing, keep);
        retain_in_rows(&mut self.words, keep);
        retain_in_rows(&mut self.columns, keep);
    }

    /// Puts the words of each column in their final order.
    fn finish_words(&mut self) {
        let width = self.columns.len();
        for (place, words) in std::mem::take(&mut self.words).into_iter().enumerate() {
            let Some(words) = words else { continue };
            let cells = self.values.iter_mut().skip(place).step_by(width);
            let column = &mut self.columns[place].column;
            let said = words.finish(column, self.request.options.rare, cells);
            self.notes.extend(said.into_iter().map(|note| format!("{}: {note}", shown(&column.name))));
        }
    }

    fn is_labelled(&self, row: usize) -> bool {
        self.labels.as_ref().is_none_or(|labels| labels.known[row])
    }

    /// Which rows can be used.
    fn usable(&self) -> Vec<bool> {
        let width = self.columns.len();
        // Rows for a model all stay: there is something to say of a row without any value, too.
        let is_applied = self.request.like.is_some() && !self.request.is_own;
        let is_usable = |(row, values): (usize, &[f32])| {
            let missing = values.iter().filter(|value| value.is_nan()).count();
            self.is_labelled(row) && if self.leaves_out() { missing == 0 } else { missing < width || is_applied }
        };
        self.values.chunks_exact(width).enumerate().map(is_usable).collect()
    }

    /// The columns in which values are missing, and how many, the most first.
    fn missing_by_column(&self, usable: &[bool]) -> Vec<String> {
        // Columns in which nothing is missing are left out at once, since a table may have very many.
        let with_missing = self.missing.iter().zip(&self.columns).filter(|(count, _)| **count > 0);
        let mut counts: Vec<(usize, &str)> =
            with_missing.map(|(count, raw)| (*count, raw.column.name.as_str())).collect();
        if !usable.contains(&false) || self.leaves_out() {
            counts.push(((0..self.rows()).filter(|row| !self.is_labelled(*row)).count(), "the label"));
        }
        counts.retain(|(count, _)| *count > 0);
        counts.sort_by_key(|(count, _)| Reverse(*count));
        counts.into_iter().map(|(count, name)| format!("{name} {count}")).collect()
    }

    /// Notes how many rows are left out, and why; that may not be all.
    fn note_left_out(&mut self, usable: &[bool], counts: &[String]) -> Result<(), DataError> {
        let Some(first) = usable.iter().position(|usable| !usable) else { return Ok(()) };
        let (rows, unit, first) = (self.rows(), self.unit, self.numbers[first]);
        let left_out = usable.iter().filter(|usable| !**usable).count();
        if self.leaves_out() {
            let what = format!("values are missing, first on {unit} {first} ({})", list(counts));
            if left_out == rows {
                return Err(self.unusable(format!(
                    "every row has a missing value: {what}; choose complete columns with `data.columns`"
                )));
            }
            self.notes.push(format!("{left_out} of {rows} rows were left out because {what}"));
        } else {
            if left_out == rows {
                return Err(self.unusable("no row has both a label and a value".into()));
            }
            self.notes.push(format!(
                "{left_out} of {rows} rows were left out because they have no label or no value, first on {unit} {first}"
            ));
        }
        Ok(())
    }

    /// Notes how many cells are missing, and what becomes of them.
    fn note_missing(&mut self, counts: &[String]) {
        let missing = self.values.iter().filter(|value| value.is_nan()).count();
        let is_new = self.request.like.is_some_and(|like| !like.missing);
        let (cells, by_column) = (self.values.len(), list(counts));
        if missing > 0 && is_new {
            self.notes.push(format!(
                "{missing} of {cells} cells are missing ({by_column}), and no row that was trained on had any: the middle of the column stands \
                 for each"
            ));
        } else if missing > 0 && !self.leaves_out() {
            self.notes.push(format!(
                "{missing} of {cells} cells are missing ({by_column}): what is there is learned from; `data.missing = \"drop\"` leaves such rows out"
            ));
        }
    }

    /// The usable rows.
    fn into_raw(self, usable: &[bool]) -> Raw {
        let (rows, width) = (self.rows(), self.columns.len());
        let mut split = Examples {
            origins: Some(Origins::Numbered(self.unit, self.numbers)),
            labels: self.labels.as_ref().map(|labels| labels.classes.clone()),
            unseen: self.unseen,
            ..Examples::of(rows, Values::Floats(self.values))
        };
        split.retain(usable);
        let classes = self.labels.map(|labels| labels.names).unwrap_or_default();
        let columns = RawColumns { all: self.columns, are_named: true, dialect: self.dialect };
        Raw { classes, columns: Some(columns), notes: self.notes, ..Raw::of("", Shape::Table(width), split) }
    }
}

/// The key that has a column read as another kind.
fn read_as(name: &str, kind: ValueKind) -> String {
    format!("`data.kinds = [{}]`", toml_text(&format!("{name}={}", kind.name())))
}

/// Keeps the marked columns of every row.
pub fn retain_in_rows<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut marks = keep.iter().cycle();
    values.retain(|_| marks.next().copied().unwrap_or(true));
}
