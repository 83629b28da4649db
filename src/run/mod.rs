//! Training in one call: from a configuration and data to a finished run with model, pictures and page.

mod evaluated;
mod fit;
mod histogram;
mod page;
mod pictures;
mod resume;
mod samples;
mod tables;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use serde::Serialize;

pub use evaluated::{found, measure};
pub use page::{epochs, facts, model_line, notices, page, pictured, png};
pub use pictures::drawn;
pub use resume::Resume;

use crate::apply::{Mixture, Run, RunError, TrainedModel, mixture};
use crate::config::{Config, ConfigError};
use crate::model::{DataSpec, Vae};
use crate::train::{
    CheckpointInterval, MeasuredChoice, RunDescription, DeviceEvent, DeviceOptions, Ended, Event, FORMAT, Origin, PAGE, Progress,
    RunFolder, RunInMemory, Saving, Start, StepSchedule, Store, Summary, TrainError, Trainer, Watch, fingerprint,
};
use wgvae_data::disk::{Disk, System};
use wgvae_data::{DataError, Dataset, Examples, Rows};
use wgvae_engine::exec::gpu::GpuError;
use wgvae_engine::exec::{Device, DeviceChoice, DeviceError, Selected};
use wgvae_engine::plan::PlanError;

/// Options of a run that are not part of its configuration.
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
    #[error("{path} was trained otherwise ({changes}): leave that as it was, or add --fork DIR to make it another run")]
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
    #[error("the data is not what {0} was trained on: give the same data, or add --fork DIR to make it another run")]
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
        go(Resume::new(store, config), selected, fingerprint, data, options, watch)
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
    go(from, selected, fingerprint, data, &options, watch)
}

fn go(
    from: Resume,
    selected: Selected,
    fingerprint: String,
    data: Dataset,
    options: &RunOptions,
    watch: &mut Watch<'_>,
) -> Result<Finished, Error> {
    let mut config = from.config.clone();
    let holding = |bytes: u64| -> Result<(DataSpec, Vae), Error> {
        let held = from.config.data_spec_within(&data, bytes);
        let (spec, train) = (from.config.vae_spec(&data)?, from.config.train_spec_on(data.shape));
        Ok((held, Vae::new(&spec, &train, held)?))
    };
    // The choice is by a model with few rows, so that it is the same for data of any length.
    let (selected, choice) = with_device_events(watch, |watch| {
        options.device.choose(selected, &config, || holding(1).map(|(_, vae)| vae), watch)
    })?;
    let options = &RunOptions { device: options.device.on(&selected), ..options.clone() };
    let on = &options.device;
    let (held, vae) = holding(on.resident_bytes(&selected))?;
    let opened = with_device_events(watch, |watch| on.open(&selected, &mut config, &vae, false, watch)).map_err(|error| {
        let advice = match &error {
            Error::Device(error) => fit::advice(error, &config, &data),
            _ => None,
        };
        match (error, advice) {
            (Error::Device(error), Some(advice)) => Error::TooLarge { error, advice },
            (error, _) => error,
        }
    });
    let session = opened?;
    let device = session.device();

    let mut states = from.states(&vae.program.params, vae.moments.len())?;
    if let (Some((newest, best)), true) = (&mut states, from.forked.is_some()) {
        newest.progress.begin_fork();
        best.iter_mut().for_each(|best| best.progress.begin_fork());
    }
    let done = states.as_ref().map_or_else(Progress::default, |(state, _)| state.progress.clone());
    let path = from.store.folder();
    let schedule = StepSchedule::new(&config, data.train.rows, data.test.rows).of(&done);
    let start = Start {
        device: &device,
        config: &config,
        data: &data.name,
        shape: data.shape,
        classes: data.classes.len(),
        train_rows: data.train.rows,
        test_rows: data.test.rows,
        streamed: (held != Config::data_spec(&data)).then_some(held.train_rows + held.test_rows),
        parameters: vae.program.params.count(),
        totals: vae.program.at(vae.plans.train).totals(&vae.program.tensors),
        epochs: schedule.epochs(),
        steps: schedule.total(),
        done: done.step,
        folder: path.as_deref(),
    };
    let description = RunDescription {
        record: record(&start, options, choice.as_ref(), session.variants())?,
        configuration: config.clone(),
        config: config.to_toml()?,
        data: json("data.json", &data.description())?,
    };
    let lines = from.lines(done.step, schedule.whole_epochs(&done))?;
    let other_losses = from.other_losses;
    let mut store = from.store;
    store.discard(&from.damaged.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>());
    store.begin(description, lines)?;
    watch(Event::Start(start))?;
    if let Some(before) = from.good.first().map(|(_, manifest)| &manifest.origin.device)
        && *before != device
    {
        watch(Event::Warning(&format!(
            "this run was trained on {} ({}) until now and goes on on {} ({}): its numbers will differ by rounding from those \
             of one device",
            before.name, before.driver, device.name, device.driver
        )))?;
    }

    let saving = Saving {
        origin: Origin {
            wgvae: env!("CARGO_PKG_VERSION").into(),
            format: FORMAT,
            run: store.run().to_string(),
            config: config.clone(),
            data: fingerprint,
            device: device.clone(),
            checked: on.checked,
        },
        every: options.checkpoint_every,
        keep: options.keep,
    };
    let shown = Rows { split: data.test.clone(), classes: data.classes.clone(), notes: Vec::new() };
    let to_fit = mixture::rows_to_fit(&config, &data.train);
    let mut trainer = Trainer::new(&config, data, vae, session)?;
    if let Some((mut state, mut best)) = states {
        trainer.restore(&state)?;
        if other_losses && trainer.forget_best() {
            (state.progress.best, best) = (None, None);
        }
        trainer.save(&mut *store, &saving, &state, best.as_ref())?;
    }
    let place = store.place();
    let Ended { summary, stopped } = trainer.train(&mut *store, &saving, &options.stop, &mut |mut event| {
        if let (Event::Epoch(epoch), Some(place)) = (&mut event, place.as_deref()) {
            match pictures::draw(place, epoch) {
                Ok(pictures) => pictures.iter().try_for_each(|picture| watch(Event::Picture(picture)))?,
                // A picture can be drawn again; training goes on.
                Err(error @ TrainError::Write { .. }) => watch(Event::Warning(&error.to_string()))?,
                Err(error) => return Err(error),
            }
        }
        watch(event)
    })?;
    // Frees the device memory of training before the model is opened again.
    drop(trainer);

    let run = Run::of(store.files())?;
    if stopped && !options.finish_when_stopped {
        return Ok(Finished { run, summary, stopped });
    }
    match finish(&run, &to_fit, &shown, options, &mut *store, watch) {
        Ok(()) => {}
        // So can the page.
        Err(error @ (Error::Run(RunError::Write { .. }) | Error::Train(TrainError::Write { .. }))) => {
            watch(Event::Warning(&error.to_string()))?;
        }
        Err(error) => return Err(error),
    }
    Ok(Finished { run, summary, stopped })
}

/// Fits the mixture that samples come from to codes of training rows, and draws the run's page.
fn finish(
    run: &Run,
    to_fit: &Examples,
    shown: &Rows,
    options: &RunOptions,
    store: &mut dyn Store,
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    let on = &options.device;
    let mut model =
        with_device_events(watch, |watch| TrainedModel::open(run, shown.split.rows.max(to_fit.rows), on, watch))?;
    watch(Event::Fitting(to_fit.rows))?;
    if let Err(error) = Mixture::make(run, &mut model, to_fit, on, &*options.disk) {
        // The model is there all the same, and `sample` tries again.
        watch(Event::Warning(&format!("no mixture to draw samples from was fitted: {error}")))?;
    }
    store.write(PAGE, &page(run, shown, to_fit, &mut model)?)?;
    if let Some(folder) = store.folder() {
        watch(Event::Page(&folder.join(PAGE)))?;
    }
    Ok(())
}

/// Opens a device while passing its events to the watcher; an error of the watcher is returned once the device is open.
fn with_device_events<T, E>(
    watch: &mut Watch<'_>,
    open: impl FnOnce(&mut dyn FnMut(DeviceEvent<'_>)) -> Result<T, E>,
) -> Result<T, Error>
where
    Error: From<E>,
{
    let mut heard = Ok(());
    let opened = open(&mut |event| {
        if heard.is_ok() {
            heard = watch(Event::Device(event));
        }
    })?;
    heard?;
    Ok(opened)
}

/// What a run's `run.json` says beside the run's identity.
fn record(
    start: &Start<'_>,
    options: &RunOptions,
    choice: Option<&MeasuredChoice>,
    kernels: Vec<&str>,
) -> Result<serde_json::Map<String, serde_json::Value>, TrainError> {
    let unwritten = |e: serde_json::Error| TrainError::Write { path: "run.json".into(), reason: e.to_string() };
    let device = serde_json::to_value(start.device).map_err(unwritten)?;
    let choice = serde_json::to_value(choice).map_err(unwritten)?;
    let record = [
        ("date", humantime::format_rfc3339_seconds(SystemTime::now()).to_string().into()),
        ("command", options.command.clone().into()),
        ("device", device),
        ("choice", choice),
        ("seed", start.config.train.seed.into()),
        ("checked", options.device.checked.into()),
        ("parameters", start.parameters.into()),
        ("train_rows", start.train_rows.into()),
        ("test_rows", start.test_rows.into()),
        ("kernels", kernels.into()),
    ];
    Ok(record.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

fn json<T: Serialize>(name: &str, value: &T) -> Result<String, TrainError> {
    serde_json::to_string_pretty(value).map_err(|e| TrainError::Write { path: name.into(), reason: e.to_string() })
}
