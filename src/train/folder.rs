//! A run's folder: its configuration, measurements, weights and pictures.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::TrainError;

/// The folder of one run.
pub struct RunFolder {
    path: PathBuf,
    metrics: BufWriter<File>,
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> TrainError {
    let path = path.to_path_buf();
    move |e| TrainError::Write { path: path.clone(), reason: e.to_string() }
}

/// Writes a file under a temporary name and renames it, so that no reader sees a partial file.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), TrainError> {
    let beside = path.with_extension("part");
    fs::write(&beside, content).map_err(failed(path))?;
    fs::rename(&beside, path).map_err(failed(path))
}

impl RunFolder {
    /// The first of `runs/NAME`, `runs/NAME-2`, ... that is free.
    pub fn unused(name: &str) -> PathBuf {
        let free = |path: &PathBuf| !path.exists();
        let first = PathBuf::from("runs").join(name);
        if free(&first) {
            return first;
        }
        (2..).map(|n| PathBuf::from("runs").join(format!("{name}-{n}"))).find(free).unwrap_or(first)
    }

    /// Creates the folder, or removes the run in it. A folder that holds anything else is an error and left alone.
    pub fn create(path: &Path) -> Result<Self, TrainError> {
        let has_files = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if has_files && !path.join("run.json").is_file() {
            return Err(TrainError::Occupied(path.to_path_buf()));
        }
        let images = path.join("images");
        if images.is_dir() {
            fs::remove_dir_all(&images).map_err(failed(&images))?;
        }
        fs::create_dir_all(&images).map_err(failed(&images))?;
        let model = path.join("model.safetensors");
        if model.exists() {
            fs::remove_file(&model).map_err(failed(&model))?;
        }
        let metrics = path.join("metrics.jsonl");
        let metrics = BufWriter::new(File::create(&metrics).map_err(failed(&metrics))?);
        Ok(Self { path: path.to_path_buf(), metrics })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a small file.
    pub fn write(&self, name: &str, content: &str) -> Result<(), TrainError> {
        replace(&self.file(name), content.as_bytes())
    }

    /// Appends a line to `metrics.jsonl`.
    pub fn record(&mut self, event: &impl Serialize) -> Result<(), TrainError> {
        let path = self.file("metrics.jsonl");
        let line = serde_json::to_string(event)
            .map_err(|e| TrainError::Write { path: path.clone(), reason: e.to_string() })?;
        writeln!(self.metrics, "{line}").and_then(|()| self.metrics.flush()).map_err(failed(&path))
    }
}
