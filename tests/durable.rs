//! Nothing is lost: runs that are cut, killed, interrupted, or cannot write, go on to the same model; a folder has one owner.

mod common;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use wgvae::config::Config;
use wgvae::data::Dataset;
use wgvae::disk::{Disk, System};
use wgvae::executor::{Device, DeviceChoice, Executor};
use wgvae::gpu::{Gpu, GpuExecutor, GpuOptions};
use wgvae::kernels::rng::threefry2x32;
use wgvae::model::Vae;
use wgvae::oracle::Oracle;
use wgvae::run::{self, Error, Finished, Resume, RunOptions};
use wgvae::train::{
    Checkpoint, DeviceOptions, Event, Every, FORMAT, Identity, Origin, RunFolder, Saving, TrainError, Trainer, Tune,
    Watch,
};

/// Numbers below `end` that depend on a seed and a count alone.
fn random(seed: u32, count: u32, end: u64) -> u64 {
    let [low, high] = threefry2x32([seed, 7], [count, 0]);
    (u64::from(high) << 32 | u64::from(low)) % end
}

fn options(folder: &Path) -> RunOptions {
    let device = DeviceOptions { device: DeviceChoice::Cpu, tune: Tune::Off, ..DeviceOptions::default() };
    RunOptions {
        device,
        folder: Some(folder.to_path_buf()),
        checkpoint_every: Every::Steps(3),
        ..RunOptions::default()
    }
}

fn config(toml: &str) -> Config {
    let small = "[model]\nhidden = [5]\n[train]\nbatch = 16\nsteps = 40".parse().unwrap();
    let config = Config::resolve(Some("points"), None, small).unwrap();
    config.with_flags(toml.parse().unwrap()).unwrap()
}

fn data() -> Dataset {
    Dataset::load("points:count=150").unwrap()
}

fn model(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("model.safetensors")).unwrap()
}

/// Goes on with a run until it is finished or fails.
fn go_on(folder: &Path, disk: Arc<dyn Disk>, options: &RunOptions) -> Result<Finished, Error> {
    let from = Resume::open_on(folder, disk)?;
    run::resume(from, data(), options, &mut |_| Ok(()))
}

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
        run::train(config.clone(), data(), &with(&whole), &mut |_| Ok(())).unwrap();
        for cut in 0..7 {
            let path = folder.path().join(format!("cut {number} {cut}"));
            let options = with(&path);
            // Twice: what goes on is cut again.
            for _ in 0..2 {
                let after = random(number as u32, cuts, 40);
                cuts += 1;
                let mut watch = |event: Event<'_>| {
                    if let Event::Progress { report, .. } = event {
                        options.stop.store(report.step > after, Ordering::Relaxed);
                    }
                    Ok(())
                };
                let outcome = match Resume::open(&path) {
                    Ok(from) => run::resume(from, data(), &options, &mut watch),
                    Err(_) => run::train(config.clone(), data(), &options, &mut watch),
                };
                let stopped = matches!(outcome, Err(Error::Train(TrainError::Interrupted { .. })));
                assert!(stopped || outcome.is_ok(), "{:?}", outcome.err());
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

/// Lets so many calls succeed.
#[derive(Debug)]
struct Failing {
    left: AtomicUsize,
    calls: AtomicUsize,
}

impl Failing {
    fn after(calls: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(calls), calls: AtomicUsize::new(0) })
    }

    fn call<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
            Ok(_) => call(),
            Err(_) => Err(io::Error::other("the disk is full")),
        }
    }
}

impl Disk for Failing {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.call(|| System.create(path))
    }

    fn write(&self, file: &mut File, content: &[u8]) -> io::Result<()> {
        // What is written of a file before it fails: half.
        self.call(|| System.write(file, content)).inspect_err(|_| {
            let _ = System.write(file, &content[..content.len() / 2]);
        })
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.call(|| System.sync(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|| System.rename(from, to))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.call(|| System.sync_folder(folder))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(|| System.remove(path))
    }
}

/// Every call that changes files fails in turn, and all behind it: of a new run, of one that goes on, and of one that
/// replaces another. What was there before, or what was written, loads and goes on to the same model.
#[test]
fn a_disk_that_fails_at_any_call_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = config("[train]\nsteps = 14");
    let whole = folder.path().join("whole");
    let train = |path: &Path, replace: bool, disk: Arc<dyn Disk>| {
        let options = RunOptions { replace, disk, ..options(path) };
        run::train(config.clone(), data(), &options, &mut |_| Ok(()))
    };
    let counting = Failing::after(usize::MAX);
    train(&whole, false, counting.clone()).unwrap();
    let calls = counting.calls.load(Ordering::Relaxed);
    assert!(calls > 60, "{calls}");

    // All of them with scripts/soak.
    let stride = if kills() > 100 { 1 } else { 3 };
    for (n, at) in (0..calls).step_by(stride).enumerate() {
        let path = folder.path().join(format!("new {at}"));
        if let Err(error) = train(&path, false, Failing::after(at)) {
            assert!(error.to_string().contains("the disk is full"), "{error}");
        }
        // Before the record is written there is no run, and the folder can be used at once.
        match Identity::of(&path) {
            Some(_) => go_on(&path, Arc::new(System), &options(&path)),
            None => train(&path, false, Arc::new(System)),
        }
        .unwrap_or_else(|error| panic!("call {at}: {error}"));
        assert!(model(&path) == model(&whole), "call {at} of a new run");

        // Where a run goes on, the same calls fail.
        let path = folder.path().join(format!("resumed {at}"));
        train(&path, false, Failing::after(calls / 2)).unwrap_err();
        let last = Checkpoint::all(&path.join("checkpoints"), &Identity::of(&path).unwrap().run);
        let _ = go_on(&path, Failing::after(n), &options(&path));
        let now = Resume::open(&path).unwrap().step();
        assert!(now >= last[0].step, "call {n} of a resumed run lost step {}", last[0].step);
        go_on(&path, Arc::new(System), &options(&path)).unwrap();
        assert!(model(&path) == model(&whole), "call {n} of a resumed run");
    }

    // The old run has another seed. Either of the two is there afterwards.
    let old = folder.path().join("old");
    let other = config.with_flags("[train]\nseed = 3".parse().unwrap()).unwrap();
    run::train(other, data(), &options(&old), &mut |_| Ok(())).unwrap();
    for at in (0..calls + 20).step_by(2) {
        let path = folder.path().join(format!("replaced {at}"));
        copy(&old, &path);
        let _ = train(&path, true, Failing::after(at));
        go_on(&path, Arc::new(System), &options(&path)).unwrap_or_else(|error| panic!("call {at}: {error}"));
        assert!(model(&path) == model(&whole) || model(&path) == model(&old), "call {at} of a run that replaces");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

/// A damaged checkpoint is named and the one before it used; without a good one, training starts again.
#[test]
fn damaged_checkpoints_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    run::train(config(""), data(), &RunOptions { keep: 3, ..options(&whole) }, &mut |_| Ok(())).unwrap();
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
        run::resume(from, data(), &options(&path), &mut |_| Ok(())).unwrap();
        assert!(model(&path) == model(&whole), "{number} {ending}");
    }
    std::fs::remove_dir_all(whole.join("checkpoints")).unwrap();
    let before = model(&whole);
    assert_eq!(Resume::open(&whole).unwrap().step(), 0);
    go_on(&whole, Arc::new(System), &options(&whole)).unwrap();
    assert!(model(&whole) == before);
}

fn saving(run: &RunFolder, config: &Config, steps: u64) -> Saving {
    let origin = Origin {
        wgvae: String::new(),
        format: FORMAT,
        run: run.run().to_string(),
        config: config.clone(),
        data: String::new(),
        device: Device::cpu(),
        checked: false,
    };
    Saving { origin, every: Every::Steps(steps), keep: 100 }
}

/// A device that is destroyed says that all is well, and does nothing: no step is counted that did not run, and another
/// device goes on from the last checkpoint to the same model.
#[test]
fn a_lost_device_ends_the_run_in_order() {
    if common::gpu().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = config("[train]\nsteps = 60");
    let data = data();
    let spec = config.vae_spec(data.shape.len());
    let vae = Vae::new(&spec, &config.train_spec(), Config::data_spec(&data)).unwrap();
    let entry = wgvae::gpu::list(&wgvae::gpu::instance()).remove(0);
    let trainer = || {
        let gpu = Gpu::open(&entry, Default::default()).unwrap();
        let compiled = GpuExecutor::new(gpu.clone(), vae.program.clone(), &GpuOptions::default()).unwrap();
        let executor = Executor::Gpu(Box::new(compiled));
        (Trainer::new(&config, data.clone(), vae.clone(), executor, Device::cpu()).unwrap(), gpu)
    };
    let stop = AtomicBool::new(false);
    let train = |trainer: &mut Trainer, run: &mut RunFolder, watch: &mut Watch<'_>| {
        let saving = saving(run, &config, 4);
        trainer.train(run, &saving, &stop, watch)
    };
    let claim = |name: &str| RunFolder::claim(&folder.path().join(name), false, Arc::new(System)).unwrap();
    train(&mut trainer().0, &mut claim("whole"), &mut |_| Ok(())).unwrap();
    let expected = model(&folder.path().join("whole"));
    for number in 0..20 {
        let (mut lost, gpu) = trainer();
        let mut run = claim(&number.to_string());
        let at = random(9, number, 60);
        let mut counted = 0;
        let outcome = train(&mut lost, &mut run, &mut |event| {
            if let Event::Progress { report, .. } = event {
                counted = report.step;
                if report.step > at {
                    gpu.device.destroy();
                }
            }
            Ok(())
        });
        let error = outcome.err();
        if counted < 60 {
            assert!(matches!(error, Some(TrainError::Stopped { .. })), "{at}: {error:?}");
            let text = error.unwrap().to_string();
            assert!(text.contains("go on with: wgvae train --resume"), "{text}");
        }
        let (mut again, _) = trainer();
        if let Some(checkpoint) = run.checkpoints().first() {
            let manifest = checkpoint.manifest().unwrap();
            assert!(manifest.progress.step <= counted, "step {} of {counted}", manifest.progress.step);
            again.restore(&checkpoint.state(&manifest, &vae.program.params, 2).unwrap()).unwrap();
        }
        train(&mut again, &mut run, &mut |_| Ok(())).unwrap();
        assert!(model(run.path()) == expected, "lost after step {at}: another model");
    }
}

/// A number that is not finite, anywhere in the weights or the moments, is found before it is saved: training goes back and
/// ends with a model, and an interrupt saves nothing of it.
#[test]
fn what_is_not_finite_is_never_saved() {
    let folder = tempfile::tempdir().unwrap();
    let config = config("[train]\nsteps = 30");
    let data = data();
    let spec = config.vae_spec(data.shape.len());
    let vae = Vae::new(&spec, &config.train_spec(), Config::data_spec(&data)).unwrap();
    let tensors = [vae.weights, vae.moments[0], vae.moments[1]];
    for number in 0..100 {
        let executor = Executor::OracleF32(Box::new(Oracle::new(vae.program.clone())));
        let mut trainer = Trainer::new(&config, data.clone(), vae.clone(), executor, Device::cpu()).unwrap();
        let mut run = RunFolder::claim(&folder.path().join(number.to_string()), false, Arc::new(System)).unwrap();
        let saving = saving(&run, &config, 1 + random(5, number, 9));
        let stop = AtomicBool::new(false);
        let at = random(6, number, 30);
        let outcome = trainer.train(&mut run, &saving, &stop, &mut |event| {
            if let Event::Progress { report, .. } = event {
                stop.store(report.step > at, Ordering::Relaxed);
            }
            Ok(())
        });
        assert!(matches!(outcome, Err(TrainError::Interrupted { .. })) || at + 1 >= 30, "{:?}", outcome.err());

        let tensor = tensors[number as usize % 3];
        let param = vae.program.params.iter().nth(number as usize % 7).unwrap();
        let mut values = trainer.executor().read(tensor).unwrap();
        let place = param.offset + random(8, number, param.len() as u64) as usize;
        values[place] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][(number / 3) as usize % 3];
        trainer.executor().write(tensor, &values).unwrap();
        let mut rollbacks = 0;
        let interrupts = number % 2 == 0;
        stop.store(interrupts, Ordering::Relaxed);
        let finished = trainer.progress().step == 30;
        let outcome = trainer.train(&mut run, &saving, &stop, &mut |event| {
            rollbacks += u32::from(matches!(event, Event::Rollback(_)));
            Ok(())
        });
        let stopped = matches!(outcome, Err(TrainError::Interrupted { .. }));
        assert!(stopped && interrupts || outcome.is_ok() && (!interrupts || finished), "{:?}", outcome.err());
        assert!(interrupts || finished || rollbacks == 1, "{number}: {rollbacks} rollbacks");
        for checkpoint in run.checkpoints() {
            let manifest = checkpoint.manifest().unwrap();
            let state = checkpoint.state(&manifest, &vae.program.params, 2).unwrap();
            assert_eq!(state.not_finite(&vae.program.params), None);
        }
        wgvae::train::load(&run.file("model.safetensors"), &vae.program.params).unwrap();
    }
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
    run::train(epochs(3), data(), &options(&short), &mut |_| Ok(())).unwrap();
    run::train(epochs(6), data(), &options(&long), &mut |_| Ok(())).unwrap();
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
        assert!(error.contains(named) && error.contains("--fork"), "{error}");
    }
    let other = Dataset::load("points:count=151").unwrap();
    let outcome = run::resume(open(), other.clone(), &options(&short), &mut |_| Ok(()));
    assert!(matches!(outcome, Err(Error::OtherData(_))), "{:?}", outcome.err());
    // A fork leaves the run as it is.
    let fork = folder.path().join("fork");
    let before = model(&short);
    let mut changed = epochs(6);
    changed.train.lr = 0.01;
    let from = open().fork(&fork).unwrap().with(changed).unwrap();
    run::resume(from, other, &options(&fork), &mut |_| Ok(())).unwrap();
    assert!(model(&short) == before && model(&fork) != before && model(&fork) != model(&long));
    // Other shapes cannot be gone on from.
    let mut wider = epochs(6);
    wider.model.hidden = vec![6];
    let from = open().fork(&folder.path().join("wider")).unwrap().with(wider).unwrap();
    let error = run::resume(from, data(), &options(&fork), &mut |_| Ok(())).err().unwrap().to_string();
    assert!(error.contains("encoder.0.weight"), "{error}");
    assert!(!folder.path().join("wider").exists());

    run::resume(open().with(epochs(6)).unwrap(), data(), &options(&short), &mut |_| Ok(())).unwrap();
    assert!(model(&short) == model(&long));
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
    let finished = run::train(config, data(), &options(&path), &mut |event| {
        if let Event::Epoch(epoch) = event {
            losses.push(epoch.report.test_loss);
        }
        Ok(())
    })
    .unwrap();
    let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
    assert!(losses.len() < 200 && losses.len() == best + 5, "{losses:?}");
    assert_eq!(finished.summary.best_epoch, best + 1);
    let on = DeviceOptions { device: DeviceChoice::Cpu, ..DeviceOptions::default() };
    let mut model = wgvae::Applied::open(&finished.run, 16, &on, &mut |_| {}).unwrap();
    let test = data().test;
    let codes = model.encode(&test).unwrap();
    let figures = wgvae::Evaluation::of(&codes, &model.score(&test, 64).unwrap(), 64, model.width());
    let at = |epoch: usize| (figures.loss - losses[epoch]).abs();
    assert!(at(best) < at(losses.len() - 1), "{} is not {}, but rather {losses:?}", figures.loss, losses[best]);
    assert_eq!(finished.summary.test_loss, losses[best]);
}

fn program(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    for variable in ["WGVAE_DATA", "WGVAE_SEED", "WGVAE_OUT", "WGVAE_DEVICE", "WGPU_ADAPTER_NAME"] {
        command.env_remove(variable);
    }
    command.env("WGVAE_TUNE", "off").current_dir(folder).args(args).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

const RUN: [&str; 15] = [
    "train",
    "--device",
    "cpu",
    "--preset",
    "points",
    "--data",
    "points:count=300",
    "--hidden",
    "5",
    "--batch",
    "16",
    "--steps",
    "150",
    "--checkpoint-every",
    "5steps",
];

fn resumed(folder: &Path) -> Command {
    program(folder, &["train", "--device", "cpu", "--resume", "run", "--checkpoint-every", "5steps"])
}

/// Where there is a run, it goes on; else it begins.
fn begin_or_go_on(folder: &Path) -> Command {
    match folder.join("run/run.json").exists() {
        true => resumed(folder),
        false => program(folder, &[&RUN[..], &["--out", "run"]].concat()),
    }
}

fn finish(mut child: Child, within: Duration) -> (Option<i32>, String) {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < within, "still running after {within:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// How long a whole run takes, and its model.
fn whole(folder: &Path) -> (Duration, Vec<u8>) {
    let started = Instant::now();
    let (code, error) =
        finish(program(folder, &[&RUN[..], &["--out", "whole"]].concat()).spawn().unwrap(), Duration::from_secs(60));
    assert_eq!(code, Some(0), "{error}");
    (started.elapsed(), model(&folder.join("whole")))
}

fn kills() -> u32 {
    std::env::var("WGVAE_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(100)
}

/// Killed at random moments, every run goes on to the same model; every fourth replaces an older run.
#[test]
fn killed_runs_go_on_to_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let (took, expected) = whole(folder.path());
    let run = folder.path().join("run");
    let mut killed = 0;
    let mut round = 0;
    while killed < kills() {
        round += 1;
        let _ = std::fs::remove_dir_all(&run);
        let replaces = round % 4 == 0;
        if replaces {
            copy(&folder.path().join("whole"), &run);
        }
        for attempt in 0..6 {
            let mut child = match replaces && attempt == 0 {
                true => program(folder.path(), &[&RUN[..], &["--replace", "--out", "run"]].concat()),
                false => begin_or_go_on(folder.path()),
            }
            .spawn()
            .unwrap();
            let moment = random(2, killed * 7 + attempt, took.as_micros() as u64 * 2 / 3);
            std::thread::sleep(Duration::from_micros(moment));
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
            if replaces {
                assert!(run.join("run.json").exists(), "the old run is gone, and there is no new one");
            }
        }
        let (code, error) = finish(begin_or_go_on(folder.path()).spawn().unwrap(), Duration::from_secs(60));
        assert_eq!(code, Some(0), "{error}");
        assert!(model(&run) == expected, "round {round}: another model");
        let left: Vec<PathBuf> = std::fs::read_dir(&run).unwrap().flatten().map(|entry| entry.path()).collect();
        assert!(left.iter().all(|path| !path.to_string_lossy().ends_with(".part")), "{left:?}");
    }
}

/// Signals at random moments from the first on: 130 within five seconds, and the run goes on.
#[cfg(unix)]
#[test]
fn interrupted_runs_stop_at_once_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (took, expected) = whole(folder.path());
    let run = folder.path().join("run");
    for number in 0..kills() / 2 {
        let _ = std::fs::remove_dir_all(&run);
        let child = begin_or_go_on(folder.path()).spawn().unwrap();
        // Before the first instructions of the program the system ends it by itself.
        let moment = 15_000 + random(3, number, took.as_micros() as u64);
        std::thread::sleep(Duration::from_micros(moment));
        let signal = ["-INT", "-TERM", "-HUP"][number as usize % 3];
        Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status().unwrap();
        let (code, error) = finish(child, Duration::from_secs(5));
        assert!(
            code == Some(130) || code == Some(0) && run.join("report.html").exists(),
            "{signal} at {moment} us: {code:?} {error}"
        );
        let (code, error) = finish(begin_or_go_on(folder.path()).spawn().unwrap(), Duration::from_secs(60));
        assert_eq!(code, Some(0), "{error}");
        assert!(model(&run) == expected, "{signal} at {moment} us: another model");
    }
}

/// Of sixteen processes with one folder one trains, and with one default name each has its own.
#[test]
fn a_folder_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let race = |args: &[&str]| -> Vec<(Option<i32>, String)> {
        let children: Vec<Child> = (0..16).map(|_| program(folder.path(), args).spawn().unwrap()).collect();
        children.into_iter().map(|child| finish(child, Duration::from_secs(120))).collect()
    };
    let outcomes = race(&[&RUN[..], &["--out", "run"]].concat());
    let trained = outcomes.iter().filter(|(code, _)| *code == Some(0)).count();
    assert_eq!(trained, 1, "{outcomes:?}");
    for (code, error) in outcomes.iter().filter(|(code, _)| *code != Some(0)) {
        assert_eq!(*code, Some(2), "{error}");
        assert!(
            error.contains("another process is training in run") || error.contains("already holds a run"),
            "{error}"
        );
    }
    let outcomes = race(&RUN);
    assert!(outcomes.iter().all(|(code, _)| *code == Some(0)), "{outcomes:?}");
    let runs: Vec<PathBuf> =
        std::fs::read_dir(folder.path().join("runs")).unwrap().flatten().map(|e| e.path()).collect();
    assert_eq!(runs.len(), 16, "{runs:?}");
    assert!(runs.iter().all(|run| model(run) == model(&folder.path().join("run"))));
}

/// A limit on the size of files is an error like a full disk, and the run goes on without it.
#[cfg(unix)]
#[test]
fn a_limit_on_files_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (_, expected) = whole(folder.path());
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 2; exec \"$0\" \"$@\" --out run", env!("CARGO_BIN_EXE_wgvae")])
        .args(RUN)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("could not be written") && error.contains("too large"), "{error}");
    let (code, error) = finish(begin_or_go_on(folder.path()).spawn().unwrap(), Duration::from_secs(60));
    assert_eq!(code, Some(0), "{error}");
    assert!(model(&folder.path().join("run")) == expected);
}

/// Nobody reads what training prints: it trains on all the same.
#[cfg(unix)]
#[test]
fn a_reader_who_leaves_ends_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let (_, expected) = whole(folder.path());
    for (name, redirection) in
        [("pipe", "2>&1 | head -1"), ("out", "| head -1"), ("full", "2>/dev/full"), ("closed", "2>&-")]
    {
        let line = format!("\"$0\" \"$@\" --out {name} {redirection}");
        let output = Command::new("sh")
            .args(["-c", &line, env!("CARGO_BIN_EXE_wgvae")])
            .args(RUN)
            .env("WGVAE_TUNE", "off")
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}");
        let started = Instant::now();
        // The shell waits for `head` alone.
        while !folder.path().join(name).join("report.html").exists() {
            assert!(started.elapsed() < Duration::from_secs(30), "{name}: it did not train on");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(model(&folder.path().join(name)) == expected, "{name}");
    }
}
