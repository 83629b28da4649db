//! A run's folder: its record, configuration, measurements, checkpoints and model, and who may write there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, FORMAT, FileRecord, Origin};
use super::state::State;
use super::{MetricsLine, TrainError, weights};
use crate::config::Config;
use crate::disk::{self, Disk};
use crate::plan::ParamTable;

/// Names of the files and folders of a run.
pub const RECORD: &str = "run.json";
/// The configuration.
pub const CONFIG: &str = "config.toml";
/// The description of the data.
pub const DATA: &str = "data.json";
/// The measurements.
pub const METRICS: &str = "metrics.jsonl";
/// The weights with the smallest test loss.
pub const MODEL: &str = "model.safetensors";
/// The mixture that is fitted to codes.
pub const CODES: &str = "codes.safetensors";
/// The figures of the last evaluation.
pub const EVALUATION: &str = "eval.json";
const LOCK: &str = "lock";
const CHECKPOINTS: &str = "checkpoints";
const IMAGES: &str = "images";
/// What is drawn from a run, and left to a new run that replaces it.
const DRAWN: [&str; 3] = [CODES, "report.html", EVALUATION];

fn failed(path: &Path) -> impl Fn(std::io::Error) -> TrainError {
    let path = path.to_path_buf();
    move |e| TrainError::Write { path: path.clone(), reason: e.to_string() }
}

/// What a run's record says of the run and of its small files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The program's version.
    pub wgvae: String,
    /// Version of the folder's format; 0 for runs of versions without checkpoints.
    #[serde(default)]
    pub format: u32,
    /// The run's number.
    #[serde(default)]
    pub run: String,
    /// The whole configuration, for a run that is ended before its first checkpoint.
    #[serde(default)]
    pub configuration: Option<Config>,
    /// The configuration's file.
    #[serde(default)]
    pub config: Option<FileRecord>,
    /// The file with the description of the data.
    #[serde(default)]
    pub data: Option<FileRecord>,
}

impl Identity {
    /// Of the run in a folder; none if there is no whole record.
    pub fn of(folder: &Path) -> Option<Self> {
        let path = folder.join(RECORD);
        fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }
}

/// What a folder holds.
enum Content {
    /// Nothing, or what is left of a run that never began.
    Free,
    Run,
    Other,
}

fn content(path: &Path) -> Content {
    if Identity::of(path).is_some() {
        return Content::Run;
    }
    let Ok(entries) = fs::read_dir(path) else { return Content::Other };
    let is_left_over = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_empty = || fs::read_dir(entry.path()).is_ok_and(|mut entries| entries.next().is_none());
        name == LOCK || disk::is_partial(&name) || [IMAGES, CHECKPOINTS].contains(&name.as_str()) && is_empty()
    };
    if entries.flatten().all(is_left_over) { Content::Free } else { Content::Other }
}

/// An error if one of the places a run writes into is a link, which leads out of its folder.
fn refuse_links(folder: &Path) -> Result<(), TrainError> {
    let is_link = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    match [LOCK, IMAGES, CHECKPOINTS].map(|name| folder.join(name)).into_iter().find(is_link) {
        Some(path) => Err(TrainError::Link(path)),
        None => Ok(()),
    }
}

/// Locks a folder for this process; the system lets go of the lock when the process ends, however it ends.
fn lock(folder: &Path) -> Result<File, TrainError> {
    let path = folder.join(LOCK);
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed(&path))?;
    // A command that reads holds the lock for a moment, to see whether a training goes on.
    for wait in [0, 50, 200, 500] {
        std::thread::sleep(Duration::from_millis(wait));
        match file.try_lock() {
            Ok(()) if is_still_there(&file, &path) => return Ok(file),
            // Its owner has gone and taken it along.
            Ok(()) => return lock(folder),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed(&path)(error)),
        }
    }
    Err(TrainError::Busy(folder.to_path_buf()))
}

/// Whether a path still leads to an open file.
fn is_still_there(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let number = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        file.metadata().map(number).ok() == fs::metadata(path).map(number).ok()
    }
    // Elsewhere a file that is open cannot be removed.
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// The checkpoints of the run in a folder, the newest first.
pub fn checkpoints(folder: &Path) -> Vec<Checkpoint> {
    Identity::of(folder).map_or_else(Vec::new, |identity| Checkpoint::all(&folder.join(CHECKPOINTS), &identity.run))
}

/// Whether a process is training in a folder.
pub fn is_training(folder: &Path) -> bool {
    File::open(folder.join(LOCK)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The small files of a run, which are written before its first step.
#[derive(Debug, Clone, Default)]
pub struct Description {
    /// `run.json`, without the run's identity.
    pub record: serde_json::Map<String, serde_json::Value>,
    /// The configuration.
    pub configuration: Config,
    /// `config.toml`
    pub config: String,
    /// `data.json`
    pub data: String,
}

/// The folder of a run that this process trains.
pub struct RunFolder {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    /// Held until the process ends.
    _lock: File,
    run: String,
    metrics: Metrics,
    /// Nothing is in the folder yet that is worth keeping.
    is_new: bool,
    /// The run's small files, while the run that it replaces is still there.
    replacing: Option<Description>,
}

enum Metrics {
    /// Kept until the run that is replaced is gone.
    Pending(Vec<u8>),
    File(BufWriter<File>),
}

/// A number that no other run in the same folder has.
fn draw() -> String {
    use std::hash::{BuildHasher, Hasher};
    format!("{:016x}", std::collections::hash_map::RandomState::new().build_hasher().finish())
}

impl RunFolder {
    fn own(path: &Path, disk: Arc<dyn Disk>, lock: File) -> Self {
        for folder in [path.to_path_buf(), path.join(CHECKPOINTS)] {
            disk::remove_partial(&folder);
        }
        let metrics = Metrics::Pending(Vec::new());
        Self { path: path.to_path_buf(), disk, _lock: lock, run: draw(), metrics, is_new: false, replacing: None }
    }

    /// Claims the first of `runs/NAME`, `runs/NAME-2`, ... that is free.
    pub fn claim_unused(name: &str, disk: Arc<dyn Disk>) -> Result<Self, TrainError> {
        let runs = Path::new("runs");
        fs::create_dir_all(runs).map_err(failed(runs))?;
        let names = std::iter::once(name.to_string()).chain((2..).map(|n| format!("{name}-{n}")));
        for path in names.map(|name| runs.join(name)) {
            match fs::create_dir(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(&path)(error)),
                _ => {}
            }
            match Self::claim(&path, false, disk.clone()) {
                Err(TrainError::Exists(_) | TrainError::Occupied(_) | TrainError::Busy(_)) => {}
                outcome => return outcome,
            }
        }
        Err(TrainError::Occupied(runs.to_path_buf()))
    }

    /// Claims a folder for a new run. A run that is there is kept, unless it is to be replaced; then it goes when the new
    /// one has its first checkpoint.
    pub fn claim(path: &Path, replace: bool, disk: Arc<dyn Disk>) -> Result<Self, TrainError> {
        if !path.exists() {
            fs::create_dir_all(path).map_err(failed(path))?;
            // The folder's own name has to last, too.
            let above = disk::folder_of(path);
            disk.sync_folder(above).map_err(failed(above))?;
        }
        let refused = |content: &Content| match content {
            Content::Other => Err(TrainError::Occupied(path.to_path_buf())),
            Content::Run if !replace => Err(TrainError::Exists(path.to_path_buf())),
            _ => Ok(()),
        };
        // Before there is a lock file in a folder that is not ours, and again once no one else can change it.
        refused(&content(path))?;
        refuse_links(path)?;
        let lock = lock(path)?;
        let content = content(path);
        refused(&content)?;
        let mut folder = Self::own(path, disk, lock);
        match content {
            Content::Run => folder.replacing = Some(Description::default()),
            _ => folder.is_new = true,
        }
        Ok(folder)
    }

    /// Takes the folder of a run to go on with it.
    pub fn reopen(path: &Path, disk: Arc<dyn Disk>) -> Result<Self, TrainError> {
        let Some(identity) = Identity::of(path) else { return Err(TrainError::NoRun(path.to_path_buf())) };
        match identity.format {
            FORMAT => {}
            format if format > FORMAT => return Err(TrainError::NewRun { path: path.to_path_buf(), format }),
            _ => return Err(TrainError::OldRun(path.to_path_buf())),
        }
        refuse_links(path)?;
        let lock = lock(path)?;
        // Another process may have replaced the run meanwhile.
        let Some(identity) = Identity::of(path) else { return Err(TrainError::NoRun(path.to_path_buf())) };
        let mut folder = Self::own(path, disk, lock);
        folder.run = identity.run;
        Ok(folder)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The run's number.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Its checkpoints, the newest first.
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        Checkpoint::all(&self.file(CHECKPOINTS), &self.run)
    }

    /// Removes checkpoints that a resumed run has found damaged.
    pub fn discard<'a>(&self, damaged: impl IntoIterator<Item = &'a Path>) {
        for path in damaged {
            // What stays is written over when training comes there again.
            let _ = Checkpoint { step: 0, path: path.to_path_buf() }.remove(&*self.disk);
        }
    }

    /// Writes the small files of the run, and the measurements it goes on from. While there is a run to be replaced, they
    /// are kept back.
    pub fn begin(&mut self, description: Description, metrics: Vec<u8>) -> Result<(), TrainError> {
        if self.replacing.is_some() {
            self.replacing = Some(description);
            self.metrics = Metrics::Pending(metrics);
            return Ok(());
        }
        self.is_new = false;
        self.describe(&description)?;
        self.start_metrics(&metrics)
    }

    /// Writes the run's small files, the record first: it says what the others must be.
    fn describe(&self, description: &Description) -> Result<(), TrainError> {
        for folder in [IMAGES, CHECKPOINTS].map(|name| self.file(name)) {
            fs::create_dir_all(&folder).map_err(failed(&folder))?;
        }
        let identity = Identity {
            wgvae: env!("CARGO_PKG_VERSION").into(),
            format: FORMAT,
            run: self.run.clone(),
            configuration: Some(description.configuration.clone()),
            config: Some(FileRecord::of(description.config.as_bytes())),
            data: Some(FileRecord::of(description.data.as_bytes())),
        };
        let unwritten = |e: serde_json::Error| failed(&self.file(RECORD))(e.into());
        let mut record = match serde_json::to_value(identity).map_err(unwritten)? {
            serde_json::Value::Object(identity) => identity,
            _ => Default::default(),
        };
        record.extend(description.record.clone());
        let record = serde_json::to_string_pretty(&record).map_err(unwritten)?;
        self.write(RECORD, &record)?;
        self.write(CONFIG, &description.config)?;
        self.write(DATA, &description.data)
    }

    fn start_metrics(&mut self, content: &[u8]) -> Result<(), TrainError> {
        let path = self.file(METRICS);
        disk::replace(&*self.disk, &path, content).map_err(failed(&path))?;
        let file = OpenOptions::new().append(true).open(&path).map_err(failed(&path))?;
        self.metrics = Metrics::File(BufWriter::new(file));
        Ok(())
    }

    /// Writes a small file.
    pub fn write(&self, name: &str, content: &str) -> Result<(), TrainError> {
        let path = self.file(name);
        disk::replace(&*self.disk, &path, content.as_bytes()).map_err(failed(&path))
    }

    /// Appends a line to `metrics.jsonl`.
    pub fn record(&mut self, event: &impl Serialize) -> Result<(), TrainError> {
        let path = self.file(METRICS);
        let mut line = serde_json::to_vec(event).map_err(|e| failed(&path)(e.into()))?;
        line.push(b'\n');
        match &mut self.metrics {
            Metrics::Pending(lines) => lines.extend(line),
            Metrics::File(file) => file.write_all(&line).and_then(|()| file.flush()).map_err(failed(&path))?,
        }
        Ok(())
    }

    /// Takes back the lines of the steps behind this one, and of the epochs behind so many.
    pub fn rewind(&mut self, step: u64, epochs: usize) -> Result<(), TrainError> {
        match &mut self.metrics {
            Metrics::Pending(lines) => {
                *lines = whole_lines(lines, step, epochs);
                Ok(())
            }
            Metrics::File(_) => {
                let lines = lines_until(&self.path, step, epochs)?;
                self.start_metrics(&lines)
            }
        }
    }

    /// Where it is written.
    pub fn disk(&self) -> Arc<dyn Disk> {
        self.disk.clone()
    }

    /// Writes a checkpoint, and the best one too where it is another one and not there yet; then the model, which is the
    /// best one's weights. Of older checkpoints the newest are kept.
    pub fn checkpoint(
        &mut self,
        origin: &Origin,
        params: &ParamTable,
        state: &State,
        best: Option<&State>,
        keep: usize,
    ) -> Result<(), TrainError> {
        let folder = self.file(CHECKPOINTS);
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        if let Metrics::File(file) = &self.metrics {
            file.get_ref().sync_data().map_err(failed(&self.file(METRICS)))?;
        }
        let write =
            |state: &State| Checkpoint::write(&*self.disk, &folder, origin, params, state).map_err(failed(&folder));
        if let Some(best) = best.filter(|best| best.progress.step != state.progress.step) {
            write(best)?;
        }
        write(state)?;
        if let Some(description) = self.replacing.take() {
            self.replace(&description)?;
        }
        // Without a test loss yet, the model is what there is. A best one that is not given is the model already.
        let is_best = state.progress.best.is_none_or(|best| best.step == state.progress.step);
        if let Some(model) = best.or(is_best.then_some(state)) {
            weights::save(&*self.disk, &self.file(MODEL), params, &model.weights)?;
        }
        self.prune(keep)
    }

    /// Removes all checkpoints but the newest, and the best one that each of these names.
    fn prune(&self, keep: usize) -> Result<(), TrainError> {
        let all = self.checkpoints();
        let (newest, older) = all.split_at(keep.max(1).min(all.len()));
        let best: Vec<u64> =
            newest.iter().filter_map(|checkpoint| Some(checkpoint.manifest().ok()?.progress.best?.step)).collect();
        for checkpoint in older.iter().filter(|checkpoint| !best.contains(&checkpoint.step)) {
            checkpoint.remove(&*self.disk).map_err(failed(&checkpoint.path))?;
        }
        Ok(())
    }

    /// Puts this run in the place of the one that was there. From the first file on, the folder is this run's.
    fn replace(&mut self, description: &Description) -> Result<(), TrainError> {
        let model = self.file(MODEL);
        self.describe(description)?;
        for name in DRAWN.into_iter().map(|name| self.file(name)).chain([model]) {
            if fs::symlink_metadata(&name).is_ok() {
                self.disk.remove(&name).map_err(failed(&name))?;
            }
        }
        for (folder, is_old) in [(IMAGES, None), (CHECKPOINTS, Some(format!("-{}.", self.run)))] {
            let folder = self.file(folder);
            for entry in fs::read_dir(&folder).map_err(failed(&folder))?.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_ours = match &is_old {
                    Some(mark) => name.starts_with("step-") && !name.contains(mark),
                    None => name.ends_with(".png"),
                };
                if is_ours {
                    self.disk.remove(&entry.path()).map_err(failed(&entry.path()))?;
                }
            }
        }
        let pending = match &mut self.metrics {
            Metrics::Pending(lines) => std::mem::take(lines),
            Metrics::File(_) => return Ok(()),
        };
        self.start_metrics(&pending)
    }
}

/// A run that fails before its first step leaves no folder.
impl Drop for RunFolder {
    fn drop(&mut self) {
        if self.is_new {
            let _ = fs::remove_file(self.file(LOCK));
            for folder in [self.file(IMAGES), self.file(CHECKPOINTS), self.path.clone()] {
                // Only empty folders can be removed like this.
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

/// The lines of a folder's `metrics.jsonl` up to a step, and of so many epochs at most: one that was cut short goes on and is told of
/// when it ends. A torn line and what is behind it are left out.
pub fn lines_until(folder: &Path, step: u64, epochs: usize) -> Result<Vec<u8>, TrainError> {
    let path = folder.join(METRICS);
    match fs::read(&path) {
        Ok(content) => Ok(whole_lines(&content, step, epochs)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(&path)(error)),
    }
}

fn whole_lines(content: &[u8], step: u64, epochs: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        let is_before = match serde_json::from_slice(line) {
            _ if !line.ends_with(b"\n") => break,
            Ok(MetricsLine::Step(report)) => report.step <= step,
            Ok(MetricsLine::Epoch(report)) => report.step <= step && report.epoch <= epochs,
            Ok(MetricsLine::Diagnosis(diagnosis)) => diagnosis.step <= step && diagnosis.epoch <= epochs,
            Ok(MetricsLine::Rollback(rollback)) => rollback.step <= step,
            Ok(MetricsLine::Done(_)) => false,
            Err(_) => break,
        };
        if is_before {
            kept.extend_from_slice(line);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_lines_and_lines_of_later_steps_go() {
        let line = |step: u64| {
            format!(
                "{{\"event\":\"step\",\"step\":{step},\"epoch\":1.0,\"loss\":1.5,\"recon\":1.0,\"kl\":0.5,\"lr\":0.1,\"beta\":1.0}}\n"
            )
        };
        let whole = [line(50), line(100), line(150)].concat();
        let kept = [line(50), line(100)];
        for cut in 0..=whole.len() {
            let lines = whole[..cut].matches('\n').count().min(2);
            let found = whole_lines(&whole.as_bytes()[..cut], 100, 1);
            assert_eq!(String::from_utf8(found).unwrap(), kept[..lines].concat(), "{cut}");
        }
    }
}
