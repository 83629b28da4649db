//! What would fit where a model does not.

use wgvae_data::{Dataset, ImageSize, Shape};
use wgvae_engine::exec::DeviceError;
use wgvae_engine::exec::gpu::{GpuError, GpuExecutor};
use wgvae_engine::plan::Program;

use crate::config::{Config, RowSpec};
use crate::model::Vae;

/// What to change so that the model fits, by its own sum of memory; none if memory is not what is missing.
pub(super) fn advice(error: &DeviceError, config: &Config, data: &Dataset) -> Option<String> {
    let whole = total(&program(config, data.shape, data, config.train.batch)?);
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
    let halves = |from: usize| std::iter::successors(Some(from / 2), |n| Some(n / 2)).take_while(|n| *n > 0);
    let all: Vec<usize> = std::iter::once(config.train.batch).chain(halves(config.train.batch)).collect();
    // The largest batch that fits.
    let fitting = |shape: Shape| {
        let fitted =
            |batch: &usize| program(config, shape, data, *batch).filter(|p| fits(p)).map(|p| (*batch, total(&p)));
        all.iter().find_map(fitted)
    };
    let now = format!("this model needs {} MiB with a batch of {}", mib(whole), config.train.batch);
    if let Some((batch, needs)) = fitting(data.shape) {
        return Some(format!("{now}; `train.batch = {batch}` needs {} MiB and fits", mib(needs)));
    }
    if let Shape::Image { height, width, channels } = data.shape {
        for factor in [2, 4, 8, 16, 32, 64] {
            let size = ImageSize { height: height / factor, width: width / factor };
            if size.height == 0 || size.width == 0 {
                break;
            }
            let smaller = Shape::Image { height: size.height, width: size.width, channels };
            if let Some((batch, needs)) = fitting(smaller) {
                let batch =
                    if batch == config.train.batch { String::new() } else { format!(" with `train.batch = {batch}`") };
                return Some(format!(
                    "{now}, and fits with no batch; `data.image_size = \"{size}\"`{batch} needs {} MiB and fits",
                    mib(needs)
                ));
            }
        }
    }
    Some(format!("{now}, and fits with no batch: choose narrower layers (`model.hidden`, `model.encoder`)"))
}

/// The model's program for rows of this shape.
fn program(config: &Config, shape: Shape, data: &Dataset, batch: usize) -> Option<Program> {
    let mut config = config.clone();
    config.train.batch = batch;
    // As little of the data as can be on the device: the rest is streamed.
    let held = config.data_spec_within(data, 1);
    let vae = Vae::new(
        &config
            .vae_spec(RowSpec {
                extent: shape.into(),
                classes: data.classes.len(),
                table: None,
                missing: data.has_missing(),
                rows: data.train.rows,
            })
            .ok()?,
        &config.train_spec_on(shape),
        held,
    )
    .ok()?;
    Some(vae.program)
}

fn total(program: &Program) -> u64 {
    program.tensors.buffers().iter().map(|buffer| 4 * buffer.len as u64).sum()
}
