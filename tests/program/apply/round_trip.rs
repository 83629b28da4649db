//! Tables as people have them, at random: whatever trains comes back, cell for cell, from every command that writes rows.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::place::Place;

/// Tables that are tried; `scripts/soak` tries a thousand.
const TABLES: u64 = 25;

type Rng = ChaCha8Rng;
type Column = Box<dyn Fn(&mut Rng, usize) -> String>;

/// A number with so many digits behind a mark, and thousands.
fn number(value: f64, digits: usize, comma: bool, groups: bool) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (whole, behind) = text.split_once('.').unwrap_or((&text, ""));
    let mut whole = whole.to_string();
    if groups {
        for place in
            (1..whole.len()).rev().filter(|place| (text.find('.').unwrap_or(text.len()) - place).is_multiple_of(3))
        {
            whole.insert(place, if comma { '.' } else { ',' });
        }
    }
    let mark = if comma { "," } else { "." };
    let behind = if behind.is_empty() { String::new() } else { format!("{mark}{behind}") };
    format!("{}{whole}{behind}", if value < 0.0 { "-" } else { "" })
}

/// A number as programs write those that are very large or very small.
fn exponent(value: f64, comma: bool) -> String {
    let text = format!("{value:.5e}");
    if comma { text.replace('.', ",") } else { text }
}

/// A column of one of many kinds.
fn column(rng: &mut Rng, comma: bool) -> Column {
    let scale = 10_f64.powi(rng.random_range(-2..6));
    let digits = rng.random_range(0..4_usize);
    let normal = |rng: &mut Rng| (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    let day = |rng: &mut Rng| (rng.random_range(1..29), rng.random_range(1..13), rng.random_range(1950..2040));
    let of = |words: &'static [&'static str]| -> Column {
        Box::new(move |rng: &mut Rng, _| words[rng.random_range(0..words.len())].to_string())
    };
    match rng.random_range(0..30) {
        0 => Box::new(move |rng, _| number(scale * normal(rng), digits, comma, false)),
        1 => Box::new(move |rng, _| number((normal(rng) + 3.0).exp(), 2, comma, true)),
        2 => Box::new(move |rng, _| format!("{} €", number(1e4 * rng.random::<f64>(), 2, comma, true))),
        3 => Box::new(move |rng, _| {
            let value = 900.0 * normal(rng);
            let text = number(value.abs(), 2, comma, true);
            if value < 0.0 { format!("(${text})") } else { format!("${text}") }
        }),
        4 => Box::new(move |rng, _| format!("{} %", number(100.0 * rng.random::<f64>(), 1, comma, false))),
        5 => Box::new(move |rng, _| format!("{} kg", number(70.0 + 9.0 * normal(rng), 1, comma, false))),
        6 => Box::new(move |rng, _| {
            let (day, month, year) = day(rng);
            format!("{day:02}.{month:02}.{year}")
        }),
        7 => Box::new(move |rng, _| {
            let (day, month, year) = day(rng);
            format!("{year}-{month:02}-{day:02}")
        }),
        8 => Box::new(move |rng, _| {
            let (day, month, year) = day(rng);
            format!("{month}/{day}/{:02}", year % 100)
        }),
        9 => Box::new(move |rng, _| format!("{:02}:{:02}", rng.random_range(0..24), rng.random_range(0..60))),
        10 => Box::new(move |rng, _| {
            let (day, month, year) = day(rng);
            format!("{year}-{month:02}-{day:02}T{:02}:{:02}:00Z", rng.random_range(0..24), rng.random_range(0..60))
        }),
        11 => of(&["TRUE", "FALSE"]),
        12 => of(&["yes", "no"]),
        13 => of(&["True", "False"]),
        14 => of(&["0", "1"]),
        15 => of(&["red", "Red", "green; blue", "a \"quoted\" word", "two\nlines", "none"]),
        16 => Box::new(|rng, _| format!("{:05}", rng.random_range(0..30) * 997)),
        17 => Box::new(|_, row| format!("C-{row:04}")),
        18 => Box::new(|rng, _| format!("{}/{}", rng.random_range(90..160), rng.random_range(50..100))),
        19 => Box::new(|_, _| "same".into()),
        20 => Box::new(move |_, row| if row == 5 { "-99999".into() } else { (row * 7 % 90).to_string() }),
        21 => Box::new(
            move |rng, _| if rng.random::<f64>() < 0.6 { "0".into() } else { rng.random_range(1..5000).to_string() },
        ),
        22 => Box::new(|rng, _| format!("town {}", (rng.random::<f64>().powi(4) * 300.0) as u32)),
        23 => Box::new(move |rng, _| {
            let value = (123_456_789.12 + normal(rng)).to_string();
            if comma { value.replace('.', ",") } else { value }
        }),
        24 => Box::new(|_, row| if row == 3 { "oops".into() } else { (row * row % 97).to_string() }),
        25 => Box::new(move |rng, _| exponent(3e41 * (2.0 * normal(rng)).exp(), comma)),
        26 => Box::new(move |rng, _| exponent(1e-45 * normal(rng), comma)),
        27 => Box::new(move |rng, _| exponent(9e306 * normal(rng), comma)),
        28 => Box::new(move |rng, row| if row == 7 { "1e300".into() } else { number(normal(rng), 3, comma, false) }),
        _ => of(&["1", "2", "3", "4", "5"]),
    }
}

struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    bytes: Vec<u8>,
    delimiter: u8,
    is_latin: bool,
    what: String,
}

fn table(seed: u64) -> Table {
    let mut rng = Rng::seed_from_u64(seed);
    let count = rng.random_range(1..8);
    // One column has no separator that could be found.
    let delimiter = if count == 1 { b',' } else { [b',', b';', b'\t', b'|'][rng.random_range(0..4)] };
    let comma = delimiter == b';' || delimiter != b',' && rng.random();
    let columns: Vec<Column> = (0..count).map(|_| column(&mut rng, comma)).collect();
    let rows = rng.random_range(40..400);
    let share = if rng.random() { 0.0 } else { 0.1 };
    let blank = ["", "NA", "-", "n/a"][rng.random_range(0..4)];
    // Names that other columns of results have, names that are met twice, and none.
    let names = ["a", "label", "origin", "row", "score", "a", "", "x y", "draw", "é"];
    let mut header: Vec<String> =
        (0..count).map(|i| names[(i * 3 + rng.random_range(0..3)) % names.len()].into()).collect();
    if header[0].is_empty() {
        header[0] = "first".into();
    }
    let rows: Vec<Vec<String>> = (0..rows)
        .map(|row| {
            let cell = |column: &Column| match rng.random::<f64>() < share {
                true => blank.to_string(),
                false => column(&mut rng, row),
            };
            let mut cells: Vec<String> = columns.iter().map(cell).collect();
            // A line of nothing but separators is no row.
            if cells.iter().all(String::is_empty) {
                cells[0] = columns[0](&mut rng, row);
            }
            cells
        })
        .collect();
    let returns = rng.random();
    let terminator = if returns { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).terminator(terminator).from_writer(Vec::new());
    writer.write_record(&header).unwrap();
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    let is_latin = rng.random::<f64>() < 0.2 && !text.contains('€');
    let mark = !is_latin && rng.random::<f64>() < 0.2;
    let bytes = match is_latin {
        true => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect(),
        false => format!("{}{text}", if mark { "\u{feff}" } else { "" }).into_bytes(),
    };
    let what = format!("table {seed}: {header:?}, {:?}", rows.first());
    Table { header, rows, bytes, delimiter, is_latin, what }
}

/// The records of a result, without those of its header.
fn records(place: &Place, name: &str, table: &Table) -> Vec<Vec<String>> {
    let bytes = std::fs::read(place.path(name)).unwrap();
    let text = match table.is_latin {
        true => bytes.iter().map(|byte| char::from(*byte)).collect(),
        false => String::from_utf8(bytes).unwrap_or_else(|_| panic!("{}", table.what)),
    };
    let text = text.trim_start_matches('\u{feff}');
    let reader = csv::ReaderBuilder::new().delimiter(table.delimiter).flexible(true).from_reader(text.as_bytes());
    reader.into_records().map(|record| record.unwrap().iter().map(String::from).collect()).collect()
}

fn is_blank(cell: &str) -> bool {
    ["", "NA", "-", "n/a"].contains(&cell)
}

#[test]
fn any_table_that_trains_comes_back() {
    let count = std::env::var("WGVAE_TABLES").ok().and_then(|count| count.parse().ok()).unwrap_or(TABLES);
    let Some(place) = Place::with_adapter() else { return };
    let mut trained = 0;
    for seed in 0..count {
        let table = table(seed);
        std::fs::write(place.path("t.csv"), &table.bytes).unwrap();
        let loads = place.try_to("data t.csv --no-preview --json");
        let Ok(said) = loads else {
            let error = loads.unwrap_err();
            assert!(error.contains("no column") || error.contains("learn"), "{}: {error}", table.what);
            continue;
        };
        trained += 1;
        let columns = serde_json::from_str::<serde_json::Value>(&said).unwrap()["columns"].as_array().unwrap().clone();
        // Two numbers in a cell are two columns.
        let is_first = |name: &&str| !name.ends_with(" (2)");
        let learned: Vec<&str> =
            columns.iter().map(|column| column["name"].as_str().unwrap()).filter(is_first).collect();
        let done = |line: &str| place.try_to(line).unwrap_or_else(|error| panic!("{}: {line}: {error}", table.what));
        done("train --data t.csv --steps 3 --hidden 8 --latent 2 --batch 16 --device cpu --replace --out run");

        // The table that was given, with what was missing filled in.
        done("restore run --data t.csv --device cpu --to filled.csv");
        let has_gaps = table.rows.iter().flatten().any(|cell| is_blank(cell));
        let filled = records(&place, "filled.csv", &table);
        if !has_gaps {
            assert!(std::fs::read(place.path("filled.csv")).unwrap() == table.bytes, "{}", table.what);
        }
        assert_eq!(filled.len(), table.rows.len(), "{}", table.what);
        for (row, filled) in table.rows.iter().zip(&filled) {
            for (cell, filled) in row.iter().zip(filled) {
                assert!(is_blank(cell) || cell == filled, "{}: {cell} became {filled}", table.what);
            }
        }

        // Scores stand beside all cells, in whatever order; nothing that was trained on is new.
        let scores = place.json("anomaly run --data t.csv --device cpu --draws 1 --json --to scores.csv");
        assert_eq!(scores["rows"], table.rows.len(), "{}", table.what);
        // A number far from all others is new, if it stands in a row that was held out.
        let is_new = |row: &&serde_json::Value| row["unseen"].as_array().is_some_and(|why| !why.is_empty());
        let mut strangest = scores["strangest"].as_array().unwrap().iter().filter(is_new);
        assert!(strangest.all(|row| row["trained"] == false), "{}: {scores}", table.what);
        let scored = records(&place, "scores.csv", &table);
        for scored in &scored {
            let row: usize = scored[0].parse().unwrap();
            let cells: Vec<&String> = table.rows[row].iter().collect();
            let found: Vec<&String> = scored[2..2 + table.header.len()].iter().collect();
            assert_eq!(found, cells, "{}", table.what);
        }

        // What was read is exported as it was written.
        std::fs::remove_dir_all(place.path("out")).ok();
        done("data export t.csv --to out");
        let exported = [records(&place, "out/train.csv", &table), records(&place, "out/test.csv", &table)].concat();
        // Nothing can be learned from a row without any value.
        let has_value = |row: &&Vec<String>| row.iter().any(|cell| !is_blank(cell));
        if learned.len() == table.header.len() {
            assert_eq!(exported.len(), table.rows.iter().filter(has_value).count(), "{}", table.what);
        }
        let of_learned =
            |row: &Vec<String>| -> Vec<String> { row.iter().filter(|cell| !is_blank(cell)).cloned().collect() };
        if learned.len() == table.header.len() {
            let mut all: Vec<Vec<String>> = exported.iter().map(of_learned).collect();
            let mut given: Vec<Vec<String>> = table.rows.iter().filter(has_value).map(of_learned).collect();
            all.sort();
            given.sort();
            let differ: Vec<_> = all.iter().filter(|row| !given.contains(row)).take(3).collect();
            assert!(all == given, "{}: {differ:?}", table.what);
        }

        // Samples have the table's own form, so that they are read like it.
        done("sample run --device cpu --count 60 --to drawn.csv");
        let drawn = place.json("anomaly run --data drawn.csv --device cpu --draws 1 --json --to scores.csv");
        assert_eq!(
            (drawn["rows"].as_u64(), drawn["unseen_rows"].as_u64()),
            (Some(60), Some(0)),
            "{}: {drawn}",
            table.what
        );
    }
    assert!(2 * trained > count, "{trained} of {count} tables could be learned from");
}
