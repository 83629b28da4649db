//! A table's columns and their scaler.

use serde::{Deserialize, Serialize};

use super::error::shown;
use super::{Split, Values};

/// The columns of a table. Each is standardised for training: minus its mean, divided by its standard deviation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Columns {
    /// Names of the columns.
    pub names: Vec<String>,
    /// Means over the training rows.
    pub mean: Vec<f32>,
    /// Standard deviations over the training rows; 1 for a constant column.
    pub deviation: Vec<f32>,
}

impl Columns {
    /// Measures the columns of rows that are not standardised yet.
    pub(super) fn measure(names: Vec<String>, values: &[f32]) -> Self {
        let width = names.len();
        let rows = (values.len() / width.max(1)).max(1) as f64;
        let (mut mean, mut deviation) = (Vec::with_capacity(width), Vec::with_capacity(width));
        for column in 0..width {
            let numbers = || values.iter().skip(column).step_by(width).map(|v| f64::from(*v));
            let first = numbers().next().unwrap_or(0.0);
            // Rounding would give a constant column a tiny deviation instead of 0.
            if numbers().all(|v| v == first) {
                mean.push(first as f32);
                deviation.push(1.0);
                continue;
            }
            let average = numbers().sum::<f64>() / rows;
            let variance = numbers().map(|v| (v - average) * (v - average)).sum::<f64>() / rows;
            mean.push(average as f32);
            let root = variance.sqrt() as f32;
            deviation.push(if root.is_normal() { root } else { 1.0 });
        }
        Self { names, mean, deviation }
    }

    /// Names of the constant columns.
    pub(super) fn constant(&self, values: &[f32]) -> Vec<&str> {
        let width = self.names.len();
        let same = |column: usize| {
            let mut numbers = values.iter().skip(column).step_by(width);
            let first = numbers.next();
            numbers.all(|v| Some(v) == first)
        };
        (0..width).filter(|column| same(*column)).map(|column| self.names[column].as_str()).collect()
    }

    /// Standardises rows in place.
    pub fn standardise(&self, values: &mut [f32]) {
        self.each(values, |v, mean, deviation| (v - mean) / deviation);
    }

    /// Standardises rows in place, and says which value has become too large for that; rows without such a value are
    /// finite.
    pub(super) fn standardise_all(&self, split: &mut Split) -> Result<(), String> {
        let Values::Floats(values) = &mut split.values else { return Ok(()) };
        self.standardise(values);
        let Some(place) = values.iter().position(|value| !value.is_finite()) else { return Ok(()) };
        let (row, column) = (place / self.names.len().max(1), place % self.names.len().max(1));
        let origin = split.origins.as_ref().and_then(|origins| origins.of(row));
        Err(format!(
            "{}: the value of the column `{}` is too far from those of the training rows (mean {}, deviation {}): correct \
             or remove it",
            origin.unwrap_or_else(|| format!("row {row}")),
            shown(&self.names[column]),
            self.mean[column],
            self.deviation[column]
        ))
    }

    /// Converts standardised rows back to the source's own units.
    pub fn restore(&self, values: &mut [f32]) {
        self.each(values, |v, mean, deviation| v * deviation + mean);
    }

    fn each(&self, values: &mut [f32], change: impl Fn(f64, f64, f64) -> f64) {
        for row in values.chunks_mut(self.names.len().max(1)) {
            for ((value, mean), deviation) in row.iter_mut().zip(&self.mean).zip(&self.deviation) {
                *value = change(f64::from(*value), f64::from(*mean), f64::from(*deviation)) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_get_mean_0_and_deviation_1_and_back() {
        let names = ["a", "b", "c"].map(String::from).to_vec();
        let table = [1.0, 1000.5, 0.1, 3.0, 2000.5, 0.1, 5.0, 6000.5, 0.1];
        let columns = Columns::measure(names, &table);
        assert_eq!(columns.mean, [3.0, 3000.5, 0.1]);
        assert_eq!(columns.deviation[2], 1.0);
        assert_eq!(columns.constant(&table), ["c"]);
        let mut scaled = table;
        columns.standardise(&mut scaled);
        for column in 0..2 {
            let numbers: Vec<f32> = scaled.iter().skip(column).step_by(3).copied().collect();
            let square: f32 = numbers.iter().map(|v| v * v).sum::<f32>() / 3.0;
            assert!(numbers.iter().sum::<f32>().abs() < 1e-6 && (square - 1.0).abs() < 1e-6, "{numbers:?}");
        }
        assert_eq!(scaled[2], 0.0);
        columns.restore(&mut scaled);
        assert!(scaled.iter().zip(table).all(|(a, b)| (a - b).abs() <= 1e-6 * b.abs()), "{scaled:?}");
    }
}
