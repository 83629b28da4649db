//! Files of plain numbers, and masks, which commands take in addition to a source of rows.

use std::path::Path;

use super::raw::Request;
use super::source;
use super::{DataError, Options};

/// Reads the numbers `(N, C)` of a table or an array unchanged. From a table, only the given columns in their order, or
/// all if none are given.
pub fn numbers(path: &Path, columns: &[String]) -> Result<(Vec<f32>, usize), DataError> {
    let options = Options { columns: columns.to_vec(), ..Options::from(path.display().to_string().as_str()) };
    let raw = source::read(&Request { options: &options, progress: &|_, _| {}, label_needed: false })?;
    Ok((raw.rows.values.numbers(0..raw.rows.values.len()), raw.shape.len()))
}

/// Reads a mask of the given size: `(height, width)`, true where a pixel is white.
pub fn mask(path: &Path, height: usize, width: usize) -> Result<Vec<bool>, DataError> {
    let bytes = super::bytes::all(path)?;
    let unusable = |reason: String| DataError::unusable(path.display(), reason);
    let picture =
        image::load_from_memory(&bytes).map_err(|e| unusable(format!("it is not an image ({e})")))?.into_luma8();
    if (picture.height() as usize, picture.width() as usize) != (height, width) {
        return Err(unusable(format!(
            "the mask is {}x{}, but the images are {height}x{width}",
            picture.height(),
            picture.width()
        )));
    }
    Ok(picture.pixels().map(|pixel| pixel.0[0] >= 128).collect())
}
