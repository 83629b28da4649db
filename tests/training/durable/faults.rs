//! The disk fails, the device is lost, a number is not finite.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wgvae::config::Config;
use wgvae::model::Vae;
use wgvae::run::{self, Resume, RunOptions};
use wgvae::train::{
    Checkpoint, DeviceOptions, Event, Identity, RunDescription, RunFolder, TrainError, Trainer, Tune, fingerprint,
};
use wgvae_data::disk::{Disk, System};
use wgvae_engine::exec::gpu::{GpuError, GpuOptions};
use wgvae_engine::exec::{DeviceChoice, DeviceError, OpenDevice};
use wgvae_engine::session::Session;

use crate::common;
use crate::common::folder::copy;
use crate::durable::disk::FailingDisk;
use crate::durable::processes::program;
use crate::durable::runs::{config, data, go_on, kills, model, options, random, saving};

/// Every call that changes files fails in turn, and all behind it: of a new run, of one that goes on, and of one that
/// replaces another. What was there before, or what was written, loads and goes on to the same model.
#[test]
fn a_disk_that_fails_at_any_call_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = config("[train]\nsteps = 14");
    let whole = folder.path().join("whole");
    let train = |path: &Path, replace: bool, disk: Arc<dyn Disk>| {
        let options = RunOptions { replace, disk, ..options(path) };
        run::train(config.clone(), data(), &options, |_| ())
    };
    let counting = FailingDisk::after(usize::MAX);
    train(&whole, false, counting.clone()).unwrap();
    let calls = counting.calls.load(Ordering::Relaxed);
    assert!(calls > 60, "{calls}");

    // All of them with scripts/soak.
    let stride = if kills() > 100 { 1 } else { 3 };
    for (n, at) in (0..calls).step_by(stride).enumerate() {
        let path = folder.path().join(format!("new {at}"));
        if let Err(error) = train(&path, false, FailingDisk::after(at)) {
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
        train(&path, false, FailingDisk::after(calls / 2)).unwrap_err();
        let last = Checkpoint::all(&path.join("checkpoints"), &Identity::of(&path).unwrap().run);
        let _ = go_on(&path, FailingDisk::after(n), &options(&path));
        let now = Resume::open(&path).unwrap().step();
        assert!(now >= last[0].step, "call {n} of a resumed run lost step {}", last[0].step);
        go_on(&path, Arc::new(System), &options(&path)).unwrap();
        assert!(model(&path) == model(&whole), "call {n} of a resumed run");
    }

    // The old run has another seed. Either of the two is there afterwards.
    let old = folder.path().join("old");
    let other = config.with_flags("[train]\nseed = 3".parse().unwrap()).unwrap();
    run::train(other, data(), &options(&old), |_| ()).unwrap();
    for at in (0..calls + 20).step_by(2) {
        let path = folder.path().join(format!("replaced {at}"));
        copy(&old, &path);
        let _ = train(&path, true, FailingDisk::after(at));
        go_on(&path, Arc::new(System), &options(&path)).unwrap_or_else(|error| panic!("call {at}: {error}"));
        assert!(model(&path) == model(&whole) || model(&path) == model(&old), "call {at} of a run that replaces");
    }
}

/// The configuration of the runs that lose their device.
const LOSING: &str = "[data]\nsource = \"points:count=150\"\n[train]\nsteps = 60";
/// Says to the child process where its folder is.
const LOSING_IN: &str = "WGVAE_TEST_LOSING_IN";
/// Says to the child process after which step its device is destroyed.
const LOSING_AT: &str = "WGVAE_TEST_LOSING_AT";

fn on_the_adapter() -> DeviceOptions {
    DeviceOptions { device: DeviceChoice::Adapter, tune: Tune::Off, ..DeviceOptions::default() }
}

/// What the process of [`a_lost_device_ends_the_run_in_order`] does; by itself, nothing.
#[test]
#[ignore = "it is the child of another test"]
fn child_that_loses_its_device() {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(path), Some(at)) = (variable(LOSING_IN), variable(LOSING_AT)) else { return };
    let at: u64 = at.parse().unwrap();
    let (mut config, data) = (config(LOSING), data());
    let vae = Vae::new(&config.vae_spec(data.shape).unwrap(), &config.train_spec(), Config::data_spec(&data)).unwrap();
    let on = on_the_adapter();
    let selected = on.select(&mut |_| {}).unwrap();
    let session = on.open(&selected, &mut config, &vae, false, &mut |_| {}).unwrap();
    let mut run = RunFolder::claim(Path::new(&path), false, Arc::new(System)).unwrap();
    let description = RunDescription {
        configuration: config.clone(),
        config: config.to_toml().unwrap(),
        data: serde_json::to_string(&data.description()).unwrap(),
        ..RunDescription::default()
    };
    run.begin(description, Vec::new()).unwrap();
    let mut saving = saving(&run, &config, 4);
    saving.origin.data = fingerprint(&data, false);
    let mut trainer = Trainer::new(&config, data, vae, session).unwrap();
    let open = trainer.session().open_device().clone();
    let mut counted = 0;
    let outcome = trainer.train(&mut run, &saving, &AtomicBool::new(false), &mut |event| {
        if let Event::Progress { report, .. } = event {
            counted = report.step;
            if report.step > at {
                open.gpu().unwrap().device.destroy();
            }
        }
        Ok(())
    });
    println!("steps counted: {counted}");
    if let Err(error) = outcome {
        let is_lost = match &error {
            TrainError::Device(error) | TrainError::Failed { error, .. } => {
                matches!(error, DeviceError::Gpu(GpuError::Lost(_)))
            }
            _ => false,
        };
        eprintln!("wgvae: {}", run::Error::from(error));
        std::process::exit(if is_lost { 6 } else { 1 });
    }
}

/// A device that is destroyed says that all is well, and does nothing: no step is counted that did not run, the process
/// ends with 6 and says which run to resume, and resuming it gives the same model.
#[test]
fn a_lost_device_ends_the_run_in_order() {
    if common::gpu().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let child = |name: &str, at: u64| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "durable::faults::child_that_loses_its_device", "--ignored", "--nocapture"])
            .env(LOSING_IN, name)
            .env(LOSING_AT, at.to_string())
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    assert!(child("whole", u64::MAX).status.success());
    let expected = model(&folder.path().join("whole"));
    let mut lost = 0;
    // Each opens an adapter twice: half a second.
    let count = if kills() > 100 { kills() } else { kills() / 2 };
    for number in 0..count {
        let name = number.to_string();
        let at = random(9, number, 58);
        let output = child(&name, at);
        let (stdout, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let counted = stdout.lines().find_map(|line| line.split_once("steps counted: ")).unwrap().1;
        let counted: u64 = counted.trim().parse().unwrap();
        let path = folder.path().join(&name);
        if counted < 60 {
            lost += 1;
            assert_eq!(output.status.code(), Some(6), "{at}: {error}");
            assert!(
                error.contains(&format!("; the run in {name} can be resumed from its last checkpoint\n")),
                "{error}"
            );
            assert!(!error.contains("panicked"), "{error}");
        }
        let newest = Checkpoint::all(&path.join("checkpoints"), &Identity::of(&path).unwrap().run);
        let reached = newest.first().map_or(0, |checkpoint| checkpoint.step);
        assert!(reached <= counted, "a checkpoint of step {reached}, and {counted} steps were counted");
        // Through the program, which draws the page too, some of them.
        if number % 10 == 0 {
            let resumed =
                program(folder.path(), &["train", "--device", "adapter", "--resume", &name]).output().unwrap();
            assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
        } else {
            let on = RunOptions { device: on_the_adapter(), ..RunOptions::default() };
            go_on(&path, Arc::new(System), &on).unwrap();
        }
        assert!(model(&path) == expected, "lost after step {at}: another model");
    }
    assert!(lost > count / 2, "{lost}");
}

/// A number that is not finite, anywhere in the weights or the moments, is found before it is saved: training goes back and
/// ends with a model, and an interrupt saves nothing of it.
#[test]
fn what_is_not_finite_is_never_saved() {
    let folder = tempfile::tempdir().unwrap();
    let config = config("[train]\nsteps = 30");
    let data = data();
    let spec = config.vae_spec(data.shape).unwrap();
    let vae = Vae::new(&spec, &config.train_spec(), Config::data_spec(&data)).unwrap();
    let tensors = [vae.weights, vae.moments[0], vae.moments[1]];
    for number in 0..100 {
        let session = Session::of_program(vae.program.clone(), &OpenDevice::Oracle, &GpuOptions::default()).unwrap();
        let mut trainer = Trainer::new(&config, data.clone(), vae.clone(), session).unwrap();
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
        assert!(matches!(&outcome, Ok(ended) if ended.stopped) || at + 1 >= 30, "{:?}", outcome.err());

        let tensor = tensors[number as usize % 3];
        let param = vae.program.params.iter().nth(number as usize % 7).unwrap();
        let mut values = trainer.session().read(tensor).unwrap();
        let place = param.offset + random(8, number, param.len() as u64) as usize;
        values[place] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][(number / 3) as usize % 3];
        trainer.session().write(tensor, &values).unwrap();
        let mut rollbacks = 0;
        let interrupts = number % 2 == 0;
        stop.store(interrupts, Ordering::Relaxed);
        let finished = trainer.progress().step == 30;
        let outcome = trainer.train(&mut run, &saving, &stop, &mut |event| {
            rollbacks += u32::from(matches!(event, Event::Rollback(_)));
            Ok(())
        });
        let stopped = matches!(&outcome, Ok(ended) if ended.stopped);
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
