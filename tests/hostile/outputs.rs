//! Results that could not be written to stdout are an error.

use std::process::Stdio;

use super::harness::{command, path, run_of_points};
use crate::full::full;

#[test]
fn a_full_stdout_is_an_error() {
    let run = path(run_of_points());
    let run = run.as_str();
    let folder = tempfile::tempdir().unwrap();
    let codes = folder.path().join("codes.csv");
    std::fs::write(&codes, "mu_0,mu_1\n1,2\n").unwrap();
    let (codes, out) = (path(&codes), path(&folder.path().join("out.csv")));
    let page = path(&folder.path().join("page.html"));
    let exported = path(&folder.path().join("exported"));
    let device = ["--device", "cpu"];
    let commands: &[&[&str]] = &[
        &["--help"],
        &["--version"],
        &["man"],
        &["completions", "bash"],
        &["config"],
        &["devices", "--json"],
        &["plan", "--batch", "16"],
        &["kernels", "--batch", "16"],
        &["data", "points:count=9", "--no-preview"],
        &["data", "points:count=9", "--no-preview", "--json"],
        &["data", "export", "points:count=9", "--to", &exported],
        &["compare", run, "--to", &page],
    ];
    let applied: &[&[&str]] = &[
        &["eval", run],
        &["eval", run, "--json"],
        &["eval", run, "--to", "-"],
        &["sample", run, "--count", "5", "--to", "-"],
        &["sample", run, "--count", "5", "--to", &out],
        &["reconstruct", run, "--to", "-"],
        &["interpolate", run, "--to", "-"],
        &["traverse", run, "--to", "-"],
        &["encode", run, "--to", "-"],
        &["decode", run, &codes, "--to", "-"],
        &["anomaly", run, "--draws", "1", "--to", "-"],
        &["anomaly", run, "--draws", "1", "--to", &out, "--json"],
        &["restore", run, "--noise", "0.1", "--to", "-"],
        &["report", run, "--to", &page],
    ];
    let applied = applied.iter().map(|args| [args, &device[..]].concat());
    for args in commands.iter().map(|args| args.to_vec()).chain(applied) {
        let good = command(&args).output().unwrap();
        assert!(good.status.success(), "{args:?}: {}", String::from_utf8_lossy(&good.stderr));
        let _ = std::fs::remove_dir_all(&exported);
        let output = command(&args).stdout(full()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {error}");
        assert!(error.is_empty() || error.contains("the result could not be written to stdout"), "{args:?}: {error}");
        let _ = std::fs::remove_dir_all(&exported);
    }
    // A reader who has seen enough is none.
    let mut child = command(&["data", "points:count=9", "--no-preview"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
