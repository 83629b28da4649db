//! Gaps in tables and series, for `wgvae restore`.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wgvae::apply::RunError;
use wgvae_data::Columns;
use wgvae_engine::plan::{MISSING, is_missing};

/// The share of a table's cells, of a series' steps or of a text's tokens that is hidden to measure how well they are restored.
pub const HIDDEN: f64 = 0.2;

/// Series with a gap of a fifth of their steps at random.
pub fn with_gaps(whole: &[f32], length: usize, channels: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut before = whole.to_vec();
    for row in before.chunks_mut((length * channels).max(1)) {
        let steps = row.iter().rposition(|value| !is_missing(*value)).map_or(0, |place| place / channels + 1);
        let gap = ((steps as f64 * HIDDEN).ceil() as usize).min(steps.saturating_sub(1));
        let start = (rng.random::<f64>() * (steps - gap + 1) as f64) as usize;
        row[start * channels..(start + gap) * channels].fill(MISSING);
    }
    before
}

/// `(D)`: which values of series the flags hide: steps from one to another, counted from 0, or channels.
pub fn gone_of_series(hole: &[String], names: &[String], length: usize) -> Result<Vec<bool>, RunError> {
    let steps = |hole: &str| {
        let (from, to) = hole.split_once('-').unwrap_or((hole, hole));
        let [from, to] = [from, to].map(|step| step.trim().parse::<usize>().ok());
        from.zip(to).filter(|(from, to)| from <= to && *to < length)
    };
    let mut gone = vec![false; length * names.len()];
    for hole in hole {
        let channel = names.iter().position(|name| name == hole);
        match (channel, steps(hole)) {
            (Some(channel), _) => gone.iter_mut().skip(channel).step_by(names.len()).for_each(|gone| *gone = true),
            (None, Some((from, to))) => gone[from * names.len()..(to + 1) * names.len()].fill(true),
            (None, None) => {
                return Err(RunError::Unfit(format!(
                    "`{hole}` is no gap in a series: name a channel ({}), or steps from 0 to {}, such as --hole 10-19",
                    wgvae_data::list(names),
                    length - 1
                )));
            }
        }
    }
    Ok(gone)
}

/// Rows of a table of which a fifth of the cells is hidden, but never the last one of a row.
pub fn with_hidden(columns: &Columns, whole: &[f32], seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let spans = columns.spans();
    let mut before = whole.to_vec();
    for row in before.chunks_mut(columns.width().max(1)) {
        let mut left = spans.iter().filter(|span| !is_missing(row[span.start])).count();
        for span in &spans {
            let is_hidden = rng.random::<f64>() < HIDDEN;
            if is_hidden && left > 1 && !is_missing(row[span.start]) {
                row[span.clone()].fill(MISSING);
                left -= 1;
            }
        }
    }
    before
}
