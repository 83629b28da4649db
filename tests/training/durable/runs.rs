//! Small runs, and what the tests do with them.

use std::path::Path;
use std::sync::Arc;

use wgvae::config::Config;
use wgvae::data::Dataset;
use wgvae::run::{self, Error, Finished, Place, Resume, RunOptions};
use wgvae::train::{CheckpointInterval, DeviceOptions, FORMAT, Origin, RunFolder, Saving, Tune};
use wgvae_data::disk::Disk;
use wgvae_engine::exec::{Device, DeviceChoice};
use wgvae_engine::kernels::rng::threefry2x32;

/// Numbers below `end` that depend on a seed and a count alone.
pub fn random(seed: u32, count: u32, end: u64) -> u64 {
    let [low, high] = threefry2x32([seed, 7], [count, 0]);
    (u64::from(high) << 32 | u64::from(low)) % end
}

pub fn options(folder: &Path) -> RunOptions {
    let device = DeviceOptions { device: DeviceChoice::Cpu, tune: Tune::Off, ..DeviceOptions::default() };
    RunOptions {
        device,
        place: Place::Folder(folder.to_path_buf()),
        finish_when_stopped: false,
        checkpoint_every: CheckpointInterval::Steps(3),
        ..RunOptions::default()
    }
}

pub fn config(toml: &str) -> Config {
    let small = "[model]\nhidden = [5]\n[train]\nbatch = 16\nsteps = 40".parse().unwrap();
    let config = Config::resolve(Some("points"), None, small).unwrap();
    config.with_flags(toml.parse().unwrap()).unwrap()
}

pub fn data() -> Dataset {
    Dataset::load("points:count=150").unwrap()
}

pub fn model(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("model.safetensors")).unwrap()
}

/// Goes on with a run until it is finished or fails.
pub fn go_on(folder: &Path, disk: Arc<dyn Disk>, options: &RunOptions) -> Result<Finished, Error> {
    let from = Resume::open_on(folder, disk)?;
    run::resume(from, data(), options, |_| ())
}

pub fn saving(run: &RunFolder, config: &Config, steps: u64) -> Saving {
    let origin = Origin {
        wgvae: String::new(),
        format: FORMAT,
        run: run.run().to_string(),
        config: config.clone(),
        data: String::new(),
        device: Device::cpu(),
        checked: false,
    };
    Saving { origin, every: CheckpointInterval::Steps(steps), keep: 100 }
}

pub fn kills() -> u32 {
    std::env::var("WGVAE_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(100)
}
