//! The mutual information gap (Chen et al., 2018).

use serde::Serialize;

use super::{Factor, Known, gap, mean};

/// Bins of equal width that the means of a dimension are sorted into.
const BINS: usize = 20;

/// The mutual information gap: how much more the dimension that tells most of a factor tells of it than the next one, in units of
/// the factor's entropy; the mean over the factors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mig {
    /// The mean over the factors.
    pub score: f64,
    /// How it was computed.
    pub estimator: &'static str,
    /// The gap of each factor.
    pub per_factor: Vec<f64>,
    /// The dimension that tells most of each factor.
    pub dimension: Vec<usize>,
    /// `(factors, Z)`: mutual information, in units of the factor's entropy.
    pub information: Vec<Vec<f64>>,
}

impl Mig {
    pub(super) fn of(known: &Known) -> Self {
        let bins: Vec<Vec<usize>> = (0..known.latent).map(|dimension| binned(known, dimension)).collect();
        let of_factor = |factor: &Factor| -> Vec<f64> {
            let entropy = entropy(&counted(factor.classes.iter().copied(), factor.count));
            bins.iter().map(|bins| information(bins, factor) / entropy).collect()
        };
        let information: Vec<Vec<f64>> = known.factors.iter().map(of_factor).collect();
        let gaps: Vec<_> = information.iter().map(|of_factor| gap(of_factor)).collect();
        let per_factor: Vec<f64> = gaps.iter().map(|(_, _, gap)| *gap).collect();
        Self {
            score: mean(&per_factor),
            estimator: "mutual information of factors and latent means in 20 bins of equal width, natural logarithm",
            dimension: gaps.iter().map(|(dimension, ..)| *dimension).collect(),
            per_factor,
            information,
        }
    }
}

fn binned(known: &Known, dimension: usize) -> Vec<usize> {
    let values = || (0..known.rows).map(|row| known.at(row, dimension));
    let least = values().fold(f64::INFINITY, f64::min);
    let width = (values().fold(f64::NEG_INFINITY, f64::max) - least) / BINS as f64;
    // The largest value is in the last bin; if all values are the same, the quotients are NaN, and the bin is the first.
    values().map(|value| (((value - least) / width) as usize).min(BINS - 1)).collect()
}

fn counted(places: impl Iterator<Item = usize>, count: usize) -> Vec<usize> {
    let mut counts = vec![0; count];
    places.for_each(|place| counts[place] += 1);
    counts
}

/// In nats, of shares of a whole.
fn entropy(counts: &[usize]) -> f64 {
    let all = counts.iter().sum::<usize>() as f64;
    let of = |count: &usize| *count as f64 / all * (all / *count as f64).ln();
    counts.iter().filter(|count| **count > 0).map(of).sum()
}

/// `H(bins) + H(factor) - H(both)`.
fn information(bins: &[usize], factor: &Factor) -> f64 {
    let both = bins.iter().zip(&factor.classes).map(|(bin, class)| bin * factor.count + class);
    let of_bins = entropy(&counted(bins.iter().copied(), BINS));
    let of_factor = entropy(&counted(factor.classes.iter().copied(), factor.count));
    (of_bins + of_factor - entropy(&counted(both, BINS * factor.count))).max(0.0)
}
