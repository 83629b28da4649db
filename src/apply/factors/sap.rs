//! The separated attribute predictability (Kumar et al., 2018).

use rayon::prelude::*;
use serde::Serialize;

use super::{Factor, Halves, Known, explained, gap, mean};

/// Added to variances within classes, in units of the whole variance, so that classes without any can be told apart.
const RIDGE: f64 = 1e-9;

/// The separated attribute predictability: how much better a factor is predicted from the best single dimension than from the next
/// one; the mean over the factors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sap {
    /// The mean over the factors.
    pub score: f64,
    /// How it was computed.
    pub estimator: &'static str,
    /// The gap of each factor.
    pub per_factor: Vec<f64>,
    /// How predictions of each factor are measured: `r2` or `accuracy`.
    pub measure: Vec<&'static str>,
    /// The dimension that predicts each factor best.
    pub dimension: Vec<usize>,
    /// `(factors, Z)`: how well each dimension predicts it.
    pub predicted: Vec<Vec<f64>>,
}

impl Sap {
    pub(super) fn of(known: &Known, halves: &Halves) -> Self {
        let of_factor = |factor: &Factor| -> Vec<f64> {
            let predict = if factor.ordered { by_line } else { by_class };
            (0..known.latent).into_par_iter().map(|dimension| predict(known, factor, dimension, halves)).collect()
        };
        let predicted: Vec<Vec<f64>> = known.factors.iter().map(of_factor).collect();
        let gaps: Vec<_> = predicted.iter().map(|of_factor| gap(of_factor)).collect();
        let per_factor: Vec<f64> = gaps.iter().map(|(_, _, gap)| *gap).collect();
        let measure = |factor: &Factor| if factor.ordered { "r2" } else { "accuracy" };
        Self {
            score: mean(&per_factor),
            estimator: "one latent mean at a time: R2 of a linear regression for ordered factors, accuracy of a linear discriminant for \
                        others, on the half of the rows that was not fitted to",
            measure: known.factors.iter().map(measure).collect(),
            dimension: gaps.iter().map(|(dimension, ..)| *dimension).collect(),
            per_factor,
            predicted,
        }
    }
}

/// R2 of held-out rows, from the line of least squares.
fn by_line(known: &Known, factor: &Factor, dimension: usize, halves: &Halves) -> f64 {
    let pair = |row: &usize| (known.at(*row, dimension), factor.values[*row]);
    let means = |rows: &[usize]| {
        let sums = rows.iter().map(pair).fold((0.0, 0.0), |(x, y), (z, value)| (x + z, y + value));
        let count = rows.len().max(1) as f64;
        (sums.0 / count, sums.1 / count)
    };
    let (of_z, of_value) = means(&halves.fitted);
    let (mut both, mut squares) = (0.0, 0.0);
    for (z, value) in halves.fitted.iter().map(pair) {
        both += (z - of_z) * (value - of_value);
        squares += (z - of_z).powi(2);
    }
    let slope = if squares > 0.0 { both / squares } else { 0.0 };
    let (_, of_held) = means(&halves.held);
    let (mut errors, mut deviations) = (0.0, 0.0);
    for (z, value) in halves.held.iter().map(pair) {
        errors += (value - of_value - slope * (z - of_z)).powi(2);
        deviations += (value - of_held).powi(2);
    }
    explained(errors, deviations)
}

/// The share of held-out rows whose class is found by normals of one variance: linear functions of the dimension.
fn by_class(known: &Known, factor: &Factor, dimension: usize, halves: &Halves) -> f64 {
    let mut counts = vec![0.0; factor.count];
    let mut means = vec![0.0; factor.count];
    for row in &halves.fitted {
        counts[factor.classes[*row]] += 1.0;
        means[factor.classes[*row]] += known.at(*row, dimension);
    }
    means.iter_mut().zip(&counts).for_each(|(mean, count)| *mean /= f64::max(*count, 1.0));
    let rows = halves.fitted.len() as f64;
    let within: f64 =
        halves.fitted.iter().map(|row| (known.at(*row, dimension) - means[factor.classes[*row]]).powi(2)).sum();
    let variance = within / (rows - factor.count as f64).max(1.0) + RIDGE * known.variances[dimension];
    let likeliest = |z: f64| {
        let weight = |class: usize| {
            let far = if variance > 0.0 { (z - means[class]).powi(2) / variance } else { 0.0 };
            f64::ln(counts[class] / rows) - 0.5 * far
        };
        (0..factor.count).max_by(|a, b| weight(*a).total_cmp(&weight(*b)))
    };
    let right = halves.held.iter().filter(|row| likeliest(known.at(**row, dimension)) == Some(factor.classes[**row]));
    right.count() as f64 / halves.held.len().max(1) as f64
}
