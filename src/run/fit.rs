//! What would fit where a model does not.

use crate::config::Config;
use crate::data::{Dataset, Shape};
use crate::executor::DeviceError;
use crate::gpu::{GpuError, GpuExecutor};
use crate::model::Vae;
use crate::plan::Program;

/// What to change so that the model fits, by its own sum of memory; none if memory is not what is missing.
pub(super) fn advice(error: &DeviceError, config: &Config, data: &Dataset) -> Option<String> {
    let whole = total(&program(config, data, config.train.batch)?);
    let fits: Box<dyn Fn(&Program) -> bool> = match error {
        DeviceError::Gpu(GpuError::Limit { offered, unit: "bytes", .. }) => {
            let offered = *offered;
            Box::new(move |program| {
                let needs = GpuExecutor::needs(program);
                needs.binding.max(needs.buffer) <= offered
            })
        }
        // How much there is, a driver does not say: half as much is a try.
        DeviceError::Gpu(GpuError::OutOfMemory(_)) => Box::new(move |program| total(program) <= whole / 2),
        _ => return None,
    };
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let halves = std::iter::successors(Some(config.train.batch / 2), |batch| Some(batch / 2));
    for batch in halves.take_while(|batch| *batch > 0) {
        let smaller = program(config, data, batch)?;
        if fits(&smaller) {
            let (now, then) = (mib(whole), mib(total(&smaller)));
            return Some(format!(
                "this model needs {now} MiB with a batch of {}; --batch {batch} needs {then} MiB and fits",
                config.train.batch
            ));
        }
    }
    let smaller = match data.shape {
        Shape::Image { .. } => "smaller images (--image-size) or narrower layers (--hidden)",
        _ => "narrower layers (--hidden)",
    };
    Some(format!("this model needs {} MiB and fits with no batch: choose {smaller}", mib(whole)))
}

fn program(config: &Config, data: &Dataset, batch: usize) -> Option<Program> {
    let mut config = config.clone();
    config.train.batch = batch;
    // As little of the data as can be on the device: the rest is streamed.
    let held = config.data_spec_within(data, 1);
    let vae = Vae::new(&config.vae_spec(data.shape).ok()?, &config.train_spec_on(data.shape), held).ok()?;
    Some(vae.program)
}

fn total(program: &Program) -> u64 {
    program.tensors.buffers().iter().map(|buffer| 4 * buffer.len as u64).sum()
}
