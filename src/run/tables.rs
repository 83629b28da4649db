//! What a run's page shows of a table: its columns with their errors, and how values are spread in the data and in samples.

use crate::apply::{Applied, Run, RunError, Shown};
use crate::data::{Cell, Provenance, Split};
use crate::report::page::{Column, Marginal, Shares};

/// Intervals that numbers are counted in, and the words of a column at most.
const INTERVALS: usize = 16;
const MOST_WORDS: usize = 12;
/// The share of the data beyond the first and the last interval, on each side: a single large value would leave one interval.
const BEYOND: f64 = 0.005;

/// A table's columns with their errors, in their own units.
pub fn columns(run: &Run, split: &Split, shown: &[f32]) -> Vec<Column> {
    let Some(columns) = &run.data.columns else { return Vec::new() };
    let count = columns.len();
    let [x, shown] = [&split.numbers(0..split.rows, run.data.shape.len()), shown]
        .map(|values| columns.cell_numbers(values, Provenance::Mean));
    let column = |i: usize| {
        // Of what is there.
        let pairs: Vec<(f64, f64)> = x
            .iter()
            .zip(&shown)
            .skip(i)
            .step_by(count)
            .filter(|(x, _)| !x.is_nan())
            .map(|(x, s)| (f64::from(*x), f64::from(*s)))
            .collect();
        let rows = pairs.len() as f64;
        let mean = pairs.iter().map(|(x, _)| x).sum::<f64>() / rows;
        let squares: f64 = pairs.iter().map(|(x, _)| (x - mean).powi(2)).sum();
        let residual: f64 = pairs.iter().map(|(x, s)| (x - s).powi(2)).sum();
        let kind = columns.all[i].kind;
        let of_numbers = |value: f64| (!kind.is_of_words()).then_some(value);
        let right = pairs.iter().filter(|(x, s)| x == s).count() as f64 / rows;
        Column {
            name: columns.all[i].name.clone(),
            kind: kind.name().into(),
            mean: of_numbers(mean),
            deviation: of_numbers((squares / rows).sqrt()),
            error: of_numbers(pairs.iter().map(|(x, s)| (x - s).abs()).sum::<f64>() / rows),
            r2: of_numbers(1.0 - residual / squares).filter(|_| squares > 0.0),
            right: kind.is_of_words().then_some(right),
        }
    };
    (0..count).map(column).collect()
}

/// How the values of each column are spread in rows and in samples, of which the means are shown.
pub fn marginals(run: &Run, split: &Split, mut samples: Shown, model: &Applied) -> Result<Vec<Marginal>, RunError> {
    let Some(columns) = run.data.columns.as_ref().filter(|_| !samples.means.is_empty()) else { return Ok(Vec::new()) };
    if model.distribution().can_draw() {
        model.distribution().draw(&mut samples, 0)?;
    }
    let drawn = samples.means;
    let count = columns.len();
    let cells = |values: Vec<f32>, of: Provenance| columns.cells(&values, of);
    let rows = split.numbers(0..split.rows, run.data.shape.len());
    let both = [cells(rows, Provenance::Kept), cells(drawn, Provenance::Drawn)];
    let marginal = |i: usize| {
        let of_column = |cells: &'_ [Cell]| -> Vec<Cell> { cells.iter().skip(i).step_by(count).cloned().collect() };
        let both = [of_column(&both[0]), of_column(&both[1])];
        let shares = match columns.all[i].kind.is_of_words() {
            true => Shares::Words(of_words(&columns.all[i].words, &both)),
            false => Shares::Numbers(of_numbers(&both.map(|cells| cells.iter().filter_map(number).collect()))),
        };
        Marginal { name: columns.all[i].name.clone(), shares }
    };
    Ok((0..count).map(marginal).collect())
}

fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Number(number) => Some((*number).into()),
        Cell::Exact(number) => Some(*number),
        Cell::Word(_) | Cell::Missing => None,
    }
}

fn share<T>(values: &[T], is_in: impl Fn(&T) -> bool) -> f64 {
    values.iter().filter(|value| is_in(value)).count() as f64 / values.len().max(1) as f64
}

/// Shares of what is there.
fn of_words(words: &[String], both: &[Vec<Cell>; 2]) -> Vec<(String, [f64; 2])> {
    let there = [0, 1].map(|of| both[of].iter().filter(|cell| **cell != Cell::Missing).cloned().collect::<Vec<_>>());
    let of_word =
        |word: &String| (word.clone(), [0, 1].map(|of| share(&there[of], |cell| *cell == Cell::Word(word.clone()))));
    let mut shares: Vec<_> = words.iter().map(of_word).collect();
    shares.sort_by(|a, b| b.1[0].total_cmp(&a.1[0]));
    shares.truncate(MOST_WORDS);
    shares
}

fn of_numbers(both: &[Vec<f64>; 2]) -> Vec<(f64, [f64; 2])> {
    let mut sorted = both[0].clone();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted.get((share * sorted.len() as f64) as usize).or(sorted.last()).copied();
    let (Some(low), Some(high)) = (at(BEYOND), at(1.0 - BEYOND)) else { return Vec::new() };
    let width = (high - low).max(f64::MIN_POSITIVE) / INTERVALS as f64;
    let interval = |i: usize| {
        let start = low + i as f64 * width;
        let end = if i + 1 == INTERVALS { f64::INFINITY } else { start + width };
        let is_in = |value: &f64| (*value >= start || i == 0) && *value < end;
        (start + width / 2.0, [0, 1].map(|of| share(&both[of], is_in)))
    };
    (0..INTERVALS).map(interval).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_are_counted_once() {
        let data: Vec<f64> = (0..1000).map(f64::from).collect();
        let shares = of_numbers(&[data, vec![-5.0, 500.0, 1e9]]);
        assert_eq!(shares.len(), INTERVALS);
        for of in [0, 1] {
            assert!((shares.iter().map(|(_, shares)| shares[of]).sum::<f64>() - 1.0).abs() < 1e-9);
        }
        assert!((shares[0].1[1] - 1.0 / 3.0).abs() < 1e-9 && (shares[INTERVALS - 1].1[1] - 1.0 / 3.0).abs() < 1e-9);
        assert!(of_numbers(&[Vec::new(), vec![1.0]]).is_empty());
        assert_eq!(of_numbers(&[vec![2.0; 9], vec![2.0]]).len(), INTERVALS);
        let words = ["a".to_string(), "b".to_string()];
        let cells = |words: &[&str]| words.iter().map(|word| Cell::Word(word.to_string())).collect::<Vec<_>>();
        let mut data = cells(&["b", "b", "a", "b"]);
        data.push(Cell::Missing);
        assert_eq!(of_words(&words, &[data, cells(&["a"])])[0], ("b".into(), [0.75, 0.0]));
    }
}
