//! Files of a folder that could not be read.

use std::path::Path;

use super::error::list;
use super::folder::{FileType, FolderFile};
use super::{DataError, Options};

/// Files that could not be read.
pub(super) struct Problems<'a> {
    source: &'a Path,
    options: &'a Options,
    of: FileType,
    /// Their names, and why.
    found: Vec<(String, String)>,
    all: usize,
}

impl<'a> Problems<'a> {
    /// None yet, of so many files.
    pub fn of(source: &'a Path, options: &'a Options, of: FileType, all: usize) -> Self {
        Self { source, options, of, found: Vec::new(), all }
    }

    /// Adds an unreadable file: an error with `strict`, or if no file could be read.
    pub fn add(&mut self, file: FolderFile, reason: String) -> Result<(), DataError> {
        self.found.push((file.origin, reason.clone()));
        if self.options.strict || self.all == 1 {
            return Err(DataError::Format { path: file.path, kind: self.of.one(), reason });
        }
        if self.found.len() == self.all {
            let (origin, reason) = &self.found[0];
            let (article, one, all) =
                (if self.of == FileType::Images { "an" } else { "a" }, self.of.one(), self.of.name());
            let reason =
                format!("none of its {} {all} can be read; {origin} is not {article} {one}: {reason}", self.all);
            return Err(DataError::unusable(self.source.display(), reason));
        }
        Ok(())
    }

    /// What to say of them.
    pub fn note(&self) -> Option<String> {
        let names: Vec<String> = self.found.iter().map(|(name, _)| name.clone()).collect();
        let (skipped, all) = (names.len(), self.all);
        let (_, reason) = self.found.first()?;
        let first = if skipped > 1 { "the first, because " } else { "" };
        Some(format!("{skipped} of {all} files could not be read and were skipped: {} ({first}{reason})", list(&names)))
    }
}
