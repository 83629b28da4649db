//! What training says of a model beside its losses: what each latent dimension tells, and how large the gradients of its layers are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wgvae_engine::exec::oracle;
use wgvae_engine::kernels::rng::{Stream, key};
use wgvae_engine::plan::{LOGVAR_RANGE, ParamTable};

/// A latent dimension is active if the variance of its mean over the rows is above this (Burda et al., 2016) ...
const ACTIVE_VARIANCE: f64 = 0.01;
/// ... and its KL divergence, which bounds what it can tell of a row, above this. A variance of 0.02 alone is 0.01 nats.
const ACTIVE_KL: f64 = 0.05;

/// A KL divergence, in nats per example, with which the latent tells next to nothing.
pub(super) const COLLAPSED: f64 = 0.1;

/// Test rows that are looked at, at most.
pub(super) const ROWS: usize = 1000;

/// Epochs of a run that are looked at, at most, about: the first, the last, and others between.
const EPOCHS: usize = 50;

/// Whether an epoch, counted from 1, of so many is looked at, and drawn.
pub fn is_shown(epoch: usize, all: usize) -> bool {
    epoch == 1 || epoch == all || epoch.is_multiple_of(all.div_ceil(EPOCHS).max(1))
}

/// A model after an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Steps done.
    pub step: u64,
    /// The mean KL divergence of each latent dimension over up to 1,000 test rows; of a prior that has parts, and of an autoencoder,
    /// there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kl_per_dimension: Vec<f64>,
    /// How many dimensions tell those rows apart: the variance of their mean is above 0.01, and their KL, if there is one, above 0.05 nats.
    pub active_units: usize,
    /// The mutual information of those rows and their codes, in nats, of a model of texts: its decoder may do without the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutual_information: Option<f64>,
    /// The norm of the last step's gradient by each layer's parameters, before clipping.
    pub gradient_norms: BTreeMap<String, f64>,
}

/// Mean over rows of each dimension's KL divergence from a normal with this mean and deviation; `mu` and `logvar (N, Z)`.
pub fn kl_per_dimension(mu: &[f32], logvar: &[f32], mean: &[f64], deviation: &[f64]) -> Vec<f64> {
    let latent = mean.len();
    let mut sums = vec![0.0; latent];
    for (mu, logvar) in mu.chunks(latent).zip(logvar.chunks(latent)) {
        for (i, sum) in sums.iter_mut().enumerate() {
            let logvar = f64::from(logvar[i].clamp(LOGVAR_RANGE.0, LOGVAR_RANGE.1));
            let far = (f64::from(mu[i]) - mean[i]) / deviation[i];
            let ratio = logvar - 2.0 * deviation[i].ln();
            *sum += 0.5 * (ratio.exp() + far * far - 1.0 - ratio);
        }
    }
    let rows = (mu.len() / latent) as f64;
    sums.into_iter().map(|sum| sum / rows).collect()
}

/// Mean over rows `(N, Z)` of each dimension.
pub fn means(mu: &[f32], latent: usize) -> Vec<f64> {
    let mut sums = vec![0.0; latent];
    for row in mu.chunks(latent) {
        sums.iter_mut().zip(row).for_each(|(sum, mu)| *sum += f64::from(*mu));
    }
    let rows = (mu.len() / latent) as f64;
    sums.into_iter().map(|sum| sum / rows).collect()
}

/// Variance over rows `(N, Z)` of each dimension.
pub fn variances(mu: &[f32], latent: usize) -> Vec<f64> {
    let means = means(mu, latent);
    let mut sums = vec![0.0; latent];
    for row in mu.chunks(latent) {
        for ((sum, mu), mean) in sums.iter_mut().zip(row).zip(&means) {
            *sum += (f64::from(*mu) - mean).powi(2);
        }
    }
    let rows = (mu.len() / latent) as f64;
    sums.into_iter().map(|sum| sum / rows).collect()
}

/// The mutual information of rows and codes in nats: over a draw of each row's code, the mean of `ln q(z|x) - ln q(z)`, where `q(z)` is
/// the mean over these rows, of which there are at most 1,000. It is at most the logarithm of their number. `mu` and `logvar (N, Z)`.
pub fn mutual_information(mu: &[f32], logvar: &[f32], latent: usize) -> f64 {
    let rows = (mu.len() / latent).min(ROWS);
    let (mu, logvar) = (&mu[..rows * latent], &logvar[..rows * latent]);
    let inverse: Vec<f32> = logvar.iter().map(|logvar| (-logvar.clamp(LOGVAR_RANGE.0, LOGVAR_RANGE.1)).exp()).collect();
    // The part of a row's density that does not depend on the distance.
    let height = |logvar: &[f32]| logvar.iter().map(|x| x.clamp(LOGVAR_RANGE.0, LOGVAR_RANGE.1)).sum::<f32>();
    let heights: Vec<f32> = logvar.chunks(latent).map(height).collect();
    let key = key(0, Stream::EvaluationNoise, 0);
    let (mut z, mut densities) = (vec![0.0; latent], vec![0.0; rows]);
    let mut sum = 0.0;
    for row in 0..rows {
        for (i, z) in z.iter_mut().enumerate() {
            let place = row * latent + i;
            *z = mu[place] + oracle::normal::<f32>(key, place as u32, 0) / inverse[place].sqrt();
        }
        let of_rows = mu.chunks_exact(latent).zip(inverse.chunks_exact(latent)).zip(&heights);
        for (density, ((mu, inverse), height)) in densities.iter_mut().zip(of_rows) {
            let squares: f32 =
                z.iter().zip(mu).zip(inverse).map(|((z, mu), inverse)| (z - mu) * (z - mu) * inverse).sum();
            *density = -0.5 * (squares + height);
        }
        let most = densities.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mean = densities.iter().map(|density| f64::from(density - most).exp()).sum::<f64>() / rows as f64;
        sum += f64::from(densities[row] - most) - mean.ln();
    }
    sum / rows as f64
}

/// Says of each dimension whether it tells rows apart, by the variances of means and, where there are some, KL
/// divergences.
pub fn are_active(variances: &[f64], kl_per_dimension: &[f64]) -> Vec<bool> {
    let is_active = |(i, variance): (usize, &f64)| {
        *variance > ACTIVE_VARIANCE && kl_per_dimension.get(i).is_none_or(|kl| *kl > ACTIVE_KL)
    };
    variances.iter().enumerate().map(is_active).collect()
}

/// The norm of a gradient by the parameters of each layer: those whose names are the same up to the last dot.
pub(super) fn norms(params: &ParamTable, gradients: &[f32]) -> BTreeMap<String, f64> {
    let mut squares: BTreeMap<String, f64> = BTreeMap::new();
    for param in params.iter().filter(|param| !param.has_own_update) {
        let layer = param.name.rsplit_once('.').map_or(param.name.as_str(), |(layer, _)| layer);
        let of = &gradients[param.offset..param.offset + param.len()];
        *squares.entry(layer.to_string()).or_default() += of.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    }
    squares.into_iter().map(|(layer, square)| (layer, square.sqrt())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgvae_engine::plan::Init;

    #[test]
    fn norms_are_those_of_layers() {
        let mut params = ParamTable::default();
        let start = Init::Constant(0.0);
        params.push_block(&[("encoder.0.weight", &[2, 3], start)]);
        params.push_block(&[("encoder.0.bias", &[2], start), ("log_sigma", &[1], start)]);
        let mut gradients = vec![0.0; params.arena_len()];
        let mut set = |name: &str, values: &[f32]| {
            let offset = params.find(name).unwrap().offset;
            gradients[offset..offset + values.len()].copy_from_slice(values);
        };
        set("encoder.0.weight", &[1.0, 2.0, 0.0, 0.0, 2.0, 0.0]);
        set("encoder.0.bias", &[4.0, 0.0]);
        set("log_sigma", &[-3.0]);
        let found = norms(&params, &gradients);
        assert_eq!(found, BTreeMap::from([("encoder.0".into(), 5.0), ("log_sigma".into(), 3.0)]));
    }

    #[test]
    fn dimensions_are_active_that_tell_rows_apart() {
        // The first tells rows apart, the second differs but hardly, the third is the prior.
        let mu = [2.0, 0.02, 0.0, -2.0, -0.02, 0.0];
        let logvar = [-3.0, 0.0, 0.0, -3.0, 0.0, 0.0];
        let kl = kl_per_dimension(&mu, &logvar, &[0.0; 3], &[1.0; 3]);
        let expected = 0.5 * ((-3.0_f64).exp() + 4.0 - 1.0 + 3.0);
        assert!((kl[0] - expected).abs() < 1e-12 && (kl[1] - 0.0002).abs() < 1e-9 && kl[2] == 0.0, "{kl:?}");
        assert_eq!(are_active(&variances(&mu, 3), &kl), [true, false, false]);
        // A wide code is as far as a narrow one from a normal with its own moments.
        let wide = kl_per_dimension(&[20.0, -20.0], &[-3.0 + 2.0 * 10_f32.ln(); 2], &[0.0], &[10.0]);
        assert!((wide[0] - kl[0]).abs() < 1e-5, "{wide:?}");
    }

    #[test]
    fn information_is_what_codes_tell_of_rows() {
        // Half of the rows have one code, half another one that is far from it: a draw tells ln 2 nats of its row.
        let mu: Vec<f32> = (0..400).map(|i| if i % 2 == 0 { 50.0 } else { -50.0 }).collect();
        assert!((mutual_information(&mu, &vec![0.0; 400], 1) - 2.0_f64.ln()).abs() < 1e-6);
        assert!(mutual_information(&[0.3; 200], &[-1.0; 200], 2).abs() < 1e-6);
        // Codes that are far from each other tell which row it is.
        let apart: Vec<f32> = (0..100).map(|i| 100.0 * i as f32).collect();
        assert!((mutual_information(&apart, &[0.0; 100], 1) - 100.0_f64.ln()).abs() < 1e-6);
        // A normal of variance 1 with noise of variance 1/3: ln 2 nats (half of ln 4).
        let key = key(7, Stream::Prior, 0);
        let mu: Vec<f32> = (0..1000).map(|i| oracle::normal::<f32>(key, i, 0)).collect();
        let found = mutual_information(&mu, &vec![-(3.0_f32.ln()); 1000], 1);
        assert!((found - 2.0_f64.ln()).abs() < 0.06, "{found}");
    }

    #[test]
    fn about_fifty_epochs_are_shown() {
        for all in [1, 3, 50, 51, 999] {
            let shown = (1..=all).filter(|epoch| is_shown(*epoch, all)).count();
            assert!((all.min(26)..=all.min(52)).contains(&shown), "{shown} of {all}");
            assert!(is_shown(1, all) && is_shown(all, all));
        }
    }
}
