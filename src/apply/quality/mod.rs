//! How good samples are, without a network that would have to be downloaded: precision, recall and a Frechet distance
//! between samples and test rows. Their features come from a classifier that is trained on the data's own classes, or
//! from a random network.

pub mod associations;
pub mod closeness;
mod features;
mod frechet;
mod neighbours;
pub mod records;
pub mod told_apart;

use serde::Serialize;
use wgvae_data::{Dataset, Examples, Provenance, Shape, Values};
use wgvae_engine::plan::{MISSING, is_missing};

use super::{Mixture, Run, RunError, TrainedModel};
use crate::train::DeviceOptions;
use features::{FEATURES, Features};
use frechet::FittedNormal;
use neighbours::{NEAREST, Spheres};
use records::Records;
use told_apart::ToldApart;

/// Rows of each kind that are compared, if nothing else is said.
pub const ROWS: usize = 5000;
/// Values of samples that are decoded at a time.
const MAX_VALUES: usize = 1 << 22;
/// The seed that rows are chosen by, the same for all runs: two runs on the same data are compared with the same rows.
const SEED: u64 = 0;

/// How alike some rows and the test rows are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Likeness {
    /// The Frechet distance between normal distributions fitted to the features of both.
    pub frechet_distance: f64,
    /// The share of the rows that lie where test rows do: how many of them could be real.
    pub precision: f64,
    /// The share of the test rows that lie where the rows do: how much of what is real is among them.
    pub recall: f64,
}

/// The quality of a model's samples. Its figures can be compared with those of other models on the same data, in the same features.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// A description of the network that the features come from.
    pub features: String,
    /// The share of the run's test rows whose class the classifier knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier_accuracy: Option<f64>,
    /// How many samples were compared with as many test rows.
    pub samples: usize,
    /// Whether samples are draws from the likelihood, as those of tables are; else its means.
    pub noise: bool,
    /// The neighbour that spheres reach to, for precision and recall.
    pub neighbours: usize,
    /// Samples from the mixture that was fitted to codes.
    pub codes: Likeness,
    /// Samples from the prior; none of a plain autoencoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<Likeness>,
    /// How well a forest tells apart samples from the mixture and test rows of a table; none where there are too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_apart: Option<ToldApart>,
    /// The likeness of as many training rows, which the classifier has not seen: the best that a sampler from the data
    /// itself would reach.
    pub reference: Likeness,
}

/// Rows that others are compared with.
struct Known {
    /// `(N, F)`
    features: Vec<f32>,
    spheres: Spheres,
    normal: FittedNormal,
}

impl Known {
    fn of(features: Vec<f32>) -> Result<Self, RunError> {
        if features.iter().any(|value| !value.is_finite()) {
            let why = "some rows or samples have features that are not finite, so nothing can be said of their quality";
            return Err(RunError::Unfit(why.into()));
        }
        let (spheres, normal) = (Spheres::around(&features, FEATURES), FittedNormal::of(&features, FEATURES));
        Ok(Self { features, spheres, normal })
    }

    /// Compares samples with these rows.
    fn likeness(&self, samples: &Known) -> Likeness {
        Likeness {
            frechet_distance: self.normal.frechet_distance(&samples.normal),
            precision: self.spheres.share_of(&samples.features),
            recall: samples.spheres.share_of(&self.features),
        }
    }
}

/// The test rows that samples are compared with, their features, and the likeness of training rows to them. It depends
/// on the data and the device alone, so that models of the same data can be compared.
pub struct Comparison {
    features: Features,
    described: String,
    accuracy: Option<f64>,
    /// The test rows.
    real: Examples,
    known: Known,
    reference: Likeness,
}

impl Comparison {
    /// Makes a comparison with at most so many test rows of a run, as its model takes them, in features learned from
    /// the data it was trained on. `watch` gets the share of the classifier's training that is done.
    pub fn with(
        real: &Examples,
        data: Dataset,
        most: usize,
        device: &DeviceOptions,
        watch: &mut dyn FnMut(f64),
    ) -> Result<Self, RunError> {
        let Dataset { mut train, test, shape, .. } = data;
        if let Shape::Text { .. } = shape {
            return Err(RunError::Unfit(
                "the quality of samples is told from features of images and numbers, and texts have none: estimate the likelihood of \
                 test rows instead"
                    .into(),
            ));
        }
        // Training rows are to be unknown to the classifier as test rows are, and half of them are left to it.
        let count = most.min(real.rows).min(train.rows / 2);
        if count <= FEATURES {
            return Err(RunError::Unfit(format!(
                "the quality of samples is told from more than {FEATURES} test rows and twice as many training rows, since a row has \
                 {FEATURES} features; here are {} and {} of them, and at most {most} are wanted",
                real.rows, train.rows
            )));
        }
        let real = real.some(count, SEED);
        let reference = train.take_some(count, SEED);
        let (mut features, described, accuracy) = learn(&train, &test, shape, device, watch)?;
        let of_real = features.of(&real)?;
        if of_real.chunks(FEATURES).all(|row| *row == of_real[..FEATURES]) {
            let why = "the features of all test rows are the same, so nothing can be said of the quality of samples: try other classes, or more rows";
            return Err(RunError::Unfit(why.into()));
        }
        let known = Known::of(of_real)?;
        let reference = known.likeness(&Known::of(features.of(&reference)?)?);
        Ok(Self { features, described, accuracy, real, known, reference })
    }

    /// How many rows samples are compared with.
    pub fn rows(&self) -> usize {
        self.real.rows
    }

    /// The quality of samples of a run's model: from its mixture, and from the prior, if it has one. The run's seed
    /// decides the samples.
    pub fn quality(&mut self, run: &Run, model: &mut TrainedModel, mixture: &Mixture) -> Result<Quality, RunError> {
        let (count, seed) = (self.real.rows, run.config.train.seed);
        // A conditional model's are of the classes of the test rows.
        let classes = self.real.labels.clone().filter(|_| model.is_conditional()).unwrap_or_default();
        let noise = run.data.columns.is_some() && model.distribution().can_draw();
        let (codes, drawn) = self.likeness(model, &mixture.draw(count, &classes, seed, 1.0), &classes, noise, seed)?;
        let told_apart = run.data.columns.as_ref().filter(|_| noise).and_then(|columns| {
            let drawn = Records::of_draws(columns, &drawn, Provenance::Drawn);
            ToldApart::of(&drawn, &Records::of_split(columns, &self.real), seed)
        });
        let prior = match run.has_prior() {
            true => {
                let z = model.prior().draw(count, seed, 1.0);
                Some(self.likeness(model, &z, &classes, noise, seed)?.0)
            }
            false => None,
        };
        Ok(Quality {
            features: self.described.clone(),
            classifier_accuracy: self.accuracy,
            samples: count,
            noise,
            neighbours: NEAREST,
            codes,
            prior,
            told_apart,
            reference: self.reference,
        })
    }

    /// How alike what codes are decoded to and the test rows are; and what they are decoded to, of a table.
    fn likeness(
        &mut self,
        model: &mut TrainedModel,
        z: &[f32],
        classes: &[u32],
        noise: bool,
        seed: u64,
    ) -> Result<(Likeness, Vec<f32>), RunError> {
        let (latent, width) = (model.latent(), model.width());
        let bytes = matches!(self.real.values, Values::Bytes(_));
        let some = (MAX_VALUES / width.max(1)).max(1);
        let mut features = Vec::with_capacity(self.real.rows * FEATURES);
        let mut drawn = Vec::new();
        for (number, z) in z.chunks(some * latent).enumerate() {
            let rows = number * some..number * some + z.len() / latent;
            let mut samples = model.decoder_output(z, classes.get(rows.clone()).unwrap_or_default())?;
            if noise {
                model.distribution().draw(&mut samples, seed.wrapping_add(number as u64))?;
            }
            // A sample misses the values that its test row misses, so that features see both alike.
            let real = if bytes { Vec::new() } else { self.real.numbers(rows, width) };
            for (sample, real) in samples.means.iter_mut().zip(real) {
                *sample = if is_missing(real) { MISSING } else { *sample };
            }
            features.extend(self.features.of(&Examples::of_numbers(&samples.means, bytes, width))?);
            if noise {
                drawn.append(&mut samples.means);
            }
        }
        Ok((self.known.likeness(&Known::of(features)?), drawn))
    }
}

/// Learns features from training rows, from a classifier if there are two classes. Also returns a description of the
/// features, and the share of the test rows whose class the classifier knows.
fn learn(
    train: &Examples,
    test: &Examples,
    shape: Shape,
    device: &DeviceOptions,
    watch: &mut dyn FnMut(f64),
) -> Result<(Features, String, Option<f64>), RunError> {
    let labels = train.labels.as_deref().unwrap_or_default();
    let mut classes = labels.to_vec();
    classes.sort_unstable();
    classes.dedup();
    if classes.len() < 2 {
        return Ok((Features::random(train, shape, device)?, "random".into(), None));
    }
    if labels.len() < 2 * classes.len() {
        return Err(RunError::Unfit(format!(
            "the quality of samples is told by a classifier of the data's classes, and {} training rows of {} classes are fewer than two a \
             class: keep the largest classes, with `data.keep_label`, or train without a label",
            labels.len(),
            classes.len()
        )));
    }
    // A class that no training row has is none of the classifier's.
    let number = |label: &u32| classes.binary_search(label).unwrap_or(classes.len()) as u32;
    let numbers = |labels: &[u32]| labels.iter().map(number).collect::<Vec<u32>>();
    let mut features = Features::learned(train, shape, (&numbers(labels), classes.len()), device, watch)?;
    let mut described = format!("classifier of {} classes", classes.len());
    let mut accuracy = None;
    if let Some(labels) = &test.labels {
        let share = features.accuracy(test, &numbers(labels))?;
        described += &format!(", accuracy {share:.3} on test rows");
        accuracy = Some(share);
    }
    Ok((features, described, accuracy))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A classifier of classes with one row each learns nothing, and its figures say nothing: 0.0000, 1.000 and 1.000.
    #[test]
    fn classes_of_a_row_each_have_no_figure() {
        let rows = |classes: u32| {
            let values = (0..200).map(|i| (i * 7 % 31) as f32).collect();
            Examples {
                labels: Some((0..100).map(|row| row % classes).collect()),
                ..Examples::of(100, Values::Floats(values))
            }
        };
        let device = DeviceOptions { device: wgvae_engine::exec::DeviceChoice::Cpu, ..DeviceOptions::default() };
        let of = |classes: u32| learn(&rows(classes), &rows(2), Shape::Table(2), &device, &mut |_| {});
        let error = of(51).err().unwrap().to_string();
        assert!(error.contains("100 training rows of 51 classes are fewer than two a class"), "{error}");
    }
}
