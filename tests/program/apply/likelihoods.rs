//! Runs with likelihoods that learn a scale for all values, and with those of counts.

use serde_json::Value;

use super::place::{Place, read};

fn number(of: &Value, name: &str) -> f64 {
    of[name].as_f64().unwrap_or_else(|| panic!("no {name} in {of}"))
}

/// Counts of two columns that rise together and one of its own; of these, `empty` rows in ten have zeros in their place.
fn counts(rows: u32, empty: u32) -> String {
    let mut text = String::from("a,b,c\n");
    for i in 0..rows {
        let wave = |speed: f64, top: f64| ((0.5 + 0.5 * (speed * f64::from(i)).sin()) * top).floor();
        let [a, b, c] = [wave(0.7, 9.0), wave(0.7, 40.0) + wave(3.1, 5.0), wave(2.3, 3.0)];
        let there = |column: u32| f64::from(u8::from((i * 7 + column * 3) % 10 >= empty));
        text += &format!("{},{},{}\n", a * there(0), b * there(1), c * there(2));
    }
    text
}

#[test]
fn scales_that_are_learned_work_in_every_command() {
    let place = Place::new();
    for likelihood in ["laplace", "student-t"] {
        let run = format!("points-{likelihood}");
        let train =
            format!("train --preset points --data points:moons,count=600 --device cpu --likelihood {likelihood}");
        place.done(&format!("{train} --sigma 0.5 --epochs 20 --out {run}"));
        let eval = place.json(&format!("eval {run} --nll 200 --device cpu --json"));
        // Points have no unit, so a bit is a share of a nat.
        let bits = |nats: f64| nats / std::f64::consts::LN_2 / 2.0;
        assert!((number(&eval, "bits_per_dimension") - bits(-number(&eval, "elbo"))).abs() < 1e-9, "{eval}");
        assert!((number(&eval, "nll_bits_per_dimension") - bits(number(&eval, "nll"))).abs() < 1e-9, "{eval}");
        assert!(number(&eval, "nll") < -number(&eval, "elbo"), "{eval}");
        // Draws have the likelihood's noise, means do not.
        for how in ["--mean", "--draw"] {
            place.done(&format!("sample {run} --count 300 {how} --device cpu --to {run}{how}.csv"));
        }
        assert_ne!(read(&place.path(&format!("{run}--mean.csv"))), read(&place.path(&format!("{run}--draw.csv"))));
        place.done(&format!("anomaly {run} --device cpu --to odd.csv"));
        let done = place.json(&format!("restore {run} --noise 0.3 --damage --count 60 --device cpu --json --to x.csv"));
        assert!(number(&done, "rmse_restored") < number(&done, "rmse_damaged"), "{likelihood}: {done}");
        // A run that goes on is the run that was not interrupted.
        for (steps, out) in [(40, "whole"), (20, "half")] {
            place.done(&format!("{train} --steps {steps} --out {likelihood}-{out}"));
        }
        place.done(&format!("train --resume {likelihood}-half --steps 40 --device cpu"));
        let of = |out: &str| std::fs::read(place.path(&format!("{likelihood}-{out}/model.safetensors"))).unwrap();
        assert!(of("whole") == of("half"), "{likelihood}: a resumed run is another");
    }
}

/// Images of 256 levels: the bits that `eval` says are those that they cost, under decoders that end with either kind of layer.
#[test]
fn levels_have_scales_of_their_own() {
    let place = Place::new();
    std::fs::write(place.path("conv.toml"), "[model]\nencoder = [\"conv 4 k3 s2\", \"conv 4 k3 s2\"]\n").unwrap();
    let train =
        "train --data strokes:count=600 --likelihood logistic --sigma 0.3 --device cpu --seed 2 --batch 50 --steps 200";
    for (run, flags) in [("dense", "--hidden 40 --latent 4"), ("conv", "--config conv.toml --latent 4")] {
        place.done(&format!("{train} {flags} --out {run}"));
        let eval = place.json(&format!("eval {run} --nll 50 --draws 20 --device cpu --json"));
        let found = place.json(&format!("compress {run} --device cpu --json"));
        let bits = number(&eval, "bits_per_dimension");
        assert!((bits + number(&eval, "elbo") / std::f64::consts::LN_2 / 784.0).abs() < 1e-9, "{eval}");
        assert!((number(&found, "elbo_bits_per_dimension") - bits).abs() < 0.01 * bits, "{bits}: {found}");
        assert!((number(&found, "bits_per_dimension") - bits).abs() < 0.02 * bits, "{bits}: {found}");
        assert!(number(&eval, "nll") < -number(&eval, "elbo"), "{eval}");
        // Draws are levels, means are not.
        for (how, are_levels) in [("--mean", false), ("--draw", true)] {
            place.done(&format!("sample {run} --count 20 {how} --device cpu --to drawn.csv"));
            let text = read(&place.path("drawn.csv"));
            let values = text.lines().skip(1).flat_map(|line| line.split(',').map(|cell| cell.parse::<f64>().unwrap()));
            let off = |value: f64| (255.0 * value - (255.0 * value).round()).abs();
            assert_eq!(values.map(off).fold(0.0, f64::max) < 1e-3, are_levels, "{run} {how}");
        }
        place.done(&format!("anomaly {run} --device cpu --to odd.csv"));
        let done = place.json(&format!("restore {run} --noise 0.4 --damage --count 30 --device cpu --json --to x.npy"));
        assert!(number(&done, "rmse_restored") < number(&done, "rmse_damaged"), "{run}: {done}");
        place.done(&format!("restore {run} --hole 4,4,12,12 --damage --count 10 --draws 2 --device cpu --to y.npy"));
    }
    for (line, why) in [
        (
            "train --preset points --data points --likelihood logistic",
            "of images of 256 levels, and points has other values",
        ),
        ("train --likelihood logistic --tied", "leave tied out"),
    ] {
        let (code, message) = place.refused(&format!("{line} --device cpu --out refused"));
        assert!(code == 2 && message.contains(why), "{line}: {code} {message}");
    }
}

#[test]
fn counts_have_likelihoods_of_their_own() {
    let place = Place::new();
    std::fs::write(place.path("counts.csv"), counts(600, 0)).unwrap();
    std::fs::write(place.path("zeros.csv"), counts(600, 4)).unwrap();
    for (likelihood, data) in [("negative-binomial", "counts"), ("zero-inflated", "zeros")] {
        let train = format!("train --data {data}.csv --likelihood {likelihood} --device cpu --seed 4");
        place.done(&format!("{train} --steps 1500 --out {data}"));
        let description: Value = serde_json::from_str(&read(&place.path(data).join("data.json"))).unwrap();
        let columns = description["columns"]["all"].as_array().unwrap();
        assert!(columns.len() == 3 && columns.iter().all(|column| column["kind"] == "count"), "{columns:?}");
        // Probabilities of counts have no unit.
        let eval = place.json(&format!("eval {data} --nll 100 --device cpu --json"));
        let bits = number(&eval, "nll") / std::f64::consts::LN_2 / 3.0;
        assert!((number(&eval, "nll_bits_per_dimension") - bits).abs() < 1e-9, "{eval}");
        place.done(&format!("sample {data} --count 4000 --device cpu --to drawn.csv"));
        let column = |text: &str, column: usize| -> Vec<f64> {
            text.lines().skip(1).map(|line| line.split(',').nth(column).unwrap().parse().unwrap()).collect()
        };
        let (rows, drawn) = (read(&place.path(&format!("{data}.csv"))), read(&place.path("drawn.csv")));
        for place in 0..3 {
            let [rows, drawn] = [&rows, &drawn].map(|text| column(text, place));
            assert!(drawn.iter().all(|count| count.fract() == 0.0 && *count >= 0.0));
            let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
            let zeros = |of: &[f64]| of.iter().filter(|count| **count == 0.0).count() as f64 / of.len() as f64;
            assert!((mean(&drawn) / mean(&rows) - 1.0).abs() < 0.2, "{likelihood}: {} {}", mean(&drawn), mean(&rows));
            assert!((zeros(&drawn) - zeros(&rows)).abs() < 0.07, "{likelihood}: {} {}", zeros(&drawn), zeros(&rows));
        }
        place.done(&format!("anomaly {data} --device cpu --to odd.csv"));
        place.done(&format!("augment {data} --count 20 --device cpu --to more.csv"));
        // What is seen stays, and what is filled in is a count's mean.
        let done = place.json(&format!("restore {data} --hole b --damage --draws 2 --device cpu --json --to x.csv"));
        assert!(done["columns"][0]["rmse"].as_f64().is_some(), "{done}");
    }
    // A mean that falls short of the counts by the extra zeros explains them better than one that does not.
    place.done("train --data zeros.csv --likelihood negative-binomial --device cpu --seed 4 --steps 1500 --out plain");
    let nll = |run: &str| number(&place.json(&format!("eval {run} --nll 100 --device cpu --json")), "nll");
    assert!(nll("zeros") < nll("plain") - 0.1, "{} {}", nll("zeros"), nll("plain"));
}

#[test]
fn what_is_no_count_is_refused() {
    let place = Place::new();
    std::fs::write(
        place.path("mixed.csv"),
        "a,b\n".to_string() + &"1,0.5\n2,1.5\n3,0\n1,1.5\n2,0\n3,0.5\n2,0.5\n".repeat(10),
    )
    .unwrap();
    for (expected, line, why) in [
        (
            3,
            "train --data mixed.csv --likelihood negative-binomial",
            "`b` cannot be count: it holds numbers that are not whole",
        ),
        (3, "train --data mixed.csv --likelihood zero-inflated", "or choose the likelihood columns"),
        (
            2,
            "train --data mixed.csv --likelihood zero-inflated --column b=number",
            "the column `b` of mixed is number: choose",
        ),
        (2, "train --data points --likelihood negative-binomial", "is no table"),
        (2, "train --data mixed.csv --columns a --likelihood zero-inflated --tied", "leave tied out"),
        (2, "train --data mixed.csv --columns a --likelihood negative-binomial --sigma 0.5", "which have a scale"),
    ] {
        let (code, message) = place.refused(&format!("{line} --device cpu --out refused"));
        assert!(code == expected && message.contains(why), "{line}: {code} {message}");
    }
    place.done("train --data mixed.csv --columns a --likelihood negative-binomial --steps 20 --device cpu --out a");
}
