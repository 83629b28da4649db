//! Rows as CSV with a header.

use std::path::Path;

use super::super::{Cell, DataError};

/// Columns next to each other; all blocks of a file have the same number of rows.
#[derive(Debug, Clone, Copy)]
pub enum Block<'a> {
    /// Columns of numbers, written in the shortest form that reads back to the same bits.
    Numbers {
        /// The columns' names.
        names: &'a [String],
        /// `(rows, names)`.
        values: &'a [f32],
    },
    /// Columns of cells of a table.
    Cells {
        /// The columns' names.
        names: &'a [String],
        /// `(rows, names)`.
        cells: &'a [Cell],
    },
    /// One column of words.
    Words {
        /// The column's name.
        name: &'a str,
        /// One word per row.
        words: &'a [String],
    },
    /// One column of classes.
    Classes {
        /// The column's name.
        name: &'a str,
        /// One index into `classes` per row; an index outside of it is written as a number.
        labels: &'a [u32],
        /// Names of the classes.
        classes: &'a [String],
    },
    /// Columns of factors.
    Places {
        /// The columns' names.
        names: &'a [String],
        /// Row by row.
        values: &'a [u16],
    },
}

impl Block<'_> {
    fn names(&self, record: &mut csv::StringRecord) {
        match self {
            Block::Numbers { names, .. } | Block::Cells { names, .. } | Block::Places { names, .. } => {
                names.iter().for_each(|n| record.push_field(n))
            }
            Block::Words { name, .. } | Block::Classes { name, .. } => record.push_field(name),
        }
    }

    fn row(&self, row: usize, record: &mut csv::StringRecord) {
        match self {
            Block::Numbers { names, values } => {
                let numbers = values.iter().skip(row * names.len()).take(names.len());
                numbers.for_each(|v| record.push_field(&shortest(*v)));
            }
            Block::Cells { names, cells } => {
                for cell in cells.iter().skip(row * names.len()).take(names.len()) {
                    match cell {
                        Cell::Number(number) => record.push_field(&shortest(*number)),
                        Cell::Exact(number) => record.push_field(&shortest(*number)),
                        Cell::Word(word) => record.push_field(word),
                        Cell::Missing => record.push_field(""),
                    }
                }
            }
            Block::Places { names, values } => {
                let places = values.iter().skip(row * names.len()).take(names.len());
                places.for_each(|v| record.push_field(&v.to_string()));
            }
            Block::Words { words, .. } => record.push_field(words.get(row).map_or("", String::as_str)),
            Block::Classes { labels, classes, .. } => match labels.get(row) {
                None => record.push_field(""),
                Some(label) => match classes.get(*label as usize) {
                    Some(class) => record.push_field(class),
                    None => record.push_field(&label.to_string()),
                },
            },
        }
    }
}

/// Formats a number; very small and very large ones get an exponent: `1e-38`, not 38 zeros.
fn shortest<T: num_traits::Float + std::fmt::Display + std::fmt::LowerExp>(value: T) -> String {
    let size = value.abs().to_f64().unwrap_or(0.0);
    if size == 0.0 || (1e-5..1e10).contains(&size) { value.to_string() } else { format!("{value:e}") }
}

/// Writes a CSV file of `rows` rows.
pub fn write_csv(path: &Path, rows: usize, blocks: &[Block<'_>]) -> Result<(), DataError> {
    super::whole(path, |out| csv_to(out, rows, blocks))
}

/// Writes CSV to any writer.
pub fn csv_to(out: impl std::io::Write, rows: usize, blocks: &[Block<'_>]) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    let mut record = csv::StringRecord::new();
    blocks.iter().for_each(|block| block.names(&mut record));
    writer.write_record(&record)?;
    for row in 0..rows {
        record.clear();
        blocks.iter().for_each(|block| block.row(row, &mut record));
        writer.write_record(&record)?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_to_the_same_bits_and_words_are_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let values = [0.1, -0.0, 1e-40, f32::MAX, 1.0 / 3.0, 16_777_216.0];
        write_csv(
            &path,
            3,
            &[
                Block::Words { name: "file", words: &["a,b".into(), "c \"d\"".into(), "e".into()] },
                Block::Numbers { names: &["x".into(), "y".into()], values: &values },
                Block::Classes { name: "class", labels: &[1, 0, 7], classes: &["no".into(), "yes".into()] },
                Block::Places { names: &["scale".into()], values: &[3, 2, 1] },
            ],
        )
        .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "file,x,y,class,scale");
        assert_eq!(lines[1], "\"a,b\",0.1,-0,yes,3");
        assert!(lines[3].ends_with("16777216,7,1"), "{}", lines[3]);
        let mut reader = csv::Reader::from_path(&path).unwrap();
        for (row, record) in reader.records().map(Result::unwrap).enumerate() {
            for column in 0..2 {
                let number: f32 = record[1 + column].parse().unwrap();
                assert_eq!(number.to_bits(), values[2 * row + column].to_bits());
            }
        }
    }
}
