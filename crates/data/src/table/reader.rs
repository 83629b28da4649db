//! The rows of a table as they are read, and what its columns turn out to be.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::columns::UNKNOWN;
use super::super::error::{Unit, list, shown};
use super::super::raw::{Raw, RawColumn, RawColumns, Request};
use super::super::{DataError, Examples, Missing, Origins, Shape, Unseen, Values};
use super::content::TableContent;
use super::labels::LabelReader;
use super::layout::ChosenColumns;
use super::names;
use super::plan::{Planned, ReadPlan};
use super::records::TableRecord;
use super::words::Words;

/// A table while it is being read.
pub struct Reader<'a> {
    path: &'a Path,
    request: &'a Request<'a>,
    plan: ReadPlan,
    label: Option<usize>,
    /// What rows are counted in.
    unit: Unit,
    /// Row by row, NaN where a value is missing; of words, numbers of words.
    values: Vec<f32>,
    /// The number of each row in the file.
    numbers: Vec<u64>,
    labels: Option<LabelReader>,
    /// The words of each column that has any.
    words: Vec<Option<Box<Words>>>,
    /// Missing values of each column.
    missing: Vec<usize>,
    /// Words where numbers are, which count as missing.
    odd: BTreeMap<usize, Vec<String>>,
    unseen: Vec<Unseen>,
}

/// Different words of a column of numbers that are known as missing ones.
const MAX_ODD: usize = 300;

impl<'a> Reader<'a> {
    pub fn new(
        path: &'a Path,
        content: &TableContent,
        chosen: &ChosenColumns,
        plan: ReadPlan,
        request: &'a Request<'a>,
    ) -> Self {
        let of_words = |planned: &Planned| {
            planned.raw.is_of_words.then(|| match request.like {
                Some(_) => Box::new(Words::known(&planned.raw.column)),
                None => Box::default(),
            })
        };
        // Room for all values at once: while a vector grows, it is there twice.
        let (most_rows, most_values) = content.most(plan.columns.len());
        Self {
            path,
            request,
            label: chosen.label,
            unit: content.unit(),
            values: Vec::with_capacity(most_values),
            numbers: Vec::with_capacity(most_rows),
            labels: chosen.label.map(|_| LabelReader::default()),
            words: plan.columns.iter().map(of_words).collect(),
            missing: vec![0; plan.columns.len()],
            odd: BTreeMap::new(),
            unseen: Vec::new(),
            plan,
        }
    }

    /// Whether rows with missing values are left out.
    fn leaves_out(&self) -> bool {
        self.request.options.missing == Missing::Drop
    }

    fn error(&self, record: &TableRecord, reason: String) -> DataError {
        DataError::Row { path: self.path.to_path_buf(), unit: self.unit, number: record.number, reason }
    }

    /// Takes a row.
    pub fn row(&mut self, record: &TableRecord) -> Result<(), DataError> {
        for number in 0..self.plan.columns.len() {
            let value = self.cell(number, record);
            if value.is_nan() {
                if self.request.options.strict && self.leaves_out() {
                    let Planned { raw, place } = &self.plan.columns[number];
                    let (name, text) = (shown(&raw.column.name), record.text(*place));
                    let reason = match raw.column.is_missing(&text) {
                        true => format!("the column `{name}` has no value"),
                        false => format!("the column `{name}` holds `{}`, which is not a number", shown(&text)),
                    };
                    return Err(self.error(record, reason));
                }
                self.missing[number] += 1;
            }
            self.values.push(value);
        }
        if let (Some(labels), Some(column)) = (&mut self.labels, self.label) {
            let known = labels.add(&record.text(column));
            if !known && self.request.options.strict {
                return Err(self.error(record, "the row has no label".into()));
            }
        }
        self.numbers.push(record.number);
        Ok(())
    }

    /// The raw cell of a column in a row: NaN where it is missing.
    fn cell(&mut self, number: usize, record: &TableRecord) -> f32 {
        let planned = &self.plan.columns[number];
        let (text, typed) = (record.text(planned.place), record.typed(planned.place));
        if text.is_empty() || planned.is_missing(&text, typed) {
            return f32::NAN;
        }
        let raw = match &mut self.words[number] {
            Some(words) => words.place(planned.part(&text)),
            None => {
                let number = planned.number(&text, typed).map(|number| (number - planned.raw.column.offset) as f32);
                number.filter(|number| number.is_finite())
            }
        };
        if let Some(raw) = raw {
            return raw;
        }
        match self.request.like {
            Some(_) if self.request.is_own && self.words[number].is_none() => f32::NAN,
            Some(_) => {
                let what = if self.words[number].is_some() { "was never seen" } else { "is no number of this column" };
                let why = format!("`{}` {what}", shown(&text));
                self.unseen.push(Unseen { row: self.numbers.len(), column: number, why });
                UNKNOWN
            }
            None => {
                let odd = self.odd.entry(number).or_default();
                if odd.len() < MAX_ODD && !odd.iter().any(|known| *known == text) {
                    odd.push(text.into_owned());
                }
                f32::NAN
            }
        }
    }

    /// All rows that were taken, and what their columns are.
    pub fn finish(mut self) -> Result<Raw, DataError> {
        let (rows, unit) = (self.numbers.len(), self.unit);
        let unusable = |reason: String| Err(DataError::unusable(self.path.display(), reason));
        if rows == 0 {
            return unusable("it has a header, but no rows".into());
        }
        let options = self.request.options;
        let mut notes = std::mem::take(&mut self.plan.notes);
        let dialect = self.plan.dialect;
        // In place: a table may have very many columns.
        let mut columns: Vec<RawColumn> =
            std::mem::take(&mut self.plan.columns).into_iter().map(|planned| planned.raw).collect();
        for (place, odd) in std::mem::take(&mut self.odd) {
            columns[place].column.odd = odd;
        }
        // What was asked for stays.
        let is_free = options.columns.is_empty() && self.request.like.is_none();
        let mut keep = vec![true; columns.len()];
        for (place, raw) in columns.iter().enumerate() {
            let filled = rows - self.missing[place];
            let name = shown(&raw.column.name);
            if filled == 0 && is_free {
                keep[place] = false;
            } else if let Some(why) = self.words[place].as_ref().and_then(|words| words.refusal(filled))
                && raw.asked.is_none()
            {
                if !is_free {
                    return unusable(format!(
                        "nothing can be learned from the column `{name}`: {why}; --column '{name}=category' learns from it all the same"
                    ));
                }
                notes.push(format!(
                    "the column {name} was left out: {why}; --column '{name}=category' learns from it all the same"
                ));
                keep[place] = false;
                // It is not one of those without any value.
                self.missing[place] = 0;
            } else if is_free && filled == rows && raw.asked.is_none() && self.words[place].is_none() {
                let cells = || self.values.iter().skip(place).step_by(columns.len()).copied();
                if let Some(why) = names::why(&raw.column, cells).filter(|_| columns.len() > 1) {
                    notes.push(format!(
                        "the column {name} was left out: {why}, which name rows rather than describe them; --column '{name}=number' learns \
                         from it all the same"
                    ));
                    keep[place] = false;
                }
            }
        }
        if keep.contains(&false) {
            let empty: Vec<&str> = columns
                .iter()
                .zip(&self.missing)
                .filter(|(_, missing)| **missing == rows)
                .map(|(raw, _)| raw.column.name.as_str())
                .collect();
            if !empty.is_empty() && is_free {
                notes.push(format!("columns without any value were left out: {}", list(&empty)));
            }
            retain_in_rows(&mut self.values, &keep);
            retain_in_rows(&mut self.missing, &keep);
            retain_in_rows(&mut self.words, &keep);
            retain_in_rows(&mut columns, &keep);
        }
        let width = columns.len();
        if width == 0 {
            return unusable("no column has any value".into());
        }
        let leaves_out = self.leaves_out();
        for (place, words) in std::mem::take(&mut self.words).into_iter().enumerate() {
            let Some(words) = words else { continue };
            let cells = self.values.iter_mut().skip(place).step_by(width);
            let column = &mut columns[place].column;
            let said = words.finish(column, options.rare, cells);
            notes.extend(said.into_iter().map(|note| format!("{}: {note}", shown(&column.name))));
        }
        let labels = self.labels.map(LabelReader::finish);
        let labelled = |row: usize| labels.as_ref().is_none_or(|labels| labels.known[row]);
        let usable: Vec<bool> = self
            .values
            .chunks_exact(width)
            .enumerate()
            .map(|(row, values)| {
                let missing = values.iter().filter(|value| value.is_nan()).count();
                // Rows for a model all stay: there is something to say of a row without any value, too.
                let is_applied = self.request.like.is_some() && !self.request.is_own;
                labelled(row) && if leaves_out { missing == 0 } else { missing < width || is_applied }
            })
            .collect();
        // Columns in which nothing is missing are left out at once, since a table may have very many.
        let with_missing = self.missing.iter().zip(&columns).filter(|(count, _)| **count > 0);
        let mut counts: Vec<(usize, &str)> =
            with_missing.map(|(count, raw)| (*count, raw.column.name.as_str())).collect();
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
        let missing = self.values.iter().filter(|value| value.is_nan()).count();
        let is_new = self.request.like.is_some_and(|like| !like.missing);
        if missing > 0 && is_new {
            notes.push(format!(
                "{missing} of {} cells are missing ({}), and no row that was trained on had any: the middle of the column stands for each",
                self.values.len(),
                list(&counts)
            ));
        } else if missing > 0 && !leaves_out {
            notes.push(format!(
                "{missing} of {} cells are missing ({}): what is there is learned from; --missing drop leaves such rows out",
                self.values.len(),
                list(&counts)
            ));
        }
        let mut split = Examples {
            origins: Some(Origins::Numbered(unit, self.numbers)),
            labels: labels.as_ref().map(|labels| labels.classes.clone()),
            unseen: self.unseen,
            ..Examples::of(rows, Values::Floats(self.values))
        };
        split.retain(&usable);
        let classes = labels.map(|labels| labels.names).unwrap_or_default();
        let columns = RawColumns { all: columns, are_named: true, dialect };
        Ok(Raw { classes, columns: Some(columns), notes, ..Raw::of("", Shape::Table(width), split) })
    }
}

/// Keeps the marked columns of every row.
pub fn retain_in_rows<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut marks = keep.iter().cycle();
    values.retain(|_| marks.next().copied().unwrap_or(true));
}
