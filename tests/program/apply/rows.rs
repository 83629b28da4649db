//! What rows a model is applied to, and how.

use serde_json::Value;

use super::place::{Place, read};

#[test]
fn scores_depend_on_a_row_alone() {
    let Some(place) = Place::with_adapter() else { return };
    place.done(
        "train --data strokes:count=300 --binarise draw --steps 30 --hidden 16 --latent 3 --batch 32 --out drawn",
    );
    let row = |number: usize| -> String {
        let level = |i: usize| (i * (number + 3) % 255) as f64 / 255.0;
        (0..784).map(|i| level(i).to_string()).collect::<Vec<_>>().join(",") + "\n"
    };
    let scores = |numbers: &[usize], draws: usize| -> Vec<(usize, f64)> {
        std::fs::write(place.path("rows.csv"), numbers.iter().map(|number| row(*number)).collect::<String>()).unwrap();
        let found = place.json(&format!("anomaly drawn --data rows.csv --draws {draws} --top 100 --json"));
        let of = |row: &Value| (numbers[row["row"].as_u64().unwrap() as usize], row["score"].as_f64().unwrap());
        let mut all: Vec<_> = found["strangest"].as_array().unwrap().iter().map(of).collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        all.dedup();
        all
    };
    let forwards: Vec<usize> = (0..40).collect();
    let again: Vec<usize> = (0..40).rev().chain([7, 7, 3]).collect();
    assert_eq!(scores(&forwards, 4), scores(&again, 4));
    // A mean over many draws of zeros and ones differs less between halves of them than two draws do.
    let [one, two, many] = [1, 2, 64].map(|draws| scores(&forwards, draws));
    let apart = |a: &[(usize, f64)], b: &[(usize, f64)]| a.iter().zip(b).map(|(a, b)| (a.1 - b.1).abs()).sum::<f64>();
    assert!(apart(&one, &two) > 1.0 && apart(&two, &many) < apart(&one, &many), "{one:?} {two:?} {many:?}");
}

/// Choosing rows of a run's own data selects from the test rows of training, with the same scaling.
#[test]
fn choosing_rows_neither_moves_nor_scales_them() {
    let Some(place) = Place::with_adapter().map(Place::with_table) else { return };
    let lines = |flags: &str| -> Vec<String> {
        place.done(&format!("reconstruct table {flags} --to -")).lines().map(String::from).collect()
    };
    let (all, odd, first) = (lines(""), lines("--keep-label odd"), lines("--limit 7"));
    assert_eq!(all.len(), 41);
    assert!((2..41).contains(&odd.len()), "{}", odd.len());
    assert!(odd.iter().all(|line| all.contains(line)), "{odd:?} of {all:?}");
    assert_eq!(first, all[..8]);
    // Pages can be written to stdout too.
    assert!(place.done("report table --to -").starts_with("<!doctype html>"));
    assert!(place.done("compare table --to -").starts_with("<!doctype html>"));
    assert!(!place.path("-").exists());
}

/// A seed gives the same bits whether the rows are resident on the device or streamed.
#[test]
fn streamed_rows_train_the_same_model() {
    let Some(place) = Place::with_adapter() else { return };
    // 6,000 and 1,200 images of 784 bytes: 4.5 MiB and 0.9 MiB.
    for (data, more) in [
        ("strokes:count=6000", "--binarise draw --shift 2 --flip --noise 0.1"),
        ("points:count=200000", "--preset points"),
        ("strokes:count=6000", "--condition class"),
    ] {
        let line = format!("train --data {data} {more} --steps 120 --batch 100 --hidden 16 --latent 3");
        place.done(&format!("{line} --replace --out whole"));
        let out = place.done(&format!("{line} --replace --resident 1 --out streamed"));
        assert!(out.contains("streamed: "), "{out}");
        for file in ["model.safetensors", "metrics.jsonl"] {
            let [whole, streamed] = ["whole", "streamed"].map(|run| std::fs::read(place.path(run).join(file)).unwrap());
            if file == "model.safetensors" {
                assert_eq!(whole, streamed, "{data}: the models differ");
            }
        }
        let losses = |run: &str| -> Vec<f64> {
            let text = read(&place.path(run).join("metrics.jsonl"));
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.filter_map(|line| line["test_loss"].as_f64()).collect()
        };
        assert_eq!(losses("whole"), losses("streamed"));
    }
}
