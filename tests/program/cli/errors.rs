//! Errors: one sentence, and the exit code of its kind.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{path, text, tiny, wgvae};

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
        (&["--lr", "-1"], 2, "lr is -1.0, and must be a positive number, from 1e-15 to 1e15 (--lr)"),
        (&["--lr", "nan"], 2, "lr is NaN, and must be a positive number"),
        (&["--epochs", "1", "--steps", "10"], 2, "cannot be used with"),
        (
            &["--objective", "ae", "--beta", "4"],
            2,
            "which have a KL term, and objective is ae: choose one of them, or leave beta out (--beta, --objective)",
        ),
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
