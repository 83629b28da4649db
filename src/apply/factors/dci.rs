//! Disentanglement, completeness and informativeness (Eastwood and Williams, 2018).

use serde::Serialize;

use super::super::forest::{Binned, Forest, Growth, Targets};
use super::{Factor, Halves, Known, mean};

/// The streams of the seed that trees take their rows from, and how many a factor may have.
const FOREST: u64 = 0x666f_7265_7374 << 16;
const OF_FACTOR: u64 = 1 << 16;
/// How trees grow; every split is looked for among all dimensions.
const GROWTH: Growth = Growth { trees: 50, leaf: 5, depth: 16, tried: usize::MAX };

/// What predictors of the factors from the whole code say of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dci {
    /// Whether each dimension is important for one factor only: one less the entropy of its shares, the mean over the dimensions,
    /// weighted by how important they are.
    pub disentanglement: f64,
    /// Whether one dimension only is important for each factor: the mean over the factors.
    pub completeness: f64,
    /// How well the factors are predicted: the mean over them.
    pub informativeness: f64,
    /// How it was computed.
    pub estimator: &'static str,
    /// `(Z)`: the disentanglement of each dimension.
    pub disentanglement_per_dimension: Vec<f64>,
    /// The completeness of each factor.
    pub completeness_per_factor: Vec<f64>,
    /// R2 of each factor on held-out rows.
    pub informativeness_per_factor: Vec<f64>,
    /// `(factors, Z)`: how important each dimension is; the sum over the dimensions is 1.
    pub importance: Vec<Vec<f64>>,
}

impl Dci {
    pub(super) fn of(known: &Known, halves: &Halves, seed: u64) -> Self {
        let binned = Binned::of(known.rows, known.latent, |row, dimension| known.at(row, dimension), &halves.fitted);
        let grown = |(factor, number): (&Factor, u64)| {
            let targets = match factor.ordered {
                true => Targets::Numbers(&factor.values),
                false => Targets::Classes(&factor.classes, factor.count),
            };
            let forest = Forest::grow(&binned, targets, &halves.fitted, GROWTH, [seed, FOREST + OF_FACTOR * number]);
            (forest.importance(), forest.explained(&halves.held))
        };
        let (importance, informativeness_per_factor): (Vec<Vec<f64>>, Vec<f64>) =
            known.factors.iter().zip(0..).map(grown).unzip();
        let (disentanglement, disentanglement_per_dimension) = disentanglement(&importance, known.latent);
        let completeness_per_factor: Vec<f64> = importance.iter().map(|shares| one_sided(shares)).collect();
        Self {
            disentanglement,
            completeness: mean(&completeness_per_factor),
            informativeness: mean(&informativeness_per_factor),
            estimator: "random forests of 50 trees on latent means, importance by squared deviations taken off; informativeness is R2 on \
                        the half of the rows that was not fitted to",
            disentanglement_per_dimension,
            completeness_per_factor,
            informativeness_per_factor,
            importance,
        }
    }
}

/// The mean over the dimensions, weighted by their importance, and of each dimension.
fn disentanglement(importance: &[Vec<f64>], latent: usize) -> (f64, Vec<f64>) {
    let of_dimension = |dimension: usize| -> Vec<f64> { importance.iter().map(|shares| shares[dimension]).collect() };
    let each: Vec<f64> = (0..latent).map(|dimension| one_sided(&of_dimension(dimension))).collect();
    let weights: Vec<f64> = (0..latent).map(|dimension| of_dimension(dimension).iter().sum()).collect();
    let all: f64 = weights.iter().sum();
    let sum: f64 = each.iter().zip(&weights).map(|(each, weight)| each * weight).sum();
    (if all > 0.0 { sum / all } else { 0.0 }, each)
}

/// One less the entropy of weights, in units of that of equal ones: 1 if one has all. Of a single weight 1, of nothing 0.
fn one_sided(weights: &[f64]) -> f64 {
    let all: f64 = weights.iter().sum();
    if all <= 0.0 {
        return 0.0;
    }
    let of = |share: f64| if share > 0.0 { -share * share.ln() } else { 0.0 };
    let entropy: f64 = weights.iter().map(|weight| of(weight / all)).sum();
    let most = (weights.len() as f64).ln();
    if most > 0.0 { 1.0 - entropy / most } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_an_importance_matrix_are_those_of_the_formulas() {
        // Three dimensions, of which the first is for the first factor, the second for both, the third for none.
        let importance = [vec![0.75, 0.25, 0.0], vec![0.0, 1.0, 0.0]];
        let (all, each) = disentanglement(&importance, 3);
        let entropy = |share: f64| -share * share.log2() - (1.0 - share) * (1.0 - share).log2();
        let second = 1.0 - entropy(0.2);
        assert!((each[0] - 1.0).abs() < 1e-12 && (each[1] - second).abs() < 1e-12 && each[2] == 0.0, "{each:?}");
        assert!((all - (0.75 + 1.25 * second) / 2.0).abs() < 1e-12);
        let first = 1.0 - entropy(0.25) * 2.0_f64.ln() / 3.0_f64.ln();
        assert!((one_sided(&importance[0]) - first).abs() < 1e-12);
        assert!((one_sided(&importance[1]) - 1.0).abs() < 1e-12);
        assert!(one_sided(&[0.3; 3]).abs() < 1e-12);
        assert_eq!((one_sided(&[0.3]), one_sided(&[0.0, 0.0])), (1.0, 0.0));
    }
}
