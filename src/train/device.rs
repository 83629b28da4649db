//! The device of a run: opened, its kernels chosen, a model compiled for it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use wgvae_data::described;
use wgvae_engine::exec::gpu::tuner::{self, Tuning};
use wgvae_engine::exec::gpu::{Gpu, GpuError, GpuOptions, adapter_name};
use wgvae_engine::exec::{self, DeviceChoice, DeviceError, OpenDevice, Selected, WhyCpu};
use wgvae_engine::plan::{Op, Program};
use wgvae_engine::platform::Instant;
use wgvae_engine::session::{Session, SessionError, SessionSpec};
use wgvae_engine::wgsl::TuningTable;

use super::tuning_cache::{Speeds, TuningCache};
use crate::config::{Config, KernelsConfig};
use crate::model::{ApplyingPlans, Vae};

described! {
    /// When to measure which kernels are fastest on the adapter.
    #[derive(Default)]
    pub enum Tune {
        #[default]
        On = "on": "At first use on this adapter with these sizes",
        Off = "off": "Never: use variants that are expected to be good",
        Force = "force": "Always, and save the result",
    }
}

/// The choice of a device, and how to use it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceOptions {
    /// The device.
    pub device: DeviceChoice,
    /// Compile shaders with bounds checks.
    pub checked: bool,
    /// When to measure which kernels are fastest.
    pub tune: Tune,
    /// Bytes of device memory for the data; what does not fit is streamed. As much as the adapter allows if left out.
    pub resident: Option<u64>,
}

/// How many times as fast as the software adapter the processor must be to be taken.
pub(super) const FASTER: f64 = 1.2;

/// The measurements that decide between the processor and a software adapter, as saved in `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeasuredChoice {
    /// The adapter's name.
    pub adapter: String,
    /// How long a step takes on both.
    pub seconds: Speeds,
}

impl MeasuredChoice {
    /// Whether the processor is the faster one.
    pub fn takes_processor(&self) -> bool {
        self.seconds.processor * FASTER <= self.seconds.adapter
    }
}

/// Events while a device is opened.
#[derive(Debug, Clone, Copy)]
pub enum DeviceEvent<'a> {
    /// The processor is used: it was asked for, or there is no adapter.
    Cpu {
        /// Whether it is used because there is no adapter.
        for_want_of_adapter: bool,
    },
    /// The configuration's variants are ignored, because they were chosen on another adapter.
    OtherAdapter {
        /// The adapter they were chosen on.
        chosen_on: &'a str,
        /// The adapter in use.
        here: &'a str,
    },
    /// The step's matrix products are about to be timed.
    TuningStarts {
        /// The adapter's name.
        adapter: &'a str,
        /// How long it may take.
        budget: Duration,
    },
    /// A product is being tried, or a variant of it has been.
    Tuning(Tuning<'a>),
    /// Tuning is finished.
    Tuned {
        /// How many products were tuned.
        products: usize,
        /// How long it took.
        took: Duration,
    },
    /// The measurements could not be saved in the cache folder, so the next run will measure again.
    NotRemembered(&'a std::io::Error),
    /// The machine has no GPU, and the processor or the software adapter was chosen.
    Chosen(&'a MeasuredChoice),
    /// The machine has no GPU, and its software adapter could not be timed, so the processor is used.
    NotTimed {
        /// The adapter's name.
        adapter: &'a str,
        /// Why.
        error: &'a DeviceError,
    },
}

impl DeviceOptions {
    /// Finds the requested device.
    pub fn select(&self, watch: &mut dyn FnMut(DeviceEvent<'_>)) -> Result<Selected, DeviceError> {
        let selected = exec::select(&self.device)?;
        match &selected {
            Selected::Cpu(WhyCpu::Asked) => watch(DeviceEvent::Cpu { for_want_of_adapter: false }),
            Selected::Cpu(WhyCpu::NoAdapter) => watch(DeviceEvent::Cpu { for_want_of_adapter: true }),
            Selected::Cpu(WhyCpu::NoGpu(_)) | Selected::Adapter(_) | Selected::Oracle => {}
        }
        Ok(selected)
    }

    /// The most bytes of training or test rows to keep on the device.
    pub fn resident_bytes(&self, selected: &Selected) -> u64 {
        self.resident.unwrap_or(u64::MAX).min(exec::largest_binding(selected))
    }

    /// Opens the device for training, chooses GEMM variants, records them in the configuration, and compiles the model.
    pub fn open(
        &self,
        selected: &Selected,
        config: &mut Config,
        vae: &Vae,
        timestamps: bool,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<Session, DeviceError> {
        let device = OpenDevice::for_program(selected, &vae.program, timestamps)?;
        let mut tuning = TuningTable::default();
        if let Some(gpu) = device.gpu() {
            let ops = &vae.program.at(vae.plans.train).ops;
            tuning = self.tuning(gpu, &config.kernels, ops, watch)?;
            config.kernels = chosen(gpu, ops, &tuning, &config.kernels);
        }
        self.compile(&device, &vae.program, tuning)
    }

    /// Opens the device for a trained model with the variants it was trained with; nothing is measured.
    pub fn open_trained(
        &self,
        config: &Config,
        vae: &Vae<ApplyingPlans>,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<Session, DeviceError> {
        let selected = self.select(watch)?;
        let device = OpenDevice::for_program(&selected, &vae.program, false)?;
        let tuning = device.gpu().map_or_else(TuningTable::default, |gpu| saved_for(gpu, &config.kernels, watch));
        self.compile(&device, &vae.program, tuning)
    }

    fn compile(&self, device: &OpenDevice, program: &Program, tuning: TuningTable) -> Result<Session, DeviceError> {
        let options = GpuOptions { checked: self.checked, tuning, ..GpuOptions::default() };
        Ok(Session::of_program(program.clone(), device, &options)?)
    }

    /// Opens the device for a model of one's own; nothing is measured.
    pub fn session(&self, spec: &SessionSpec, seed: u64) -> Result<Session, SessionError> {
        let planned = spec.plan()?;
        let device = OpenDevice::for_program(&self.select(&mut |_| {})?, planned.program(), false)?;
        let options = GpuOptions { checked: self.checked, ..GpuOptions::default() };
        Session::of_planned(planned, &device, &options, seed)
    }

    /// The variants that nothing has to be measured for: the configuration's where they were chosen on this adapter, then
    /// those of the cache.
    pub fn known_variants(
        &self,
        gpu: &Gpu,
        saved: &KernelsConfig,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> TuningTable {
        let mut tuning = saved_for(gpu, saved, watch);
        if self.tune != Tune::Off {
            tuning.fill_from(&TuningCache::load(&gpu.info, self.checked).table);
        }
        tuning
    }

    /// Takes each variant from the configuration, else from the cache, else from measuring now.
    pub(super) fn tuning(
        &self,
        gpu: &Arc<Gpu>,
        saved: &KernelsConfig,
        ops: &[Op],
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<TuningTable, GpuError> {
        let force = self.tune == Tune::Force;
        let mut tuning = if force { TuningTable::default() } else { self.known_variants(gpu, saved, watch) };
        if self.tune == Tune::Off {
            return Ok(tuning);
        }
        let missing: Vec<String> =
            products(ops).map(TuningTable::key).filter(|product| tuning.get(product).is_none()).collect();
        if missing.is_empty() {
            return Ok(tuning);
        }
        let (started, before) = (Instant::now(), tuning.len());
        watch(DeviceEvent::TuningStarts { adapter: &gpu.info.name, budget: tuner::budget(gpu.kind) });
        tuner::tune(gpu, ops, &mut tuning, self.checked, &mut |tuning| watch(DeviceEvent::Tuning(tuning)))?;
        watch(DeviceEvent::Tuned { products: tuning.len() - before, took: started.elapsed() });
        // Variants from the configuration were not measured here, so they are not cached.
        let mut remembered = TuningCache::load(&gpu.info, self.checked);
        for product in missing {
            if let Some(variant) = tuning.get(&product) {
                remembered.table.set(product, variant);
            }
        }
        if let Err(error) = remembered.save(&gpu.info, self.checked) {
            watch(DeviceEvent::NotRemembered(&error));
        }
        Ok(tuning)
    }
}

fn products(ops: &[Op]) -> impl Iterator<Item = &Op> {
    ops.iter().filter(|op| op.kernel.gemm().is_some())
}

/// The configuration's variants, if they were chosen on this adapter.
fn saved_for(gpu: &Gpu, saved: &KernelsConfig, watch: &mut dyn FnMut(DeviceEvent<'_>)) -> TuningTable {
    let here = adapter_name(&gpu.info);
    if saved.variants.is_empty() || saved.adapter == here {
        return saved.variants.clone();
    }
    watch(DeviceEvent::OtherAdapter { chosen_on: &saved.adapter, here: &here });
    TuningTable::default()
}

/// The variants of all ops, measured or default.
fn chosen(gpu: &Gpu, ops: &[Op], tuning: &TuningTable, saved: &KernelsConfig) -> KernelsConfig {
    let mut variants = TuningTable::default();
    for op in products(ops) {
        variants.set(TuningTable::key(op), tuning.variant(op, gpu.capabilities()));
    }
    KernelsConfig { adapter: adapter_name(&gpu.info), variants, fuse: saved.fuse }
}
