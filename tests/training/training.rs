//! Full training: every preset on its data, and MNIST if it is available.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use wgvae::apply::restore::{Damage, Restorer};
use wgvae::config::{Config, PRESETS};
use wgvae::data::{Dataset, Options};
use wgvae::model::Extent;
use wgvae::run::{self, Error, Finished, RunOptions};
use wgvae::train::{DeviceOptions, Event, StepReport, TrainError, Tune};
use wgvae::{Cell, InMemory, Table, TrainedModel};
use wgvae_engine::exec::DeviceChoice;

use crate::common;

struct Run {
    finished: Finished,
    steps: Vec<StepReport>,
    folder: tempfile::TempDir,
}

fn options(folder: &Path) -> RunOptions {
    let device = DeviceOptions { device: DeviceChoice::Adapter, tune: Tune::Off, ..DeviceOptions::default() };
    RunOptions { device, ..RunOptions::in_folder(folder.join("run")) }
}

fn train(config: Config, device: DeviceChoice) -> Run {
    let data = Dataset::load(config.data.options(config.train.seed)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.device.device = device;
    let mut steps = Vec::new();
    let finished = run::train(config, data, &options, |event| {
        if let Event::Step(report) = event {
            steps.push(report);
        }
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
        let mark = if config.data.source.contains(':') { ',' } else { ':' };
        config.data.source += &format!("{mark}count=2000");
        // A loss without its KL is not to be compared with one that has it.
        (config.model.beta_warmup_epochs, config.model.kl_at_most) = (0.0, None);
        // Texts have a dispatch of a wide layer for each of their tokens.
        let is_of_texts = ["text", "words"].contains(name);
        let is_of_sequences = is_of_texts || *name == "series";
        if is_of_texts {
            config.train.batch = 16;
        }
        // Convolutions of whole images take most of a second a step on a software adapter.
        if config.model.encoder.is_some() && *name != "series" {
            config.train.steps = Some(100);
            if config.vae_spec(Extent::Image([16, 16, 1])).is_ok() {
                config.data.image_size = "16x16".parse().ok();
            }
        }
        // Shaders of every preset are compared elsewhere, and compiling those of some takes a software adapter longer than to train.
        let on_adapter = ["dense", "conv", "table"].contains(name) || common::every_shader();
        let run = train(config, if on_adapter { DeviceChoice::Adapter } else { DeviceChoice::Cpu });
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
        let pictures = std::fs::read_dir(run.folder.path().join("run/images")).map_or(0, Iterator::count);
        assert!(pictures >= 1 || is_of_sequences, "{name} left no pictures");
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
    let run = train(Config::resolve(Some("dense"), None, flags).unwrap(), DeviceChoice::Adapter);
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
        let finished = run::train(config, data, &options, |event| match event {
            Event::Step(report) => kls.push(report.kl),
            Event::Rollback(rollback) => panic!("{name}: diverged at step {}", rollback.diverged),
            _ => {}
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
    let finished = run::train(config(), data(), &options, |event| -> Result<(), Error> {
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
    // So short a run gets the advice to go on.
    let end = ["warning", "done", "device", "fitting", "page"];
    let expected = [&["device", "start"][..], &of_an_epoch, &of_an_epoch, &end].concat();
    assert_eq!(heard, expected);
    let finished = finished.unwrap();
    assert_eq!(finished.summary.epochs, 2);
    assert_eq!(finished.run.folder().unwrap(), folder.path().join("run"));
    assert!(!finished.stopped);
    assert!(wgvae::apply::Mixture::of(&finished.run).unwrap().is_some());

    // A run is not replaced by accident. A stopped run saves its model; a run that the watcher ends at the start leaves what
    // it was to replace.
    let outcome = run::train(config(), data(), &options, |_| ());
    assert!(matches!(outcome, Err(Error::Train(TrainError::Exists(_)))), "{:?}", outcome.err());
    options.replace = true;
    let outcome = run::train(config(), data(), &options, |event| {
        options.stop.store(matches!(event, Event::Epoch(_)), Ordering::Relaxed);
    });
    let stopped = outcome.unwrap();
    assert!(stopped.stopped && stopped.summary.epochs == 1, "{:?}", stopped.summary);
    // It is a run like any other, with a mixture and a page.
    assert!(wgvae::apply::Mixture::of(&stopped.run).unwrap().is_some());
    for file in ["run/model.safetensors", "run/report.html"] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
    #[derive(Debug)]
    enum Mine {
        Ended(u32),
        #[expect(dead_code, reason = "it is shown where the test fails")]
        Run(Error),
    }
    impl From<Error> for Mine {
        fn from(error: Error) -> Self {
            Mine::Run(error)
        }
    }
    options.stop.store(false, Ordering::Relaxed);
    let outcome = run::train(config(), data(), &options, |event| match event {
        Event::Start(_) => Err(Mine::Ended(7)),
        _ => Ok(()),
    });
    assert!(matches!(outcome, Err(Mine::Ended(7))), "{:?}", outcome.err());
    assert!(folder.path().join("run/model.safetensors").is_file());
}

/// Rows of four types of columns that a factor explains, some cells missing.
fn people(rows: usize) -> Table {
    let number = |row: usize, k: usize| ((row * 37 + k * 101) as f64 * 0.7123).sin();
    let rows = || 0..rows;
    let cell = |row: usize, k: usize| !(row * 7 + k).is_multiple_of(10);
    let age = |row: usize| 40.0 + 10.0 * number(row, 0) + number(row, 1);
    Table::new()
        .with("age", rows().map(|row| if cell(row, 0) { age(row) } else { f64::NAN }))
        .with(
            "town",
            rows().map(|row| cell(row, 1).then_some(["Basel", "Cork", "Dax"][usize::from(age(row) > 38.0) + row % 2])),
        )
        .with("member", rows().map(|row| age(row) + 3.0 * number(row, 2) > 40.0))
        .with("grade", rows().map(|row| 1 + (age(row) / 20.0) as i32))
        .with("code", rows().map(|row| ["1", "2"][row % 2]))
}

/// A run without a folder is a model like any other, and its bytes are that run again.
#[test]
fn a_run_in_memory_is_applied_and_written_to_bytes() {
    let data = InMemory::table("people", people(400)).dataset().unwrap();
    let mut config = Config::for_data(&data).unwrap();
    (config.train.steps, config.model.latent) = (Some(200), 3);
    let mut options = RunOptions::in_memory();
    options.device = DeviceOptions { device: DeviceChoice::Cpu, tune: Tune::Off, ..DeviceOptions::default() };
    let before = std::env::current_dir().unwrap().join("runs").exists();
    let finished = run::train(config, data, &options, |event| match event {
        Event::Start(start) => assert!(start.folder.is_none()),
        Event::Picture(path) | Event::Page(path) => panic!("{} was written", path.display()),
        _ => {}
    });
    let finished = finished.unwrap();
    assert!(finished.run.folder().is_none() && !finished.stopped && finished.summary.steps == 200);
    assert_eq!(std::env::current_dir().unwrap().join("runs").exists(), before);

    let bytes = finished.run.to_bytes().unwrap();
    let again = wgvae::Run::from_bytes(&bytes).unwrap();
    let open = |run: &wgvae::Run| TrainedModel::open(run, 8, &options.device, &mut |_| {}).unwrap();
    let (mut model, mut read) = (open(&finished.run), open(&again));
    let drawn = model.sample_table(300, 5).unwrap();
    assert_eq!(drawn, read.sample_table(300, 5).unwrap());
    // Columns have the types and the form that they were given with.
    assert_eq!(drawn.names().collect::<Vec<_>>(), ["age", "town", "member", "grade", "code"]);
    assert_eq!(drawn.rows(), 300);
    let all = |name: &str, is: &dyn Fn(&Cell) -> bool| drawn.column(name).unwrap().iter().all(is);
    assert!(all("age", &|cell| cell.number().is_some_and(|age| (20.0..60.0).contains(&age))));
    assert!(all("town", &|cell| ["Basel", "Cork", "Dax"].contains(&cell.word().unwrap())));
    assert!(all("member", &|cell| cell.truth().is_some()));
    assert!(all("grade", &|cell| cell.number().is_some_and(|grade| [1.0, 2.0, 3.0, 4.0].contains(&grade))));
    assert!(all("code", &|cell| ["1", "2"].contains(&cell.word().unwrap())), "{}", drawn.to_csv());
    // A truth value is drawn as 0 or 1, and a word as one of the words.
    let columns = finished.run.data.columns.as_ref().unwrap();
    let values = model.sample(50, 1).unwrap();
    let of_words = columns.spans().into_iter().zip(&columns.all).filter(|(_, column)| column.kind.is_of_words());
    for (span, column) in of_words {
        let drawn = values.chunks(columns.width()).flat_map(|row| &row[span.clone()]);
        assert!(drawn.into_iter().all(|value| [0.0, 1.0].contains(value)), "{}", column.name);
    }

    // New rows, with a column that the model does not know and a word that it has never seen: only missing cells are filled.
    let mut towns = vec![None; 6];
    towns[1] = Some("Atlantis");
    let new = Table::new()
        .with("id", 0..6)
        .with("town", towns)
        .with("age", [Some(30.0), None, Some(50.0), None, Some(39.5), None])
        .with("member", [None, Some(true), Some(false), None, None, None])
        .with("grade", [2, 2, 3, 2, 2, 3])
        .with("code", vec!["1"; 6]);
    let rows = again.table_rows(&new).unwrap().split;
    assert_eq!((rows.rows, rows.unseen.len()), (6, 1));
    assert_eq!(read.encode(&rows).unwrap().mu.len(), 6 * 3);
    assert_eq!(read.reconstruct_table(&rows).unwrap().rows(), 6);
    let mut restorer = Restorer::open(&again, 6, Damage::Missing, None, &options.device, &mut |_| {}).unwrap();
    let filled = restorer.restore_table(&new, None).unwrap();
    assert_eq!(filled.names().collect::<Vec<_>>(), new.names().collect::<Vec<_>>());
    for row in 0..6 {
        for ((filled, given), name) in filled.row(row).zip(new.row(row)).zip(new.names()) {
            assert!(!filled.is_missing() && (given.is_missing() || filled == given), "{name} {row}: {filled}");
        }
        assert!(filled.cell(row, "member").unwrap().truth().is_some());
        assert!(filled.cell(row, "age").unwrap().number().is_some());
    }

    // Damaged bytes are no run.
    for damaged in [&bytes[..bytes.len() / 2], &[][..], b"PK", &bytes[bytes.len() / 2..]] {
        assert!(wgvae::Run::from_bytes(damaged).is_err());
    }
    // Stopped at once, there is a model all the same.
    options.stop.store(true, Ordering::Relaxed);
    let data = InMemory::table("people", people(100)).dataset().unwrap();
    let stopped = run::train(Config::for_data(&data).unwrap(), data, &options, |_| ()).unwrap();
    assert!(stopped.stopped && stopped.summary.steps == 0);
    assert_eq!(open(&stopped.run).sample_table(3, 0).unwrap().rows(), 3);
}

/// What README shows leaves a run that the program can read, with the same rows held out.
#[test]
fn the_program_reads_a_run_of_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    std::fs::write(&path, people(300).to_csv()).unwrap();
    let options = Options { label: Some("member".into()), seed: 3, test_share: 0.3, ..path.to_str().unwrap().into() };
    let data = Dataset::load(options).unwrap();
    let mut config = Config::for_data(&data).unwrap();
    config.train.steps = Some(40);
    let mut options = self::options(folder.path());
    options.device.device = DeviceChoice::Cpu;
    let finished = run::train(config, data, &options, |_| ()).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wgvae"));
    let output =
        command.args(["eval", "run", "--json", "--device", "cpu"]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let eval: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(eval["rows"], 90);
    let loss = eval["loss"].as_f64().unwrap();
    assert!((loss - finished.summary.test_loss).abs() < 1e-3, "{loss}, not {}", finished.summary.test_loss);
}

/// The reported speed does not jump where an evaluation lies between, or where a submit was done before it was asked for.
#[test]
fn the_reported_speed_is_that_of_the_run() {
    let config = overrides("[train]\nepochs = 6\nbatch = 64\n[model]\nhidden = [64]");
    let config = Config::resolve(Some("points"), None, config).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.device.device = DeviceChoice::Cpu;
    let mut speeds = Vec::new();
    let data = Dataset::load("points:count=20000").unwrap();
    let finished = run::train(config, data, &options, |event| {
        if let Event::Progress { steps_per_second, .. } = event {
            speeds.push(steps_per_second);
        }
    });
    let mean = finished.unwrap().summary.steps_per_second;
    let fastest = speeds.iter().copied().fold(0.0, f64::max);
    assert!(fastest < 8.0 * mean, "{fastest} steps a second in a run of {mean}: {speeds:?}");
}

/// A configuration built in code is checked like one from a file.
#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = Dataset::load("points:count=64").unwrap();
    let mut config = Config::resolve(Some("points"), None, toml::Table::new()).unwrap();
    config.train.batch = 0;
    let outcome = run::train(config, data, &options(folder.path()), |_| ());
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
        run::train(config(hidden), Dataset::load("points:count=5000").unwrap(), &options(folder.path()), |_| ());
    match outcome {
        Err(error @ Error::TooLarge { .. }) => {
            let text = error.to_string();
            assert!(text.contains("`train.batch = 1024` needs"), "{text}");
            assert!(!folder.path().join("run").exists());
        }
        // An adapter with large bindings may hold even the widest layer there can be.
        outcome => assert!(hidden == 1 << 20, "{:?}", outcome.err()),
    }
}
