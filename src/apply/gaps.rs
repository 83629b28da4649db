//! Gaps in drawn rows of a table, as often and where real rows have them.

use rand::RngExt;
use rayon::prelude::*;
use wgvae_data::{Columns, Examples};
use wgvae_engine::plan::{MISSING, is_missing};

use super::draws::rng;
use super::{RunError, TrainedModel};

/// Training rows whose gaps are taken over, at most.
const MAX_ROWS: usize = 4096;
/// Drawn rows that gaps are given to at a time.
const BLOCK: usize = 4096;
/// The stream of the seed that chooses training rows for the first block.
const GAPS: u64 = 0x6761_7073 << 32;

/// Takes from drawn rows `(N, D)`, decoded from codes `(N, Z)`, what is missing in training rows that are drawn at random: gaps are as
/// frequent as in the data, and come together as they do there. Those of a training row go to the drawn row whose code is the closest to
/// its code, so that they depend on the other cells as they do in the data.
pub fn leave(
    model: &mut TrainedModel,
    columns: &Columns,
    train: &Examples,
    z: &[f32],
    drawn: &mut [f32],
    seed: u64,
) -> Result<(), RunError> {
    let (width, latent) = (columns.width(), model.latent());
    let some = train.some(MAX_ROWS, seed);
    let rows = some.numbers(0..some.rows, width);
    let spans = columns.spans();
    let gaps: Vec<Vec<usize>> = rows
        .chunks(width)
        .map(|row| (0..spans.len()).filter(|column| is_missing(row[spans[*column].start])).collect())
        .collect();
    if gaps.iter().all(Vec::is_empty) {
        return Err(RunError::Unfit(format!(
            "none of {} training rows has a missing cell: leave --gaps out",
            some.rows
        )));
    }
    let codes = model.encode(&some)?.mu;
    let blocks = drawn.par_chunks_mut(BLOCK * width).zip(z.par_chunks(BLOCK * latent)).enumerate();
    blocks.for_each(|(number, (drawn, z))| {
        let count = z.len() / latent;
        let mut rng = rng(seed, GAPS + number as u64);
        let mut is_free = vec![true; count];
        for _ in 0..count {
            let row = rng.random_range(0..some.rows);
            if gaps[row].is_empty() {
                continue;
            }
            let code = &codes[row * latent..(row + 1) * latent];
            let apart = |place: &usize| -> f32 {
                let of_place = &z[place * latent..(place + 1) * latent];
                of_place.iter().zip(code).map(|(a, b)| (a - b) * (a - b)).sum()
            };
            let free = (0..count).filter(|place| is_free[*place]).map(|place| (place, apart(&place)));
            let Some((place, _)) = free.min_by(|a, b| a.1.total_cmp(&b.1)) else { return };
            is_free[place] = false;
            for column in &gaps[row] {
                let start = place * width;
                drawn[start + spans[*column].start..start + spans[*column].end].fill(MISSING);
            }
        }
    });
    Ok(())
}
