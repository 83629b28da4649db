//! A folder to run the program in.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Instant;

use safetensors::SafeTensors;
use serde_json::Value;

use crate::common;

pub struct Place {
    folder: tempfile::TempDir,
    /// The device of commands that name none.
    device: &'static str,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), device: "auto" }
    }

    /// A folder to run the program on the adapter in; none where there is no adapter to test with.
    pub fn with_adapter() -> Option<Self> {
        common::gpu()?;
        Some(Self { device: "adapter", ..Self::new() })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn wgvae(&self, line: &str) -> Output {
        let start = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_wgvae"))
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env("WGVAE_TUNE", "off")
            .env("WGVAE_DEVICE", self.device)
            .output()
            .unwrap();
        eprintln!("{:>7.2} s  {line}", start.elapsed().as_secs_f64());
        output
    }

    /// What a terminal shows of a command.
    #[cfg(target_os = "linux")]
    pub fn on_terminal(&self, line: &str) -> String {
        let line = format!("{} {line}", env!("CARGO_BIN_EXE_wgvae"));
        let output = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .current_dir(self.folder.path())
            .env("WGVAE_DEVICE", self.device)
            .env("TERM", "xterm")
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command that must succeed, and returns its output.
    pub fn done(&self, line: &str) -> String {
        let output = self.wgvae(line);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{line}: {err}");
        out.into_owned()
    }

    /// A run of one epoch on the rows of `rows.csv`, which is trained once for all tests, and its data.
    pub fn with_table(self) -> Self {
        static TRAINED: OnceLock<Place> = OnceLock::new();
        self.copied(&TRAINED, "table", "train --data rows.csv --label kind --epochs 1")
    }

    /// A plain autoencoder of few strokes, which is trained once for all tests.
    pub fn with_plain(self) -> Self {
        static TRAINED: OnceLock<Place> = OnceLock::new();
        self.copied(&TRAINED, "plain", "train --preset autoencoder --data strokes:count=300 --epochs 1")
    }

    /// A copy of a run that is trained in a place of its own.
    fn copied(self, trained: &'static OnceLock<Place>, run: &str, train: &str) -> Self {
        let from = trained.get_or_init(|| {
            let place = Self { device: self.device, ..Self::new() };
            std::fs::write(place.path("rows.csv"), table()).unwrap();
            place.done(&format!("{train} --out {run}"));
            place
        });
        std::fs::copy(from.path("rows.csv"), self.path("rows.csv")).unwrap();
        copy(&from.path(run), &self.path(run));
        self
    }

    /// Runs a command, and returns its output, or what it says went wrong.
    pub fn try_to(&self, line: &str) -> Result<String, String> {
        let output = self.wgvae(line);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(out.into_owned()) } else { Err(err.into_owned()) }
    }

    /// Runs a command that must fail, and returns its exit code and its one line of error.
    pub fn refused(&self, line: &str) -> (i32, String) {
        let output = self.wgvae(line);
        let err = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = err.lines().filter(|l| !l.contains("XDG_RUNTIME_DIR")).collect();
        assert_eq!(lines.len(), 1, "{line}: {err}");
        (output.status.code().unwrap(), lines[0].to_string())
    }

    /// The weights of a run that have this name.
    pub fn weights(&self, run: &str, name: &str) -> Vec<f64> {
        let bytes = std::fs::read(self.path(run).join("model.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let words = tensors.tensor(name).unwrap().data().chunks_exact(4);
        words.map(|word| f64::from(f32::from_le_bytes(word.try_into().unwrap()))).collect()
    }

    pub fn json(&self, line: &str) -> Value {
        serde_json::from_str(self.done(line).lines().last().unwrap()).unwrap()
    }
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => _ = std::fs::copy(entry.path(), target).unwrap(),
        }
    }
}

/// A figure of a command's JSON.
pub fn number(of: &Value, name: &str) -> f64 {
    of[name].as_f64().unwrap_or_else(|| panic!("no {name} in {of}"))
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A table of noisy points on a curve in five dimensions; one row in ten, of class `odd`, is off the curve.
pub fn table() -> String {
    let mut text = String::from("a,b,c,d,e,kind\n");
    for i in 0..400_u32 {
        let noise = |k: u32| (f64::from((i * 7919 + k * 104_729) % 1000) / 1000.0 - 0.5) * 0.2;
        let t = f64::from(i * 37 % 400) / 40.0 - 5.0;
        let odd = i % 10 == 9;
        let b = if odd { 2.0 * t + 8.0 } else { 2.0 * t };
        let row = [t, b + noise(1), 3.0 - t + noise(2), t * 100.0 + noise(3), t * t + noise(4)];
        let cells: Vec<String> = row.iter().map(f64::to_string).collect();
        text += &format!("{},{}\n", cells.join(","), if odd { "odd" } else { "usual" });
    }
    text
}
