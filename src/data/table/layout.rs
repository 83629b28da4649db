//! The names of a table's columns, and which of them are chosen.

use std::path::Path;

use super::super::DataError;
use super::super::error::list;
use super::super::raw::Request;
use super::dialect::{SAMPLE, Separator, has_header};
use super::field::{self, Field, bare};
use super::records::{Record, records};

/// The columns of a table.
pub struct Layout {
    /// Their names; numbers from 1 if there is no header.
    pub names: Vec<String>,
    /// How many rows precede the first row of values.
    pub above: usize,
    /// The first column only names the rows.
    row_names: bool,
    pub notes: Vec<String>,
}

/// The chosen columns, by index.
pub struct Chosen {
    pub columns: Vec<usize>,
    pub label: Option<usize>,
}

impl Layout {
    pub fn find(path: &Path, text: &str, separator: Separator) -> Result<Self, DataError> {
        let failed = |reason: String| DataError::unusable(path.display(), reason);
        let sample: Vec<Record> =
            records(text, separator).take(SAMPLE).collect::<Result<_, String>>().map_err(failed)?;
        if sample.is_empty() {
            return Err(failed("it is empty".into()));
        }
        let words: Vec<Vec<String>> = sample.iter().map(|row| row.iter().map(String::from).collect()).collect();
        let counts = usize::from(begins_with_counts(&words));
        let header = has_header(&words[counts..], separator.decimal_comma());
        let above = counts + usize::from(header);
        let mut layout = Self { names: Vec::new(), above, row_names: false, notes: Vec::new() };
        if counts > 0 {
            layout.notes.push(
                "the first line was left out because it holds only counts and class names, as in files of scikit-learn"
                    .into(),
            );
        }
        let rows = &sample[above..];
        if header {
            layout.name(&sample[counts], rows);
        } else {
            layout.names = (1..=usual_length(rows)).map(|place| place.to_string()).collect();
        }
        Ok(layout)
    }

    fn name(&mut self, header: &Record, rows: &[Record]) {
        let named = header.filled();
        let mut names: Vec<String> =
            header.iter().take(named).map(|name| bare(name.trim_start_matches('#')).to_string()).collect();
        // Some programs write row names without a name for their column.
        if !rows.is_empty() && rows.iter().all(|row| row.filled() == named + 1) {
            names.insert(0, String::new());
        }
        if names.first().is_some_and(String::is_empty) && names.len() > 1 {
            self.row_names = true;
            self.notes.push("the first column has no name, so it was read as row names".into());
        }
        for place in 0..names.len() {
            if names[place].is_empty() {
                names[place] = format!("column {}", place + 1);
            }
            let (before, rest) = names.split_at_mut(place);
            let double = before.iter().filter(|name| **name == rest[0]).count();
            if double > 0 {
                rest[0] = format!("{}.{double}", rest[0]);
            }
        }
        self.names = names;
    }

    /// The columns to learn from and the label's.
    pub fn choose(&self, path: &Path, request: &Request<'_>) -> Result<Chosen, DataError> {
        let options = request.options;
        let label = match &options.label {
            None => None,
            Some(name) => match self.place(name) {
                None if request.label_needed => {
                    let reason =
                        format!("there is no column `{name}` to take labels from; there are {}", list(&self.names));
                    return Err(DataError::unusable(path.display(), reason));
                }
                place => place,
            },
        };
        let mut columns = Vec::new();
        for name in &options.columns {
            let Some(place) = self.place(name) else {
                if request.label_needed {
                    let reason = format!("there is no column `{name}`; there are {}", list(&self.names));
                    return Err(DataError::unusable(path.display(), reason));
                }
                return Err(DataError::Mismatch {
                    takes: format!("the columns {}", list(&options.columns)),
                    source_name: path.display().to_string(),
                    has: format!("no column `{name}`"),
                });
            };
            if !columns.contains(&place) {
                columns.push(place);
            }
        }
        if options.columns.is_empty() {
            let first = usize::from(self.row_names);
            columns = (first..self.names.len()).filter(|place| Some(*place) != label).collect();
        }
        if columns.is_empty() {
            return Err(DataError::unusable(path.display(), "it has no column to learn from apart from the label"));
        }
        Ok(Chosen { columns, label })
    }

    /// The column of this name; case is ignored if only one column matches that way.
    fn place(&self, name: &str) -> Option<usize> {
        let name = name.trim();
        let exact = self.names.iter().position(|n| n == name);
        let alike = || {
            let mut alike = (0..self.names.len()).filter(|place| self.names[*place].eq_ignore_ascii_case(name));
            alike.next().filter(|_| alike.next().is_none())
        };
        exact.or_else(alike)
    }
}

/// Whether a table begins like those of scikit-learn: number of rows, number of feature columns, class names.
fn begins_with_counts(rows: &[Vec<String>]) -> bool {
    let [first, second, ..] = rows else { return false };
    let [rows, columns, names @ ..] = first.as_slice() else { return false };
    let is_word = |name: &String| matches!(field::read(name, false), Field::Word(_));
    rows.parse::<usize>().is_ok()
        && columns.parse() == Ok(second.len().saturating_sub(1))
        && !names.is_empty()
        && names.iter().all(is_word)
}

/// The most frequent row length, not counting an empty last field that all rows have.
fn usual_length(rows: &[Record]) -> usize {
    let alike = |length: usize| rows.iter().filter(|row| row.len() == length).count();
    let most = rows.iter().map(Record::len).max_by_key(|length| (alike(*length), *length)).unwrap_or(0);
    rows.iter().filter(|row| row.len() == most).map(Record::filled).max().unwrap_or(0)
}
