//! Images and labels as IDX files.

use std::io::{Error, Write};
use std::path::Path;

use super::super::DataError;

/// Writes grey images `(N, height, width)`, or colour images `(N, height, width, 3)`.
pub fn write_idx_images(
    path: &Path,
    (height, width, channels): (usize, usize, usize),
    levels: &[u8],
) -> Result<(), DataError> {
    let rows = levels.len() / (height * width * channels).max(1);
    let extents = [rows, height, width, channels];
    write(path, if channels == 1 { &extents[..3] } else { &extents }, levels)
}

/// Writes so many of them, some rows after the other.
pub fn write_idx_parts(
    path: &Path,
    (height, width, channels): (usize, usize, usize),
    rows: usize,
    mut next: impl FnMut() -> std::io::Result<Option<Vec<u8>>>,
) -> Result<(), DataError> {
    let extents = [rows, height, width, channels];
    let extents = if channels == 1 { &extents[..3] } else { &extents };
    super::whole(path, |out| {
        head(out, extents)?;
        while let Some(levels) = next()? {
            out.write_all(&levels)?;
        }
        Ok(())
    })
}

/// Writes one label per row; labels must be below 256.
pub fn write_idx_labels(path: &Path, labels: &[u32]) -> Result<(), DataError> {
    let bytes: Result<Vec<u8>, _> = labels.iter().map(|label| u8::try_from(*label)).collect();
    let bytes = bytes.map_err(|_| {
        DataError::write(path)(Error::other("IDX labels are single bytes, but there are more than 256 classes"))
    })?;
    write(path, &[labels.len()], &bytes)
}

fn write(path: &Path, extents: &[usize], bytes: &[u8]) -> Result<(), DataError> {
    super::whole(path, |out| {
        head(out, extents)?;
        out.write_all(bytes)
    })
}

fn head(out: &mut impl Write, extents: &[usize]) -> std::io::Result<()> {
    out.write_all(&[0, 0, 8, extents.len() as u8])?;
    extents.iter().try_for_each(|extent| out.write_all(&u32::try_from(*extent).map_err(Error::other)?.to_be_bytes()))
}
