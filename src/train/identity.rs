//! The record by which a folder is known to be that of a run.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::checkpoint::FileRecord;
use super::files::Files;
use super::folder::{CHECKPOINTS, IMAGES, LOCK, MOST_OF_RECORD, RECORD};
use crate::config::Config;
use crate::disk;

/// What a run's record says of the run and of its small files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The program's version.
    pub wgvae: String,
    /// Version of the folder's format; 0 for runs of versions without checkpoints.
    #[serde(default)]
    pub format: u32,
    /// The run's number: sixteen hexadecimal digits.
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
        Self::read(&Files::Folder(folder.to_path_buf()))
    }

    /// Of the run that these are the files of; none if there is no whole record.
    pub fn read(files: &Files) -> Option<Self> {
        if files.folder().is_some() {
            fs::symlink_metadata(files.path(RECORD)).ok().filter(fs::Metadata::is_file)?;
        }
        let identity: Self = serde_json::from_slice(&files.read(RECORD, MOST_OF_RECORD).ok()?).ok()?;
        identity.is_named().then_some(identity)
    }

    /// Whether the run's number is one: it becomes a part of names of files. Runs without checkpoints have none.
    fn is_named(&self) -> bool {
        disk::is_drawn(&self.run) || self.format == 0 && self.run.is_empty()
    }
}

/// What a folder holds.
pub(super) enum Content {
    /// Nothing, or what is left of a run that never began.
    Free,
    Run,
    Other,
}

/// Looks at what a folder holds.
pub(super) fn content(path: &Path) -> Content {
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
