//! Rows of a table in a form in which they can be compared.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use wgvae_data::{Cell, Column, Columns, Examples, Provenance};
use xxhash_rust::xxh3::xxh3_64;

/// Deviations that are as far apart as two different words.
const FAR: f64 = 4.0;
/// How finely numbers without decimals are told apart, in values.
const FINENESS: f64 = 1e4;

/// Rows that are turned at a time: their cells take eight times the room of what is compared of them.
const AT_ONCE: usize = 1024;

/// Rows of a table, cell by cell.
pub struct Records<'a> {
    columns: &'a Columns,
    /// How many rows there are.
    pub rows: usize,
    /// `(N, C)`: values of numbers over [`FAR`], and places of words; NaN where a cell is missing.
    cells: Vec<f32>,
    /// `(N)`: a hash of all cells as they are written.
    keys: Vec<u64>,
}

impl<'a> Records<'a> {
    /// Records of cells `(N, C)`.
    pub fn of(columns: &'a Columns, cells: &[Cell]) -> Self {
        let rows = cells.len() / columns.len().max(1);
        let mut all = Self { columns, rows: 0, cells: Vec::with_capacity(cells.len()), keys: Vec::with_capacity(rows) };
        all.extend(cells, &all.places());
        all
    }

    /// Records of rows as a model takes them.
    pub fn of_split(columns: &'a Columns, split: &Examples) -> Self {
        let values = |rows: Range<usize>| Cow::Owned(split.numbers(rows, columns.width()));
        Self::of_values(columns, split.rows, values, Provenance::Kept)
    }

    /// Records of drawn values `(N, D)`.
    pub fn of_draws(columns: &'a Columns, draws: &[f32], of: Provenance) -> Self {
        let width = columns.width();
        let values = |rows: Range<usize>| Cow::Borrowed(&draws[rows.start * width..rows.end * width]);
        Self::of_values(columns, draws.len() / width.max(1), values, of)
    }

    fn of_values<'v>(
        columns: &'a Columns,
        rows: usize,
        values: impl Fn(Range<usize>) -> Cow<'v, [f32]>,
        of: Provenance,
    ) -> Self {
        let cells = Vec::with_capacity(rows * columns.len());
        let mut all = Self { columns, rows: 0, cells, keys: Vec::with_capacity(rows) };
        let places = all.places();
        for first in (0..rows).step_by(AT_ONCE) {
            all.extend(&columns.cells(&values(first..(first + AT_ONCE).min(rows)), of), &places);
        }
        all
    }

    /// The places of the words of each column.
    fn places(&self) -> Vec<HashMap<&'a str, usize>> {
        let of_column =
            |column: &'a Column| column.words.iter().enumerate().map(|(place, word)| (word.as_str(), place)).collect();
        self.columns.all.iter().map(of_column).collect()
    }

    fn extend(&mut self, cells: &[Cell], places: &[HashMap<&str, usize>]) {
        let mut key = Vec::with_capacity(self.columns.len());
        for row in cells.chunks(self.columns.len().max(1)) {
            key.clear();
            for ((column, places), cell) in self.columns.all.iter().zip(places).zip(row) {
                let (cell, same) = comparable(column, places, cell);
                self.cells.push(cell);
                key.push(same);
            }
            self.keys.push(xxh3_64(bytemuck::cast_slice(&key)));
            self.rows += 1;
        }
    }

    /// How many columns there are.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Returns the key of a row: rows with equal keys are the same.
    pub fn key(&self, row: usize) -> u64 {
        self.keys[row]
    }

    /// A row's comparable cells.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.cells[row * self.columns()..(row + 1) * self.columns()]
    }

    /// A column's comparable cells.
    pub fn column(&self, column: usize) -> impl Iterator<Item = f32> + '_ {
        self.cells.iter().skip(column).step_by(self.columns().max(1)).copied()
    }

    /// How many words a column has; none of numbers.
    pub fn words(&self, column: usize) -> Option<usize> {
        let column = &self.columns.all[column];
        column.kind.is_of_words().then_some(column.words.len())
    }

    /// A column's name.
    pub fn name(&self, column: usize) -> &str {
        &self.columns.all[column].name
    }
}

/// A cell as a number that can be compared, and what makes it the same as another.
fn comparable(column: &Column, places: &HashMap<&str, usize>, cell: &Cell) -> (f32, i64) {
    if let (true, Cell::Word(word)) = (column.kind.is_of_words(), cell) {
        // Words that are grouped are the last one.
        let place = places.get(word.as_str()).copied().unwrap_or(column.words.len().saturating_sub(1));
        return (place as f32, place as i64);
    }
    let Some(number) = cell.number_in(column) else { return (f32::NAN, i64::MIN) };
    let value = column.to_value(number);
    let key = match column.decimals {
        Some(decimals) => number * 10_f64.powi(decimals.into()),
        None => value * FINENESS,
    };
    ((value / FAR) as f32, key.round() as i64)
}
