//! Filling in missing values of rows, and removing noise, by repeated encoding and decoding.

use super::{Applied, RunError};
use crate::data::{Split, Values};

/// The damage of rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Damage {
    /// Missing values: `(D)`, true where a value is missing, the same for every row.
    Missing(Vec<bool>),
    /// Noise of this standard deviation on every value.
    Noise(f32),
}

/// Rows in the form the model takes: floats unchanged, levels in [0, 1] as bytes.
pub fn split_of(values: &[f32], bytes: bool, width: usize) -> Split {
    let level = |v: &f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
    let values = match bytes {
        true => Values::Bytes(values.iter().map(level).collect()),
        false => Values::Floats(values.to_vec()),
    };
    Split::of(values.len() / width, values)
}

/// Restores rows `(N, D)`, whose classes a conditional model must be told. In each round, missing values are replaced by those
/// of the reconstruction; noisy values become a mean of observation and reconstruction, weighted by how much of their difference
/// the noise explains.
pub fn restore(
    model: &mut Applied,
    observed: &[f32],
    classes: Option<&[u32]>,
    bytes: bool,
    damage: &Damage,
    rounds: usize,
) -> Result<Vec<f32>, RunError> {
    let width = model.width();
    let mut now = observed.to_vec();
    if let Damage::Missing(missing) = damage {
        // Missing values start at the mean of the row's other values, close to what the model was trained on.
        for row in now.chunks_mut(width) {
            let seen = row.iter().zip(missing).filter(|(_, gone)| !**gone);
            let (sum, count) = seen.fold((0.0, 0.0), |(sum, count), (v, _)| (sum + v, count + 1.0));
            let mean = if count > 0.0 { sum / count } else { 0.0 };
            row.iter_mut().zip(missing).filter(|(_, gone)| **gone).for_each(|(v, _)| *v = mean);
        }
    }
    for _ in 0..rounds {
        let rows = Split { labels: classes.map(<[u32]>::to_vec), ..split_of(&now, bytes, width) };
        let shown = model.reconstruct(&rows)?;
        now = match damage {
            Damage::Missing(missing) => {
                let gone = missing.iter().cycle();
                observed
                    .iter()
                    .zip(&shown)
                    .zip(gone)
                    .map(|((seen, shown), gone)| if *gone { *shown } else { *seen })
                    .collect()
            }
            Damage::Noise(deviation) => {
                let pairs = observed.iter().zip(&shown);
                let apart: f64 = pairs.clone().map(|(a, b)| f64::from(a - b).powi(2)).sum();
                let noise = f64::from(*deviation).powi(2) * observed.len() as f64;
                let trust = if apart > 0.0 { (noise / apart).min(1.0) as f32 } else { 0.0 };
                pairs.map(|(seen, shown)| seen + trust * (shown - seen)).collect()
            }
        };
    }
    Ok(now)
}
