//! NPY files.

use std::io::Write;
use std::path::Path;

use super::super::DataError;
use super::super::npy::MAGIC;
use super::whole;

/// Writes an array of floats in row-major order.
pub fn write_npy(path: &Path, shape: &[usize], values: &[f32]) -> Result<(), DataError> {
    whole(path, |out| {
        write_header(out, "<f4", shape)?;
        values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
    })
}

/// Writes an array of floats in row-major order, some after the other.
pub fn write_npy_parts(
    path: &Path,
    shape: &[usize],
    mut next: impl FnMut() -> std::io::Result<Option<Vec<f32>>>,
) -> Result<(), DataError> {
    whole(path, |out| {
        write_header(out, "<f4", shape)?;
        while let Some(values) = next()? {
            values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))?;
        }
        Ok(())
    })
}

/// Writes what stands before the elements of an array.
pub(super) fn write_header(out: &mut impl Write, descr: &str, shape: &[usize]) -> std::io::Result<()> {
    let lengths: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    let lengths = if shape.len() == 1 { lengths.trim_end() } else { lengths.trim_end_matches(", ") };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({lengths}), }}");
    // The format wants the data to begin on a multiple of 64 bytes.
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(std::io::Error::other)?;
    out.write_all(MAGIC)?;
    out.write_all(&[1, 0])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(header.as_bytes())
}

/// Writes the class numbers of rows.
pub fn write_npy_labels(path: &Path, labels: &[u32]) -> Result<(), DataError> {
    let numbers: Vec<f32> = labels.iter().map(|label| *label as f32).collect();
    write_npy(path, &[labels.len()], &numbers)
}
