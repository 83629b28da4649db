//! The flags that choose a device and its kernels, and the progress shown while the device is opened.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use wgvae::apply::restore::{Damage, Restorer};
use wgvae::apply::{Run, TrainedModel};
use wgvae::config::Config;
use wgvae::model::Vae;
use wgvae::train::{DeviceEvent, DeviceOptions, Speeds, Tune};
use wgvae_data::Examples;
use wgvae_engine::exec::{DeviceChoice, DeviceError, Selected, adapter_hint};
use wgvae_engine::session::Session;

use crate::cli::args::data::one_of;

#[derive(Debug, clap::Args)]
pub struct AdapterArgs {
    /// auto, gpu, cpu, or an adapter's name
    ///
    /// A name is a part of one that `wgvae devices` lists, or its number there. Others are adapter (the best one that runs shaders),
    /// software and oracle.
    #[arg(long, default_value = "auto", env = "WGVAE_DEVICE", value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// Compile shaders with bounds checks
    #[arg(long, hide_short_help = true)]
    pub checked: bool,
}

#[derive(Debug, clap::Args)]
pub struct DeviceArgs {
    #[command(flatten)]
    pub adapter: AdapterArgs,
    /// Device memory for the data, in MiB; what does not fit is streamed [default: what the adapter allows]
    #[arg(long, value_name = "MIB", env = "WGVAE_RESIDENT", value_parser = clap::value_parser!(u64).range(1..=1 << 20), hide_short_help = true)]
    pub resident: Option<u64>,
    /// When to measure which kernels are fastest on this adapter
    #[arg(long, default_value = "on", env = "WGVAE_TUNE", value_name = "WHEN", value_parser = one_of(&Tune::ALL, Tune::described), hide_short_help = true)]
    pub tune: Tune,
}

impl AdapterArgs {
    pub fn options(&self) -> DeviceOptions {
        DeviceOptions { device: self.device.clone(), checked: self.checked, ..DeviceOptions::default() }
    }

    /// Opens a run's model to restore rows, of which `rows` at a time.
    pub fn restorer(
        &self,
        run: &Run,
        rows: usize,
        damage: Damage,
        train: Option<&Examples>,
    ) -> anyhow::Result<Restorer> {
        Ok(Restorer::open(run, rows, damage, train, &self.options(), &mut shown())?)
    }

    /// Opens a run's model to weigh draws of the latent, too.
    pub fn weighing_model(&self, run: &Run, rows: usize) -> anyhow::Result<TrainedModel> {
        Ok(TrainedModel::open_to_weigh(run, rows, &self.options(), &mut shown())?)
    }

    /// Opens a run's model for `rows` rows at a time, with the GEMM variants it was trained with.
    pub fn model(&self, run: &Run, rows: usize) -> anyhow::Result<TrainedModel> {
        Ok(TrainedModel::open(run, rows, &self.options(), &mut shown())?)
    }
}

impl DeviceArgs {
    /// The flags as options of the library.
    pub fn options(&self) -> DeviceOptions {
        let resident = self.resident.map(|mib| mib << 20);
        DeviceOptions { tune: self.tune, resident, ..self.adapter.options() }
    }

    /// Finds the device to train on, as `wgvae train` does.
    pub fn choose(&self, config: &Config, model: impl FnOnce() -> anyhow::Result<Vae>) -> anyhow::Result<Selected> {
        let (options, mut shown) = (self.options(), shown());
        let selected = options.select(&mut shown)?;
        Ok(options.choose(selected, config, model, &mut shown)?.0)
    }

    /// Opens the device, chooses GEMM variants, records them in the configuration, and compiles the model.
    pub fn open(
        &self,
        selected: &Selected,
        config: &mut Config,
        vae: &Vae,
        timestamps: bool,
    ) -> Result<Session, DeviceError> {
        self.options().open(selected, config, vae, timestamps, &mut shown())
    }
}

/// Shows on stderr what happens while a device is opened.
pub fn shown() -> impl FnMut(DeviceEvent<'_>) {
    let mut bar: Option<ProgressBar> = None;
    move |event| match event {
        DeviceEvent::Cpu { for_want_of_adapter: true } => {
            warning!("no GPU adapter was found, so the processor is used: {}", adapter_hint());
        }
        DeviceEvent::Cpu { for_want_of_adapter: false } => {}
        DeviceEvent::OtherAdapter { chosen_on, here } => {
            warning!("the configuration's kernels were chosen on {chosen_on}; choosing others for {here}");
        }
        DeviceEvent::TuningStarts { adapter, budget } => {
            if std::io::stderr().is_terminal() {
                let tuning = ProgressBar::new(1);
                if let Ok(style) = ProgressStyle::with_template("tuning   {bar:28} {pos}/{len}  {msg}") {
                    tuning.set_style(style);
                }
                bar = Some(tuning);
            } else {
                let most = budget.as_secs_f64();
                warning!("tuning   the step's matrix products for {adapter}: at most {most:.0} s, once");
            }
        }
        DeviceEvent::Tuning(tuning) => {
            if let Some(trial) = tuning.trial
                && let Err(reason) = &trial.outcome
            {
                warning!("{} of {} is left out: {reason}", trial.variant, trial.product);
            }
            if let Some(bar) = &bar {
                bar.set_length(tuning.total as u64);
                bar.set_position(tuning.done as u64);
                bar.set_message(tuning.product.to_string());
            }
        }
        DeviceEvent::Tuned { products, took } => {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
            warning!("tuned    {products} products in {:.1} s", took.as_secs_f64());
        }
        DeviceEvent::NotRemembered(error) => {
            warning!("the tuned kernels could not be saved ({error}), so the next run will tune again");
        }
        DeviceEvent::Chosen(choice) => {
            let Speeds { adapter, processor, at_least } = choice.seconds;
            let [there, here] = [adapter, processor].map(step_time);
            let there = if at_least { format!("at least {there}") } else { there };
            match choice.takes_processor() {
                true => warning!(
                    "device   the processor: a step takes {here} there, and {there} on {} (--device software)",
                    choice.adapter
                ),
                false => warning!(
                    "device   {}: a step takes {there} there, and {here} on the processor (--device cpu)",
                    choice.adapter
                ),
            }
        }
        DeviceEvent::NotTimed { adapter, error } => {
            warning!("device   the processor, because no step could be timed on {adapter}: {error}");
        }
    }
}

/// How long a step takes, in words.
fn step_time(seconds: f64) -> String {
    match seconds {
        ..1e-3 => format!("{:.0} us", seconds * 1e6),
        ..0.1 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{:.0} ms", seconds * 1e3),
    }
}
