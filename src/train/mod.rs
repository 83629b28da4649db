//! Training: the device and its kernels, the trainer's loop, schedules, checkpoints and the run's folder.

mod checkpoint;
mod device;
mod event;
mod folder;
mod schedule;
mod trainer;

pub use checkpoint::{LoadError, initial_weights, load, save};
pub use device::{DeviceEvent, DeviceOptions, Opened, Tune};
pub use event::{EpochReport, Event, MetricsLine, Start, StepReport, Summary};
pub use folder::RunFolder;
pub use schedule::StepSchedule;
pub use trainer::{Epoch, SUBMIT_TIME, Trainer, Watch};

use std::path::PathBuf;

use crate::executor::DeviceError;
use crate::gpu::GpuError;

/// What can end a training run early.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The device could not be opened or used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A file could not be written.
    #[error("{path} could not be written: {reason}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The folder holds files that are not a run.
    #[error("{0} holds files that are not a run (there is no run.json): choose another folder, or empty it")]
    Occupied(PathBuf),
    /// The loss is NaN or infinite.
    #[error("training diverged: the loss of step {step} is {loss}; try a smaller learning rate, or --clip 1")]
    Diverged {
        /// The step, counted from 1.
        step: u64,
        /// Its loss.
        loss: f64,
    },
    /// The watcher of the run returned an error.
    #[error(transparent)]
    Watch(#[from] std::io::Error),
    /// The run was stopped.
    #[error("interrupted after step {step}; the model so far is in {folder}")]
    Interrupted {
        /// Steps done.
        step: u64,
        /// The folder with the saved model.
        folder: PathBuf,
    },
}

impl From<GpuError> for TrainError {
    fn from(error: GpuError) -> Self {
        TrainError::Device(error.into())
    }
}
