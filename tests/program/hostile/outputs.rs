//! Results that could not be written to stdout are an error.

use std::process::Stdio;

use super::harness::{command, path, run_of_points};
use crate::common::full::full;

/// Names and words of files, and of files' names, reach no terminal as they are, but as JSON writes them.
#[test]
fn escape_sequences_are_shown_and_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "\u{1b}[31mred\u{202e}\u{9b}2J";
    let file = folder.path().join(format!("{evil}.csv"));
    let rows: String = (0..40).map(|row| format!("{}.5,{},{}\n", row % 7, row % 5, ["p", evil][row % 2])).collect();
    std::fs::write(&file, format!("{evil},b,class\n{rows}")).unwrap();
    let (file, missing) = (path(&file), path(&folder.path().join(evil)));
    let config = folder.path().join("config.toml");
    std::fs::write(
        &config,
        format!("[model]\n\"{}\" = 3\n", evil.replace('\u{1b}', "\\u001b").replace('\u{9b}', "\\u009b")),
    )
    .unwrap();
    let config = path(&config);
    let all: &[&[&str]] = &[
        &["data", &file, "--label", "class"],
        &["data", &file, "--label", "class", "--json"],
        &["data", &file, "--columns", evil],
        &["data", &file, "--strict", "--column", &format!("{evil}=count")],
        &["data", &missing],
        &["eval", &missing],
        &["plan", "--config", &config],
        &["plan", "--hidden", evil],
    ];
    let mut shown = 0;
    for args in all {
        let output = command(args).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{args:?}: {text:?}");
        shown += usize::from(text.contains("red"));
    }
    assert!(shown >= 6, "{shown} of {} show the name", all.len());
}

/// Where the system gives no memory, that is said, and the exit code is that of too little memory.
#[cfg(target_os = "linux")]
#[test]
fn too_little_memory_is_a_sentence() {
    let mut ended = 0;
    for mebibytes in [120, 200, 300] {
        let limited = format!("ulimit -v {}; exec \"$0\" \"$@\"", mebibytes << 10);
        let wgvae = env!("CARGO_BIN_EXE_wgvae");
        let args = ["-c", &limited, wgvae, "data", "strokes:count=1000000", "--no-preview"];
        let output = std::process::Command::new("sh").args(args).env("RAYON_NUM_THREADS", "1").output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(6), "{mebibytes} MiB: {error}");
        assert!(error.starts_with("wgvae: ") && error.contains("memory") && error.lines().count() == 1, "{error}");
        ended += 1;
    }
    assert_eq!(ended, 3);
}

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
