//! The names of a table's columns, and which of them are chosen.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::super::DataError;
use super::super::error::list;
use super::super::raw::Request;
use super::dialect::{Separator, has_header, sample};
use super::field::{self, Look, bare};
use super::records::{TableRecord, records};

/// How many fields the inspected rows may have together.
const SAMPLED_FIELDS: usize = 1 << 18;

/// The columns of a table.
pub struct Layout {
    /// Their names; numbers from 1 if there is no header.
    pub names: Vec<String>,
    /// How many rows precede the first row of values.
    pub above: usize,
    /// The column that only names the rows.
    pub row_names: Option<usize>,
    /// Whether the file names them.
    pub has_header: bool,
    pub notes: Vec<String>,
}

/// The chosen columns, by index.
pub struct ChosenColumns {
    pub columns: Vec<usize>,
    pub label: Option<usize>,
}

impl Layout {
    pub fn find(path: &Path, text: &str, separator: Separator) -> Result<Self, DataError> {
        let failed = |reason: String| DataError::unusable(path.display(), reason);
        let fields = |record: &Result<TableRecord, String>| record.as_ref().map_or(0, TableRecord::len);
        let sample: Vec<TableRecord> = sample(records(text, separator), SAMPLED_FIELDS, fields)
            .into_iter()
            .collect::<Result<_, String>>()
            .map_err(failed)?;
        if sample.is_empty() {
            return Err(failed("it is empty".into()));
        }
        let words: Vec<Vec<&str>> = sample.iter().map(|row| row.iter().collect()).collect();
        let counts = usize::from(begins_with_counts(&words));
        let header = has_header(&words[counts..], separator.decimal_comma());
        drop(words);
        let above = counts + usize::from(header);
        let mut layout = Self { names: Vec::new(), above, row_names: None, has_header: header, notes: Vec::new() };
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

    /// The columns of a file that names them itself.
    pub fn named(mut names: Vec<String>) -> Self {
        make_unique(&mut names);
        Self { names, above: 0, row_names: None, has_header: true, notes: Vec::new() }
    }

    fn name(&mut self, header: &TableRecord, rows: &[TableRecord]) {
        // A column that has cells has a name, be it an empty one.
        let cells = rows.iter().map(TableRecord::filled).max().unwrap_or(0);
        let named = header.filled().max(cells.min(header.iter().count()));
        let mut names: Vec<String> =
            header.iter().take(named).map(|name| bare(name.trim_start_matches('#')).to_string()).collect();
        // Some programs write row names without a name for their column.
        if !rows.is_empty() && rows.iter().all(|row| row.filled() == named + 1) {
            names.insert(0, String::new());
        }
        if names.first().is_some_and(String::is_empty) && names.len() > 1 {
            self.row_names = Some(0);
            self.notes.push("the first column has no name, so it was read as row names".into());
        }
        make_unique(&mut names);
        self.names = names;
    }

    /// The columns to learn from and the label's.
    pub fn choose(&self, path: &Path, request: &Request<'_>) -> Result<ChosenColumns, DataError> {
        let options = request.options;
        let is_named = options.label.is_some()
            || !options.columns.is_empty()
            || !options.drop_columns.is_empty()
            || !options.kinds.is_empty();
        let places = Places::of_names(if is_named { &self.names } else { &[] });
        let label = match &options.label {
            None => None,
            Some(name) => match places.of(name) {
                None if request.label_needed => {
                    let reason =
                        format!("there is no column `{name}` to take labels from; there are {}", list(&self.names));
                    return Err(DataError::unusable(path.display(), reason));
                }
                place => place,
            },
        };
        let mut columns = Vec::new();
        let mut is_chosen = vec![false; self.names.len()];
        for name in &options.columns {
            let Some(place) = places.of(name) else {
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
            if !std::mem::replace(&mut is_chosen[place], true) {
                columns.push(place);
            }
        }
        if options.columns.is_empty() {
            let ignored = options.kinds.iter().filter(|named| named.kind.is_none()).map(|named| &named.name);
            let mut is_left_out = vec![false; self.names.len()];
            for name in options.drop_columns.iter().chain(ignored) {
                let Some(place) = places.of(name) else {
                    let reason = format!("there is no column `{name}` to leave out; there are {}", list(&self.names));
                    return Err(DataError::unusable(path.display(), reason));
                };
                is_left_out[place] = true;
            }
            let is_value =
                |place: &usize| Some(*place) != label && Some(*place) != self.row_names && !is_left_out[*place];
            columns = (0..self.names.len()).filter(is_value).collect();
        }
        if columns.is_empty() {
            return Err(DataError::unusable(path.display(), "it has no column to learn from apart from the label"));
        }
        Ok(ChosenColumns { columns, label })
    }
}

/// Gives every column a name of its own.
fn make_unique(names: &mut [String]) {
    for (place, name) in names.iter_mut().enumerate().filter(|(_, name)| name.is_empty()) {
        *name = format!("column {}", place + 1);
    }
    // Numbers of names are sorted, and not copies: there may be very many names, and copies take much room.
    let mut order: Vec<u32> = (0..names.len() as u32).collect();
    order.sort_unstable_by(|a, b| names[*a as usize].cmp(&names[*b as usize]));
    if order.windows(2).all(|pair| names[pair[0] as usize] != names[pair[1] as usize]) {
        return;
    }
    let mut taken: HashSet<String> = HashSet::with_capacity(names.len());
    let mut doubles: HashMap<String, usize> = HashMap::new();
    for name in names.iter_mut() {
        if !taken.insert(name.clone()) {
            // The number goes on from the last one of this name.
            let double = doubles.entry(name.clone()).or_default();
            *name = loop {
                *double += 1;
                let next = format!("{name}.{double}");
                if taken.insert(next.clone()) {
                    break next;
                }
            };
        }
    }
}

/// Where each column is, by its name.
pub struct Places<'a> {
    exact: HashMap<&'a str, usize>,
    /// By the name in lower case; none where several columns have it.
    alike: HashMap<String, Option<usize>>,
}

impl<'a> Places<'a> {
    /// The places of columns with these names.
    pub fn of_names(names: &'a [String]) -> Self {
        let mut places = Self { exact: HashMap::new(), alike: HashMap::new() };
        for (place, name) in names.iter().enumerate() {
            places.exact.entry(name).or_insert(place);
            places.alike.entry(name.to_ascii_lowercase()).and_modify(|known| *known = None).or_insert(Some(place));
        }
        places
    }

    /// The column of this name; case is ignored if only one column matches that way.
    pub fn of(&self, name: &str) -> Option<usize> {
        let name = name.trim();
        let alike = || self.alike.get(&name.to_ascii_lowercase()).copied().flatten();
        self.exact.get(name).copied().or_else(alike)
    }
}

/// Whether a table begins like those of scikit-learn: number of rows, number of feature columns, class names.
fn begins_with_counts(rows: &[Vec<&str>]) -> bool {
    let [first, second, ..] = rows else { return false };
    let [rows, columns, names @ ..] = first.as_slice() else { return false };
    let is_word = |name: &&str| field::look(name, false) == Look::Word;
    rows.parse::<usize>().is_ok()
        && columns.parse() == Ok(second.len().saturating_sub(1))
        && !names.is_empty()
        && names.iter().all(is_word)
}

/// The most frequent row length, not counting an empty last field that all rows have.
fn usual_length(rows: &[TableRecord]) -> usize {
    let alike = |length: usize| rows.iter().filter(|row| row.len() == length).count();
    let most = rows.iter().map(TableRecord::len).max_by_key(|length| (alike(*length), *length)).unwrap_or(0);
    rows.iter().filter(|row| row.len() == most).map(TableRecord::filled).max().unwrap_or(0)
}
