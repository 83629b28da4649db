//! Series in the long form: a row for each step of each series.

use super::super::Series;

/// The steps of some series.
pub struct LongForm {
    /// The series of each step, counted from 0.
    pub series: Vec<usize>,
    /// The time, and the channels.
    pub names: Vec<String>,
    /// `(steps, 1 + D)`: the time and the values of each step, NaN where one is missing.
    pub numbers: Vec<f32>,
}

impl LongForm {
    /// The steps of series `(N, T, D)` in the units of the data, up to the last of each that has a value.
    pub fn of(series: &Series, values: &[f32], steps: usize) -> Self {
        let channels = series.channels.len().max(1);
        let [_, time] = names(series);
        let taken = series.names();
        let names = std::iter::once(super::apart(&time, |name| taken.iter().any(|known| known == name)));
        let mut long = Self { series: Vec::new(), names: names.chain(series.names()).collect(), numbers: Vec::new() };
        let lengths = series.lengths(values, steps);
        for ((row, length), number) in values.chunks((steps * channels).max(1)).zip(lengths).zip(0..) {
            for (step, values) in row.chunks(channels).take(length).enumerate() {
                long.series.push(number);
                long.numbers.push(series.time(step) as f32);
                long.numbers.extend_from_slice(values);
            }
        }
        long
    }
}

/// The names of the columns of series and times.
pub fn names(series: &Series) -> [String; 2] {
    series.columns.clone().unwrap_or_else(|| ["id".into(), "time".into()])
}
