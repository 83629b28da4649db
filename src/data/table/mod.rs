//! Tables as text: CSV, TSV and similar files with any separator, with or without a header.

mod dialect;
mod field;
mod labels;
mod layout;
mod records;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::error::{list, shown};
use super::raw::{Raw, Request};
use super::{DataError, Origins, Shape, Split, Values, bytes};
use dialect::Separator;
use field::Field;
use labels::Labels;
use layout::{Chosen, Layout};
use records::{Record, records};

/// The most columns of a table. A field takes many times the memory of the comma behind it.
const MOST_COLUMNS: usize = 1 << 18;

/// The names of a table's columns.
pub fn names(path: &Path) -> Result<Vec<String>, DataError> {
    let text = text(path)?;
    Ok(Layout::find(path, &text, Separator::guess(&text))?.names)
}

fn text(path: &Path) -> Result<String, DataError> {
    let invalid = |reason: String| DataError::Format { path: path.to_path_buf(), kind: "table", reason };
    // Before all of it is read: a text has no zeros at its beginning, or begins like UTF-16.
    let head = bytes::head(path)?;
    if head.contains(&0) && !matches!(head[..], [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return Err(invalid("it holds bytes that are not text".into()));
    }
    let text = dialect::text(bytes::all(path)?).ok_or_else(|| invalid("it holds bytes that are not text".into()))?;
    match dialect::too_wide(&text, MOST_COLUMNS) {
        Some((line, fields)) => Err(DataError::Line {
            path: path.to_path_buf(),
            line,
            reason: format!("it has {fields} fields, and no more than {MOST_COLUMNS} can be read"),
        }),
        None => Ok(text),
    }
}

/// Reads a table. Rows with missing values are left out and counted, or an error with `strict`.
pub(super) fn file(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    let text = text(path)?;
    let separator = Separator::guess(&text);
    let layout = Layout::find(path, &text, separator)?;
    let chosen = layout.choose(path, request)?;
    let mut reader = Reader::new(path, &layout, &chosen, separator, request.options.strict);
    reader.reserve(&text);
    for record in records(&text, separator).skip(layout.above) {
        reader.row(&record.map_err(|reason| DataError::unusable(path.display(), reason))?)?;
    }
    drop(text);
    let mut raw = reader.finish(request)?;
    raw.notes.splice(0..0, layout.notes);
    Ok(raw)
}

/// The numbers `(lines, columns)` of some columns on some lines, as exactly as the table has them.
pub(super) fn exact(path: &Path, columns: &[String], lines: &[u64]) -> Result<Vec<f64>, DataError> {
    let text = text(path)?;
    let separator = Separator::guess(&text);
    let layout = Layout::find(path, &text, separator)?;
    let changed = || DataError::unusable(path.display(), "it changed while it was read");
    let places: HashMap<&str, usize> = layout.names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let places: Option<Vec<usize>> = columns.iter().map(|name| places.get(name.as_str()).copied()).collect();
    let places = places.ok_or_else(changed)?;
    let wanted: HashSet<u64> = lines.iter().copied().collect();
    let mut rows: HashMap<u64, Vec<f64>> = HashMap::with_capacity(wanted.len());
    for record in records(&text, separator).skip(layout.above) {
        let record = record.map_err(|reason| DataError::unusable(path.display(), reason))?;
        if wanted.contains(&record.line) {
            let number = |place: &usize| match field::read(record.get(*place), separator.decimal_comma()) {
                Field::Number(number) => Some(number),
                Field::Missing | Field::Word(_) => None,
            };
            rows.insert(record.line, places.iter().map(number).collect::<Option<_>>().ok_or_else(changed)?);
        }
    }
    let mut numbers = Vec::with_capacity(lines.len() * columns.len());
    for line in lines {
        numbers.extend(rows.get(line).ok_or_else(changed)?);
    }
    Ok(numbers)
}

/// A table while it is being read.
struct Reader<'a> {
    path: &'a Path,
    layout: &'a Layout,
    chosen: &'a Chosen,
    decimal_comma: bool,
    strict: bool,
    /// Row by row, NaN where a value is missing.
    values: Vec<f32>,
    lines: Vec<u64>,
    labels: Option<Labels>,
    /// Missing values of each column.
    missing: Vec<usize>,
    /// Whether a column has had a number.
    has_numbers: Vec<bool>,
}

impl<'a> Reader<'a> {
    fn new(path: &'a Path, layout: &'a Layout, chosen: &'a Chosen, separator: Separator, strict: bool) -> Self {
        let width = chosen.columns.len();
        Self {
            path,
            layout,
            chosen,
            decimal_comma: separator.decimal_comma(),
            strict,
            values: Vec::new(),
            lines: Vec::new(),
            labels: chosen.label.map(|_| Labels::default()),
            missing: vec![0; width],
            has_numbers: vec![false; width],
        }
    }

    /// Makes room for all values at once: while a vector grows, it is there twice. Each value takes two bytes of the text.
    fn reserve(&mut self, text: &str) {
        let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let values = lines.saturating_mul(self.chosen.columns.len()).min(text.len() / 2 + 1);
        self.values.reserve_exact(values);
        self.lines.reserve_exact(lines.min(text.len() / 2 + 1));
    }

    fn error(&self, line: u64, reason: String) -> DataError {
        DataError::Line { path: self.path.to_path_buf(), line, reason }
    }

    fn row(&mut self, record: &Record) -> Result<(), DataError> {
        let expected = self.layout.names.len();
        if record.len() < expected || record.filled() > expected {
            let reason = format!("it has {} fields, but the table has {expected} columns", record.len());
            return Err(self.error(record.line, reason));
        }
        for (place, column) in self.chosen.columns.iter().enumerate() {
            let name = || shown(&self.layout.names[*column]);
            match field::read(record.get(*column), self.decimal_comma) {
                Field::Number(number) => {
                    self.has_numbers[place] = true;
                    self.values.push(number as f32);
                }
                Field::Missing if self.strict => {
                    return Err(self.error(record.line, format!("the column `{}` has no value", name())));
                }
                Field::Missing => {
                    self.missing[place] += 1;
                    self.values.push(f32::NAN);
                }
                Field::Word(word) if self.has_numbers[place] => {
                    let reason = format!("the column `{}` holds `{}`, which is not a number", name(), shown(word));
                    return Err(self.error(record.line, reason));
                }
                Field::Word(word) => {
                    let (name, word) = (name(), shown(word));
                    let reason = format!(
                        "the column `{name}` holds words (`{word}`), not numbers: make it the label with --label \
                         '{name}', or leave it out by naming the others with --columns"
                    );
                    return Err(self.error(record.line, reason));
                }
            }
        }
        if let (Some(labels), Some(column)) = (&mut self.labels, self.chosen.label) {
            let known = labels.add(record.get(column));
            if !known && self.strict {
                return Err(self.error(record.line, "the row has no label".into()));
            }
        }
        self.lines.push(record.line);
        Ok(())
    }

    fn finish(mut self, request: &Request<'_>) -> Result<Raw, DataError> {
        let rows = self.lines.len();
        let unusable = |reason: String| Err(DataError::unusable(self.path.display(), reason));
        if rows == 0 {
            return unusable("it has a header, but no rows".into());
        }
        let mut notes = Vec::new();
        let mut names: Vec<String> = self.chosen.columns.iter().map(|c| self.layout.names[*c].clone()).collect();
        // A column without any value is dropped, unless it was asked for.
        let filled: Vec<bool> =
            self.missing.iter().map(|missing| *missing < rows || !request.options.columns.is_empty()).collect();
        if filled.contains(&false) {
            let empty: Vec<&String> =
                names.iter().zip(&filled).filter(|(_, filled)| !**filled).map(|(n, _)| n).collect();
            notes.push(format!("columns without any value were left out: {}", list(&empty)));
            retain_in_rows(&mut self.values, &filled);
            retain_in_rows(&mut names, &filled);
            retain_in_rows(&mut self.missing, &filled);
        }
        let width = names.len();
        if width == 0 {
            return unusable("no column has any value".into());
        }
        let labels = self.labels.map(Labels::finish);
        let labelled = |row: usize| labels.as_ref().is_none_or(|labels| labels.known[row]);
        let whole: Vec<bool> = self
            .values
            .chunks_exact(width)
            .enumerate()
            .map(|(row, values)| labelled(row) && !values.iter().any(|v| v.is_nan()))
            .collect();
        let partial = whole.iter().filter(|whole| !**whole).count();
        if partial > 0 {
            let mut counts: Vec<(usize, String)> =
                self.missing.iter().zip(&names).map(|(count, name)| (*count, name.clone())).collect();
            counts.push(((0..rows).filter(|row| !labelled(*row)).count(), "the label".into()));
            counts.retain(|(count, _)| *count > 0);
            counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
            let counts: Vec<String> = counts.into_iter().map(|(count, name)| format!("{name} {count}")).collect();
            let first = whole.iter().position(|whole| !whole).map_or(1, |row| self.lines[row]);
            let what = format!("values are missing, first on line {first} ({})", list(&counts));
            if partial == rows {
                return unusable(format!(
                    "every row has a missing value: {what}; choose complete columns with --columns"
                ));
            }
            notes.push(format!("{partial} of {rows} rows were left out because {what}"));
        }
        let mut split = Split {
            origins: Some(Origins::Lines(self.lines)),
            labels: labels.as_ref().map(|labels| labels.classes.clone()),
            ..Split::of(rows, Values::Floats(self.values))
        };
        split.retain(&whole);
        let classes = labels.map(|labels| labels.names).unwrap_or_default();
        Ok(Raw { classes, columns: Some(names), notes, ..Raw::of("", Shape::Table(width), split) })
    }
}

/// Keeps the marked columns of every row.
fn retain_in_rows<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut marks = keep.iter().cycle();
    values.retain(|_| marks.next().copied().unwrap_or(true));
}

#[cfg(test)]
mod tests {
    use crate::data::{Dataset, Options, Split};

    fn load(text: impl AsRef<[u8]>, change: impl Fn(&mut Options)) -> Result<Dataset, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        let mut options = Options { test_share: 0.25, ..path.to_str().unwrap().into() };
        change(&mut options);
        Dataset::load(options).map_err(|error| error.to_string())
    }

    /// The same table in every supported dialect gives the same rows.
    #[test]
    fn tables_are_read_however_they_are_written() {
        let rows = [("1", "2.5", "no"), ("2", "-3", "yes"), ("4", "1e3", "no"), ("8", "0.125", "yes")];
        let write = |header: &str, field: &str, end: &str| {
            let lines = rows.map(|(a, b, c)| format!("{a}{field}{b}{field}{c}{end}"));
            format!("{}{}", header.replace(',', field).replace('\n', end), lines.concat())
        };
        let plain = load(write("a,b,c\n", ",", "\n"), |o| o.label = Some("c".into())).unwrap();
        assert_eq!((plain.classes.as_slice(), plain.train.rows), (["no".into(), "yes".into()].as_slice(), 3));
        let columns = plain.columns.as_ref().unwrap();
        assert_eq!(columns.names, ["a", "b"]);
        for text in [
            write("a,b,c\n", ",", "\r\n"),
            write("a,b,c\n", ";", "\n"),
            write("a,b,c\n", "\t", "\n\n"),
            write("a,b,c\n", "|", "\n"),
            write("a,b,c\n", "  ", "\n"),
            write("\u{feff}a,b,c\n", ",", "\n"),
            write("\"a\",\"b\",\"c\"\n", ",", "\n") + "\n\n",
            write(" a , b , c \n", " , ", "\n"),
            write("a,b,c\n", ",", ",\n"),
            write("a,b,c\n", ";", "\n").replace('.', ","),
        ] {
            let data = load(&text, |o| o.label = Some("c".into())).unwrap_or_else(|e| panic!("{text:?}: {e}"));
            assert_eq!(
                (&data.train.values, &data.train.labels),
                (&plain.train.values, &plain.train.labels),
                "{text:?}"
            );
            assert_eq!(data.columns, plain.columns, "{text:?}");
        }
        let headless = load(write("", ",", "\n"), |o| o.label = Some("3".into())).unwrap();
        assert_eq!((headless.train.values, headless.train.labels), (plain.train.values, plain.train.labels));
        let counted = load(write("4,2,no,yes\n", ",", "\n"), |o| o.label = Some("3".into())).unwrap();
        assert_eq!((counted.train.rows, counted.notes.len()), (3, 1));
    }

    #[test]
    fn missing_values_leave_rows_out_and_say_so() {
        let text = "a,b,empty,c\n1,2,,x\n2,NA,,x\n3,4,,?\n4,5,,y\n5,?,,x\n6,7,,y\n";
        let label = |o: &mut Options| o.label = Some("c".into());
        let data = load(text, label).unwrap();
        assert_eq!(data.train.rows + data.test.rows, 3);
        assert_eq!(data.notes[0], "columns without any value were left out: empty");
        assert_eq!(
            data.notes[1],
            "3 of 6 rows were left out because values are missing, first on line 3 (b 2, the label 1)"
        );
        let origins =
            |split: &Split| (0..split.rows).filter_map(|row| split.origins.as_ref()?.of(row)).collect::<Vec<_>>();
        let origins = [origins(&data.train), origins(&data.test)].concat();
        assert!(origins.contains(&"line 5".to_string()), "{origins:?}");
        let error = load(text, |o| (label(o), o.strict = true).1).unwrap_err();
        assert!(error.ends_with("table.csv, line 2: the column `empty` has no value"), "{error}");
        let error = load("a,b\n1,\n2,?\n", |o| o.columns = vec!["b".into()]).unwrap_err();
        assert!(error.contains("every row has a missing value"), "{error}");
    }

    #[test]
    fn names_of_rows_are_left_out() {
        for text in [",a,b\n0,1,2\n1,3,4\n2,5,6\n", "a,b\nx,1,2\ny,3,4\nz,5,6\n"] {
            let data = load(text, |_| ()).unwrap();
            assert_eq!(data.columns.unwrap().names, ["a", "b"], "{text:?}");
        }
        let data = load("a,a,\n1,2,\n3,4,\n", |_| ()).unwrap();
        assert_eq!(data.columns.unwrap().names, ["a", "a.1"]);
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        let nothing: &dyn Fn(&mut Options) = &|_| ();
        for (text, change, reason) in [
            ("a,b\n1,2\n\n3,oops\n", nothing, "table.csv, line 4: the column `b` holds `oops`, which is not a number"),
            ("a,kind\n1,x\n", nothing, "line 2: the column `kind` holds words (`x`), not numbers: make it the label"),
            ("a,b\n1,2\n3\n", nothing, "line 3: it has 1 fields, but the table has 2 columns"),
            ("a,b\n1,2\n3,4,5\n", nothing, "line 3: it has 3 fields"),
            ("a,b\n1,2\n3,inf\n", nothing, "holds `inf`, which is not a number"),
            (
                "a,b\n1,2\n",
                &|o| o.label = Some("c".into()),
                "there is no column `c` to take labels from; there are a, b",
            ),
            ("a,b\n1,2\n", &|o| o.columns = vec!["c".into()], "there is no column `c`; there are a, b"),
            ("a\n1\n2\n", &|o| o.label = Some("a".into()), "no column to learn from apart from the label"),
            ("", nothing, "it is empty"),
            ("\n\n", nothing, "it is empty"),
            ("a,b\n", nothing, "a header, but no rows"),
            ("1,2\n", nothing, "1 row is too few"),
            ("a\0b", nothing, "not a valid table: it holds bytes that are not text"),
        ] {
            let error = load(text, change).unwrap_err();
            assert!(error.contains(reason) && error.contains("table.csv"), "{text:?}: {error}");
        }
    }
}
