//! Keys of the counter-based random streams. The generator is in `shaders/rng.wgsl`; its twin here makes the keys and
//! serves the oracle.

use super::{index_fits, params};
use crate::plan::{Dtype, Grid, Kernel, Op, PlanError, TensorId, TensorTable};

params! {
    /// `Draws` of `rng.wgsl`.
    pub struct RngParams {
        /// How many draws, of two words each.
        count: u32,
        /// The key's first word.
        key_low: u32,
        /// The key's second word.
        key_high: u32,
    }
}

/// Purposes of random streams. Their numbers must not change, so that a run can be repeated from its seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Reparameterisation noise while training.
    Noise = 1,
    /// Binarisation draws while training.
    Binarise = 2,
    /// The permutation of an epoch.
    Shuffle = 3,
    /// Draws from the prior, for pictures.
    Prior = 4,
    /// Reparameterisation noise while evaluating.
    EvaluationNoise = 5,
    /// Binarisation draws while evaluating.
    EvaluationBinarise = 6,
    /// Initial weights.
    Weights = 7,
    /// Reparameterisation noise of a row, by its content.
    RowNoise = 8,
    /// Binarisation draws of a row, by its content.
    RowBinarise = 9,
    /// The choice of the part of a mixture that a draw comes from.
    Part = 10,
    /// Draws of the latent whose weights give a row's likelihood.
    Importance = 11,
    /// Masks of the bits that draws come from where rows are compressed.
    BitsBack = 12,
    /// The order of the buckets that steps take their rows from.
    Buckets = 13,
}

/// The bit of the counter that keeps the draws which drop tokens apart from normal draws of the same number.
pub const TOKEN_DRAWS: u32 = 1 << 31;

/// Threefry-2x32 with 20 rounds (Salmon et al., SC 2011). Always inline, so that loops over draws become vector instructions.
#[inline(always)]
pub fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    let schedule = [key[0], key[1], 0x1BD1_1BDA ^ key[0] ^ key[1]];
    let mut x = [counter[0].wrapping_add(key[0]), counter[1].wrapping_add(key[1])];
    for block in 0..5 {
        for rotation in ROTATIONS[block % 2] {
            x[0] = x[0].wrapping_add(x[1]);
            x[1] = x[1].rotate_left(rotation) ^ x[0];
        }
        x[0] = x[0].wrapping_add(schedule[(block + 1) % 3]);
        x[1] = x[1].wrapping_add(schedule[(block + 2) % 3]).wrapping_add(block as u32 + 1);
    }
    x
}

/// The key of a stream at a step (or epoch): every `(seed, stream, step)` has its own.
pub fn key(seed: u64, stream: Stream, step: u64) -> [u32; 2] {
    let by_stream = threefry2x32([seed as u32, (seed >> 32) as u32], [stream as u32, 0x7767_7661]);
    threefry2x32(by_stream, [step as u32, (step >> 32) as u32])
}

/// `words (n, 2)`: the bits of draws 0 to n - 1 of a key.
pub fn bits(tensors: &TensorTable, key: [u32; 2], words: TensorId) -> Result<Op, PlanError> {
    let label = "bits";
    let count = tensors.get(words).len() / 2;
    tensors.expect_dtype(label, words, Dtype::U32)?;
    index_fits(label, 2 * count)?;
    let params = RngParams { count: index_fits(label, count)?, key_low: key[0], key_high: key[1] };
    Ok(Op::new(label, Kernel::RandomBits, Grid::Elements(count)).write("random_words", words).params(params.block()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers published with the Random123 library.
    #[test]
    fn threefry_known_answers() {
        assert_eq!(threefry2x32([0, 0], [0, 0]), [0x6b200159, 0x99ba4efe]);
        assert_eq!(threefry2x32([u32::MAX; 2], [u32::MAX; 2]), [0x1cb996fc, 0xbb002be7]);
        assert_eq!(threefry2x32([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3]), [0xc4923a9c, 0x483df7a0]);
    }

    #[test]
    fn keys_differ_by_seed_stream_and_step() {
        let base = key(1, Stream::Noise, 1);
        assert_ne!(base, key(2, Stream::Noise, 1));
        assert_ne!(base, key(1 << 32 | 1, Stream::Noise, 1));
        assert_ne!(base, key(1, Stream::Binarise, 1));
        assert_ne!(base, key(1, Stream::Noise, 2));
        assert_ne!(base, key(1, Stream::Noise, 1 << 32 | 1));
    }
}
