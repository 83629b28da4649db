//! The events of a training run.

use std::path::Path;

use serde::{Deserialize, Serialize};
use wgvae_data::Shape;
use wgvae_engine::exec::Device;
use wgvae_engine::plan::Totals;

use super::{DeviceEvent, Diagnosis, Epoch};
use crate::config::Config;
use crate::model::Bucket;

/// Means over the steps since the last report.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Steps done.
    pub step: u64,
    /// Passes over the data done.
    pub epoch: f64,
    /// Reconstruction plus beta times KL, in nats per example.
    pub loss: f64,
    /// Reconstruction loss.
    pub recon: f64,
    /// KL divergence.
    pub kl: f64,
    /// Norm of the gradient before clipping; absent without clipping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// Learning rate of the last step.
    pub lr: f64,
    /// KL weight of the last step.
    pub beta: f64,
}

/// Means of an epoch over its training steps and over the test split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Steps done.
    pub step: u64,
    /// Mean training loss over the epoch's steps.
    pub train_loss: f64,
    /// Mean test loss, with the final beta.
    pub test_loss: f64,
    /// Reconstruction loss.
    pub test_recon: f64,
    /// KL divergence.
    pub test_kl: f64,
    /// Seconds of training so far, without evaluation and pictures.
    pub seconds: f64,
    /// Steps per second over this epoch.
    pub steps_per_second: f64,
}

/// The summary of a finished training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The run's folder; empty where it is in memory alone.
    pub run: String,
    /// The adapter's name.
    pub adapter: String,
    /// Epochs done, counting a partial last one.
    pub epochs: usize,
    /// Steps done.
    pub steps: u64,
    /// Seconds of training, without evaluation and pictures.
    pub seconds: f64,
    /// Steps per second over the whole run.
    pub steps_per_second: f64,
    /// Training loss of the last epoch.
    pub train_loss: f64,
    /// The epoch with the smallest test loss: the model is as it was then.
    pub best_epoch: usize,
    /// Test loss of the model.
    pub test_loss: f64,
    /// Test reconstruction loss of the model.
    pub test_recon: f64,
    /// Test KL of the model.
    pub test_kl: f64,
    /// Test loss of the last epoch.
    pub last_test_loss: f64,
}

/// Training diverged and went back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rollback {
    /// The steps of the checkpoint it goes on from.
    pub step: u64,
    /// The step whose loss, or whose model, was not finite.
    pub diverged: u64,
    /// The factor of the schedule's learning rate from now on.
    pub lr_factor: f64,
    /// How often this has happened.
    pub count: u32,
}

/// Everything about a run that is known before its first step.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The device.
    pub device: &'a Device,
    /// The configuration of the run, with the chosen kernels.
    pub config: &'a Config,
    /// The data's short name.
    pub data: &'a str,
    /// The shape of one example.
    pub shape: Shape,
    /// Number of classes, 0 where they are not known.
    pub classes: usize,
    /// Training rows.
    pub train_rows: usize,
    /// Test rows.
    pub test_rows: usize,
    /// Rows that the device holds at a time, if the data is streamed.
    pub streamed: Option<usize>,
    /// The buckets that training texts are in by their lengths, shortest first; none where each step takes texts of all lengths.
    pub buckets: &'a [Bucket],
    /// Number of trained parameters.
    pub parameters: usize,
    /// Dispatches, stages and operations of a training step.
    pub totals: Totals,
    /// Epochs of the whole run, counting a partial last one.
    pub epochs: usize,
    /// Steps of the whole run.
    pub steps: u64,
    /// Steps that are done already, of a run that goes on.
    pub done: u64,
    /// The run's folder, if it is not in memory alone.
    pub folder: Option<&'a Path>,
}

/// Events of a run, from opening the device to the finished page.
///
/// ```
/// use wgvae::{Config, Dataset, DeviceChoice, Event, RunOptions};
///
/// # fn main() -> Result<(), wgvae::Error> {
/// let data = Dataset::load("points:count=200")?;
/// let mut config = Config::for_data(&data)?;
/// config.train.epochs = 2;
/// let mut options = RunOptions::in_memory();
/// options.device.device = DeviceChoice::Cpu;
/// let mut losses = Vec::new();
/// wgvae::train(config, data, &options, |event| {
///     if let Event::Epoch(epoch) = event {
///         losses.push(epoch.report.test_loss);
///     }
/// })?;
/// assert_eq!(losses.len(), 2);
/// # Ok(())
/// # }
/// ```
pub enum Event<'a> {
    /// The device is being opened.
    Device(DeviceEvent<'a>),
    /// Training is about to start.
    Start(Start<'a>),
    /// More steps are done; not written to `metrics.jsonl`.
    Progress {
        /// Means since the last progress event.
        report: StepReport,
        /// Steps of the whole run.
        total: u64,
        /// Steps per second over about the last second of training.
        steps_per_second: f64,
    },
    /// Means over fifty steps.
    Step(StepReport),
    /// An epoch is done; the event gives access to the model as it is now.
    Epoch(Epoch<'a>),
    /// A diagnosis of the model after an epoch, before the epoch is reported as done. Where epochs are many, some have
    /// none.
    Diagnosis(&'a Diagnosis),
    /// A picture is drawn.
    Picture(&'a Path),
    /// Training diverged and goes on from a checkpoint.
    Rollback(Rollback),
    /// Training is done.
    Done(&'a Summary),
    /// One sentence: what could not be written but can be made again, or what looks wrong with the model.
    Warning(&'a str),
    /// The mixture that samples are drawn from is about to be fitted to codes of so many training rows.
    Fitting(usize),
    /// The run's page is written.
    Page(&'a Path),
}

impl Event<'_> {
    /// The event as a line of `metrics.jsonl`, if events of its kind are written there.
    pub fn line(&self) -> Option<MetricsLine> {
        match self {
            Event::Step(report) => Some(MetricsLine::Step(*report)),
            Event::Epoch(epoch) => Some(MetricsLine::Epoch(epoch.report)),
            Event::Diagnosis(diagnosis) => Some(MetricsLine::Diagnosis((*diagnosis).clone())),
            Event::Rollback(rollback) => Some(MetricsLine::Rollback(*rollback)),
            Event::Done(summary) => Some(MetricsLine::Done((*summary).clone())),
            Event::Device(_)
            | Event::Start(_)
            | Event::Progress { .. }
            | Event::Picture(_)
            | Event::Warning(_)
            | Event::Fitting(_)
            | Event::Page(_) => None,
        }
    }
}

/// A line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum MetricsLine {
    /// Means over fifty steps.
    Step(StepReport),
    /// An epoch is done.
    Epoch(EpochReport),
    /// A diagnosis of the model after an epoch.
    Diagnosis(Diagnosis),
    /// Training diverged and went back.
    Rollback(Rollback),
    /// The run is finished.
    Done(Summary),
}
