//! Texts: a line each, as JSON lines, or as a column of CSV.

use std::io::{Error, Write};
use std::path::Path;

use serde_json::{Map, Value};

use super::super::{DataError, Dialect, Vocabulary};
use super::block::{Block, Entry};
use super::csv::csv_to;

/// The name of the column, or the field, that holds texts.
pub const TEXT: &str = "text";

/// A format of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// A text on each line. A text with a line break is refused, since it would be read back as two.
    Lines,
    /// JSON lines: objects with a text, and with what stands beside it.
    JsonLines,
    /// CSV with a column of texts, and with what stands beside them.
    Csv,
}

impl TextFormat {
    /// The format that the name of a file says.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_string_lossy().to_lowercase();
        match extension.as_str() {
            "txt" | "text" => Some(TextFormat::Lines),
            "jsonl" | "ndjson" => Some(TextFormat::JsonLines),
            "csv" => Some(TextFormat::Csv),
            _ => None,
        }
    }
}

/// The texts of rows of token numbers `(N, length)`.
pub fn decoded(rows: &[f32], length: usize, vocabulary: &Vocabulary) -> Vec<String> {
    rows.chunks(length.max(1)).map(|row| vocabulary.decode(row)).collect()
}

/// Writes texts to a file, with blocks of columns beside them. Lines have no room for these.
pub fn write_texts(
    path: &Path,
    format: TextFormat,
    texts: &[String],
    beside: &[Block<'_>],
    dialect: &Dialect,
) -> Result<(), DataError> {
    if let Some(row) = broken(format, texts) {
        let reason = format!(
            "the text of row {} has a line break, which a file of lines cannot hold: write .jsonl or .csv",
            row + 1
        );
        return Err(DataError::unusable(path.display(), reason));
    }
    super::whole(path, |out| texts_to(out, format, texts, beside, dialect))
}

/// The first text that a format cannot hold.
fn broken(format: TextFormat, texts: &[String]) -> Option<usize> {
    texts.iter().position(|text| text.contains(['\n', '\r'])).filter(|_| format == TextFormat::Lines)
}

/// Writes texts to any writer.
pub fn texts_to(
    mut out: impl Write,
    format: TextFormat,
    texts: &[String],
    beside: &[Block<'_>],
    dialect: &Dialect,
) -> std::io::Result<()> {
    match format {
        TextFormat::Lines => {
            if let Some(row) = broken(format, texts) {
                return Err(Error::other(format!("the text of row {} has a line break", row + 1)));
            }
            texts.iter().try_for_each(|text| writeln!(out, "{text}"))
        }
        TextFormat::JsonLines => {
            for (row, text) in texts.iter().enumerate() {
                writeln!(out, "{}", Value::Object(object(row, text, beside)))?;
            }
            Ok(())
        }
        TextFormat::Csv => {
            let blocks: Vec<Block<'_>> =
                std::iter::once(Block::Words { name: TEXT, words: texts }).chain(beside.iter().copied()).collect();
            csv_to(out, texts.len(), &blocks, dialect)
        }
    }
}

/// A text and what stands beside it.
fn object(row: usize, text: &str, beside: &[Block<'_>]) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert(TEXT.into(), text.into());
    for block in beside {
        for (column, name) in block.names().into_iter().enumerate() {
            let value = match block.entry(row, column) {
                Entry::Number(number) => number.to_string().parse::<f64>().map_or(Value::Null, Value::from),
                Entry::Exact(number) | Entry::Written(number, ..) => number.into(),
                Entry::Whole(number) => number.into(),
                Entry::Word(word) => word.into(),
                Entry::Missing => Value::Null,
            };
            object.insert(name.into(), value);
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::super::super::{Dataset, Options};
    use super::*;

    /// What is written is read back, in each format.
    #[test]
    fn texts_come_back_from_each_format() {
        let folder = tempfile::tempdir().unwrap();
        let texts = ["a, \"b\"", "C\\C=C/1", " é;1", "x"].map(String::from);
        let labels = Block::Classes { name: "kind", labels: &[0, 1, 1, 0], classes: &["no".into(), "yes".into()] };
        for name in ["x.txt", "x.jsonl", "x.csv"] {
            let path = folder.path().join(name);
            write_texts(&path, TextFormat::of(&path).unwrap(), &texts, &[labels], &Dialect::default()).unwrap();
            let has_labels = name != "x.txt";
            let data = Dataset::load(Options {
                text: has_labels.then(|| "text".into()),
                label: has_labels.then(|| "kind".into()),
                test_share: 0.25,
                ..path.to_str().unwrap().into()
            });
            let data = data.unwrap_or_else(|error| panic!("{name}: {error}"));
            let vocabulary = data.vocabulary.as_ref().unwrap();
            let rows = data.train.numbers(0..3, data.shape.len());
            let mut found = decoded(&rows, data.shape.len(), vocabulary);
            let test = data.test.numbers(0..1, data.shape.len());
            // The characters that only the test row has are unknown.
            found.extend(decoded(&test, data.shape.len(), vocabulary));
            assert_eq!(found[..3].iter().filter(|text| texts.contains(text)).count(), 3, "{name}: {found:?}");
            assert_eq!(data.classes, if has_labels { vec!["no", "yes"] } else { Vec::new() });
        }
    }

    #[test]
    fn a_line_holds_no_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let texts = ["a".to_string(), "b\nc".to_string()];
        let path = folder.path().join("x.txt");
        let error = write_texts(&path, TextFormat::Lines, &texts, &[], &Dialect::default()).unwrap_err();
        assert!(error.to_string().contains("the text of row 2 has a line break"), "{error}");
        assert!(!path.exists());
        let mut json = Vec::new();
        texts_to(&mut json, TextFormat::JsonLines, &texts, &[], &Dialect::default()).unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), "{\"text\":\"a\"}\n{\"text\":\"b\\nc\"}\n");
        assert_eq!(TextFormat::of(Path::new("x.parquet")), None);
    }
}
