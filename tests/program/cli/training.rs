//! Runs by the program: what they leave, what they print, what sets their options.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{json, path, text, tiny, wgvae};

#[test]
fn a_run_leaves_everything_it_promises() {
    let folder = tempfile::tempdir().unwrap();
    tiny(folder.path(), 40, 9);
    let data = path(folder.path());
    let run = |name: &str, extra: &[&str]| -> (Vec<Value>, PathBuf) {
        let out = folder.path().join(name);
        let out_text = path(&out);
        let mut args = vec!["train", "--data", &data, "--device", "cpu", "--json", "--out", &out_text];
        args.extend(extra);
        (json(&wgvae(&args)), out)
    };
    let flags = ["--hidden", "6", "--latent", "3", "--batch", "8", "--epochs", "3", "--seed", "7"];
    let (events, out) = run("first", &flags);
    let done = events.last().unwrap();
    assert_eq!(done["event"], "done");
    for key in [
        "run",
        "adapter",
        "epochs",
        "steps",
        "seconds",
        "steps_per_second",
        "train_loss",
        "test_loss",
        "test_recon",
        "test_kl",
    ] {
        assert!(!done[key].is_null(), "the last line has no {key}");
    }
    assert_eq!((&done["epochs"], &done["steps"]), (&3.into(), &15.into()));
    for name in [
        "config.toml",
        "run.json",
        "metrics.jsonl",
        "model.safetensors",
        "images/samples-001.png",
        "images/samples-003.png",
        "images/reconstructions-003.png",
    ] {
        assert!(out.join(name).is_file(), "there is no {name}");
    }
    let record: Value = serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    assert_eq!(record["seed"], 7);
    assert_eq!(record["device"]["kind"], "cpu");
    let lines = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().filter(|l| l.contains("\"event\":\"epoch\"")).count(), 3);

    // The saved configuration gives the same model again, byte for byte, also when written into the same folder.
    let model = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    let first = model(&out);
    let config = path(&out.join("config.toml"));
    let (_, again) = run("again", &["--config", &config]);
    assert_eq!(first, model(&again));
    let (_, over) = run("again", &["--config", &config, "--epochs", "1", "--replace"]);
    assert_ne!(first, model(&over));
    assert!(!over.join("images/samples-003.png").exists(), "the old run's pictures are still there");

    // A configuration that was edited is refused.
    std::fs::write(&config, std::fs::read_to_string(&config).unwrap() + "\n").unwrap();
    let output = wgvae(&["eval", &path(&out), "--device", "cpu"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));

    let file = safetensors::SafeTensors::deserialize(&first).unwrap();
    assert_eq!(file.tensor("encoder.0.weight").unwrap().shape(), [6, 12]);
    assert_eq!(file.tensor("mu.weight").unwrap().shape(), [3, 6]);
    assert_eq!(file.tensor("decoder.2.bias").unwrap().shape(), [12]);
}

#[test]
fn environment_and_flags_go_over_each_other() {
    let folder = tempfile::tempdir().unwrap();
    tiny(folder.path(), 40, 9);
    let run = |flag: Option<&str>| -> String {
        let out = folder.path().join("run");
        let mut command = Command::new(env!("CARGO_BIN_EXE_wgvae"));
        command
            .args(["train", "--device", "cpu", "--hidden", "4", "--batch", "8", "--steps", "1", "--replace", "--data"])
            .arg(folder.path())
            .arg("--out")
            .arg(&out)
            .env("WGVAE_SEED", "11");
        if let Some(seed) = flag {
            command.args(["--seed", seed]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        std::fs::read_to_string(out.join("config.toml")).unwrap()
    };
    assert!(run(None).contains("seed = 11"));
    assert!(run(Some("12")).contains("seed = 12"));
}

/// A flag that means something for the data's preset alone, and a path with a space, which comes back as it must be typed.
#[test]
fn the_data_decides_which_flags_mean_something() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..60).map(|i| format!("{},{}\n", i * 37 % 60, i * i % 61)).collect();
    let (data, run) = (folder.path().join("my rows.csv"), folder.path().join("my run"));
    std::fs::write(&data, format!("a,b\n{rows}")).unwrap();
    let train =
        ["train", "--data", &path(&data), "--sigma", "0.5", "--steps", "20", "--device", "cpu", "--out", &path(&run)];
    let done = wgvae(&train);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stdout).contains(&format!("wgvae eval '{}'", path(&run))), "{}", text(&done.stdout));
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("sigma = 0.5") && config.contains("likelihood = \"columns\""), "{config}");
    let refused =
        wgvae(&["train", "--data", "strokes:count=50", "--sigma", "0.5", "--out", &path(&folder.path().join("no"))]);
    assert!(
        text(&refused.stderr).contains("which have a scale, and likelihood is bernoulli"),
        "{}",
        text(&refused.stderr)
    );
}

/// While epochs are short, a line a second is printed, with the first and the last; and nothing if that is asked.
#[test]
fn little_is_said_of_many_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let train = |out: &str, more: &[&str]| {
        let out = path(&folder.path().join(out));
        let flags = ["train", "--preset", "points", "--data", "points:count=100", "--hidden", "4", "--batch", "64"];
        let output = wgvae(&[&flags[..], &["--device", "cpu", "--epochs", "300", "--out", &out], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let started = std::time::Instant::now();
    let said = train("lines", &[]);
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("epoch ")).collect();
    assert!(lines.len() as u64 <= started.elapsed().as_secs() + 2, "{said}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{said}");
    // The curve at the end is that of the test loss.
    assert!(said.lines().any(|line| line.starts_with("test     ") && line.contains("loss by epoch")), "{said}");
    assert!(lines[0].starts_with("epoch   1/300") && lines[lines.len() - 1].starts_with("epoch 300/300"), "{said}");
    // All of them are in the metrics.
    let metrics = std::fs::read_to_string(folder.path().join("lines/metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().filter(|line| line.contains("\"event\":\"epoch\"")).count(), 300);
    assert_eq!(train("quiet", &["--quiet"]), "");
}

/// A table on stdout whose reader leaves after its first line, as `head -1` does.
#[cfg(unix)]
#[test]
fn a_table_may_be_read_in_part() {
    use std::io::{BufRead, Read};
    let folder = tempfile::tempdir().unwrap();
    let run = path(&folder.path().join("run"));
    let train = [
        "train",
        "--preset",
        "points",
        "--data",
        "points:count=20000",
        "--steps",
        "5",
        "--device",
        "cpu",
        "--out",
        &run,
    ];
    assert!(wgvae(&train).status.success());
    let mut child = Command::new(env!("CARGO_BIN_EXE_wgvae"))
        .args(["encode", &run, "--to", "-", "--device", "cpu", "--data", "points:count=20000"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut lines = std::io::BufReader::with_capacity(64, child.stdout.take().unwrap());
    lines.read_line(&mut first).unwrap();
    drop(lines);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success() && first.starts_with("label,") && said.is_empty(), "{first}{said}");
}

/// The first Ctrl-C stops the run: the model is saved, and the exit code is 130.
#[cfg(unix)]
#[test]
fn an_interrupted_run_saves_its_model() {
    let folder = tempfile::tempdir().unwrap();
    tiny(folder.path(), 40, 9);
    let out = folder.path().join("run");
    let child = Command::new(env!("CARGO_BIN_EXE_wgvae"))
        .args(["train", "--device", "cpu", "--hidden", "4", "--batch", "8", "--steps", "100000000"])
        .arg("--data")
        .arg(folder.path())
        .arg("--out")
        .arg(&out)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let started = std::time::Instant::now();
    while !out.join("model.safetensors").exists() {
        assert!(started.elapsed().as_secs() < 60, "no epoch in a minute");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(error.contains("interrupted after step") && error.contains("go on with: wgvae train --resume"), "{error}");
    let model = std::fs::read(out.join("model.safetensors")).unwrap();
    assert!(safetensors::SafeTensors::deserialize(&model).is_ok());
}
