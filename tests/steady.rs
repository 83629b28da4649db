//! The training loop allocates nothing: no GPU memory, pipeline or bind group is created in it, and 40,000 steps do not
//! increase the memory of the process.

mod common;

use wgvae::RunOptions;
use wgvae::config::Config;
use wgvae::data::Dataset;
use wgvae::model::Vae;
use wgvae::train::{DeviceOptions, Trainer, Tune};
use wgvae_engine::exec::OpenDevice;
use wgvae_engine::exec::gpu::{Gpu, GpuOptions};
use wgvae_engine::plan::{SUBMITS_IN_FLIGHT, StepScalars};
use wgvae_engine::session::Session;

/// Counts of wgpu's objects: buffers, their bytes, allocations, pipelines, bind groups, shader modules.
fn held(gpu: &Gpu) -> [isize; 6] {
    let hal = gpu.device.get_internal_counters().hal;
    [
        hal.buffers.read(),
        hal.buffer_memory.read(),
        hal.memory_allocations.read(),
        hal.compute_pipelines.read(),
        hal.bind_groups.read(),
        hal.shader_modules.read(),
    ]
}

/// A model with a tiny step.
fn trainer(gpu: &std::sync::Arc<Gpu>) -> Trainer {
    let flags = "[model]\nhidden = [4]\nlatent = 1\n[train]\nbatch = 4\nclip = 1.0".parse().unwrap();
    let config = Config::resolve(Some("points"), None, flags).unwrap();
    let data = Dataset::load("points:count=64").unwrap();
    let spec = config.vae_spec(data.shape).unwrap();
    let vae = Vae::new(&spec, &config.train_spec(), Config::data_spec(&data)).unwrap();
    let device = OpenDevice::Adapter(gpu.clone());
    let session = Session::of_program(vae.program.clone(), &device, &GpuOptions::default()).unwrap();
    Trainer::new(&config, data, vae, session).unwrap()
}

/// Runs submits of several steps as training does; `between` is called while work is in flight.
fn submits(trainer: &mut Trainer, count: usize, steps: usize, between: &mut dyn FnMut()) {
    let scalars: Vec<StepScalars> = (0..steps as u64).map(|step| trainer.schedule().train(step)).collect();
    let of_plan = trainer.vae().plans.train.steps(scalars);
    let executor = trainer.session();
    for submit in 0..count {
        if submit >= SUBMITS_IN_FLIGHT {
            assert_eq!(executor.collect().unwrap().unwrap().len(), steps);
        }
        executor.submit(&of_plan).unwrap();
        between();
    }
    while executor.collect().unwrap().is_some() {}
}

#[test]
fn the_loop_allocates_nothing() {
    if common::gpu().is_none() {
        return;
    }
    // A separate device, because the counters include the objects of other tests.
    let entry = wgvae_engine::exec::list_adapters(&wgvae_engine::exec::gpu::instance()).remove(0);
    let gpu = Gpu::open(&entry, Default::default()).unwrap();
    let mut trainer = trainer(&gpu);
    submits(&mut trainer, 4, 16, &mut || {});
    let before = held(&gpu);
    assert!(before[0] > 10 && before[1] > 0 && before[3] > 5, "the counters count nothing: {before:?}");
    let mut seen = 0;
    submits(&mut trainer, 50, 16, &mut || {
        seen += 1;
        assert_eq!(held(&gpu), before, "after submit {seen}");
    });
    assert_eq!(seen, 50);
}

/// Bytes in use of what every library of this process, drivers too, has allocated with malloc.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code)]
fn in_use() -> usize {
    // SAFETY: it takes no pointers, and locks each arena while it reads it.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

/// 40,000 steps with their epochs, pictures and a hundred checkpoints, on the device that a user gets: what is in use
/// between two submits (the lowest of a quarter) stays as it is, to less than 8 bytes a step.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_long_run_does_not_grow() {
    let folder = tempfile::tempdir().unwrap();
    let data = Dataset::load("points:count=8000").unwrap();
    let keys = "[model]\nhidden = [4]\nlatent = 1\n[train]\nbatch = 4\nsteps = 40000\nclip = 1.0";
    let config = Config::resolve(Some("points"), None, keys.parse().unwrap()).unwrap();
    let options = RunOptions {
        device: DeviceOptions { tune: Tune::Off, ..DeviceOptions::default() },
        checkpoint_every: "400steps".parse().unwrap(),
        ..RunOptions::in_folder(folder.path().join("run"))
    };
    let training = std::thread::spawn(move || wgvae::train(config, data, &options, |_| {}));
    let mut samples = Vec::new();
    while !training.is_finished() {
        samples.push(in_use());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let finished = training.join().unwrap().unwrap();
    assert_eq!(finished.summary.steps, 40_000);
    let lowest = |from: f64, to: f64| {
        let at = |share: f64| (samples.len() as f64 * share) as usize;
        *samples[at(from)..at(to)].iter().min().unwrap()
    };
    // The end is left out, where the run is taken down.
    let (before, after) = (lowest(0.25, 0.5), lowest(0.7, 0.95));
    eprintln!("{before} bytes, then {after}, of {} samples", samples.len());
    assert!(after < before + (128 << 10), "40,000 steps took memory from {before} to {after} bytes");
}
