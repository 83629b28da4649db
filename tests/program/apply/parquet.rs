//! Tables in Parquet files, in and out.

use std::path::Path;

use parquet::file::reader::SerializedFileReader;
use parquet::record::Field;

use super::place::{Place, read};
use super::tables::people;

/// The names and cells of a Parquet file, as CSV has them.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let rows: Vec<_> = reader.into_iter().map(Result::unwrap).collect();
    let cell = |field: &Field| match field {
        Field::Null => String::new(),
        Field::Str(word) => word.clone(),
        Field::Float(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        Field::Long(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let names = rows[0].get_column_iter().map(|(name, _)| name.clone()).collect();
    let cells = rows.iter().map(|row| row.get_column_iter().map(|(_, field)| cell(field)).collect());
    [names].into_iter().chain(cells).collect()
}

/// The fields of a CSV file, row by row.
fn rows_of_text(path: &Path) -> Vec<Vec<String>> {
    let text = read(path);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(String::from).collect()).collect()
}

/// Whether two cells are the same word, or the same number however it is written.
fn is_same(a: &String, b: &String) -> bool {
    a == b || a.parse::<f64>().is_ok_and(|a| b.parse() == Ok(a))
}

#[test]
fn a_table_in_parquet_gives_what_it_gives_as_text() {
    let Some(place) = Place::with_adapter() else { return };
    std::fs::write(place.path("people.csv"), people(600, true)).unwrap();
    place.done("data export people.csv --label town --to texts");
    place.done("data export people.csv --label town --format parquet --to packed");
    for run in ["texts", "packed"] {
        let ending = if run == "texts" { "csv" } else { "parquet" };
        place.done(&format!("train --data {run}/train.{ending} --label label --steps 200 --device cpu --out of-{run}"));
    }
    let model = |run: &str| std::fs::read(place.path(&format!("of-{run}/model.safetensors"))).unwrap();
    assert_eq!(model("texts"), model("packed"));
    // Rows that a model was trained on are known whatever file they are in.
    let known = |source: &str| {
        let scores = place.json(&format!("anomaly of-texts --data {source} --draws 1 --device cpu --json"));
        scores["trained_rows"].as_u64().unwrap()
    };
    assert_eq!(known("packed/train.parquet"), known("texts/train.csv"));
    assert!(known("packed/train.parquet") > 400 && known("packed/test.parquet") == 0);

    let data = "--data packed/test.parquet --device cpu";
    for (command, more) in [
        ("sample of-packed --count 50 --device cpu", ""),
        ("encode of-packed", data),
        ("reconstruct of-packed", data),
        ("restore of-packed", data),
        ("anomaly of-packed --draws 1", data),
        ("decode of-packed encode.parquet --device cpu", ""),
        ("augment of-packed --count 50 --device cpu", ""),
    ] {
        let name = command.split(' ').next().unwrap();
        for ending in ["csv", "parquet"] {
            place.done(&format!("{command} {more} --to {name}.{ending}"));
        }
        let text = rows_of_text(&place.path(&format!("{name}.csv")));
        let packed = rows(&place.path(&format!("{name}.parquet")));
        assert_eq!(text.len(), packed.len(), "{name}");
        for (text, packed) in text.iter().zip(&packed) {
            assert!(
                text.len() == packed.len() && text.iter().zip(packed).all(|(a, b)| is_same(a, b)),
                "{text:?} {packed:?}"
            );
        }
    }
    // Without a format or a path, what is drawn around the rows of a Parquet file is one.
    assert!(place.done("augment of-packed --count 5 --device cpu").contains("augmented.parquet"));
}
