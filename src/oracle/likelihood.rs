//! Reconstruction losses and their slopes.

use super::Real;
use super::activation::sigmoid;
use crate::plan::Loss;

/// The loss of the output `x[0]` for the data `x[1]`, and its slopes; unused results are 0.
pub(super) fn evaluate<T: Real>(loss: Loss, x: &[T]) -> [T; 3] {
    match loss {
        Loss::Bernoulli => bernoulli(x[0], x[1]),
        Loss::Gaussian => gaussian(x[0], x[1], x[2], x[3]),
        Loss::GaussianLearned => gaussian_learned(x[0], x[1], x[2]),
    }
}

fn bernoulli<T: Real>(logit: T, x: T) -> [T; 3] {
    let loss = logit.max(T::zero()) - logit * x + (-logit.abs()).exp().ln_1p();
    [loss, sigmoid(logit) - x, T::zero()]
}

fn gaussian<T: Real>(mean: T, x: T, inv_var: T, log_norm: T) -> [T; 3] {
    let error = mean - x;
    [T::of(0.5) * inv_var * error * error + log_norm, inv_var * error, T::zero()]
}

fn gaussian_learned<T: Real>(mean: T, x: T, log_sigma: T) -> [T; 3] {
    let error = (mean - x) / log_sigma.exp();
    let log_norm = log_sigma + T::of(0.5 * (2.0 * std::f64::consts::PI).ln());
    [T::of(0.5) * error * error + log_norm, error / log_sigma.exp(), T::one() - error * error]
}
