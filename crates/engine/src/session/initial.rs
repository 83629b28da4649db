//! How parameters start.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::kernels::rng::{Stream, key};
use crate::plan::{Init, ParamTable};

/// The arena of initial weights, which depends on the seed alone.
pub fn initial_weights(params: &ParamTable, seed: u64) -> Vec<f32> {
    let [low, high] = key(seed, Stream::Weights, 0);
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(high) << 32 | u64::from(low));
    let mut arena = vec![0.0; params.arena_len()];
    for param in params.iter() {
        for value in &mut arena[param.offset..param.offset + param.len()] {
            *value = match param.init {
                Init::Uniform(bound) | Init::Layer(bound) => bound * (2.0 * rng.random::<f32>() - 1.0),
                Init::Constant(constant) => constant,
                // Whoever has the data writes its rows.
                Init::Rows => 0.0,
            };
        }
    }
    arena
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_layers_start_as_torchs_do() {
        let mut params = ParamTable::default();
        params.push_block(&[("w", &[400, 784], Init::Uniform(1.0 / 28.0))]);
        params.push_block(&[("s", &[1], Init::Constant(0.5))]);
        let arena = initial_weights(&params, 3);
        assert_eq!(arena, initial_weights(&params, 3));
        assert_ne!(arena, initial_weights(&params, 4));
        let weights = &arena[..400 * 784];
        let mean = weights.iter().map(|w| f64::from(*w)).sum::<f64>() / weights.len() as f64;
        let variance = weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / weights.len() as f64;
        assert!(weights.iter().all(|w| w.abs() <= 1.0 / 28.0));
        // Uniform: variance = bound^2 / 3.
        assert!(mean.abs() < 2e-4 && (variance * 3.0 * 784.0 - 1.0).abs() < 0.01);
        assert_eq!(arena[params.find("s").unwrap().offset], 0.5);
    }
}
