//! Full training: every preset on its data, and MNIST if it is available.

mod common;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use wgvae::config::{Config, PRESETS};
use wgvae::data::Dataset;
use wgvae::executor::DeviceChoice;
use wgvae::model::Extent;
use wgvae::run::{self, Error, Finished, RunOptions};
use wgvae::train::{DeviceOptions, Event, StepReport, TrainError, Tune};

struct Run {
    finished: Finished,
    steps: Vec<StepReport>,
    folder: tempfile::TempDir,
}

fn options(folder: &Path) -> RunOptions {
    let device = DeviceOptions { device: DeviceChoice::Adapter, tune: Tune::Off, ..DeviceOptions::default() };
    RunOptions { device, folder: Some(folder.join("run")), ..RunOptions::default() }
}

fn train(config: Config) -> Run {
    let data = Dataset::load(config.data.options(config.train.seed)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut steps = Vec::new();
    let finished = run::train(config, data, &options(folder.path()), &mut |event| {
        if let Event::Step(report) = event {
            steps.push(report);
        }
        Ok(())
    });
    Run { finished: finished.unwrap(), steps, folder }
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
        // A loss without its KL is not to be compared with one that has it.
        config.model.beta_warmup_epochs = 0.0;
        // Convolutions of whole images take most of a second a step on a software adapter.
        if config.model.encoder.is_some() {
            config.train.steps = Some(100);
            if config.vae_spec(Extent::Image([16, 16, 1])).is_ok() {
                config.data.image_size = "16x16".parse().ok();
            }
        }
        let run = train(config);
        let first = run.steps.first().unwrap();
        let last = run.steps.last().unwrap();
        let gain = (first.recon - last.recon) / first.recon.abs();
        assert!(gain > 0.1, "{name}: reconstruction {} to {}", first.recon, last.recon);
        assert!(last.loss < first.loss, "{name}: loss {} to {}", first.loss, last.loss);
        // Both splits have the same distribution, so a model that fits one fits the other.
        assert!(
            run.finished.summary.test_loss < first.loss,
            "{name}: test {} after {}",
            run.finished.summary.test_loss,
            first.loss
        );
        let pictures = std::fs::read_dir(run.folder.path().join("run/images")).unwrap().count();
        assert!(pictures >= 1, "{name} left no pictures");
    }
}

/// An epoch on MNIST, if it is available: an independent implementation has a test loss of 127.75 after one.
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
    let run = train(Config::resolve(Some("dense"), None, flags).unwrap());
    let loss = run.finished.summary.test_loss;
    assert!((loss - 127.8).abs() <= 1.5, "test loss {loss} after one epoch");
}

/// A limit on the KL holds whatever the optimiser is, with the learning rates, clipping and decay that serve the model.
#[test]
fn a_limit_on_the_kl_holds_with_every_optimiser() {
    for (name, train) in [
        ("sgd", "optimizer = \"sgd\"\nlr = 0.01"),
        ("slow sgd", "optimizer = \"sgd\"\nlr = 0.0025"),
        ("momentum", "optimizer = \"sgd\"\nlr = 0.005\nmomentum = 0.9"),
        ("adam", "lr = 0.002\nclip = 1.0"),
        ("adamw", "lr = 0.002\noptimizer = \"adamw\"\nweight_decay = 0.5"),
    ] {
        let toml =
            format!("[model]\nhidden = [64]\nlatent = 8\nkl_at_most = 6.0\n[train]\nsteps = 800\nbatch = 64\n{train}");
        let config = Config::resolve(Some("dense"), None, overrides(&toml)).unwrap();
        let data = Dataset::load("strokes:count=2000").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(folder.path());
        options.device.device = DeviceChoice::Cpu;
        let mut kls = Vec::new();
        let finished = run::train(config, data, &options, &mut |event| {
            match event {
                Event::Step(report) => kls.push(report.kl),
                Event::Rollback(rollback) => panic!("{name}: diverged at step {}", rollback.diverged),
                _ => {}
            }
            Ok(())
        });
        finished.unwrap();
        let last = kls[kls.len() - 3..].iter().sum::<f64>() / 3.0;
        assert!((last / 6.0 - 1.0).abs() < 0.1, "{name}: the KL ends at {last} in place of 6: {kls:?}");
    }
}

/// A whole run on the CPU: the order of its events, and the files it writes.
#[test]
fn the_watcher_hears_of_everything_and_can_end_the_run() {
    let config =
        || Config::resolve(Some("points"), None, overrides("[model]\nhidden = [4]\n[train]\nepochs = 2")).unwrap();
    let data = || Dataset::load("points:count=256").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.device.device = DeviceChoice::Cpu;

    let mut heard = Vec::new();
    let finished = run::train(config(), data(), &options, &mut |event| {
        heard.push(match event {
            Event::Device(_) => "device",
            Event::Start(start) => {
                assert_eq!((start.epochs, start.train_rows), (2, 256));
                "start"
            }
            Event::Progress { .. } => return Ok(()),
            Event::Step(_) => "step",
            Event::Epoch(mut epoch) => {
                let (x, mean) = epoch.reconstruct(1000)?;
                assert_eq!((x.len(), mean.len()), (2 * epoch.test_rows(), 2 * epoch.test_rows()));
                assert_eq!(epoch.sample(300)?.unwrap().len(), 600);
                "epoch"
            }
            Event::Picture(picture) => {
                assert!(picture.is_file());
                "picture"
            }
            Event::Diagnosis(diagnosis) => {
                assert_eq!(diagnosis.kl_per_dimension.len(), 2);
                let norms = &diagnosis.gradient_norms;
                assert!(norms.contains_key("mu") && norms.values().all(|norm| *norm > 0.0), "{norms:?}");
                "diagnosis"
            }
            Event::Rollback(_) => "rollback",
            Event::Warning(_) => "warning",
            Event::Done(_) => "done",
            Event::Fitting(rows) => {
                assert_eq!(rows, 256);
                "fitting"
            }
            Event::Page(page) => {
                assert!(page.is_file());
                "page"
            }
        });
        Ok(())
    });
    let of_an_epoch = ["diagnosis", "picture", "picture", "epoch"];
    // So short a run is told that it is.
    let end = ["warning", "done", "device", "fitting", "page"];
    let expected = [&["device", "start"][..], &of_an_epoch, &of_an_epoch, &end].concat();
    assert_eq!(heard, expected);
    let finished = finished.unwrap();
    assert_eq!(finished.summary.epochs, 2);
    assert_eq!(finished.run.path, folder.path().join("run"));
    assert!(wgvae::apply::Mixture::of(&finished.run).unwrap().is_some());

    // A run is not replaced by accident. A stopped run saves its model; a run that the watcher ends at the start leaves what
    // it was to replace.
    let outcome = run::train(config(), data(), &options, &mut |_| Ok(()));
    assert!(matches!(outcome, Err(Error::Train(TrainError::Exists(_)))), "{:?}", outcome.err());
    options.replace = true;
    let outcome = run::train(config(), data(), &options, &mut |event| {
        options.stop.store(matches!(event, Event::Epoch(_)), Ordering::Relaxed);
        Ok(())
    });
    assert!(matches!(outcome, Err(Error::Train(TrainError::Interrupted { .. }))), "{:?}", outcome.err());
    assert!(folder.path().join("run/model.safetensors").is_file());
    let outcome = run::train(config(), data(), &options, &mut |event| match event {
        Event::Start(_) => Err(std::io::Error::other("nobody listens").into()),
        _ => Ok(()),
    });
    assert_eq!(outcome.err().unwrap().to_string(), "nobody listens");
    assert!(folder.path().join("run/model.safetensors").is_file());
}

/// What is told of the speed does not jump where an evaluation lies between, or where a submit was done before it was asked for.
#[test]
fn the_speed_that_is_told_is_that_of_the_run() {
    let config = overrides("[train]\nepochs = 6\nbatch = 64\n[model]\nhidden = [64]");
    let config = Config::resolve(Some("points"), None, config).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.device.device = DeviceChoice::Cpu;
    let mut told = Vec::new();
    let data = Dataset::load("points:count=20000").unwrap();
    let finished = run::train(config, data, &options, &mut |event| {
        if let Event::Progress { steps_per_second, .. } = event {
            told.push(steps_per_second);
        }
        Ok(())
    });
    let mean = finished.unwrap().summary.steps_per_second;
    let fastest = told.iter().copied().fold(0.0, f64::max);
    assert!(fastest < 8.0 * mean, "{fastest} steps a second in a run of {mean}: {told:?}");
}

/// A configuration built in code is checked like one from a file.
#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = Dataset::load("points:count=64").unwrap();
    let mut config = Config::resolve(Some("points"), None, toml::Table::new()).unwrap();
    config.train.batch = 0;
    let outcome = run::train(config, data, &options(folder.path()), &mut |_| Ok(()));
    assert!(matches!(outcome, Err(Error::Config(_))), "{:?}", outcome.err());
    assert!(!folder.path().join("run").exists());
}

/// A model that does not fit the adapter says which batch would.
#[test]
fn what_does_not_fit_says_what_would() {
    let Some(gpu) = common::gpu() else { return };
    let most = gpu.device.limits().max_storage_buffer_binding_size;
    let config = |hidden: u64| {
        let flags = overrides(&format!("[model]\nhidden = [{hidden}]\n[train]\nbatch = 4096"));
        Config::resolve(Some("points"), None, flags).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let hidden = (most / 4096 / 4 * 3).min(1 << 20);
    let outcome =
        run::train(config(hidden), Dataset::load("points:count=5000").unwrap(), &options(folder.path()), &mut |_| {
            Ok(())
        });
    match outcome {
        Err(error @ Error::TooLarge { .. }) => {
            let text = error.to_string();
            assert!(text.contains("--batch 1024 needs"), "{text}");
            assert!(!folder.path().join("run").exists());
        }
        // An adapter with large bindings may hold even the widest layer there can be.
        outcome => assert!(hidden == 1 << 20, "{:?}", outcome.err()),
    }
}
