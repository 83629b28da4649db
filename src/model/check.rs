//! Compares a step of a whole model on a device with its plan before fusing; used by the tests and by `wgvae doctor`.

use std::cmp::Ordering;

use wgvae_engine::conformance::CaseError;
use wgvae_engine::exec::gpu::{GpuError, GpuOptions};
use wgvae_engine::exec::oracle::Oracle;
use wgvae_engine::exec::{Executor, OpenDevice};
use wgvae_engine::kernels::rng::threefry2x32;
use wgvae_engine::plan::{Dtype, Family, Init, Program, StepScalars};

use super::{DataSpec, TrainSpec, Vae, VaeSpec, step};

/// Largest error of a model's gradient relative to its norm: gradients are sums of a few hundred products in f32.
const MODEL_TOLERANCE: f64 = 1e-5;

/// One training step of a model on synthetic data, texts where there is a vocabulary: what it reports, then every gradient.
fn step_of(
    vae: &Vae,
    vocabulary: usize,
    run: impl FnOnce(Program) -> Result<Executor, GpuError>,
) -> Result<Vec<Vec<f32>>, GpuError> {
    let mut program = vae.program.clone();
    for plan in &mut program.plans {
        plan.ops.retain(|op| op.kernel.family() != Family::Optimizer);
    }
    let mut executor = run(program)?;
    let data = vae.program.tensors.get(vae.train_data);
    let draw = |i: usize| threefry2x32([7, 7], [i as u32, 0])[0];
    // Below one half, so that the gradient of an output's bias is no difference of two equal sums.
    let level = |i: usize| (0.5 * draw(i) as f32 / u32::MAX as f32).to_bits();
    let steps = data.shape[1];
    // Texts of all lengths: token 0 ends each, and a number below 0 is none.
    let token = |i: usize| match (i % steps).cmp(&(i / steps * 3 % steps)) {
        Ordering::Less => (1 + draw(i) as usize % (vocabulary - 1)) as f32,
        Ordering::Equal => 0.0,
        Ordering::Greater => -1.0,
    };
    let words: Vec<u32> = match vae.program.tensors.dtype(vae.train_data) {
        Dtype::F32 if vocabulary > 0 => (0..data.len()).map(|i| token(i).to_bits()).collect(),
        Dtype::U32 => (0..data.len()).map(|i| draw(i) & 0x7F7F_7F7F).collect(),
        Dtype::F32 => (0..data.len()).map(level).collect(),
    };
    executor.write_words(vae.train_data, &words)?;
    executor.write(vae.clip, &[1.0])?;
    let mut weights = vec![0.0; vae.program.params.arena_len()];
    for param in vae.program.params.iter() {
        let inputs = match &param.shape[..] {
            [_, inputs @ ..] if !inputs.is_empty() => inputs.iter().product(),
            _ => param.len(),
        };
        // Around 1 for the scale of a norm, around 0 for all else.
        let middle = if let Init::Constant(start) = param.init { start } else { 0.0 };
        for (i, weight) in weights[param.offset..param.offset + param.len()].iter_mut().enumerate() {
            let draw = (draw(param.offset + i) as f32 / u32::MAX as f32 - 0.5) * 2.0;
            *weight = middle + draw / (inputs as f32).sqrt();
        }
    }
    executor.write(vae.weights, &weights)?;
    let rows = vae.program.tensors.get(vae.recon).len() as u32;
    let step =
        StepScalars { noise_key: [3, 4], binarise_key: [5, 6], rows, ..StepScalars::default() }.with(step::BETA, 0.7);
    executor.dispatch(vae.plans.train, &step)?;
    let metrics = match &vae.program.metrics {
        Some(metrics) => executor.read(metrics.ring)?.into_iter().take(metrics.names.len()).collect(),
        None => Vec::new(),
    };
    let gradients = executor.read(vae.gradients)?;
    let mut results = vec![metrics];
    results.extend(vae.program.params.iter().map(|p| gradients[p.offset..p.offset + p.len()].to_vec()));
    Ok(results)
}

/// Runs a step of a model on a device, and compares the loss and the norm of every gradient's error with the plan before
/// fusing, run in f64. Returns the largest error over its tolerance.
pub fn check_model(
    device: &OpenDevice,
    options: &GpuOptions,
    spec: &VaeSpec,
    train: &TrainSpec,
    data: DataSpec,
) -> Result<f64, CaseError> {
    let vae = Vae::new(spec, train, data)?;
    let lowered = Vae::new(spec, &TrainSpec { fuse: false, ..train.clone() }, data)?;
    let vocabulary = spec.vocabulary();
    let expected = step_of(&lowered, vocabulary, |program| Ok(Executor::OracleF64(Box::new(Oracle::new(program)))))?;
    let found = step_of(&vae, vocabulary, |program| device.compile(program, options))?;
    let names = std::iter::once("what is reported".to_string())
        .chain(vae.program.params.iter().map(|p| format!("d_{}", p.name)));
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let mut worst = 0.0_f64;
    for ((found, expected), tensor) in found.iter().zip(&expected).zip(names) {
        let size = norm(&mut expected.iter().map(|v| f64::from(*v)));
        let distance = norm(&mut found.iter().zip(expected).map(|(f, e)| f64::from(*f) - f64::from(*e)));
        let error = if distance == 0.0 { 0.0 } else { distance / size };
        // The check also fails where the error is NaN.
        let within = error <= MODEL_TOLERANCE;
        if !within {
            return Err(CaseError::Model { tensor, error });
        }
        worst = worst.max(error / MODEL_TOLERANCE);
    }
    Ok(worst)
}
