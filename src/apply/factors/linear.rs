//! A linear classifier: softmax regression of standardised numbers.

use rayon::prelude::*;

/// Steps of accelerated gradient descent.
const STEPS: usize = 400;
/// Rows whose gradients are summed by themselves, so that the sum does not depend on the threads.
const PART: usize = 256;

/// Weights `(classes, D + 1)` of numbers that were standardised, the last one of 1.
pub struct Classifier {
    means: Vec<f64>,
    scales: Vec<f64>,
    weights: Vec<f64>,
}

impl Classifier {
    /// Fits rows `(N, D)` to their classes: minimises the mean of `-ln p(class)` plus half of the squares of the weights over N.
    pub fn fit(x: &[f64], width: usize, classes: &[usize], count: usize) -> Self {
        let rows = classes.len().max(1) as f64;
        let column = |d: usize| x.iter().skip(d).step_by(width);
        let means: Vec<f64> = (0..width).map(|d| column(d).sum::<f64>() / rows).collect();
        let deviation = |d: usize| (column(d).map(|value| (value - means[d]).powi(2)).sum::<f64>() / rows).sqrt();
        let scales: Vec<f64> = (0..width).map(deviation).map(|d| if d > 0.0 { 1.0 / d } else { 0.0 }).collect();
        let mut fitted = Self { means, scales, weights: vec![0.0; count * (width + 1)] };
        let x: Vec<f64> = x.chunks_exact(width).flat_map(|row| fitted.standardised(row)).collect();
        // The slope's slope is at most half of the largest eigenvalue of the mean of x x^T, and that at most its trace.
        let trace = x.iter().map(|value| value * value).sum::<f64>() / rows;
        let rate = 1.0 / (0.5 * trace + 1.0 / rows);
        let (mut from, mut momentum) = (fitted.weights.clone(), 1.0_f64);
        for _ in 0..STEPS {
            let slope = slope(&x, width + 1, classes, count, &from);
            let next: Vec<f64> = from.iter().zip(&slope).map(|(weight, slope)| weight - rate * slope).collect();
            let after = 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt());
            let ahead = (momentum - 1.0) / after;
            from = next.iter().zip(&fitted.weights).map(|(next, last)| next + ahead * (next - last)).collect();
            (fitted.weights, momentum) = (next, after);
        }
        fitted
    }

    fn standardised(&self, row: &[f64]) -> Vec<f64> {
        let scaled = row.iter().zip(&self.means).zip(&self.scales).map(|((value, mean), scale)| (value - mean) * scale);
        scaled.chain([1.0]).collect()
    }

    /// The likeliest class of a row.
    pub fn class(&self, row: &[f64]) -> usize {
        let row = self.standardised(row);
        let logits = logits(&row, &self.weights);
        (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap_or(0)
    }
}

fn logits(row: &[f64], weights: &[f64]) -> Vec<f64> {
    weights.chunks_exact(row.len()).map(|of_class| of_class.iter().zip(row).map(|(w, x)| w * x).sum()).collect()
}

/// The gradient of what is minimised.
fn slope(x: &[f64], width: usize, classes: &[usize], count: usize, weights: &[f64]) -> Vec<f64> {
    let rows = classes.len().max(1) as f64;
    let of_part = |(x, classes): (&[f64], &[usize])| {
        let mut slope = vec![0.0; count * width];
        for (row, class) in x.chunks_exact(width).zip(classes) {
            let logits = logits(row, weights);
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let shares: Vec<f64> = logits.iter().map(|logit| (logit - most).exp()).collect();
            let all: f64 = shares.iter().sum();
            for (place, (share, slope)) in shares.iter().zip(slope.chunks_exact_mut(width)).enumerate() {
                let error = share / all - f64::from(u8::from(place == *class));
                slope.iter_mut().zip(row).for_each(|(slope, x)| *slope += error * x);
            }
        }
        slope
    };
    let parts: Vec<Vec<f64>> = x.par_chunks(PART * width).zip(classes.par_chunks(PART)).map(of_part).collect();
    let mut slope = weights.to_vec();
    parts.iter().for_each(|part| slope.iter_mut().zip(part).for_each(|(sum, part)| *sum += part));
    slope.iter_mut().for_each(|slope| *slope /= rows);
    slope
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::super::rng;
    use super::*;

    /// Where the weights are right, the gradient is 0: what is minimised is convex.
    #[test]
    fn weights_minimise_what_they_should() {
        let mut rng = rng(3, 0);
        let (mut x, mut classes) = (Vec::new(), Vec::new());
        for row in 0..600 {
            let class = row % 3;
            let noise: [f64; 2] = [rng.random(), rng.random()];
            x.extend(
                [[0.0, 0.0], [50.0, 0.3], [20.0, 0.9]][class]
                    .iter()
                    .zip([80.0, 1.0])
                    .zip(noise)
                    .map(|((m, s), u)| m + s * u),
            );
            classes.push(class);
        }
        let fitted = Classifier::fit(&x, 2, &classes, 3);
        let standardised: Vec<f64> = x.chunks(2).flat_map(|row| fitted.standardised(row)).collect();
        let left = slope(&standardised, 3, &classes, 3, &fitted.weights);
        assert!(left.iter().all(|slope| slope.abs() < 5e-5), "{left:?}");
        // Between two classes in one dimension, the border is where both are as likely.
        let apart: Vec<f64> = (0..200).map(|i| f64::from(i % 2) * 4.0 + f64::from(i / 2) / 50.0).collect();
        let sides: Vec<usize> = (0..200).map(|i| i % 2).collect();
        let fitted = Classifier::fit(&apart, 1, &sides, 2);
        assert_eq!([2.9, 3.1].map(|x| fitted.class(&[x])), [0, 1]);
    }
}
