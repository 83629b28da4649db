//! Rows as sounds or music.

use std::io::Write;
use std::path::Path;

use super::super::{DataError, Shape, Sound};
use super::png::class_folders;

/// Writes rows `(N, ...)` in the units of the data into one file, one after another.
pub fn write_sound(path: &Path, sound: Sound, shape: Shape, rows: &[f32]) -> Result<(), DataError> {
    let file = sound.file(rows, shape).map_err(DataError::write(path))?;
    super::whole(path, |out| out.write_all(&file))
}

/// Writes rows with consecutive numbers as names, each in the subfolder of its class if classes are known.
pub fn write_sounds(
    folder: &Path,
    sound: Sound,
    shape: Shape,
    rows: &[f32],
    classes: Option<&[String]>,
) -> Result<(), DataError> {
    let width = shape.len().max(1);
    let mut names: Vec<String> = classes.unwrap_or_default().to_vec();
    names.sort();
    names.dedup();
    let label = |row: usize| names.binary_search(classes?.get(row)?).ok();
    class_folders(folder, rows.len() / width, sound.extension(), label, &names, |path, row| {
        write_sound(path, sound, shape, &rows[row * width..(row + 1) * width])
    })
}
