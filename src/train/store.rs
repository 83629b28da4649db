//! What a run leaves while it is trained: measurements, states and the model, in a folder or in memory.

use std::path::PathBuf;
use std::sync::Arc;

use wgvae_data::disk::{self, System};
use wgvae_engine::plan::ParamTable;

use super::files::Files;
use super::files::{CONFIG, DATA, METRICS, MODEL, RECORD};
use super::identity::{RunDescription, record_of};
use super::lines::{line, split, whole_lines};
use super::place::FolderHandle;
use super::saving::Saving;
use super::state::State;
use super::{MetricsLine, TrainError, weights};

/// Where a run is kept while it is trained.
pub trait Store {
    /// The run's number.
    fn run(&self) -> &str;

    /// The run's files.
    fn files(&self) -> Files;

    /// The run's folder, if it has one.
    fn folder(&self) -> Option<PathBuf>;

    /// The folder, for whoever writes there as well.
    fn place(&self) -> Option<Arc<FolderHandle>>;

    /// Where the folder is now, if it was moved since that was asked for the last time.
    fn moved(&mut self) -> Option<PathBuf>;

    /// Removes checkpoints that a resumed run has found damaged.
    fn discard(&self, damaged: &[PathBuf]);

    /// Takes the small files of the run, and the measurements it goes on from.
    fn begin(&mut self, description: RunDescription, metrics: Vec<u8>) -> Result<(), TrainError>;

    /// Takes a measurement.
    fn record(&mut self, line: &MetricsLine) -> Result<(), TrainError>;

    /// Takes back the measurements of the steps behind this one, and of the epochs behind so many.
    fn rewind(&mut self, step: u64, epochs: usize) -> Result<(), TrainError>;

    /// Takes a state, and the best one too where it is another one and not there yet; the model is the best one's weights.
    fn checkpoint(
        &mut self,
        saving: &Saving,
        params: &ParamTable,
        state: &State,
        best: Option<&State>,
    ) -> Result<(), TrainError>;

    /// The newest good state.
    fn last(&self, params: &ParamTable, moments: usize) -> Option<State>;

    /// Takes a file that is made from the model.
    fn write(&mut self, name: &str, content: &str) -> Result<(), TrainError>;
}

/// A run that is kept in memory alone.
pub struct RunInMemory {
    run: String,
    files: Files,
    metrics: Vec<u8>,
    last: Option<State>,
}

impl Default for RunInMemory {
    fn default() -> Self {
        Self { run: disk::draw(), files: Files::in_memory([]), metrics: Vec::new(), last: None }
    }
}

impl RunInMemory {
    fn set_file(&self, name: &str, content: &[u8]) -> Result<(), TrainError> {
        let failed = |e: std::io::Error| TrainError::Write { path: name.into(), reason: e.to_string() };
        self.files.write(&System, name, content).map_err(failed)
    }
}

impl Store for RunInMemory {
    fn run(&self) -> &str {
        &self.run
    }

    fn files(&self) -> Files {
        self.files.clone()
    }

    fn folder(&self) -> Option<PathBuf> {
        None
    }

    fn place(&self) -> Option<Arc<FolderHandle>> {
        None
    }

    fn moved(&mut self) -> Option<PathBuf> {
        None
    }

    fn discard(&self, _: &[PathBuf]) {}

    fn begin(&mut self, description: RunDescription, metrics: Vec<u8>) -> Result<(), TrainError> {
        let failed = |e: serde_json::Error| TrainError::Write { path: RECORD.into(), reason: e.to_string() };
        self.set_file(RECORD, record_of(&self.run, &description).map_err(failed)?.as_bytes())?;
        self.set_file(CONFIG, description.config.as_bytes())?;
        self.set_file(DATA, description.data.as_bytes())?;
        self.metrics = metrics;
        self.set_file(METRICS, &self.metrics)
    }

    fn record(&mut self, event: &MetricsLine) -> Result<(), TrainError> {
        self.metrics.extend(line(event)?);
        // The file is read when the run has ended, or a state of it is kept.
        match event {
            MetricsLine::Done(_) => self.set_file(METRICS, &self.metrics),
            _ => Ok(()),
        }
    }

    fn rewind(&mut self, step: u64, epochs: usize) -> Result<(), TrainError> {
        self.metrics = whole_lines(split(&self.metrics), step, epochs);
        Ok(())
    }

    fn checkpoint(
        &mut self,
        _: &Saving,
        params: &ParamTable,
        state: &State,
        best: Option<&State>,
    ) -> Result<(), TrainError> {
        self.last = Some(state.clone());
        if let Some(model) = state.model(best) {
            let failed =
                |e: safetensors::SafeTensorError| TrainError::Write { path: MODEL.into(), reason: e.to_string() };
            self.set_file(MODEL, &weights::serialized(params, &[("", &model.weights)]).map_err(failed)?)?;
        }
        self.set_file(METRICS, &self.metrics)
    }

    fn last(&self, _: &ParamTable, _: usize) -> Option<State> {
        self.last.clone()
    }

    fn write(&mut self, name: &str, content: &str) -> Result<(), TrainError> {
        self.set_file(name, content.as_bytes())
    }
}
