//! The folder of a run is moved, or removed, while it is trained in.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::durable::processes::{program, training};
use crate::durable::runs::model;

/// A training of some seconds that saves every few steps.
fn started(folder: &Path, name: &str, steps: &str) -> Child {
    let args = [&training(steps, "200steps")[..], &["--out", name]].concat();
    program(folder, &args).stdout(Stdio::piped()).spawn().unwrap()
}

/// Waits until there is a checkpoint.
fn saved(run: &Path) {
    let started = Instant::now();
    let is_saved = || std::fs::read_dir(run.join("checkpoints")).is_ok_and(|entries| entries.count() > 1);
    while !is_saved() {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// It goes on where the folder is now, to the same model, and makes nothing where it was, even if there is another folder.
#[cfg(target_os = "linux")]
#[test]
fn a_run_goes_on_where_its_folder_is_moved() {
    let folder = tempfile::tempdir().unwrap();
    let whole = started(folder.path(), "whole", "20000").wait_with_output().unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    for (number, is_taken) in [false, true].into_iter().enumerate() {
        let (run, to) = (folder.path().join(format!("run {number}")), folder.path().join(format!("moved {number}")));
        let child = started(folder.path(), run.to_str().unwrap(), "20000");
        saved(&run);
        std::fs::rename(&run, &to).unwrap();
        if is_taken {
            std::fs::create_dir(&run).unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let [said, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        assert!(output.status.success(), "{error}");
        assert!(error.contains(&format!("the folder of the run is {} now", to.display())), "{error}");
        assert!(said.contains(&format!("model    {}/model.safetensors", to.display())), "{said}");
        match is_taken {
            true => assert_eq!(std::fs::read_dir(&run).unwrap().count(), 0),
            false => assert!(!run.exists()),
        }
        assert!(model(&to) == model(&folder.path().join("whole")) && to.join("report.html").exists());
        let left = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().ends_with(".part");
        assert_eq!(std::fs::read_dir(&to).unwrap().flatten().filter(left).count(), 0);
    }
}

/// Without its folder a run ends at once, says so, and makes no other.
#[cfg(unix)]
#[test]
fn a_run_without_its_folder_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut child = started(folder.path(), "run", "100000000");
    saved(&run);
    // Training may write into it while it is removed.
    while std::fs::remove_dir_all(&run).is_err() || run.exists() {}
    let removed = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(removed.elapsed() < Duration::from_secs(10), "it trains on");
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("the folder of the run, was removed") || error.contains("could not be written"), "{error}");
    assert!(!run.exists());
}
