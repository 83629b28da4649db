//! Which columns of a table are read, and as what: as its cells show, or as a model knows them.

use std::ops::Range;
use std::path::Path;

use super::super::columns::{MISSING_WORDS, Part};
use super::super::dialect::Dialect;
use super::super::error::{list, shown};
use super::super::quote::toml_text;
use super::super::raw::{RawColumn, Request};
use super::super::{Column, DataError, Form, Options, ValueKind};
use super::content::TableContent;
use super::evidence::{Absent, Elsewhere, Evidence, Tally, are_counts};
use super::layout::{ChosenColumns, Layout};
use super::records::TableRecord;

/// A column of a model, and where a row has it.
pub struct Planned {
    pub raw: RawColumn,
    /// The place in a row.
    pub place: usize,
}

/// What is read of a table.
pub struct ReadPlan {
    pub columns: Vec<Planned>,
    pub dialect: Option<Dialect>,
    /// What was decided, a line each.
    pub notes: Vec<String>,
}

/// Columns of whose writing each has a line; of wider tables, each decision has one.
const MAX_SAID: usize = 12;

/// Columns that the cells are looked at of at once.
const AT_ONCE: usize = 2048;

/// A row with too few or too many fields.
pub fn check(path: &Path, content: &TableContent, layout: &Layout, record: &TableRecord) -> Result<(), DataError> {
    let expected = layout.names.len();
    if record.len() >= expected && record.filled() <= expected {
        return Ok(());
    }
    let reason = format!("it has {} fields, but the table has {expected} columns", record.len());
    Err(DataError::Row { path: path.to_path_buf(), unit: content.unit(), number: record.number, reason })
}

/// The words that stand for missing values in a column; none where those are that usually do.
fn missing_words(options: &Options, name: &str) -> Vec<String> {
    let of_column = |word: &String| word.rsplit_once('=').map(|(column, word)| (column.to_string(), word.to_string()));
    let everywhere: Vec<String> =
        options.missing_words.iter().filter(|word| of_column(word).is_none()).cloned().collect();
    let own = options.missing_words.iter().filter_map(of_column).filter(|(column, _)| column == name);
    let own: Vec<String> = own.map(|(_, word)| word).collect();
    match (everywhere.is_empty(), own.is_empty()) {
        (true, true) => Vec::new(),
        (true, false) => MISSING_WORDS.iter().map(|word| word.to_string()).chain(own).collect(),
        (false, _) => everywhere.into_iter().chain(own).collect(),
    }
}

impl ReadPlan {
    /// Columns are read as a model knows them.
    pub fn known(
        layout: &Layout,
        chosen: &ChosenColumns,
        like: &super::super::Columns,
        dialect: Option<Dialect>,
    ) -> Self {
        let place = |name: &str| chosen.columns.iter().copied().find(|place| layout.names[*place] == name);
        // What is asked for by name is found regardless of case.
        let alike =
            |name: &str| chosen.columns.iter().copied().find(|place| layout.names[*place].eq_ignore_ascii_case(name));
        let planned = |(number, column): (usize, &Column)| Planned {
            place: place(column.table_name())
                .or_else(|| alike(column.table_name()))
                .unwrap_or_else(|| chosen.columns.get(number).copied().unwrap_or(0)),
            raw: RawColumn {
                asked: Some(column.kind),
                is_of_words: column.kind.is_of_words(),
                is_measured: true,
                column: column.clone(),
            },
        };
        Self { columns: like.all.iter().enumerate().map(planned).collect(), dialect, notes: Vec::new() }
    }

    /// Columns are read as the cells of all rows show.
    pub fn found(
        path: &Path,
        content: &TableContent,
        layout: &Layout,
        chosen: &ChosenColumns,
        request: &Request<'_>,
    ) -> Result<Self, DataError> {
        let options = request.options;
        let mut asked = vec![options.kind; chosen.columns.len()];
        for named in &options.kinds {
            let Some(kind) = named.kind else { continue };
            let place = chosen.columns.iter().position(|column| layout.names[*column] == named.name);
            let Some(place) = place else {
                let names: Vec<&String> = chosen.columns.iter().map(|column| &layout.names[*column]).collect();
                let reason = format!("there is no column `{}` to learn from; there are {}", named.name, list(&names));
                return Err(DataError::unusable(path.display(), reason));
            };
            asked[place] = Some(kind);
        }
        for word in &options.missing_words {
            if let Some((name, _)) = word.rsplit_once('=')
                && !layout.names.iter().any(|known| known == name)
            {
                let reason = format!(
                    "there is no column `{name}` for `data.missing_words = [{}]`; there are {}",
                    toml_text(word),
                    list(&layout.names)
                );
                return Err(DataError::unusable(path.display(), reason));
            }
        }
        // In most tables one list serves all columns.
        let absent: Vec<Absent> = match options.missing_words.is_empty() {
            true => vec![Absent::default()],
            false => chosen.columns.iter().map(|place| absent(options, &layout.names[*place])).collect(),
        };
        let absent_of = |column: usize| absent.get(column).unwrap_or(&absent[0]);
        // What the cells of some columns show. Of very many columns it would not all find room: the file is gone through for some at a
        // time.
        let gather = |columns: Range<usize>| -> Result<Vec<Evidence>, DataError> {
            let mut all: Vec<Evidence> = columns.clone().map(|_| Evidence::default()).collect();
            for record in content.rows(layout)? {
                let record = record?;
                check(path, content, layout, &record)?;
                for (column, evidence) in columns.clone().zip(&mut all) {
                    let place = chosen.columns[column];
                    evidence.add(absent_of(column), &record.text(place), record.typed(place));
                }
            }
            Ok(all)
        };
        let count = chosen.columns.len();
        let blocks = (0..count).step_by(AT_ONCE).map(|start| start..count.min(start + AT_ONCE));
        let (mut marks, mut counts) = (Vec::new(), Vec::new());
        let mut first = None;
        for block in blocks.clone() {
            let all = gather(block)?;
            marks.extend(all.iter().filter_map(Evidence::decimal));
            counts.extend(all.iter().filter_map(Evidence::counts));
            first = (count <= AT_ONCE).then_some(all);
        }
        let elsewhere = Elsewhere {
            comma: if marks.is_empty() {
                content.decimal_comma()
            } else {
                marks.contains(&true) && !marks.contains(&false)
            },
            counts: are_counts(&counts),
        };
        let mut plan = Self { columns: Vec::new(), dialect: content.dialect(layout), notes: Vec::new() };
        if let Some(dialect) = &mut plan.dialect {
            dialect.comma = elsewhere.comma;
        }
        if elsewhere.counts {
            plan.notes.push("all columns of numbers are whole, from 0 on and with long tails, so they are counts; `data.kinds = [\"NAME=KIND\"]` changes one".into());
        }
        let mut said: Vec<(String, String)> = Vec::new();
        let mut missing = Tally::default();
        plan.columns.reserve_exact(count);
        for block in blocks {
            let all = first.take().map_or_else(|| gather(block.clone()), Ok)?;
            for (number, evidence) in block.zip(all) {
                let place = chosen.columns[number];
                let looks_typed = evidence.may_be_typed();
                let found = evidence.decide(asked[number], elsewhere, content.is_of_words(place));
                let name = &layout.names[place];
                said.extend(found.notes.iter().map(|note| (name.clone(), note.clone())));
                evidence.missing_words().into_iter().for_each(|(word, count)| missing.add_many(word, count));
                let are_counted = elsewhere.counts && asked[number].is_none() && !found.are_words;
                let asked = if are_counted { Some(ValueKind::Count) } else { asked[number] };
                let mut planned = |column: Column| {
                    let raw = RawColumn { column, asked, is_of_words: found.are_words, is_measured: true };
                    plan.columns.push(Planned { raw, place });
                };
                let mut column =
                    Column { name: name.clone(), offset: found.offset, decimals: found.decimals, ..Column::default() };
                // Most columns have none, and no room for it.
                if found.scale != 1.0 {
                    column.scale = found.scale;
                }
                if content.is_of_words(place) && looks_typed {
                    column.are_words = true;
                }
                if !absent_of(number).words.is_empty() {
                    column.missing.clone_from(&absent_of(number).words);
                }
                match <[Form; 1]>::try_from(found.forms) {
                    Ok([form]) => planned(Column { form, ..column }),
                    Err(parts) => {
                        for (part, form) in parts.into_iter().enumerate() {
                            let name = format!("{} ({})", column.name, part + 1);
                            let part = Part { whole: column.name.clone(), number: part, mark: found.mark.into() };
                            let mut of_part = Column { name, form, ..column.clone() };
                            of_part.part = Some(part);
                            planned(of_part);
                        }
                    }
                }
            }
        }
        plan.notes.extend(sentences(said));
        plan.notes.extend(said_of_missing(&missing));
        Ok(plan)
    }
}

/// A line a decision: of few columns each its own, of many those that are alike together.
fn sentences(said: Vec<(String, String)>) -> Vec<String> {
    let hint =
        "`data.kinds = [\"NAME=KIND\"]` reads a column otherwise, NAME=category as words, NAME=ignore not at all";
    if said.is_empty() {
        return Vec::new();
    }
    let lines: Vec<String> = match said.len() <= MAX_SAID {
        true => said.iter().map(|(name, note)| format!("{}: {note}", shown(name))).collect(),
        false => {
            let mut notes: Vec<(String, Vec<&String>)> = Vec::new();
            for (name, note) in &said {
                let key =
                    note.split([',', '(']).next().unwrap_or(note).split(" such as").next().unwrap_or(note).to_string();
                match notes.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, names)) => names.push(name),
                    None => notes.push((key, vec![name])),
                }
            }
            notes.into_iter().map(|(note, names)| format!("{note}: {}", list(&names))).collect()
        }
    };
    lines.into_iter().chain([hint.to_string()]).collect()
}

/// What was taken as missing beside empty cells.
fn said_of_missing(missing: &Tally) -> Option<String> {
    let words: Vec<String> =
        missing.by_count().iter().map(|(word, count)| format!("`{}` {count}", shown(word))).collect();
    (!words.is_empty()).then(|| {
        format!(
            "cells that stand for missing: {}; `data.missing_words = [\"WORDS\"]` says which do, COLUMN=WORD in one column",
            list(&words)
        )
    })
}

/// The words that are numbers.
fn codes(words: &[String]) -> Vec<f64> {
    words.iter().filter_map(|word| word.parse().ok()).filter(|number: &f64| number.is_finite()).collect()
}

/// What stands for missing values in a column.
fn absent(options: &Options, name: &str) -> Absent {
    let words = missing_words(options, name);
    Absent { codes: codes(&words), words }
}

impl Planned {
    /// The number or the word in a field: one of several parts of it.
    pub fn part<'a>(&self, text: &'a str) -> &'a str {
        match &self.raw.column.part {
            Some(part) => text.split(part.mark.as_str()).nth(part.number).map_or("", str::trim),
            None => text,
        }
    }

    /// The number in a field; none of a word.
    pub fn number(&self, text: &str, typed: Option<f64>) -> Option<f64> {
        let is_plain = matches!(self.raw.column.form, Form::Number(_));
        match (typed, &self.raw.column.part) {
            (Some(number), None) if is_plain => Some(number),
            (None, Some(part)) if text.matches(part.mark.as_str()).count() != 1 => None,
            _ => self.raw.column.form.read(self.part(text)),
        }
    }

    /// Whether a field holds no value.
    pub fn is_missing(&self, text: &str, typed: Option<f64>) -> bool {
        let column = &self.raw.column;
        let number = || typed.or_else(|| column.form.read(text));
        let is_code = || number().is_some_and(|number| codes(&column.missing).contains(&number));
        column.is_missing(text)
            || !column.missing.is_empty() && is_code()
            || self.raw.column.odd.iter().any(|word| word == text)
    }
}
