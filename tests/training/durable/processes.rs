//! Whole processes: killed, interrupted, several at a time, without readers.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::folder::copy;
use crate::durable::runs::{kills, model, random};

pub fn program(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    for variable in ["WGVAE_DATA", "WGVAE_SEED", "WGVAE_OUT", "WGVAE_DEVICE", "WGPU_ADAPTER_NAME"] {
        command.env_remove(variable);
    }
    command.env("WGVAE_TUNE", "off").current_dir(folder).args(args).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A small training of so many steps, with a checkpoint every so often.
pub const fn training<'a>(steps: &'a str, every: &'a str) -> [&'a str; 15] {
    [
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
        steps,
        "--checkpoint-every",
        every,
    ]
}

const RUN: [&str; 15] = training("150", "5steps");

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

/// Forks with other batches, rates and ends that are killed at random moments go on to the same model, too; one that was killed before
/// its first checkpoint is made again by the same command.
#[test]
fn killed_forks_go_on_to_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let (took, _) = whole(folder.path());
    let variations: [&[&str]; 4] = [
        &["--steps", "300"],
        &["--steps", "260", "--batch", "24"],
        &["--steps", "310", "--lr", "0.004"],
        &["--steps", "200", "--batch", "7", "--seed", "5"],
    ];
    let fork = |number: usize, to: &str| {
        let words = ["train", "--device", "cpu", "--resume", "whole", "--checkpoint-every", "5steps", "--fork", to];
        program(folder.path(), &[&words[..], variations[number]].concat())
    };
    let mut expected = Vec::new();
    for number in 0..variations.len() {
        let name = format!("expected {number}");
        let (code, error) = finish(fork(number, &name).spawn().unwrap(), Duration::from_secs(60));
        assert_eq!(code, Some(0), "{error}");
        expected.push(model(&folder.path().join(name)));
    }
    let source = model(&folder.path().join("whole"));
    let run = folder.path().join("run");
    let has_begun = || {
        let all = std::fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
        let is_manifest = |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|ending| ending == "json");
        all.filter(is_manifest).count() > 0
    };
    let mut killed = 0;
    while killed < kills() {
        let number = random(11, killed, variations.len() as u64) as usize;
        let _ = std::fs::remove_dir_all(&run);
        let next = || if has_begun() { resumed(folder.path()) } else { fork(number, "run") };
        for attempt in 0..5 {
            let mut child = next().spawn().unwrap();
            let moment = random(12, killed * 5 + attempt, took.as_micros() as u64 * 2 / 3);
            std::thread::sleep(Duration::from_micros(moment));
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
        }
        let (code, error) = finish(next().spawn().unwrap(), Duration::from_secs(60));
        assert_eq!(code, Some(0), "{error}");
        assert!(model(&run) == expected[number], "{:?}: another model", variations[number]);
    }
    assert!(model(&folder.path().join("whole")) == source);
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
        let moment = random(3, number, took.as_micros() as u64);
        std::thread::sleep(Duration::from_micros(moment));
        let signal = ["-INT", "-TERM", "-HUP"][number as usize % 3];
        Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status().unwrap();
        let (code, error) = finish(child, Duration::from_secs(5));
        // Before its first instructions the system ends a process by itself; then it has claimed no folder either.
        let is_new = code.is_none() && !run.join("run.json").exists();
        let is_done = code == Some(0) && run.join("report.html").exists();
        assert!(code == Some(130) || is_new || is_done, "{signal} at {moment} us: {code:?} {error}");
        let (code, error) = finish(begin_or_go_on(folder.path()).spawn().unwrap(), Duration::from_secs(60));
        assert_eq!(code, Some(0), "{error}");
        assert!(model(&run) == expected, "{signal} at {moment} us: another model");
    }
}

/// One of sixteen processes with one folder trains; with one default name each has a folder of its own.
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
    for (name, redirection) in [("pipe", "2>&1 | head -1"), ("out", "| head -1"), ("full", ""), ("closed", "2>&-")] {
        let line = format!("\"$0\" \"$@\" --out {name} {redirection}");
        let mut shell = Command::new("sh");
        #[cfg(target_os = "linux")]
        if name == "full" {
            shell.stderr(crate::common::full::full());
        }
        let output = shell
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
