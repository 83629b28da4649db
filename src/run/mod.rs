//! Training in one call: from a configuration and data to a finished run with model, pictures and page.

mod evaluated;
mod fit;
mod histogram;
mod page;
mod pictures;
mod resume;
mod samples;
mod tables;
mod texts;
mod training;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use evaluated::{found, measure};
pub use page::{epochs, facts, model_line, notices, page, pictured, png};
pub use pictures::drawn;
pub use resume::Resume;

use self::training::with_device_events;
use crate::apply::{Run, RunError};
use crate::config::{Config, ConfigError};
use crate::train::{
    CheckpointInterval, DeviceOptions, Event, RunFolder, RunInMemory, Store, Summary, TrainError, Watch, fingerprint,
};
use wgvae_data::disk::{Disk, System};
use wgvae_data::{DataError, Dataset};
use wgvae_engine::exec::gpu::GpuError;
use wgvae_engine::exec::{Device, DeviceChoice, DeviceError};
use wgvae_engine::plan::PlanError;

/// Options of a run that are not part of its configuration.
///
/// ```
/// use wgvae::{DeviceChoice, Place, RunOptions};
///
/// let mut options = RunOptions::in_folder("runs/digits");
/// options.device.device = DeviceChoice::Cpu;
/// options.keep = 5; // checkpoints, beside the best one
/// assert_eq!(options.place, Place::Folder("runs/digits".into()));
/// ```
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The device, and how to use it.
    pub device: DeviceOptions,
    /// Where the run is kept.
    pub place: Place,
    /// Stops the run when set: the run is finished with the model so far, and returns with [`Finished::stopped`].
    pub stop: Arc<AtomicBool>,
    /// Whether a run that is stopped gets a mixture to draw from and a page, like any other. Without, it ends as soon as its state is
    /// saved.
    pub finish_when_stopped: bool,
    /// A run that is in the folder already is replaced: it goes when the new one has its first checkpoint.
    pub replace: bool,
    /// When checkpoints are written.
    pub checkpoint_every: CheckpointInterval,
    /// How many of the newest checkpoints are kept, beside the best one.
    pub keep: usize,
    /// The command that makes the run, for its record.
    pub command: Option<String>,
    /// Where files are written.
    #[doc(hidden)]
    pub disk: Arc<dyn Disk>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            device: DeviceOptions::default(),
            place: Place::default(),
            stop: Arc::default(),
            finish_when_stopped: true,
            replace: false,
            checkpoint_every: CheckpointInterval::default(),
            keep: 2,
            command: None,
            disk: Arc::new(System),
        }
    }
}

impl RunOptions {
    /// The default options with this folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { place: Place::Folder(folder.into()), ..Self::default() }
    }

    /// The default options of a run that leaves no files.
    pub fn in_memory() -> Self {
        Self { place: Place::Memory, ..Self::default() }
    }
}

/// Where a run is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Place {
    /// In the first of `runs/NAME`, `runs/NAME-2`, ... that does not exist, by the name of the data.
    #[default]
    Unused,
    /// In the first of `runs/NAME`, `runs/NAME-2`, ... that does not exist, by this name.
    Named(String),
    /// In this folder.
    Folder(PathBuf),
    /// In memory, without files: [`Run::to_bytes`] and [`Run::from_bytes`] write and read it. It cannot be resumed, and no pictures are
    /// drawn after its epochs.
    Memory,
}

/// What a watcher of a run returns: nothing, or a result whose error ends the run and is what [`train`] returns.
pub trait WatchResult {
    /// What [`train`] returns where it fails.
    type Error: From<Error>;

    /// Whether the run goes on.
    fn result(self) -> Result<(), Self::Error>;
}

impl WatchResult for () {
    type Error = Error;

    fn result(self) -> Result<(), Error> {
        Ok(())
    }
}

impl<E: From<Error>> WatchResult for Result<(), E> {
    type Error = E;

    fn result(self) -> Result<(), E> {
        self
    }
}

/// A finished run.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The run, from which the model can be opened.
    pub run: Run,
    /// The summary of its training.
    pub summary: Summary,
    /// Whether it was stopped before its end. What there is then is the model with the smallest test loss so far; before the first
    /// epoch, the model as it was.
    pub stopped: bool,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is not valid, by itself or for this data.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The device could not be opened or used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Training failed or was interrupted.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The model could not be applied.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The device has too little memory for the model.
    #[error("{error}; {advice}")]
    TooLarge {
        /// What was too large.
        error: DeviceError,
        /// What would fit.
        advice: String,
    },
    /// A run cannot go on as another one.
    #[error("{path} was trained otherwise ({changes}): leave that as it was, or make it another run by a fork")]
    Changed {
        /// The run's folder.
        path: PathBuf,
        /// What differs.
        changes: String,
    },
    /// A fork cannot have other parameters.
    #[error(
        "the model of the fork has other parameters than that of {path} ({reason}): leave its layers, prior and likelihood as they were"
    )]
    OtherParameters {
        /// The folder of the run that is forked.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// A run cannot go on with other data.
    #[error("the data is not what {0} was trained on: give the same data, or make it another run by a fork")]
    OtherData(PathBuf),
}

impl From<GpuError> for Error {
    fn from(error: GpuError) -> Self {
        Error::Device(error.into())
    }
}

/// Trains a model and writes the run's folder: configuration, metrics, weights, pictures and a page. With [`Place::Memory`], the run is
/// in memory alone.
///
/// It prints nothing and installs no signal handler. `watch` receives every [`Event`], and returns nothing, or a result of the caller's
/// own error type: an error ends the run, and is what this function returns. [`RunOptions::stop`] ends the run with the model so far.
pub fn train<W: WatchResult>(
    config: Config,
    data: Dataset,
    options: &RunOptions,
    watch: impl FnMut(Event<'_>) -> W,
) -> Result<Finished, W::Error> {
    watched(watch, |watch| {
        data.check()?;
        config.check_data(&data)?;
        // A wrong device, too, is an error before there is a folder.
        let selected = with_device_events(watch, |watch| options.device.select(watch))?;
        let disk = options.disk.clone();
        let store: Box<dyn Store> = match &options.place {
            Place::Folder(path) => Box::new(RunFolder::claim(path, options.replace, disk)?),
            Place::Named(name) => Box::new(RunFolder::claim_unused(name, disk)?),
            Place::Unused => Box::new(RunFolder::claim_unused(&data.name, disk)?),
            Place::Memory => Box::new(RunInMemory::default()),
        };
        let fingerprint = fingerprint(&data, config.is_conditional());
        training::run(Resume::new(store, config), selected, fingerprint, data, options, watch)
    })
}

/// Runs something that passes events to a watcher, whose own error is returned as it is.
fn watched<W: WatchResult>(
    mut watch: impl FnMut(Event<'_>) -> W,
    run: impl FnOnce(&mut Watch<'_>) -> Result<Finished, Error>,
) -> Result<Finished, W::Error> {
    let mut failed = None;
    let outcome = run(&mut |event| {
        watch(event).result().map_err(|error| {
            failed = Some(error);
            TrainError::Watch
        })
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(outcome?),
    }
}

/// Goes on with a run, on the data it was trained on, to the end of its configuration; a fork may have other data.
///
/// [`RunOptions::place`] and [`RunOptions::replace`] do not matter: the run knows its place.
pub fn resume<W: WatchResult>(
    from: Resume,
    data: Dataset,
    options: &RunOptions,
    watch: impl FnMut(Event<'_>) -> W,
) -> Result<Finished, W::Error> {
    watched(watch, |watch| go_on(from, data, options, watch))
}

fn go_on(mut from: Resume, data: Dataset, options: &RunOptions, watch: &mut Watch<'_>) -> Result<Finished, Error> {
    data.check()?;
    from.config.check_data(&data)?;
    let fingerprint = fingerprint(&data, from.config.is_conditional());
    let is_other = from.good.first().is_some_and(|(_, manifest)| manifest.origin.data != fingerprint);
    if is_other && from.forked.is_none() {
        return Err(Error::OtherData(from.path()));
    }
    from.other_losses |= is_other;
    let mut options = options.clone();
    if let (DeviceChoice::Auto, Some(device)) = (&options.device.device, from.device.as_ref().and_then(Device::again)) {
        options.device.device = device;
    }
    let selected = with_device_events(watch, |watch| options.device.select(watch))?;
    training::run(from, selected, fingerprint, data, &options, watch)
}
