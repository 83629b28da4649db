//! Faults that a seed draws, and the program run with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::super::harness::{Draws, Ended, command, ended, path};

/// Errors that a disk, its file system or the limits of a process give, as Linux numbers them.
const ERRORS: [(i32, &str); 8] = [
    (4, "interrupted"),
    (5, "input or output"),
    (12, "memory"),
    (13, "permission"),
    (24, "open files"),
    (28, "no space"),
    (30, "read-only"),
    (122, "quota"),
];
const INTERRUPTED: i32 = 4;

/// A call of the program on a file of the place, as the log has it.
#[derive(Debug, Clone)]
pub struct Call {
    pub number: usize,
    pub name: String,
    /// `half`, `error N`, or nothing where it was let through.
    pub fault: Option<String>,
    /// The file, below the place.
    pub file: String,
}

impl Call {
    fn of(line: &str) -> Self {
        let mut words = line.split(' ');
        let number = words.next().unwrap().parse().unwrap();
        let name = words.next().unwrap().to_string();
        let mut file = words.next().unwrap_or_default();
        let fault = match file {
            "half" => Some("half".into()),
            "error" => Some(format!("error {}", words.next().unwrap())),
            _ => None,
        };
        if fault.is_some() {
            file = words.next().unwrap_or_default();
        }
        Self { number, name, fault, file: file.into() }
    }

    /// Whether it changes no file.
    pub fn reads(&self) -> bool {
        ["open", "read", "statx", "opendir"].contains(&self.name.as_str())
    }

    /// Whether its fault is one that the caller is to overcome by calling again.
    pub fn can_be_repeated(&self) -> bool {
        let interrupted = format!("error {INTERRUPTED}");
        match self.fault.as_deref() {
            None | Some("half") => true,
            Some(fault) => {
                fault == interrupted && ["open", "create", "read", "write", "fsync"].contains(&self.name.as_str())
            }
        }
    }
}

/// The library between the program and the system, compiled once.
fn interposed() -> &'static Path {
    static LIBRARY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("interposed.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/program/hostile/failing/interposed.rs");
        let mut compiler = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        compiler.args(["--edition", "2024", "--crate-type", "cdylib", "-O", source, "-o"]).arg(&library);
        let output = compiler.output().expect("the Rust compiler");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (folder, library)
    });
    library
}

/// Runs the program while faults are planted on files below a folder; returns the calls that it made there.
pub fn run_with(args: &[&str], below: &Path, faults: &str) -> (Ended, Vec<Call>) {
    let log = below.with_extension("log");
    let _ = fs::remove_file(&log);
    let mut command = command(args);
    command
        .env("LD_PRELOAD", interposed())
        .env("FAILING_BELOW", format!("{}/", path(below)))
        .env("FAILING_LOG", &log)
        .env("FAILING_CALLS", faults)
        .env("RAYON_NUM_THREADS", "1")
        .current_dir(below.parent().unwrap());
    let ended = ended(command);
    let calls = fs::read_to_string(&log).unwrap_or_default().lines().map(Call::of).collect();
    (ended, calls)
}

/// Draws which of the calls of a whole run fail, and how: one to three by themselves, or one and all behind it. Half of the draws are
/// among the few calls that change files.
pub fn drawn(draws: &mut Draws, calls: &[Call]) -> String {
    let changing: Vec<&Call> = calls.iter().filter(|call| !call.reads()).collect();
    let mut faults = Vec::new();
    let stays = draws.below(3) == 0;
    for _ in 0..if stays { 1 } else { 1 + draws.below(3) } {
        let at = match draws.below(2) == 0 && !changing.is_empty() {
            true => changing[draws.below(changing.len())].number,
            false => draws.below(calls.len()),
        };
        let (error, _) = ERRORS[draws.below(ERRORS.len())];
        match (draws.below(6), stays) {
            (0, true) => faults.push(format!("{at}+=half")),
            (0, false) => faults.push(format!("{at}=half")),
            // A write that stops in the middle.
            (1, false) => faults.push(format!("{at}=half,{}={error}", at + 1)),
            // Nobody is interrupted without end.
            (_, true) if error == INTERRUPTED => faults.push(format!("{at}={error}")),
            (_, true) => faults.push(format!("{at}+={error}")),
            (_, false) => faults.push(format!("{at}={error}")),
        }
    }
    faults.join(",")
}
