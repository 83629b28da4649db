//! Which device trains a model where that is left to this program and there is no GPU: the processor or the software adapter,
//! by how long a step of this model takes on both.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use wgvae_engine::exec::cpu::Cpu;
use wgvae_engine::exec::gpu::{AdapterEntry, Gpu, GpuError, GpuExecutor, GpuOptions};
use wgvae_engine::exec::profile::launch_seconds;
use wgvae_engine::exec::{DeviceChoice, DeviceError, OpenDevice, Selected, WhyCpu};
use wgvae_engine::plan::{Op, PlanId, Program, StepPlan, StepScalars};
use wgvae_engine::wgsl::TuningTable;

use super::device::{DeviceEvent, DeviceOptions, FASTER, MeasuredChoice, Tune};
use super::tuning_cache::{Speeds, TuningCache};
use crate::config::Config;
use crate::model::Vae;

/// How many times as fast as it is expected a step on the adapter may turn out to be, when its kernels are tuned.
const MAX_GAINED: f64 = 1.5;
/// How long a step or an op is run for.
const PATIENCE: Duration = Duration::from_millis(40);

impl DeviceOptions {
    /// The device to train on. Where the processor and a software adapter are to choose from, a step of `model` is timed on both,
    /// once; the model's data may be any few rows.
    pub fn choose<E: From<DeviceError>>(
        &self,
        selected: Selected,
        config: &Config,
        model: impl FnOnce() -> Result<Vae, E>,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<(Selected, Option<MeasuredChoice>), E> {
        let entry = match selected {
            Selected::Cpu(WhyCpu::NoGpu(entry)) if self.tune != Tune::Off => entry,
            selected => return Ok((selected, None)),
        };
        let seconds = match self.speeds(&entry, config, &model()?, watch) {
            Ok(seconds) => seconds,
            // An adapter that cannot be timed is not used either.
            Err(error) => {
                watch(DeviceEvent::NotTimed { adapter: &entry.info.name, error: &error });
                return Ok((Selected::Cpu(WhyCpu::NoGpu(entry)), None));
            }
        };
        let choice = MeasuredChoice { adapter: entry.info.name.clone(), seconds };
        watch(DeviceEvent::Chosen(&choice));
        let selected = match choice.takes_processor() {
            true => Selected::Cpu(WhyCpu::NoGpu(entry)),
            false => Selected::Adapter(entry),
        };
        Ok((selected, Some(choice)))
    }

    /// Returns these options with the chosen device, for whatever belongs to a run that trains on it.
    pub fn on(&self, selected: &Selected) -> Self {
        let device = match (&self.device, selected) {
            (DeviceChoice::Auto, Selected::Adapter(entry)) => DeviceChoice::Name(entry.info.name.clone()),
            (device, _) => device.clone(),
        };
        Self { device, ..self.clone() }
    }

    /// How long a step takes on an adapter and on the processor: remembered, or measured now.
    fn speeds(
        &self,
        entry: &AdapterEntry,
        config: &Config,
        model: &Vae,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<Speeds, DeviceError> {
        let ops = &model.program.at(model.plans.train).ops;
        let key = format!("{} {ops:?}", Cpu::available_threads());
        let key = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(key.as_bytes()));
        let remembered = TuningCache::load(&entry.info, self.checked).steps.get(&key).copied();
        if let Some(speeds) = remembered.filter(|_| self.tune != Tune::Force) {
            return Ok(speeds);
        }
        let gpu = Gpu::open(entry, GpuExecutor::needs(&model.program))?;
        let of_step = |device: OpenDevice, tuning: TuningTable| {
            let options = GpuOptions { checked: self.checked, tuning, ..GpuOptions::default() };
            let mut executor = device.compile(model.program.clone(), &options)?;
            executor.step_seconds(model.plans.train, &StepScalars::default(), PATIENCE)
        };
        let processor = of_step(OpenDevice::Cpu, TuningTable::default())?;
        let known = self.known_variants(&gpu, &config.kernels, watch);
        let speeds = match at_least(&gpu, model, &known, self.checked, FASTER * processor)? {
            Some(adapter) => Speeds { adapter, processor, at_least: true },
            None => {
                let tuning = self.tuning(&gpu, &config.kernels, ops, watch)?;
                Speeds { adapter: of_step(OpenDevice::Adapter(gpu), tuning)?, processor, at_least: false }
            }
        };
        let mut remembered = TuningCache::load(&entry.info, self.checked);
        remembered.steps.insert(key, speeds);
        if let Err(error) = remembered.save(&entry.info, self.checked) {
            watch(DeviceEvent::NotRemembered(&error));
        }
        Ok(speeds)
    }
}

/// Returns the least time that a step takes on an adapter, where that is `enough`; none where it may be less. Compiling
/// a whole step takes a software adapter seconds, so the ops with the most arithmetic are timed one by one until the
/// answer is clear. The other ops are taken to run no slower than the best of those, and tuning to gain more than it
/// was seen to.
fn at_least(
    gpu: &Arc<Gpu>,
    model: &Vae,
    tuning: &TuningTable,
    checked: bool,
    enough: f64,
) -> Result<Option<f64>, GpuError> {
    let device = OpenDevice::Adapter(gpu.clone());
    let (program, step) = (&model.program, model.program.at(model.plans.train));
    let launches = launch_seconds(&device, checked, PATIENCE)? * step.ops.len() as f64;
    if launches >= enough {
        return Ok(Some(launches));
    }
    let mut ops: Vec<&Op> = step.ops.iter().collect();
    // Among ops with about as much arithmetic, those that are compiled soonest come first.
    let calls = |op: &Op| op.kernel.gemm().map_or(0, |gemm| gemm.epilogue.calls.len());
    ops.sort_by_key(|op| (Reverse(op.flops.checked_ilog2()), calls(op)));
    let mut left: u64 = ops.iter().map(|op| op.flops).sum();
    let (mut timed, mut rate) = (0.0, 0.0_f64);
    let options = GpuOptions { checked, tuning: tuning.clone(), ..GpuOptions::default() };
    for op in ops {
        let plans = vec![StepPlan { name: op.label.clone(), ops: vec![op.clone()] }];
        let mut executor = device.compile(Program { plans, ..program.clone() }, &options)?;
        let seconds = executor.step_seconds(PlanId(0), &StepScalars::default(), PATIENCE)?;
        timed += seconds;
        left -= op.flops;
        rate = rate.max(op.flops as f64 / seconds);
        let least = launches.max((timed + left as f64 / rate) / MAX_GAINED);
        if least >= enough {
            return Ok(Some(least));
        }
    }
    Ok(None)
}
