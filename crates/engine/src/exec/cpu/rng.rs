//! The draws of `rng.wgsl`, over arrays: the same random bits.

use super::job::{At, Job, Scratch};
use super::math::{cos_turns, ln};
use super::memory::Region;
use super::vector::vectorised;
use crate::kernels::rng::{RngParams, TOKEN_DRAWS, threefry2x32};
use crate::plan::{Op, TensorTable, UNKNOWN};

/// Uniform in [0, 1), a multiple of 2^-24.
#[inline(always)]
pub(super) fn unit(bits: u32) -> f32 {
    (bits >> 8) as f32 * (1.0 / 16_777_216.0)
}

vectorised! {
    /// Standard normal draws (Box-Muller) of the numbers in `index`; `draw` numbers the draws of one step.
    pub(super) fn normal<'a>(key: [u32; 2], draw: u32, index: &'a [u32], y: &'a mut [f32]) {
        for (y, index) in y.iter_mut().zip(index) {
            let bits = threefry2x32(key, [*index, draw]);
            // The number lies in (0, 1], so that its logarithm is finite.
            let u = ((bits[0] >> 8) + 1) as f32 * (1.0 / 16_777_216.0);
            let square = -2.0 * ln(u);
            *y = (if square > 0.0 { square } else { 0.0 }).sqrt() * cos_turns(unit(bits[1]));
        }
    }
}

vectorised! {
    /// Tokens, each of which is replaced by [`UNKNOWN`] with a probability; `index` has their numbers, as in [`normal`].
    pub(super) fn drop_tokens<'a>(
        key: [u32; 2],
        draw: u32,
        index: &'a [u32],
        tokens: &'a [f32],
        probabilities: &'a [f32],
        y: &'a mut [f32],
    ) {
        for ((y, index), (token, probability)) in y.iter_mut().zip(index).zip(tokens.iter().zip(probabilities)) {
            let is_dropped = unit(threefry2x32(key, [*index, draw | TOKEN_DRAWS])[0]) < *probability;
            *y = if is_dropped && *token >= 0.0 { UNKNOWN } else { *token };
        }
    }
}

/// The raw bits of draws 0, 1, ...
pub(super) struct Bits {
    params: RngParams,
    words: Region,
}

impl Bits {
    pub fn new(op: &Op, tensors: &TensorTable) -> Self {
        Self { params: RngParams::of(op), words: Region::bound(tensors, op, "random_words") }
    }
}

impl Job for Bits {
    fn run(&self, at: At<'_>, _: usize, _: usize, _: &mut Scratch) {
        let key = [self.params.key_low, self.params.key_high];
        for (i, pair) in at.memory.words_mut(self.words).chunks_mut(2).enumerate() {
            pair.copy_from_slice(&threefry2x32(key, [i as u32, 0])[..pair.len()]);
        }
    }
}
