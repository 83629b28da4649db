//! The quality of samples: of trained models, of untrained ones, and of what has no classes or no prior.

use serde_json::Value;

use super::place::{Place, table};

fn number(of: &Value, part: &str, name: &str) -> f64 {
    of["quality"][part][name].as_f64().unwrap_or_else(|| panic!("no {name} of {part} in {of}"))
}

#[test]
fn samples_of_an_untrained_model_are_far_worse() {
    let place = Place::new();
    let source = "strokes:count=3000";
    place.done(&format!(
        "train --data {source} --epochs 30 --hidden 128 --latent 8 --lr 0.003 --device cpu --out trained"
    ));
    place.done(&format!(
        "train --data {source} --steps 1 --hidden 128 --latent 8 --seed 1 --device cpu --out untrained"
    ));
    let [trained, untrained] =
        ["trained", "untrained"].map(|run| place.json(&format!("eval {run} --quality --device cpu --json")));
    for eval in [&trained, &untrained] {
        let quality = &eval["quality"];
        let features = quality["features"].as_str().unwrap();
        let accuracy = quality["classifier_accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.9 && features.starts_with("classifier of 10 classes, accuracy 0.9"), "{eval}");
        assert_eq!((&quality["samples"], &quality["neighbours"]), (&eval["rows"], &3.into()));
        assert_eq!(quality["noise"], false);
        // Training rows are as test rows are.
        assert!(number(eval, "reference", "precision") > 0.8 && number(eval, "reference", "recall") > 0.8, "{eval}");
    }
    // Whatever the run's seed: what samples are compared with is the same.
    assert_eq!(trained["quality"]["reference"], untrained["quality"]["reference"]);
    assert_eq!(trained["quality"]["features"], untrained["quality"]["features"]);
    for part in ["codes", "prior"] {
        let of = |eval: &Value, name: &str| number(eval, part, name);
        let distance = |eval: &Value| of(eval, "frechet_distance");
        assert!(distance(&trained) > number(&trained, "reference", "frechet_distance"), "{trained}");
        assert!(10.0 * distance(&trained) < distance(&untrained), "{part}: {trained} {untrained}");
        assert!(of(&trained, "precision") > 0.4 && of(&trained, "recall") > 0.2, "{part}: {trained}");
        assert!(of(&untrained, "precision") < 0.1 && of(&untrained, "recall") < 0.1, "{part}: {untrained}");
    }
    assert_eq!(trained, place.json("eval trained --quality=4000 --device cpu --json"));
    let fewer = place.json("eval trained --quality=100 --device cpu --json");
    assert_eq!(fewer["quality"]["samples"], 100);
    let output = place.done("eval trained --quality=100 --device cpu");
    assert!(
        output.contains("100 samples (means) beside as many test rows; features: classifier of 10 classes"),
        "{output}"
    );
    for (flags, reason) in [
        ("--quality=64", "is told from more than 64 test rows"),
        ("--quality --limit 50", "here are 50 and 3000 of them"),
        ("--quality=0", "0 is not in 1..=1000000"),
    ] {
        let output = place.wgvae(&format!("eval trained --device cpu {flags}"));
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && message.contains(reason), "{flags}: {message}");
    }
}

/// A table without classes, with counts, words and missing cells, whose samples are drawn; a plain autoencoder; a conditional model, which
/// is asked for the classes of the test rows.
#[test]
fn every_kind_of_model_has_samples_to_compare() {
    let place = Place::new();
    let mut text = String::from("a,b,colour\n");
    for i in 0..1000_u32 {
        let of = |k: u32| f64::from((i * 7919 + k * 104_729) % 1000) / 1000.0;
        let a = if i % 9 == 0 { String::new() } else { format!("{:.3}", of(1) + of(2)) };
        text += &format!("{a},{:.3},{}\n", of(1) - of(3), if of(1) > 0.5 { "red" } else { "blue" });
    }
    std::fs::write(place.path("holes.csv"), text).unwrap();
    std::fs::write(place.path("few.csv"), table()).unwrap();
    place.done("train --data holes.csv --epochs 60 --lr 0.003 --device cpu --out table");
    let eval = place.json("eval table --quality --device cpu --json");
    let quality = &eval["quality"];
    assert_eq!((&quality["features"], &quality["noise"]), (&"random".into(), &true.into()));
    assert!(quality.get("classifier_accuracy").is_none(), "{eval}");
    assert!(number(&eval, "codes", "precision") > 0.6 && number(&eval, "codes", "recall") > 0.6, "{eval}");
    place.done("train --data few.csv --label kind --epochs 1 --device cpu --out few");
    let (code, output) = place.refused("eval few --quality --device cpu");
    assert!(code == 2 && output.contains("here are 40 and 360 of them"), "{output}");

    place.done("train --preset autoencoder --data strokes:count=1000 --epochs 3 --device cpu --out plain");
    let eval = place.json("eval --quality plain --device cpu --json");
    assert!(eval["quality"].get("prior").is_none(), "{eval}");
    assert!(number(&eval, "codes", "frechet_distance") > 0.0);

    place.done(
        "train --data strokes:count=1500 --condition class --epochs 30 --lr 0.003 --hidden 64 --latent 4 --device cpu --out told",
    );
    // Test rows of one class have samples of that class beside them, and those of another class are far from them.
    let own = place.json("eval told --data strokes:count=6000 --keep-label 3 --quality --device cpu --json");
    let other =
        place.json("eval told --data strokes:count=6000 --keep-label 3 --class 5 --quality --device cpu --json");
    let distance = |eval: &Value| number(eval, "codes", "frechet_distance");
    assert!(3.0 * distance(&own) < distance(&other), "{own} {other}");
}
