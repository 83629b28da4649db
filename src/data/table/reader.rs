//! The rows of a table as they are read, and what its columns turn out to be.

use std::path::Path;

use super::super::error::{Unit, list, shown};
use super::super::raw::{Raw, RawColumns, Request};
use super::super::{DataError, Kind, Missing, Origins, Shape, Split, Values};
use super::content::Content;
use super::field::Field;
use super::labels::Labels;
use super::layout::{Chosen, Layout};
use super::records::Record;
use super::words::Words;

/// What the cells of a column are.
enum Column {
    /// Not known yet: all so far are missing.
    Open,
    /// Numbers.
    Numbers,
    /// Words. Most columns have none.
    Words(Box<Words>),
}

/// A table while it is being read.
pub struct Reader<'a> {
    path: &'a Path,
    layout: Layout,
    chosen: &'a Chosen,
    request: &'a Request<'a>,
    decimal_comma: bool,
    /// What rows are counted in.
    unit: Unit,
    /// Row by row, NaN where a value is missing; of words, numbers of words.
    values: Vec<f32>,
    /// The number of each row in the file.
    numbers: Vec<u64>,
    labels: Option<Labels>,
    columns: Vec<Column>,
    /// The kinds that were asked for.
    asked: Vec<Option<Kind>>,
    /// Missing values of each column.
    missing: Vec<usize>,
}

impl<'a> Reader<'a> {
    pub fn new(
        path: &'a Path,
        content: &Content,
        layout: Layout,
        chosen: &'a Chosen,
        request: &'a Request<'a>,
    ) -> Result<Self, DataError> {
        let mut asked = vec![None; chosen.columns.len()];
        let mut known: Vec<&[String]> = vec![&[]; chosen.columns.len()];
        for named in &request.options.kinds {
            let place = chosen.columns.iter().position(|column| layout.names[*column] == named.name);
            let Some(place) = place else {
                let names: Vec<&String> = chosen.columns.iter().map(|column| &layout.names[*column]).collect();
                let reason = format!("there is no column `{}` to learn from; there are {}", named.name, list(&names));
                return Err(DataError::unusable(path.display(), reason));
            };
            (asked[place], known[place]) = (Some(named.kind), &named.words);
        }
        // What a model knows is read as it was there; a category that was asked for has words, whatever they look like.
        let column = |place: usize| match request.like {
            Some(like) if like.kinds.get(place).is_some_and(|kind| kind.is_of_words()) => {
                Column::Words(Words::known(&like.words[place]).into())
            }
            Some(_) => Column::Numbers,
            None if !known[place].is_empty() => Column::Words(Words::known(known[place]).into()),
            None if asked[place] == Some(Kind::Category) => Column::Words(Box::default()),
            None if asked[place].is_none() && content.is_of_words(chosen.columns[place]) => {
                Column::Words(Box::default())
            }
            None => Column::Open,
        };
        // Room for all values at once: while a vector grows, it is there twice.
        let (most_rows, most_values) = content.most(chosen.columns.len());
        Ok(Self {
            path,
            layout,
            chosen,
            request,
            decimal_comma: content.decimal_comma(),
            unit: content.unit(),
            values: Vec::with_capacity(most_values),
            numbers: Vec::with_capacity(most_rows),
            labels: chosen.label.map(|_| Labels::default()),
            columns: (0..chosen.columns.len()).map(column).collect(),
            asked,
            missing: vec![0; chosen.columns.len()],
        })
    }

    /// Whether rows with missing values are left out: a model that was trained on whole rows cannot take them.
    fn leaves_out(&self) -> bool {
        self.request.options.missing == Missing::Drop || self.request.like.is_some_and(|like| !like.gaps)
    }

    fn error(&self, record: &Record, reason: String) -> DataError {
        DataError::Row { path: self.path.to_path_buf(), unit: self.unit, number: record.number, reason }
    }

    /// Takes a row.
    pub fn row(&mut self, record: &Record) -> Result<(), DataError> {
        let expected = self.layout.names.len();
        if record.len() < expected || record.filled() > expected {
            let reason = format!("it has {} fields, but the table has {expected} columns", record.len());
            return Err(self.error(record, reason));
        }
        for (place, column) in self.chosen.columns.iter().enumerate() {
            let value = match (record.field(*column, self.decimal_comma), &mut self.columns[place]) {
                (Field::Missing, _) => None,
                (Field::Number(number), Column::Numbers) => Some(number as f32),
                (Field::Number(number), open @ Column::Open) => {
                    *open = Column::Numbers;
                    Some(number as f32)
                }
                (_, Column::Words(words)) => words.place(&record.text(*column)),
                // Infinite numbers are words, but a column of numbers that begins with one is none of words.
                (Field::Word(word), open @ Column::Open) if word.parse::<f64>().is_err() => {
                    let mut words = Box::<Words>::default();
                    let first = words.place(word);
                    *open = Column::Words(words);
                    first
                }
                (Field::Word(word), Column::Numbers | Column::Open) => {
                    let (name, word) = (shown(&self.layout.names[*column]), shown(word));
                    let reason = format!(
                        "the column `{name}` holds `{word}`, which is not a number: correct it, or read the column as words \
                         with --column '{name}=category'"
                    );
                    return Err(self.error(record, reason));
                }
            };
            if value.is_none() {
                if self.request.options.strict && self.leaves_out() {
                    let name = shown(&self.layout.names[*column]);
                    return Err(self.error(record, format!("the column `{name}` has no value")));
                }
                self.missing[place] += 1;
            }
            self.values.push(value.unwrap_or(f32::NAN));
        }
        if let (Some(labels), Some(column)) = (&mut self.labels, self.chosen.label) {
            let known = labels.add(&record.text(column));
            if !known && self.request.options.strict {
                return Err(self.error(record, "the row has no label".into()));
            }
        }
        self.numbers.push(record.number);
        Ok(())
    }

    /// All rows that were taken, and what their columns are.
    pub fn finish(mut self) -> Result<Raw, DataError> {
        let (rows, unit) = (self.numbers.len(), self.unit);
        let unusable = |reason: String| Err(DataError::unusable(self.path.display(), reason));
        if rows == 0 {
            return unusable("it has a header, but no rows".into());
        }
        let mut notes = std::mem::take(&mut self.layout.notes);
        let mut names: Vec<String> =
            self.chosen.columns.iter().map(|column| std::mem::take(&mut self.layout.names[*column])).collect();
        // What was asked for stays.
        let is_free = self.request.options.columns.is_empty() && self.request.like.is_none();
        let mut keep = vec![true; names.len()];
        for (place, column) in self.columns.iter_mut().enumerate() {
            let filled = rows - self.missing[place];
            if filled == 0 && is_free {
                keep[place] = false;
            } else if let Column::Words(words) = column
                && let Some(why) = words.refusal(filled).filter(|_| self.asked[place].is_none())
            {
                if !is_free {
                    return unusable(format!(
                        "nothing can be learned from the column `{}`: {why}",
                        shown(&names[place])
                    ));
                }
                notes.push(format!("the column {} was left out: {why}", shown(&names[place])));
                keep[place] = false;
                // It is not one of those without any value.
                self.missing[place] = 0;
            }
        }
        if keep.contains(&false) {
            let empty: Vec<&String> =
                names.iter().zip(&self.missing).filter(|(_, missing)| **missing == rows).map(|(n, _)| n).collect();
            if !empty.is_empty() && is_free {
                notes.push(format!("columns without any value were left out: {}", list(&empty)));
            }
            retain_in_rows(&mut self.values, &keep);
            retain_in_rows(&mut names, &keep);
            retain_in_rows(&mut self.missing, &keep);
            retain_in_rows(&mut self.columns, &keep);
            retain_in_rows(&mut self.asked, &keep);
        }
        let width = names.len();
        if width == 0 {
            return unusable("no column has any value".into());
        }
        let leaves_out = self.leaves_out();
        let words: Vec<Option<Vec<String>>> = self
            .columns
            .into_iter()
            .enumerate()
            .map(|(place, column)| match column {
                Column::Words(words) => Some(words.finish(self.values.iter_mut().skip(place).step_by(width))),
                Column::Open | Column::Numbers => None,
            })
            .collect();
        let labels = self.labels.map(Labels::finish);
        let labelled = |row: usize| labels.as_ref().is_none_or(|labels| labels.known[row]);
        let usable: Vec<bool> = self
            .values
            .chunks_exact(width)
            .enumerate()
            .map(|(row, values)| {
                let missing = values.iter().filter(|value| value.is_nan()).count();
                labelled(row) && if leaves_out { missing == 0 } else { missing < width }
            })
            .collect();
        let mut counts: Vec<(usize, &str)> =
            self.missing.iter().zip(&names).map(|(count, name)| (*count, name.as_str())).collect();
        let without = usable.iter().filter(|usable| !**usable).count();
        if without == 0 || leaves_out {
            counts.push(((0..rows).filter(|row| !labelled(*row)).count(), "the label"));
        }
        counts.retain(|(count, _)| *count > 0);
        counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let counts: Vec<String> = counts.into_iter().map(|(count, name)| format!("{name} {count}")).collect();
        let first_without = usable.iter().position(|usable| !usable).map_or(1, |row| self.numbers[row]);
        match without {
            0 => {}
            _ if leaves_out => {
                let what = format!("values are missing, first on {unit} {first_without} ({})", list(&counts));
                if without == rows {
                    return unusable(format!(
                        "every row has a missing value: {what}; choose complete columns with --columns"
                    ));
                }
                notes.push(format!("{without} of {rows} rows were left out because {what}"));
            }
            _ => {
                if without == rows {
                    return unusable("no row has both a label and a value".into());
                }
                notes.push(format!(
                    "{without} of {rows} rows were left out because they have no label or no value, first on {unit} {first_without}"
                ));
            }
        }
        let gaps = self.values.iter().filter(|value| value.is_nan()).count();
        if gaps > 0 && !leaves_out {
            notes.push(format!(
                "{gaps} of {} values are missing ({}): what is there is learned from; --missing drop leaves such rows out",
                self.values.len(),
                list(&counts)
            ));
        }
        let mut split = Split {
            origins: Some(Origins::Numbered(unit, self.numbers)),
            labels: labels.as_ref().map(|labels| labels.classes.clone()),
            ..Split::of(rows, Values::Floats(self.values))
        };
        split.retain(&usable);
        let classes = labels.map(|labels| labels.names).unwrap_or_default();
        let columns = RawColumns { names, words, asked: self.asked, are_named: true };
        Ok(Raw { classes, columns: Some(columns), notes, ..Raw::of("", Shape::Table(width), split) })
    }
}

/// Keeps the marked columns of every row.
pub fn retain_in_rows<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut marks = keep.iter().cycle();
    values.retain(|_| marks.next().copied().unwrap_or(true));
}
