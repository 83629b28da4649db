//! Reconstruction losses and their slopes.

use super::Real;
use super::activation::sigmoid;

pub(super) fn bernoulli<T: Real>(logit: T, x: T) -> [T; 3] {
    let loss = logit.max(T::zero()) - logit * x + (-logit.abs()).exp().ln_1p();
    [loss, sigmoid(logit) - x, T::zero()]
}

pub(super) fn gaussian<T: Real>(mean: T, x: T, inv_var: T, log_norm: T) -> [T; 3] {
    let error = mean - x;
    [T::of(0.5) * inv_var * error * error + log_norm, inv_var * error, T::zero()]
}

pub(super) fn gaussian_learned<T: Real>(mean: T, x: T, log_sigma: T) -> [T; 3] {
    let error = (mean - x) / log_sigma.exp();
    let log_norm = log_sigma + T::of(0.5 * (2.0 * std::f64::consts::PI).ln());
    [T::of(0.5) * error * error + log_norm, error / log_sigma.exp(), T::one() - error * error]
}
