//! Tables with columns of every kind.

use std::collections::HashSet;
use std::time::Instant;

use super::place::{Place, read};

/// A table with a column of every kind that two factors explain, and blanks in one cell of ten.
pub fn people(rows: u32, blanks: bool) -> String {
    let mut text = String::from("id,age,income,visits,town,smoker\n");
    for i in 0..rows {
        let uniform = |k: u32| {
            let hash = (i + 1).wrapping_mul(0x9e37_79b9).wrapping_add(k.wrapping_mul(0x85eb_ca6b));
            let hash = (hash ^ hash >> 15).wrapping_mul(0x2c1b_3c6d);
            f64::from((hash ^ hash >> 12).wrapping_mul(0x297a_2d39) >> 8) / f64::from(1 << 24)
        };
        let normal = |k: u32| {
            let (u, v) = (uniform(k).max(1e-9), uniform(k + 50));
            (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
        };
        let (a, b) = (normal(1), normal(2));
        let town = if b + 0.5 * normal(5) > 0.4 {
            "Cork"
        } else if a + 0.3 * normal(6) > 0.2 {
            "Basel, BS"
        } else {
            "Dax"
        };
        let cells = [
            format!("P{i}"),
            format!("{:.0}", 45.0 + 12.0 * a + 3.0 * normal(3)),
            format!("{:.2}", (9.0 + 0.6 * a + 0.5 * b + 0.2 * normal(4)).exp()),
            format!("{:.0}", (-(1.0 - uniform(7)).ln() * (1.2 + b).exp()).floor()),
            format!("\"{town}\""),
            if b + 0.4 * normal(8) > 0.0 { "yes".into() } else { "no".into() },
        ];
        let cell = |(k, cell): (usize, &String)| match blanks && k > 0 && uniform(20 + k as u32) < 0.1 {
            true => String::new(),
            false => cell.clone(),
        };
        text += &(cells.iter().enumerate().map(cell).collect::<Vec<_>>().join(",") + "\n");
    }
    text
}

/// Columns of every kind, with blanks: found, learned from, drawn, filled in, and drawn again where they are missing.
#[test]
fn tables_of_every_kind_of_column_come_back_as_they_were() {
    let Some(place) = Place::with_adapter() else { return };
    std::fs::write(place.path("train.csv"), people(700, true)).unwrap();
    std::fs::write(
        place.path("new.csv"),
        people(1000, false)
            .lines()
            .enumerate()
            .filter(|(i, _)| *i == 0 || *i > 800)
            .map(|(_, l)| format!("{l}\n"))
            .collect::<String>(),
    )
    .unwrap();
    let data = place.json("data train.csv --json");
    let kinds: Vec<&str> = data["columns"].as_array().unwrap().iter().map(|c| c["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["number", "positive", "count", "category", "yes-no"]);
    assert!(data["columns"][0]["missing"].as_u64().unwrap() > 40, "{data}");
    let start = Instant::now();
    place.done("train --data train.csv --steps 2500 --device cpu --out people");
    let trained = start.elapsed();
    let eval = place.json("eval people --json");
    assert!(eval["no_bits"].as_str().unwrap().contains("missing"), "{eval}");
    assert!(place.json("eval people --data new.csv --json")["bits_per_dimension"].as_f64().unwrap() > 0.0);

    place.done("sample people --count 3000 --to drawn.csv");
    let drawn = read(&place.path("drawn.csv"));
    let records = |text: &str| -> Vec<csv::StringRecord> {
        csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap).collect()
    };
    let rows = records(&drawn);
    let numbers = |column: usize| rows.iter().map(|r| r[column].parse::<f64>().unwrap()).collect::<Vec<_>>();
    // Rows have names of their own, where the table has some.
    let names: HashSet<&str> = rows.iter().map(|row| &row[0]).collect();
    assert!(drawn.starts_with("id,age,income,visits,town,smoker\n") && names.len() == 3000, "{}", &drawn[..99]);
    assert!(names.iter().all(|name| name[1..].parse::<u32>().unwrap() >= 700), "a name of the data");
    let ages = numbers(1);
    let mean = ages.iter().sum::<f64>() / 3000.0;
    let deviation = (ages.iter().map(|age| (age - mean).powi(2)).sum::<f64>() / 3000.0).sqrt();
    assert!((mean - 45.0).abs() < 3.0 && (deviation - 12.4).abs() < 2.0, "{mean} {deviation}");
    assert!(ages.iter().chain(&numbers(3)).all(|v| v.fract() == 0.0) && numbers(3).iter().all(|v| *v >= 0.0));
    assert!(numbers(2).iter().all(|v| *v > 0.0));
    assert!(rows.iter().all(|r| ["Cork", "Basel, BS", "Dax"].contains(&&r[4]) && ["yes", "no"].contains(&&r[5])));
    let of_means = place.done("sample people --count 500 --mean --to -");
    assert!(of_means.lines().skip(1).any(|line| line.split(',').nth(1).unwrap().contains('.')), "means have decimals");

    // Cells are empty as often as in the data, and it is said how close rows come to those that were trained on.
    let output = place.json("sample people --count 2000 --gaps --json --to gaps.csv");
    let empty = |name: &str, column: usize| {
        let rows = records(&read(&place.path(name)));
        rows.iter().filter(|row| row[column].is_empty()).count() as f64 / rows.len() as f64
    };
    for column in 1..6 {
        let [data, samples] = ["train.csv", "gaps.csv"].map(|name| empty(name, column));
        assert!((data - samples).abs() < 0.035 && data > 0.05, "{column}: {data} {samples}");
    }
    let of = |rows: &str, figure: &str| output["closeness"][rows][figure].as_f64().unwrap();
    assert_eq!([of("drawn", "rows"), of("held_out", "rows")], [2000.0, 70.0], "{output}");
    assert!(of("drawn", "copies") < 20.0 && of("drawn", "near_copies") < 0.2, "{output}");
    assert!((of("drawn", "distance") / of("held_out", "distance") - 1.0).abs() < 0.3, "{output}");
    let page = read(&place.path("people/report.html"));
    for part in
        ["Told apart", "Nearly copies", "How columns of samples go together", "<caption>Rows of the data</caption>"]
    {
        assert!(page.contains(part), "no {part}");
    }

    // What names the rows stays with them.
    for (command, head) in
        [("encode", "origin,id,mu_0"), ("reconstruct", "origin,id,age"), ("anomaly", "row,origin,id,age,income,")]
    {
        place.done(&format!("{command} people --data new.csv --to named.csv"));
        let named = read(&place.path("named.csv"));
        assert!(named.starts_with(head) && named.contains(",P800,"), "{command}: {}", &named[..200]);
    }

    // Two witnesses are joined: what the model makes of a row, and how far it is from training rows.
    let odd = "id,age,income,visits,town,smoker\nX1,44,9000.00,2,Dax,no\nX2,20,90000.00,40,Cork,no\n";
    std::fs::write(place.path("odd.csv"), odd).unwrap();
    let found = place.json("anomaly people --data odd.csv --json --to odd.csv.scores.csv");
    let strangest = found["strangest"].as_array().unwrap();
    assert!(strangest[0]["row"] == 1 && strangest[1]["row"] == 0, "{found}");
    let of = |row: usize, figure: &str| strangest[row][figure].as_f64().unwrap();
    for figure in ["score", "negative_elbo", "distance"] {
        assert!(of(0, figure) > of(1, figure), "{figure}: {found}");
    }
    // A score does not depend on the rows beside it.
    std::fs::write(
        place.path("one.csv"),
        odd.lines().filter(|line| !line.starts_with("X1")).collect::<Vec<_>>().join("\n"),
    )
    .unwrap();
    let alone = place.json("anomaly people --data one.csv --json --to one.csv.scores.csv");
    assert_eq!(alone["strangest"][0]["score"], found["strangest"][0]["score"]);

    // What is there stays as it is, digit by digit; what is not is filled in.
    let start = Instant::now();
    place.done("restore people --data train.csv --device cpu --to filled.csv");
    assert!(start.elapsed() < 2 * trained, "{:?} to restore what took {trained:?} to train", start.elapsed());
    let (blank, filled) = (records(&read(&place.path("train.csv"))), records(&read(&place.path("filled.csv"))));
    assert_eq!(filled.len(), blank.len());
    let mut gaps = 0;
    for (blank, filled) in blank.iter().zip(&filled) {
        for column in 0..6 {
            match blank[column].is_empty() {
                true => gaps += usize::from(!filled[column].is_empty()),
                false => assert_eq!(blank[column], filled[column]),
            }
        }
    }
    assert!(gaps > 250, "{gaps}");
    // A terminal shows how far it is.
    #[cfg(target_os = "linux")]
    for (line, what) in [
        ("anomaly people --data new.csv --to x.csv", "scoring"),
        ("restore people --data new.csv --hole age --to x.csv", "restore"),
    ] {
        let shown = |seen: &str| seen.contains(&format!("{what:8} ")) && seen.contains(" left");
        assert!(shown(&place.on_terminal(line)), "{line}: {}", place.on_terminal(line));
        assert!(!shown(&place.on_terminal(&format!("{line} --json"))), "{line}");
        assert!(!shown(&String::from_utf8_lossy(&place.wgvae(line).stderr)), "{line}");
    }
    // Counts with as long a tail as these leave nothing to be seen in 200 rows.
    for hole in ["age", "income"] {
        let done = place.json(&format!("restore people --data new.csv --hole {hole} --damage --json --to x.csv"));
        let column = &done["columns"][0];
        let [found, mean] = ["rmse", "rmse_of_mean"].map(|name| column[name].as_f64().unwrap());
        assert!(found < 0.97 * mean, "{hole}: {done}");
    }
    for hole in ["town", "smoker"] {
        let done = place.json(&format!("restore people --data new.csv --hole {hole} --damage --json --to x.csv"));
        let column = &done["columns"][0];
        let [right, most] = ["share_right", "share_of_most_frequent"].map(|name| column[name].as_f64().unwrap());
        assert!(right > most + 0.03, "{hole}: {done}");
    }

    // Among 19 completions the truth is as often below all but two, or above, as it should be.
    place.done("restore people --data new.csv --hole age,visits --damage --draws 19 --device cpu --to completed.csv");
    let (truth, drawn) = (records(&read(&place.path("new.csv"))), records(&read(&place.path("completed.csv"))));
    assert_eq!(drawn.len(), 19 * truth.len());
    let mut inside = 0;
    for (row, draws) in truth.iter().zip(drawn.chunks(19)) {
        assert!(draws.iter().all(|d| d.len() == 7 && d[5] == row[4]), "what is seen stays");
        let age: f64 = row[1].parse().unwrap();
        let below = draws.iter().filter(|d| d[2].parse::<f64>().unwrap() < age).count();
        inside += usize::from((2..=17).contains(&below));
    }
    let share = inside as f64 / truth.len() as f64;
    assert!((0.72..=0.88).contains(&share), "{share} lie within intervals of 80 %");
}
