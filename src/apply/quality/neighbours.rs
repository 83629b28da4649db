//! Precision and recall of samples by their nearest neighbours (Kynkaanniemi et al., 2019).

use rayon::prelude::*;

/// Neighbours whose distance is the radius of a row's sphere.
pub const NEAREST: usize = 3;

/// Numbers that are summed side by side, so that sums become vector instructions.
const LANES: usize = 8;

/// Where rows are: a sphere around each, which reaches the third nearest of the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Spheres {
    /// `(N, F)`
    centres: Vec<f32>,
    /// `(N)`: squares of the radii.
    squares: Vec<f32>,
    width: usize,
}

/// The square of the distance of two rows.
fn square_apart(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let ((whole_a, rest_a), (whole_b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in whole_a.iter().zip(whole_b) {
        for lane in 0..LANES {
            let apart = a[lane] - b[lane];
            sums[lane] += apart * apart;
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| (a - b) * (a - b)).sum();
    sums.iter().sum::<f32>() + rest
}

impl Spheres {
    /// Around rows `(N, F)`, of which there must be more than neighbours.
    pub fn around(rows: &[f32], width: usize) -> Self {
        let of_row = |number: usize| {
            let centre = &rows[number * width..(number + 1) * width];
            let mut nearest = [f32::INFINITY; NEAREST];
            for (other, row) in rows.chunks_exact(width).enumerate() {
                let square = square_apart(centre, row);
                if other != number && square < nearest[NEAREST - 1] {
                    let place = nearest.partition_point(|nearer| *nearer <= square);
                    nearest[place..].rotate_right(1);
                    nearest[place] = square;
                }
            }
            nearest[NEAREST - 1]
        };
        let squares = (0..rows.len() / width).into_par_iter().map(of_row).collect();
        Self { centres: rows.to_vec(), squares, width }
    }

    /// The share of other rows `(M, F)` that lie in at least one of the spheres.
    pub fn share_of(&self, rows: &[f32]) -> f64 {
        let is_inside = |row: &&[f32]| {
            let mut spheres = self.centres.chunks_exact(self.width).zip(&self.squares);
            spheres.any(|(centre, square)| square_apart(row, centre) <= *square)
        };
        let inside = rows.par_chunks_exact(self.width).filter(is_inside).count();
        inside as f64 / (rows.len() / self.width) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::draws;

    fn precision_and_recall(real: &[f32], samples: &[f32], width: usize) -> (f64, f64) {
        let [real_spheres, sample_spheres] = [real, samples].map(|rows| Spheres::around(rows, width));
        (real_spheres.share_of(samples), sample_spheres.share_of(real))
    }

    /// The figure by sorted distances in f64.
    fn plain(real: &[f32], samples: &[f32], width: usize) -> f64 {
        let apart = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
        };
        let rows: Vec<&[f32]> = real.chunks(width).collect();
        let radius = |row: &&[f32]| {
            let mut all: Vec<f64> = rows.iter().map(|other| apart(row, other)).collect();
            all.sort_by(f64::total_cmp);
            // The first is the row itself.
            all[3]
        };
        let radii: Vec<f64> = rows.iter().map(radius).collect();
        let is_inside = |sample: &&[f32]| rows.iter().zip(&radii).any(|(row, radius)| apart(sample, row) <= *radius);
        samples.chunks(width).filter(is_inside).count() as f64 / (samples.len() / width) as f64
    }

    #[test]
    fn shares_are_those_of_plain_loops() {
        for (count, width) in [(5, 1), (130, 3), (200, 8), (150, 19)] {
            let real = draws::prior(count, width, 1, 1.0);
            let samples: Vec<f32> = draws::prior(count, width, 2, 1.2).iter().map(|value| value + 0.2).collect();
            let (precision, recall) = precision_and_recall(&real, &samples, width);
            assert_eq!(precision, plain(&real, &samples, width), "{count} x {width}");
            assert_eq!(recall, plain(&samples, &real, width), "{count} x {width}");
        }
    }

    #[test]
    fn samples_of_the_same_distribution_have_both() {
        let [real, samples] = [1, 2].map(|seed| draws::prior(2000, 2, seed, 1.0));
        let (precision, recall) = precision_and_recall(&real, &samples, 2);
        assert!(precision > 0.9 && recall > 0.9, "{precision}, {recall}");
        // Rows are in their own spheres.
        assert_eq!(precision_and_recall(&real, &real, 2), (1.0, 1.0));
    }

    #[test]
    fn samples_of_one_of_four_modes_have_precision_alone() {
        let around = |seed: u64, of: &dyn Fn(usize) -> f32| -> Vec<f32> {
            let noise = draws::prior(2000, 2, seed, 1.0);
            noise.chunks(2).enumerate().flat_map(|(row, noise)| [of(row) + noise[0], noise[1]]).collect()
        };
        let real = around(1, &|row| (row % 4) as f32 * 50.0);
        let (precision, recall) = precision_and_recall(&real, &around(2, &|_| 50.0), 2);
        assert!(precision > 0.9 && (0.2..0.27).contains(&recall), "{precision}, {recall}");
        // Samples of more modes than there are have a full recall and a lower precision.
        let (precision, recall) = precision_and_recall(&around(2, &|_| 50.0), &real, 2);
        assert!((0.2..0.27).contains(&precision) && recall > 0.9, "{precision}, {recall}");
        let shifted: Vec<f32> = real.iter().map(|value| value + 1000.0).collect();
        assert_eq!(precision_and_recall(&real, &shifted, 2), (0.0, 0.0));
    }

    #[test]
    fn equal_rows_have_spheres_of_nothing() {
        let real = [1.0_f32, 2.0].repeat(10);
        assert_eq!(precision_and_recall(&real, &real, 2), (1.0, 1.0));
        assert_eq!(precision_and_recall(&real, &[1.0, 2.1].repeat(10), 2), (0.0, 0.0));
    }
}
