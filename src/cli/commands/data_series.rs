//! What `wgvae data` shows of series: channels, lengths and examples.

use std::io::Write;

use serde::Serialize;
use wgvae::report::sparkline;
use wgvae_data::{Dataset, Examples, Series, shown, spread};
use wgvae_engine::plan::is_missing;

use crate::cli::commands::data_texts::Lengths;
use crate::cli::output::numbers::short;

/// Series that are shown.
const EXAMPLES: usize = 5;

/// The most bars of an example.
const BARS: usize = 72;

/// Channels that are listed for a person to read.
const LISTED: usize = 40;

#[derive(Serialize)]
pub struct SeriesReport<'a> {
    /// In steps.
    lengths: Lengths,
    /// The time from a step to the next, where it is known.
    step: Option<f64>,
    channels: Vec<Channel<'a>>,
    /// The first channel of some training series; missing values are null.
    examples: Vec<Vec<Option<f32>>>,
}

/// In the source's own units.
#[derive(Serialize)]
struct Channel<'a> {
    name: &'a str,
    /// How many values are missing up to the last step of their series.
    missing: usize,
    mean: f64,
    deviation: f64,
    min: f64,
    max: f64,
}

impl<'a> SeriesReport<'a> {
    /// The report on a data set of series; none on another one.
    pub fn of(data: &'a Dataset) -> Option<Self> {
        let series = data.series.as_ref()?;
        let count = series.channels.len().max(1);
        let steps = data.shape.len() / count;
        let numbers = |split: &Examples| split.numbers(0..split.rows, data.shape.len());
        let all = [numbers(&data.train), numbers(&data.test)].concat();
        let lengths = series.lengths(&all, steps);
        let mut missing = vec![0; count];
        for (row, length) in all.chunks(steps * count).zip(&lengths) {
            let marks = row[..length * count].iter().enumerate().filter(|(_, value)| is_missing(**value));
            marks.for_each(|(place, _)| missing[place % count] += 1);
        }
        let channel = |(channel, missing): (&'a wgvae_data::Channel, usize)| {
            let wgvae_data::Channel { name, mean, deviation, seen: [min, max] } = channel;
            Channel { name, missing, mean: *mean, deviation: *deviation, min: *min, max: *max }
        };
        let examples = spread(data.train.rows, EXAMPLES).into_iter();
        let examples = examples.map(|row| first_channel(series, &data.train, row, data.shape.len())).collect();
        Some(Self {
            lengths: Lengths::of_all(lengths),
            step: series.step,
            channels: series.channels.iter().zip(missing).map(channel).collect(),
            examples,
        })
    }

    /// Prints which keys piano rolls have.
    pub fn print_keys(&self, out: &mut impl Write) -> std::io::Result<()> {
        let used = || self.channels.iter().filter(|channel| channel.max > 0.0);
        match (used().next(), used().next_back()) {
            (Some(low), Some(high)) => writeln!(out, "keys     {} to {}", low.name, high.name),
            _ => Ok(()),
        }
    }

    /// Prints it.
    pub fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        self.lengths.print(out)?;
        if let Some(step) = self.step {
            writeln!(out, "step     {}", short(step))?;
        }
        let names = self.channels.iter().take(LISTED).map(|channel| shown(channel.name).chars().count());
        let width = names.max().unwrap_or(0);
        let heads = ["mean", "deviation", "min", "max"].map(|name| format!("{name:>11}")).join(" ");
        writeln!(out, "channels {:width$}  {:>7} {heads}", "", "missing")?;
        for Channel { name, missing, mean, deviation, min, max } in self.channels.iter().take(LISTED) {
            let values = [mean, deviation, min, max].map(|value| format!("{:>11}", short(*value))).join(" ");
            writeln!(out, "         {:width$}  {missing:>7} {values}", shown(name))?;
        }
        if self.channels.len() > LISTED {
            writeln!(out, "         and {} more", self.channels.len() - LISTED)?;
        }
        for (place, values) in self.examples.iter().enumerate() {
            let values: Vec<f64> = values.iter().map(|value| value.map_or(f64::NAN, f64::from)).collect();
            let title = if place == 0 { "examples" } else { "" };
            writeln!(out, "{title:8} {}", sparkline(&values, BARS))?;
        }
        Ok(())
    }
}

/// The first channel of a row up to its last step, in the units of the data.
fn first_channel(series: &Series, split: &Examples, row: usize, width: usize) -> Vec<Option<f32>> {
    let values = split.numbers(row..row + 1, width);
    let count = series.channels.len().max(1);
    let length = series.lengths(&values, width / count).first().copied().unwrap_or(0);
    let decoded = series.decode(&values[..length * count]);
    decoded.into_iter().step_by(count).map(|value| Some(value).filter(|value| !value.is_nan())).collect()
}
