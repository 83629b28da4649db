//! The model as it is now: its losses on the test split, and what it makes of rows.

use std::sync::atomic::{AtomicBool, Ordering};

use wgvae_data::Shape;
use wgvae_engine::exec::gpu::GpuError;
use wgvae_engine::plan::{Dtype, PlanId, STEPS_PER_SUBMIT, StepScalars};

use super::Trainer;
use crate::config::PriorKind;
use crate::model::{Labels, Objective};
use crate::train::TrainError;
use crate::train::diagnosis::{Diagnosis, ROWS, are_active, is_shown, kl_per_dimension, mutual_information, variances};
use crate::train::event::EpochReport;
use crate::train::metrics::StepMetrics;
use crate::train::state::Mean;

impl Trainer {
    /// Means over the test split: one draw of the latent a row, and the configured beta. None if `stop` is set meanwhile.
    pub fn evaluate(&mut self, stop: &AtomicBool) -> Result<Option<StepMetrics>, GpuError> {
        let m = &self.config.model;
        let beta = if m.objective == Objective::Ae { 0.0 } else { f64::from(m.beta) };
        let capacity = m.capacity.map(f64::from);
        let mut mean = Mean::default();
        let mut batches: Vec<_> = (0..self.schedule.evaluation_batches()).map(|b| self.schedule.evaluate(b)).collect();
        let mut first = 0;
        while first < self.schedule.evaluation_rows() {
            let held = self.feed.hold_test(first, &mut *self.session)?;
            let rest = batches.split_off(held.div_ceil(self.config.train.batch).min(batches.len()));
            for step in &mut batches {
                step.offset -= first as u32;
            }
            // An evaluation step is about a third of a training step.
            for chunk in batches.chunks((3 * self.steps_per_submit).min(STEPS_PER_SUBMIT)) {
                if stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                self.session.submit(&self.vae.plans.evaluate.steps(chunk.iter().copied()))?;
                let reports = self.session.collect()?.unwrap_or_default();
                for (row, step) in reports.rows().zip(chunk) {
                    let metrics = StepMetrics::of(row, self.vae.metrics, beta, capacity);
                    mean.add(&metrics, f64::from(step.rows));
                }
            }
            batches = rest;
            first += held;
        }
        Ok(Some(mean.get().of_all(beta, capacity)))
    }

    /// Looks at the model as it is after an epoch, if that is one that is shown.
    pub(super) fn diagnose(&mut self, report: EpochReport) -> Result<Option<Diagnosis>, GpuError> {
        let gradient_norms = self.progress.gradient_norms.take().unwrap_or_default();
        if !is_shown(report.epoch, self.schedule.epochs()) {
            return Ok(None);
        }
        let latent = self.config.model.latent;
        let (mut mu, mut logvar) = (Vec::new(), Vec::new());
        let rows = self.schedule.evaluation_rows().min(ROWS);
        self.shown(Shown::Reconstructions, rows, |trainer, kept| {
            let codes = trainer.session.read(trainer.vae.codes)?;
            let of_row = codes.len() / trainer.config.train.batch;
            for row in codes.chunks(of_row).take(kept) {
                mu.extend_from_slice(&row[..latent]);
                logvar.extend_from_slice(&row[latent..]);
            }
            Ok(())
        })?;
        let kl_per_dimension = match self.config.model.prior {
            PriorKind::Standard if !logvar.is_empty() => {
                kl_per_dimension(&mu, &logvar, &vec![0.0; latent], &vec![1.0; latent])
            }
            _ => Vec::new(),
        };
        let active = are_active(&variances(&mu, latent), &kl_per_dimension);
        let is_of_texts = matches!(self.shape, Shape::Text { .. });
        Ok(Some(Diagnosis {
            epoch: report.epoch,
            step: report.step,
            active_units: active.into_iter().filter(|is_active| *is_active).count(),
            kl_per_dimension,
            mutual_information: (is_of_texts && !logvar.is_empty()).then(|| mutual_information(&mu, &logvar, latent)),
            gradient_norms,
        }))
    }

    /// The first rows of the batch that was gathered last.
    fn batch(&mut self, rows: usize) -> Result<Vec<f32>, GpuError> {
        let width = self.shape.len();
        let tensors = &self.session.program().tensors;
        if tensors.dtype(self.vae.x) == Dtype::F32 {
            let stride = tensors.get(self.vae.x).shape[1];
            let all = self.session.read(self.vae.x)?;
            return Ok(all.chunks(stride).take(rows).flat_map(|row| &row[..width]).copied().collect());
        }
        let x = tensors.get(self.vae.x);
        let (buffer, offset, words) = (x.buffer, x.offset, x.shape[1]);
        let words = self.session.read_at(buffer, offset, rows * words)?.into_iter();
        let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        let rows = bytes.chunks(width.next_multiple_of(4)).flat_map(|row| &row[..width]);
        Ok(rows.map(|byte| f32::from(*byte) / 255.0).collect())
    }

    /// Writes the classes in turn, for rows that have none.
    fn write_classes_in_turn(&mut self, labels: Labels, batch: u64) -> Result<(), GpuError> {
        let [rows, count] = self.session.program().tensors.get(labels.batch).shape[..] else { return Ok(()) };
        let first = batch as usize * rows;
        let classes = Labels::in_turn(first..first + rows, count);
        self.session.write(labels.batch, &Labels::columns(&classes, count))
    }

    /// The output `(rows, D)` of a plan; of the test split, rows from all over it, as neighbours are often alike. `batch_done`
    /// is called after each batch with the number of its valid rows.
    fn shown(
        &mut self,
        what: Shown,
        rows: usize,
        mut batch_done: impl FnMut(&mut Self, usize) -> Result<(), GpuError>,
    ) -> Result<Vec<f32>, GpuError> {
        let width = self.shape.len();
        let mut mean = Vec::new();
        let mut batch = 0;
        let mut held = 0..0;
        while mean.len() < rows * width {
            let (plan, step) = match what {
                Shown::Samples(plan) => {
                    if let Some(labels) = self.vae.labels {
                        self.write_classes_in_turn(labels, batch)?;
                    }
                    (plan, self.schedule.sample(batch))
                }
                Shown::Reconstructions => {
                    let step = self.schedule.pictured(batch);
                    let first = step.offset as usize;
                    if !held.contains(&first) {
                        held = first..first + self.feed.hold_test(first, &mut *self.session)?;
                    }
                    (self.vae.plans.reconstruct, StepScalars { offset: (first - held.start) as u32, ..step })
                }
            };
            self.session.dispatch(plan, &step)?;
            let kept = step.rows as usize;
            batch_done(self, kept)?;
            mean.extend(&self.session.read(self.vae.mean)?[..kept * width]);
            batch += 1;
        }
        mean.truncate(rows * width);
        Ok(mean)
    }
}

/// The source of the rows that are decoded for a watcher.
#[derive(Clone, Copy)]
enum Shown {
    /// Test rows.
    Reconstructions,
    /// Draws from the prior, by this plan.
    Samples(PlanId),
}

/// A finished epoch: its figures, and the model after it.
pub struct Epoch<'a> {
    /// The figures of the epoch.
    pub report: EpochReport,
    pub(super) trainer: &'a mut Trainer,
}

impl Epoch<'_> {
    /// Returns the shape of one example.
    pub fn shape(&self) -> Shape {
        self.trainer.shape
    }

    /// Epochs of the whole run, counting a partial last one.
    pub fn epochs(&self) -> usize {
        self.trainer.schedule.epochs()
    }

    /// Rows of the test split.
    pub fn test_rows(&self) -> usize {
        self.trainer.schedule.evaluation_rows()
    }

    /// Some test rows as the model receives them, and their reconstructions without noise: `(rows, D)` each.
    pub fn reconstruct(&mut self, rows: usize) -> Result<(Vec<f32>, Vec<f32>), TrainError> {
        let rows = rows.min(self.test_rows());
        let mut x = Vec::new();
        let mean = self.trainer.shown(Shown::Reconstructions, rows, |trainer, kept| {
            x.extend(trainer.batch(kept)?);
            Ok(())
        })?;
        x.truncate(mean.len());
        Ok((x, mean))
    }

    /// `rows` decoded draws from the prior: `(rows, D)`. An autoencoder has no prior.
    pub fn sample(&mut self, rows: usize) -> Result<Option<Vec<f32>>, TrainError> {
        let Some(plan) = self.trainer.vae.plans.sample else { return Ok(None) };
        Ok(Some(self.trainer.shown(Shown::Samples(plan), rows, |_, _| Ok(()))?))
    }
}
