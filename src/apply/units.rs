//! What is shown of rows, in the units of their table: of a number whose logarithm or score the decoder shows, the mean is not that of
//! the logarithm or score.

use wgvae_data::{Cell, Column, ValueKind};
use wgvae_engine::plan::{ColumnKind, is_missing};

use super::{DecoderOutput, Distribution, Parameters, Run, TrainedModel};

/// Equal shares of a distribution, over whose middles a mean is taken.
const SHARES: usize = 25;

/// The mean of the number of which the decoder shows a value, as it is drawn: within the range that was seen. Where its distribution is
/// one of long tails, the median.
pub fn mean(column: &Column, distribution: &Distribution, value: usize, shown: f64, parameters: Parameters) -> f64 {
    match column.kind {
        _ if distribution.kind(value) == ColumnKind::Count => distribution.count_mean(value, shown),
        ValueKind::Positive | ValueKind::Quantile => {
            let number = |share: usize| {
                let share = (share as f64 + 0.5) / SHARES as f64;
                let number = column.of_value(shown + distribution.distance(value, share, parameters));
                number.clamp(column.range[0], column.range[1])
            };
            (0..SHARES).map(number).sum::<f64>() / SHARES as f64
        }
        _ => column.of_value(shown),
    }
}

/// The cells `(N, C)` of means that the decoder shows of a table's rows, in the table's own units.
pub fn cells(run: &Run, model: &TrainedModel, shown: &DecoderOutput) -> Option<Vec<Cell>> {
    let columns = run.data.columns.as_ref()?;
    let starts: Vec<usize> = columns.spans().into_iter().map(|span| span.start).collect();
    let width = columns.width();
    Some(columns.cells_of_means(&shown.means, |row, column, value| {
        let parameters = || shown.parameters_of(row * width + starts[column]);
        (!is_missing(value))
            .then(|| mean(&columns.all[column], model.distribution(), starts[column], value.into(), parameters()))
    }))
}
