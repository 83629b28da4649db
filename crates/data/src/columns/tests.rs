use super::*;
use crate::raw::RawColumns;

fn named(names: &[&str]) -> RawColumns {
    RawColumns::numbers(names.iter().map(|name| name.to_string()).collect())
}

/// Raw columns of which some have words.
fn raw(names: &[&str], words: Vec<Option<Vec<&str>>>) -> RawColumns {
    let mut raw = named(names);
    for (raw, words) in raw.all.iter_mut().zip(words) {
        if let Some(words) = words {
            raw.is_of_words = true;
            raw.column.words = words.into_iter().map(String::from).collect();
        }
    }
    raw
}

fn measured(raw: RawColumns, cells: &[f32]) -> Result<(Columns, Vec<String>), String> {
    let mut notes = Vec::new();
    Columns::measure(raw, cells, &[], &mut notes).map(|columns| (columns, notes))
}

#[test]
fn columns_get_mean_0_and_deviation_1_and_back() {
    let table = vec![1.0, 1000.5, 0.1, 3.0, 2000.5, 0.1, 5.0, 6000.5, 0.1];
    let (columns, _) = measured(named(&["a", "b", "c"]), &table).unwrap();
    assert_eq!(columns.all[0].mean, 3.0);
    assert_eq!(columns.all[1].mean, 3000.5);
    assert_eq!((columns.all[2].deviation, columns.all[2].decimals), (1.0, Some(1)));
    assert_eq!(columns.constant(&table), ["c"]);
    let mut split = Examples::of(3, Values::Floats(table.clone()));
    columns.encode(&[false; 3], &mut split);
    let scaled = split.numbers(0..3, 3);
    for column in 0..2 {
        let numbers: Vec<f32> = scaled.iter().skip(column).step_by(3).copied().collect();
        let square: f32 = numbers.iter().map(|v| v * v).sum::<f32>() / 3.0;
        assert!(numbers.iter().sum::<f32>().abs() < 1e-6 && (square - 1.0).abs() < 1e-6, "{numbers:?}");
    }
    assert_eq!(scaled[2], 0.0);
    let back = columns.cell_numbers(&scaled, Provenance::Mean);
    assert!(back.iter().zip(table).all(|(a, b)| (a - b).abs() <= 1e-6 * b.abs()), "{back:?}");
}

/// A share of 200 rows, as wave-like as the numbers of rows are not.
fn wave(i: usize) -> f64 {
    ((i * 37 % 200) as f64 + 0.5) / 200.0
}

#[test]
fn every_kind_of_cell_comes_back_as_it_was() {
    let words = vec![None, None, None, Some(vec!["no", "yes"]), Some(vec!["a", "b", "c"]), None];
    let raw = raw(&["price", "visits", "share", "smoker", "town", "grade"], words);
    let row = |i: usize| {
        let price = normal_quantile(wave(i)).exp();
        let share = if i.is_multiple_of(5) { 0.0 } else { wave(i) };
        [
            price as f32,
            (-wave(i).ln() * 8.0).floor() as f32,
            share as f32,
            (i % 2) as f32,
            (i % 3) as f32,
            (i % 4 + 1) as f32,
        ]
    };
    let mut cells: Vec<f32> = (0..200).flat_map(row).collect();
    (0..6).for_each(|column| cells[7 * column] = f32::NAN);
    let (mut columns, _) = measured(raw, &cells).unwrap();
    columns.missing = true;
    let kinds: Vec<ValueKind> = columns.all.iter().map(|column| column.kind).collect();
    assert_eq!(
        kinds,
        [
            ValueKind::Positive,
            ValueKind::Count,
            ValueKind::Quantile,
            ValueKind::YesNo,
            ValueKind::Category,
            ValueKind::Category
        ]
    );
    assert_eq!((columns.width(), columns.spans()[4].clone(), columns.spans()[5].clone()), (11, 4..7, 7..11));
    assert_eq!(columns.all[5].words, ["1", "2", "3", "4"]);
    let mut split = Examples::of(200, Values::Floats(cells.clone()));
    columns.encode(&[false, false, false, true, true, false], &mut split);
    assert!(split.unseen.is_empty(), "{:?}", split.unseen);
    let values = split.numbers(0..200, 11);
    assert!(is_missing(values[0]) && values[11 + 4..11 + 7] == [0.0, 1.0, 0.0]);
    // The towns are words, so their places stand for them.
    for (back, cell) in columns.cell_numbers(&values, Provenance::Kept).iter().zip(&cells) {
        assert!((back.is_nan() && cell.is_nan()) || (back - cell).abs() <= 2e-5 * cell.abs(), "{back} was {cell}");
    }
    let second = &columns.cells(&values, Provenance::Kept)[6..12];
    assert_eq!(second[1], Cell::Missing);
    assert_eq!(second[3..], [Cell::Word("yes".into()), Cell::Word("b".into()), Cell::Word("2".into())]);
    // Means show the likeliest word.
    let mut means = values[55..66].to_vec();
    means[4..7].copy_from_slice(&[0.3, 0.2, 0.5]);
    assert_eq!(columns.cells(&means, Provenance::Mean)[4], Cell::Word("c".into()));
    // A mean of numbers is what is asked, a draw lies within what was seen and is never 0 where it cannot be.
    let mut far = means.clone();
    (far[0], far[2]) = (-90.0, 90.0);
    let drawn = columns.cells(&far, Provenance::Drawn);
    let least = cells.iter().step_by(6).copied().fold(f32::INFINITY, f32::min);
    assert!(matches!(drawn[0], Cell::Number(price) if (price - least).abs() < 1e-6), "{:?}", drawn[0]);
    assert!(matches!(drawn[2], Cell::Exact(share) if share <= 1.0), "{:?}", drawn[2]);
}

#[test]
fn numbers_have_the_kind_that_suits_them() {
    let of = |value: &dyn Fn(usize) -> f64| measure::SortedNumbers::kind_of((0..200).map(value));
    let normal = |i: usize| normal_quantile(wave(i));
    for (value, kind) in [
        (&(|i| normal(i) * 7.0 - 3.0) as &dyn Fn(usize) -> f64, ValueKind::Number),
        // Whole, but around a mean.
        (&|i| (normal(i) * 12.0).round() + 40.0, ValueKind::Number),
        (&|i| wave(i) * 7.0 - 3.0, ValueKind::Number),
        // With a value that many rows share.
        (&|i| if i.is_multiple_of(8) { 0.0 } else { wave(i) * 7.0 - 3.0 }, ValueKind::Quantile),
        (&|i| (i % 2) as f64, ValueKind::YesNo),
        (&|i| [3.5, -1.0][i % 2], ValueKind::YesNo),
        (&|i| (i % 5) as f64, ValueKind::Category),
        // The quantiles of an exponential and of a log-normal distribution.
        (&|i| (-(wave(i).ln()) * 8.0).floor(), ValueKind::Count),
        (&|i| (2.0 * normal(i)).exp(), ValueKind::Positive),
        // Two modes; a long tail with zeros in it; the same with one number below 0.
        (&|i| normal(i) + 9.0 * (i % 2) as f64, ValueKind::Number),
        (&|i| if i % 3 == 0 { 0.0 } else { (2.0 * normal(i)).exp() }, ValueKind::Quantile),
        (&|i| if i == 7 { -50.0 } else { (2.0 * normal(i)).exp() }, ValueKind::Quantile),
        (&|_| 4.0, ValueKind::Number),
        (&|_| f64::NAN, ValueKind::Number),
    ] {
        assert_eq!(of(value), kind, "{:?}", (0..5).map(value).collect::<Vec<_>>());
    }
    assert_eq!(measure::SortedNumbers::kind_of((0..800).map(|i| f64::from(i * 7 % 24))), ValueKind::Category);
    // Amounts that people round, and those of a shop, of as many digits as others that nobody pays.
    let rounded = |i: usize| if i.is_multiple_of(4) { (i * 7 % 500) as f64 } else { (i * 7 % 10) as f64 * 50.0 };
    assert_eq!(measure::SortedNumbers::kind_of((0..3000).map(rounded)), ValueKind::Quantile);
    let prices = |i: usize| 0.99 + 3.0 * ((i * i) % 23) as f64;
    assert_eq!(measure::SortedNumbers::kind_of((0..400).map(prices)), ValueKind::Quantile);
    // From a few values nothing is concluded.
    assert_eq!(measure::SortedNumbers::kind_of((0..20).map(|i| f64::from(i % 2))), ValueKind::Number);
}

#[test]
fn one_value_far_off_changes_neither_mean_nor_deviation() {
    let normal = |i: usize| 100.0 + 10.0 * normal_quantile(wave(i));
    let of = |far: &[f32]| {
        let mut cells: Vec<f32> = (0..200).map(|i| normal(i) as f32).collect();
        cells.extend(far);
        measured(named(&["n"]), &cells).unwrap()
    };
    let (columns, notes) = of(&[-99_999.0]);
    let column = &columns.all[0];
    assert!((column.mean - 100.0).abs() < 0.5 && (column.deviation - 10.0).abs() < 0.5, "{column:?}");
    assert!(column.range[0] > 60.0 && column.seen[0] == -99_999.0, "{:?}", column.range);
    assert!(notes[0].starts_with("n: 1 value, -99999, is 10"), "{notes:?}");
    // It comes back, and a model sees it at a distance that leaves the others their weight.
    let split = columns.rows(&[-99_999.0, 101.0]).unwrap();
    let values = split.numbers(0..2, 1);
    assert!((-30.0..-10.0).contains(&values[0]), "{values:?}");
    let back = columns.cell_numbers(&values, Provenance::Mean);
    assert!((back[0] / -99_999.0 - 1.0).abs() < 1e-4 && (back[1] - 101.0).abs() < 1e-3, "{back:?}");
    // A value that comes again and again stands for missing.
    let (_, notes) = of(&[999.0; 6]);
    assert!(
        notes[0].contains("6 cells are 999") && notes[0].ends_with("add `data.missing_words = [\"n=999\"]`"),
        "{notes:?}"
    );
    assert!(of(&[140.0]).1.is_empty());
}

#[test]
fn intervals_are_as_wide_as_digits_and_shared_values_leave_open() {
    // Hundredths of a deviation of 1 or so; half of the rows are 0; words.
    let wide = |i: usize| if i.is_multiple_of(2) { 0.0 } else { (wave(i) * 8.0).round() };
    let cells: Vec<f32> = (0..600)
        .flat_map(|i| [(100.0 * normal_quantile(wave(i))).round() as f32 / 100.0, wide(i) as f32, (i % 3) as f32])
        .collect();
    let mut raw = raw(&["a", "b", "c"], vec![None, None, Some(vec!["x", "y", "z"])]);
    raw.all[1].asked = Some(ValueKind::Quantile);
    let (columns, _) = measured(raw, &cells).unwrap();
    let mut split = Examples::of(600, Values::Floats(cells));
    columns.encode(&[false, false, true], &mut split);
    let values = split.numbers(0..2, 5);
    let halves = columns.loss_inputs(&values);
    assert!((f64::from(halves[0]) - 0.005 / columns.all[0].deviation).abs() < 1e-6, "{halves:?}");
    // Half of the rows lie between the quartiles that 0 has, and the interval ends where the next value begins.
    let [zero, half] = [f64::from(values[1]), f64::from(halves[1])];
    assert!((zero + half).abs() < 0.1, "{zero} + {half}");
    assert_eq!(columns.all[1].of_value(zero + 0.99 * half), 0.0);
    assert_eq!(halves[2..5], [0.0; 3]);
    assert_eq!(columns.loss_inputs(&[crate::MISSING; 5]), [0.0; 5]);
}

#[test]
fn of_levels_the_middle_is_shown_and_one_between_them_is_the_nearest() {
    let hours: Vec<String> = (0..24).map(|hour| hour.to_string()).collect();
    let words: Vec<&str> = hours.iter().map(String::as_str).collect();
    let cells: Vec<f32> = (0..480).map(|i| (i % 24) as f32).collect();
    let (columns, _) = measured(raw(&["hour"], vec![Some(words)]), &cells).unwrap();
    let mut shares = vec![0.0; 24];
    (shares[3], shares[4], shares[20]) = (0.3, 0.25, 0.45);
    assert_eq!(columns.cells(&shares, Provenance::Mean), [Cell::Word("4".into())]);
    assert_eq!(columns.cells(&shares, Provenance::Kept), [Cell::Word("20".into())]);
    // 24 is next to the levels, 99 is not.
    let split = columns.rows(&[24.0, 99.0]).unwrap();
    assert_eq!((split.numbers(0..1, 24)[23], split.unseen.len(), split.unseen[0].row), (1.0, 1, 1));
}

#[test]
fn what_is_drawn_and_filled_keeps_relations() {
    let part = |i: usize, by: usize| ((i * by) % 37) as f32;
    let cells: Vec<f32> = (0..200)
        .flat_map(|i| {
            let [a, b, town] = [part(i, 5), part(i / 3, 7), (i % 6) as f32];
            [a, b, a + b, town, (town / 2.0).floor()]
        })
        .collect();
    let towns = vec!["a", "b", "c", "d", "e", "f"];
    let names = ["a", "b", "all", "town", "land"];
    let mut raw = raw(&names, vec![None, None, None, Some(towns), Some(vec!["x", "y", "z"])]);
    raw.all[..3].iter_mut().for_each(|raw| raw.asked = Some(ValueKind::Number));
    let (mut columns, _) = measured(raw, &cells).unwrap();
    columns.relations = columns.relations_in([&cells, &[]]);
    let said: Vec<String> = columns.relations.iter().map(|relation| relation.said(&columns.all)).collect();
    assert_eq!(said, ["all = a + b", "land follows from town"]);
    let mut split = Examples::of(1, Values::Floats(vec![3.0, 4.0, 60.0, 5.0, 0.0]));
    columns.encode(&[false, false, false, true, true], &mut split);
    let width = columns.width();
    let values = split.numbers(0..1, width);
    let text = |cells: &[Cell]| -> Vec<String> {
        let text = |cell: &Cell| match cell {
            Cell::Exact(number) => number.to_string(),
            Cell::Word(word) => word.clone(),
            other => format!("{other:?}"),
        };
        cells.iter().map(text).collect()
    };
    assert_eq!(text(&columns.cells(&values, Provenance::Drawn)), ["3", "4", "7", "f", "z"]);
    assert_eq!(text(&columns.cells(&values, Provenance::Kept)), ["3", "4", "60", "f", "x"]);
    // Only what was filled is changed: the sum, one of its parts, or the part and what follows; nothing where all was there.
    for (filled, expected) in [
        (vec![], ["3", "4", "60", "f", "x"]),
        (vec![2], ["3", "4", "7", "f", "x"]),
        (vec![0], ["56", "4", "60", "f", "x"]),
        (vec![0, 2, 4], ["3", "4", "7", "f", "z"]),
        // The town that is filled in lies in the land that is there.
        (vec![3], ["3", "4", "60", "a", "x"]),
    ] {
        let mut before = values.clone();
        let spans = columns.spans();
        filled.iter().for_each(|column: &usize| before[spans[*column].clone()].fill(crate::MISSING));
        assert_eq!(text(&columns.cells_filled(&values, &before)), expected, "{filled:?}");
    }
}

#[test]
fn a_number_that_words_follow_from_goes_to_the_nearest_with_these_words() {
    let days = vec!["a", "b", "c", "d", "e", "f", "g"];
    let cells: Vec<f32> = (0..1400).flat_map(|i| [(i % 280) as f32, (i % 7) as f32]).collect();
    let (mut columns, _) = measured(raw(&["day", "weekday"], vec![None, Some(days)]), &cells).unwrap();
    columns.relations = columns.relations_in([&cells, &[]]);
    assert_eq!(columns.relations.len(), 1);
    let mut split = Examples::of(2, Values::Floats(vec![100.0, 4.0, 3.0, 3.0]));
    columns.encode(&[false, true], &mut split);
    let numbers = |cells: Vec<Cell>| columns.numbers_of(&cells);
    // The hundredth day is a `c`; two days later is an `e`.
    let values = split.numbers(0..2, columns.width());
    assert_eq!(numbers(columns.cells(&values, Provenance::Drawn)), [102.0, 4.0, 3.0, 3.0]);
}

#[test]
fn numbers_far_from_0_are_told_apart() {
    let mut raw = named(&["time"]);
    raw.all[0].column.offset = 123_456_789.0;
    raw.all[0].is_measured = true;
    raw.all[0].column.decimals = Some(2);
    let cells: Vec<f32> = (0..200).map(|i| normal_quantile(wave(i)) as f32).collect();
    let (columns, _) = measured(raw, &cells).unwrap();
    let column = &columns.all[0];
    assert_eq!(column.kind, ValueKind::Number);
    assert!((column.mean - 123_456_789.0).abs() < 0.1 && (column.deviation - 1.0).abs() < 0.1);
    let cells = columns.cells(&[0.0, 1.0], Provenance::Drawn);
    assert!(
        matches!((&cells[0], &cells[1]), (Cell::Exact(a), Cell::Exact(b)) if (b - a - column.deviation).abs() < 0.011)
    );
}

#[test]
fn what_a_column_cannot_hold_is_refused() {
    let asked = |kind| {
        let mut raw = named(&["n"]);
        raw.all[0].asked = Some(kind);
        raw
    };
    for (kind, cells, why) in [
        (ValueKind::Positive, [1.0, 0.0], "cannot be positive: it holds 0, which is not above 0"),
        (ValueKind::Count, [1.0, 0.5], "not whole"),
        (ValueKind::Count, [1.0, -2.0], "holds -2, which is below 0"),
        (ValueKind::YesNo, [1.0, 1.0], "holds 1 different values, not two"),
    ] {
        let error = measured(asked(kind), &cells).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

/// What a model has not seen has a value that it can take, and is said.
#[test]
fn what_is_new_is_noted_and_goes_on() {
    let mut raw =
        raw(&["age", "price", "visits", "code", "town"], vec![None, None, None, None, Some(vec!["a", "b", "c"])]);
    raw.all[2].asked = Some(ValueKind::Count);
    raw.all[3].asked = Some(ValueKind::Category);
    raw.all[1].asked = Some(ValueKind::Positive);
    let row = |i: usize| [20.0 + i as f32, 1.0 + i as f32, i as f32, (i % 3) as f32, (i % 3) as f32];
    let cells: Vec<f32> = (0..60).flat_map(row).collect();
    let (columns, _) = measured(raw, &cells).unwrap();
    let mut split = Examples::of(
        4,
        Values::Floats(
            [
                [30.0, 5.0, 3.0, 1.0, 2.0],
                [240.0, -50.0, -18.0, 7.0, UNKNOWN],
                [UNKNOWN, 0.0, 2.5, 0.0, 0.0],
                [-500.0, 1e6, 1e9, 2.0, 1.0],
            ]
            .concat(),
        ),
    );
    split.unseen.push(Unseen { row: 1, column: 4, why: "`Atlantis` was never seen".into() });
    columns.encode(&[false, false, false, false, true], &mut split);
    let said: Vec<(usize, usize, &str)> = split.unseen.iter().map(|u| (u.row, u.column, u.why.as_str())).collect();
    assert_eq!(
        said,
        [
            (1, 0, "240 is far outside of 20 to 79"),
            (1, 1, "-50 is not above 0"),
            (1, 2, "-18 is below 0"),
            (1, 3, "7 was never seen"),
            (1, 4, "`Atlantis` was never seen"),
            (2, 0, "a word where numbers are"),
            (2, 1, "0 is not above 0"),
            (2, 2, "2.5 is not whole"),
            (3, 0, "-500 is far outside of 20 to 79"),
            (3, 1, "1000000 is far outside of 1 to 60"),
            (3, 2, "1000000000 is far outside of 0 to 59"),
        ]
    );
    assert!(split.numbers(0..4, columns.width()).iter().all(|value| value.is_finite() && !is_missing(*value)));
}

#[test]
fn grouped_words_are_drawn_as_often_as_rows_had_them() {
    let mut raw = raw(&["w"], vec![Some(vec!["much", "other words"])]);
    raw.all[0].asked = Some(ValueKind::Category);
    let grouped = |word: &str, rows| Grouped { word: word.into(), rows };
    raw.all[0].column.grouped = vec![grouped("a", 30), grouped("b", 10)];
    let (columns, _) = measured(raw, &[0.0, 1.0]).unwrap();
    let drawn = columns.cells(&[0.0, 1.0].repeat(4000), Provenance::Drawn);
    let share = drawn.iter().filter(|cell| **cell == Cell::Word("b".into())).count() as f64 / 4000.0;
    assert!((share - 0.25).abs() < 0.03, "{share}");
    assert_eq!(columns.cells(&[0.0, 1.0], Provenance::Mean), [Cell::Word("a".into())]);
}
