//! Files of plain numbers, and masks, which commands take in addition to a source of rows.

use std::path::Path;

use super::source::{self, FileKind};
use super::table::{FileRows, Identifier};
use super::{DataError, Examples, Origins, idx, npy, npz, picture, table};

/// Reads the numbers `(N, C)` of an array or a table unchanged.
///
/// From a table it takes the columns `PREFIX_0`, `PREFIX_1`, ... of the first prefix that any column has, or else all
/// columns. Nothing is left out or replaced: a missing column or value is an error.
pub fn numbers(path: &Path, prefixes: &[&str]) -> Result<(Vec<f32>, usize), DataError> {
    let array = match source::kind_of(path)? {
        FileKind::Table { .. } | FileKind::Text => return of_table(path, prefixes),
        FileKind::Json => return Err(DataError::unusable(path.display(), "it holds JSON lines, not numbers")),
        FileKind::Series => return Err(DataError::unusable(path.display(), "it holds series, not rows of numbers")),
        FileKind::Wav | FileKind::Midi => {
            return Err(DataError::unusable(path.display(), "it holds sounds or music, not rows of numbers"));
        }
        FileKind::Idx => idx::read(path)?,
        FileKind::Npy => npy::read(path)?,
        FileKind::Npz => npz::numbers(path)?,
        FileKind::Image => return Err(DataError::unusable(path.display(), "it is an image, not a file of numbers")),
    };
    array.numbers().map_err(|reason| DataError::unusable(path.display(), reason))
}

/// The first columns beside those numbered behind a prefix, or of `logvar`, as the file has them; none where no column is.
pub fn others(path: &Path, prefixes: &[&str], most: usize) -> Result<Vec<(String, Vec<String>)>, DataError> {
    if !source::kind_of(path)?.may_be_table() {
        return Ok(Vec::new());
    }
    let is_numbered = |name: &String| {
        let mut prefixes = prefixes.iter().chain(&["logvar"]);
        prefixes.any(|prefix| name.trim().strip_prefix(prefix).is_some_and(|rest| rest.starts_with('_')))
    };
    table::others(path, |names| {
        let has_numbered = names.iter().any(is_numbered);
        let others = (0..names.len()).filter(|place| has_numbered && !is_numbered(&names[*place]));
        others.take(most).collect()
    })
}

/// The classes in a column of this name, of the file that [`numbers`] reads; none if it has no such column.
pub fn labels(path: &Path, column: &str) -> Result<Option<Vec<String>>, DataError> {
    if !source::kind_of(path)?.may_be_table() {
        return Ok(None);
    }
    let is_wanted = |name: &String| name.trim() == column;
    let found = table::others(path, |names| names.iter().position(is_wanted).into_iter().collect())?;
    let Some((_, labels)) = found.into_iter().next() else { return Ok(None) };
    match labels.iter().position(String::is_empty) {
        Some(row) => Err(DataError::unusable(path.display(), format!("row {} has no label", row + 1))),
        None => Ok(Some(labels)),
    }
}

/// Rows of a table's file as they stand there, with all its columns: those of a split, or all; none of another source, or if the rows
/// do not know their lines.
pub fn file_rows(path: &Path, rows: Option<&Examples>) -> Result<Option<FileRows>, DataError> {
    let is_table = path.is_file() && source::kind_of(path)?.may_be_table();
    match rows.map(|rows| &rows.origins) {
        None if is_table => table::file_rows(path, None).map(Some),
        Some(Some(Origins::Numbered(_, lines))) if is_table => table::file_rows(path, Some(lines)).map(Some),
        _ => Ok(None),
    }
}

/// The columns of a table file that name its rows, and what they say of these rows, or of all; none of another source, or if the rows do
/// not know their lines. `known` columns are none of them.
pub fn identifiers(path: &Path, known: &[&str], rows: Option<&Examples>) -> Result<Vec<Identifier>, DataError> {
    let is_table = path.is_file() && source::kind_of(path)?.may_be_table();
    match rows.map(|rows| &rows.origins) {
        None if is_table => table::identifiers(path, known, None),
        Some(Some(Origins::Numbered(_, lines))) if is_table => table::identifiers(path, known, Some(lines)),
        _ => Ok(Vec::new()),
    }
}

fn of_table(path: &Path, prefixes: &[&str]) -> Result<(Vec<f32>, usize), DataError> {
    table::plain_numbers(path, |names| {
        let of_prefix = |prefix: &&str| -> Vec<(usize, usize)> {
            let number = |(place, name): (usize, &String)| {
                let digits = name.trim().strip_prefix(*prefix)?.strip_prefix('_')?;
                let number = digits.parse::<usize>().ok().filter(|number| number.to_string() == digits)?;
                Some((number, place))
            };
            names.iter().enumerate().filter_map(number).collect()
        };
        let Some(mut found) = prefixes.iter().map(of_prefix).find(|found| !found.is_empty()) else {
            return Ok((0..names.len()).collect());
        };
        found.sort_unstable();
        match found.iter().zip(0..).find(|((number, _), place)| number != place) {
            Some((_, missing)) => {
                let prefix = prefixes.iter().find(|prefix| !of_prefix(prefix).is_empty()).copied().unwrap_or_default();
                Err(format!("it has no column `{prefix}_{missing}`, but {} columns `{prefix}_...`", found.len()))
            }
            None => Ok(found.into_iter().map(|(_, place)| place).collect()),
        }
    })
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
