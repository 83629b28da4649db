//! A run's folder: its record, configuration, measurements, checkpoints and model, and who may write there.

use std::fs::{self, File, TryLockError};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use wgvae_data::disk::{self, Disk, NotRead};
use wgvae_engine::plan::ParamTable;

use super::checkpoint::{Checkpoint, FORMAT, Origin, Unusable};
use super::files::{
    CHECKPOINTS, CODES, CONFIG, DATA, EVALUATION, Files, IMAGES, LOCK, MAX_DATA, MAX_RECORD, METRICS, MODEL, PAGE,
    RECORD,
};
use super::identity::{FolderContent, Identity, RunDescription, content, record_of, unread};
use super::lines::{line, lines_until, split, whole_lines};
use super::place::{FolderHandle, is_same};
use super::saving::Saving;
use super::state::State;
use super::store::Store;
use super::{MetricsLine, TrainError, weights};

/// The files that commands make from a finished run; a new run in the same folder removes them.
const DRAWN: [&str; 3] = [CODES, PAGE, EVALUATION];

fn failed(path: &Path) -> impl Fn(std::io::Error) -> TrainError + use<> {
    let path = path.to_path_buf();
    move |e| TrainError::Write { path: path.clone(), reason: e.to_string() }
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
    let file = disk::open_own(&path).map_err(|error| failed(&path)(error.into()))?;
    // A command that reads holds the lock for a moment, to see whether a training goes on.
    for wait in [0, 50, 200, 500] {
        std::thread::sleep(Duration::from_millis(wait));
        match file.try_lock() {
            Ok(()) if is_same(&file, &path).map_err(unread(&path))? => return Ok(file),
            // The owner of the lock has ended, and has removed it.
            Ok(()) => return lock(folder),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed(&path)(error)),
        }
    }
    Err(TrainError::Busy(folder.to_path_buf()))
}

/// The checkpoints of the run in a folder, the newest first.
pub fn checkpoints(folder: &Path) -> Vec<Checkpoint> {
    Identity::of(folder).map_or_else(Vec::new, |identity| Checkpoint::all(&folder.join(CHECKPOINTS), &identity.run))
}

/// Whether a process is training in a folder.
pub fn is_training(folder: &Path) -> bool {
    let lock = disk::open(&folder.join(LOCK));
    lock.is_ok_and(|(file, _)| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The folder of a run that this process trains.
pub struct RunFolder {
    place: Arc<FolderHandle>,
    /// Where it was when [`Self::moved`] last said where it is.
    last_reported: PathBuf,
    disk: Arc<dyn Disk>,
    /// Held until the process ends.
    _lock: File,
    run: String,
    metrics: Metrics,
    /// Nothing is in the folder yet that is worth keeping.
    is_new: bool,
    /// The run's small files, while the run that it replaces is still there.
    replacing: Option<RunDescription>,
}

enum Metrics {
    /// Kept until the run that is replaced is gone.
    Pending(Vec<u8>),
    File(BufWriter<File>),
}

impl RunFolder {
    fn own(path: &Path, disk: Arc<dyn Disk>, lock: File) -> Result<Self, TrainError> {
        let place = FolderHandle::of(path).map_err(failed(path))?;
        if !is_same(&lock, &place.way().join(LOCK)).map_err(unread(&path.join(LOCK)))? {
            return Err(TrainError::Gone(path.to_path_buf()));
        }
        for folder in [place.way().to_path_buf(), place.way().join(CHECKPOINTS)] {
            disk::remove_partial(&folder);
        }
        Ok(Self {
            place: Arc::new(place),
            last_reported: path.to_path_buf(),
            disk,
            _lock: lock,
            run: disk::draw(),
            metrics: Metrics::Pending(Vec::new()),
            is_new: false,
            replacing: None,
        })
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
        let refused = |content: &FolderContent| match content {
            FolderContent::Other => Err(TrainError::Occupied(path.to_path_buf())),
            FolderContent::Run if !replace => Err(TrainError::Exists(path.to_path_buf())),
            _ => Ok(()),
        };
        // Before there is a lock file in a folder that is not ours, and again once no one else can change it.
        refused(&content(path)?)?;
        refuse_links(path)?;
        let lock = lock(path)?;
        let content = content(path)?;
        refused(&content)?;
        let mut folder = Self::own(path, disk, lock)?;
        match content {
            FolderContent::Run => folder.replacing = Some(RunDescription::default()),
            _ => folder.is_new = true,
        }
        Ok(folder)
    }

    /// Takes the folder of a run to go on with it.
    pub fn reopen(path: &Path, disk: Arc<dyn Disk>) -> Result<Self, TrainError> {
        let Some(identity) = Identity::find(path)? else { return Err(TrainError::NoRun(path.to_path_buf())) };
        if identity.format != FORMAT {
            return Err(TrainError::AnotherFormat { path: path.to_path_buf(), format: identity.format });
        }
        refuse_links(path)?;
        let lock = lock(path)?;
        // Another process may have replaced the run meanwhile.
        let Some(identity) = Identity::find(path)? else { return Err(TrainError::NoRun(path.to_path_buf())) };
        let mut folder = Self::own(path, disk, lock)?;
        folder.run = identity.run;
        Ok(folder)
    }

    /// Returns the folder's path as it is now: a folder may be moved while a model is trained in it.
    pub fn path(&self) -> PathBuf {
        self.place.shown()
    }

    /// The folder, for whoever writes there as well.
    pub fn place(&self) -> Arc<FolderHandle> {
        self.place.clone()
    }

    /// The path of a file in it, as it is now.
    pub fn file(&self, name: &str) -> PathBuf {
        self.place.shown().join(name)
    }

    /// The path of a file in it that leads nowhere else, even if the folder is moved.
    fn way(&self, name: &str) -> PathBuf {
        self.place.way().join(name)
    }

    fn failed(&self, name: &str) -> impl Fn(std::io::Error) -> TrainError + use<> {
        failed(&self.file(name))
    }

    /// Where it is now, if it was moved since that was asked for the last time.
    pub fn moved(&mut self) -> Option<PathBuf> {
        let now = self.place.now().filter(|now| *now != self.last_reported)?;
        self.last_reported.clone_from(&now);
        Some(now)
    }

    /// An error if the folder is no longer there.
    fn expect_there(&self) -> Result<(), TrainError> {
        self.place.now().map(drop).ok_or_else(|| TrainError::Gone(self.place.shown()))
    }

    /// A folder in it, which is made where it is missing. The run's own folder is not made again.
    fn folder(&self, name: &str) -> Result<PathBuf, TrainError> {
        self.expect_there()?;
        let way = self.way(name);
        match fs::create_dir(&way) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(self.failed(name)(error)),
            _ => {}
        }
        match fs::symlink_metadata(&way).is_ok_and(|there| there.is_symlink()) {
            true => Err(TrainError::Link(self.file(name))),
            false => Ok(way),
        }
    }

    /// The run's number.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Returns the run's checkpoints, the newest first; an error where the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Checkpoint>, TrainError> {
        let folder = self.file(CHECKPOINTS);
        Checkpoint::list(&folder, &self.run).map_err(unread(&folder))
    }

    /// Returns the run's checkpoints, the newest first.
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        Checkpoint::all(&self.file(CHECKPOINTS), &self.run)
    }

    /// Writes the small files of the run, and the measurements it goes on from. While there is a run to be replaced, they
    /// are kept back.
    pub fn begin(&mut self, description: RunDescription, metrics: Vec<u8>) -> Result<(), TrainError> {
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
    fn describe(&self, description: &RunDescription) -> Result<(), TrainError> {
        for name in [IMAGES, CHECKPOINTS] {
            self.folder(name)?;
        }
        let unwritten = |e: serde_json::Error| self.failed(RECORD)(e.into());
        self.write(RECORD, &record_of(&self.run, description).map_err(unwritten)?)?;
        self.write(CONFIG, &description.config)?;
        self.write(DATA, &description.data)
    }

    fn start_metrics(&mut self, content: &[u8]) -> Result<(), TrainError> {
        let file = disk::replace(&*self.disk, &self.way(METRICS), content).map_err(self.failed(METRICS))?;
        self.metrics = Metrics::File(BufWriter::new(file));
        Ok(())
    }

    /// Writes a small file.
    pub fn write(&self, name: &str, content: &str) -> Result<(), TrainError> {
        self.expect_there()?;
        let limit = match name {
            RECORD => MAX_RECORD,
            DATA => MAX_DATA,
            _ => u64::MAX,
        };
        if content.len() as u64 > limit {
            return Err(self.failed(name)(NotRead::TooLong(limit).into()));
        }
        disk::replace(&*self.disk, &self.way(name), content.as_bytes()).map(drop).map_err(self.failed(name))
    }

    /// Appends a line to `metrics.jsonl`.
    pub fn record(&mut self, event: &impl Serialize) -> Result<(), TrainError> {
        self.expect_there()?;
        let failed = failed(&self.file(METRICS));
        let line = line(event)?;
        match &mut self.metrics {
            Metrics::Pending(lines) => lines.extend(line),
            Metrics::File(file) => file.write_all(&line).and_then(|()| file.flush()).map_err(failed)?,
        }
        Ok(())
    }

    /// Takes back the lines of the steps behind this one, and of the epochs behind so many.
    pub fn rewind(&mut self, step: u64, epochs: usize) -> Result<(), TrainError> {
        match &mut self.metrics {
            Metrics::Pending(lines) => {
                *lines = whole_lines(split(lines), step, epochs);
                Ok(())
            }
            Metrics::File(_) => {
                let lines = lines_until(self.place.way(), step, epochs)?;
                self.start_metrics(&lines)
            }
        }
    }

    /// Where it is written.
    pub fn disk(&self) -> Arc<dyn Disk> {
        self.disk.clone()
    }

    /// Writes a checkpoint, and the best one too where it is another one and not there yet; then the model, which is
    /// the best one's weights. Among older checkpoints, the newest are kept.
    pub fn checkpoint(
        &mut self,
        origin: &Origin,
        params: &ParamTable,
        state: &State,
        best: Option<&State>,
        keep: usize,
    ) -> Result<(), TrainError> {
        let folder = self.folder(CHECKPOINTS)?;
        if let Metrics::File(file) = &self.metrics {
            file.get_ref().sync_data().map_err(self.failed(METRICS))?;
        }
        let write = |state: &State| {
            Checkpoint::write(&*self.disk, &folder, origin, params, state).map_err(self.failed(CHECKPOINTS))
        };
        if let Some(best) = best.filter(|best| best.progress.step != state.progress.step) {
            write(best)?;
        }
        write(state)?;
        if let Some(description) = self.replacing.take() {
            self.replace(&description)?;
        }
        if let Some(model) = state.model(best) {
            weights::save(&*self.disk, &self.way(MODEL), params, &model.weights).map_err(|error| match error {
                TrainError::Write { reason, .. } => TrainError::Write { path: self.file(MODEL), reason },
                error => error,
            })?;
        }
        self.prune(keep)
    }

    /// Removes all checkpoints but the newest, and the best one that each of these names.
    fn prune(&self, keep: usize) -> Result<(), TrainError> {
        let mut all = Checkpoint::all(&self.way(CHECKPOINTS), &self.run);
        // Checkpoints of another run stay, and do not count among those that are kept.
        all.retain(|checkpoint| !checkpoint.is_renamed());
        let (newest, older) = all.split_at(keep.max(1).min(all.len()));
        let mut best = Vec::new();
        for checkpoint in newest {
            match checkpoint.manifest() {
                Ok(manifest) => best.extend(manifest.progress.best.map(|best| best.step)),
                // The best one is not known now. There are too many until the next one is written.
                Err(Unusable::Unread { .. }) => return Ok(()),
                Err(Unusable::Damaged(_)) => {}
            }
        }
        for checkpoint in older.iter().filter(|checkpoint| !best.contains(&checkpoint.step)) {
            checkpoint.remove(&*self.disk).map_err(self.failed(CHECKPOINTS))?;
        }
        Ok(())
    }

    /// Replaces the run that was in the folder. The folder belongs to this run as soon as the first file is written.
    fn replace(&mut self, description: &RunDescription) -> Result<(), TrainError> {
        self.describe(description)?;
        for name in DRAWN.into_iter().chain([MODEL]) {
            if fs::symlink_metadata(self.way(name)).is_ok() {
                self.disk.remove(&self.way(name)).map_err(self.failed(name))?;
            }
        }
        for (folder, is_old) in [(IMAGES, None), (CHECKPOINTS, Some(format!("-{}.", self.run)))] {
            for entry in fs::read_dir(self.way(folder)).map_err(self.failed(folder))?.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_ours = match &is_old {
                    Some(mark) => name.starts_with("step-") && !name.contains(mark),
                    None => name.ends_with(".png"),
                };
                if is_ours {
                    self.disk.remove(&entry.path()).map_err(failed(&self.file(folder).join(&name)))?;
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

impl Store for RunFolder {
    fn run(&self) -> &str {
        self.run()
    }

    fn files(&self) -> Files {
        Files::Folder(self.path())
    }

    fn folder(&self) -> Option<PathBuf> {
        Some(self.path())
    }

    fn place(&self) -> Option<Arc<FolderHandle>> {
        Some(self.place())
    }

    fn moved(&mut self) -> Option<PathBuf> {
        Self::moved(self)
    }

    fn discard(&self, damaged: &[PathBuf]) {
        // Checkpoints of the run that this one was forked from stay.
        let own = self.file(CHECKPOINTS);
        let damaged = damaged.iter().filter(|path| path.parent() == Some(&own));
        let damaged = damaged.map(|path| Checkpoint { step: 0, path: path.clone() });
        // Checkpoints of another run are somebody's.
        for checkpoint in damaged.filter(|checkpoint| !checkpoint.is_renamed()) {
            // A checkpoint that cannot be removed is written over when training comes there again.
            let _ = checkpoint.remove(&*self.disk);
        }
    }

    fn begin(&mut self, description: RunDescription, metrics: Vec<u8>) -> Result<(), TrainError> {
        self.begin(description, metrics)
    }

    fn record(&mut self, line: &MetricsLine) -> Result<(), TrainError> {
        self.record(line)
    }

    fn rewind(&mut self, step: u64, epochs: usize) -> Result<(), TrainError> {
        self.rewind(step, epochs)
    }

    fn checkpoint(
        &mut self,
        saving: &Saving,
        params: &ParamTable,
        state: &State,
        best: Option<&State>,
    ) -> Result<(), TrainError> {
        self.checkpoint(&saving.origin, params, state, best, saving.keep)
    }

    fn last(&self, params: &ParamTable, moments: usize) -> Option<State> {
        self.checkpoints().into_iter().find_map(|checkpoint| {
            let manifest = checkpoint.manifest().ok()?;
            checkpoint.state(&manifest, params, moments).ok()
        })
    }

    fn write(&mut self, name: &str, content: &str) -> Result<(), TrainError> {
        Self::write(self, name, content)
    }
}

/// A run that fails before its first step leaves no folder.
impl Drop for RunFolder {
    fn drop(&mut self) {
        if self.is_new {
            let _ = fs::remove_file(self.way(LOCK));
            let there = self.place.now();
            for folder in [self.way(IMAGES), self.way(CHECKPOINTS)].into_iter().chain(there) {
                // Only empty folders can be removed like this.
                let _ = fs::remove_dir(folder);
            }
        }
    }
}
