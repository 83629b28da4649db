//! The device of a run: opened, its kernels chosen, a model compiled for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{Config, KernelsConfig};
use crate::executor::{self, Device, DeviceChoice, DeviceError, Executor, Selected};
use crate::gpu::tuner::{self, Tuning};
use crate::gpu::{Gpu, GpuError, GpuOptions, Remembered, adapter_name};
use crate::kernels::Choices;
use crate::model::{Plan, Vae};
use crate::plan::Op;

/// Whether to measure which kernels are the fastest here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Tune {
    /// Where nothing is remembered for this adapter and these sizes
    #[default]
    On,
    /// Never: take the layouts that are likely to be good
    Off,
    /// Always, and remember what comes out
    Force,
}

/// Which device to use, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceOptions {
    /// Which one.
    pub device: DeviceChoice,
    /// Compile shaders with bounds checks.
    pub checked: bool,
    /// Whether to measure which kernels are the fastest.
    pub tune: Tune,
    /// Bytes of device memory for the data; what does not fit is streamed. What the adapter allows where left out.
    pub resident: Option<u64>,
}

/// What is told on the way to an open device.
#[derive(Debug, Clone, Copy)]
pub enum DeviceEvent<'a> {
    /// The CPU is used: it was asked for, or there is no adapter.
    Cpu {
        /// Whether there was no adapter to be had.
        for_want_of_adapter: bool,
    },
    /// The configuration's layouts are left aside: they were chosen on another adapter.
    OtherAdapter {
        /// That adapter.
        chosen_on: &'a str,
        /// The one that is used.
        here: &'a str,
    },
    /// The step's matrix products are about to be timed.
    TuningStarts {
        /// The adapter's name.
        adapter: &'a str,
        /// How long it may take.
        budget: Duration,
    },
    /// A product is being tried, or a layout of it has been.
    Tuning(Tuning<'a>),
    /// So many products have a layout now.
    Tuned {
        /// How many.
        products: usize,
        /// How long it took.
        took: Duration,
    },
    /// The layouts could not be written into the cache folder: the next run will tune again.
    NotRemembered(&'a std::io::Error),
}

/// A model on a device.
pub struct Opened {
    /// The adapter's device; none on the CPU.
    pub gpu: Option<Arc<Gpu>>,
    /// The compiled program.
    pub executor: Executor,
    /// The device, as a run's record shows it.
    pub device: Device,
}

impl DeviceOptions {
    /// Finds the device that was asked for.
    pub fn select(&self, watch: &mut dyn FnMut(DeviceEvent<'_>)) -> Result<Selected, DeviceError> {
        let selected = executor::select(&self.device)?;
        if let Selected::Cpu { for_want_of_adapter } = selected {
            watch(DeviceEvent::Cpu { for_want_of_adapter });
        }
        Ok(selected)
    }

    /// The most bytes of training or test rows that shall lie on the device.
    pub fn resident_bytes(&self, selected: &Selected) -> u64 {
        self.resident.unwrap_or(u64::MAX).min(executor::largest_binding(selected))
    }

    /// Opens the device for training, chooses layouts and notes them in the configuration, and compiles the model.
    pub fn open(
        &self,
        selected: &Selected,
        config: &mut Config,
        vae: &Vae,
        timestamps: bool,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<Opened, DeviceError> {
        let gpu = executor::open_gpu(selected, &vae.program, timestamps)?;
        let mut choices = Choices::default();
        if let Some(gpu) = &gpu {
            let ops = &vae.program.at(Plan::Train).ops;
            choices = self.choices(gpu, &config.kernels, ops, watch)?;
            config.kernels = chosen(gpu, ops, &choices, &config.kernels);
        }
        self.compile(gpu, vae, choices)
    }

    /// Opens the device for a trained model: nothing is measured, it has the layouts it was trained with.
    pub fn open_trained(
        &self,
        config: &Config,
        vae: &Vae,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<Opened, DeviceError> {
        let gpu = executor::open_gpu(&self.select(watch)?, &vae.program, false)?;
        let choices = gpu.as_ref().map_or_else(Choices::default, |gpu| saved_for(gpu, &config.kernels, watch));
        self.compile(gpu, vae, choices)
    }

    fn compile(&self, gpu: Option<Arc<Gpu>>, vae: &Vae, choices: Choices) -> Result<Opened, DeviceError> {
        let options = GpuOptions { checked: self.checked, choices, ..GpuOptions::default() };
        let (executor, device) = executor::compile(gpu.clone(), vae.program.clone(), &options)?;
        Ok(Opened { gpu, executor, device })
    }

    /// What the configuration brings along, what is remembered, what is measured now: in this order.
    fn choices(
        &self,
        gpu: &Arc<Gpu>,
        saved: &KernelsConfig,
        ops: &[Op],
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<Choices, GpuError> {
        let mut choices = if self.tune == Tune::Force { Choices::default() } else { saved_for(gpu, saved, watch) };
        if self.tune == Tune::Off {
            return Ok(choices);
        }
        let mut remembered = Remembered::load(gpu, self.checked);
        if self.tune == Tune::On {
            choices.fill_from(&remembered);
        }
        let missing: Vec<String> =
            products(ops).map(Choices::key).filter(|product| choices.get(product).is_none()).collect();
        if missing.is_empty() {
            return Ok(choices);
        }
        let (started, before) = (Instant::now(), choices.len());
        watch(DeviceEvent::TuningStarts { adapter: &gpu.info.name, budget: tuner::budget(gpu.kind) });
        tuner::tune(gpu, ops, &mut choices, self.checked, &mut |tuning| watch(DeviceEvent::Tuning(tuning)))?;
        watch(DeviceEvent::Tuned { products: choices.len() - before, took: started.elapsed() });
        // What a configuration brought along was not measured here.
        for product in missing {
            if let Some(layout) = choices.get(&product) {
                remembered.set(product, layout);
            }
        }
        if let Err(error) = Remembered::save(gpu, self.checked, &remembered) {
            watch(DeviceEvent::NotRemembered(&error));
        }
        Ok(choices)
    }
}

fn products(ops: &[Op]) -> impl Iterator<Item = &Op> {
    ops.iter().filter(|op| op.kernel.gemm().is_some())
}

/// The layouts that a configuration brings along, where they were chosen on this adapter.
pub fn saved_for(gpu: &Gpu, saved: &KernelsConfig, watch: &mut dyn FnMut(DeviceEvent<'_>)) -> Choices {
    let here = adapter_name(&gpu.info);
    if saved.layouts.is_empty() || saved.adapter == here {
        return saved.layouts.clone();
    }
    watch(DeviceEvent::OtherAdapter { chosen_on: &saved.adapter, here: &here });
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
