//! Statistics of codes and scores.

use serde::Serialize;

use super::{Codes, Score};
use crate::plan::LOGVAR_RANGE;

/// A latent dimension is active if the variance of its mean over the rows is above this (Burda et al., 2016).
pub const ACTIVE: f64 = 0.01;

/// Figures of a model on some rows, in nats per row unless stated otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Number of rows.
    pub rows: usize,
    /// Latent draws per row.
    pub draws: usize,
    /// The negative ELBO: reconstruction plus KL.
    pub loss: f64,
    /// Negative log-likelihood.
    pub reconstruction: f64,
    /// KL divergence from the prior.
    pub kl: f64,
    /// KL divergence of each latent dimension; the sum is `kl`.
    pub kl_per_dimension: Vec<f64>,
    /// Number of dimensions whose mean varies over the rows.
    pub active_units: usize,
    /// The negative ELBO in bits, divided by the number of values per row.
    pub bits_per_dimension: f64,
}

impl Evaluation {
    /// Computes the figures from codes and losses of rows with `width` values each.
    pub fn of(codes: &Codes, scores: &[Score], draws: usize, width: usize) -> Self {
        let mean = |value: fn(&Score) -> f64| scores.iter().map(value).sum::<f64>() / scores.len() as f64;
        let (reconstruction, kl) = (mean(|s| s.recon), mean(|s| s.kl));
        let loss = reconstruction + kl;
        Self {
            rows: scores.len(),
            draws,
            loss,
            reconstruction,
            kl,
            kl_per_dimension: kl_per_dimension(codes),
            active_units: mean_variances(codes).into_iter().filter(|v| *v > ACTIVE).count(),
            bits_per_dimension: loss / (width as f64 * std::f64::consts::LN_2),
        }
    }
}

/// Mean over the rows of each dimension's KL divergence; empty for an autoencoder.
pub fn kl_per_dimension(codes: &Codes) -> Vec<f64> {
    if codes.logvar.is_empty() {
        return Vec::new();
    }
    let mut sums = vec![0.0; codes.latent];
    for (mu, logvar) in codes.mu.chunks(codes.latent).zip(codes.logvar.chunks(codes.latent)) {
        for ((sum, mu), logvar) in sums.iter_mut().zip(mu).zip(logvar) {
            let bounded = logvar.clamp(LOGVAR_RANGE.0, LOGVAR_RANGE.1);
            let (mu, logvar) = (f64::from(*mu), f64::from(bounded));
            *sum += 0.5 * (logvar.exp() + mu * mu - 1.0 - logvar);
        }
    }
    sums.into_iter().map(|sum| sum / codes.rows() as f64).collect()
}

/// Variance over the rows of each dimension's mean.
pub fn mean_variances(codes: &Codes) -> Vec<f64> {
    let n = codes.rows() as f64;
    let means = mean_code(codes);
    let mut sums = vec![0.0; codes.latent];
    for row in codes.mu.chunks(codes.latent) {
        for ((sum, mu), mean) in sums.iter_mut().zip(row).zip(&means) {
            *sum += (f64::from(*mu) - mean).powi(2);
        }
    }
    sums.into_iter().map(|sum| sum / n).collect()
}

/// Mean over the rows of each dimension's mean.
pub fn mean_code(codes: &Codes) -> Vec<f64> {
    let mut sums = vec![0.0; codes.latent];
    for row in codes.mu.chunks(codes.latent) {
        for (sum, mu) in sums.iter_mut().zip(row) {
            *sum += f64::from(*mu);
        }
    }
    sums.into_iter().map(|sum| sum / codes.rows() as f64).collect()
}

/// ROC-AUC: the share of pairs of an anomalous and a normal row in which the anomalous one has the higher score; ties
/// count half. None if there are no anomalous or no normal rows.
pub fn roc_auc(scores: &[f64], anomalous: &[bool]) -> Option<f64> {
    let order = descending(scores);
    let positives = anomalous.iter().filter(|a| **a).count();
    let negatives = anomalous.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (mut above, mut area) = (0.0, 0.0);
    for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let ups = tied.iter().filter(|i| anomalous[**i]).count() as f64;
        let downs = tied.len() as f64 - ups;
        area += downs * (above + ups / 2.0);
        above += ups;
    }
    Some(area / (positives as f64 * negatives as f64))
}

/// Average precision: the mean over the anomalous rows of the precision at their rank; tied rows share a rank.
pub fn average_precision(scores: &[f64], anomalous: &[bool]) -> Option<f64> {
    let positives = anomalous.iter().filter(|a| **a).count();
    if positives == 0 {
        return None;
    }
    let (mut seen, mut found, mut sum) = (0.0, 0.0, 0.0);
    let order = descending(scores);
    for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let ups = tied.iter().filter(|i| anomalous[**i]).count() as f64;
        seen += tied.len() as f64;
        found += ups;
        sum += ups * found / seen;
    }
    Some(sum / positives as f64)
}

/// Row indices by descending score; NaN comes first, as the most anomalous.
pub fn descending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let rank = |i: usize| if scores[i].is_nan() { f64::INFINITY } else { scores[i] };
    order.sort_by(|a, b| rank(*b).total_cmp(&rank(*a)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranking_figures_are_those_of_the_textbook() {
        let labels = [false, false, true, true];
        // Three of the four pairs are in order; precision is 1 at the first anomalous row and 2/3 at the second.
        assert_eq!(roc_auc(&[0.1, 0.4, 0.35, 0.8], &labels), Some(0.75));
        let precision = average_precision(&[0.1, 0.4, 0.35, 0.8], &labels).unwrap();
        assert!((precision - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(roc_auc(&[0.1, 0.4, 0.4, 0.8], &labels), Some(0.875));
        assert_eq!(roc_auc(&[1.0; 4], &labels), Some(0.5));
        assert_eq!(roc_auc(&[1.0; 2], &[true, true]), None);
        assert_eq!(average_precision(&[1.0; 2], &[false, false]), None);
        assert_eq!(descending(&[1.0, f64::NAN, 3.0]), [1, 2, 0]);
    }

    #[test]
    fn the_divergences_of_the_dimensions_are_those_of_the_formula() {
        let codes = Codes { latent: 2, mu: vec![0.0, 1.0, 0.0, -1.0], logvar: vec![0.0, 0.0, 0.0, 1.0] };
        let second = 0.5 * (0.5 + 0.5 * (1.0_f64.exp() + 1.0 - 1.0 - 1.0));
        let found = kl_per_dimension(&codes);
        assert_eq!(found[0], 0.0);
        assert!((found[1] - second).abs() < 1e-12, "{found:?}");
        assert_eq!(mean_variances(&codes), [0.0, 1.0]);
        assert_eq!(codes.of([1].into_iter()).mu, [0.0, -1.0]);
    }
}
