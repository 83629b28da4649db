//! What a run's page shows of series: reconstructions and samples, as small line charts.

use wgvae_data::{Examples, Series, Shape, spread};

use crate::apply::{Distribution, Run};
use crate::report::page::SeriesChart;

/// Series that are reconstructed.
const RECONSTRUCTED: usize = 4;
/// Charts of samples, and samples in each.
const SAMPLED: usize = 2;
const SAMPLES: usize = 4;
/// Channels that are shown.
const CHANNELS: usize = 2;

/// Charts of rows beside what is shown of them, and of samples.
pub fn charts(
    run: &Run,
    split: &Examples,
    [shown, samples]: [&[f32]; 2],
    distribution: &Distribution,
) -> Vec<SeriesChart> {
    let (Some(series), Shape::Series { length, channels }) = (&run.data.series, run.data.shape) else {
        return Vec::new();
    };
    let width = length * channels;
    let mut charts = Vec::new();
    for row in spread(split.rows, RECONSTRUCTED) {
        let x = split.numbers(row..row + 1, width);
        let mean = &shown[row * width..(row + 1) * width];
        // As far as the row goes.
        let steps = series.lengths(&x, length).first().copied().unwrap_or(0);
        for channel in 0..channels.min(CHANNELS) {
            // Two scales of the likelihood above and below the mean.
            let apart =
                |value: f32, place: usize, side: f32| value + side * 2.0 * distribution.sigma(place, [0.0; 2]) as f32;
            let beside = |side: f32| -> Vec<f32> { (0..width).map(|place| apart(mean[place], place, side)).collect() };
            let [low, high] = [-1.0, 1.0].map(|side| curve(series, &beside(side), channel, steps));
            let band = low.into_iter().zip(high).map(|((x, low), (_, high))| (x, low, high));
            charts.push(SeriesChart {
                title: titled(series, channel, format!("Test row {row}")),
                curves: vec![
                    ("data".into(), curve(series, &x, channel, steps)),
                    ("reconstruction".into(), curve(series, mean, channel, steps)),
                ],
                band: if distribution.can_draw() { band.collect() } else { Vec::new() },
            });
        }
    }
    for (number, rows) in samples.chunks(SAMPLES * width.max(1)).take(SAMPLED).enumerate() {
        for channel in 0..channels.min(CHANNELS) {
            let curves = rows.chunks(width).enumerate().map(|(place, row)| {
                (format!("sample {}", number * SAMPLES + place), curve(series, row, channel, length))
            });
            let title = titled(series, channel, "Samples".into());
            charts.push(SeriesChart { title, curves: curves.collect(), band: Vec::new() });
        }
    }
    charts
}

fn titled(series: &Series, channel: usize, title: String) -> String {
    match series.channels.len() {
        1 => title,
        _ => format!("{title}, {}", series.channels[channel].name),
    }
}

/// A channel of a row in the units of the data.
fn curve(series: &Series, values: &[f32], channel: usize, steps: usize) -> Vec<(f64, f64)> {
    let decoded = series.decode(values);
    let values = decoded.iter().skip(channel).step_by(series.channels.len().max(1)).take(steps);
    values.enumerate().map(|(step, value)| (series.time(step), f64::from(*value))).collect()
}
