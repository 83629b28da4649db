//! Statistics of codes and scores.

use super::{Codes, PriorMixture};
use crate::train;

/// Mean over the rows of each dimension's KL divergence from a normal with the moments of the prior, which is the prior where that is a
/// standard normal; empty for an autoencoder.
pub fn kl_per_dimension(codes: &Codes, prior: &PriorMixture) -> Vec<f64> {
    if codes.logvar.is_empty() {
        return Vec::new();
    }
    let (mean, deviation) = prior.moments();
    train::kl_per_dimension(&codes.mu, &codes.logvar, &mean, &deviation)
}

/// Variance over the rows of each dimension's mean.
pub fn mean_variances(codes: &Codes) -> Vec<f64> {
    train::variances(&codes.mu, codes.latent)
}

/// Whether each dimension tells rows apart.
pub fn active(codes: &Codes, prior: &PriorMixture) -> Vec<bool> {
    train::are_active(&mean_variances(codes), &kl_per_dimension(codes, prior))
}

/// Mean over the rows of each dimension's mean.
pub fn mean_code(codes: &Codes) -> Vec<f64> {
    train::means(&codes.mu, codes.latent)
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

/// How many of `count` new members each class gets, so that afterwards their sizes are as equal as they can be.
pub fn levelled(sizes: &[usize], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|class| sizes[*class]);
    // The classes that get some are the smallest ones; all of them end at one size, or one above it.
    let (mut sum, mut some) = (0, 0);
    for class in &order {
        if sizes[*class] * some - sum > count {
            break;
        }
        sum += sizes[*class];
        some += 1;
    }
    let mut added = vec![0; sizes.len()];
    // None if there are no classes.
    let level = (sum + count).checked_div(some).unwrap_or(0);
    for (place, class) in order[..some].iter().enumerate() {
        added[*class] = level + usize::from(place < sum + count - level * some) - sizes[*class];
    }
    added
}

/// `1 - squared errors / squared deviations`: 1 of what is predicted exactly, and no less than 0, what the mean would have.
pub(super) fn explained(errors: f64, deviations: f64) -> f64 {
    if deviations > 0.0 { (1.0 - errors / deviations).max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_members_make_classes_equal() {
        assert_eq!(levelled(&[5, 3, 9], 10), [4, 6, 0]);
        assert_eq!(levelled(&[5, 3, 9], 1), [0, 1, 0]);
        assert_eq!(levelled(&[5, 3, 9], 3), [0, 3, 0]);
        assert_eq!(levelled(&[5, 3, 9], 13), [5, 7, 1]);
        assert_eq!(levelled(&[4, 4], 3), [2, 1]);
        assert_eq!((levelled(&[], 3), levelled(&[7], 3)), (vec![], vec![3]));
    }

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
        let found = kl_per_dimension(&codes, &PriorMixture::standard(codes.latent));
        assert_eq!(found[0], 0.0);
        assert!((found[1] - second).abs() < 1e-12, "{found:?}");
        assert_eq!(mean_variances(&codes), [0.0, 1.0]);
        assert_eq!(codes.of([1].into_iter()).mu, [0.0, -1.0]);
    }
}
