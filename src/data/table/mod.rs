//! Tables as text: CSV, TSV and similar files with any separator, with or without a header.

mod dialect;
mod field;
mod labels;
mod layout;
mod records;
mod words;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::error::{list, shown};
use super::raw::{MOST_COLUMNS, Raw, RawColumns, Request};
use super::{Cell, DataError, Kind, Missing, Origins, Shape, Split, Values, bytes};
use dialect::Separator;
use field::Field;
use labels::Labels;
use layout::{Chosen, Layout};
use records::{Record, records};
use words::Words;

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

/// Reads a table. Rows without a label, and where missing values are not kept those with any, are left out and counted, or an error
/// with `strict`.
pub(super) fn file(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    let text = text(path)?;
    let separator = Separator::guess(&text);
    let layout = Layout::find(path, &text, separator)?;
    let chosen = layout.choose(path, request)?;
    let above = layout.above;
    let mut reader = Reader::new(path, layout, &chosen, separator, request)?;
    reader.reserve(&text);
    for record in records(&text, separator).skip(above) {
        reader.row(&record.map_err(|reason| DataError::unusable(path.display(), reason))?)?;
    }
    drop(text);
    reader.finish(request)
}

/// The cells `(lines, columns)` of some columns on some lines, as exactly as the table has them.
pub(super) fn exact(path: &Path, columns: &[String], lines: &[u64]) -> Result<Vec<Cell>, DataError> {
    let text = text(path)?;
    let separator = Separator::guess(&text);
    let layout = Layout::find(path, &text, separator)?;
    let changed = || DataError::unusable(path.display(), "it changed while it was read");
    let places: HashMap<&str, usize> = layout.names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let places: Option<Vec<usize>> = columns.iter().map(|name| places.get(name.as_str()).copied()).collect();
    let places = places.ok_or_else(changed)?;
    let wanted: HashSet<u64> = lines.iter().copied().collect();
    let mut rows: HashMap<u64, Vec<Cell>> = HashMap::with_capacity(wanted.len());
    for record in records(&text, separator).skip(layout.above) {
        let record = record.map_err(|reason| DataError::unusable(path.display(), reason))?;
        if wanted.contains(&record.line) {
            let cell = |place: &usize| match field::read(record.get(*place), separator.decimal_comma()) {
                Field::Number(number) => Cell::Exact(number),
                Field::Word(word) => Cell::Word(word.to_string()),
                Field::Missing => Cell::Missing,
            };
            rows.insert(record.line, places.iter().map(cell).collect());
        }
    }
    let mut cells = Vec::with_capacity(lines.len() * columns.len());
    for line in lines {
        cells.extend_from_slice(rows.get(line).ok_or_else(changed)?);
    }
    Ok(cells)
}

/// The columns that name rows, and what stands there on some lines: of the columns that are not those of a model, all whose cells
/// are filled and different from each other.
pub(super) fn identifiers(path: &Path, known: &[&str], lines: &[u64]) -> Result<Vec<(String, Vec<String>)>, DataError> {
    let text = text(path)?;
    let separator = Separator::guess(&text);
    let layout = Layout::find(path, &text, separator)?;
    let known: HashSet<&str> = known.iter().copied().collect();
    let mut others: Vec<usize> =
        (0..layout.names.len()).filter(|place| !known.contains(layout.names[*place].as_str())).collect();
    let mut met: Vec<HashSet<String>> = vec![HashSet::new(); others.len()];
    let mut of_lines: HashMap<u64, Vec<String>> = HashMap::new();
    let wanted: HashSet<u64> = lines.iter().copied().collect();
    for record in records(&text, separator).skip(layout.above) {
        let record = record.map_err(|reason| DataError::unusable(path.display(), reason))?;
        let cells: Vec<String> = others.iter().map(|place| field::bare(record.get(*place)).to_string()).collect();
        let different: Vec<bool> =
            cells.iter().zip(&mut met).map(|(cell, met)| !cell.is_empty() && met.insert(cell.clone())).collect();
        if wanted.contains(&record.line) {
            of_lines.insert(record.line, cells);
        }
        if different.contains(&false) {
            retain_in_rows(&mut others, &different);
            retain_in_rows(&mut met, &different);
            of_lines.values_mut().for_each(|cells| retain_in_rows(cells, &different));
        }
    }
    let column = |(place, column): (usize, &usize)| {
        let cells = lines.iter().map(|line| of_lines.get(line).map_or(String::new(), |cells| cells[place].clone()));
        (layout.names[*column].clone(), cells.collect())
    };
    Ok(others.iter().enumerate().map(column).collect())
}

/// What the cells of a column are.
enum Column {
    /// Not known yet: all so far are missing.
    Open,
    /// Numbers.
    Numbers,
    /// Words. Most columns have none.
    Words(Box<Words>),
}

/// A table while it is being read.
struct Reader<'a> {
    path: &'a Path,
    layout: Layout,
    chosen: &'a Chosen,
    request: &'a Request<'a>,
    decimal_comma: bool,
    /// Row by row, NaN where a value is missing; of words, numbers of words.
    values: Vec<f32>,
    lines: Vec<u64>,
    labels: Option<Labels>,
    columns: Vec<Column>,
    /// The kinds that were asked for.
    asked: Vec<Option<Kind>>,
    /// Missing values of each column.
    missing: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn new(
        path: &'a Path,
        layout: Layout,
        chosen: &'a Chosen,
        separator: Separator,
        request: &'a Request<'a>,
    ) -> Result<Self, DataError> {
        let mut asked = vec![None; chosen.columns.len()];
        for named in &request.options.kinds {
            let place = chosen.columns.iter().position(|column| layout.names[*column] == named.name);
            let Some(place) = place else {
                let names: Vec<&String> = chosen.columns.iter().map(|column| &layout.names[*column]).collect();
                let reason = format!("there is no column `{}` to learn from; there are {}", named.name, list(&names));
                return Err(DataError::unusable(path.display(), reason));
            };
            asked[place] = Some(named.kind);
        }
        // What a model knows is read as it was there; a category that was asked for has words, whatever they look like.
        let column = |place: usize| match request.like {
            Some(like) if like.kinds.get(place).is_some_and(|kind| kind.is_of_words()) => {
                Column::Words(Words::known(&like.words[place]).into())
            }
            Some(_) => Column::Numbers,
            None if asked[place] == Some(Kind::Category) => Column::Words(Box::default()),
            None => Column::Open,
        };
        Ok(Self {
            path,
            layout,
            chosen,
            request,
            decimal_comma: separator.decimal_comma(),
            values: Vec::new(),
            lines: Vec::new(),
            labels: chosen.label.map(|_| Labels::default()),
            columns: (0..chosen.columns.len()).map(column).collect(),
            asked,
            missing: vec![0; chosen.columns.len()],
        })
    }

    /// Whether rows with missing values are left out: a model that was trained on whole rows cannot take them.
    fn leaves_out(&self) -> bool {
        self.request.options.missing == Missing::Drop || self.request.like.is_some_and(|like| !like.gaps)
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
            let text = record.get(*column);
            let value = match (field::read(text, self.decimal_comma), &mut self.columns[place]) {
                (Field::Missing, _) => None,
                (Field::Number(number), Column::Numbers) => Some(number as f32),
                (Field::Number(number), open @ Column::Open) => {
                    *open = Column::Numbers;
                    Some(number as f32)
                }
                (_, Column::Words(words)) => words.place(field::bare(text)),
                (Field::Word(word), open @ Column::Open) => {
                    let mut words = Box::<Words>::default();
                    let first = words.place(word);
                    *open = Column::Words(words);
                    first
                }
                (Field::Word(word), Column::Numbers) => {
                    let (name, word) = (shown(&self.layout.names[*column]), shown(word));
                    let reason = format!(
                        "the column `{name}` holds `{word}`, which is not a number: correct it, or read the column as words \
                         with --column '{name}=category'"
                    );
                    return Err(self.error(record.line, reason));
                }
            };
            if value.is_none() {
                if self.request.options.strict && self.leaves_out() {
                    let name = shown(&self.layout.names[*column]);
                    return Err(self.error(record.line, format!("the column `{name}` has no value")));
                }
                self.missing[place] += 1;
            }
            self.values.push(value.unwrap_or(f32::NAN));
        }
        if let (Some(labels), Some(column)) = (&mut self.labels, self.chosen.label) {
            let known = labels.add(record.get(column));
            if !known && self.request.options.strict {
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
        let mut notes = std::mem::take(&mut self.layout.notes);
        let mut names: Vec<String> =
            self.chosen.columns.iter().map(|column| std::mem::take(&mut self.layout.names[*column])).collect();
        // What was asked for stays.
        let is_free = request.options.columns.is_empty() && request.like.is_none();
        let mut keep = vec![true; names.len()];
        for (place, column) in self.columns.iter_mut().enumerate() {
            let filled = rows - self.missing[place];
            if filled == 0 && is_free {
                keep[place] = false;
            } else if let Column::Words(words) = column
                && let Some(why) = words.refusal(filled).filter(|_| self.asked[place].is_none())
            {
                if !is_free {
                    return unusable(format!(
                        "nothing can be learned from the column `{}`: {why}",
                        shown(&names[place])
                    ));
                }
                notes.push(format!("the column {} was left out: {why}", shown(&names[place])));
                keep[place] = false;
                // It is not one of those without any value.
                self.missing[place] = 0;
            }
        }
        if keep.contains(&false) {
            let empty: Vec<&String> =
                names.iter().zip(&self.missing).filter(|(_, missing)| **missing == rows).map(|(n, _)| n).collect();
            if !empty.is_empty() && is_free {
                notes.push(format!("columns without any value were left out: {}", list(&empty)));
            }
            retain_in_rows(&mut self.values, &keep);
            retain_in_rows(&mut names, &keep);
            retain_in_rows(&mut self.missing, &keep);
            retain_in_rows(&mut self.columns, &keep);
            retain_in_rows(&mut self.asked, &keep);
        }
        let width = names.len();
        if width == 0 {
            return unusable("no column has any value".into());
        }
        let leaves_out = self.leaves_out();
        let words: Vec<Option<Vec<String>>> = self
            .columns
            .into_iter()
            .enumerate()
            .map(|(place, column)| match column {
                Column::Words(words) => Some(words.finish(self.values.iter_mut().skip(place).step_by(width))),
                Column::Open | Column::Numbers => None,
            })
            .collect();
        let labels = self.labels.map(Labels::finish);
        let labelled = |row: usize| labels.as_ref().is_none_or(|labels| labels.known[row]);
        let usable: Vec<bool> = self
            .values
            .chunks_exact(width)
            .enumerate()
            .map(|(row, values)| {
                let missing = values.iter().filter(|value| value.is_nan()).count();
                labelled(row) && if leaves_out { missing == 0 } else { missing < width }
            })
            .collect();
        let mut counts: Vec<(usize, &str)> =
            self.missing.iter().zip(&names).map(|(count, name)| (*count, name.as_str())).collect();
        let without = usable.iter().filter(|usable| !**usable).count();
        if without == 0 || leaves_out {
            counts.push(((0..rows).filter(|row| !labelled(*row)).count(), "the label"));
        }
        counts.retain(|(count, _)| *count > 0);
        counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let counts: Vec<String> = counts.into_iter().map(|(count, name)| format!("{name} {count}")).collect();
        let first_without = usable.iter().position(|usable| !usable).map_or(1, |row| self.lines[row]);
        match without {
            0 => {}
            _ if leaves_out => {
                let what = format!("values are missing, first on line {first_without} ({})", list(&counts));
                if without == rows {
                    return unusable(format!(
                        "every row has a missing value: {what}; choose complete columns with --columns"
                    ));
                }
                notes.push(format!("{without} of {rows} rows were left out because {what}"));
            }
            _ => {
                if without == rows {
                    return unusable("no row has both a label and a value".into());
                }
                notes.push(format!(
                    "{without} of {rows} rows were left out because they have no label or no value, first on line {first_without}"
                ));
            }
        }
        let gaps = self.values.iter().filter(|value| value.is_nan()).count();
        if gaps > 0 && !leaves_out {
            notes.push(format!(
                "{gaps} of {} values are missing ({}): what is there is learned from; --missing drop leaves such rows out",
                self.values.len(),
                list(&counts)
            ));
        }
        let mut split = Split {
            origins: Some(Origins::Lines(self.lines)),
            labels: labels.as_ref().map(|labels| labels.classes.clone()),
            ..Split::of(rows, Values::Floats(self.values))
        };
        split.retain(&usable);
        let classes = labels.map(|labels| labels.names).unwrap_or_default();
        let columns = RawColumns { names, words, asked: self.asked, are_named: true };
        Ok(Raw { classes, columns: Some(columns), notes, ..Raw::of("", Shape::Table(width), split) })
    }
}

/// Keeps the marked columns of every row.
fn retain_in_rows<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut marks = keep.iter().cycle();
    values.retain(|_| marks.next().copied().unwrap_or(true));
}

#[cfg(test)]
mod tests {
    use crate::data::{Dataset, Kind, Missing, Options, Split};
    use crate::plan::is_missing;

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
    fn rows_with_missing_values_stay_unless_they_are_dropped() {
        let text = "a,b,empty,c\n1,2,,x\n2,NA,,x\n3,4,,?\n4,5,,y\n5,?,,x\n6,7,,y\n";
        let label = |o: &mut Options| o.label = Some("c".into());
        let data = load(text, label).unwrap();
        assert_eq!(data.train.rows + data.test.rows, 5);
        assert_eq!(data.notes[0], "columns without any value were left out: empty");
        assert_eq!(data.notes[1], "1 of 6 rows were left out because they have no label or no value, first on line 4");
        assert_eq!(
            data.notes[2],
            "2 of 12 values are missing (b 2): what is there is learned from; --missing drop leaves such rows out"
        );
        let values = [data.train.numbers(0..data.train.rows, 2), data.test.numbers(0..data.test.rows, 2)].concat();
        assert_eq!(values.iter().filter(|value| is_missing(**value)).count(), 2);
        assert!(data.columns.unwrap().gaps);
        let drop = |o: &mut Options| (label(o), o.missing = Missing::Drop).1;
        let data = load(text, drop).unwrap();
        assert_eq!((data.train.rows + data.test.rows, data.columns.unwrap().gaps), (3, false));
        assert_eq!(
            data.notes[1],
            "3 of 6 rows were left out because values are missing, first on line 3 (b 2, the label 1)"
        );
        let origins =
            |split: &Split| (0..split.rows).filter_map(|row| split.origins.as_ref()?.of(row)).collect::<Vec<_>>();
        let origins = [origins(&data.train), origins(&data.test)].concat();
        assert!(origins.contains(&"line 5".to_string()), "{origins:?}");
        let error = load(text, |o| (drop(o), o.strict = true).1).unwrap_err();
        assert!(error.ends_with("table.csv, line 2: the column `empty` has no value"), "{error}");
        let error =
            load("a,b\n1,\n2,?\n", |o| (o.missing = Missing::Drop, o.columns = vec!["b".into()]).1).unwrap_err();
        assert!(error.contains("every row has a missing value"), "{error}");
        let error = load("a,b\n1,\n2,?\n", |o| o.columns = vec!["b".into()]).unwrap_err();
        assert!(error.contains("no row has both a label and a value"), "{error}");
    }

    #[test]
    fn words_are_categories_unless_they_name_the_rows() {
        let line =
            |i: usize| format!("person {i},{},{},{}\n", i % 5, ["red", "green", "blue"][i % 3], ["m", "f"][i % 2]);
        let text = format!("who,size,colour,sex\n{}", (0..40).map(line).collect::<String>());
        let data = load(&text, |_| ()).unwrap();
        let columns = data.columns.as_ref().unwrap();
        assert_eq!(columns.names, ["size", "colour", "sex"]);
        assert_eq!(columns.kinds, [Kind::Category, Kind::Category, Kind::YesNo]);
        assert_eq!((columns.width(), data.shape.len()), (5 + 3 + 1, 9));
        assert_eq!(columns.words[1..], [vec!["blue", "green", "red"], vec!["f", "m"]]);
        assert!(data.notes[0].starts_with("the column who was left out: it has 40 different words in 40 rows"));
        let named = |text: &str| text.parse().unwrap();
        let data = load(&text, |o| o.kinds = vec![named("size=count"), named("sex=category")]).unwrap();
        assert_eq!(data.columns.unwrap().kinds, [Kind::Count, Kind::Category, Kind::Category]);
        for (kind, reason) in [
            ("colour=number", "the column `colour` cannot be number: it holds 3 different words"),
            ("size=positive", "the column `size` cannot be positive: it holds 0, which is not above 0"),
            ("height=count", "there is no column `height` to learn from; there are who, size, colour, sex"),
        ] {
            let error = load(&text, |o| o.kinds = vec![named(kind)]).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
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
            (
                "a,kind\n1,x\n2,y\n3,z\n",
                &|o| o.kinds = vec!["kind=number".parse().unwrap()],
                "the column `kind` cannot be number: it holds",
            ),
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
