//! Tables: CSV, TSV and similar files with any separator, with or without a header; Parquet.

mod cells;
mod content;
mod dialect;
mod evidence;
mod field;
mod labels;
mod layout;
mod names;
#[cfg(feature = "parquet")]
mod parquet;
mod plan;
mod reader;
mod records;
mod rows;
mod words;

use std::path::Path;

use super::raw::{Raw, Request};
use super::{DataError, Table};
pub use cells::FileRows;
pub use cells::Identifier;
pub(super) use cells::{RowCells, each_row, file_rows, identifiers, others, plain_numbers};
use content::TableContent;
pub(super) use dialect::is_table_of;
pub(super) use labels::LabelReader;
pub(super) use layout::Places;
use plan::ReadPlan;
use reader::Reader;
pub(super) use rows::retain_in_rows;

/// Reads a table in memory as a file is read.
pub(super) fn in_memory(name: &str, table: &Table, request: &Request<'_>) -> Result<Raw, DataError> {
    read(Path::new(name), TableContent::in_memory(name, table), request)
}

/// Reads a table. Rows without a label, and where missing values are not kept those with any, are left out and counted, or an error
/// with `strict`.
pub(super) fn file(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    read(path, TableContent::open(path)?, request)
}

fn read(path: &Path, content: TableContent<'_>, request: &Request<'_>) -> Result<Raw, DataError> {
    let layout = content.layout()?;
    let chosen = layout.choose(path, request)?;
    let plan = match request.like {
        Some(like) => ReadPlan::known(&layout, &chosen, like, content.dialect(&layout)),
        None => ReadPlan::found(path, &content, &layout, &chosen, request)?,
    };
    let notes = layout.notes.clone();
    let mut reader = Reader::new(path, &content, &chosen, plan, request);
    for record in content.rows(&layout)? {
        let record = record?;
        plan::check(path, &content, &layout, &record)?;
        reader.row(&record)?;
    }
    drop(content);
    let mut raw = reader.finish()?;
    raw.notes.splice(0..0, notes);
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use crate::is_missing;
    use crate::{Cell, Columns, Dataset, Examples, Missing, Options, Origins, Provenance, ValueKind, rows};

    fn load(text: impl AsRef<[u8]>, change: impl Fn(&mut Options)) -> Result<Dataset, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        let mut options = Options { test_share: 0.25, ..path.to_str().unwrap().into() };
        change(&mut options);
        Dataset::load(options).map_err(|error| error.to_string())
    }

    /// A table gives the same rows in every supported dialect.
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
        assert_eq!(columns.names(), ["a", "b"]);
        for text in [
            write("a,b,c\n", ",", "\r\n"),
            write("a,b,c\n", ";", "\n"),
            format!("sep=;\r\n{}", write("a,b,c\n", ";", "\n")),
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
            let numbers = |data: &Dataset| {
                let columns = data.columns.as_ref().unwrap();
                let values = data.train.numbers(0..data.train.rows, columns.width());
                (columns.names(), columns.cell_numbers(&values, Provenance::Kept))
            };
            assert_eq!(numbers(&data), numbers(&plain), "{text:?}");
        }
        let headless = load(write("", ",", "\n"), |o| o.label = Some("3".into())).unwrap();
        assert_eq!((headless.train.values, headless.train.labels), (plain.train.values, plain.train.labels));
        let counted = load(write("4,2,no,yes\n", ",", "\n"), |o| o.label = Some("3".into())).unwrap();
        assert_eq!((counted.train.rows, counted.notes.len()), (3, 1));
    }

    #[test]
    fn a_last_column_without_a_name_is_no_reason_for_row_names() {
        let text = "a|b|\n1|2|x\n3|4|y\n5|6|x\n7|8|y\n";
        let columns = load(text, |_| ()).unwrap().columns.unwrap();
        assert_eq!(columns.names().join(" "), "a b column 3");
        // A separator behind all cells separates nothing.
        let columns = load("a|b|\n1|2|\n3|4|\n5|6|\n7|8|\n", |_| ()).unwrap().columns.unwrap();
        assert_eq!(columns.names().join(" "), "a b");
        // Row names have no name, and no separator for it.
        let columns = load("b|c\nr1|2|1\nr2|4|2\nr3|6|1\nr4|8|2\n", |_| ()).unwrap().columns.unwrap();
        assert_eq!(columns.names().join(" "), "b c");
    }

    #[test]
    fn numbers_beyond_those_of_floats_are_numbers() {
        let rows = 0..60;
        let all = |unit: f64, only: Option<f64>| {
            let number = |row: i32| only.filter(|_| row == 7).unwrap_or(unit * f64::from(1 + row * 37 % 60));
            format!("a,b\n{}", rows.clone().map(|row| format!("{:e},{}\n", number(row), row % 7)).collect::<String>())
        };
        for (unit, only, what) in [(1e41, None, 0), (1e306, None, 0), (1e-45, None, 0), (1.5, Some(1e300), 1)] {
            let data = load(all(unit, only), |_| ()).unwrap();
            let columns = data.columns.as_ref().unwrap();
            assert_eq!((columns.names().join(" "), columns.missing), ("a b".to_string(), false));
            let column = &columns.all[0];
            let middle = match column.kind {
                ValueKind::Positive => column.mean.exp(),
                _ => column.mean,
            };
            assert!(column.kind.is_normal() && middle > 15.0 * unit && middle < 45.0 * unit, "{unit}: {column:?}");
            let notes = data.notes.iter().filter(|note| note.contains("such as 1e300, are too large")).count();
            assert_eq!(notes, what, "{:?}", data.notes);
            // Each number is another value, and comes back.
            let mut values = [data.train.numbers(0..data.train.rows, 2), data.test.numbers(0..data.test.rows, 2)]
                .concat()
                .into_iter()
                .step_by(2)
                .collect::<Vec<f32>>();
            values.sort_by(f32::total_cmp);
            values.dedup();
            assert!(values.len() == 60 && values.iter().all(|value| value.is_finite() && !is_missing(*value)));
            let Cell::Exact(least) = columns.cells(&[values[0], 0.0], Provenance::Kept)[0] else {
                assert!(unit == 1.5);
                continue;
            };
            assert!((least / unit - 1.0).abs() < 1e-5, "{least} of {unit}");
        }
    }

    #[test]
    fn rows_with_missing_values_stay_unless_they_are_dropped() {
        let text = "a,b,empty,c\n1,2,,x\n2,NA,,x\n3,4,,?\n4,5,,y\n5,?,,x\n6,7,,y\n";
        let label = |o: &mut Options| o.label = Some("c".into());
        let data = load(text, label).unwrap();
        assert_eq!(data.train.rows + data.test.rows, 5);
        assert!(data.notes[0].starts_with("cells that stand for missing: `?` 1, `NA` 1;"), "{:?}", data.notes);
        assert_eq!(data.notes[1], "columns without any value were left out: empty");
        assert_eq!(data.notes[2], "1 of 6 rows were left out because they have no label or no value, first on line 4");
        assert_eq!(
            data.notes[3],
            "2 of 12 cells are missing (b 2): what is there is learned from; `data.missing = \"drop\"` leaves such rows out"
        );
        let values = [data.train.numbers(0..data.train.rows, 2), data.test.numbers(0..data.test.rows, 2)].concat();
        assert_eq!(values.iter().filter(|value| is_missing(**value)).count(), 2);
        assert!(data.columns.unwrap().missing);
        let drop = |o: &mut Options| (label(o), o.missing = Missing::Drop).1;
        let data = load(text, drop).unwrap();
        assert_eq!((data.train.rows + data.test.rows, data.columns.unwrap().missing), (3, false));
        assert_eq!(
            data.notes[2],
            "3 of 6 rows were left out because values are missing, first on line 3 (b 2, the label 1)"
        );
        let origins =
            |split: &Examples| (0..split.rows).filter_map(|row| split.origins.as_ref()?.of(row)).collect::<Vec<_>>();
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
        let text = format!("who,size,colour,sex\n{}", (0..200).map(line).collect::<String>());
        let data = load(&text, |_| ()).unwrap();
        let columns = data.columns.as_ref().unwrap();
        assert_eq!(columns.names(), ["size", "colour", "sex"]);
        assert_eq!(kinds(columns), [ValueKind::Category, ValueKind::Category, ValueKind::YesNo]);
        assert_eq!((columns.width(), data.shape.len()), (5 + 3 + 1, 9));
        assert_eq!([&columns.all[1].words, &columns.all[2].words], [&vec!["blue", "green", "red"], &vec!["f", "m"]]);
        assert!(data.notes[0].starts_with("the column who was left out: it has 200 different words in 200 rows"));
        // Numbers that count the rows name them, too.
        let counted: String = text
            .lines()
            .enumerate()
            .map(|(i, line)| format!("{},{line}\n", if i == 0 { "n".into() } else { i.to_string() }))
            .collect();
        let data = load(&counted, |_| ()).unwrap();
        assert_eq!(data.columns.unwrap().names(), ["size", "colour", "sex"]);
        assert!(
            data.notes[0].starts_with("the column n was left out: it has the numbers from 1 to 200"),
            "{:?}",
            data.notes
        );
        let named = |text: &str| text.parse().unwrap();
        let data = load(&counted, |o| o.kinds = vec![named("n=number")]).unwrap();
        assert_eq!(data.columns.unwrap().names()[0], "n");
        let data = load(&text, |o| o.kinds = vec![named("size=count"), named("sex=category")]).unwrap();
        assert_eq!(kinds(&data.columns.unwrap()), [ValueKind::Count, ValueKind::Category, ValueKind::Category]);
        let without = |o: &mut Options| (o.kinds = vec![named("sex=ignore")], o.drop_columns = vec!["SIZE".into()]).1;
        assert_eq!(load(&text, without).unwrap().columns.unwrap().names(), ["colour"]);
        for (kind, reason) in [
            ("size=positive", "the column `size` cannot be positive: it holds 0, which is not above 0"),
            ("height=count", "there is no column `height` to learn from; there are who, size, colour, sex"),
            ("height=ignore", "there is no column `height` to leave out; there are who, size, colour, sex"),
        ] {
            let error = load(&text, |o| o.kinds = vec![named(kind)]).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        // What names rows can be learned from if that is asked for: the rarest words are grouped.
        let all = load(&text, |o| o.kinds = vec![named("who=category")]).unwrap().columns.unwrap();
        assert_eq!((all.all[0].words.len(), all.all[0].grouped.len()), (200, 0));
        let grouped = load(&text, |o| (o.kinds = vec![named("who=category")], o.rare = Some(0.02)).1).unwrap();
        let columns = grouped.columns.unwrap();
        assert_eq!((columns.all[0].words.len(), columns.all[0].grouped.len()), (1, 200));
    }

    fn kinds(columns: &Columns) -> Vec<ValueKind> {
        columns.all.iter().map(|column| column.kind).collect()
    }

    /// A run reads its data again as it was read then, whatever is in it.
    #[test]
    fn a_table_is_the_same_when_it_is_read_again() {
        let line = |i: usize| {
            let truth = ["TRUE", "FALSE"][i % 2];
            let odd = if i == 7 { "oops".into() } else { (i * i).to_string() };
            format!(
                "{}.0,{},{},0{},{truth},{odd},{}\n",
                i % 3,
                ["x", "y", "NA"][i % 3],
                i % 2,
                i % 4,
                if i == 3 { -9999 } else { 1000 + (i % 23) as i32 }
            )
        };
        let text = format!("whole,word,two,code,flag,odd,far\n{}", (0..200).map(line).collect::<String>());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, &text).unwrap();
        let options = || Options { limit: Some(90), ..path.to_str().unwrap().into() };
        let found = Dataset::load(options()).unwrap();
        let columns = found.columns.as_ref().unwrap();
        assert_eq!(
            kinds(columns)[..5],
            [ValueKind::Category, ValueKind::YesNo, ValueKind::YesNo, ValueKind::Category, ValueKind::YesNo]
        );
        assert_eq!(columns.all[4].words, ["FALSE", "TRUE"]);
        assert_eq!(columns.all[5].odd, ["oops"]);
        let again = Dataset::load_known(options(), Some(columns), &|_, _| {}).unwrap();
        assert_eq!((&again.train, &again.test, &again.columns), (&found.train, &found.test, &found.columns));
        // And so do others that apply the model to it.
        let rows = rows(&path.to_str().unwrap().into(), &found.description()).unwrap();
        assert_eq!((rows.split.rows, rows.split.unseen.len()), (200, 0), "{:?}", rows.split.unseen);
    }

    /// One empty cell may be in a row that was chosen or in another: a run finds the same rows again.
    #[test]
    fn a_limit_chooses_the_same_rows_again() {
        for seed in 0..12 {
            let cell = |row: usize, column: usize| match (row == seed % 7, column) {
                (true, place) if place == seed % 3 => String::new(),
                (_, 2) => ["x", "y", "z"][(row * 5 + seed) % 3].into(),
                (_, column) => format!("{}.{}", (row * 7 + column + seed) % 11, (row * 3 + seed) % 10),
            };
            let line = |row: usize| format!("{},{},{}\n", cell(row, 0), cell(row, 1), cell(row, 2));
            let text = format!("a,b,c\n{}", (0..12).map(line).collect::<String>());
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("table.csv");
            std::fs::write(&path, &text).unwrap();
            let options = || Options { limit: Some(9), seed: seed as u64, ..path.to_str().unwrap().into() };
            let found = Dataset::load(options()).unwrap();
            let again = Dataset::load_known(options(), found.columns.as_ref(), &|_, _| {}).unwrap();
            assert_eq!((&again.train, &again.test, again.shape), (&found.train, &found.test, found.shape), "{seed}");
            assert!(found.description().trained.unwrap().are_of(&again.train), "{seed}");
        }
    }

    #[test]
    fn a_kind_is_decided_from_all_values() {
        let column = |first: &str, rest: &dyn Fn(usize) -> String, kinds: &[&str]| {
            let cells: String = (1..300).map(|i| format!("{},{i}\n", rest(i))).collect();
            let data = load(format!("a,b\n{first},0\n{cells}"), |o| {
                o.kinds = kinds.iter().map(|k| k.parse().unwrap()).collect()
            });
            let data = data.unwrap();
            (data.columns.unwrap().all[0].clone(), data.notes)
        };
        let words = |i: usize| ["often", "never", "some\ntimes"][i % 3].replace('\n', " ");
        assert_eq!(column("7", &words, &[]).0.words.len(), 4);
        let numbers = |i: usize| (i * 7 % 298).to_string();
        let (found, notes) = column("red", &numbers, &[]);
        assert!(!found.kind.is_of_words() && found.odd == ["red"], "{found:?}");
        assert_eq!(notes[0], "a: 1 cell holds no number (`red` 1), which is taken as missing");
        assert!(column("red", &numbers, &["a=category"]).0.words.len() > 250);
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let table = |cell: &dyn Fn(usize) -> String, rest: &str| {
            let cells: String = (0..120).map(|i| format!("{};{rest}\n", cell(i))).collect();
            load(format!("a;b\n{cells}"), |_| ()).unwrap_or_else(|e| panic!("{e}"))
        };
        for (cell, number, text) in [
            (&(|i: usize| format!("{},{:02} €", i, i * 7 % 100)) as &dyn Fn(usize) -> String, 3.5, "3,50 €"),
            (&|i| format!("1.{:03},5", i), -1234.5, "-1.234,5"),
            (&|i| format!("{i} %"), 5.0, "5 %"),
            (&|i| format!("{}.{} kg", i, i % 7), 12.5, "12.5 kg"),
            (&|i| format!("${},{:03}.{:02}", i + 1, i * 37 % 1000, i % 100), 1234.5, "$1,234.50"),
            (&|i| if i % 9 == 0 { format!("(${i}.00)") } else { format!("${i}.25") }, -7.0, "($7.00)"),
            (&|i| format!("{:02}.03.2024", i % 28 + 1), 19_787.0, "05.03.2024"),
            (&|i| format!("{}:{:02}", i % 24, i % 60), 45_000.0, "12:30"),
            (&|i| format!("{}", 123_456_789.12 + i as f64 / 100.0), 123_456_790.5, "123456790.5"),
        ] {
            let data = table(cell, "1");
            let column = &data.columns.as_ref().unwrap().all[0];
            assert!(!column.kind.is_of_words(), "{}: {:?}", cell(1), data.notes);
            assert_eq!(column.form.write(number, Some(9)), text);
            assert_eq!(column.form.read(text), Some(number));
            // All of them, digit by digit.
            for (split, row) in [(&data.train, 0), (&data.test, 5)] {
                let line = match &split.origins {
                    Some(Origins::Numbered(_, lines)) => lines[row] as usize,
                    _ => 0,
                };
                let value = split.numbers(row..row + 1, data.shape.len())[0];
                let written = column.form.write(column.of_value(value.into()), column.decimals);
                let exact = column.form.read(&cell(line - 2)).unwrap();
                let back = column.form.read(&written).unwrap();
                let unit = 10_f64.powi(-i32::from(column.decimals.unwrap_or(0)));
                assert!(
                    (back - exact).abs() <= 1.01 * unit.max(1e-4 * column.deviation),
                    "{written} was {}",
                    cell(line - 2)
                );
            }
        }
        // Ambiguous thousands, codes, and a unit that varies are said.
        for (cell, note) in [
            (
                &(|i: usize| format!("1,{:03}", i)) as &dyn Fn(usize) -> String,
                "could be a fraction or thousands, and is read as 1",
            ),
            (&|i| format!("{:05}", i % 50), "some numbers begin with a 0, so they are read as words"),
            (&|i| format!("{} {}", i % 9, ["kg", "g"][i % 2]), "numbers have several units (kg, g)"),
        ] {
            let data = table(cell, "x");
            assert!(data.notes.iter().any(|n| n.contains(note)), "{:?}", data.notes);
        }
        // Two numbers in a cell are two columns.
        let data = table(&|i| format!("{}/{}", 110 + i % 30, 70 + i % 17), "x");
        let columns = data.columns.unwrap();
        assert_eq!(columns.names()[..2], ["a (1)", "a (2)"]);
        let cells = columns.joined(columns.cells(&data.train.numbers(0..1, data.shape.len()), Provenance::Kept));
        assert_eq!(cells.len(), 2);
        assert!(matches!(&cells[0], Cell::Word(text) if text.split_once('/').is_some()), "{cells:?}");
    }

    #[test]
    fn words_for_missing_values_are_the_users() {
        let line = |i: usize| {
            format!(
                "{},{}\n",
                ["none", "mild", "-"][i % 3],
                if i.is_multiple_of(9) { "none".into() } else { format!("{}.5", i % 31) }
            )
        };
        let text = format!("pain,dose\n{}", (0..120).map(line).collect::<String>());
        let data = load(&text, |_| ()).unwrap();
        let columns = data.columns.unwrap();
        // In a column of words `none` is one; of numbers it is missing.
        assert_eq!(columns.all[0].words, ["mild", "none"]);
        assert_eq!(columns.all[1].odd, ["none"]);
        assert!(data.notes.iter().any(|n| n.starts_with("cells that stand for missing: `-` 40;")), "{:?}", data.notes);
        let asked = load(&text, |o| o.missing_words = vec!["none".into()]).unwrap().columns.unwrap();
        assert_eq!(asked.all[0].words, ["-", "mild"]);
        let asked = load(&text, |o| o.missing_words = vec!["dose=3.5".into()]).unwrap();
        assert_eq!(asked.columns.as_ref().unwrap().all[0].words, ["mild", "none"]);
        assert!(asked.notes.iter().any(|n| n.contains("`3.5` ")), "{:?}", asked.notes);
        let error = load(&text, |o| o.missing_words = vec!["age=3".into()]).unwrap_err();
        assert!(error.contains("there is no column `age` for `data.missing_words = [\"age=3\"]`"), "{error}");
    }

    #[test]
    fn names_of_rows_are_left_out() {
        for text in [",a,b\n0,1,2\n1,3,4\n2,5,6\n", "a,b\nx,1,2\ny,3,4\nz,5,6\n"] {
            let data = load(text, |_| ()).unwrap();
            assert_eq!(data.columns.unwrap().names(), ["a", "b"], "{text:?}");
        }
        let data = load("a,a,\n1,2,\n3,4,\n", |_| ()).unwrap();
        assert_eq!(data.columns.unwrap().names(), ["a", "a.1"]);
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        let nothing: &dyn Fn(&mut Options) = &|_| ();
        type Case<'a> = (&'a str, &'a dyn Fn(&mut Options), &'a str);
        let all: [Case<'_>; 11] = [
            (
                "a,kind\n1,x\n2,y\n3,z\n",
                &|o: &mut Options| o.kinds = vec!["kind=number".parse().unwrap()],
                "the column `kind` cannot be number: it holds",
            ),
            ("a,b\n1,2\n3\n", nothing, "line 3: it has 1 fields, but the table has 2 columns"),
            ("a,b\n1,2\n3,4,5\n", nothing, "line 3: it has 3 fields"),
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
        ];
        for (text, change, reason) in all {
            let error = load(text, change).unwrap_err();
            assert!(error.contains(reason) && error.contains("table.csv"), "{text:?}: {error}");
        }
    }
}
