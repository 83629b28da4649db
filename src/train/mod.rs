//! Training: the device and its kernels, the trainer's loop, schedules, checkpoints and the run's folder.

mod advice;
mod buckets;
mod checkpoint;
mod choice;
mod device;
mod diagnosis;
mod event;
mod feed;
mod files;
mod folder;
mod identity;
mod lines;
mod metrics;
mod place;
mod saving;
mod schedule;
mod state;
mod store;
mod trainer;
mod tuning_cache;
mod weights;

pub use advice::{Advice, advice};
pub use buckets::buckets;
pub use checkpoint::{Checkpoint, FORMAT, FileRecord, MAX_WEIGHTS, Manifest, Origin, Unusable, fingerprint};
pub use device::{DeviceEvent, DeviceOptions, MeasuredChoice, Tune};
pub use diagnosis::{Diagnosis, are_active, is_shown, kl_per_dimension, means, mutual_information, variances};
pub use event::{EpochReport, Event, MetricsLine, Rollback, Start, StepReport, Summary};
pub use files::{CODES, CONFIG, DATA, EVALUATION, Files, MAX_DATA, MAX_LINE, MAX_RECORD, METRICS, MODEL, PAGE, RECORD};
pub use folder::{RunFolder, checkpoints, is_training};
pub use identity::{ForkOf, Identity, RunDescription};
pub use lines::lines_until;
pub use metrics::StepMetrics;
pub use place::FolderHandle;
pub use saving::{CheckpointInterval, Saving};
pub use schedule::StepSchedule;
pub use state::{Fork, Progress, State};
pub use store::{RunInMemory, Store};
pub use trainer::{Ended, Epoch, SUBMIT_TIME, Trainer, Watch, next_steps_per_submit};
pub use tuning_cache::Speeds;
pub use weights::{LoadError, load, read, save};
pub use wgvae_engine::session::initial_weights;

use std::path::PathBuf;

use wgvae_engine::exec::DeviceError;
use wgvae_engine::exec::gpu::GpuError;

/// An error that ends a training run early.
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
        /// The error of the system.
        reason: String,
    },
    /// A file or a folder could not be read.
    #[error("{path} could not be read: {reason}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        reason: String,
    },
    /// The folder holds files that are not a run.
    #[error("{0} holds files that are not a run (there is no run.json): choose another folder, or empty it")]
    Occupied(PathBuf),
    /// The folder holds a run.
    #[error(
        "{0} already holds a run: go on with it, start from it in another folder, replace it, or choose another folder"
    )]
    Exists(PathBuf),
    /// Another process trains in the folder.
    #[error("another process is training in {0}: wait for its end, or choose another folder")]
    Busy(PathBuf),
    /// The run's folder is no longer there.
    #[error(
        "{0}, the folder of the run, was removed, or moved to where it cannot be found: what it held until its last checkpoint is \
         wherever it is now"
    )]
    Gone(PathBuf),
    /// A folder or file that a run writes into is a link.
    #[error("{0} is a link, and a run writes only into its own folder: remove the link, or choose another folder")]
    Link(PathBuf),
    /// The folder holds no run.
    #[error("{0} holds no run (no readable run.json): give a folder written by `wgvae train`")]
    NoRun(PathBuf),
    /// The run was to go on from another run's checkpoint, and ended before it had that as its own.
    #[error("{path} is a fork that ended before its first checkpoint: make it again from {}", .of.folder.display())]
    NotForked {
        /// The fork's folder.
        path: PathBuf,
        /// The run that it was to go on from.
        of: ForkOf,
    },
    /// The run is from another version.
    #[error(
        "{path} is a run of another version (format {format}, and this program knows {}): use that version",
        FORMAT
    )]
    AnotherFormat {
        /// The run's folder.
        path: PathBuf,
        /// The format of the run's files.
        format: u32,
    },
    /// The loss, or a tensor, is NaN or infinite, again and again.
    #[error("training diverged: step {step} gave {loss}{}; {}", at(.tensor), ADVICE)]
    Diverged {
        /// The step, counted from 1.
        step: u64,
        /// The number that was not finite: the loss, or a number of the tensor.
        loss: f64,
        /// The first tensor that is not finite, if one is.
        tensor: Option<String>,
    },
    /// The device failed while it was trained on.
    #[error("{error}; the run in {folder} can be resumed from its last checkpoint")]
    Failed {
        /// The error of the device.
        error: DeviceError,
        /// The folder with the last checkpoint.
        folder: PathBuf,
    },
    /// The watcher of the run returned an error, which the caller gets in place of this one.
    #[error("the watcher of the run returned an error")]
    Watch,
}

const ADVICE: &str = "half, a quarter and an eighth of the learning rate did not help: try `train.clip = 1`, a smaller `train.lr`, \
                      or look for outliers in the data";

fn at(tensor: &Option<String>) -> String {
    tensor.as_ref().map_or_else(String::new, |tensor| format!(", and {tensor} is no longer finite"))
}

impl From<GpuError> for TrainError {
    fn from(error: GpuError) -> Self {
        TrainError::Device(error.into())
    }
}
