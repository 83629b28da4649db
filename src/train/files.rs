//! The files of a run, in its folder or in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use wgvae_data::disk::{self, Disk, Lines, NotRead};

use super::checkpoint::{FileRecord, is_absence};

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
/// The most bytes of the record.
pub const MAX_RECORD: u64 = 8 << 20;
/// The most bytes of the description of the data.
pub const MAX_DATA: u64 = 1 << 30;
/// The most bytes of a line of measurements.
pub const MAX_LINE: u64 = 4 << 20;
/// The run's page.
pub const PAGE: &str = "report.html";
pub(super) const LOCK: &str = "lock";
pub(super) const CHECKPOINTS: &str = "checkpoints";
pub(super) const IMAGES: &str = "images";

type Contents = BTreeMap<String, Vec<u8>>;

/// The files of a run, by their names.
#[derive(Debug, Clone)]
pub enum Files {
    /// The files are in a folder.
    Folder(PathBuf),
    /// The files are in memory, and shared by all that know the run.
    Memory(Arc<RwLock<Contents>>),
}

impl Files {
    /// Files in memory.
    pub fn in_memory(contents: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Files::Memory(Arc::new(RwLock::new(contents.into_iter().collect())))
    }

    /// The folder that they are in.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Files::Folder(folder) => Some(folder),
            Files::Memory(_) => None,
        }
    }

    /// The path of a file; in memory, its name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().map_or_else(|| PathBuf::from(name), |folder| folder.join(name))
    }

    /// Whether there is a file of this name. Where the system does not tell, reading it will say why.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Files::Folder(folder) => match std::fs::metadata(folder.join(name)) {
                Ok(there) => there.is_file(),
                Err(error) => !is_absence(&error),
            },
            Files::Memory(all) => contents(all).contains_key(name),
        }
    }

    /// The length of a file.
    pub fn length(&self, name: &str) -> io::Result<u64> {
        match self {
            Files::Folder(folder) => Ok(std::fs::metadata(folder.join(name))?.len()),
            Files::Memory(all) => contents(all).get(name).map(|content| content.len() as u64).ok_or_else(missing),
        }
    }

    /// The content of a file of at most so many bytes.
    pub fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, NotRead> {
        match self {
            Files::Folder(folder) => disk::read(&folder.join(name), limit),
            Files::Memory(all) => Ok(contents(all).get(name).cloned().ok_or_else(missing)?),
        }
    }

    /// The lines of a file, of at most so many bytes each.
    pub fn lines(&self, name: &str, longest: u64) -> Result<Lines, NotRead> {
        match self {
            Files::Folder(folder) => Lines::open(&folder.join(name), longest),
            Files::Memory(all) => Ok(Lines::of(contents(all).get(name).cloned().ok_or_else(missing)?, longest)),
        }
    }

    /// Length and checksum of a file with weights.
    pub fn record(&self, name: &str) -> Result<FileRecord, NotRead> {
        match self {
            Files::Folder(folder) => FileRecord::of_file(&folder.join(name)),
            Files::Memory(all) => {
                Ok(contents(all).get(name).map(|content| FileRecord::of(content)).ok_or_else(missing)?)
            }
        }
    }

    /// Replaces the content of a file.
    pub fn write(&self, disk: &dyn Disk, name: &str, content: &[u8]) -> io::Result<()> {
        match self {
            Files::Folder(folder) => disk::replace(disk, &folder.join(name), content).map(drop),
            Files::Memory(all) => {
                let mut all = all.write().unwrap_or_else(PoisonError::into_inner);
                all.insert(name.into(), content.to_vec());
                Ok(())
            }
        }
    }
}

fn contents(all: &RwLock<Contents>) -> RwLockReadGuard<'_, Contents> {
    all.read().unwrap_or_else(PoisonError::into_inner)
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl std::fmt::Display for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Files::Folder(folder) => folder.display().fmt(f),
            Files::Memory(_) => f.write_str("the run in memory"),
        }
    }
}
