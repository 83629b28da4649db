//! Special files in every place that is read: pipes, devices, sockets, links to them, folders, and files of any length. A command that
//! finds one says so, or does without it, soon.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use super::harness::{Draws, Ended, SOON, command, path, run_of_points, wgvae};
use crate::common::folder::copy;

/// Places that are tried; `WGVAE_SPECIAL` asks for more.
fn places() -> u64 {
    std::env::var("WGVAE_SPECIAL").ok().and_then(|number| number.parse().ok()).unwrap_or(105)
}

/// Kinds of what is put there. Nothing of it is read to its end, which some of it does not have.
const KINDS: [&str; 7] = ["pipe", "link to a pipe", "/dev/zero", "/dev/tty", "socket", "folder", "sparse"];

/// Puts something special in a place.
fn put(kind: &str, place: &Path) -> Option<std::os::unix::net::UnixListener> {
    if place.is_dir() {
        fs::remove_dir_all(place).unwrap();
    }
    let _ = fs::remove_file(place);
    match kind {
        "pipe" => assert!(Command::new("mkfifo").arg(place).status().unwrap().success()),
        "link to a pipe" => {
            let beside = place.with_extension("fifo");
            let _ = fs::remove_file(&beside);
            assert!(Command::new("mkfifo").arg(&beside).status().unwrap().success());
            symlink(beside, place).unwrap();
        }
        "socket" => return Some(std::os::unix::net::UnixListener::bind(place).unwrap()),
        "folder" => fs::create_dir(place).unwrap(),
        // A terabyte of zeros that takes no room.
        "sparse" => File::create(place).unwrap().set_len(1 << 40).unwrap(),
        device => symlink(device, place).unwrap(),
    }
    None
}

/// It ended soon, with a result or a sentence, in little memory.
fn expect_soon(ended: &Ended, what: &str) {
    assert!(matches!(ended.code, Some(0..=3)), "{what}: {:?} {}", ended.code, ended.stderr);
    assert!(ended.time < SOON && !ended.stderr.contains("panicked"), "{what}: {:?} {}", ended.time, ended.stderr);
    assert!(ended.peak < 160 << 20, "{what}: {} MiB", ended.peak >> 20);
}

/// Every file of a run, and every file that a command is given.
#[test]
fn special_files_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let newest = fs::read_dir(run_of_points().join("checkpoints")).unwrap().flatten();
    let mut checkpoint: Vec<String> = newest.map(|entry| entry.file_name().into_string().unwrap()).collect();
    checkpoint.sort();
    let [manifest, tensors] = [0, 1].map(|place| format!("checkpoints/{}", checkpoint[place]));
    let files = [
        "run.json",
        "config.toml",
        "data.json",
        "metrics.jsonl",
        "model.safetensors",
        "codes.safetensors",
        "eval.json",
        "report.html",
        "lock",
        "checkpoints",
        "images",
        &manifest,
        &tensors,
        "images/samples-001.png",
        "given",
    ];
    let mut draws = Draws(7);
    let mut refused = 0;
    for number in 0..places() {
        let run = folder.path().join(number.to_string());
        copy(run_of_points(), &run);
        fs::write(run.join("eval.json"), "{}").unwrap();
        // All pairs of files and kinds come in turn.
        let (file, kind) = (files[number as usize % files.len()], KINDS[number as usize % KINDS.len()]);
        let place = run.join(file);
        let _open = put(kind, &place);
        let (place, run) = (path(&place), path(&run));
        let fork = format!("{run}-fork");
        let commands: &[&[&str]] = match file {
            "given" => &[
                &[
                    "train",
                    "--config",
                    &place,
                    "--device",
                    "cpu",
                    "--data",
                    "points:count=20",
                    "--steps",
                    "1",
                    "--out",
                    &fork,
                ],
                &["data", &place, "--no-preview"],
                &["decode", &run, &place, "--device", "cpu", "--to", "-"],
                &["decompress", &run, &place, "--to", "-"],
                &["eval", &run, "--data", &place, "--device", "cpu", "--to", "-"],
                &["restore", &run, "--mask", &place, "--device", "cpu", "--to", "-"],
            ],
            _ => &[
                &["eval", &run, "--device", "cpu", "--to", "-"],
                &["eval", &run, "--device", "cpu", "--nll", "2", "--checkpoints", "--to", "-"],
                &["sample", &run, "--device", "cpu", "--count", "2", "--to", "-"],
                &["report", &run, "--device", "cpu", "--to", "-"],
                &["compare", &run, &run, "--to", "-"],
                &["train", "--resume", &run, "--device", "cpu"],
                &["train", "--resume", &run, "--fork", &fork, "--steps", "3", "--device", "cpu"],
                &[
                    "train",
                    "--out",
                    &run,
                    "--replace",
                    "--data",
                    "points:count=20",
                    "--steps",
                    "1",
                    "--hidden",
                    "4",
                    "--batch",
                    "9",
                    "--device",
                    "cpu",
                ],
            ],
        };
        let args = commands[draws.below(commands.len())];
        let ended = wgvae(args);
        expect_soon(&ended, &format!("{file} is {kind}: {}", args.join(" ")));
        refused += usize::from(ended.code != Some(0));
        fs::remove_dir_all(&run).unwrap();
    }
    assert!(refused > places() as usize / 4, "{refused}");
}

/// The cache of measurements, too.
#[test]
fn a_special_cache_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let list = command(&["devices", "--json"]).output().unwrap();
    if !String::from_utf8_lossy(&list.stdout).contains("\"index\"") {
        return;
    }
    let measured = |cache: &Path| {
        let started = std::time::Instant::now();
        let args = ["plan", "--batch", "16", "--device", "adapter"];
        let output = command(&args).env("WGVAE_CACHE", cache).output().unwrap();
        assert!(started.elapsed() < 2 * SOON, "{:?}", started.elapsed());
        output.status.code()
    };
    for kind in KINDS {
        let cache = folder.path().join(kind.replace('/', "-"));
        let _open = put(kind, &cache);
        assert!(matches!(measured(&cache), Some(0..=6)), "{kind}");
    }
}

/// A list of 2^63 values in the header of a page is longer than the file.
#[cfg(feature = "parquet")]
#[test]
fn a_list_without_end_in_a_page_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good =
        super::harness::parquet(200, parquet::basic::Compression::UNCOMPRESSED, |row| [row as i64, row as i64 % 7]);
    // The first page's header is the fields 1 (its kind), 2 and 3 (its sizes); a list in a field 4 and on stands before them.
    let count = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    for kind in [0x11, 0x12, 0x13, 0x14, 0x18, 0x19, 0x1c] {
        let header = [&[0x49, 0xf0 | (kind & 15)][..], &count].concat();
        let file = [&good[..4], &header, &good[4 + header.len()..]].concat();
        let place = folder.path().join("list.parquet");
        fs::write(&place, file).unwrap();
        super::harness::described(&place, &[], 3, "is not a valid Parquet file: ");
    }
}

/// A configuration takes no more memory than its length allows.
#[test]
fn a_long_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("config.toml");
    let out = path(&folder.path().join("run"));
    let trained = |length: usize| {
        fs::write(&place, format!("[data]\ncolumns = [{}]\n", "\"\",".repeat(length / 3))).unwrap();
        let ended =
            wgvae(&["train", "--config", &path(&place), "--data", "points:count=20", "--out", &out, "--device", "cpu"]);
        expect_soon(&ended, &format!("{length} bytes"));
        ended
    };
    trained(250 << 10);
    for length in [300 << 10, 6_000_000] {
        trained(length).expect(3, "it has more than 262144 bytes");
    }
    for (list, reason) in [("[1,", "columns"), ("[[[[[", "TOML")] {
        fs::write(&place, format!("[data]\ncolumns = {}", list.repeat(40_000))).unwrap();
        let ended =
            wgvae(&["train", "--config", &path(&place), "--data", "points:count=20", "--out", &out, "--device", "cpu"]);
        expect_soon(&ended, reason);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    }
}

/// Data comes through stdin: as often as the command reads it, into a file that ends with it.
#[test]
fn data_comes_through_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let table: String =
        (0..60).map(|i| format!("{},{},{}\n", i % 7, f64::from(i) / 3.0, ["a", "b"][i as usize % 2])).collect();
    let table = format!("x,y,word\n{table}");
    let piped = |args: &[&str], content: &str| {
        let mut child = command(args)
            .env("TMPDIR", &temporary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may not want all of it.
        let _ = child.stdin.take().unwrap().write_all(content.as_bytes());
        let output = child.wait_with_output().unwrap();
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{args:?}");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let run = path(&folder.path().join("run"));
    let (code, described, error) = piped(&["data", "-", "--no-preview"], &table);
    assert!(code == Some(0) && described.contains("54 training and 6 test"), "{described}{error}");
    let train =
        ["train", "--data", "-", "--steps", "2", "--batch", "8", "--hidden", "4", "--device", "cpu", "--out", &run];
    let (code, _, error) = piped(&train, &table);
    assert_eq!(code, Some(0), "{error}");
    // These rows once more; cells come back as they stand in them.
    let (code, restored, error) = piped(&["restore", &run, "--data", "-", "--device", "cpu", "--to", "-"], &table);
    assert!(code == Some(0) && restored == table, "{restored}{error}");
    let (code, scores, error) =
        piped(&["anomaly", &run, "--data", "-", "--draws", "1", "--device", "cpu", "--to", "-"], &table);
    assert!(code == Some(0) && scores.lines().count() == 61, "{scores}{error}");
    let longer = ["train", "--resume", &run, "--data", "-", "--steps", "4", "--device", "cpu"];
    let (code, _, error) = piped(&longer, &table);
    assert_eq!(code, Some(0), "{error}");
    // What is gone is not waited for.
    for args in
        [&["eval", &run, "--device", "cpu"][..], &["train", "--resume", &run, "--steps", "6", "--device", "cpu"]]
    {
        wgvae(args).expect(if args[0] == "eval" { 2 } else { 3 }, "came through stdin, which is not kept");
    }
    let (code, _, error) = piped(&["data", "-"], "");
    assert!(code == Some(3) && error.contains("stdin is empty"), "{error}");
    // Pipes by other names stay refused.
    for name in ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        let (code, _, error) = piped(&["data", name], &table);
        assert!(code == Some(3) && error.contains("is a pipe, and only regular files"), "{name}: {error}");
        let (code, _, error) = piped(&["train", "--config", name, "--out", &run], "[train]\nsteps = 1");
        assert!(code == Some(3) && error.contains("it is a pipe, and only regular files"), "{name}: {error}");
    }
}
