//! How well a forest tells drawn rows of a table from real ones.

use rand::seq::SliceRandom;
use serde::Serialize;

use super::super::draws::rng;
use super::super::forest::{Binned, Forest, Growth, Targets};
use super::super::statistics::roc_auc;
use super::records::Records;

/// Rows of each kind at most and at least.
pub const MAX_ROWS: usize = 1000;
const MIN_ROWS: usize = 40;
/// Parts of the rows, of which each is held out once.
const FOLDS: usize = 5;
const TREES: usize = 200;
/// Columns that are named at most, and the share of what gives rows away that one must have to be named.
const MAX_NAMED: usize = 5;
const MIN_SHARE: f64 = 0.05;
/// Streams of the seed: for the folds, and for the trees of each.
const ORDER: u64 = 0x6170_6172_7400 << 16;
const OF_FOLD: u64 = 1 << 16;

/// How well a random forest of 200 trees tells drawn rows from as many held-out rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToldApart {
    /// Rows of each kind.
    pub rows: usize,
    /// The area under its ROC curve, the mean over five folds: .5 if it cannot tell them apart, 1 if it always can.
    pub auc: f64,
    /// The columns that it tells them by, and the share of each: the largest first.
    pub by: Vec<(String, f64)>,
}

impl ToldApart {
    /// Trains on drawn and held-out rows, as many of each; none if there are fewer than 40. Depends on the rows and the seed alone.
    pub fn of(drawn: &Records, real: &Records, seed: u64) -> Option<Self> {
        let rows = drawn.rows.min(real.rows).min(MAX_ROWS);
        if rows < MIN_ROWS {
            return None;
        }
        let both = [drawn, real].map(|records| (records, wgvae_data::spread(records.rows, rows)));
        let classes: Vec<usize> = (0..2 * rows).map(|row| row / rows).collect();
        let dimensions = dimensions([drawn, real]);
        let at = |row: usize, dimension: usize| {
            let (records, places) = &both[row / rows];
            dimensions[dimension].of(records.row(places[row % rows]))
        };
        let mut order: Vec<usize> = (0..2 * rows).collect();
        order.shuffle(&mut rng(seed, ORDER));
        // The sort is stable, so every fold has as many rows of each kind.
        order.sort_by_key(|row| classes[*row]);
        let tried = (dimensions.len() as f64).sqrt().round().max(1.0) as usize;
        let growth = Growth { trees: TREES, leaf: 1, depth: 64, tried };
        let mut importance = vec![0.0; drawn.columns()];
        let mut areas: Vec<f64> = Vec::new();
        for fold in 0..FOLDS {
            let of = |held: bool| -> Vec<usize> {
                order
                    .iter()
                    .enumerate()
                    .filter(|(place, _)| (place % FOLDS == fold) == held)
                    .map(|(_, row)| *row)
                    .collect()
            };
            let (fitted, held) = (of(false), of(true));
            let binned = Binned::of(2 * rows, dimensions.len(), at, &fitted);
            let stream = ORDER + OF_FOLD * (1 + fold as u64);
            let forest = Forest::grow(&binned, Targets::Classes(&classes, 2), &fitted, growth, [seed, stream]);
            for (dimension, share) in dimensions.iter().zip(forest.importance()) {
                importance[dimension.column] += share / FOLDS as f64;
            }
            let scores: Vec<f64> = held.iter().map(|row| forest.predict(*row)[0]).collect();
            let are_drawn: Vec<bool> = held.iter().map(|row| classes[*row] == 0).collect();
            areas.extend(roc_auc(&scores, &are_drawn));
        }
        let mut by: Vec<(String, f64)> =
            importance.into_iter().enumerate().map(|(column, share)| (drawn.name(column).into(), share)).collect();
        by.sort_by(|a, b| b.1.total_cmp(&a.1));
        by.retain(|(_, share)| *share >= MIN_SHARE);
        by.truncate(MAX_NAMED);
        Some(Self { rows, auc: areas.iter().sum::<f64>() / areas.len() as f64, by })
    }
}

/// One number that a forest sees of a column.
struct Dimension {
    column: usize,
    seen: Seen,
}

enum Seen {
    /// The column's number.
    Number,
    /// Whether the column's value is this word.
    Word(f32),
    /// Whether it is missing.
    Missing,
}

impl Dimension {
    fn of(&self, row: &[f32]) -> f64 {
        let cell = row[self.column];
        match self.seen {
            Seen::Number if cell.is_nan() => f64::NEG_INFINITY,
            Seen::Number => cell.into(),
            Seen::Word(word) => f64::from(u8::from(cell == word)),
            Seen::Missing => f64::from(u8::from(cell.is_nan())),
        }
    }
}

fn dimensions(both: [&Records; 2]) -> Vec<Dimension> {
    let of_column = |column: usize| {
        let mut seen: Vec<Seen> = match both[0].words(column) {
            // The second of two words is no first one.
            Some(words) => (usize::from(words == 2)..words).map(|word| Seen::Word(word as f32)).collect(),
            None => vec![Seen::Number],
        };
        if both.iter().any(|records| records.column(column).any(f32::is_nan)) {
            seen.push(Seen::Missing);
        }
        seen.into_iter().map(move |seen| Dimension { column, seen })
    };
    (0..both[0].columns()).flat_map(of_column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use wgvae_data::{Cell, Column, Columns, ValueKind};

    #[test]
    fn an_area_is_the_share_of_pairs_in_order() {
        let of = |scores: &[(f64, bool)]| {
            let (scores, are_its): (Vec<f64>, Vec<bool>) = scores.iter().copied().unzip();
            roc_auc(&scores, &are_its).unwrap()
        };
        assert_eq!(of(&[(0.1, false), (0.9, true)]), 1.0);
        assert_eq!(of(&[(0.9, false), (0.1, true)]), 0.0);
        assert_eq!(of(&[(0.5, false), (0.5, true), (0.5, true)]), 0.5);
        assert_eq!(of(&[(0.1, false), (0.4, true), (0.6, false), (0.8, true)]), 0.75);
    }

    #[test]
    fn rows_are_told_apart_by_what_differs() {
        let number = |name: &str| Column { name: name.into(), ..Column::default() };
        let words = ["a", "b", "c"].map(String::from).to_vec();
        let word = Column { name: "word".into(), kind: ValueKind::Category, words: words.clone(), ..Column::default() };
        let columns = vec![number("same"), number("shifted"), word];
        let columns = Columns { all: columns, ..Columns::numbers(Vec::new(), Vec::new(), Vec::new()) };
        let mut rng = rng(1, 0);
        let mut rows = |shift: f64, missing: bool| {
            let cells = (0..300).flat_map(|_| {
                let mut draw = || -> f64 { (0..4).map(|_| rng.random::<f64>()).sum::<f64>() - 2.0 };
                let numbers = [Cell::Exact(draw()), Cell::Exact(draw() + shift)];
                let word = words[rng.random_range(0..3)].clone();
                let is_gone = missing && rng.random::<f64>() < 0.9;
                let last = if is_gone { Cell::Missing } else { Cell::Word(word) };
                numbers.into_iter().chain([last]).collect::<Vec<_>>()
            });
            cells.collect::<Vec<Cell>>()
        };
        let auc = |rows: [Vec<Cell>; 2]| {
            let [drawn, real] = rows.each_ref().map(|cells| Records::of(&columns, cells));
            ToldApart::of(&drawn, &real, 3).unwrap()
        };
        let same = auc([rows(0.0, false), rows(0.0, false)]);
        assert!((same.auc - 0.5).abs() < 0.08 && same.rows == 300, "{same:?}");
        let shifted = auc([rows(2.0, false), rows(0.0, false)]);
        assert!(shifted.auc > 0.97 && shifted.by[0].0 == "shifted" && shifted.by[0].1 > 0.5, "{shifted:?}");
        let gone = auc([rows(0.0, true), rows(0.0, false)]);
        assert!((0.9..0.99).contains(&gone.auc) && gone.by[0].0 == "word", "{gone:?}");
        let few = Records::of(&columns, &[]);
        assert_eq!(ToldApart::of(&few, &few, 0), None);
    }
}
