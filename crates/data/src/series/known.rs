//! The channels of series as a trained model knows them.

use serde::{Deserialize, Serialize};

use super::super::columns::mean_and_deviation;
use super::super::error::list;
use super::super::{Examples, Values};
use super::RawSeries;
use crate::{MISSING, is_missing};

/// A channel. Its values are standardised for training: minus the mean, divided by the deviation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// Mean over the training rows.
    pub mean: f64,
    /// Standard deviation over the training rows; 1 of a constant channel.
    pub deviation: f64,
    /// The least and the largest value of the training rows.
    pub seen: [f64; 2],
}

/// What a model keeps of the series that it was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The channels, in order.
    pub channels: Vec<Channel>,
    /// The names of the columns that told series and steps apart, in a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<[String; 2]>,
    /// The time from a step to the next, where it is the same everywhere; times of days are in seconds, days in days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// Whether values may be missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
}

impl Series {
    /// Measures the channels of training rows. Channels of zeros and ones stay as they are.
    pub(in super::super) fn measure(
        raw: RawSeries,
        train: &Examples,
        test: &Examples,
        notes: &mut Vec<String>,
    ) -> Self {
        let RawSeries { channels: names, columns, step } = raw;
        let (Values::Floats(cells), Values::Floats(of_test)) = (&train.values, &test.values) else {
            return Self { channels: Vec::new(), columns, step, missing: false };
        };
        let count = names.len();
        let is_level = |value: &f32| value.is_nan() || *value == 0.0 || *value == 1.0;
        let are_levels = cells.iter().chain(of_test).all(is_level);
        let channel = |(place, name): (usize, String)| {
            let values = cells.iter().skip(place).step_by(count).filter(|value| !value.is_nan()).map(|v| f64::from(*v));
            let (mut mean, mut deviation) = mean_and_deviation(values.clone());
            let seen = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[least, most], v| [least.min(v), most.max(v)]);
            let seen = if seen[0] > seen[1] { [0.0; 2] } else { seen };
            // The mean of equal numbers is rounded, so their deviation need not be exactly 0.
            if seen[0] == seen[1] {
                (mean, deviation) = (seen[0], 1.0);
            }
            if are_levels {
                (mean, deviation) = (0.0, 1.0);
            }
            Channel { name, mean, deviation, seen }
        };
        let channels: Vec<Channel> = names.into_iter().enumerate().map(channel).collect();
        let constant = |channel: &&Channel| channel.seen[0] == channel.seen[1];
        let constant: Vec<&str> = channels.iter().filter(constant).map(|channel| channel.name.as_str()).collect();
        if !constant.is_empty() {
            notes.push(format!(
                "channels with the same value in every training row, from which nothing can be learned: {}",
                list(&constant)
            ));
        }
        let missing = cells.iter().chain(of_test).any(|value| value.is_nan());
        Self { channels, columns, step, missing }
    }

    /// The names of the channels.
    pub fn names(&self) -> Vec<String> {
        self.channels.iter().map(|channel| channel.name.clone()).collect()
    }

    /// Values `(..., D)` in the units of the data as a model has them; missing ones get the mark of it, or the mean where the
    /// model knows no missing values.
    pub(in super::super) fn encode(&self, split: &mut Examples) {
        let Values::Floats(values) = &mut split.values else { return };
        for row in values.chunks_mut(self.channels.len().max(1)) {
            for (value, channel) in row.iter_mut().zip(&self.channels) {
                *value = match (value.is_nan(), self.missing) {
                    (true, true) => MISSING,
                    (true, false) => 0.0,
                    _ => ((f64::from(*value) - channel.mean) / channel.deviation) as f32,
                };
            }
        }
    }

    /// Values `(..., D)` of a model in the units of the data, NaN where one is missing.
    pub fn decode(&self, values: &[f32]) -> Vec<f32> {
        let channels = self.channels.iter().cycle();
        let number = |(value, channel): (&f32, &Channel)| match is_missing(*value) || value.is_nan() {
            true => f32::NAN,
            false => (f64::from(*value) * channel.deviation + channel.mean) as f32,
        };
        values.iter().zip(channels).map(number).collect()
    }

    /// How many steps each row of values `(T, D)` has, up to the last with a value.
    pub fn lengths(&self, values: &[f32], steps: usize) -> Vec<usize> {
        let channels = self.channels.len().max(1);
        let last = |row: &[f32]| row.iter().rposition(|value| !is_missing(*value) && !value.is_nan());
        let rows = values.chunks((steps * channels).max(1));
        rows.map(|row| last(row).map_or(0, |place| place / channels + 1)).collect()
    }

    /// Makes what lies behind the last step of each row `(N, width)` missing in values that belong to the rows.
    pub fn cut(&self, values: &mut [f32], rows: &[f32], width: usize) {
        let channels = self.channels.len().max(1);
        let lengths = self.lengths(rows, width / channels);
        for (row, length) in values.chunks_mut(width.max(1)).zip(lengths) {
            row[length * channels..].fill(MISSING);
        }
    }

    /// The time of a step, counted from the first.
    pub fn time(&self, step: usize) -> f64 {
        step as f64 * self.step.unwrap_or(1.0)
    }

    /// Whether they can be those of rows with so many channels.
    pub(in super::super) fn fits(&self, count: usize) -> bool {
        let are_finite =
            |channel: &Channel| channel.mean.is_finite() && channel.deviation.is_finite() && channel.deviation > 0.0;
        self.channels.len() == count
            && self.channels.iter().all(are_finite)
            && self.step.is_none_or(|step| step.is_finite() && step > 0.0)
    }
}
