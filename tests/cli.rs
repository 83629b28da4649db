//! The command line: commands, outputs, wrong inputs, exit codes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use wgvae::config::PRESETS;
use wgvae::model::Likelihood;
use wgvae_engine::plan::{Activation, Family, FuseRule};

fn wgvae(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    for variable in ["WGVAE_DATA", "WGVAE_SEED", "WGVAE_OUT", "WGVAE_DEVICE", "WGPU_ADAPTER_NAME"] {
        command.env_remove(variable);
    }
    // Tuning has tests of its own.
    command.env("WGVAE_TUNE", "off").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .collect()
}

fn idx(extents: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, extents.len() as u8];
    file.extend(extents.iter().flat_map(|e| e.to_be_bytes()));
    file.extend(bytes);
    file
}

/// A folder of tiny IDX images.
fn tiny(folder: &Path, train: u32, test: u32) {
    for (name, rows) in [("train", train), ("t10k", test)] {
        let pixels: Vec<u8> = (0..rows * 12).map(|i| (i * 37 % 251) as u8).collect();
        std::fs::write(folder.join(format!("{name}-images-idx3-ubyte")), idx(&[rows, 3, 4], &pixels)).unwrap();
    }
}

fn path(folder: &Path) -> String {
    folder.to_str().unwrap().to_string()
}

#[test]
fn wrong_inputs_get_one_sentence_and_the_right_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    };
    let good = make("good");
    tiny(&good, 10, 5);
    let good = path(&good);
    let cut = make("cut");
    tiny(&cut, 10, 5);
    let images = cut.join("train-images-idx3-ubyte");
    let bytes = std::fs::read(&images).unwrap();
    std::fs::write(&images, &bytes[..60]).unwrap();
    let cut = path(&cut);
    let empty = path(&make("empty"));
    let occupied = make("occupied");
    std::fs::write(occupied.join("thesis.tex"), "\\relax").unwrap();
    let occupied = path(&occupied);
    let bad_toml = folder.path().join("bad.toml");
    std::fs::write(&bad_toml, "[model]\nlatnet = 3\n").unwrap();
    let bad_toml = path(&bad_toml);
    let missing = path(&folder.path().join("missing"));
    let out = path(&folder.path().join("out"));

    let cases: &[(&[&str], i32, &str)] = &[
        (&["--preset", "dnse"], 2, "there is no preset `dnse`"),
        (&["--config", &missing], 3, "could not be read"),
        (&["--config", &bad_toml], 2, "unknown field `latnet`"),
        (&["--data", &missing], 3, "there is no data at"),
        (&["--data", &empty], 3, "has no train-images-idx3-ubyte"),
        (&["--data", &cut], 3, "cut short: the header promises 120 bytes"),
        (&["--data", "points:spiral", "--preset", "points"], 2, "no option `spiral`"),
        (&["--data", "strokes:count=0"], 2, "count takes a number"),
        (&["--data", &good, "--batch", "11"], 2, "larger than the training data, which has 10"),
        (&["--latent", "0"], 2, "latent is 0"),
        (&["--batch", "0"], 2, "batch is 0"),
        (&["--hidden", "400,0"], 2, "above 0"),
        (&["--hidden", "wide"], 2, "whole numbers"),
        (&["--lr", "-1"], 2, "learning rate must be a positive number"),
        (&["--lr", "nan"], 2, "learning rate must be a positive number"),
        (&["--epochs", "1", "--steps", "10"], 2, "cannot be used with"),
        (&["--objective", "ae", "--beta", "4"], 2, "no KL term"),
        (&["--objective", "beta-tc", "--batch", "1"], 2, "compare the rows of a batch"),
        (&["--likelihood", "logistic", "--binarise", "draw"], 2, "makes zeros and ones of them"),
        (&["--nesterov"], 2, "nesterov needs sgd"),
        (&["--tied", "--decoder-hidden", "3"], 2, "mirror"),
        (&["--preset", "dense", "--data", "points"], 2, "the bernoulli likelihood needs levels"),
        (&["--activation", "rleu"], 2, "invalid value 'rleu'"),
        (&["--seed", "x"], 2, "invalid value 'x'"),
        (
            &["--data", &good, "--batch", "5", "--device", "no such card"],
            4,
            "no adapter has `no such card` in its name",
        ),
        (
            &["--data", &good, "--batch", "5", "--device", "99"],
            4,
            "there is no adapter number 99, and none has 99 in its name",
        ),
        (
            &["--data", &good, "--batch", "5", "--device", "cpu", "--out", &occupied],
            2,
            "holds files that are not a run",
        ),
    ];
    for (args, code, reason) in cases {
        let mut all = vec!["train"];
        all.extend(*args);
        if !args.contains(&"--out") {
            all.extend(["--out", &out]);
        }
        let output = wgvae(&all);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {error}");
        assert!(error.contains(reason), "{args:?}: {error}");
        assert!(!error.contains("panicked"), "{args:?}: {error}");
        assert!(output.stdout.is_empty(), "{args:?} printed {}", text(&output.stdout));
        assert!(!Path::new(&out).exists(), "{args:?} left a run folder behind");
        let from_us = error.lines().filter(|l| l.starts_with("wgvae: ")).count();
        let from_clap = error.lines().filter(|l| l.starts_with("error: ")).count();
        assert!(from_us + from_clap >= 1, "{args:?}: {error}");
    }
    assert!(Path::new(&occupied).join("thesis.tex").exists());
}

/// A run that diverges ends with its own exit code.
#[test]
fn divergence_has_its_own_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    tiny(folder.path(), 40, 5);
    let out = folder.path().join("run");
    let data = path(folder.path());
    // Found in the loss of the next step, or in the test loss if there is no next step.
    for steps in ["50", "1"] {
        let out = out.join(steps);
        let output = wgvae(&[
            "train",
            "--data",
            &data,
            "--device",
            "cpu",
            "--likelihood",
            "mse",
            "--optimizer",
            "sgd",
            "--lr",
            "1e15",
            "--batch",
            "8",
            "--steps",
            steps,
            "--out",
            &path(&out),
        ]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{error}");
        assert!(error.contains("training diverged: step "), "{error}");
        assert!(!out.join("model.safetensors").exists(), "a ruined model was saved");
    }
}

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
        text(&refused.stderr).contains("sigma applies only to likelihoods with a scale"),
        "{}",
        text(&refused.stderr)
    );
}

#[test]
fn the_plan_is_printed_as_a_table_and_as_json() {
    let output = wgvae(&["plan", "--preset", "dense", "--json"]);
    let plan = &json(&output)[0];
    assert!(plan["dispatches"].as_u64().unwrap() <= 16);
    assert!(plan["stages"].as_u64().unwrap() <= 10);
    assert_eq!(plan["parameters"], 652_824);
    assert!(plan["flops_per_step"].as_u64().unwrap() > 400_000_000);
    let ops = plan["ops"].as_array().unwrap();
    assert_eq!(ops.len() as u64, plan["dispatches"].as_u64().unwrap());
    assert_eq!(ops[1]["tensors"][1]["shape"], serde_json::json!([400, 784]));

    let output = wgvae(&["plan", "--preset", "autoencoder", "--which", "evaluate"]);
    let table = text(&output.stdout);
    assert!(output.status.success() && table.contains("code forward"), "{table}");
    let output = wgvae(&["plan", "--preset", "autoencoder", "--which", "sample"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("has no plan `sample`"));
}

#[test]
fn devices_and_doctor_answer() {
    let output = wgvae(&["devices"]);
    assert!(output.status.success() && text(&output.stdout).contains("cpu"));
    let output = wgvae(&["doctor", "--device", "cpu", "--json"]);
    let report = &json(&output)[0];
    assert_eq!(report["healthy"], true);
    // Every kernel family, and every preset's model, lowered and fused.
    assert_eq!(report["families"].as_object().unwrap().len(), Family::ALL.len() + 1);
    assert_eq!(report["families"]["models"]["cases"], 2 * PRESETS.len());
    assert_eq!(report["models"][1], "model dense, fused");
    let report = &json(&wgvae(&["doctor", "--device", "cpu", "--json", "--no-fuse"]))[0];
    assert_eq!(report["families"]["models"]["cases"], PRESETS.len());
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

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("man");
    assert!(wgvae(&["man", "--to", &path(&to)]).status.success());
    for (command, page) in
        [(&["man"][..], "wgvae.1"), (&["man", "train"], "wgvae-train.1"), (&["man", "eval"], "wgvae-eval.1")]
    {
        let output = wgvae(command);
        assert!(output.status.success() && text(&output.stdout).contains(".SH SYNOPSIS"), "{command:?}");
        assert_eq!(output.stdout, std::fs::read(to.join(page)).unwrap(), "{command:?}");
        assert_eq!(text(&output.stdout).matches(".SH NAME").count(), 1);
    }
    let output = wgvae(&["man", "--to", &path(&to.join("wgvae.1/within"))]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("within could not be written"), "{}", text(&output.stderr));
    let output = wgvae(&["man", "nothing"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no command `nothing`"));
}

/// Mesa looks for a desktop only where there is one.
#[test]
fn nothing_is_said_of_a_desktop_that_is_not_there() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    for variable in ["XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY"] {
        command.env_remove(variable);
    }
    let output = command.arg("devices").output().unwrap();
    assert_eq!(text(&output.stderr), "");
}

/// The plan without fusing is longer and trains to the same loss, and the run records that it was not fused.
#[test]
fn plans_can_be_run_without_fusing() {
    let plan = |flags: &[&str]| json(&wgvae(&[&["plan", "--json", "--preset", "dense"], flags].concat()))[0].clone();
    let (fused, lowered) = (plan(&[]), plan(&["--no-fuse"]));
    assert_eq!((fused["dispatches"].as_u64(), fused["stages"].as_u64()), (Some(15), Some(10)));
    assert!(lowered["dispatches"].as_u64() > Some(30), "{lowered}");
    let ops = |plan: &serde_json::Value| plan["ops"].as_array().unwrap().clone();
    assert!(ops(&lowered).iter().all(|op| op["fused"].as_array().unwrap().is_empty()));
    let rules: Vec<String> = ops(&fused)
        .iter()
        .flat_map(|op| ["fused", "begins"].map(|list| op[list].as_array().unwrap().clone()).concat())
        .map(|taken| taken["rule"].as_str().unwrap().to_string())
        .collect();
    let help = text(&wgvae(&["plan", "--help"]).stdout);
    for rule in FuseRule::ALL.map(FuseRule::name) {
        assert!(rules.iter().any(|used| used == rule), "{rule} is not among {rules:?}");
        assert!(help.contains(&format!("\n  {rule} ")), "{help}");
    }
    assert_eq!((&fused["fuse"], &lowered["fuse"]), (&true.into(), &false.into()));
    assert_eq!(fused["lowered_ops"], lowered["dispatches"]);
    let shown = text(&wgvae(&["plan", "--preset", "dense"]).stdout);
    assert!(shown.contains("with encoder.0.pre (bias), encoder.0.out (epilogue)"), "{shown}");
    assert!(shown.contains("epilogue: normal, reparameterise, kl"), "{shown}");

    let folder = tempfile::tempdir().unwrap();
    let losses = ["fused", "lowered"].map(|name| {
        let out = folder.path().join(name);
        let mut args =
            vec!["train", "--preset", "points", "--data", "points:count=300", "--steps", "20", "--tune", "off"];
        args.extend(["--device", "cpu", "--json", "--out", out.to_str().unwrap()]);
        args.extend((name == "lowered").then_some("--no-fuse"));
        let events = json(&wgvae(&args));
        let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
        assert_eq!(config.contains("fuse = false"), name == "lowered", "{config}");
        events.last().unwrap()["test_loss"].as_f64().unwrap()
    });
    assert!((losses[0] / losses[1] - 1.0).abs() < 1e-5, "{losses:?}");
}

/// The help names every command and every preset.
#[test]
fn help_is_complete() {
    let help = text(&wgvae(&["--help"]).stdout);
    // The README names what can be chosen.
    let readme = include_str!("../README.md");
    for name in Activation::ALL.map(Activation::name).iter().chain(&Likelihood::ALL.map(Likelihood::name)) {
        assert!(readme.contains(&format!("`{name}`")), "the README does not name {name}");
    }
    for command in ["train", "plan", "devices", "doctor"] {
        assert!(help.contains(command), "{command}");
    }
    let help = text(&wgvae(&["train", "--help"]).stdout);
    for (preset, _) in wgvae::config::PRESETS {
        assert!(help.contains(preset), "{preset}");
    }
}

/// Closing the pipe early is not an error.
#[cfg(unix)]
#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wgvae"))
        .args(["plan"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
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

/// With `--json` an error is an object on stderr, and stdout stays empty.
#[test]
fn errors_are_json_where_results_are() {
    let folder = tempfile::tempdir().unwrap();
    let missing = path(&folder.path().join("missing"));
    for (args, code, reason) in [
        (&["eval", &missing, "--json"][..], 3, "holds no finished run"),
        (&["train", "--json", "--data", &missing], 3, "there is no data at"),
        (&["train", "--json", "--preset", "dnse"], 2, "there is no preset `dnse`"),
        (&["train", "--json", "mnist/"], 2, "--data mnist/"),
        (&["train", "--json", "--latent", "8,16"], 2, "latent: one number, and `8,16` is a list"),
        (&["eval", "--json"], 2, "the following required arguments were not provided"),
    ] {
        let output = wgvae(args);
        let message = text(&output.stderr);
        let error: Value = serde_json::from_str(&message).unwrap_or_else(|e| panic!("{args:?}: {message}: {e}"));
        assert_eq!((output.status.code(), &error["exit_code"]), (Some(code), &code.into()), "{args:?}: {message}");
        let said = error["error"].as_str().unwrap();
        assert!(said.contains(reason) && !said.contains('\n') && !said.contains("Usage"), "{args:?}: {message}");
        assert!(output.stdout.is_empty());
    }
    // Help is help, and what follows `--` is no flag.
    assert!(text(&wgvae(&["eval", "--json", "--help"]).stdout).contains("Usage"));
    assert!(text(&wgvae(&["eval", "--", "--json"]).stderr).starts_with("wgvae: "));
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

/// Without any adapter the CPU is used, with a hint on how to get one; `--device gpu` is an error.
#[cfg(target_os = "linux")]
#[test]
fn without_an_adapter_the_cpu_stands_in() {
    let folder = tempfile::tempdir().unwrap();
    tiny(folder.path(), 40, 9);
    let run = |device: &str| -> Output {
        Command::new(env!("CARGO_BIN_EXE_wgvae"))
            .args(["train", "--hidden", "4", "--batch", "8", "--steps", "5", "--device", device, "--data"])
            .arg(folder.path())
            .arg("--out")
            .arg(folder.path().join(device))
            .env_remove("WGPU_BACKEND")
            .env("VK_DRIVER_FILES", "/nonexistent.json")
            .env("VK_ICD_FILENAMES", "/nonexistent.json")
            .output()
            .unwrap()
    };
    let output = run("auto");
    let error = text(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert!(error.contains("no GPU adapter was found") && error.contains("mesa-vulkan-drivers"), "{error}");
    assert!(text(&output.stdout).contains("processor"));
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    doctor.arg("doctor").env_remove("WGPU_BACKEND").env("VK_DRIVER_FILES", "/nonexistent.json");
    let output = doctor.env("VK_ICD_FILENAMES", "/nonexistent.json").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("no adapter was tested"), "{}", text(&output.stderr));
    for (backend, why) in [("vulcan", "names `vulcan`, which is no backend"), ("gl", "does not use")] {
        let mut devices = Command::new(env!("CARGO_BIN_EXE_wgvae"));
        let output = devices.arg("devices").env("WGPU_BACKEND", backend).output().unwrap();
        assert!(text(&output.stdout).contains(why), "{}", text(&output.stdout));
    }
    let output = run("gpu");
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("no adapter is a GPU; this machine has no usable adapter: install"));
}
