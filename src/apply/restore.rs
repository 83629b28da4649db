//! Filling in what is missing of rows, and taking noise away, by encoding and decoding again and again.

use super::{Applied, RunError};
use crate::data::{Split, Values};

/// What is wrong with rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Damage {
    /// Numbers that are missing: `(D)`, the same for every row.
    Missing(Vec<bool>),
    /// Noise of this deviation on every number.
    Noise(f32),
}

/// Rows as the model takes them: floats as they are, levels in [0, 1] as bytes.
pub fn split_of(values: &[f32], bytes: bool, width: usize) -> Split {
    let level = |v: &f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
    let values = match bytes {
        true => Values::Bytes(values.iter().map(level).collect()),
        false => Values::Floats(values.to_vec()),
    };
    Split::of(values.len() / width, values)
}

/// Restores rows `(N, D)` in so many rounds. Missing numbers become what the model makes of the rest. Noisy ones become
/// a mean of what was seen and what the model shows, weighed by how much of their difference the noise explains.
pub fn restore(
    model: &mut Applied,
    observed: &[f32],
    bytes: bool,
    damage: &Damage,
    rounds: usize,
) -> Result<Vec<f32>, RunError> {
    let width = model.width();
    let mut now = observed.to_vec();
    if let Damage::Missing(missing) = damage {
        // The mean of what is there, so that the first round starts from nothing strange.
        for row in now.chunks_mut(width) {
            let seen = row.iter().zip(missing).filter(|(_, gone)| !**gone);
            let (sum, count) = seen.fold((0.0, 0.0), |(sum, count), (v, _)| (sum + v, count + 1.0));
            let mean = if count > 0.0 { sum / count } else { 0.0 };
            row.iter_mut().zip(missing).filter(|(_, gone)| **gone).for_each(|(v, _)| *v = mean);
        }
    }
    for _ in 0..rounds {
        let shown = model.reconstruct(&split_of(&now, bytes, width))?;
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
