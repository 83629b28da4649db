//! Rows that came out of a compressed file, in a file of their own: they come in reverse, and may be more than memory holds.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use wgvae_data::Examples;
use xxhash_rust::xxh3::Xxh3;

use super::alphabet::{Alphabet, Symbol, rows_of};
use super::coder::Batch;
use crate::apply::RunError;

/// Bytes that are read at a time.
const AT_ONCE: usize = 1 << 22;
/// Bytes of a symbol.
const BYTES: usize = size_of::<Symbol>();

/// A file without a name, or with one that nobody can guess where a file that is open cannot lose it.
pub(super) struct Spool {
    file: File,
    path: PathBuf,
}

impl Spool {
    pub(super) fn new(folder: &Path) -> Result<Self, RunError> {
        let number = std::collections::hash_map::RandomState::new().build_hasher().finish();
        let path = folder.join(format!(".wgvae-{number:016x}.part"));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|error| RunError::Write { path: path.clone(), reason: error.to_string() })?;
        // Best effort: where this fails, it is removed in the end.
        let _ = std::fs::remove_file(&path);
        Ok(Self { file, path })
    }

    fn failed(&self, error: std::io::Error) -> RunError {
        RunError::Write { path: self.path.clone(), reason: error.to_string() }
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<(), RunError> {
        let put = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.write_all(bytes));
        put.map_err(|error| self.failed(error))
    }

    fn read(&mut self, at: u64, len: usize) -> Result<Vec<u8>, RunError> {
        let mut bytes = vec![0; len];
        let read = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map(|()| bytes).map_err(|error| self.failed(error))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The rows of a compressed file: the symbols of all rows, then the classes of all, if they have some.
pub struct Unpacked {
    pub(super) spool: Spool,
    pub(super) count: usize,
    pub(super) width: usize,
    pub(super) alphabet: Alphabet,
    pub(super) bytes: bool,
    pub(super) has_classes: bool,
}

impl Unpacked {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many rows are worth being read at once.
    pub fn at_once(&self) -> usize {
        (AT_ONCE / (BYTES * self.width.max(1))).clamp(1, self.count.max(1))
    }

    fn of_classes(&self, first: usize) -> u64 {
        (BYTES * self.count * self.width) as u64 + 4 * first as u64
    }

    pub(super) fn write_batch(&mut self, first: usize, batch: &Batch) -> Result<(), RunError> {
        self.spool.write_at((BYTES * first * self.width) as u64, bytemuck::cast_slice(&batch.symbols))?;
        match self.has_classes {
            true => self.spool.write_at(self.of_classes(first), bytemuck::cast_slice(&batch.classes)),
            false => Ok(()),
        }
    }

    /// Some of the rows, as the model takes them.
    pub fn rows(&mut self, rows: Range<usize>) -> Result<Examples, RunError> {
        let [at, length] = [rows.start, rows.len()].map(|rows| BYTES * rows * self.width);
        let symbols: Vec<Symbol> = bytemuck::pod_collect_to_vec(&self.spool.read(at as u64, length)?);
        let classes = match self.has_classes {
            true => bytemuck::pod_collect_to_vec(&self.spool.read(self.of_classes(rows.start), 4 * rows.len())?),
            false => Vec::new(),
        };
        Ok(rows_of(self.alphabet, &symbols, &classes, self.bytes, self.width))
    }

    /// A checksum of all rows, in their order.
    pub(super) fn checksum(&mut self) -> Result<u64, RunError> {
        let mut hash = Xxh3::new();
        let classes = if self.has_classes { 4 * self.count } else { 0 };
        let length = BYTES * self.count * self.width + classes;
        for at in (0..length).step_by(AT_ONCE) {
            hash.update(&self.spool.read(at as u64, AT_ONCE.min(length - at))?);
        }
        Ok(hash.digest())
    }
}
