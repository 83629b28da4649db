//! Missing cells in drawn rows of a table, as often and where real rows have them.

use rand::RngExt;
use rayon::prelude::*;
use wgvae_data::{Columns, Examples};
use wgvae_engine::plan::{MISSING, is_missing};

use super::draws::rng;
use super::{RunError, TrainedModel};

/// Training rows whose missing cells are taken over, at most.
const MAX_ROWS: usize = 4096;
/// Drawn rows that get missing cells at a time.
const BLOCK: usize = 4096;
/// The stream of the seed that chooses training rows for the first block.
const MISSING_ROWS: u64 = 0x6761_7073 << 32;

/// Makes cells of drawn rows `(N, D)`, decoded from codes `(N, Z)`, missing as they are in training rows that are chosen at random:
/// as often as in the data, and together as they are there. The drawn row whose code is the closest to that of a training row takes
/// over its missing cells, so that they depend on the other cells as they do in the data.
pub fn take_over(
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
    let missing: Vec<Vec<usize>> = rows
        .chunks(width)
        .map(|row| (0..spans.len()).filter(|column| is_missing(row[spans[*column].start])).collect())
        .collect();
    if missing.iter().all(Vec::is_empty) {
        return Err(RunError::Unfit(format!(
            "none of {} training rows has a missing cell: draw rows without gaps",
            some.rows
        )));
    }
    let codes = model.encode(&some)?.mu;
    let blocks = drawn.par_chunks_mut(BLOCK * width).zip(z.par_chunks(BLOCK * latent)).enumerate();
    blocks.for_each(|(number, (drawn, z))| {
        let count = z.len() / latent;
        let mut rng = rng(seed, MISSING_ROWS + number as u64);
        let mut is_free = vec![true; count];
        for _ in 0..count {
            let row = rng.random_range(0..some.rows);
            if missing[row].is_empty() {
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
            for column in &missing[row] {
                let start = place * width;
                drawn[start + spans[*column].start..start + spans[*column].end].fill(MISSING);
            }
        }
    });
    Ok(())
}
