//! The record by which a folder is known to be that of a run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wgvae_data::disk::{self, NotRead};

use super::TrainError;
use super::checkpoint::{Checkpoint, FORMAT, FileRecord, is_absence};
use super::files::Files;
use super::files::{CHECKPOINTS, IMAGES, LOCK, MAX_RECORD, RECORD};
use crate::config::Config;

/// The part of a run's record about the run and its small files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The program's version.
    pub wgvae: String,
    /// Version of the folder's format.
    pub format: u32,
    /// The run's number: sixteen hexadecimal digits.
    pub run: String,
    /// The whole configuration, for a run that is ended before its first checkpoint.
    pub configuration: Config,
    /// The configuration's file.
    pub config: FileRecord,
    /// The file with the description of the data.
    pub data: FileRecord,
    /// The run that this one was forked from. Without a checkpoint of its own it cannot go on, and has nothing to lose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked: Option<ForkOf>,
}

/// Where a fork began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkOf {
    /// The folder of the run that was forked, as it was then.
    pub folder: PathBuf,
    /// The step of its checkpoint.
    pub step: u64,
}

impl Identity {
    /// The identity of the run in a folder; none if there is no whole record.
    pub fn of(folder: &Path) -> Option<Self> {
        Self::find(folder).ok().flatten()
    }

    /// The identity of the run with these files; none if there is no whole record.
    pub fn read(files: &Files) -> Option<Self> {
        Self::find_in(files).ok().flatten()
    }

    /// The identity of the run in a folder, none if there is no whole record; an error where that cannot be known now.
    pub fn find(folder: &Path) -> Result<Option<Self>, TrainError> {
        Self::find_in(&Files::Folder(folder.to_path_buf())).map_err(unread(&folder.join(RECORD)))
    }

    fn find_in(files: &Files) -> io::Result<Option<Self>> {
        let found = match files.folder() {
            Some(_) => fs::symlink_metadata(files.path(RECORD)).map(|there| there.is_file()),
            None => Ok(true),
        };
        let content = match found {
            Ok(true) => files.read(RECORD, MAX_RECORD),
            Ok(false) => return Ok(None),
            Err(error) => Err(error.into()),
        };
        let content = match content {
            Err(NotRead::Io(error)) if !is_absence(&error) => return Err(error),
            Err(_) => return Ok(None),
            Ok(content) => content,
        };
        let identity: Option<Self> = serde_json::from_slice(&content).ok();
        // The run's number becomes a part of names of files.
        Ok(identity.filter(|identity| disk::is_drawn(&identity.run)))
    }

    /// Whether it is a fork that has no checkpoint yet.
    fn has_not_begun(&self, folder: &Path) -> bool {
        let checkpoints = || Checkpoint::list(&folder.join(CHECKPOINTS), &self.run);
        self.forked.is_some() && checkpoints().is_ok_and(|all| all.is_empty())
    }
}

/// The small files of a run, which are written before its first step.
#[derive(Debug, Clone, Default)]
pub struct RunDescription {
    /// `run.json`, without the run's identity.
    pub record: serde_json::Map<String, serde_json::Value>,
    /// The configuration.
    pub configuration: Config,
    /// `config.toml`
    pub config: String,
    /// `data.json`
    pub data: String,
    /// The run that it is forked from.
    pub forked: Option<ForkOf>,
}

/// The error of a file or a folder that cannot be read.
pub(super) fn unread(path: &Path) -> impl Fn(io::Error) -> TrainError + use<> {
    let path = path.to_path_buf();
    move |error| TrainError::Read { path: path.clone(), reason: error.to_string() }
}

/// A run's `run.json`.
pub(super) fn record_of(run: &str, description: &RunDescription) -> Result<String, serde_json::Error> {
    let identity = Identity {
        wgvae: env!("CARGO_PKG_VERSION").into(),
        format: FORMAT,
        run: run.to_string(),
        configuration: description.configuration.clone(),
        config: FileRecord::of(description.config.as_bytes()),
        data: FileRecord::of(description.data.as_bytes()),
        forked: description.forked.clone(),
    };
    let mut record = match serde_json::to_value(identity)? {
        serde_json::Value::Object(identity) => identity,
        _ => Default::default(),
    };
    record.extend(description.record.clone());
    serde_json::to_string_pretty(&record)
}

/// The content of a folder.
pub(super) enum FolderContent {
    /// Nothing, or what is left of a run that never began, or of a fork that has no checkpoint.
    Free,
    Run,
    Other,
}

/// Looks at what a folder holds.
pub(super) fn content(path: &Path) -> Result<FolderContent, TrainError> {
    match Identity::find(path)? {
        Some(identity) if identity.has_not_begun(path) => return Ok(FolderContent::Free),
        Some(_) => return Ok(FolderContent::Run),
        None => {}
    }
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(FolderContent::Other),
        entries => entries.map_err(unread(path))?,
    };
    let is_left_over = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_empty = || fs::read_dir(entry.path()).is_ok_and(|mut entries| entries.next().is_none());
        name == LOCK || disk::is_partial(&name) || [IMAGES, CHECKPOINTS].contains(&name.as_str()) && is_empty()
    };
    Ok(if entries.flatten().all(is_left_over) { FolderContent::Free } else { FolderContent::Other })
}
