//! Reading the record and the metrics of a run.

use std::path::Path;

use serde::Deserialize;
use wgvae_engine::exec::Device;

use super::{Run, RunError};
use crate::train::{
    Diagnosis, EpochReport, Files, MAX_LINE, MAX_RECORD, METRICS, MetricsLine, RECORD, StepReport, Summary,
};

/// A run's `run.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// The program's version.
    pub wgvae: String,
    /// When training began, or last went on: as `2026-11-22T15:04:05Z`.
    pub date: String,
    /// The command that did, where it was one.
    pub command: Option<String>,
    /// The device it ran on.
    pub device: Device,
    /// Seed of every random choice.
    pub seed: u64,
    /// Number of trained parameters.
    pub parameters: usize,
    /// Number of training rows.
    pub train_rows: usize,
    /// Number of test rows.
    pub test_rows: usize,
}

/// A run's `metrics.jsonl`.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Means over fifty steps each.
    pub steps: Vec<StepReport>,
    /// One report per epoch.
    pub epochs: Vec<EpochReport>,
    /// What the model was like after some of them.
    pub diagnoses: Vec<Diagnosis>,
    /// How often training diverged and went back to a checkpoint.
    pub rollbacks: usize,
    /// The summary, if training is done.
    pub done: Option<Summary>,
}

impl Record {
    /// Reads the file of a run.
    pub fn of(run: &Run) -> Result<Self, RunError> {
        Self::read(&run.files)
    }

    /// Reads the file of the run in a folder.
    pub fn in_folder(folder: &Path) -> Result<Self, RunError> {
        Self::read(&Files::Folder(folder.to_path_buf()))
    }

    fn read(files: &Files) -> Result<Self, RunError> {
        let damaged = |reason: String| RunError::Damaged { path: files.path(RECORD), reason };
        let text = files.read(RECORD, MAX_RECORD).map_err(|e| damaged(e.to_string()))?;
        serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))
    }
}

impl Metrics {
    /// The epoch that the saved model is of: the one with the smallest test loss. In a fork those before it may have had another loss,
    /// so that the summary decides where there is one.
    pub fn of_model(&self) -> Option<&EpochReport> {
        let named = self.done.as_ref().and_then(|done| self.epochs.iter().find(|e| e.epoch == done.best_epoch));
        named.or_else(|| self.epochs.iter().min_by(|a, b| a.test_loss.total_cmp(&b.test_loss)))
    }

    /// What the model was like after the last epoch up to that of the saved one that was looked at.
    pub fn diagnosis_of_model(&self) -> Option<&Diagnosis> {
        let epoch = self.of_model()?.epoch;
        self.diagnoses.iter().rev().find(|diagnosis| diagnosis.epoch <= epoch)
    }

    /// Reads the file of a run.
    pub fn of(run: &Run) -> Result<Self, RunError> {
        let path = run.files.path(METRICS);
        let mut metrics = Self::default();
        let damaged = |reason: String| RunError::Damaged { path: path.clone(), reason };
        let lines = run.files.lines(METRICS, MAX_LINE).map_err(|e| damaged(e.to_string()))?;
        for (number, line) in (1_u64..).zip(lines) {
            let line = line.map_err(|e| damaged(format!("line {number}: {e}")))?;
            match serde_json::from_slice(&line) {
                // A run that was killed leaves its last line as far as it came.
                Err(_) if !line.ends_with(b"\n") => break,
                Err(error) => return Err(damaged(format!("line {number}: {error}"))),
                Ok(MetricsLine::Step(step)) => metrics.steps.push(step),
                Ok(MetricsLine::Epoch(epoch)) => metrics.epochs.push(epoch),
                Ok(MetricsLine::Diagnosis(diagnosis)) => metrics.diagnoses.push(diagnosis),
                Ok(MetricsLine::Rollback(_)) => metrics.rollbacks += 1,
                Ok(MetricsLine::Done(summary)) => metrics.done = Some(summary),
            }
        }
        Ok(metrics)
    }
}
