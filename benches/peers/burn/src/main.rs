//! The training step of one of wgvae's presets in Burn: milliseconds per step, as one line of JSON.

mod conv;
mod dense;

use std::process::ExitCode;
use std::time::Instant;

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::relu;
use burn::tensor::{Device, DeviceKind, Distribution, Tensor};

const USAGE: &str = "usage: burn-step [--model dense|conv] [--backend wgpu|flex|ndarray] [--batch N]";

/// The version pinned in Cargo.toml.
const BURN_VERSION: &str = "0.22.1";

const PIXELS: usize = 784;
const LEARNING_RATE: f64 = 1e-3;
/// Share of pixels that are 1, about that of MNIST.
const PIXELS_ON: f64 = 0.13;

const ROUNDS: usize = 5;

/// A VAE that can be trained.
trait Model: Module + Sized {
    /// Steps between two looks at the clock.
    const STEPS_PER_ROUND: usize;

    fn new(device: &Device) -> Self;

    /// The negative ELBO, averaged over the batch.
    fn loss(&self, x: Tensor<2>) -> Tensor<1>;
}

fn reparameterise(mu: &Tensor<2>, logvar: &Tensor<2>) -> Tensor<2> {
    let noise = mu.random_like(Distribution::Normal(0.0, 1.0));
    mu.clone() + (logvar.clone() * 0.5).exp() * noise
}

fn negative_elbo(x: Tensor<2>, logits: Tensor<2>, mu: Tensor<2>, logvar: Tensor<2>) -> Tensor<1> {
    let examples = x.dims()[0] as f64;
    // The stable form of cross-entropy, with one exponential and one logarithm per pixel.
    let reconstruction = (relu(logits.clone()) - logits.clone() * x + (-logits.abs()).exp().log1p()).sum();
    let kl = (logvar.clone().exp() + mu.powi_scalar(2) - 1.0 - logvar).sum() * 0.5;
    (reconstruction + kl) / examples
}

/// A model in training, with the time and loss of its last round.
struct Trained<M> {
    vae: M,
    seconds: f64,
    loss: f32,
}

/// Runs one step per batch. Takes ownership of the model, because another copy would prevent updates in place.
fn run_round<M: Model>(mut vae: M, adam: &mut ModuleOptimizer, batches: &[Tensor<2>], device: &Device) -> Trained<M> {
    let started = Instant::now();
    let mut last_loss = None;
    for x in batches {
        let loss = vae.loss(x.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &vae);
        vae = adam.step(LEARNING_RATE, vae, gradients);
        last_loss = Some(loss);
    }
    device.sync().expect("the device runs the steps");
    let seconds = started.elapsed().as_secs_f64();
    Trained { vae, seconds, loss: last_loss.expect("a round has steps").into_scalar() }
}

/// Times a model's steps and prints them; an error where it does not train.
fn time<M: Model>(Arguments { backend, batch, device, .. }: &Arguments) -> Result<(), String> {
    let peer = format!("Burn {BURN_VERSION} {backend}");
    let device_name = device.identity().map_or("cpu".to_owned(), |identity| identity.name);
    let device = device.clone().autodiff();
    device.seed(0);
    let batches: Vec<Tensor<2>> = (0..M::STEPS_PER_ROUND)
        .map(|_| Tensor::random([*batch, PIXELS], Distribution::Bernoulli(PIXELS_ON), &device))
        .collect();
    // Burn's default epsilon is 1e-5.
    let mut adam = AdamConfig::new().with_epsilon(1e-8).init();

    let mut trained = run_round(M::new(&device), &mut adam, &batches, &device);
    eprintln!("{peer}: warm-up of {} steps, with tuning: {:.1} s", M::STEPS_PER_ROUND, trained.seconds);
    let first_loss = trained.loss;
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        trained = run_round(trained.vae, &mut adam, &batches, &device);
        best = best.min(trained.seconds);
    }
    let loss = trained.loss;
    // The time of a step that does not train would be meaningless.
    if !loss.is_finite() || loss >= first_loss {
        return Err(format!("{peer} does not train: its loss went from {first_loss} to {loss}"));
    }
    let ms_per_step = 1e3 * best / M::STEPS_PER_ROUND as f64;
    print!(r#"{{"peer": "{peer}", "device": {device_name:?}, "batch": {batch}, "#);
    println!(r#""ms_per_step": {ms_per_step:.4}, "loss": {loss}}}"#);
    Ok(())
}

struct Arguments {
    model: String,
    backend: String,
    batch: usize,
    device: Device,
}

fn arguments() -> Option<Arguments> {
    let (mut model, mut backend, mut batch) = ("dense".to_owned(), "wgpu".to_owned(), 128);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--model" => model = words.next()?,
            "--backend" => backend = words.next()?,
            "--batch" => batch = words.next()?.parse().ok().filter(|&batch| batch > 0)?,
            _ => return None,
        }
    }
    let device = match backend.as_str() {
        "wgpu" => Device::wgpu(DeviceKind::DefaultDevice),
        "flex" => Device::flex(),
        #[expect(deprecated, reason = "flex replaces it, but it is the one that Burn's users know")]
        "ndarray" => Device::ndarray(),
        _ => return None,
    };
    Some(Arguments { model, backend, batch, device })
}

fn main() -> ExitCode {
    let timed = arguments().and_then(|given| match given.model.as_str() {
        "dense" => Some(time::<dense::Dense>(&given)),
        "conv" => Some(time::<conv::Conv>(&given)),
        _ => None,
    });
    match timed {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
