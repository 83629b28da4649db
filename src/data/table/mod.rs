//! Tables: CSV, TSV and similar files with any separator, with or without a header; Parquet.

mod cells;
mod content;
mod dialect;
mod field;
mod labels;
mod layout;
#[cfg(feature = "parquet")]
mod parquet;
mod reader;
mod records;
mod words;

use std::path::Path;

use super::DataError;
use super::raw::{Raw, Request};
pub(super) use cells::{exact, identifiers, others};
use content::Content;
pub(super) use content::PARQUET;
use reader::Reader;

/// The names of a table's columns.
pub fn names(path: &Path) -> Result<Vec<String>, DataError> {
    Ok(Content::open(path)?.layout()?.names)
}

/// Reads a table. Rows without a label, and where missing values are not kept those with any, are left out and counted, or an error
/// with `strict`.
pub(super) fn file(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    let content = Content::open(path)?;
    let layout = content.layout()?;
    let chosen = layout.choose(path, request)?;
    let rows = content.rows(&layout)?;
    let mut reader = Reader::new(path, &content, layout, &chosen, request)?;
    for record in rows {
        reader.row(&record?)?;
    }
    drop(content);
    reader.finish()
}

#[cfg(test)]
mod tests {
    use crate::data::{Dataset, Kind, Missing, NamedKind, Options, Split};
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

    /// A run reads its data again with the kinds that were found.
    #[test]
    fn a_table_is_the_same_when_its_kinds_are_given() {
        let line = |i: usize| format!("{}.0,{},{},0{}\n", i % 3, ["x", "y", "z"][i % 3], i % 2, i % 4);
        let text = format!("whole,word,two,code\n{}", (0..40).map(line).collect::<String>());
        let found = load(&text, |_| ()).unwrap().columns.unwrap();
        assert_eq!(found.kinds, [Kind::Category, Kind::Category, Kind::YesNo, Kind::Category]);
        let named = |column: usize| NamedKind {
            name: found.names[column].clone(),
            kind: found.kinds[column],
            words: if found.kinds[column] == Kind::Category { found.words[column].clone() } else { Vec::new() },
        };
        let again = load(&text, |o| o.kinds = (0..4).map(named).collect()).unwrap().columns.unwrap();
        assert_eq!(again, found);
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
            ("a,b\n-inf,2\n3,1\n", nothing, "line 2: the column `a` holds `-inf`, which is not a number"),
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
