//! A table's columns: what a row of cells is as values of a model, and back.

mod kind;

use std::collections::HashMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

pub(crate) use kind::MOST_WORDS;
use kind::Numbers;
pub use kind::{Kind, NamedKind};

use super::error::shown;
use super::raw::RawColumns;
use super::{Split, Values};
use crate::plan::{MISSING, is_missing};

/// The columns of a table. A number is standardised for training: minus its mean, divided by its deviation; of what is positive
/// or counted, the logarithm is. A category has a value for each of its words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Columns {
    /// Names of the columns.
    pub names: Vec<String>,
    /// Means over the training rows: of positive ones that of the logarithms, of counts that of the logarithms of one more.
    pub mean: Vec<f32>,
    /// Standard deviations over the training rows; 1 for a constant column, counts and words.
    pub deviation: Vec<f32>,
    /// What their values are; where there are none, all are numbers.
    #[serde(default)]
    pub kinds: Vec<Kind>,
    /// The words of each column; none of numbers.
    #[serde(default)]
    pub words: Vec<Vec<String>>,
    /// Digits behind the decimal point of each, where all its values have so few that they are meant.
    #[serde(default)]
    pub decimals: Vec<Option<u8>>,
    /// Whether values may be missing.
    #[serde(default)]
    pub gaps: bool,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A number.
    Number(f32),
    /// A number of twice the precision.
    Exact(f64),
    /// A word.
    Word(String),
    /// Nothing.
    Missing,
}

impl Columns {
    /// Numbers with these means and deviations.
    pub fn numbers(names: Vec<String>, mean: Vec<f32>, deviation: Vec<f32>) -> Self {
        let count = names.len();
        Self {
            names,
            mean,
            deviation,
            kinds: vec![Kind::Number; count],
            words: vec![Vec::new(); count],
            decimals: vec![None; count],
            gaps: false,
        }
    }

    /// Measures the columns of cells `(N, C)`, NaN where one is missing; of words, their places. What they are is concluded from all
    /// rows, means and deviations are those of the training rows.
    pub(super) fn measure(raw: RawColumns, train: &[f32], test: &[f32]) -> Result<Self, String> {
        let count = raw.names.len();
        let mut columns = Self::numbers(raw.names, vec![0.0; count], vec![1.0; count]);
        for (place, words) in raw.words.into_iter().enumerate() {
            let name = &columns.names[place];
            let of_rows = |cells: &'_ [f32]| cells.iter().skip(place).step_by(count).copied().collect::<Vec<_>>();
            let numbers = Numbers::of([of_rows(train), of_rows(test)].concat().into_iter());
            let trained = Numbers::of(of_rows(train).into_iter());
            let kind = match (raw.asked[place], &words) {
                (Some(asked), None) => match numbers.refusal(asked) {
                    None => asked,
                    Some(why) => {
                        return Err(format!("the column `{}` cannot be {}: it {why}", shown(name), asked.name()));
                    }
                },
                (None, None) => numbers.kind(),
                (Some(Kind::YesNo) | None, Some(words)) if words.len() == 2 => Kind::YesNo,
                (Some(Kind::Category) | None, Some(_)) => Kind::Category,
                (Some(asked), Some(words)) => {
                    let (name, asked) = (shown(name), asked.name());
                    return Err(format!(
                        "the column `{name}` cannot be {asked}: it holds {} different words",
                        words.len()
                    ));
                }
            };
            columns.kinds[place] = kind;
            match kind {
                Kind::Number => (columns.mean[place], columns.deviation[place]) = trained.moments(|value| value),
                Kind::Positive => (columns.mean[place], columns.deviation[place]) = trained.moments(f64::ln),
                Kind::Count => columns.mean[place] = trained.moments(f64::ln_1p).0,
                Kind::YesNo | Kind::Category => {
                    let written = || numbers.distinct.iter().map(|number| (*number as f32).to_string()).collect();
                    columns.words[place] = words.unwrap_or_else(written);
                }
            }
            columns.decimals[place] = numbers.decimals();
        }
        Ok(columns)
    }

    /// Whether they are those of an array, which are known by their places.
    pub(super) fn are_unnamed(&self) -> bool {
        self.names
            .iter()
            .enumerate()
            .all(|(column, name)| name.strip_prefix("x_").is_some_and(|n| n == column.to_string()))
    }

    /// How many values a row has.
    pub fn width(&self) -> usize {
        (0..self.names.len()).map(|column| self.values_of(column)).sum()
    }

    /// How many values a column has.
    fn values_of(&self, column: usize) -> usize {
        match self.kinds[column] {
            Kind::Category => self.words[column].len(),
            Kind::Number | Kind::Positive | Kind::Count | Kind::YesNo => 1,
        }
    }

    /// The values of each column in a row.
    pub fn spans(&self) -> Vec<Range<usize>> {
        let mut end = 0;
        let span = |column: usize| {
            let start = end;
            end += self.values_of(column);
            start..end
        };
        (0..self.names.len()).map(span).collect()
    }

    /// `(D)`: whether each value is a number, and not a count or a word.
    pub fn are_numbers(&self) -> Vec<bool> {
        let is_number = |kind: Kind| matches!(kind, Kind::Number | Kind::Positive);
        self.spans().into_iter().zip(&self.kinds).flat_map(|(span, kind)| span.map(|_| is_number(*kind))).collect()
    }

    /// Names of the columns that have one value in all of these cells.
    pub(super) fn constant(&self, cells: &[f32]) -> Vec<&str> {
        let width = self.names.len().max(1);
        let (mut first, mut same) = (vec![f32::NAN; width], vec![true; width]);
        for row in cells.chunks(width) {
            for (column, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_nan()) {
                same[column] &= first[column].is_nan() || first[column] == *cell;
                first[column] = *cell;
            }
        }
        self.names.iter().zip(same).filter(|(_, same)| *same).map(|(name, _)| name.as_str()).collect()
    }

    /// Rows of cells `(N, C)` as numbers, NaN where one is missing, as values; says which cannot be.
    pub fn rows(&self, cells: &[f32]) -> Result<Split, String> {
        let mut split = Split::of(cells.len() / self.names.len().max(1), Values::Floats(cells.to_vec()));
        self.encode(&vec![false; self.names.len()], &mut split)?;
        match split.has_missing() && !self.gaps {
            true => Err("some values are missing, and the model was trained on rows without missing values".into()),
            false => Ok(split),
        }
    }

    /// Whether two tables' columns are the same to a model. How numbers are written does not matter to it.
    pub fn are_like(&self, other: &Self) -> bool {
        *self == Self { decimals: self.decimals.clone(), ..other.clone() }
    }

    /// Turns the cells of rows into values; says which has none. In some columns, cells are places of words.
    pub(super) fn encode(&self, are_places: &[bool], split: &mut Split) -> Result<(), String> {
        let Values::Floats(cells) = &mut split.values else { return Ok(()) };
        let (count, spans, width) = (self.names.len(), self.spans(), self.width());
        // The codes of numbers that stand for words.
        let with_codes = (0..count).filter(|column| self.kinds[*column].is_of_words() && !are_places[*column]);
        let codes: HashMap<usize, Vec<f32>> = with_codes.map(|column| (column, self.codes(column))).collect();
        let put = |column: usize, cell: f32, values: &mut [f32]| {
            self.put(column, cell, codes.get(&column).map(Vec::as_slice), values)
        };
        let mut wrong = None;
        if width == count {
            // In place: a table may be all there is room for.
            for (place, value) in cells.iter_mut().enumerate() {
                let cell = *value;
                if !put(place % count, cell, std::slice::from_mut(value)) {
                    wrong = wrong.or(Some((place, cell)));
                }
            }
        } else {
            let mut values = vec![0.0; split.rows * width];
            for (place, cell) in cells.iter().enumerate() {
                let (row, column) = (place / count, place % count);
                let span = row * width + spans[column].start..row * width + spans[column].end;
                if !put(column, *cell, &mut values[span]) {
                    wrong = wrong.or(Some((place, *cell)));
                }
            }
            *cells = values;
        }
        let Some((place, cell)) = wrong else { return Ok(()) };
        let (row, column) = (place / count, place % count);
        let origin = split.origins.as_ref().and_then(|origins| origins.of(row));
        Err(format!(
            "{}: the column `{}` has {cell:?}, which {}: correct or remove it",
            origin.unwrap_or_else(|| format!("row {row}")),
            shown(&self.names[column]),
            self.unfit(column)
        ))
    }

    /// The numbers that the words of a column are, where they are numbers; else their places.
    fn codes(&self, column: usize) -> Vec<f32> {
        let numbers: Option<Vec<f32>> = self.words[column].iter().map(|word| word.parse().ok()).collect();
        numbers.unwrap_or_else(|| (0..self.words[column].len()).map(|code| code as f32).collect())
    }

    /// Puts the values of a cell; whether it has any. `codes` are the numbers that stand for words, where the cell is not the
    /// place of one.
    fn put(&self, column: usize, cell: f32, codes: Option<&[f32]>, values: &mut [f32]) -> bool {
        if cell.is_nan() {
            values.fill(MISSING);
            return true;
        }
        let [number, mean, deviation] = [cell, self.mean[column], self.deviation[column]].map(f64::from);
        let word = || match codes {
            None => Some(cell as usize),
            Some(codes) => codes.iter().position(|code| *code == cell),
        };
        let standardised = match self.kinds[column] {
            Kind::Number => (number - mean) / deviation,
            Kind::Positive => (number.ln() - mean) / deviation,
            Kind::Count if number < 0.0 || number.fract() != 0.0 => return false,
            Kind::Count => number.ln_1p() - mean,
            Kind::YesNo => match word() {
                Some(word) => word as f64,
                None => return false,
            },
            Kind::Category => {
                values.fill(0.0);
                return word().and_then(|word| values.get_mut(word)).map(|value| *value = 1.0).is_some();
            }
        } as f32;
        values[0] = standardised;
        standardised.is_finite() && !is_missing(standardised)
    }

    /// Why a cell has no values.
    fn unfit(&self, column: usize) -> String {
        match self.kinds[column] {
            Kind::Number => format!(
                "is too far from those of the training rows (mean {}, deviation {})",
                self.mean[column], self.deviation[column]
            ),
            Kind::Positive => "is not above 0 or too large".into(),
            Kind::Count => "is no count".into(),
            Kind::YesNo | Kind::Category => {
                format!("is none of its words in the training rows ({})", super::list(&self.words[column]))
            }
        }
    }

    /// A cell's number in the table's own units; of words, the place of the likeliest one. Where it was drawn, it has as many
    /// decimals as the column.
    fn number(&self, column: usize, values: &[f32], drawn: bool) -> f32 {
        let [value, mean, deviation] = [values[0], self.mean[column], self.deviation[column]].map(f64::from);
        let number = match self.kinds[column] {
            Kind::Number => value * deviation + mean,
            Kind::Positive => (value * deviation + mean).exp(),
            Kind::Count => (value + mean).exp_m1().max(0.0),
            Kind::YesNo => f64::from(u8::from(value >= 0.5)),
            Kind::Category => {
                let likelier = |best: usize, word: usize| if values[word] > values[best] { word } else { best };
                (1..values.len()).fold(0, likelier) as f64
            }
        };
        match self.decimals[column].filter(|_| drawn) {
            Some(decimals) => {
                let scale = 10_f64.powi(decimals.into());
                // Plus zero, so that none is -0.
                ((number * scale).round() / scale + 0.0) as f32
            }
            None => number as f32,
        }
    }

    fn cell(&self, column: usize, values: &[f32], drawn: bool) -> Cell {
        match self.number(column, values, drawn) {
            _ if is_missing(values[0]) => Cell::Missing,
            number if self.kinds[column].is_of_words() => {
                Cell::Word(self.words[column].get(number as usize).cloned().unwrap_or_default())
            }
            number => Cell::Number(number),
        }
    }

    /// The cells `(N, C)` of rows of values, which were drawn or are means.
    pub fn cells(&self, values: &[f32], drawn: bool) -> Vec<Cell> {
        self.each(values, |column, values| self.cell(column, values, drawn))
    }

    /// Of each of the first `most` columns in turn, something of all its cells in some splits.
    pub fn by_column<T>(&self, splits: &[&Split], most: usize, of: impl Fn(usize, &[Cell]) -> T) -> Vec<T> {
        let mut made = Vec::new();
        let width = self.width().max(1);
        for (column, span) in self.spans().into_iter().enumerate().take(most) {
            let floats = splits.iter().filter_map(|split| match &split.values {
                Values::Floats(values) => Some(values),
                Values::Bytes(_) => None,
            });
            let rows = floats.flat_map(|values| values.chunks(width));
            let cells: Vec<Cell> = rows.map(|row| self.cell(column, &row[span.clone()], true)).collect();
            made.push(of(column, &cells));
        }
        made
    }

    /// The same as numbers: of words the numbers they are, or their places; NaN where one is missing.
    pub fn cell_numbers(&self, values: &[f32], drawn: bool) -> Vec<f32> {
        let with_codes = (0..self.names.len()).filter(|column| self.kinds[*column].is_of_words());
        let codes: HashMap<usize, Vec<f32>> = with_codes.map(|column| (column, self.codes(column))).collect();
        self.each(values, |column, values| match self.number(column, values, drawn) {
            _ if is_missing(values[0]) => f32::NAN,
            number if self.kinds[column].is_of_words() => {
                codes.get(&column).and_then(|codes| codes.get(number as usize)).copied().unwrap_or(number)
            }
            number => number,
        })
    }

    fn each<T>(&self, values: &[f32], cell: impl Fn(usize, &[f32]) -> T) -> Vec<T> {
        let spans = self.spans();
        let row = |row: &[f32]| -> Vec<T> {
            spans.iter().enumerate().map(|(column, span)| cell(column, &row[span.clone()])).collect()
        };
        values.chunks(self.width().max(1)).flat_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(names: &[&str], words: Vec<Option<Vec<String>>>) -> RawColumns {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        RawColumns { asked: vec![None; names.len()], names, words, are_named: true }
    }

    #[test]
    fn columns_get_mean_0_and_deviation_1_and_back() {
        let raw = raw(&["a", "b", "c"], vec![None; 3]);
        let table = vec![1.0, 1000.5, 0.1, 3.0, 2000.5, 0.1, 5.0, 6000.5, 0.1];
        let columns = Columns::measure(raw, &table, &[]).unwrap();
        assert_eq!(columns.mean, [3.0, 3000.5, 0.1]);
        assert_eq!((columns.deviation[2], columns.decimals[2]), (1.0, Some(1)));
        assert_eq!(columns.constant(&table), ["c"]);
        let mut split = Split::of(3, Values::Floats(table.clone()));
        columns.encode(&[false; 3], &mut split).unwrap();
        let scaled = split.numbers(0..3, 3);
        for column in 0..2 {
            let numbers: Vec<f32> = scaled.iter().skip(column).step_by(3).copied().collect();
            let square: f32 = numbers.iter().map(|v| v * v).sum::<f32>() / 3.0;
            assert!(numbers.iter().sum::<f32>().abs() < 1e-6 && (square - 1.0).abs() < 1e-6, "{numbers:?}");
        }
        assert_eq!(scaled[2], 0.0);
        let back = columns.cell_numbers(&scaled, false);
        assert!(back.iter().zip(table).all(|(a, b)| (a - b).abs() <= 1e-6 * b.abs()), "{back:?}");
    }

    #[test]
    fn every_kind_of_cell_comes_back_as_it_was() {
        let words = vec![
            None,
            None,
            Some(vec!["no".into(), "yes".into()]),
            Some(vec!["a".into(), "b".into(), "c".into()]),
            None,
        ];
        let raw = raw(&["price", "visits", "smoker", "town", "grade"], words);
        let row = |i: usize| {
            let price = (0.11 * (i as f32 - 30.0)).exp();
            [price, (0.08 * i as f32).exp().floor() - 1.0, (i % 2) as f32, (i % 3) as f32, (i % 4 + 1) as f32]
        };
        let mut cells: Vec<f32> = (0..60).flat_map(row).collect();
        (0..5).for_each(|column| cells[6 * column] = f32::NAN);
        let columns = Columns::measure(raw, &cells, &[]).unwrap();
        let kinds = [Kind::Positive, Kind::Count, Kind::YesNo, Kind::Category, Kind::Category];
        assert_eq!(columns.kinds, kinds);
        assert_eq!((columns.width(), columns.spans()[3].clone(), columns.spans()[4].clone()), (10, 3..6, 6..10));
        assert_eq!(columns.words[4], ["1", "2", "3", "4"]);
        let mut split = Split::of(60, Values::Floats(cells.clone()));
        columns.encode(&[false, false, true, true, false], &mut split).unwrap();
        let values = split.numbers(0..60, 10);
        assert!(is_missing(values[0]) && values[10 + 3..10 + 6] == [0.0, 1.0, 0.0]);
        // The towns are words, so their places stand for them.
        for (back, cell) in columns.cell_numbers(&values, false).iter().zip(&cells) {
            assert!((back.is_nan() && cell.is_nan()) || (back - cell).abs() <= 2e-6 * cell.abs(), "{back} was {cell}");
        }
        let second = &columns.cells(&values, false)[5..10];
        assert_eq!(
            second[1..],
            [Cell::Missing, Cell::Word("yes".into()), Cell::Word("b".into()), Cell::Word("2".into())]
        );
        // Of means, the likeliest word.
        let mut means = values[50..60].to_vec();
        means[3..6].copy_from_slice(&[0.3, 0.2, 0.5]);
        assert_eq!(columns.cells(&means, false)[3], Cell::Word("c".into()));
    }

    #[test]
    fn what_a_column_cannot_hold_is_refused() {
        let asked = |kind| RawColumns { asked: vec![Some(kind)], ..raw(&["n"], vec![None]) };
        for (kind, cells, why) in [
            (Kind::Positive, [1.0, 0.0], "cannot be positive: it holds 0, which is not above 0"),
            (Kind::Count, [1.0, 0.5], "not whole"),
            (Kind::Count, [1.0, -2.0], "holds -2, which is below 0"),
            (Kind::YesNo, [1.0, 1.0], "holds 1 different values, not two"),
        ] {
            let error = Columns::measure(asked(kind), &cells, &[]).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let columns = Columns::measure(asked(Kind::Category), &[1.0, 4.0], &[]).unwrap();
        let error = columns.encode(&[false], &mut Split::of(1, Values::Floats(vec![2.0]))).unwrap_err();
        assert!(error.contains("has 2.0, which is none of its words in the training rows (1, 4)"), "{error}");
    }
}
