//! A mixture of normal distributions, fitted to the codes of a run's training rows: what new rows are drawn from.
//!
//! Codes of real rows leave parts of a prior empty, and a decoder has never seen a code from there. A mixture follows where the
//! codes are (ex-post density estimation; Ghosh et al., 2020), and gives a plain autoencoder, too, something to draw from.

mod file;
mod fit;
mod normal;

use wgvae_data::disk::Disk;
use wgvae_data::{Examples, Rows, Values};
use wgvae_engine::exec::oracle;
use wgvae_engine::kernels::rng::{Stream, key};

use super::{Codes, Run, RunError, TrainedModel, draws};
use crate::config::Config;
use crate::train::{DeviceOptions, StepSchedule};

/// The most rows that a mixture is fitted to, and the most bytes of them.
pub const MAX_ROWS: usize = 30_000;
const MAX_BYTES: usize = 64 << 20;

/// A mixture of `K` normal distributions of codes.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    /// Latent dimensions.
    latent: usize,
    /// `(K)`, of all rows; of a conditional model `(C, K)`, of the rows of each class.
    weights: Vec<f32>,
    /// `(K, Z)`
    means: Vec<f32>,
    /// `(K, Z, Z)`: lower triangles whose products with their transposes are the covariances. Where dimensions are
    /// many, only the diagonals of these, `(K, Z)`.
    factors: Vec<f32>,
}

impl Mixture {
    /// Fits a mixture to what the encoder says of rows, the spread of each code included: of as many parts as explain a tenth of
    /// the rows best, which is held out. `classes` are those of the rows and how many there are, for a conditional model.
    pub fn fit(
        codes: &Codes,
        classes: Option<(&[u32], usize)>,
        device: &DeviceOptions,
        seed: u64,
    ) -> Result<Self, RunError> {
        fit::fit(codes, classes, device, seed)
    }

    /// The mixture of a run, as it was saved; none if there is none for the model as it is now.
    pub fn of(run: &Run) -> Result<Option<Self>, RunError> {
        file::load(&run.files, run.config.model.latent, run.condition_classes())
    }

    /// The mixture of a run. Where there is none for the model as it is now, it is fitted to some of the training rows that `train`
    /// reads, and saved; `fitting` is called before, with the number of these rows.
    pub fn of_or_fitted(
        run: &Run,
        model: &mut TrainedModel,
        train: impl FnOnce() -> Result<Rows, RunError>,
        fitting: impl FnOnce(usize),
        device: &DeviceOptions,
        disk: &dyn Disk,
    ) -> Result<Self, RunError> {
        if let Some(mixture) = Self::of(run)? {
            return Ok(mixture);
        }
        let train = train()?;
        let split = rows_to_fit(&run.config, &train.split);
        let rows = run.with_classes(Rows { split, ..train }, None)?;
        fitting(rows.split.rows);
        Self::make(run, model, &rows.split, device, disk)
    }

    /// Fits the mixture of a run's model to codes of training rows, and saves it with the run.
    pub fn make(
        run: &Run,
        model: &mut TrainedModel,
        train: &Examples,
        device: &DeviceOptions,
        disk: &dyn Disk,
    ) -> Result<Self, RunError> {
        let codes = model.encode(train)?;
        let classes = run.condition_classes().zip(train.labels.as_deref()).map(|(count, labels)| (labels, count));
        let mixture = Self::fit(&codes, classes, device, run.config.train.seed)?;
        mixture.save(run, disk)?;
        Ok(mixture)
    }

    /// Saves it as that of a run's model.
    pub fn save(&self, run: &Run, disk: &dyn Disk) -> Result<(), RunError> {
        file::save(self, disk, &run.files)
    }

    /// Parts.
    pub fn parts(&self) -> usize {
        self.means.len() / self.latent
    }

    /// `(N, Z)`: draws, their spread around the means of the parts times the temperature; the n-th is a function of the seed
    /// alone, and of its class where there are `classes`, one for each.
    pub fn draw(&self, count: usize, classes: &[u32], seed: u64, temperature: f32) -> Vec<f32> {
        let (latent, parts) = (self.latent, self.parts());
        let choice = key(seed, Stream::Part, 0);
        let mut drawn = draws::prior(count, latent, seed, temperature);
        for (row, z) in drawn.chunks_mut(latent).enumerate() {
            let class = classes.get(row).map_or(0, |class| *class as usize).min(self.weights.len() / parts - 1);
            let weights = &self.weights[class * parts..(class + 1) * parts];
            let part = draws::chosen(weights, oracle::uniform(choice, row as u32, 0));
            let mean = &self.means[part * latent..(part + 1) * latent];
            let each = self.factors.len() / parts;
            let factor = &self.factors[part * each..(part + 1) * each];
            let noise = z.to_vec();
            for (i, z) in z.iter_mut().enumerate() {
                let spread = match each == latent {
                    true => factor[i] * noise[i],
                    false => factor[i * latent..=i * latent + i].iter().zip(&noise).map(|(l, e)| l * e).sum(),
                };
                *z = mean[i] + spread;
            }
        }
        drawn
    }
}

/// Training rows that a mixture is fitted to: all, or as many as it takes, and no more than training has seen, so that a short try
/// stays one.
pub fn rows_to_fit(config: &Config, split: &Examples) -> Examples {
    let each = if matches!(split.values, Values::Bytes(_)) { 1 } else { 4 };
    let bytes = (split.values.len() / split.rows.max(1)).max(1) * each;
    let steps = StepSchedule::new(config, split.rows, 0).total();
    let seen = usize::try_from(steps).unwrap_or(usize::MAX).saturating_mul(config.train.batch);
    split.some(MAX_ROWS.min(MAX_BYTES / bytes).min(seen).max(1), config.train.seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Files;
    use wgvae_data::disk::System;
    use wgvae_engine::exec::DeviceChoice;

    fn device() -> DeviceOptions {
        DeviceOptions { device: DeviceChoice::Cpu, ..DeviceOptions::default() }
    }

    /// Codes around three corners, of which the first has half, and the class of each; the spread is twice as wide one way as
    /// the other.
    fn corners(rows: usize) -> (Codes, Vec<u32>) {
        let noise = draws::prior(rows, 2, 3, 1.0);
        let (mut mu, mut classes) = (Vec::new(), Vec::new());
        for (row, noise) in noise.chunks(2).enumerate() {
            let (corner, class) = [([0.0, 0.0], 0), ([8.0, 0.0], 1), ([0.0, 0.0], 0), ([0.0, 8.0], 1)][row % 4];
            mu.extend([corner[0] + 0.6 * noise[0], corner[1] + 0.3 * noise[0] + 0.2 * noise[1]]);
            classes.push(class);
        }
        (Codes { latent: 2, mu, logvar: Vec::new() }, classes)
    }

    fn nearest(z: &[f32]) -> usize {
        let far = |corner: &[f32; 2]| (z[0] - corner[0]).powi(2) + (z[1] - corner[1]).powi(2);
        let corners = [[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]];
        (0..3).min_by(|a, b| far(&corners[*a]).total_cmp(&far(&corners[*b]))).unwrap()
    }

    #[test]
    fn draws_are_as_the_codes_are() {
        let (codes, _) = corners(2000);
        let mixture = Mixture::fit(&codes, None, &device(), 1).unwrap();
        assert!(mixture.parts() > 1);
        let drawn = mixture.draw(20_000, &[], 5, 1.0);
        let near: Vec<&[f32]> = drawn.chunks(2).filter(|z| nearest(z) == 0).collect();
        assert!((near.len() as f64 / 20_000.0 - 0.5).abs() < 0.02, "{}", near.len());
        let mean = |of: &dyn Fn(&[f32]) -> f32| near.iter().map(|z| f64::from(of(z))).sum::<f64>() / near.len() as f64;
        let [x, y] = [mean(&|z| z[0]), mean(&|z| z[1])];
        assert!(x.abs() < 0.05 && y.abs() < 0.05, "{x}, {y}");
        for (found, expected) in
            [(mean(&|z| z[0] * z[0]), 0.36), (mean(&|z| z[0] * z[1]), 0.18), (mean(&|z| z[1] * z[1]), 0.13)]
        {
            assert!((found - expected).abs() < 0.1 * expected, "{found}, not {expected}");
        }
        // The first draws of many are those of few, and without a temperature they are means.
        assert_eq!(mixture.draw(7, &[], 5, 1.0), drawn[..14]);
        let means = mixture.draw(500, &[], 5, 0.0);
        let mut different: Vec<[u32; 2]> = means.chunks(2).map(|z| [z[0].to_bits(), z[1].to_bits()]).collect();
        different.sort_unstable();
        different.dedup();
        assert!(different.len() <= mixture.parts());
    }

    #[test]
    fn classes_have_shares_of_their_own() {
        let (codes, classes) = corners(2000);
        // The third class has no row.
        let mixture = Mixture::fit(&codes, Some((&classes, 3)), &device(), 1).unwrap();
        let of_class = |class: u32| {
            let drawn = mixture.draw(1000, &[class; 1000], 5, 1.0);
            [0, 1, 2].map(|corner| drawn.chunks(2).filter(|z| nearest(z) == corner).count())
        };
        let [first, second, none] = [of_class(0), of_class(1), of_class(2)];
        assert!(first[0] > 990, "{first:?}");
        assert!(second[0] < 10 && second[1].abs_diff(second[2]) < 100, "{second:?}");
        assert!(none.iter().all(|count| *count > 150), "{none:?}");
    }

    #[test]
    fn few_rows_dead_dimensions_and_many_dimensions_are_fitted() {
        for (rows, latent) in [(1, 3), (5, 8), (30, 20), (50, 70)] {
            let mut mu = draws::prior(rows, latent, 9, 1.0);
            // One dimension says nothing, as a unit of a ReLU code may.
            mu.iter_mut().step_by(latent).for_each(|z| *z = 0.25);
            let codes = Codes { latent, mu, logvar: Vec::new() };
            let drawn = Mixture::fit(&codes, None, &device(), 1).unwrap().draw(300, &[], 2, 1.0);
            assert!(drawn.iter().all(|z| z.is_finite() && z.abs() < 20.0), "{rows} x {latent}");
            assert!(drawn.iter().step_by(latent).all(|z| (z - 0.25).abs() < 0.1), "{rows} x {latent}");
        }
        let nothing = Codes { latent: 1, mu: vec![f32::NAN; 4], logvar: Vec::new() };
        assert!(Mixture::fit(&nothing, None, &device(), 1).is_err());
    }

    #[test]
    fn files_are_of_one_model_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_path_buf());
        let [path, model] = ["codes.safetensors", "model.safetensors"].map(|name| files.path(name));
        std::fs::write(&model, "weights").unwrap();
        assert_eq!(file::load(&files, 2, None).unwrap(), None);
        let (codes, _) = corners(100);
        let mixture = Mixture::fit(&codes, None, &device(), 1).unwrap();
        file::save(&mixture, &System, &files).unwrap();
        assert_eq!(file::load(&files, 2, None).unwrap(), Some(mixture.clone()));
        assert!(file::load(&files, 3, None).is_err());
        assert!(file::load(&files, 2, Some(4)).is_err());
        let whole = std::fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() - 1], b"", b"codes"] {
            std::fs::write(&path, damaged).unwrap();
            assert!(file::load(&files, 2, None).is_err());
        }
        for wrong in [
            Mixture { weights: vec![0.0; mixture.parts()], ..mixture.clone() },
            Mixture { means: vec![f32::NAN; mixture.means.len()], ..mixture.clone() },
        ] {
            file::save(&wrong, &System, &files).unwrap();
            assert!(file::load(&files, 2, None).is_err());
        }
        file::save(&mixture, &System, &files).unwrap();
        std::fs::write(&model, "other weights").unwrap();
        assert_eq!(file::load(&files, 2, None).unwrap(), None);
    }
}
