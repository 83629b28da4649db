//! A run from its device to its page, step by step.

use std::time::SystemTime;

use serde::Serialize;
use wgvae_data::{Dataset, Examples, Rows};
use wgvae_engine::exec::{Device, Selected};
use wgvae_engine::session::Session;

use super::page::page;
use super::resume::Resume;
use super::{Error, Finished, RunOptions, fit, pictures};
use crate::apply::{Mixture, Run, RunError, TrainedModel, mixture};
use crate::config::Config;
use crate::model::{DataSpec, TrainSpec, Vae};
use crate::train::{
    DeviceEvent, DeviceOptions, Ended, Event, FORMAT, MeasuredChoice, Origin, PAGE, Progress, RunDescription, Saving,
    Start, State, StepSchedule, Store, TrainError, Trainer, Watch, buckets,
};

/// Trains the model of a run to its end, on data whose fingerprint is given, then fits the mixture and draws the page.
pub(super) fn run(
    from: Resume,
    selected: Selected,
    fingerprint: String,
    data: Dataset,
    options: &RunOptions,
    watch: &mut Watch<'_>,
) -> Result<Finished, Error> {
    let ready = Ready::open(&from, selected, &data, &options.device, watch)?;
    let options = &RunOptions { device: ready.on.clone(), ..options.clone() };
    let states = states(&from, &ready.vae)?;
    let done = states.as_ref().map_or_else(Progress::default, |(state, _)| state.progress.clone());
    let other_losses = from.other_losses;
    let mut store = begin(from, &ready, &data, &done, options, watch)?;
    let saving = saving(&*store, &ready, fingerprint, options);
    let shown = Rows { split: data.test.clone(), classes: data.classes.clone(), notes: Vec::new() };
    let to_fit = mixture::rows_to_fit(&ready.config, &data.train);

    let Ready { config, vae, session, .. } = ready;
    let mut trainer = Trainer::new(&config, data, vae, session)?;
    if let Some(states) = states {
        restore(&mut trainer, states, other_losses, &mut *store, &saving)?;
    }
    let Ended { summary, stopped } = train(trainer, &mut *store, &saving, options, watch)?;
    let run = Run::of(store.files())?;
    if !stopped || options.finish_when_stopped {
        finish_or_warn(&run, &to_fit, &shown, options, &mut *store, watch)?;
    }
    Ok(Finished { run, summary, stopped })
}

/// A model on its device, before its first step.
struct Ready {
    /// The configuration, with the kernels that were chosen.
    config: Config,
    /// The rows that the device holds at a time.
    held: DataSpec,
    vae: Vae,
    session: Session,
    device: Device,
    /// What the device was chosen by, where there was a choice.
    choice: Option<MeasuredChoice>,
    /// The options for this device.
    on: DeviceOptions,
}

impl Ready {
    fn open(
        from: &Resume,
        selected: Selected,
        data: &Dataset,
        options: &DeviceOptions,
        watch: &mut Watch<'_>,
    ) -> Result<Self, Error> {
        let mut config = from.config.clone();
        let holding = |bytes: u64| -> Result<(DataSpec, Vae), Error> {
            let held = from.config.data_spec_within(data, bytes);
            let spec = from.config.vae_spec(data)?;
            let buckets = buckets(&from.config, &spec, &data.train);
            let train = TrainSpec { buckets, ..from.config.train_spec_on(data.shape) };
            Ok((held, Vae::new(&spec, &train, held)?))
        };
        // The choice is by a model with few rows, so that it is the same for data of any length.
        let (selected, choice) = with_device_events(watch, |watch| {
            options.choose(selected, &config, || holding(1).map(|(_, vae)| vae), watch)
        })?;
        let on = options.on(&selected);
        let (held, vae) = holding(on.resident_bytes(&selected))?;
        let opened = with_device_events(watch, |watch| on.open(&selected, &mut config, &vae, false, watch));
        let session = opened.map_err(|error| with_advice(error, &config, data))?;
        let device = session.device();
        Ok(Self { config, held, vae, session, device, choice, on })
    }
}

/// An error of opening a device, with the batch or model that would fit where there is too little memory.
fn with_advice(error: Error, config: &Config, data: &Dataset) -> Error {
    let advice = match &error {
        Error::Device(error) => fit::advice(error, config, data),
        _ => None,
    };
    match (error, advice) {
        (Error::Device(error), Some(advice)) => Error::TooLarge { error, advice },
        (error, _) => error,
    }
}

/// The newest state that a run goes on from, and the best one; none for a new run.
fn states(from: &Resume, vae: &Vae) -> Result<Option<(State, Option<State>)>, Error> {
    let mut states = from.states(&vae.program.params, vae.moments.len())?;
    if let (Some((newest, best)), true) = (&mut states, from.forked.is_some()) {
        newest.progress.begin_fork();
        best.iter_mut().for_each(|best| best.progress.begin_fork());
    }
    Ok(states)
}

/// Begins the run where it is kept, with its record, its configuration and the measurements so far, and says so.
fn begin(
    from: Resume,
    ready: &Ready,
    data: &Dataset,
    done: &Progress,
    options: &RunOptions,
    watch: &mut Watch<'_>,
) -> Result<Box<dyn Store>, Error> {
    let Ready { config, held, vae, session, device, choice, .. } = ready;
    let path = from.store.folder();
    let schedule = StepSchedule::new(config, data.train.rows, data.test.rows).of(done);
    let start = Start {
        device,
        config,
        data: &data.name,
        shape: data.shape,
        classes: data.classes.len(),
        train_rows: data.train.rows,
        test_rows: data.test.rows,
        streamed: (*held != Config::data_spec(data)).then_some(held.train_rows + held.test_rows),
        buckets: &vae.buckets,
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
        forked: from.fork_of(),
    };
    let lines = from.lines(done.step, schedule.whole_epochs(done))?;
    let mut store = from.store;
    store.discard(&from.damaged.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>());
    store.begin(description, lines)?;
    watch(Event::Start(start))?;
    if let Some(before) = from.good.first().map(|(_, manifest)| &manifest.origin.device)
        && before != device
    {
        watch(Event::Warning(&format!(
            "this run was trained on {} ({}) until now and goes on on {} ({}): its numbers will differ by rounding from those \
             of one device",
            before.name, before.driver, device.name, device.driver
        )))?;
    }
    Ok(store)
}

/// When checkpoints are written, and what each says of where it comes from.
fn saving(store: &dyn Store, ready: &Ready, fingerprint: String, options: &RunOptions) -> Saving {
    Saving {
        origin: Origin {
            wgvae: env!("CARGO_PKG_VERSION").into(),
            format: FORMAT,
            run: store.run().to_string(),
            config: ready.config.clone(),
            data: fingerprint,
            device: ready.device.clone(),
            checked: options.device.checked,
        },
        every: options.checkpoint_every,
        keep: options.keep,
    }
}

/// Goes back to the newest state, and saves it, with the best one, as the run's first checkpoint from here on.
fn restore(
    trainer: &mut Trainer,
    (mut newest, mut best): (State, Option<State>),
    other_losses: bool,
    store: &mut dyn Store,
    saving: &Saving,
) -> Result<(), Error> {
    trainer.restore(&newest)?;
    if other_losses && trainer.forget_best() {
        (newest.progress.best, best) = (None, None);
    }
    Ok(trainer.save(store, saving, &newest, best.as_ref())?)
}

/// Trains to the end, and draws pictures after epochs. The device memory of training is free afterwards.
fn train(
    mut trainer: Trainer,
    store: &mut dyn Store,
    saving: &Saving,
    options: &RunOptions,
    watch: &mut Watch<'_>,
) -> Result<Ended, TrainError> {
    let place = store.place();
    trainer.train(store, saving, &options.stop, &mut |mut event| {
        if let (Event::Epoch(epoch), Some(place)) = (&mut event, place.as_deref()) {
            match pictures::draw(place, epoch) {
                Ok(pictures) => pictures.iter().try_for_each(|picture| watch(Event::Picture(picture)))?,
                // A picture can be drawn again; training goes on.
                Err(error @ TrainError::Write { .. }) => watch(Event::Warning(&error.to_string()))?,
                Err(error) => return Err(error),
            }
        }
        watch(event)
    })
}

/// Finishes a run; a page that cannot be written can be made again, so that this is a warning.
fn finish_or_warn(
    run: &Run,
    to_fit: &Examples,
    shown: &Rows,
    options: &RunOptions,
    store: &mut dyn Store,
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    match finish(run, to_fit, shown, options, store, watch) {
        Err(error @ (Error::Run(RunError::Write { .. }) | Error::Train(TrainError::Write { .. }))) => {
            Ok(watch(Event::Warning(&error.to_string()))?)
        }
        finished => finished,
    }
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
pub(super) fn with_device_events<T, E>(
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
