//! Training for real: every preset on its data, and MNIST where it is at hand.

mod common;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use wgvae::config::{Config, PRESETS};
use wgvae::data::Dataset;
use wgvae::executor::{self, DeviceChoice};
use wgvae::gpu::GpuOptions;
use wgvae::model::Vae;
use wgvae::train::{Event, RunFolder, StepReport, Summary, Trainer};

struct Run {
    summary: Summary,
    steps: Vec<StepReport>,
    folder: tempfile::TempDir,
}

fn train(config: &Config) -> Run {
    let data = Dataset::load(config.data.source.as_str()).unwrap();
    config.check_data(&data).unwrap();
    let spec = config.vae_spec(data.shape.len());
    let vae = Vae::new(&spec, &config.train_spec(), Config::data_spec(&data)).unwrap();
    let selected = executor::select(&DeviceChoice::Auto).unwrap();
    let options = GpuOptions::default();
    let (executor, device) = executor::open(&selected, vae.program.clone(), &options).unwrap();
    let mut trainer = Trainer::new(config, data, vae, executor, device).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut run = RunFolder::create(&folder.path().join("run")).unwrap();
    let mut steps = Vec::new();
    let mut watch = |event: &Event| {
        if let Event::Step(report) = event {
            steps.push(*report);
        }
    };
    let summary = trainer.train(&mut run, &AtomicBool::new(false), &mut watch).unwrap();
    Run { summary, steps, folder }
}

fn overrides(toml: &str) -> toml::Table {
    toml.parse().unwrap()
}

#[test]
fn every_preset_learns() {
    if common::gpu().is_none() {
        return;
    }
    for (name, _) in PRESETS {
        let mut config = Config::resolve(Some(name), None, overrides("[train]\nsteps = 300")).unwrap();
        config.data.source.push_str(":count=2000");
        let run = train(&config);
        let first = run.steps.first().unwrap();
        let last = run.steps.last().unwrap();
        let gain = (first.recon - last.recon) / first.recon.abs();
        assert!(gain > 0.1, "{name}: reconstruction {} to {}", first.recon, last.recon);
        assert!(last.loss < first.loss, "{name}: loss {} to {}", first.loss, last.loss);
        // The test split is of the same kind: a model that fits one fits the other.
        assert!(run.summary.test_loss < first.loss, "{name}: test {} after {}", run.summary.test_loss, first.loss);
        let pictures = std::fs::read_dir(run.folder.path().join("run/images")).unwrap().count();
        assert!(pictures >= 1, "{name} left no pictures");
    }
}

/// Where there is one, an epoch of the real thing: an independent implementation has 127.75 after one.
#[test]
fn one_epoch_of_mnist() {
    if common::gpu().is_none() {
        return;
    }
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mnist");
    let folder = std::env::var("WGVAE_MNIST").map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        common::skipped(&format!("no MNIST in {}; set WGVAE_MNIST to its folder", folder.display()));
        return;
    }
    let flags = overrides(&format!("[data]\nsource = {:?}\n[train]\nepochs = 1", folder.display().to_string()));
    let run = train(&Config::resolve(Some("dense"), None, flags).unwrap());
    let loss = run.summary.test_loss;
    assert!((loss - 127.8).abs() <= 1.5, "test loss {loss} after one epoch");
}
