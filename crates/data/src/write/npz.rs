//! Several arrays in one NPZ file.

use std::io::{Error, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::super::DataError;
use super::npy::write_header;

/// An array of an NPZ file.
#[derive(Debug, Clone, Copy)]
pub enum NpzArray<'a> {
    /// Numbers of these extents, row by row.
    Numbers {
        /// The extents.
        shape: &'a [usize],
        /// The numbers.
        values: &'a [f32],
    },
    /// One word a row; whole numbers if all of them are.
    Words(&'a [String]),
}

/// The number that a word is written as, if it comes back as the same word.
fn whole(word: &str) -> Option<i64> {
    word.parse().ok().filter(|number: &i64| number.to_string() == word)
}

impl NpzArray<'_> {
    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let words = match *self {
            NpzArray::Numbers { shape, values } => {
                write_header(out, "<f4", shape)?;
                return values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()));
            }
            NpzArray::Words(words) => words,
        };
        if let Some(numbers) = words.iter().map(|word| whole(word)).collect::<Option<Vec<i64>>>() {
            write_header(out, "<i8", &[words.len()])?;
            return numbers.iter().try_for_each(|number| out.write_all(&number.to_le_bytes()));
        }
        let longest = words.iter().map(|word| word.chars().count()).max().unwrap_or(0).max(1);
        write_header(out, &format!("<U{longest}"), &[words.len()])?;
        for word in words {
            let padding = std::iter::repeat_n(0, longest - word.chars().count());
            word.chars().map(u32::from).chain(padding).try_for_each(|c| out.write_all(&c.to_le_bytes()))?;
        }
        Ok(())
    }
}

/// Writes an NPZ file of named arrays, as `numpy.savez` does.
pub fn write_npz(path: &Path, arrays: &[(&str, NpzArray<'_>)]) -> Result<(), DataError> {
    super::whole(path, |out| {
        // A pipe has no way back, so lengths stand behind the arrays.
        let mut archive = ZipWriter::new_stream(out);
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
        for (name, array) in arrays {
            archive.start_file(format!("{name}.npy"), options).map_err(Error::other)?;
            let mut entry = std::io::BufWriter::new(&mut archive);
            array.write(&mut entry)?;
            entry.flush()?;
        }
        archive.finish().map_err(Error::other)?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dataset, Values};

    #[test]
    fn rows_come_back_with_their_classes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.npz");
        let values: Vec<f32> = (0..40).map(|i| i as f32 / 40.0).collect();
        let numbers = NpzArray::Numbers { shape: &[10, 4], values: &values };
        for (words, classes) in [(["1", "0"], ["0", "1"]), (["é b", "007"], ["007", "é b"])] {
            let y: Vec<String> = (0..10).map(|row| words[row % 2].to_string()).collect();
            write_npz(&path, &[("x", numbers), ("y", NpzArray::Words(&y))]).unwrap();
            let data = Dataset::load(path.to_str().unwrap()).unwrap();
            assert_eq!(data.classes, classes);
            for split in [&data.train, &data.test] {
                let Values::Floats(_) = split.values else { panic!() };
                assert_eq!(split.labels.as_ref().unwrap().len(), split.rows);
            }
            assert_eq!(data.train.rows + data.test.rows, 10);
        }
    }
}
