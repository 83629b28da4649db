//! Rows as CSV with a header.

use std::io::{Error, Write};
use std::path::Path;

use super::super::{DataError, Dialect, Encoding};
use super::block::{Block, Entry};

/// Formats a number; very small and very large ones get an exponent: `1e-38`, not 38 zeros. Whole numbers keep their digits up to 18 of
/// them.
fn shortest<T: num_traits::Float + std::fmt::Display + std::fmt::LowerExp>(value: T) -> String {
    let size = value.abs().to_f64().unwrap_or(0.0);
    let is_whole = value.fract() == T::zero() && size < 1e18;
    if size == 0.0 || is_whole || (1e-5..1e10).contains(&size) { value.to_string() } else { format!("{value:e}") }
}

/// Writes a CSV file of `rows` rows, as another file is written.
pub fn write_csv(path: &Path, rows: usize, blocks: &[Block<'_>], dialect: &Dialect) -> Result<(), DataError> {
    super::whole(path, |out| csv_to(out, rows, blocks, dialect))
}

/// Writes CSV to any writer.
pub fn csv_to(mut out: impl Write, rows: usize, blocks: &[Block<'_>], dialect: &Dialect) -> std::io::Result<()> {
    let Dialect { separator, encoding, mark, header, comma, returns } = *dialect;
    // Other encodings are of the whole text: what Latin-1 does not have makes all of it UTF-8.
    if mark || encoding != Encoding::Utf8 {
        let mut text = Vec::new();
        csv_to(&mut text, rows, blocks, &Dialect { mark: false, encoding: Encoding::Utf8, ..*dialect })?;
        let text = String::from_utf8(text).map_err(Error::other)?;
        return out.write_all(&encoding.bytes(&format!("{}{text}", if mark { "\u{feff}" } else { "" })));
    }
    let terminator = if returns { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
    let delimiter = u8::try_from(separator).unwrap_or(b',');
    let mut writer =
        csv::WriterBuilder::new().delimiter(delimiter).terminator(terminator).flexible(true).from_writer(out);
    if header {
        writer.write_record(blocks.iter().flat_map(Block::names))?;
    }
    let pointed = |text: String| if comma { text.replace('.', ",") } else { text };
    let mut record = csv::StringRecord::new();
    for row in 0..rows {
        record.clear();
        for block in blocks {
            for column in 0..block.width() {
                match block.entry(row, column) {
                    Entry::Number(number) => record.push_field(&pointed(shortest(number))),
                    Entry::Exact(number) => record.push_field(&pointed(shortest(number))),
                    Entry::Written(number, form, is_float) => {
                        record.push_field(&form.write(number, (!is_float).then_some(u8::MAX)));
                    }
                    Entry::Whole(number) => record.push_field(&number.to_string()),
                    Entry::Word(word) => record.push_field(word),
                    // Between spaces, nothing is no field.
                    Entry::Missing => record.push_field(if separator == ' ' { "NA" } else { "" }),
                }
            }
        }
        writer.write_record(&record)?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_whole_numbers_keep_their_digits() {
        let shown = [9_007_199_254_740_994.0_f64, -12_345_678_901.0, 1e18, 2.5e10, 0.5].map(shortest);
        assert_eq!(shown, ["9007199254740994", "-12345678901", "1e18", "25000000000", "0.5"]);
        assert_eq!([1e10_f32, 3.4e38, 1e-40].map(shortest), ["10000000000", "3.4e38", "1e-40"]);
    }

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
            &Dialect::default(),
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
