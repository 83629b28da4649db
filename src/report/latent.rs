//! Projection of latent vectors to two dimensions.

mod krylov;
mod tsne;

use crate::eigen::diagonalise;

pub use tsne::map;

/// Up to here all eigenvectors are computed, in a time that grows with the third power of the dimensions; above, only a
/// space that holds the first ones.
const MAX_EXACT: usize = 128;

/// Latent vectors as 2-D points.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// One point per vector.
    pub points: Vec<[f32; 2]>,
    /// The share of the total variance of each axis.
    pub share: [f64; 2],
    /// Whether the axes are principal components rather than the latent dimensions themselves.
    pub is_principal: bool,
}

impl Projection {
    /// Names for the two axes.
    pub fn captions(&self) -> [String; 2] {
        [0, 1].map(|i| {
            if self.is_principal {
                format!("principal component {} ({:.0} % of the variance)", i + 1, self.share[i] * 100.0)
            } else {
                format!("mu_{i}")
            }
        })
    }
}

/// Projects vectors `(N, dims)` onto their first two principal components. Two dimensions are kept as they are, and one
/// becomes the first axis.
pub fn principal(values: &[f32], dims: usize) -> Projection {
    if dims == 0 {
        return Projection { points: Vec::new(), share: [0.0; 2], is_principal: false };
    }
    let rows: Vec<&[f32]> = values.chunks_exact(dims).collect();
    let mean = mean(&rows, dims);
    if dims <= 2 {
        let covariance = covariance(&rows, &mean);
        let whole: f64 = (0..dims).map(|i| covariance[i * dims + i]).sum();
        return Projection {
            points: rows.iter().map(|row| [row[0], row.get(1).copied().unwrap_or(0.0)]).collect(),
            share: [share(covariance[0], whole), if dims == 2 { share(covariance[3], whole) } else { 0.0 }],
            is_principal: false,
        };
    }
    let (axes, shares) = if dims <= MAX_EXACT { exact_axes(&rows, &mean) } else { krylov::axes(&rows, &mean) };
    // The sign of a component is arbitrary: its largest entry is made positive.
    let axes = axes.map(|axis| {
        let largest = axis.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        if largest < 0.0 { axis.iter().map(|v| -v).collect() } else { axis }
    });
    let along = |row: &[f32], axis: &[f64]| -> f32 {
        row.iter().zip(&mean).zip(axis).map(|((v, mean), a)| (f64::from(*v) - mean) * a).sum::<f64>() as f32
    };
    Projection {
        points: rows.iter().map(|row| [along(row, &axes[0]), along(row, &axes[1])]).collect(),
        share: shares,
        is_principal: true,
    }
}

/// The share of a variance in that of all dimensions.
fn share(variance: f64, whole: f64) -> f64 {
    if whole > 0.0 { (variance / whole).clamp(0.0, 1.0) } else { 0.0 }
}

/// The first two principal axes and their shares, from all eigenvectors of the covariance.
fn exact_axes(rows: &[&[f32]], mean: &[f64]) -> ([Vec<f64>; 2], [f64; 2]) {
    let dims = mean.len();
    let mut covariance = covariance(rows, mean);
    let whole: f64 = (0..dims).map(|i| covariance[i * dims + i]).sum();
    let vectors = diagonalise(&mut covariance, dims);
    let order = descending(&covariance, dims);
    let axes = [0, 1].map(|i| (0..dims).map(|d| vectors[d * dims + order[i]]).collect());
    (axes, [0, 1].map(|i| share(covariance[order[i] * dims + order[i]], whole)))
}

/// The order of a diagonal's entries, the largest first.
fn descending(matrix: &[f64], dims: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..dims).collect();
    order.sort_by(|a, b| matrix[b * dims + b].total_cmp(&matrix[a * dims + a]));
    order
}

fn is_finite(row: &[f32]) -> bool {
    row.iter().all(|v| v.is_finite())
}

fn mean(rows: &[&[f32]], dims: usize) -> Vec<f64> {
    let mut sum = vec![0.0; dims];
    let mut count = 0.0;
    for row in rows.iter().filter(|row| is_finite(row)) {
        sum.iter_mut().zip(*row).for_each(|(s, v)| *s += f64::from(*v));
        count += 1.0;
    }
    sum.iter().map(|s| s / f64::max(count, 1.0)).collect()
}

fn covariance(rows: &[&[f32]], mean: &[f64]) -> Vec<f64> {
    let dims = mean.len();
    let mut sum = vec![0.0; dims * dims];
    let mut count = 0.0;
    for row in rows.iter().filter(|row| is_finite(row)) {
        let centred: Vec<f64> = row.iter().zip(mean).map(|(v, mean)| f64::from(*v) - mean).collect();
        for (line, a) in sum.chunks_exact_mut(dims).zip(&centred) {
            line.iter_mut().zip(&centred).for_each(|(s, b)| *s += a * b);
        }
        count += 1.0;
    }
    sum.iter().map(|s| s / f64::max(count, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of a flat ellipse in three dimensions: long along (1, 1, 0), shorter along z.
    fn ellipse() -> Vec<f32> {
        let turn = |i: i32| f64::from(i) * std::f64::consts::TAU / 40.0;
        (0..40)
            .flat_map(|i| {
                let (long, short) = (3.0 * turn(i).cos(), turn(i).sin());
                let diagonal = long / 2.0_f64.sqrt();
                [diagonal + 5.0, diagonal - 1.0, short].map(|v| v as f32)
            })
            .collect()
    }

    #[test]
    fn the_long_axis_comes_first() {
        let found = principal(&ellipse(), 3);
        assert!(found.is_principal);
        assert!((found.share[0] - 0.9).abs() < 1e-6 && (found.share[1] - 0.1).abs() < 1e-6, "{:?}", found.share);
        for (i, [x, y]) in found.points.iter().enumerate() {
            let turn = i as f32 * std::f32::consts::TAU / 40.0;
            assert!((x - 3.0 * turn.cos()).abs() < 1e-5 && (y - turn.sin()).abs() < 1e-5, "{i}: {x} {y}");
        }
        assert_eq!(found.captions()[0], "principal component 1 (90 % of the variance)");
    }

    #[test]
    fn distances_within_the_plane_are_kept_in_many_dimensions() {
        // Two orthogonal directions in 40 dimensions, with variances 4 and 1.
        let dims = 40;
        let first: Vec<f64> = (0..dims).map(|d| if d % 2 == 0 { 1.0 } else { -1.0 } / (dims as f64).sqrt()).collect();
        let second = vec![1.0 / (dims as f64).sqrt(); dims];
        let corners = [(2.0, 1.0), (2.0, -1.0), (-2.0, 1.0), (-2.0, -1.0)];
        let values: Vec<f32> = corners
            .iter()
            .flat_map(|(a, b)| first.iter().zip(&second).map(move |(f, s)| (a * f + b * s) as f32))
            .collect();
        let found = principal(&values, dims);
        for ([x, y], (a, b)) in found.points.iter().zip(corners) {
            assert!((x.abs() - f64::abs(a) as f32).abs() < 1e-5 && (y.abs() - f64::abs(b) as f32).abs() < 1e-5);
        }
        assert!((found.share[0] - 0.8).abs() < 1e-5, "{:?}", found.share);
        assert_eq!(found, principal(&values, dims));
    }

    /// Two ways to the same axes, on vectors whose variances fall slowly.
    #[test]
    fn the_way_for_many_dimensions_finds_the_same_axes() {
        let dims = 60;
        let mut state = 7_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let values: Vec<f32> = (0..500 * dims).map(|i| draw() * 3.0 / (1.0 + (i % dims) as f32 * 0.2)).collect();
        let rows: Vec<&[f32]> = values.chunks_exact(dims).collect();
        let mean = mean(&rows, dims);
        let (exact, found) = (exact_axes(&rows, &mean), krylov::axes(&rows, &mean));
        for i in [0, 1] {
            let cosine: f64 = exact.0[i].iter().zip(&found.0[i]).map(|(a, b)| a * b).sum();
            assert!((cosine.abs() - 1.0).abs() < 1e-6, "{cosine}");
            assert!((exact.1[i] - found.1[i]).abs() < 1e-9);
        }
    }

    #[test]
    fn many_dimensions_take_no_longer_than_their_vectors() {
        // All directions with the same variance, none at all, and two.
        for variance in [|i: usize| f32::from(i.is_multiple_of(401)), |_| 1.0, |i| (i % 2) as f32] {
            let values: Vec<f32> = (0..200 * 400).map(variance).collect();
            let found = principal(&values, 400);
            assert!(found.points.iter().flatten().all(|v| v.is_finite()), "{:?}", found.share);
            assert_eq!(found, principal(&values, 400));
        }
    }

    #[test]
    fn two_dimensions_stay_and_one_is_a_line() {
        let found = principal(&[1.0, 2.0, 3.0, 4.0], 2);
        assert_eq!(found.points, [[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(found.captions(), ["mu_0", "mu_1"]);
        let found = principal(&[1.0, 2.0], 1);
        assert_eq!((found.points, found.share), (vec![[1.0, 0.0], [2.0, 0.0]], [1.0, 0.0]));
    }

    #[test]
    fn odd_values_do_no_harm() {
        assert!(principal(&[], 5).points.is_empty());
        assert!(principal(&[1.0], 0).points.is_empty());
        assert_eq!(principal(&[1.0; 8], 4).share, [0.0; 2]);
        let mut values = ellipse();
        let good = principal(&values, 3);
        values.extend([f32::NAN, 0.0, 0.0]);
        let found = principal(&values, 3);
        assert_eq!(found.points[..40], good.points);
        assert!(found.points[40][0].is_nan());
    }
}
