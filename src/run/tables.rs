//! What a run's page shows of a table's columns: their errors.

use wgvae_data::{Examples, Provenance};

use crate::apply::Run;
use crate::report::page::ColumnSummary;

/// A table's columns with their errors, in their own units.
pub fn columns(run: &Run, split: &Examples, shown: &[f32]) -> Vec<ColumnSummary> {
    let Some(columns) = &run.data.columns else { return Vec::new() };
    let count = columns.len();
    let [x, shown] = [&split.numbers(0..split.rows, run.data.shape.len()), shown]
        .map(|values| columns.cell_numbers(values, Provenance::Mean));
    let column = |i: usize| {
        // Rows in which the value is there.
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
        ColumnSummary {
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
