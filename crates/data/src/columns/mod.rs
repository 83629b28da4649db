//! A table's columns: what a row of cells is as values of a model, and back.

mod cell;
mod column;
mod float;
mod form;
mod kind;
mod measure;
mod quantiles;
mod relations;

use std::ops::Range;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub use cell::{Cell, Provenance};
pub(crate) use cell::{MISSING as MISSING_WORDS, is_missing_word, truth};
pub(crate) use column::nearest_level;
pub use column::{Column, Details, Grouped, Part};
pub use float::mean_and_deviation;
pub(crate) use float::{MAX_RAW, power_of_two};
pub use form::{Form, NumberForm, TimeForm};
pub(crate) use form::{Negative, Times, marks, parse, parts, value};
pub(crate) use kind::{ENOUGH, LARGEST_COUNT, MAX_CODES, MAX_WORDS, MIN_OF_EACH};
pub use kind::{NamedKind, ValueKind};
pub use quantiles::normal_quantile;
pub use relations::Relation;

use super::dialect::Dialect;
use super::{Examples, Table, Unseen, Values};
use crate::{MISSING, is_missing};

/// What a raw cell holds in place of a word that a model does not know, or of a word where numbers are.
pub(crate) const UNKNOWN: f32 = f32::INFINITY;

/// The columns of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Columns {
    /// The columns of a model, in order. A table's column of two numbers in each cell is two of them.
    pub all: Vec<Column>,
    /// What follows from other columns in every row, and is kept in rows that are drawn or filled: what others follow from comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<Relation>,
    /// Whether values may be missing.
    pub missing: bool,
    /// How the table's file is written, if it is a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
}

/// A column as a table has it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableColumn<'a> {
    /// Its name there.
    pub name: &'a str,
    /// The columns of the model that it is.
    pub columns: Range<usize>,
}

impl Columns {
    /// Numbers with these means and deviations.
    pub fn numbers(names: Vec<String>, mean: Vec<f64>, deviation: Vec<f64>) -> Self {
        let moments = mean.into_iter().zip(deviation);
        let column = |(name, (mean, deviation))| Column { name, mean, deviation, ..Column::default() };
        Self {
            all: names.into_iter().zip(moments).map(column).collect(),
            relations: Vec::new(),
            missing: false,
            dialect: None,
        }
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.all.iter().map(|column| column.name.clone()).collect()
    }

    /// The columns as their table has them, in order.
    pub fn of_table(&self) -> Vec<TableColumn<'_>> {
        let mut all: Vec<TableColumn> = Vec::with_capacity(self.len());
        for (place, column) in self.all.iter().enumerate() {
            match (all.last_mut(), column.part.as_ref()) {
                (Some(last), Some(part)) if part.number > 0 && last.name == part.whole => last.columns.end = place + 1,
                _ => all.push(TableColumn { name: column.table_name(), columns: place..place + 1 }),
            }
        }
        all
    }

    /// Whether they are those of an array, which are known by their places.
    pub(super) fn are_unnamed(&self) -> bool {
        self.all
            .iter()
            .enumerate()
            .all(|(place, column)| column.name.strip_prefix("x_").is_some_and(|n| n == place.to_string()))
    }

    /// How many values a row has.
    pub fn width(&self) -> usize {
        self.all.iter().map(Column::width).sum()
    }

    /// The values of each column in a row.
    pub fn spans(&self) -> Vec<Range<usize>> {
        let mut end = 0;
        let span = |column: &Column| {
            let start = end;
            end += column.width();
            start..end
        };
        self.all.iter().map(span).collect()
    }

    /// `(D)`: whether each value is a number, and not a count or a word.
    pub fn are_numbers(&self) -> Vec<bool> {
        self.all.iter().flat_map(|column| std::iter::repeat_n(column.kind.is_normal(), column.width())).collect()
    }

    /// `(D)`: where the values lie that are drawn within the range of the data.
    pub fn ranges(&self) -> Vec<[f32; 2]> {
        self.all.iter().flat_map(|column| std::iter::repeat_n(column.drawn_range(), column.width())).collect()
    }

    /// Rows of cells `(N, C)` as numbers in the table's own units, NaN where one is missing, as values. What a model has not seen is
    /// marked in the split.
    pub fn rows(&self, cells: &[f32]) -> Result<Examples, String> {
        let count = self.len().max(1);
        let raw = |(place, cell): (usize, &f32)| self.all[place % count].raw((*cell).into());
        let cells: Vec<f32> = cells.iter().enumerate().map(raw).collect();
        if cells.iter().any(|cell| cell.is_nan()) && !self.missing {
            return Err("some values are missing, and the model was trained on rows without missing values".into());
        }
        let mut split = Examples::of(cells.len() / count, Values::Floats(cells));
        self.encode(&vec![false; self.len()], &mut split);
        Ok(split)
    }

    /// Turns the raw cells of rows `(N, C)` into values `(N, D)`, and notes what a model has not seen. In some columns, cells are places
    /// of words; in the others numbers as [`Column::raw`] makes them. Missing ones get the middle of their column, where a model knows no
    /// missing values.
    pub(super) fn encode(&self, are_places: &[bool], split: &mut Examples) {
        let Values::Floats(cells) = &mut split.values else { return };
        let (count, spans, width) = (self.len(), self.spans(), self.width());
        // The codes of numbers that stand for words.
        let codes: Vec<Option<Vec<f32>>> = self
            .all
            .iter()
            .zip(are_places)
            .map(|(column, is_place)| (column.kind.is_of_words() && !is_place).then(|| column.codes()))
            .collect();
        let mut unseen = Vec::new();
        let mut encode = |place: usize, cell: f32, values: &mut [f32]| {
            let (row, column) = (place / count, place % count);
            if cell.is_nan() {
                if self.missing { values.fill(MISSING) } else { self.all[column].fill(values) }
            } else if let Some(why) = self.all[column].encode(cell, codes[column].as_deref(), values) {
                unseen.push(Unseen { row, column, why });
            }
        };
        if width == count {
            // In place: a table may be all there is room for.
            for (place, value) in cells.iter_mut().enumerate() {
                encode(place, *value, std::slice::from_mut(value));
            }
        } else {
            let mut values = vec![0.0; split.rows * width];
            for (place, cell) in cells.iter().enumerate() {
                let start = place / count * width;
                let span = &spans[place % count];
                encode(place, *cell, &mut values[start + span.start..start + span.end]);
            }
            *cells = values;
        }
        // What a reader has said of a cell already, it said in the table's own words.
        let said: std::collections::HashSet<(usize, usize)> =
            split.unseen.iter().map(|unseen| (unseen.row, unseen.column)).collect();
        split.unseen.extend(unseen.into_iter().filter(|unseen| !said.contains(&(unseen.row, unseen.column))));
        split.unseen.sort_by_key(|unseen| (unseen.row, unseen.column));
    }

    /// `(N, D)`: what a loss takes in addition to each value of rows: half of the width of a number's interval, or the mean of the
    /// logarithms of counts.
    pub fn loss_inputs(&self, values: &[f32]) -> Vec<f32> {
        let (mut rest, mut inputs) = (values.iter(), Vec::with_capacity(values.len()));
        while inputs.len() < values.len() {
            for column in &self.all {
                inputs.extend(rest.by_ref().take(column.width()).map(|value| column.loss_input(*value)));
            }
        }
        inputs
    }

    /// The cells `(N, C)` of rows of values; of draws, with the relations between columns.
    pub fn cells(&self, values: &[f32], shown: Provenance) -> Vec<Cell> {
        if shown.is_draw() && !self.relations.is_empty() {
            return self.related(values, shown, None);
        }
        self.each(values, |column, values, number, row| {
            self.all[column].cell(values, shown, || self.seed(row, number, column))
        })
    }

    /// The cells `(N, C)` of rows of which what was missing `before` was filled in, with the relations between columns.
    pub fn cells_filled(&self, values: &[f32], before: &[f32]) -> Vec<Cell> {
        if self.relations.is_empty() {
            self.cells(values, Provenance::Drawn)
        } else {
            self.related(values, Provenance::Drawn, Some(before))
        }
    }

    fn related(&self, values: &[f32], shown: Provenance, before: Option<&[f32]>) -> Vec<Cell> {
        let (spans, width) = (self.spans(), self.width().max(1));
        let mut all = Vec::with_capacity(values.len() / width * self.len());
        for (number, row) in values.chunks(width).enumerate() {
            let of = |(column, span): (usize, &Range<usize>)| match is_missing(row[span.start]) {
                true => f64::NAN,
                false => self.all[column].number(&row[span.clone()], shown),
            };
            let mut numbers: Vec<f64> = spans.iter().enumerate().map(of).collect();
            let is_filled =
                |before: &[f32]| spans.iter().map(|span| is_missing(before[number * width + span.start])).collect();
            let filled: Option<Vec<bool>> = before.map(is_filled);
            let share = |column: usize, place: usize| match (&row[spans[column].clone()], place) {
                ([yes], 0) => 1.0 - yes,
                ([yes], _) => *yes,
                (shares, place) => shares.get(place).copied().unwrap_or(0.0),
            };
            self.relate(&mut numbers, filled.as_deref(), &share);
            all.extend(numbers.into_iter().enumerate().map(|(column, value)| match value.is_nan() {
                true => Cell::Missing,
                false => self.all[column].cell_of(value, shown, || self.seed(row, number, column)),
            }));
        }
        all
    }

    /// What the draw of a word from a group depends on.
    fn seed(&self, row: &[f32], number: usize, column: usize) -> u64 {
        xxh3_64_with_seed(bytemuck::cast_slice(row), (number * self.len() + column) as u64)
    }

    /// The cells `(N, C)` of means, of which `mean` says what a value of a column of numbers in a row is in the table's own units.
    pub fn cells_of_means(&self, values: &[f32], mean: impl Fn(usize, usize, f32) -> Option<f64>) -> Vec<Cell> {
        self.each(values, |column, values, row, _| {
            let of = &self.all[column];
            match (of.kind.is_of_words(), mean(row, column, values[0])) {
                (false, Some(number)) => of.written(number, Provenance::Mean),
                _ => of.cell(values, Provenance::Mean, || 0),
            }
        })
    }

    /// Cells `(N, C)` as those of the table's own columns: numbers that stand in one cell there are one text.
    pub fn joined(&self, cells: Vec<Cell>) -> Vec<Cell> {
        let of_table = self.of_table();
        if of_table.len() == self.len() {
            return cells;
        }
        let text = |column: usize, cell: &Cell| match cell {
            Cell::Number(number) => Some(self.all[column].form.write((*number).into(), None)),
            Cell::Exact(number) => Some(self.all[column].form.write(*number, Some(u8::MAX))),
            Cell::Word(word) => Some(word.clone()),
            Cell::Truth(truth) => Some(truth.to_string()),
            Cell::Missing => None,
        };
        let join = |row: &[Cell], columns: Range<usize>| match columns.len() {
            1 => row[columns.start].clone(),
            _ => {
                let parts: Option<Vec<String>> = columns.clone().map(|column| text(column, &row[column])).collect();
                let mark = self.all[columns.start].part.as_ref().map_or("", |part| part.mark.as_str());
                parts.map_or(Cell::Missing, |parts| Cell::Word(parts.join(mark)))
            }
        };
        let rows = cells.chunks(self.len());
        rows.flat_map(|row| of_table.iter().map(|column| join(row, column.columns.clone())).collect::<Vec<_>>())
            .collect()
    }

    /// Cells `(N, C)` as a table in memory, with its columns and their types.
    pub fn table(&self, cells: Vec<Cell>) -> Table {
        let of_table = self.of_table();
        let mut columns: Vec<Vec<Cell>> = of_table.iter().map(|_| Vec::new()).collect();
        let typed: Vec<_> = of_table.iter().map(|column| self.all[column.columns.start].typed()).collect();
        for (place, cell) in self.joined(cells).into_iter().enumerate() {
            let column = place % of_table.len().max(1);
            columns[column].push(typed[column](cell));
        }
        of_table.iter().zip(columns).fold(Table::new(), |table, (column, cells)| table.with(column.name, cells))
    }

    /// Cells `(N, C)` as numbers: of words the numbers they are, or their places; NaN where one is missing.
    pub fn numbers_of(&self, cells: &[Cell]) -> Vec<f32> {
        let codes: Vec<Vec<f32>> = self.all.iter().map(Column::codes).collect();
        let number = |(place, cell): (usize, &Cell)| {
            let column = place % self.len();
            match cell {
                Cell::Number(number) => *number,
                Cell::Exact(number) => *number as f32,
                Cell::Word(word) => match self.all[column].words.iter().position(|known| known == word) {
                    Some(place) => codes[column].get(place).copied().unwrap_or(f32::NAN),
                    None if self.all[column].kind.is_of_words() => codes[column].len() as f32 - 1.0,
                    None => self.all[column].form.read(word).map_or(f32::NAN, |number| number as f32),
                },
                Cell::Truth(truth) => f32::from(*truth),
                Cell::Missing => f32::NAN,
            }
        };
        cells.iter().enumerate().map(number).collect()
    }

    /// What `of` makes of each of the first `most` columns and all its cells in some splits.
    pub fn by_column<T>(&self, splits: &[&Examples], most: usize, of: impl Fn(usize, &[Cell]) -> T) -> Vec<T> {
        let mut made = Vec::new();
        let width = self.width().max(1);
        for (column, span) in self.spans().into_iter().enumerate().take(most) {
            let floats = splits.iter().filter_map(|split| match &split.values {
                Values::Floats(values) => Some(values),
                Values::Bytes(_) => None,
            });
            let rows = floats.flat_map(|values| values.chunks(width));
            let cells: Vec<Cell> =
                rows.map(|row| self.all[column].cell(&row[span.clone()], Provenance::Kept, || 0)).collect();
            made.push(of(column, &cells));
        }
        made
    }

    /// The cells of rows of values as numbers: of words the numbers they are, or their places; NaN where one is missing.
    pub fn cell_numbers(&self, values: &[f32], shown: Provenance) -> Vec<f32> {
        let codes: Vec<Vec<f32>> = self.all.iter().map(Column::codes).collect();
        self.each(values, |column, values, _, _| match self.all[column].number(values, shown) {
            _ if is_missing(values[0]) => f32::NAN,
            number if self.all[column].kind.is_of_words() => {
                codes[column].get(number as usize).copied().unwrap_or(number as f32)
            }
            number => number as f32,
        })
    }

    /// What `cell` makes of each cell: it gets the column, the cell's values, the number of the row, and the row.
    fn each<T>(&self, values: &[f32], cell: impl Fn(usize, &[f32], usize, &[f32]) -> T) -> Vec<T> {
        let spans = self.spans();
        let mut all = Vec::with_capacity(values.len() / self.width().max(1) * self.len());
        for (number, row) in values.chunks(self.width().max(1)).enumerate() {
            all.extend(spans.iter().enumerate().map(|(column, span)| cell(column, &row[span.clone()], number, row)));
        }
        all
    }
}

#[cfg(test)]
mod tests;
