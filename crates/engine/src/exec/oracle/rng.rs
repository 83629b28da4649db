//! The draws of `rng.wgsl`: the same random bits, and the same numbers up to rounding.

use super::{Call, Real};
use crate::kernels::rng::{RngParams, TOKEN_DRAWS, threefry2x32};
use crate::plan::UNKNOWN;

pub(super) fn run<T: Real>(call: &mut Call<'_, T>) {
    let p = RngParams::of(call.op);
    let words = (0..p.count).flat_map(|i| threefry2x32([p.key_low, p.key_high], [i, 0])).collect::<Vec<_>>();
    call.write_words("random_words", &words);
}

/// Uniform in [0, 1): exact in f32.
pub(super) fn unit(bits: u32) -> f32 {
    (bits >> 8) as f32 / (1 << 24) as f32
}

/// A draw that is uniform in [0, 1); `draw` numbers the draws of one step.
pub fn uniform(key: [u32; 2], index: u32, draw: u32) -> f32 {
    unit(threefry2x32(key, [index, draw])[0])
}

/// A token, or [`UNKNOWN`] in its place with a probability.
pub(super) fn drop_token<T: Real>(token: T, probability: T, key: [u32; 2], index: u32, draw: u32) -> T {
    let is_dropped = T::of(uniform(key, index, draw | TOKEN_DRAWS).into()) < probability;
    if is_dropped && token >= T::zero() { T::of(UNKNOWN.into()) } else { token }
}

/// A standard normal draw (Box-Muller); `draw` numbers the draws of one step.
pub fn normal<T: Real>(key: [u32; 2], index: u32, draw: u32) -> T {
    let bits = threefry2x32(key, [index, draw]);
    let u = f64::from((bits[0] >> 8) + 1) / f64::from(1 << 24);
    let turns = f64::from(unit(bits[1]));
    let radius = (-2.0 * u.ln()).sqrt();
    T::of(radius * (2.0 * std::f64::consts::PI * turns).cos())
}
