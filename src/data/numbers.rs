//! Files of plain numbers, and masks: what commands take beside a source of rows.

use std::path::Path;

use super::raw::Request;
use super::source;
use super::{DataError, Options};

/// `(N, C)` numbers of a table or an array as they are; of a table only these columns, in this order, unless there are
/// none.
pub fn numbers(path: &Path, columns: &[String]) -> Result<(Vec<f32>, usize), DataError> {
    let options = Options { columns: columns.to_vec(), ..Options::from(path.display().to_string().as_str()) };
    let raw = source::read(&Request { options: &options, progress: &|_, _| {}, label_needed: false })?;
    Ok((raw.rows.values.numbers(0..raw.rows.values.len()), raw.shape.len()))
}

/// Which pixels of an image are white, row by row; it must have this size.
pub fn mask(path: &Path, height: usize, width: usize) -> Result<Vec<bool>, DataError> {
    let bytes = super::bytes::all(path)?;
    let unusable = |reason: String| DataError::unusable(path.display(), reason);
    let picture =
        image::load_from_memory(&bytes).map_err(|e| unusable(format!("it is not an image ({e})")))?.into_luma8();
    if (picture.height() as usize, picture.width() as usize) != (height, width) {
        return Err(unusable(format!(
            "the mask is {}x{}, and the images are {height}x{width}",
            picture.height(),
            picture.width()
        )));
    }
    Ok(picture.pixels().map(|pixel| pixel.0[0] >= 128).collect())
}
