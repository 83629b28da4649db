//! A custom model on a device, trained step by step.

use wgvae_engine::exec::gpu::GpuOptions;
use wgvae_engine::exec::{Device, Executor, OpenDevice};
use wgvae_engine::graph::Graph;
use wgvae_engine::kernels::optimizer::Rule;
use wgvae_engine::kernels::rng::{Stream, key};
use wgvae_engine::plan::{PlanId, StepScalars};

use super::Error;
use crate::model::{CustomModel, Definition};
use crate::train::{DeviceOptions, initial_weights};

/// A custom graph whose losses Adam minimises, compiled for a device; the seed gives the initial parameters.
pub struct Custom {
    model: CustomModel,
    executor: Executor,
    device: Device,
    seed: u64,
    steps: u64,
}

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;

impl Custom {
    /// Builds the graph and opens the device.
    pub fn open(options: &DeviceOptions, seed: u64, build: impl Fn(&mut Graph) -> Definition) -> Result<Self, Error> {
        let rule = Rule::Adam { beta1: BETA1, beta2: BETA2, epsilon: 1e-8, decoupled: false };
        let model = CustomModel::new(build, Some(rule), true)?;
        let selected = options.select(&mut |_| {})?;
        let open = OpenDevice::for_program(&selected, &model.program, false)?;
        let gpu_options = GpuOptions { checked: options.checked, ..GpuOptions::default() };
        let mut executor = open.compile(model.program.clone(), &gpu_options)?;
        executor.write(model.weights, &initial_weights(&model.program.params, seed))?;
        executor.write(model.clip, &[1.0])?;
        Ok(Self { model, executor, device: open.record(), seed, steps: 0 })
    }

    /// The device it runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Dispatches per step.
    pub fn dispatches(&self) -> usize {
        self.model.program.at(PlanId(0)).ops.len()
    }

    /// Runs one step on a batch, given as the values of the inputs in order; returns the mean of each loss.
    pub fn step(&mut self, inputs: &[&[f32]], lr: f32) -> Result<Vec<f32>, Error> {
        for (tensor, values) in self.model.inputs.iter().zip(inputs) {
            self.model.program.tensors.expect_len(*tensor, values.len())?;
            self.executor.write(*tensor, values)?;
        }
        self.steps += 1;
        let left = |beta: f32| 1.0 - f64::from(beta).powi(self.steps as i32);
        let step = StepScalars {
            noise_key: key(self.seed, Stream::Noise, self.steps),
            beta: 1.0,
            lr,
            correction1: (1.0 / left(BETA1)) as f32,
            correction2: (1.0 / left(BETA2).sqrt()) as f32,
            ..StepScalars::default()
        };
        self.executor.dispatch(PlanId(0), &step)?;
        let mut means = Vec::new();
        for loss in &self.model.losses {
            let rows = self.executor.read(*loss)?;
            means.push(rows.iter().sum::<f32>() / rows.len() as f32);
        }
        Ok(means)
    }

    /// An output of the last step by its index; empty if there is no such output.
    pub fn output(&mut self, number: usize) -> Result<Vec<f32>, Error> {
        match self.model.outputs.get(number) {
            Some(tensor) => Ok(self.executor.read(*tensor)?),
            None => Ok(Vec::new()),
        }
    }
}
