//! Reading files, plain or gzipped.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::DataError;

/// The first bytes of a gzip stream.
const GZIP: [u8; 2] = [0x1f, 0x8b];

fn damaged(path: &Path, error: impl std::fmt::Display) -> DataError {
    DataError::Format {
        path: path.to_path_buf(),
        kind: "gzip file",
        reason: format!("the gzip stream is damaged or cut short ({error})"),
    }
}

fn start(path: &Path, most: u64) -> Result<Vec<u8>, DataError> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(DataError::read(path))?;
    file.take(most).read_to_end(&mut head).map_err(DataError::read(path))?;
    Ok(head)
}

/// The first bytes of a file, decompressed.
pub fn head(path: &Path) -> Result<Vec<u8>, DataError> {
    const HEAD: u64 = 64;
    let packed = start(path, HEAD)?;
    if !packed.starts_with(&GZIP) {
        return Ok(packed);
    }
    let mut head = Vec::new();
    let file = File::open(path).map_err(DataError::read(path))?;
    MultiGzDecoder::new(BufReader::new(file)).take(HEAD).read_to_end(&mut head).map_err(|e| damaged(path, e))?;
    Ok(head)
}

/// A whole file, decompressed.
pub fn all(path: &Path) -> Result<Vec<u8>, DataError> {
    if !start(path, GZIP.len() as u64)?.starts_with(&GZIP) {
        return std::fs::read(path).map_err(DataError::read(path));
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(DataError::read(path))?;
    MultiGzDecoder::new(BufReader::new(file)).read_to_end(&mut content).map_err(|e| damaged(path, e))?;
    Ok(content)
}
