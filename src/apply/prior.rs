//! The prior of a trained model: densities of codes, and draws.

use wgvae_engine::exec::oracle;
use wgvae_engine::kernels::rng::{Stream, key};
use wgvae_engine::plan::LOGVAR_RANGE;

use super::draws;

/// A mixture of normals with equal weights; the standard normal has one part.
#[derive(Debug, Clone, PartialEq)]
pub struct PriorMixture {
    latent: usize,
    parts: Vec<PriorPart>,
}

/// A normal whose dimensions are independent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PriorPart {
    /// `(Z)`
    pub mean: Vec<f64>,
    /// `(Z)`
    pub deviation: Vec<f64>,
    /// The logarithm of its greatest density, times its weight.
    log_scale: f64,
}

impl PriorPart {
    fn new(mean: Vec<f64>, deviation: Vec<f64>, parts: usize) -> Self {
        let log_two_pi = libm::log(2.0 * std::f64::consts::PI);
        let scale: f64 = deviation.iter().map(|deviation| libm::log(*deviation) + 0.5 * log_two_pi).sum();
        Self { mean, deviation, log_scale: -scale - libm::log(parts as f64) }
    }

    fn log_density(&self, z: &[f32]) -> f64 {
        let far = |((z, mean), deviation): ((&f32, &f64), &f64)| (f64::from(*z) - mean) / deviation;
        let squares: f64 = z.iter().zip(&self.mean).zip(&self.deviation).map(far).map(|far| far * far).sum();
        self.log_scale - 0.5 * squares
    }
}

impl PriorMixture {
    /// The standard normal.
    pub fn standard(latent: usize) -> Self {
        Self { latent, parts: vec![PriorPart::new(vec![0.0; latent], vec![1.0; latent], 1)] }
    }

    /// The mixture of normals with these `mu` and `logvar (K, Z)`.
    pub(super) fn of(latent: usize, mu: &[f32], logvar: &[f32]) -> Self {
        let count = mu.len() / latent;
        let deviation = |logvar: &f32| libm::exp(0.5 * f64::from(logvar.clamp(LOGVAR_RANGE.0, LOGVAR_RANGE.1)));
        let part = |(mu, logvar): (&[f32], &[f32])| {
            PriorPart::new(mu.iter().map(|mu| f64::from(*mu)).collect(), logvar.iter().map(deviation).collect(), count)
        };
        Self { latent, parts: mu.chunks(latent).zip(logvar.chunks(latent)).map(part).collect() }
    }

    /// Whether it is one of each dimension by itself.
    pub(super) fn has_dimensions(&self) -> bool {
        self.parts.len() == 1
    }

    pub(super) fn parts(&self) -> &[PriorPart] {
        &self.parts
    }

    /// The logarithms of each part's density at a code, times its weight.
    pub(super) fn log_densities(&self, z: &[f32]) -> Vec<f64> {
        self.parts.iter().map(|part| part.log_density(z)).collect()
    }

    /// `ln p(z)` of a code.
    pub fn log_density(&self, z: &[f32]) -> f64 {
        log_sum(&self.log_densities(z))
    }

    /// Adds the slope of `-ln p(z)` by a code `(Z)`, and returns `-ln p(z)`.
    pub(super) fn add_slope(&self, z: &[f32], slope: &mut [f32]) -> f64 {
        let logarithms = self.log_densities(z);
        let sum = log_sum(&logarithms);
        for (part, logarithm) in self.parts.iter().zip(&logarithms) {
            let share = (logarithm - sum).exp();
            for (i, slope) in slope.iter_mut().enumerate() {
                let far = (f64::from(z[i]) - part.mean[i]) / (part.deviation[i] * part.deviation[i]);
                *slope += (share * far) as f32;
            }
        }
        -sum
    }

    /// `(N, Z)` draws whose deviations are multiplied by the temperature; a function of the seed alone.
    pub fn draw(&self, count: usize, seed: u64, temperature: f32) -> Vec<f32> {
        let mut drawn = draws::prior(count, self.latent, seed, temperature);
        let of = |part: &PriorPart, z: &mut [f32]| {
            for (i, z) in z.iter_mut().enumerate() {
                *z = (part.mean[i] + part.deviation[i] * f64::from(*z)) as f32;
            }
        };
        if *self == Self::standard(self.latent) {
            return drawn;
        }
        let key = key(seed, Stream::Part, 0);
        for (row, z) in drawn.chunks_mut(self.latent).enumerate() {
            let share = oracle::uniform(key, row as u32, 0);
            let part = (f64::from(share) * self.parts.len() as f64) as usize;
            of(&self.parts[part.min(self.parts.len() - 1)], z);
        }
        drawn
    }

    /// The mean and the standard deviation of each dimension.
    pub fn moments(&self) -> (Vec<f64>, Vec<f64>) {
        let mean_of = |of: &dyn Fn(&PriorPart, usize) -> f64, i: usize| {
            self.parts.iter().map(|part| of(part, i)).sum::<f64>() / self.parts.len() as f64
        };
        let mean: Vec<f64> = (0..self.latent).map(|i| mean_of(&|part, i| part.mean[i], i)).collect();
        let square =
            |part: &PriorPart, i: usize| part.deviation[i] * part.deviation[i] + (part.mean[i] - mean[i]).powi(2);
        let deviation = (0..self.latent).map(|i| mean_of(&square, i).sqrt()).collect();
        (mean, deviation)
    }

    /// Where traversals begin and how far they go: mean and deviation.
    pub fn middle(&self) -> (Vec<f32>, Vec<f32>) {
        let (mean, deviation) = self.moments();
        let narrowed = |numbers: Vec<f64>| numbers.into_iter().map(|x| x as f32).collect();
        (narrowed(mean), narrowed(deviation))
    }
}

fn log_sum(logarithms: &[f64]) -> f64 {
    let most = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + logarithms.iter().map(|x| libm::exp(x - most)).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> PriorMixture {
        PriorMixture::of(2, &[-2.0, 1.0, 3.0, 0.5], &[0.0, -2.0, 1.0, 0.3])
    }

    #[test]
    fn a_density_is_the_sum_of_its_parts() {
        let normal = |x: f64, mean: f64, logvar: f64| {
            (-0.5 * (x - mean).powi(2) / logvar.exp()).exp() / (2.0 * std::f64::consts::PI * logvar.exp()).sqrt()
        };
        for z in [[0.3_f32, -0.2], [2.5, 0.0], [-9.0, 4.0]] {
            let [x, y] = z.map(f64::from);
            let parts =
                normal(x, -2.0, 0.0) * normal(y, 1.0, -2.0) + normal(x, 3.0, 1.0) * normal(y, 0.5, f64::from(0.3_f32));
            assert!((two().log_density(&z) - (0.5 * parts).ln()).abs() < 1e-9);
            // Its slope is that of differences.
            let mut slope = [0.0; 2];
            two().add_slope(&z, &mut slope);
            for i in 0..2 {
                let moved = |by: f32| {
                    let mut z = z;
                    z[i] += by;
                    -two().log_density(&z)
                };
                let expected = (moved(1e-3) - moved(-1e-3)) / f64::from(2e-3_f32);
                assert!(
                    (f64::from(slope[i]) - expected).abs() < 2e-3 * expected.abs().max(1.0),
                    "{slope:?} {expected}"
                );
            }
        }
        let z = [0.4, -1.2];
        let square = f64::from(z[0]).powi(2) + f64::from(z[1]).powi(2);
        let expected = -0.5 * square - (2.0 * std::f64::consts::PI).ln();
        assert!((PriorMixture::standard(2).log_density(&z) - expected).abs() < 1e-12);
    }

    #[test]
    fn draws_have_its_moments() {
        let count = 40_000;
        let (mean, deviation) = two().moments();
        assert!(
            (mean[0] - 0.5).abs() < 1e-12 && (deviation[0].powi(2) - (0.5 * (1.0 + 1f64.exp()) + 6.25)).abs() < 1e-9
        );
        let drawn = two().draw(count, 7, 1.0);
        for i in 0..2 {
            let of = || drawn.iter().skip(i).step_by(2).map(|z| f64::from(*z));
            let found = of().sum::<f64>() / count as f64;
            let spread = (of().map(|z| (z - found).powi(2)).sum::<f64>() / count as f64).sqrt();
            assert!((found - mean[i]).abs() < 0.03 && (spread / deviation[i] - 1.0).abs() < 0.02, "{found} {spread}");
        }
        assert_eq!(PriorMixture::standard(3).draw(5, 1, 0.7), draws::prior(5, 3, 1, 0.7));
        // Without a deviation, draws are the means of parts.
        assert!(two().draw(50, 1, 0.0).chunks(2).all(|z| z == [-2.0, 1.0] || z == [3.0, 0.5]));
    }
}
