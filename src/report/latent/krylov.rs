//! The first two principal axes of vectors of many dimensions, without their covariance (Lanczos's method).
//!
//! A space is built from a vector and what the covariance makes of it, again and again; the largest directions of the
//! vectors come to the fore in it within some tens of steps. Each step costs as much as reading all vectors twice.

use super::{descending, is_finite, share};
use crate::eigen::diagonalise;

/// Dimensions of the space.
const STEPS: usize = 64;

/// The axes and their shares of the variance.
pub fn axes(rows: &[&[f32]], mean: &[f64]) -> ([Vec<f64>; 2], [f64; 2]) {
    let dims = mean.len();
    let centred: Vec<Vec<f32>> = rows
        .iter()
        .filter(|row| is_finite(row))
        .map(|row| row.iter().zip(mean).map(|(v, mean)| (f64::from(*v) - mean) as f32).collect())
        .collect();
    let count = centred.len().max(1) as f64;
    let whole = centred.iter().flatten().map(|v| f64::from(*v).powi(2)).sum::<f64>() / count;
    if !whole.is_finite() {
        // Differences that no f32 holds: there is nothing to tell apart.
        return ([0, 1].map(|_| vec![0.0; dims]), [0.0; 2]);
    }
    let covariance_times = |vector: &[f64]| {
        let mut product = vec![0.0; dims];
        for row in &centred {
            let along: f64 = row.iter().zip(vector).map(|(v, a)| f64::from(*v) * a).sum::<f64>() / count;
            product.iter_mut().zip(row).for_each(|(p, v)| *p += along * f64::from(*v));
        }
        product
    };
    let steps = STEPS.min(dims);
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(steps);
    let mut images: Vec<Vec<f64>> = Vec::with_capacity(steps);
    let mut next = start(dims, 0);
    while basis.len() < steps {
        // Where the covariance leads nowhere new, another direction is taken.
        let mut tries = 0;
        let vector = loop {
            if let Some(vector) = orthogonal(next, &basis) {
                break vector;
            }
            tries += 1;
            next = start(dims, basis.len() * STEPS + tries);
        };
        next = covariance_times(&vector);
        basis.push(vector);
        images.push(next.clone());
    }
    // The covariance within the space.
    let mut small: Vec<f64> = (0..steps * steps).map(|i| dot(&basis[i / steps], &images[i % steps])).collect();
    for i in 0..steps {
        for j in 0..i {
            let mean = (small[i * steps + j] + small[j * steps + i]) / 2.0;
            (small[i * steps + j], small[j * steps + i]) = (mean, mean);
        }
    }
    let vectors = diagonalise(&mut small, steps);
    let order = descending(&small, steps);
    let axes = [0, 1].map(|i| {
        let mut axis = vec![0.0; dims];
        for (step, vector) in basis.iter().enumerate() {
            let part = vectors[step * steps + order[i]];
            axis.iter_mut().zip(vector).for_each(|(a, v)| *a += part * v);
        }
        axis
    });
    (axes, [0, 1].map(|i| share(small[order[i] * steps + order[i]], whole)))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A vector with no preferred direction, the same on every machine.
fn start(dims: usize, number: usize) -> Vec<f64> {
    let mut state = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    (0..dims).map(|_| draw()).collect()
}

/// The part of a vector that is in none of the others' directions, with length 1; none if hardly anything is left.
fn orthogonal(mut vector: Vec<f64>, others: &[Vec<f64>]) -> Option<Vec<f64>> {
    let length = dot(&vector, &vector).sqrt();
    // Twice, because rounding leaves some of what was taken away the first time.
    for other in others.iter().chain(others) {
        let along = dot(&vector, other);
        vector.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
    }
    let left = dot(&vector, &vector).sqrt();
    let is_new = left > 1e-10 * length && left.is_normal();
    is_new.then(|| vector.into_iter().map(|v| v / left).collect())
}
