//! Files of plain numbers, and masks, which commands take in addition to a source of rows.

use std::path::Path;

use super::raw::{Raw, Request};
use super::source::{self, Kind};
use super::table::{FileRows, Identifier};
use super::{DataError, Missing, Options, Origins, Split, Values, idx, npy, npz, picture, table};

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

/// The first columns beside those numbered behind a prefix, or of `logvar`, as the file has them; none where no column is.
pub fn others(path: &Path, prefixes: &[&str], most: usize) -> Result<Vec<(String, Vec<String>)>, DataError> {
    if !matches!(source::kind_of(path)?, Kind::Table) {
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
pub fn labels(path: &Path, prefixes: &[&str], column: &str) -> Result<Option<Vec<String>>, DataError> {
    if !matches!(source::kind_of(path)?, Kind::Table) || !table::names(path)?.iter().any(|name| name.trim() == column) {
        return Ok(None);
    }
    let raw = read(path, prefixes, Some(column.to_string()))?;
    let name = |label: &u32| raw.classes.get(*label as usize).cloned().unwrap_or_default();
    Ok(raw.rows.labels.map(|labels| labels.iter().map(name).collect()))
}

/// Rows of a table's file as they stand there, with all its columns: those of a split, or all; none of another source, or if the rows
/// do not know their lines.
pub fn file_rows(path: &Path, rows: Option<&Split>) -> Result<Option<FileRows>, DataError> {
    let is_table = path.is_file() && matches!(source::kind_of(path)?, Kind::Table);
    match rows.map(|rows| &rows.origins) {
        None if is_table => table::file_rows(path, None).map(Some),
        Some(Some(Origins::Numbered(_, lines))) if is_table => table::file_rows(path, Some(lines)).map(Some),
        _ => Ok(None),
    }
}

/// The columns of a table file that name its rows, and what they say of these rows, or of all; none of another source, or if the rows do
/// not know their lines. `known` columns are none of them.
pub fn identifiers(path: &Path, known: &[&str], rows: Option<&Split>) -> Result<Vec<Identifier>, DataError> {
    let is_table = path.is_file() && matches!(source::kind_of(path)?, Kind::Table);
    match rows.map(|rows| &rows.origins) {
        None if is_table => table::identifiers(path, known, None),
        Some(Some(Origins::Numbered(_, lines))) if is_table => table::identifiers(path, known, Some(lines)),
        _ => Ok(Vec::new()),
    }
}

fn of_table(path: &Path, prefixes: &[&str]) -> Result<(Vec<f32>, usize), DataError> {
    let raw = read(path, prefixes, None)?;
    let width = raw.shape.len();
    let offsets: Vec<f64> = raw.columns.iter().flat_map(|raw| &raw.all).map(|raw| raw.column.offset).collect();
    match raw.rows.values {
        Values::Floats(mut values) => {
            for (place, value) in values.iter_mut().enumerate() {
                let offset = offsets.get(place % width.max(1)).copied().unwrap_or(0.0);
                // A number that is relative to one is far more exact than a float.
                *value = (f64::from(*value) + offset) as f32;
            }
            Ok((values, width))
        }
        levels => Ok((levels.numbers(0..levels.len()), width)),
    }
}

fn read(path: &Path, prefixes: &[&str], label: Option<String>) -> Result<Raw, DataError> {
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
    let kind = Some(super::Kind::Number);
    let options = Options { columns, label, kind, missing: Missing::Drop, strict: true, ..Options::default() };
    table::file(
        path,
        &Request { options: &options, progress: &|_, _| {}, label_needed: true, like: None, is_own: false },
    )
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
