//! Files of plain numbers, and masks, which commands take in addition to a source of rows.

use std::path::Path;

use super::raw::Request;
use super::source::{self, Kind};
use super::{DataError, Options, Values, idx, npy, npz, picture, table};

/// Reads the numbers `(N, C)` of an array or a table unchanged.
///
/// Of a table, these are the columns `PREFIX_0`, `PREFIX_1`, ... of the first prefix that any column has, or else all
/// columns. Nothing is left out or replaced: a missing column or value is an error.
pub fn numbers(path: &Path, prefixes: &[&str]) -> Result<(Vec<f32>, usize), DataError> {
    let array = match source::kind_of(path)? {
        Kind::Table => return of_table(path, prefixes),
        Kind::Idx => idx::read(path)?,
        Kind::Npy => npy::read(path)?,
        Kind::Npz => npz::numbers(path)?,
        Kind::Image => return Err(DataError::unusable(path.display(), "it is an image, not a file of numbers")),
    };
    array.numbers().map_err(|reason| DataError::unusable(path.display(), reason))
}

fn of_table(path: &Path, prefixes: &[&str]) -> Result<(Vec<f32>, usize), DataError> {
    let names = table::names(path)?;
    let mut columns = Vec::new();
    for prefix in prefixes {
        let is_numbered = |name: &&String| {
            let rest = name.trim().strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
            rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let count = names.iter().filter(is_numbered).count();
        columns = (0..count).map(|place| format!("{prefix}_{place}")).collect();
        if count > 0 {
            break;
        }
    }
    let options = Options { columns, strict: true, ..Options::default() };
    let raw = table::file(path, &Request { options: &options, progress: &|_, _| {}, label_needed: true })?;
    let width = raw.shape.len();
    match raw.rows.values {
        Values::Floats(values) => Ok((values, width)),
        levels => Ok((levels.numbers(0..levels.len()), width)),
    }
}

/// Reads a mask of the given size: `(height, width)`, true where a pixel is white.
pub fn mask(path: &Path, height: usize, width: usize) -> Result<Vec<bool>, DataError> {
    let invalid = |reason: String| DataError::Format { path: path.to_path_buf(), kind: "image", reason };
    let found = picture::header(path).map_err(invalid)?;
    if (found.height, found.width) != (height, width) {
        return Err(DataError::unusable(
            path.display(),
            format!("the mask is {}x{}, but the images are {height}x{width}", found.height, found.width),
        ));
    }
    let white = |image: image::DynamicImage| image.into_luma8().pixels().map(|pixel| pixel.0[0] >= 128).collect();
    picture::decoded(path, white).map_err(invalid)
}
