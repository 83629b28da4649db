//! The Frechet distance between normal distributions, which Heusel et al. (2017) fit to features of images.

use crate::eigen::diagonalise;

/// A normal distribution that was fitted to rows.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedNormal {
    /// `(F)`
    mean: Vec<f64>,
    /// `(F, F)`, as of a sample: divided by one less than the rows.
    covariance: Vec<f64>,
}

impl FittedNormal {
    /// Fitted to rows `(N, F)`, of which there must be two.
    pub fn of(rows: &[f32], width: usize) -> Self {
        let count = (rows.len() / width) as f64;
        let mut mean = vec![0.0; width];
        for row in rows.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value) / count);
        }
        let mut covariance = vec![0.0; width * width];
        for row in rows.chunks_exact(width) {
            let apart: Vec<f64> = row.iter().zip(&mean).map(|(value, mean)| f64::from(*value) - mean).collect();
            for (line, a) in covariance.chunks_exact_mut(width).zip(&apart) {
                line.iter_mut().zip(&apart).for_each(|(sum, b)| *sum += a * b);
            }
        }
        covariance.iter_mut().for_each(|sum| *sum /= count - 1.0);
        Self { mean, covariance }
    }

    /// `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`. The root's trace is that of `(C1^(1/2) C2 C1^(1/2))^(1/2)`, which is symmetric.
    pub fn frechet_distance(&self, other: &Self) -> f64 {
        let width = self.mean.len();
        let apart: f64 = self.mean.iter().zip(&other.mean).map(|(a, b)| (a - b).powi(2)).sum();
        let trace = |matrix: &[f64]| matrix.iter().step_by(width + 1).sum::<f64>();
        let root = root(&self.covariance, width);
        let mut between = product(&product(&root, &other.covariance, width), &root, width);
        diagonalise(&mut between, width);
        let of_root: f64 = between.iter().step_by(width + 1).map(|value| value.max(0.0).sqrt()).sum();
        // Rounding may leave less than nothing between equal rows.
        (apart + trace(&self.covariance) + trace(&other.covariance) - 2.0 * of_root).max(0.0)
    }
}

/// The symmetric root of a covariance `(n, n)`.
fn root(covariance: &[f64], n: usize) -> Vec<f64> {
    let mut diagonal = covariance.to_vec();
    let vectors = diagonalise(&mut diagonal, n);
    let roots: Vec<f64> = diagonal.iter().step_by(n + 1).map(|value| value.max(0.0).sqrt()).collect();
    let entry = |i: usize, j: usize| (0..n).map(|k| vectors[i * n + k] * roots[k] * vectors[j * n + k]).sum();
    (0..n * n).map(|place| entry(place / n, place % n)).collect()
}

/// The product of two matrices `(n, n)`.
fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let entry = |i: usize, j: usize| (0..n).map(|k| a[i * n + k] * b[k * n + j]).sum();
    (0..n * n).map(|place| entry(place / n, place % n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::draws;

    /// Rows of five numbers that depend on each other.
    fn rows(count: usize, number: usize) -> Vec<f32> {
        let of = |i: f64, d: f64| match number {
            0 => (0.37 * i + 1.1 * d * d).sin() + 0.1 * d * (1.7 * i).cos(),
            _ => 0.5 * d + (0.37 * i + 1.3 * d).sin() * (0.9 * i).cos() * (1.0 + 0.2 * d),
        };
        (0..count).flat_map(|i| (0..5).map(move |d| of(i as f64, d as f64) as f32)).collect()
    }

    #[test]
    fn the_distance_of_diagonal_normals_is_that_of_means_and_deviations() {
        let normal = |mean: &[f64], deviations: &[f64]| {
            let n = mean.len();
            let entry = |place: usize| if place.is_multiple_of(n + 1) { deviations[place / n].powi(2) } else { 0.0 };
            FittedNormal { mean: mean.to_vec(), covariance: (0..n * n).map(entry).collect() }
        };
        let (a, b) = (normal(&[1.0, -2.0, 0.5], &[2.0, 0.0, 3.0]), normal(&[0.0, 1.0, 0.5], &[0.5, 1.5, 3.0]));
        // (1 + 9 + 0) of the means, (1.5^2 + 1.5^2 + 0) of the deviations.
        assert!((a.frechet_distance(&b) - 14.5).abs() < 1e-12, "{}", a.frechet_distance(&b));
        assert!(a.frechet_distance(&a).abs() < 1e-12 && b.frechet_distance(&b).abs() < 1e-12);
    }

    #[test]
    fn the_distance_of_rows_is_that_of_scipy() {
        let [a, b] = [FittedNormal::of(&rows(200, 0), 5), FittedNormal::of(&rows(300, 1), 5)];
        // numpy.cov and scipy.linalg.sqrtm (numpy 2.4.6, scipy 1.17.1) on the same rows.
        assert!((a.covariance[7] - (-0.491_581_098)).abs() < 1e-6, "{}", a.covariance[7]);
        for found in [a.frechet_distance(&b), b.frechet_distance(&a)] {
            assert!((found - 8.886_241_942).abs() < 1e-6, "{found}");
        }
        assert!(a.frechet_distance(&a) < 1e-9, "{}", a.frechet_distance(&a));
    }

    #[test]
    fn features_that_do_not_vary_do_no_harm() {
        // A relu that never fires, and one that copies another.
        let spread = |rows: Vec<f32>, scale: f32| -> Vec<f32> {
            rows.chunks(2).flat_map(|row| [row[0] * scale, 0.0, row[1] * scale, row[0] * scale]).collect()
        };
        let [a, b] = [(3, 1.0), (4, 2.0)].map(|(seed, scale)| spread(draws::prior(20_000, 2, seed, 1.0), scale));
        let [a, b] = [a, b].map(|rows| FittedNormal::of(&rows, 4));
        // Three times the square of one deviation more.
        let found = a.frechet_distance(&b);
        assert!((found - 3.0).abs() < 0.05, "{found}");
    }
}
