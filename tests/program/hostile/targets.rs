//! Random places for results: links, pipes, devices, descriptors, long and predictable names. Nothing that was there is lost, and what
//! is printed is what was written.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::harness::{Draws, SOON, command, path, run_of_points, wgvae};
use crate::common::folder::copy;

/// Targets that are tried; `WGVAE_TARGETS` asks for more.
fn targets() -> u64 {
    std::env::var("WGVAE_TARGETS").ok().and_then(|number| number.parse().ok()).unwrap_or(100)
}

/// Commands that write a result, the endings of what they write, and the name in a run's folder that they take by themselves.
const COMMANDS: [(&[&str], &[&str], &str); 8] = [
    (&["eval"], &["json"], "eval.json"),
    (&["sample", "--count", "5"], &["csv", "png", "npy", "npz", "json", "parquet"], "samples.png"),
    (&["reconstruct"], &["csv", "png", "npy", "npz"], "reconstructions.png"),
    (&["encode"], &["csv", "npy", "npz", "json"], "codes.csv"),
    (&["anomaly", "--draws", "1"], &["csv", "npz", "parquet"], "anomaly.csv"),
    (&["restore", "--noise", "0.1"], &["csv", "npz"], "restored.png"),
    (&["augment", "--count", "5"], &["csv", "npy", "npz", "json", "parquet"], "augmented.csv"),
    (&["report"], &["html"], "report.html"),
];

/// All regular files below a folder with their content.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => all.extend(contents(&entry.path())),
            kind if kind.is_file() => all.push((entry.path(), fs::read(entry.path()).unwrap())),
            _ => {}
        }
    }
    all.sort();
    all
}

/// Every kind of place with random commands: a victim keeps its bytes, a file its permissions, no part of a file is left.
#[test]
fn nothing_that_was_there_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let victims = folder.path().join("victims");
    fs::create_dir_all(victims.join("folder")).unwrap();
    for name in ["bashrc", "train.csv", "folder/deep.npy"] {
        fs::write(victims.join(name), format!("precious {name}")).unwrap();
    }
    let precious = contents(&victims);
    let mut draws = Draws(30);
    for number in 0..targets() {
        let place = folder.path().join(number.to_string());
        let run = place.join("run");
        copy(run_of_points(), &run);
        let (words, endings, default) = COMMANDS[draws.below(COMMANDS.len())];
        let ending = endings[draws.below(endings.len())];
        let is_default = draws.below(3) == 0;
        let to = match is_default {
            true => run.join(default),
            // Names of 244 bytes were the first that had no room for a temporary name.
            false => {
                place.join(format!("{}.{ending}", "x".repeat([1, 12, 239, 255 - ending.len() - 1][draws.below(4)])))
            }
        };
        let victim = victims.join(["bashrc", "train.csv", "folder", "nothing-yet"][draws.below(4)]);
        let _ = fs::remove_file(&to);
        // A device has no place beside it for the labels of an array.
        let kind = if ending == "npy" { draws.below(3) } else { draws.below(5) };
        let mode = [0o600, 0o640, 0o660][draws.below(3)];
        match kind {
            0 => symlink(&victim, &to).unwrap(),
            1 => {
                // Several links, one after the other.
                symlink(&victim, place.join("second")).unwrap();
                symlink("second", place.join("first")).unwrap();
                symlink(place.join("first"), &to).unwrap();
            }
            2 => {
                fs::write(&to, "old").unwrap();
                fs::set_permissions(&to, fs::Permissions::from_mode(mode)).unwrap();
            }
            3 => symlink("/dev/null", &to).unwrap(),
            // Names that could be guessed are taken by links.
            _ => {
                for count in 0..3 {
                    let name = to.file_name().unwrap().to_string_lossy();
                    let short = format!(".{}.{}-{count}.part", &name[..name.len().min(200)], std::process::id());
                    symlink(&victim, to.with_file_name(short)).unwrap();
                }
            }
        }
        let run = path(&run);
        let mut args = vec![words[0], run.as_str()];
        args.extend(&words[1..]);
        args.extend(["--device", "cpu"]);
        let written = path(&to);
        if !is_default {
            args.extend(["--to", &written]);
        }
        let what = format!("{number}: kind {kind}, {args:?}");
        let ended = wgvae(&args);
        ended.expect(0, "");
        assert_eq!(contents(&victims), precious, "{what}");
        assert_eq!(fs::read_dir(&victims).unwrap().count(), 3, "{what}");
        assert!(ended.stdout.contains(&format!("written  {written}")), "{what}: {}", ended.stdout);
        let there = fs::symlink_metadata(&to).unwrap();
        match kind {
            3 => {
                assert!(there.is_symlink() && fs::metadata("/dev/null").unwrap().file_type().is_char_device(), "{what}")
            }
            _ => assert!(there.is_file() && there.len() > 0, "{what}"),
        }
        if kind == 2 {
            assert_eq!(there.permissions().mode() & 0o777, mode, "{what}");
        }
        let left = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".wgvae-");
        assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().flatten().filter(left).count(), 0, "{what}");
        fs::remove_dir_all(&place).unwrap();
    }
}

/// Descriptors are written to where they stand: what is in a file before them stays, and what comes behind follows.
#[test]
fn descriptors_are_written_to_and_never_renamed_over() {
    let folder = tempfile::tempdir().unwrap();
    let run = path(run_of_points());
    let said = |script: &str| {
        let output = Command::new("sh")
            .args(["-c", script, "sh", env!("CARGO_BIN_EXE_wgvae"), &run])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    // Nothing but the result is in the file, behind what was there.
    fs::write(folder.path().join("evals.jsonl"), "before\n").unwrap();
    let number = fs::metadata(folder.path().join("evals.jsonl")).unwrap().ino();
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        said(&format!("\"$1\" eval \"$2\" --device cpu --to {name} >> evals.jsonl"));
    }
    let all = read("evals.jsonl");
    let results = all.strip_prefix("before\n").unwrap();
    let objects = serde_json::Deserializer::from_str(results).into_iter::<serde_json::Value>();
    assert_eq!(objects.map(Result::unwrap).filter(|object| object["rows"] == 20).count(), 3, "{all}");
    assert_eq!(fs::metadata(folder.path().join("evals.jsonl")).unwrap().ino(), number);
    // Who writes on goes on behind it.
    for (redirection, name) in [(">", "/dev/stdout"), ("3>", "/dev/fd/3"), ("3>>", "/proc/self/fd/3")] {
        let end = if redirection.starts_with('3') { "echo end >&3" } else { "echo end" };
        said(&format!("{{ \"$1\" sample \"$2\" --count 2 --device cpu --to {name}; {end}; }} {redirection} mixed"));
        let lines = read("mixed");
        assert!(
            lines.starts_with("x,y\n") && lines.ends_with("\nend\n") && lines.lines().count() == 4,
            "{name}: {lines}"
        );
        fs::remove_file(folder.path().join("mixed")).unwrap();
    }
    // Process substitution, and a device.
    assert_eq!(said("\"$1\" encode \"$2\" --device cpu --to /dev/fd/5 5>&1 >/dev/null | wc -l").trim(), "21");
    said("\"$1\" sample \"$2\" --device cpu --to /dev/null");
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    // A descriptor that is not open, or that the program has for itself.
    for number in [7, 999] {
        let output =
            command(&["eval", &run, "--device", "cpu", "--to", &format!("/dev/fd/{number}")]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains("could not be written"), "{error}");
    }
}

/// A pipe is written to while somebody reads; one that nobody reads is waited for, but not without end.
#[test]
fn a_pipe_without_a_reader_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let run = path(run_of_points());
    let pipe = folder.path().join("pipe.csv");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let to = path(&pipe);
    let args = ["sample", run.as_str(), "--count", "5", "--device", "cpu", "--to", &to];
    let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn().unwrap();
    wgvae(&args).expect(0, "");
    assert_eq!(String::from_utf8_lossy(&reader.wait_with_output().unwrap().stdout).lines().count(), 6);
    let started = std::time::Instant::now();
    let output = command(&args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && error.contains("nobody opened it to read"), "{error}");
    assert!(started.elapsed() < 3 * SOON && fs::metadata(&pipe).unwrap().file_type().is_fifo());
}

/// A run of labelled rows of an array.
fn run_of_array(folder: &Path, shape: &str, kind: &str) -> (PathBuf, PathBuf) {
    let data = folder.join("train.npz");
    let mut archive = zip::ZipWriter::new(fs::File::create(&data).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    let bytes: Vec<u8> = (0..48 * 16).map(|i| (i * 37 % 251) as u8).collect();
    for (name, array) in [
        ("x.npy", super::harness::npy(kind, shape, &bytes[..48 * 16])),
        ("y.npy", super::harness::npy("|u1", "(48,)", &(0..48).map(|i| i % 3).collect::<Vec<u8>>())),
    ] {
        archive.start_file(name, options).unwrap();
        archive.write_all(&array).unwrap();
    }
    archive.finish().unwrap();
    let run = folder.join("run");
    let (data_path, out) = (path(&data), path(&run));
    let args = ["train", "--data", &data_path, "--hidden", "8", "--batch", "16", "--steps", "2", "--device", "cpu"];
    wgvae(&[&args[..], &["--out", &out]].concat()).expect(0, "");
    (data, run)
}

/// The path that `augment` prints is the file that it writes, its extension decides, classes come along, and data stays.
#[test]
fn augment_writes_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = run_of_array(folder.path(), "(48, 4, 4)", "|u1");
    fs::write(folder.path().join("train.npy"), "not to be lost").unwrap();
    let trained_on = fs::read(&data).unwrap();
    let run = path(&run);
    let augment = |to: &str, more: &[&str]| {
        let mut args = vec!["augment", run.as_str(), "--count", "12", "--device", "cpu"];
        args.extend(["--to", to]);
        args.extend(more);
        wgvae(&args)
    };
    let at = |name: &str| path(&folder.path().join(name));
    for (name, more) in [
        ("train.csv", &[][..]),
        ("a.json", &[]),
        ("a.npz", &[]),
        ("b.NPZ", &["--format", "npz"]),
        ("plain", &["--format", "csv"]),
    ] {
        let to = at(name);
        let ended = augment(&to, more);
        ended.expect(0, "");
        assert_eq!(ended.stdout, format!("written  {to}\n"));
        assert!(Path::new(&to).is_file(), "{to}");
    }
    assert_eq!(fs::read_to_string(at("train.npy")).unwrap(), "not to be lost");
    // Numbers of classes stand beside an array, as `encode` has them.
    let ended = augment(&at("new.npy"), &[]);
    ended.expect(0, "");
    assert_eq!(ended.stdout, format!("written  {}\nwritten  {}\n", at("new.npy"), at("new-labels.npy")));
    // What is written is data with three classes.
    for name in ["a.npz", "b.NPZ"] {
        let ended = wgvae(&["data", &at(name), "--no-preview", "--json"]);
        ended.expect(0, "");
        let described: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(described["classes"].as_array().map_or(0, Vec::len), 3, "{}", ended.stdout);
    }
    assert!(fs::read_to_string(at("train.csv")).unwrap().lines().next().unwrap().starts_with("label,"));
    // A folder has images by class, as that of `sample` has.
    for (name, more) in [("folder", &[][..]), ("folder.v2", &["--format", "png"])] {
        augment(&at(name), more).expect(0, "");
        let classes: Vec<_> = fs::read_dir(at(name)).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert!(classes.iter().all(|class| ["0", "1", "2"].contains(&class.to_str().unwrap())), "{classes:?}");
        assert_eq!(contents(Path::new(&at(name))).len(), 12);
    }
    augment(&at("idx"), &["--format", "idx"]).expect(0, "");
    assert!(Path::new(&at("idx/train-labels-idx1-ubyte")).is_file());
    // By itself it takes the format of the data.
    let ended = wgvae(&["augment", &run, "--count", "3", "--device", "cpu"]);
    ended.expect(0, "");
    assert_eq!(ended.stdout, format!("written  {run}/augmented.npz\n"));
    let ended = augment("-", &[]);
    ended.expect(0, "");
    assert!(ended.stdout.starts_with("label,pixel_0") && ended.stdout.lines().count() == 13, "{}", ended.stdout);
    for (to, more, reason) in [
        (at("a.xyz"), &[][..], "does not say which format"),
        (at("a.png"), &[], "does not say which format"),
        (at("a.csv"), &["--format", "npy"], "leave one of the two out"),
        (at("a.npz"), &["--format", "png"], "leave one of the two out"),
        ("-".into(), &["--format", "npz"], "leave one of the two out"),
        (at("folder"), &["--format", "csv"], "is a folder: name a file in it"),
        (at("folder"), &[], "is not an empty folder"),
        (path(&data), &[], "is data that"),
    ] {
        augment(&to, more).expect(2, reason);
    }
    let current = std::env::current_dir().unwrap();
    assert!(
        fs::read_dir(&current).unwrap().flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with("-."))
    );
    assert_eq!(fs::read(&data).unwrap(), trained_on);
    // Rows of a table are no images.
    let points = path(run_of_points());
    let ended = wgvae(&["augment", &points, "--device", "cpu", "--to", &at("rows")]);
    ended.expect(2, "these rows are no images");
    assert!(!Path::new(&at("rows")).exists());
}
