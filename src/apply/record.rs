//! Reading the record and the metrics of a run.

use std::path::Path;

use serde::Deserialize;

use super::RunError;
use crate::executor::Device;
use crate::train::{EpochReport, MetricsLine, StepReport};

/// A run's `run.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
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
}

fn read(path: &Path) -> Result<String, RunError> {
    std::fs::read_to_string(path).map_err(|e| RunError::Damaged { path: path.to_path_buf(), reason: e.to_string() })
}

impl Record {
    /// Reads the file from a run's folder.
    pub fn of(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join("run.json");
        serde_json::from_str(&read(&path)?).map_err(|e| RunError::Damaged { path, reason: e.to_string() })
    }
}

impl Metrics {
    /// Reads the file from a run's folder.
    pub fn of(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join("metrics.jsonl");
        let mut metrics = Self::default();
        for (number, line) in read(&path)?.lines().enumerate() {
            let damaged = |e: serde_json::Error| RunError::Damaged {
                path: path.clone(),
                reason: format!("line {}: {e}", number + 1),
            };
            match serde_json::from_str(line).map_err(damaged)? {
                MetricsLine::Step(step) => metrics.steps.push(step),
                MetricsLine::Epoch(epoch) => metrics.epochs.push(epoch),
                MetricsLine::Done(_) => {}
            }
        }
        Ok(metrics)
    }
}
