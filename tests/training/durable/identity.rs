//! What a run is called in its record becomes a part of paths; checkpoints belong to one run and one step.

use std::path::Path;
use std::sync::Arc;

use wgvae::run::{self, Error, Resume, RunOptions};
use wgvae::train::{Checkpoint, Identity, TrainError};
use wgvae_data::disk::System;

use crate::common::folder::copy;
use crate::durable::runs::{config, data, go_on, model, options};

/// A run and all its files but the tree of a victim beside it, before and after.
fn edited(run: &Path, name: &serde_json::Value) {
    let record = run.join("run.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    json["run"] = name.clone();
    std::fs::write(record, json.to_string()).unwrap();
}

#[test]
fn a_run_is_named_by_hexadecimal_digits_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    run::train(config("[train]\nsteps = 6"), data(), &options(&whole), |_| ()).unwrap();
    let name = Identity::of(&whole).unwrap().run;
    let victim = folder.path().join("victim");
    std::fs::create_dir(&victim).unwrap();
    let long = "a".repeat(300);
    for (number, wrong) in [
        "/../../../victim/evil",
        "../victim/evil",
        "",
        ".",
        "..",
        "/",
        "a/b",
        "a b",
        "0123456789abcde",
        "0123456789ABCDEF",
        "0123456789abcdeg",
        "0123456789abcdef0",
        "0123456789abcde\n",
        "\u{202e}123456789abcdef",
        "0123456789abc\0ef",
        &long,
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(number.to_string());
        copy(&whole, &path);
        edited(&path, &wrong.into());
        let before = std::fs::read(path.join("run.json")).unwrap();
        assert!(Identity::of(&path).is_none(), "{wrong:?}");
        assert!(matches!(Resume::open(&path), Err(Error::Train(TrainError::NoRun(_)))), "{wrong:?}");
        let replaced = RunOptions { replace: true, ..options(&path) };
        let outcome = run::train(config(""), data(), &replaced, |_| ());
        assert!(matches!(outcome, Err(Error::Train(TrainError::Occupied(_)))), "{wrong:?}");
        assert_eq!(std::fs::read(path.join("run.json")).unwrap(), before);
        std::fs::remove_dir_all(&path).unwrap();
    }
    assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 0);
    edited(&whole, &name.clone().into());
    assert_eq!(Identity::of(&whole).unwrap().run, name);
}

/// Checkpoints of another run, or of another step, are named and left out, and neither removed nor counted.
#[test]
fn checkpoints_of_another_run_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [run, other] = ["run", "other"].map(|name| folder.path().join(name));
    run::train(config("[train]\nsteps = 12"), data(), &options(&run), |_| ()).unwrap();
    run::train(config("[train]\nsteps = 30\nseed = 9"), data(), &options(&other), |_| ()).unwrap();
    let expected = model(&run);
    let name = Identity::of(&run).unwrap().run;
    let of = |path: &Path| Checkpoint::all(&path.join("checkpoints"), &Identity::of(path).unwrap().run);
    let put = |from: &Checkpoint, step: u64| {
        let to = run.join(format!("checkpoints/step-{step:012}-{name}.json"));
        for ending in ["json", "safetensors"] {
            std::fs::copy(from.path.with_extension(ending), to.with_extension(ending)).unwrap();
        }
        to
    };
    let newest = of(&run)[0].step;
    // One of another run, and one of this run that claims to be further.
    let foreign = [put(&of(&other)[0], 500), put(&of(&run)[0], 400)];
    for _ in 0..2 {
        let from = Resume::open(&run).unwrap();
        assert_eq!(from.step(), newest);
        let left_out: Vec<&Path> = from.damaged.iter().map(|(path, _)| path.as_path()).collect();
        assert_eq!(left_out, foreign.each_ref().map(|path| path.as_path()));
        assert!(from.damaged.iter().all(|(_, reason)| reason.contains("its name is not that of what it holds")));
        drop(from);
        // With one to be kept, it is the run's own.
        go_on(&run, Arc::new(System), &RunOptions { keep: 1, ..options(&run) }).unwrap();
        assert!(foreign.iter().all(|path| path.exists() && path.with_extension("safetensors").exists()));
        assert!(of(&run).iter().any(|checkpoint| checkpoint.step == newest));
        assert!(model(&run) == expected);
    }
}
