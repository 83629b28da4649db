//! Waves: series of sums of sines, drawn from a seed, whose likelihood is known exactly.
//!
//! A series has 50 steps of one channel. With `w = 2 pi / period`,
//!
//! ```text
//! x_t = sum over k of (a_k cos(w_k t) + b_k sin(w_k t)) + 0.3 e_t,   t = 0, 1, ..., 49
//! ```
//!
//! for the periods 40, 17 and 9. All `a_k` and `b_k` are normal with mean 0 and the deviations 1, 0.6 and 0.4, and each `e_t` is
//! standard normal. So each sine has a random amplitude and a phase that is uniform, and a series is a draw from a Gaussian
//! process with the covariance
//!
//! ```text
//! C(t, u) = sum over k of s_k^2 cos(w_k (t - u)) + 0.09 [t = u]
//! ```
//!
//! A model needs six latent dimensions, and what it learns is compared with [`log_density`].
//!
//! ```
//! use wgvae_data::waves;
//!
//! let zero = vec![0.0; waves::STEPS];
//! // The density of a series of which values are missing is that of the others.
//! let unknown = vec![f64::NAN; waves::STEPS];
//! assert!(waves::log_density(&zero) > -50.0 && waves::log_density(&unknown) == 0.0);
//! ```

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::points::normal;
use super::raw::Raw;
use super::series::{self, RawSeries};
use super::spec::Counted;
use super::{DataError, Examples, Values};

/// Steps of a series.
pub const STEPS: usize = 50;

/// The period of each sine in steps, and the deviation of its two amplitudes.
const SINES: [(f64, f64); 3] = [(40.0, 1.0), (17.0, 0.6), (9.0, 0.4)];

/// The deviation of the noise.
const NOISE: f64 = 0.3;

/// Parses `waves[:count=4000][,seed=0]`.
pub(super) fn parse(spec: &str, text: &str) -> Result<Counted, DataError> {
    Counted::parse(spec, text, 4000, 10_000_000)
}

/// `count` training series and a fifth as many test series.
pub(super) fn rows(options: &Counted) -> Raw {
    let split = |first: u64, count: usize| {
        let draw = |row: u64| series_of(options.seed, first + row);
        let values: Vec<f32> = (0..count as u64).into_par_iter().flat_map_iter(draw).collect();
        Examples::of(count, Values::Floats(values))
    };
    let names = RawSeries { channels: vec!["x".into()], ..RawSeries::default() };
    let train = split(0, options.count);
    Raw {
        name: "waves".into(),
        test: Some(split(1 << 32, (options.count / 5).max(1))),
        ..series::raw(names, STEPS, train)
    }
}

/// A series by its number.
fn series_of(seed: u64, number: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    let mut normal = || f64::from(normal(&mut rng));
    let amplitudes = SINES.map(|(_, deviation)| [deviation * normal(), deviation * normal()]);
    let value = |step: usize| {
        let sine = |((period, _), [a, b]): (&(f64, f64), &[f64; 2])| {
            let angle = angle(step as f64, *period);
            a * libm::cos(angle) + b * libm::sin(angle)
        };
        (SINES.iter().zip(&amplitudes).map(sine).sum::<f64>() + NOISE * normal()) as f32
    };
    (0..STEPS).map(value).collect()
}

fn angle(steps: f64, period: f64) -> f64 {
    2.0 * std::f64::consts::PI * steps / period
}

/// The covariance of two steps.
fn covariance(one: usize, other: usize) -> f64 {
    let apart = one as f64 - other as f64;
    let of_sines: f64 = SINES.iter().map(|(period, s)| s * s * libm::cos(angle(apart, *period))).sum();
    of_sines + if one == other { NOISE * NOISE } else { 0.0 }
}

/// The exact logarithm of the density of a series of at most [`STEPS`] steps, in nats; NaN is a value that is missing.
pub fn log_density(series: &[f64]) -> f64 {
    let there: Vec<(usize, f64)> = series.iter().copied().enumerate().filter(|(_, value)| !value.is_nan()).collect();
    // Rows of the Cholesky factor of the covariance, and of the factor's inverse times the values.
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(there.len());
    let mut whitened: Vec<f64> = Vec::with_capacity(there.len());
    let mut log = 0.0;
    for (row, (step, value)) in there.iter().enumerate() {
        let mut own = Vec::with_capacity(row + 1);
        for (column, other) in factor.iter().enumerate() {
            let product: f64 = own.iter().zip(other).map(|(a, b): (&f64, &f64)| a * b).sum();
            own.push((covariance(*step, there[column].0) - product) / other[column]);
        }
        let pivot = (covariance(*step, *step) - own.iter().map(|a| a * a).sum::<f64>()).sqrt();
        let rest = value - own.iter().zip(&whitened).map(|(a, b)| a * b).sum::<f64>();
        own.push(pivot);
        factor.push(own);
        let white = rest / pivot;
        whitened.push(white);
        log -= 0.5 * white * white + libm::log(pivot) + 0.5 * libm::log(2.0 * std::f64::consts::PI);
    }
    log
}

/// The exact entropy of a whole series, in nats: the mean of the negative logarithm of the density.
pub fn entropy() -> f64 {
    0.5 * STEPS as f64 - log_density(&[0.0; STEPS])
}
