//! The state of a run between two steps: everything that it goes on from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wgvae_engine::plan::ParamTable;

use super::event::EpochReport;
use super::metrics::StepMetrics;
use super::weights::is_finite;

/// Running means of steps.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    sum: StepMetrics,
    weight: f64,
}

impl Mean {
    pub(super) fn add(&mut self, m: &StepMetrics, weight: f64) {
        self.sum.loss += m.loss * weight;
        self.sum.recon += m.recon * weight;
        self.sum.kl += m.kl * weight;
        self.sum.grad_norm += m.grad_norm * weight;
        self.weight += weight;
    }

    /// How many steps, or rows.
    pub(super) fn weight(&self) -> f64 {
        self.weight
    }

    pub(super) fn get(&self) -> StepMetrics {
        StepMetrics {
            loss: self.sum.loss / self.weight,
            recon: self.sum.recon / self.weight,
            kl: self.sum.kl / self.weight,
            grad_norm: self.sum.grad_norm / self.weight,
        }
    }
}

/// Where a run was forked from another one: its epochs begin there. A run that is no fork begins at 0.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// Steps done before.
    pub step: u64,
    /// Epochs done before, counting a partial last one.
    pub epoch: usize,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Epochs done, counting a partial last one.
    pub epoch: usize,
    /// Where it was forked.
    pub fork: Fork,
    /// Seconds of training, without evaluation and pictures.
    pub seconds: f64,
    /// Seconds of the current epoch.
    pub epoch_seconds: f64,
    /// Means over the current epoch's steps.
    pub of_epoch: Mean,
    /// Means since the last step report.
    pub since_report: Mean,
    /// The last epoch.
    pub last: Option<EpochReport>,
    /// The epoch with the smallest test loss.
    pub best: Option<EpochReport>,
    /// Norms of the last step's gradient by each layer's parameters, from the end of an epoch's steps until the model was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_norms: Option<BTreeMap<String, f64>>,
    /// The factor of the schedule's learning rate, which is halved whenever training diverges.
    pub lr_factor: f64,
    /// How often training has diverged and gone back to a checkpoint.
    pub rollbacks: u32,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            step: 0,
            epoch: 0,
            fork: Fork::default(),
            seconds: 0.0,
            epoch_seconds: 0.0,
            of_epoch: Mean::default(),
            since_report: Mean::default(),
            last: None,
            best: None,
            gradient_norms: None,
            lr_factor: 1.0,
            rollbacks: 0,
        }
    }
}

impl Progress {
    /// Begins a fork here: with an epoch, as batches and rows may be others now.
    pub fn begin_fork(&mut self) {
        self.fork = Fork { step: self.step, epoch: self.epoch };
        (self.of_epoch, self.since_report, self.epoch_seconds) = (Mean::default(), Mean::default(), 0.0);
    }
}

/// A run between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// How far it is.
    pub progress: Progress,
    /// `(L)`: all parameters.
    pub weights: Vec<f32>,
    /// The optimiser's arenas, `(L)` each: none, one or two.
    pub moments: Vec<Vec<f32>>,
}

impl State {
    /// The names of the arenas' prefixes in a checkpoint: those of the weights and of the moments.
    pub(super) const PREFIXES: [&str; 3] = ["", "first_moment.", "second_moment."];

    /// The weights and the moments, with their prefixes.
    pub(super) fn arenas(&self) -> Vec<(&'static str, &[f32])> {
        let arenas = std::iter::once(&self.weights).chain(&self.moments);
        Self::PREFIXES.into_iter().zip(arenas.map(Vec::as_slice)).collect()
    }

    /// The state whose weights are the model, if it is not there already: without a test loss yet, what there is; else the best one.
    pub(super) fn model<'a>(&'a self, best: Option<&'a State>) -> Option<&'a State> {
        let is_best = self.progress.best.is_none_or(|best| best.step == self.progress.step);
        best.filter(|best| best.progress.step != self.progress.step).or(is_best.then_some(self))
    }

    /// The first number that is not finite, with the name of its tensor.
    pub fn not_finite(&self, params: &ParamTable) -> Option<(String, f32)> {
        self.arenas().into_iter().find_map(|(prefix, arena)| {
            params.iter().find_map(|p| {
                let value = arena[p.offset..p.offset + p.len()].iter().find(|value| !is_finite(**value))?;
                Some((format!("{prefix}{}", p.name), *value))
            })
        })
    }
}
