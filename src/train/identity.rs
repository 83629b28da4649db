//! The record by which a folder is known to be that of a run.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wgvae_data::disk;

use super::checkpoint::{FORMAT, FileRecord};
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
}

impl Identity {
    /// The identity of the run in a folder; none if there is no whole record.
    pub fn of(folder: &Path) -> Option<Self> {
        Self::read(&Files::Folder(folder.to_path_buf()))
    }

    /// The identity of the run with these files; none if there is no whole record.
    pub fn read(files: &Files) -> Option<Self> {
        if files.folder().is_some() {
            fs::symlink_metadata(files.path(RECORD)).ok().filter(fs::Metadata::is_file)?;
        }
        let identity: Self = serde_json::from_slice(&files.read(RECORD, MAX_RECORD).ok()?).ok()?;
        // The run's number becomes a part of names of files.
        disk::is_drawn(&identity.run).then_some(identity)
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
    /// Nothing, or what is left of a run that never began.
    Free,
    Run,
    Other,
}

/// Looks at what a folder holds.
pub(super) fn content(path: &Path) -> FolderContent {
    if Identity::of(path).is_some() {
        return FolderContent::Run;
    }
    let Ok(entries) = fs::read_dir(path) else { return FolderContent::Other };
    let is_left_over = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_empty = || fs::read_dir(entry.path()).is_ok_and(|mut entries| entries.next().is_none());
        name == LOCK || disk::is_partial(&name) || [IMAGES, CHECKPOINTS].contains(&name.as_str()) && is_empty()
    };
    if entries.flatten().all(is_left_over) { FolderContent::Free } else { FolderContent::Other }
}
