//! What is shown of rows, in the units of their table: of a number whose logarithm or score the decoder shows, the mean is not that of
//! the logarithm or score.

use std::sync::OnceLock;

use super::{Applied, Distribution, Run};
use crate::data::{Cell, Column, Kind, normal_quantile};
use crate::plan::{ColumnKind, is_missing};

/// Scores of as many equal shares of a normal distribution, over which a mean is taken.
const SHARES: usize = 25;

fn scores() -> &'static [f64] {
    static SCORES: OnceLock<Vec<f64>> = OnceLock::new();
    SCORES.get_or_init(|| (0..SHARES).map(|i| normal_quantile((i as f64 + 0.5) / SHARES as f64)).collect())
}

/// The mean of the number of which the decoder shows a value; where its distribution has none, the median.
pub fn mean(column: &Column, distribution: &Distribution, value: usize, shown: f64) -> f64 {
    let sigma = if distribution.is_normal() { distribution.sigma(value) } else { 0.0 };
    match column.kind {
        _ if distribution.kind(value) == ColumnKind::Count => distribution.count_mean(value, shown),
        // The mean of a log-normal distribution.
        Kind::Positive => column.of_value(shown) * (0.5 * (column.deviation * sigma).powi(2)).exp(),
        Kind::Quantile => {
            let numbers = scores().iter().map(|score| column.of_value(shown + sigma * score));
            numbers.sum::<f64>() / SHARES as f64
        }
        _ => column.of_value(shown),
    }
}

/// The cells `(N, C)` of means `(N, D)` that the decoder shows of a table's rows, in the table's own units.
pub fn cells(run: &Run, model: &Applied, shown: &[f32]) -> Option<Vec<Cell>> {
    let columns = run.data.columns.as_ref()?;
    let starts: Vec<usize> = columns.spans().into_iter().map(|span| span.start).collect();
    Some(columns.cells_of_means(shown, |column, value| {
        (!is_missing(value)).then(|| mean(&columns.all[column], model.distribution(), starts[column], value.into()))
    }))
}
