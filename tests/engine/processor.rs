//! The executor on the processor: the same bytes with any number of threads, and next to the same losses as an adapter.

use wgvae::config::Config;
use wgvae::data::Dataset;
use wgvae::model::Vae;
use wgvae::train::Trainer;
use wgvae_engine::exec::cpu::Cpu;
use wgvae_engine::exec::gpu::GpuOptions;
use wgvae_engine::exec::{Executor, OpenDevice};
use wgvae_engine::plan::{MetricRows, PlanId, Program};
use wgvae_engine::session::Session;

use crate::common;

/// Models with every family in them that divides its work among threads, and enough work for four.
const MODELS: &[(&str, &str, &str)] = &[
    (
        "dense",
        "strokes:count=700",
        "[model]\nhidden = [203, 131]\nlatent = 21\nactivation = \"gelu\"\n[train]\nbatch = 99",
    ),
    (
        "clipped, binarised, learned sigma",
        "strokes:count=700",
        "[model]\nhidden = [303]\nlikelihood = \"gaussian-learned\"\n[data]\nbinarise = \"draw\"\n\
         [train]\nbatch = 130\nclip = 0.5",
    ),
    (
        "convolutions",
        "sprites:count=300",
        "[model]\nencoder = [\"conv 17 k3 s2 norm1\", \"res 17\", \"pool 2\", \"dense 33\"]\n\
         decoder = [\"dense 16x16x24\", \"conv-t 19 k3 s2\", \"conv-t 9 k4 s2\"]\nlatent = 7\n[train]\nbatch = 21",
    ),
];

/// Some steps of training: the losses, and all that training has changed.
fn train(source: &str, toml: &str, compile: impl Fn(Program, PlanId) -> Executor) -> (MetricRows, Vec<u32>) {
    let data = Dataset::load(source).unwrap();
    let config = Config::resolve(None, None, toml::from_str(toml).unwrap()).unwrap();
    let spec = config.vae_spec(&data).unwrap();
    let vae = Vae::new(&spec, &config.train_spec_on(data.shape), Config::data_spec(&data)).unwrap();
    let plan = vae.plans.train;
    let executor = compile(vae.program.clone(), plan);
    let session = Session::of_executor(executor, &OpenDevice::Cpu, &GpuOptions::default()).unwrap();
    let tensors = [vec![vae.weights, vae.gradients], vae.moments.clone()].concat();
    let mut trainer = Trainer::new(&config, data, vae, session).unwrap();
    let steps = plan.steps((0..8).map(|step| trainer.schedule().train(step)));
    let executor = trainer.session();
    executor.submit(&steps).unwrap();
    let losses = executor.collect().unwrap().unwrap();
    let bits = |tensor| executor.read(tensor).unwrap().into_iter().map(f32::to_bits);
    (losses, tensors.into_iter().flat_map(bits).collect())
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    for (name, source, toml) in MODELS {
        let with = |threads| {
            train(source, toml, |program, plan| {
                let cpu = Cpu::with_threads(program, threads);
                assert_eq!(cpu.threads(plan).min(4), threads.min(4), "{name}: too little work");
                Executor::Cpu(Box::new(cpu))
            })
        };
        let alone = with(1);
        assert!(alone.0.rows().flatten().all(|value| value.is_finite()), "{name}: {:?}", alone.0);
        // Sixty-four have smaller tiles.
        for threads in [2, 3, 4, 64] {
            // More than once: what threads do to each other differs from time to time.
            for _ in 0..if threads < 64 { 3 } else { 1 } {
                assert!(with(threads) == alone, "{name}: {threads} threads give other bytes");
            }
        }
    }
}

#[test]
fn losses_are_those_of_the_adapter() {
    let Some(gpu) = common::gpu() else { return };
    for (name, source, toml) in MODELS {
        let on = |device: OpenDevice| {
            let compile = |mut program: Program, train: PlanId| {
                // Nothing runs the other plans, and an adapter's shaders take long to compile.
                let others = program.plans.iter_mut().enumerate().filter(|(number, _)| *number != train.0);
                others.for_each(|(_, plan)| plan.ops.clear());
                device.compile(program, &GpuOptions::default()).unwrap()
            };
            train(source, toml, compile).0
        };
        let (here, there) = (on(OpenDevice::Cpu), on(OpenDevice::Adapter(gpu.clone())));
        // Adam divides by the size of a gradient, so rounding grows from step to step where gradients are next to 0.
        for (here, there) in here.rows().zip(there.rows()).take(4) {
            // The negative log-likelihood, and the KL.
            for (here, there) in here.iter().zip(there).take(2) {
                assert!(((here - there) / there).abs() < 1e-4, "{name}: {here}, on the adapter {there}");
            }
        }
    }
}
