//! The rows of a table as they are read.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::columns::UNKNOWN;
use super::super::error::{Unit, shown};
use super::super::raw::{Raw, RawColumn, Request};
use super::super::{DataError, Missing, Unseen};
use super::content::TableContent;
use super::labels::LabelReader;
use super::layout::ChosenColumns;
use super::plan::{Planned, ReadPlan};
use super::records::TableRecord;
use super::rows::TableRows;
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
                let number = planned.number(&text, typed).filter(|number| number.is_finite());
                number.map(|number| planned.raw.column.raw(number))
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
    pub fn finish(self) -> Result<Raw, DataError> {
        // In place: a table may have very many columns.
        let mut columns: Vec<RawColumn> = self.plan.columns.into_iter().map(|planned| planned.raw).collect();
        for (place, odd) in self.odd {
            columns[place].column.odd = odd;
        }
        let rows = TableRows {
            path: self.path,
            request: self.request,
            unit: self.unit,
            columns,
            dialect: self.plan.dialect,
            values: self.values,
            numbers: self.numbers,
            labels: self.labels.map(LabelReader::finish),
            words: self.words,
            missing: self.missing,
            unseen: self.unseen,
            notes: self.plan.notes,
        };
        rows.finish()
    }
}
