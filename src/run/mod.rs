//! Training in one call: from a configuration and data to a finished run with model, pictures and page.

mod custom;
mod page;
mod pictures;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

pub use custom::Custom;
pub use page::{epochs, facts, model_line, page, png};

use crate::apply::{Applied, Run, RunError};
use crate::config::{Config, ConfigError};
use crate::data::{DataError, Dataset, Rows};
use crate::executor::{Device, DeviceError};
use crate::gpu::GpuError;
use crate::model::{Plan, Vae};
use crate::plan::PlanError;
use crate::train::{
    DeviceEvent, DeviceOptions, Event, Opened, RunFolder, Start, StepSchedule, Summary, TrainError, Trainer, Watch,
};

/// Options of a run that are not part of its configuration.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The device, and how to use it.
    pub device: DeviceOptions,
    /// The run's folder; by default the first of `runs/NAME`, `runs/NAME-2`, ... that does not exist.
    pub folder: Option<PathBuf>,
    /// The run's name, used if no folder is given; by default the name of the data.
    pub name: Option<String>,
    /// Stops the run when set: the model so far is saved, and the run returns [`TrainError::Interrupted`].
    pub stop: Arc<AtomicBool>,
}

impl RunOptions {
    /// The default options with this folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..Self::default() }
    }
}

/// A finished run.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The run, from which the model can be opened.
    pub run: Run,
    /// The summary of its training.
    pub summary: Summary,
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
}

impl From<GpuError> for Error {
    fn from(error: GpuError) -> Self {
        Error::Device(error.into())
    }
}

/// Trains a model and writes the run's folder: configuration, metrics, weights, pictures and a page.
///
/// It prints nothing and installs no signal handler. `watch` receives every [`Event`]; if it returns an error, the run
/// ends. [`RunOptions::stop`] ends the run after saving the model.
pub fn train(
    mut config: Config,
    data: Dataset,
    options: &RunOptions,
    watch: &mut Watch<'_>,
) -> Result<Finished, Error> {
    data.check()?;
    config.check_data(&data)?;
    let on = &options.device;
    let selected = hearing(watch, |watch| on.select(watch))?;
    let held = config.data_spec_within(&data, on.resident_bytes(&selected));
    let vae = Vae::new(&config.vae_spec(data.shape.len()), &config.train_spec_on(data.shape), held)?;
    let opened = hearing(watch, |watch| on.open(&selected, &mut config, &vae, false, watch))?;
    let Opened { executor, device, .. } = opened;

    let path = match &options.folder {
        Some(path) => path.clone(),
        None => RunFolder::unused(options.name.as_ref().unwrap_or(&data.name)),
    };
    let mut folder = RunFolder::create(&path)?;
    let schedule = StepSchedule::new(&config, data.train.rows, data.test.rows);
    let start = Start {
        device: &device,
        config: &config,
        data: &data.name,
        shape: data.shape,
        train_rows: data.train.rows,
        test_rows: data.test.rows,
        streamed: (held != Config::data_spec(&data)).then_some(held.train_rows + held.test_rows),
        parameters: vae.program.params.count(),
        totals: vae.program.at(Plan::Train).totals(&vae.program.tensors),
        epochs: schedule.epochs(),
        steps: schedule.total(),
        folder: &path,
    };
    folder.write("run.json", &record(&start, on.checked, executor.variants())?)?;
    folder.write("config.toml", &config.to_toml()?)?;
    folder.write("data.json", &json("data.json", &data.description())?)?;
    watch(Event::Start(start))?;

    let shown = Rows { split: data.test.clone(), classes: data.classes.clone(), notes: Vec::new() };
    let mut trainer = Trainer::new(&config, data, vae, executor, device)?;
    let images = folder.file("images");
    let summary = trainer.train(&mut folder, &options.stop, &mut |mut event| {
        if let Event::Epoch(epoch) = &mut event {
            for picture in pictures::draw(&images, epoch)? {
                watch(Event::Picture(&picture))?;
            }
        }
        watch(event)
    })?;
    // Frees the device memory of training before the model is opened again.
    drop(trainer);

    let run = Run::open(&path)?;
    let mut model = hearing(watch, |watch| Applied::open(&run, shown.split.rows, on, watch))?;
    folder.write("report.html", &page(&run, &shown, &mut model)?)?;
    watch(Event::Page(&folder.file("report.html")))?;
    Ok(Finished { run, summary })
}

/// Opens a device while passing its events to the watcher; an error of the watcher is returned once the device is open.
fn hearing<T, E>(
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

/// A run's `run.json`.
#[derive(Serialize)]
struct Record<'a> {
    wgvae: &'static str,
    device: &'a Device,
    seed: u64,
    checked: bool,
    parameters: usize,
    train_rows: usize,
    test_rows: usize,
    kernels: Vec<&'a str>,
}

fn record(start: &Start<'_>, checked: bool, kernels: Vec<&str>) -> Result<String, TrainError> {
    let record = Record {
        wgvae: env!("CARGO_PKG_VERSION"),
        device: start.device,
        seed: start.config.train.seed,
        checked,
        parameters: start.parameters,
        train_rows: start.train_rows,
        test_rows: start.test_rows,
        kernels,
    };
    json("run.json", &record)
}

fn json<T: Serialize>(name: &str, value: &T) -> Result<String, TrainError> {
    serde_json::to_string_pretty(value).map_err(|e| TrainError::Write { path: name.into(), reason: e.to_string() })
}
