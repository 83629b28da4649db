//! Scores of a table's rows that join the negative ELBO with the distance to training rows.
//!
//! A model explains what it has seen often, whatever it is; how far a row is from the rows that it learned from is another witness. Over
//! tables with known anomalies the two together are ahead of either (docs/tasks/anomalies.md).

use std::ops::Range;

use rayon::prelude::*;
use wgvae_data::{Column, Columns, Examples};
use wgvae_engine::plan::{MISSING, is_missing};

/// The neighbour that a distance reaches to, of rows that the model was not trained on.
const NEIGHBOUR: usize = 5;
/// The share of the training rows that lie nearer, of rows that it was trained on: anomalies that are alike are each other's neighbours.
const SHARE: usize = 20;
/// What is added to a distance before its logarithm is taken, as a share of the mean: equal rows are at a distance of 0.
const FLOOR: f64 = 0.05;
/// The deviation of a normal distribution over its median distance from the middle.
const DEVIATIONS: f64 = 1.4826;

/// What is compared of a column.
enum Compared {
    /// Its number, less the mean and over the deviation of the training rows.
    Number { mean: f64, deviation: f64 },
    /// Ones and zeros for its words.
    Words,
}

impl Compared {
    /// By the values of a column in training rows.
    fn of<'v>(column: &Column, values: impl Iterator<Item = &'v [f32]>) -> Self {
        if column.kind.is_of_words() && column.levels.is_empty() {
            return Self::Words;
        }
        // A model sees logarithms, scores and levels apart; what is far off is far in the column's own units.
        let [least, most] = column.range;
        let numbers: Vec<f64> =
            values.filter_map(|values| number(column, values)).filter(|n| (least..=most).contains(n)).collect();
        let count = numbers.len().max(1) as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let deviation = (numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count).sqrt();
        Self::Number { mean, deviation: if deviation > 0.0 { deviation } else { 1.0 } }
    }

    /// How many values it has.
    fn width(&self, column: &Column) -> usize {
        if matches!(self, Self::Words) { column.width() } else { 1 }
    }

    fn push_compared(&self, column: &Column, values: &[f32], all: &mut Vec<f32>) {
        match self {
            Self::Words => all.extend_from_slice(values),
            Self::Number { mean, deviation } => {
                let number = number(column, values);
                all.push(number.map_or(MISSING, |number| ((number - mean) / deviation) as f32));
            }
        }
    }
}

/// The number that values of a column are, or the level.
fn number(column: &Column, values: &[f32]) -> Option<f64> {
    if is_missing(values[0]) {
        return None;
    }
    if column.levels.is_empty() {
        return Some(column.of_value(values[0].into()));
    }
    let likelier = |best: usize, word: usize| if values[word] > values[best] { word } else { best };
    column.levels.get((1..values.len()).fold(0, likelier)).copied()
}

/// Training rows that others are compared with.
struct Reference<'a> {
    columns: &'a Columns,
    compared: Vec<Compared>,
    width: usize,
    /// `(N, E)`
    rows: Vec<f32>,
}

impl<'a> Reference<'a> {
    /// Rows of a table, as a model takes them.
    fn of(columns: &'a Columns, train: &Examples) -> Self {
        let values = train.numbers(0..train.rows, columns.width());
        let rows = || values.chunks(columns.width().max(1));
        let of_column =
            |(column, span): (&Column, Range<usize>)| Compared::of(column, rows().map(|row| &row[span.clone()]));
        let compared: Vec<Compared> = columns.all.iter().zip(columns.spans()).map(of_column).collect();
        let width = columns.all.iter().zip(&compared).map(|(column, compared)| compared.width(column)).sum();
        let mut reference = Self { columns, compared, width, rows: Vec::new() };
        reference.rows = reference.seen(train);
        reference
    }

    /// What is compared of rows: `(N, E)`.
    fn seen(&self, rows: &Examples) -> Vec<f32> {
        let values = rows.numbers(0..rows.rows, self.columns.width());
        let spans = self.columns.spans();
        let mut all = Vec::with_capacity(rows.rows * self.width);
        for row in values.chunks(self.columns.width().max(1)) {
            for ((column, compared), span) in self.columns.all.iter().zip(&self.compared).zip(&spans) {
                compared.push_compared(column, &row[span.clone()], &mut all);
            }
        }
        all
    }

    fn len(&self) -> usize {
        self.rows.len() / self.width.max(1)
    }

    /// The neighbours that distances reach to: of rows that were not trained on, and of rows that were.
    fn neighbours(&self) -> [usize; 2] {
        let last = self.len().saturating_sub(1).max(1);
        [NEIGHBOUR.min(last), (self.len() / SHARE).max(NEIGHBOUR).min(last)]
    }

    /// The distances of each row to these neighbours; of rows that were trained on, without themselves.
    fn distances(&self, rows: &Examples, is_trained: impl Fn(usize) -> bool + Sync) -> Vec<[f64; 2]> {
        let values = self.seen(rows);
        // The difference of two words counts once, though two values differ.
        let weights: Vec<f32> = (self.columns.all.iter().zip(&self.compared))
            .map(|(column, compared)| compared.width(column))
            .flat_map(|width| std::iter::repeat_n(if width > 1 { 0.5 } else { 1.0 }, width))
            .collect();
        let neighbours = self.neighbours();
        let of_row = |(number, row): (usize, &[f32])| {
            let mut all: Vec<f32> =
                self.rows.chunks_exact(self.width).map(|other| apart(row, other, &weights)).collect();
            if is_trained(number)
                && let Some(own) = all.iter().position(|apart| *apart == 0.0)
            {
                all.swap_remove(own);
            }
            neighbours.map(|neighbour| match all.len() {
                0 => 0.0,
                count => {
                    let place = (neighbour - 1).min(count - 1);
                    f64::from(*all.select_nth_unstable_by(place, f32::total_cmp).1).sqrt()
                }
            })
        };
        values.par_chunks(self.width.max(1)).enumerate().map(of_row).collect()
    }
}

/// The mean over the values that both rows have of the squares of their differences.
fn apart(a: &[f32], b: &[f32], weights: &[f32]) -> f32 {
    let (mut sum, mut there) = (0.0, 0);
    for ((a, b), weight) in a.iter().zip(b).zip(weights) {
        if !is_missing(*a) && !is_missing(*b) {
            sum += weight * (a - b) * (a - b);
            there += 1;
        }
    }
    if there == 0 { f32::INFINITY } else { sum / there as f32 }
}

/// The median of figures, and how far they are from it; a few outliers do not change either.
#[derive(Debug, Clone, Copy, PartialEq)]
struct RobustScale {
    median: f64,
    deviation: f64,
}

impl RobustScale {
    fn of(figures: &[f64]) -> Self {
        let middle = |mut figures: Vec<f64>| {
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        };
        let median = middle(figures.to_vec());
        let deviation = DEVIATIONS * middle(figures.iter().map(|figure| (figure - median).abs()).collect());
        let square = figures.iter().map(|figure| (figure - median).powi(2)).sum::<f64>() / figures.len().max(1) as f64;
        // More than half of them may be equal.
        let deviation = [deviation, square.sqrt(), 1.0].into_iter().find(|d| *d > 0.0 && d.is_finite()).unwrap_or(1.0);
        Self { median, deviation }
    }

    fn deviations(&self, figure: f64) -> f64 {
        (figure - self.median) / self.deviation
    }
}

/// Median and spread of the logarithms of distances to a neighbour.
#[derive(Debug, Clone, Copy, PartialEq)]
struct DistanceScale {
    logarithms: RobustScale,
    floor: f64,
}

impl DistanceScale {
    fn of(distances: impl Iterator<Item = f64>) -> Self {
        let finite: Vec<f64> = distances.filter(|distance| distance.is_finite()).collect();
        let mean = finite.iter().sum::<f64>() / finite.len().max(1) as f64;
        let floor = if mean > 0.0 { FLOOR * mean } else { 1.0 };
        let logarithms: Vec<f64> = finite.iter().map(|distance| (distance + floor).ln()).collect();
        Self { logarithms: RobustScale::of(&logarithms), floor }
    }

    fn deviations(&self, distance: f64) -> f64 {
        if distance.is_finite() { self.logarithms.deviations((distance + self.floor).ln()) } else { 0.0 }
    }
}

/// How the two are joined: each in deviations from what training rows have, which are added. A row's score depends on the row and the
/// training rows alone, not on other rows that are scored with it.
pub struct Joined<'a> {
    reference: Reference<'a>,
    elbo: RobustScale,
    /// The scale of distances to the closest training row: from rows that were not trained on, and from rows that were.
    distances: [DistanceScale; 2],
}

impl<'a> Joined<'a> {
    /// By training rows and their negative ELBOs; with the scores and the distances of these rows.
    pub fn of(columns: &'a Columns, train: &Examples, negative_elbos: &[f64]) -> (Self, (Vec<f64>, Vec<f64>)) {
        let reference = Reference::of(columns, train);
        let found = reference.distances(train, |_| true);
        let distances = [0, 1].map(|which| DistanceScale::of(found.iter().map(|both| both[which])));
        let joined = Self { reference, elbo: RobustScale::of(negative_elbos), distances };
        let of_train = joined.scored(found, negative_elbos, |_| true);
        (joined, of_train)
    }

    /// The scores of rows with these negative ELBOs, and their distances; `is_trained` says whether a row was trained on.
    pub fn score(
        &self,
        rows: &Examples,
        negative_elbos: &[f64],
        is_trained: impl Fn(usize) -> bool + Sync,
    ) -> (Vec<f64>, Vec<f64>) {
        self.scored(self.reference.distances(rows, &is_trained), negative_elbos, is_trained)
    }

    fn scored(
        &self,
        distances: Vec<[f64; 2]>,
        negative_elbos: &[f64],
        is_trained: impl Fn(usize) -> bool,
    ) -> (Vec<f64>, Vec<f64>) {
        let of_row = |(row, (both, elbo)): (usize, ([f64; 2], &f64))| {
            let which = usize::from(is_trained(row));
            (self.elbo.deviations(*elbo) + self.distances[which].deviations(both[which]), both[which])
        };
        distances.into_iter().zip(negative_elbos).enumerate().map(of_row).unzip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgvae_data::{Column, ValueKind};
    use wgvae_engine::plan::MISSING;

    fn columns() -> Columns {
        let words = ["a", "b"].map(String::from).to_vec();
        let number = Column { name: "x".into(), ..Column::default() };
        let word = Column { name: "w".into(), kind: ValueKind::Category, words, ..Column::default() };
        Columns { all: vec![number, word], ..Columns::numbers(Vec::new(), Vec::new(), Vec::new()) }
    }

    #[test]
    fn distances_are_to_the_neighbour_without_the_row_itself() {
        let columns = columns();
        let train: Vec<f32> = (0..40).flat_map(|i| [i as f32 / 10.0, 1.0, 0.0]).collect();
        let train = Examples::of_numbers(&train, false, 3);
        let reference = Reference::of(&columns, &train);
        assert_eq!(reference.neighbours(), [5, 5]);
        // A number in deviations, of which the square is (40^2 - 1) / 1200, and a category's two values.
        let near = |found: Vec<[f64; 2]>, steps: [(f64, f64); 4]| {
            let expected = steps.map(|(steps, words)| ((steps * steps / 133.25 + words) / 3.0).sqrt());
            assert!(found.iter().zip(expected).all(|(a, b)| (a[0] - b).abs() < 1e-5), "{found:?} {expected:?}");
        };
        let rows = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-0.1, 1.0, 0.0], [2.0, 1.0, 0.0]].concat();
        let rows = Examples::of_numbers(&rows, false, 3);
        // A row that was trained on is no neighbour of its own; another word is one further.
        near(reference.distances(&rows, |_| true), [(5.0, 0.0), (4.0, 1.0), (5.0, 0.0), (3.0, 0.0)]);
        near(reference.distances(&rows, |_| false), [(4.0, 0.0), (4.0, 1.0), (5.0, 0.0), (2.0, 0.0)]);
        // Missing values are compared with nothing.
        let gone = Examples::of_numbers(&[MISSING, 1.0, 0.0, MISSING, MISSING, MISSING], false, 3);
        let found = reference.distances(&gone, |_| false);
        assert!(found[0][0] == 0.0 && found[1][0] == f64::INFINITY);
        let single = Examples::of_numbers(&[1.0, 1.0, 0.0], false, 3);
        assert_eq!(Reference::of(&columns, &single).distances(&single, |_| true), [[0.0; 2]]);
        let many: Vec<f32> = (0..400).flat_map(|i| [i as f32 / 100.0, 1.0, 0.0]).collect();
        assert_eq!(Reference::of(&columns, &Examples::of_numbers(&many, false, 3)).neighbours(), [5, 20]);
    }

    #[test]
    fn both_witnesses_count_in_deviations() {
        let columns = columns();
        let train: Vec<f32> = (0..401).flat_map(|i| [i as f32 / 100.0, 1.0, 0.0]).collect();
        let train = Examples::of_numbers(&train, false, 3);
        let elbos: Vec<f64> = (0..401).map(f64::from).collect();
        let (joined, of_train) = Joined::of(&columns, &train, &elbos);
        assert_eq!(of_train, joined.score(&train, &elbos, |_| true));
        let rows = Examples::of_numbers(&[2.0, 1.0, 0.0, 9.0, 1.0, 0.0], false, 3);
        let score = |elbo: f64| joined.score(&rows, &[elbo; 2], |_| true).0;
        // A hundred is the median distance from the median of 200.
        assert!((score(200.0 + 100.0 * 1.4826)[0] - score(200.0)[0] - 1.0).abs() < 1e-9);
        assert!(score(200.0)[1] > score(200.0)[0] + 3.0 && score(200.0)[0].abs() < 1.0, "{:?}", score(200.0));
        // Rows that are scored together do not change each other.
        let alone = Examples::of_numbers(&[9.0, 1.0, 0.0], false, 3);
        assert_eq!(joined.score(&alone, &[7.0], |_| true).0[0], score(7.0)[1]);
        // Where most distances are equal, or all, they still count, and nothing is infinite.
        let equal = DistanceScale::of([vec![0.0; 90], vec![1.0; 11]].concat().into_iter());
        assert!(equal.deviations(1.0) > 1.0 && equal.deviations(f64::INFINITY) == 0.0);
        let same = DistanceScale::of([0.0; 5].into_iter());
        assert!(same.deviations(0.0) == 0.0 && same.deviations(9.0).is_finite());
        assert!(RobustScale::of(&[3.0; 5]).deviations(4.0) == 1.0);
    }
}
