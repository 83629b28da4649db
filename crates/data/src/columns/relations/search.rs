//! The columns that relations are looked for in, and the order in which they follow from each other.

use super::super::{Column, Columns};
use super::Relation;
use super::found::{FLOAT_DIGIT, FoundRelations, TableNumbers};
use super::{lookups, sums};

/// Rows without which nothing is concluded.
const ENOUGH: usize = 50;
/// Columns up to which relations are looked for: of wider tables it would take longer than training.
const MAX_COLUMNS: usize = 64;

impl Columns {
    /// The relations that hold in all rows of raw cells `(N, C)` of two parts of a table, of words their places.
    pub(crate) fn relations_in(&self, parts: [&[f32]; 2]) -> Vec<Relation> {
        let count = self.all.len();
        if !(2..=MAX_COLUMNS).contains(&count) {
            return Vec::new();
        }
        let of_column = |(place, column): (usize, &Column)| -> Vec<f64> {
            let cells = parts.into_iter().flat_map(|cells| cells.iter().skip(place).step_by(count));
            match column.kind.is_of_words() {
                true => cells.map(|cell| column.of_place(f64::from(*cell))).collect(),
                // The number as it is written: a float has an error of its own.
                false => cells.map(|cell| column.rounded(column.number_of_raw(*cell))).collect(),
            }
        };
        let of: Vec<Vec<f64>> = self.all.iter().enumerate().map(of_column).collect();
        if of[0].len() < ENOUGH {
            return Vec::new();
        }
        let distinct = of.iter().map(|values| lookups::counts(values).len()).collect();
        let numbers = TableNumbers { columns: &self.all, of, distinct };
        let mut found = FoundRelations::default();
        sums::find(&numbers, &mut found);
        lookups::find(&numbers, &mut found);
        found.in_order()
    }
}

impl TableNumbers<'_> {
    /// The numbers of a column that are there and not far from all others.
    pub fn usual(&self, column: usize) -> impl Iterator<Item = f64> + Clone {
        let [least, most] = self.columns[column].range;
        self.of[column].iter().copied().filter(move |value| (least..=most).contains(value))
    }

    /// Half of the last digit of a column's usual numbers, or of a float's.
    pub fn half_digit(&self, column: usize) -> f64 {
        let largest = self.usual(column).fold(0.0_f64, |a, b| a.max(b.abs()));
        self.columns[column].half_digit().max(largest * FLOAT_DIGIT)
    }
}
