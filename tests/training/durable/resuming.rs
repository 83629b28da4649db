//! Runs go on from their checkpoints.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use wgvae::config::Config;
use wgvae::data::{Dataset, InMemory};
use wgvae::run::{self, Error, Resume, RunOptions};
use wgvae::train::{Checkpoint, DeviceOptions, Event, Identity, TrainError};
use wgvae_data::disk::System;
use wgvae_engine::exec::DeviceChoice;

use crate::common::folder::copy;
use crate::durable::runs::{config, data, go_on, model, options, random};

/// A run that is stopped after some step has the same model in the end, whatever the optimiser, with clipping and
/// schedules, and where rows are streamed to the device.
#[test]
fn a_run_cut_anywhere_ends_with_the_same_model() {
    let optimisers =
        ["sgd\"\nmomentum = 0.9\nlr = 1e-4\nclip = \"1\"", "adam\"", "adamw\"\nweight_decay = 0.1", "sgd\"\nlr = 1e-5"];
    let settings =
        ["", "schedule = \"cosine\"\nwarmup_steps = 7", "clip = 1.0", "schedule = \"step\"\nlr_step_epochs = 1"];
    let folder = tempfile::tempdir().unwrap();
    let mut cuts = 0;
    for (number, (optimiser, setting)) in optimisers.iter().flat_map(|o| settings.map(|s| (o, s))).enumerate() {
        let optimiser = optimiser.replace("clip = \"1\"", "nesterov = true");
        let config = config(&format!("[train]\noptimizer = \"{optimiser}\n{setting}"));
        // A MiB of points is more than there are; one byte is less than a batch.
        let resident = (number % 2 == 1).then_some(1);
        let whole = folder.path().join(format!("whole {number}"));
        let with = |path: &Path| {
            let mut options = options(path);
            options.device.resident = resident;
            options
        };
        run::train(config.clone(), data(), &with(&whole), |_| ()).unwrap();
        for cut in 0..7 {
            let path = folder.path().join(format!("cut {number} {cut}"));
            let options = with(&path);
            // Twice: what goes on is cut again.
            for _ in 0..2 {
                let after = random(number as u32, cuts, 40);
                cuts += 1;
                let watch = |event: Event<'_>| {
                    if let Event::Progress { report, .. } = event {
                        options.stop.store(report.step > after, Ordering::Relaxed);
                    }
                };
                let outcome = match Resume::open(&path) {
                    Ok(from) => run::resume(from, data(), &options, watch),
                    Err(_) => run::train(config.clone(), data(), &options, watch),
                };
                assert!(outcome.is_ok(), "{:?}", outcome.err());
                options.stop.store(false, Ordering::Relaxed);
            }
            go_on(&path, Arc::new(System), &options).unwrap();
            assert!(model(&path) == model(&whole), "{optimiser} {setting}: cut {cut} gave another model");
            let lines = |path: &Path| -> Vec<String> {
                let text = std::fs::read_to_string(path.join("metrics.jsonl")).unwrap();
                // Times differ.
                let without_times = |line: &str| {
                    let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
                    for key in ["seconds", "steps_per_second", "run"] {
                        line.as_object_mut().unwrap().remove(key);
                    }
                    line.to_string()
                };
                text.lines().map(without_times).collect()
            };
            assert_eq!(lines(&path), lines(&whole), "{optimiser} {setting}: cut {cut}");
        }
    }
    assert!(cuts > 200);
}

/// Texts in buckets, too: all of them on the device or streamed to it, a run that is cut has the same model in the end.
#[test]
fn texts_in_buckets_are_streamed_and_cut_with_the_same_model() {
    let text = |i: usize| "ab+c".repeat(1 + i % 6 / 5 * 5)[..1 + i % 6 / 5 * 15 + i % 4].to_string();
    let data = || InMemory::texts("lines", (0..120).map(text)).dataset().unwrap();
    let model_of = "[model]\nencoder = [\"embed 3\", \"gru 4\", \"last\"]\nlatent = 2\nlikelihood = \"tokens\"";
    let config = Config::resolve(
        None,
        None,
        format!("{model_of}\n[train]\nbatch = 6\nsteps = 60\nbuckets = 3").parse().unwrap(),
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut models = Vec::new();
    for resident in [None, Some(1)] {
        for cut in [u64::MAX, 13] {
            let path = folder.path().join(format!("{resident:?} {cut}"));
            let mut options = options(&path);
            options.device.resident = resident;
            let mut buckets = 0;
            let watch = |event: Event<'_>| match event {
                Event::Start(start) => buckets = start.buckets.len(),
                Event::Progress { report, .. } => options.stop.store(report.step > cut, Ordering::Relaxed),
                _ => {}
            };
            run::train(config.clone(), data(), &options, watch).unwrap();
            assert!(buckets > 1, "short ones, and long ones");
            options.stop.store(false, Ordering::Relaxed);
            if cut < u64::MAX {
                run::resume(Resume::open(&path).unwrap(), data(), &options, |_| ()).unwrap();
            }
            models.push(model(&path));
        }
    }
    assert!(models.iter().all(|other| *other == models[0]));
}

/// A damaged checkpoint is named and the one before it used; without a good one, training starts again.
#[test]
fn damaged_checkpoints_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    run::train(config(""), data(), &RunOptions { keep: 3, ..options(&whole) }, |_| ()).unwrap();
    let run = Identity::of(&whole).unwrap().run;
    let newest = Checkpoint::all(&whole.join("checkpoints"), &run).remove(0);
    let name = newest.path.file_name().unwrap().to_owned();
    for (number, ending) in (0..40).flat_map(|number| ["json", "safetensors"].map(|ending| (number, ending))) {
        let path = folder.path().join(format!("{number} {ending}"));
        copy(&whole, &path);
        let file = path.join("checkpoints").join(&name).with_extension(ending);
        let mut bytes = std::fs::read(&file).unwrap();
        let place = random(1, number, bytes.len() as u64) as usize;
        match number % 2 {
            0 => bytes.truncate(place),
            _ => bytes[place] ^= 1 << (number % 8),
        }
        std::fs::write(&file, bytes).unwrap();
        let from = Resume::open(&path).unwrap();
        assert_eq!(from.damaged.len(), 1, "{number} {ending}, byte {place}");
        assert!(from.step() < newest.step);
        run::resume(from, data(), &options(&path), |_| ()).unwrap();
        assert!(model(&path) == model(&whole), "{number} {ending}");
    }
    std::fs::remove_dir_all(whole.join("checkpoints")).unwrap();
    let before = model(&whole);
    assert_eq!(Resume::open(&whole).unwrap().step(), 0);
    go_on(&whole, Arc::new(System), &options(&whole)).unwrap();
    assert!(model(&whole) == before);
}

/// A run can be made longer, and gives what the longer run would have given; other changes need a fork.
#[test]
fn a_run_can_be_longer_but_not_another() {
    let folder = tempfile::tempdir().unwrap();
    let (short, long) = (folder.path().join("short"), folder.path().join("long"));
    let epochs = |count: usize| {
        let mut config = config("");
        (config.train.steps, config.train.epochs) = (None, count);
        config
    };
    run::train(epochs(3), data(), &options(&short), |_| ()).unwrap();
    run::train(epochs(6), data(), &options(&long), |_| ()).unwrap();
    let open = || Resume::open(&short).unwrap();
    for (wrong, named) in [
        (epochs(2), "train.epochs 3 -> 2"),
        (
            Config { train: wgvae::config::TrainConfig { lr: 0.5, ..epochs(3).train }, ..epochs(3) },
            "train.lr 0.001 -> 0.5",
        ),
        (
            Config { model: wgvae::config::ModelConfig { latent: 4, ..epochs(3).model }, ..epochs(3) },
            "model.latent 2 -> 4",
        ),
    ] {
        let error = open().with(wrong).err().unwrap().to_string();
        assert!(error.contains(named) && error.contains("by a fork"), "{error}");
    }
    let other = Dataset::load("points:count=151").unwrap();
    let outcome = run::resume(open(), other.clone(), &options(&short), |_| ());
    assert!(matches!(outcome, Err(Error::OtherData(_))), "{:?}", outcome.err());
    // A fork leaves the run as it is.
    let fork = folder.path().join("fork");
    let before = model(&short);
    let mut changed = epochs(6);
    changed.train.lr = 0.01;
    let from = open().fork(&fork).unwrap().with(changed).unwrap();
    run::resume(from, other, &options(&fork), |_| ()).unwrap();
    assert!(model(&short) == before && model(&fork) != before && model(&fork) != model(&long));
    // Other shapes cannot be gone on from.
    let mut wider = epochs(6);
    wider.model.hidden = vec![6];
    let from = open().fork(&folder.path().join("wider")).unwrap().with(wider).unwrap();
    let error = run::resume(from, data(), &options(&fork), |_| ()).err().unwrap().to_string();
    assert!(error.contains("encoder.0.weight"), "{error}");
    assert!(!folder.path().join("wider").exists());

    run::resume(open().with(epochs(6)).unwrap(), data(), &options(&short), |_| ()).unwrap();
    assert!(model(&short) == model(&long));
}

/// A fork may have other steps an epoch: its epochs begin where it was forked, in the middle of one too, and each is logged once.
#[test]
fn epochs_of_a_fork_begin_at_the_fork() {
    let folder = tempfile::tempdir().unwrap();
    let of = |batch: usize, epochs: usize| {
        let mut config = config("");
        (config.train.batch, config.train.steps, config.train.epochs) = (batch, None, epochs);
        config
    };
    let whole = folder.path().join("whole");
    run::train(of(16, 3), data(), &options(&whole), |_| ()).unwrap();
    // Stopped within its second epoch.
    let cut = folder.path().join("cut");
    let with = options(&cut);
    let stopped = run::train(of(16, 3), data(), &with, |event| {
        let is_second = matches!(event, Event::Progress { report, .. } if report.epoch > 1.2);
        with.stop.fetch_or(is_second, Ordering::Relaxed);
    });
    assert!(stopped.unwrap().stopped);
    for (source, batch) in [&whole, &cut].into_iter().flat_map(|source| [5, 40, 150].map(|batch| (source, batch))) {
        let to = source.with_extension(format!("{batch}"));
        let from = Resume::open(source).unwrap().fork(&to).unwrap().with(of(batch, 5)).unwrap();
        let (begun, done) = (from.step(), if source == &whole { 3 } else { 1 });
        let summary = run::resume(from, data(), &options(&to), |_| ()).unwrap().summary;
        let steps_of = |epochs: u64| begun + ((epochs - done) * 150).div_ceil(batch as u64);
        assert_eq!((summary.epochs, summary.steps), (5, steps_of(5)), "{source:?} {batch}");
        // The fork can be made longer, as any run.
        let from = Resume::open(&to).unwrap().with(of(batch, 6)).unwrap();
        run::resume(from, data(), &options(&to), |_| ()).unwrap();
        let text = std::fs::read_to_string(to.join("metrics.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let ends: Vec<(u64, u64)> = lines
            .filter(|line| line["event"] == "epoch")
            .map(|line| (line["epoch"].as_u64().unwrap(), line["step"].as_u64().unwrap()))
            .skip_while(|(epoch, _)| *epoch <= done)
            .collect();
        assert_eq!(
            ends,
            (done + 1..=6).map(|epoch| (epoch, steps_of(epoch))).collect::<Vec<_>>(),
            "{source:?} {batch}"
        );
    }
}

/// The smallest loss of another objective says nothing of a fork's epochs.
#[test]
fn a_fork_with_another_loss_finds_its_own_best_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let of = |beta: f32, epochs: usize| {
        let mut config = config("");
        (config.model.beta, config.train.steps, config.train.epochs) = (beta, None, epochs);
        config
    };
    let path = folder.path().join("first");
    let first = run::train(of(0.0, 3), data(), &options(&path), |_| ()).unwrap().summary;
    let fork = |name: &str, config: Config| {
        let to = folder.path().join(name);
        let from = Resume::open(&path).unwrap().fork(&to).unwrap().with(config).unwrap();
        (run::resume(from, data(), &options(&to), |_| ()).unwrap().summary, to)
    };
    let (second, to) = fork("second", of(500.0, 5));
    assert!(second.best_epoch > 3 && second.test_loss > first.test_loss, "{second:?} after {first:?}");
    assert!(model(&to) != model(&path));
    // Where nothing is left to train, the model stays what it was.
    let (third, to) = fork("third", of(50.0, 3));
    assert!(third.best_epoch == first.best_epoch && model(&to) == model(&path), "{third:?}");
    // Another rate leaves losses what they are.
    let mut faster = of(0.0, 4);
    faster.train.lr = 1e-9;
    let (fourth, _) = fork("fourth", faster);
    assert!(fourth.test_loss <= first.test_loss, "{fourth:?} after {first:?}");
}

/// The model is the best by test loss, and patience ends a run that has stopped getting better.
#[test]
fn the_best_model_is_kept_and_patience_ends_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config("");
    // A rate at which losses go up and down.
    (config.train.steps, config.train.epochs, config.train.lr, config.train.patience) = (None, 200, 0.3, Some(4));
    let path = folder.path().join("run");
    let mut losses = Vec::new();
    let finished = run::train(config, data(), &options(&path), |event| {
        if let Event::Epoch(epoch) = event {
            losses.push(epoch.report.test_loss);
        }
    })
    .unwrap();
    let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
    assert!(losses.len() < 200 && losses.len() == best + 5, "{losses:?}");
    assert_eq!(finished.summary.best_epoch, best + 1);
    let on = DeviceOptions { device: DeviceChoice::Cpu, ..DeviceOptions::default() };
    let mut model = wgvae::TrainedModel::open(&finished.run, 16, &on, &mut |_| {}).unwrap();
    let test = data().test;
    let codes = model.encode(&test).unwrap();
    let scores = model.score(&test, 64).unwrap();
    let figures = wgvae::Evaluation::of(&finished.run, model.prior(), &test, &codes, &scores, 64);
    let at = |epoch: usize| (figures.loss - losses[epoch]).abs();
    assert!(at(best) < at(losses.len() - 1), "{} is not {}, but rather {losses:?}", figures.loss, losses[best]);
    assert_eq!(finished.summary.test_loss, losses[best]);
}

/// While beta rises, test losses, which have it whole, say nothing of how training goes: patience waits until it has risen, and the
/// run says why it ended.
#[test]
fn patience_does_not_count_while_beta_rises() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config("");
    (config.train.steps, config.train.epochs, config.train.lr, config.train.patience) = (None, 200, 0.3, Some(4));
    config.model.beta_warmup_epochs = 40.0;
    let (mut losses, mut said) = (Vec::new(), String::new());
    run::train(config, data(), &options(&folder.path().join("run")), |event| match event {
        Event::Epoch(epoch) => losses.push(epoch.report.test_loss),
        Event::Warning(text) => said += text,
        _ => {}
    })
    .unwrap();
    let best = 1 + (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
    // In the last step of epoch 40 beta is a little below its end.
    assert_eq!(losses.len(), best.max(40) + 4, "{best}: {losses:?}");
    assert!(said.contains(&format!("stopped after epoch {} of 200", losses.len())), "{said}");
}

/// Nothing is written or deleted through a link, and no folder that only looks like a run is taken.
#[cfg(unix)]
#[test]
fn a_run_stays_in_its_folder() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("step-000000000003-x.json"), "kept").unwrap();
    std::fs::write(outside.join("samples-001.png"), "kept").unwrap();
    let whole = folder.path().join("whole");
    run::train(config(""), data(), &options(&whole), |_| ()).unwrap();
    for name in ["images", "checkpoints", "lock"] {
        let path = folder.path().join(name);
        copy(&whole, &path);
        let place = path.join(name);
        if std::fs::remove_file(&place).is_err() {
            std::fs::remove_dir_all(&place).unwrap();
        }
        symlink(&outside, &place).unwrap();
        for replace in [false, true] {
            let error = match replace {
                true => run::train(config(""), data(), &RunOptions { replace, ..options(&path) }, |_| ()).err(),
                false => Resume::open(&path).err(),
            };
            assert!(matches!(error, Some(Error::Train(TrainError::Link(_)))), "{name}: {error:?}");
        }
    }
    // Files that are links are replaced, not written to.
    let path = folder.path().join("files");
    copy(&whole, &path);
    for name in ["model.safetensors", "metrics.jsonl", "config.toml"] {
        std::fs::remove_file(path.join(name)).unwrap();
        symlink(outside.join("samples-001.png"), path.join(name)).unwrap();
    }
    go_on(&path, Arc::new(System), &options(&path)).unwrap();
    assert!(model(&path) == model(&whole));
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 2);
    assert_eq!(std::fs::read(outside.join("samples-001.png")).unwrap(), b"kept");
    // A run of another version is refused.
    let newer = folder.path().join("newer");
    copy(&whole, &newer);
    let record = std::fs::read_to_string(newer.join("run.json")).unwrap();
    std::fs::write(newer.join("run.json"), record.replace("\"format\": 1", "\"format\": 7")).unwrap();
    let error = Resume::open(&newer).err().unwrap().to_string();
    assert!(error.contains("a run of another version (format 7"), "{error}");
    // A record that is not one is no reason to replace a folder.
    let path = folder.path().join("other");
    std::fs::create_dir(&path).unwrap();
    for record in ["", "{}", "[1]", "{\"wgvae\": 3}"] {
        std::fs::write(path.join("run.json"), record).unwrap();
        let outcome = run::train(config(""), data(), &RunOptions { replace: true, ..options(&path) }, |_| ());
        assert!(matches!(outcome, Err(Error::Train(TrainError::Occupied(_)))), "{record}: {:?}", outcome.err());
    }
}
