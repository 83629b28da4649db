//! The flags that choose a device and its kernels, and what they come to: an open device with tuned layouts.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::warn_of_cpu;
use crate::apply::{Applied, Run};
use crate::config::{Config, KernelsConfig};
use crate::executor::{self, Device, DeviceChoice, Executor, Selected};
use crate::gpu::{Gpu, GpuOptions, Remembered, adapter_name, tuner};
use crate::kernels::Choices;
use crate::model::Vae;
use crate::plan::Op;

/// Whether to measure which kernels are the fastest here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Tune {
    /// Where nothing is remembered for this adapter and these sizes
    On,
    /// Never: take the layouts that are likely to be good
    Off,
    /// Always, and remember what comes out
    Force,
}

#[derive(Debug, clap::Args)]
pub struct AdapterArgs {
    /// auto, gpu, software, cpu, a number or part of a name from `wgvae devices`
    #[arg(long, default_value = "auto", env = "WGVAE_DEVICE", value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// Compile shaders with bounds checks
    #[arg(long)]
    pub checked: bool,
}

#[derive(Debug, clap::Args)]
pub struct DeviceArgs {
    #[command(flatten)]
    pub adapter: AdapterArgs,
    /// Device memory for the data, in MiB; what does not fit is streamed [default: what the adapter allows]
    #[arg(long, value_name = "MIB", env = "WGVAE_RESIDENT", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub resident: Option<u64>,
    /// Measure which kernels are the fastest on this adapter: at first use, never, or anew
    #[arg(long, default_value = "on", env = "WGVAE_TUNE", value_name = "WHEN")]
    pub tune: Tune,
}

/// A model on a device.
pub struct Opened {
    pub gpu: Option<Arc<Gpu>>,
    pub executor: Executor,
    pub device: Device,
}

impl AdapterArgs {
    /// Finds the device that was asked for.
    pub fn select(&self) -> anyhow::Result<Selected> {
        let selected = executor::select(&self.device)?;
        warn_of_cpu(&selected);
        Ok(selected)
    }

    /// A run's model for so many rows at a time, with the layouts it was trained with.
    pub fn model(&self, run: &Run, rows: usize) -> anyhow::Result<Applied> {
        let plans = Applied::plans(run, rows)?;
        let gpu = executor::open_gpu(&self.select()?, &plans.program, false)?;
        let choices = gpu.as_ref().map_or_else(Choices::default, |gpu| saved_for(gpu, &run.config.kernels));
        let options = GpuOptions { checked: self.checked, choices, ..GpuOptions::default() };
        let (executor, _) = executor::compile(gpu, plans.program.clone(), &options)?;
        Ok(Applied::new(run, plans, executor)?)
    }
}

impl DeviceArgs {
    /// The most bytes of training or test rows that shall lie on the device.
    pub fn resident_bytes(&self, selected: &Selected) -> u64 {
        self.resident.map_or(u64::MAX, |mib| mib << 20).min(executor::largest_binding(selected))
    }

    /// Opens the device, chooses layouts and notes them in the configuration, and compiles the model.
    pub fn open(
        &self,
        selected: &Selected,
        config: &mut Config,
        vae: &Vae,
        timestamps: bool,
    ) -> anyhow::Result<Opened> {
        let gpu = executor::open_gpu(selected, &vae.program, timestamps)?;
        let mut options = GpuOptions { checked: self.adapter.checked, ..GpuOptions::default() };
        if let Some(gpu) = &gpu {
            options.choices = self.choices(gpu, &config.kernels, &vae.program.plans[0].ops)?;
            config.kernels = chosen(gpu, &vae.program.plans[0].ops, &options.choices, &config.kernels);
        }
        let (executor, device) = executor::compile(gpu.clone(), vae.program.clone(), &options)?;
        Ok(Opened { gpu, executor, device })
    }

    /// What the configuration brings along, what is remembered, what is measured now: in this order.
    fn choices(&self, gpu: &Arc<Gpu>, saved: &KernelsConfig, ops: &[Op]) -> anyhow::Result<Choices> {
        let mut choices = if self.tune == Tune::Force { Choices::default() } else { saved_for(gpu, saved) };
        if self.tune == Tune::Off {
            return Ok(choices);
        }
        let mut remembered = Remembered::load(gpu, self.adapter.checked);
        if self.tune == Tune::On {
            choices.fill_from(&remembered);
        }
        let missing: Vec<String> =
            products(ops).map(Choices::key).filter(|product| choices.get(product).is_none()).collect();
        if missing.is_empty() {
            return Ok(choices);
        }
        tune(gpu, ops, &mut choices, self.adapter.checked)?;
        // What a configuration brought along was not measured here.
        for product in missing {
            if let Some(layout) = choices.get(&product) {
                remembered.set(product, layout);
            }
        }
        if let Err(error) = Remembered::save(gpu, self.adapter.checked, &remembered) {
            eprintln!("the tuned kernels could not be remembered ({error}): the next run will tune again");
        }
        Ok(choices)
    }
}

fn products(ops: &[Op]) -> impl Iterator<Item = &Op> {
    ops.iter().filter(|op| op.kernel.gemm().is_some())
}

/// The layouts that a configuration brings along, where they were chosen on this adapter.
pub fn saved_for(gpu: &Gpu, saved: &KernelsConfig) -> Choices {
    let here = adapter_name(&gpu.info);
    if saved.layouts.is_empty() || saved.adapter == here {
        return saved.layouts.clone();
    }
    eprintln!("the configuration's kernels were chosen on {}; choosing others for {here}", saved.adapter);
    Choices::default()
}

/// The layouts that the ops have in the end, measured or likely.
fn chosen(gpu: &Gpu, ops: &[Op], choices: &Choices, saved: &KernelsConfig) -> KernelsConfig {
    let mut layouts = Choices::default();
    for op in products(ops) {
        layouts.set(Choices::key(op), choices.layout(op, gpu.target));
    }
    KernelsConfig { adapter: adapter_name(&gpu.info), layouts, fuse: saved.fuse }
}

/// Tunes, and shows that it does.
fn tune(gpu: &Arc<Gpu>, ops: &[Op], choices: &mut Choices, checked: bool) -> anyhow::Result<()> {
    let started = Instant::now();
    let budget = tuner::budget(gpu.kind).as_secs_f64();
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new(1);
        if let Ok(style) = ProgressStyle::with_template("tuning   {bar:28} {pos}/{len}  {msg}") {
            bar.set_style(style);
        }
        bar
    });
    if bar.is_none() {
        eprintln!("tuning   the step's matrix products for {}: at most {budget:.0} s, once", gpu.info.name);
    }
    let before = choices.len();
    tuner::tune(gpu, ops, choices, checked, &mut |tuning| {
        if let Some(Err(reason)) = tuning.trial.map(|trial| &trial.outcome)
            && let Some(trial) = tuning.trial
        {
            eprintln!("{} of {} is left out: {reason}", trial.layout, trial.product);
        }
        if let Some(bar) = &bar {
            bar.set_length(tuning.total as u64);
            bar.set_position(tuning.done as u64);
            bar.set_message(tuning.product.to_string());
        }
    })?;
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let count = choices.len() - before;
    eprintln!("tuned    {count} products in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}
