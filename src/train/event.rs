//! What a training run tells whoever watches it.

use serde::{Deserialize, Serialize};

/// Means over the steps since the last report.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Steps done.
    pub step: u64,
    /// Passes over the data done.
    pub epoch: f64,
    /// Reconstruction plus beta times KL, in nats an example.
    pub loss: f64,
    /// Reconstruction.
    pub recon: f64,
    /// KL divergence.
    pub kl: f64,
    /// Norm of the gradient before clipping, where it is clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// Learning rate of the last step.
    pub lr: f64,
    /// KL weight of the last step.
    pub beta: f64,
}

/// An epoch's training means and the test split's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Which epoch, from 1.
    pub epoch: usize,
    /// Steps done.
    pub step: u64,
    /// Mean over the epoch's steps.
    pub train_loss: f64,
    /// Mean over the test rows, with the final beta.
    pub test_loss: f64,
    /// Reconstruction.
    pub test_recon: f64,
    /// KL divergence.
    pub test_kl: f64,
    /// Of training so far, without evaluation and pictures.
    pub seconds: f64,
    /// Over this epoch.
    pub steps_per_second: f64,
}

/// The end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The run's folder.
    pub run: String,
    /// The adapter's name.
    pub adapter: String,
    /// Epochs finished, the last perhaps in part.
    pub epochs: usize,
    /// Steps done.
    pub steps: u64,
    /// Of training, without evaluation and pictures.
    pub seconds: f64,
    /// Over the whole run.
    pub steps_per_second: f64,
    /// Of the last epoch.
    pub train_loss: f64,
    /// Of the last epoch.
    pub test_loss: f64,
    /// Of the last epoch.
    pub test_recon: f64,
    /// Of the last epoch.
    pub test_kl: f64,
}

/// Something to show or to write down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Some steps more are done; not written down.
    #[serde(skip)]
    Progress {
        /// Means since the last progress.
        report: StepReport,
        /// Steps in all.
        total: u64,
        /// Over the last submits.
        steps_per_second: f64,
    },
    /// Every fiftieth step.
    Step(StepReport),
    /// An epoch is done.
    Epoch(EpochReport),
    /// Everything is.
    Done(Summary),
}
