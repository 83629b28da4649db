//! Restoring and completing rows.

use super::place::{Place, read};
use crate::common;

/// Restoring brings rows closer to what they were, whatever the noise or the hole.
#[test]
fn restoring_helps() {
    let Some(place) = Place::with_adapter() else { return };
    // Trained where that is fast; each way to restore is taken on the adapter, too.
    place.done("train --data strokes:count=3000 --epochs 8 --hidden 128 --latent 10 --device cpu --out images");
    place.done("train --data strokes:count=1000 --epochs 1 --condition class --hidden 64 --device cpu --out told");
    place.done("train --preset autoencoder --data strokes:count=1000 --epochs 3 --device cpu --out plain");
    place.done("train --preset points --data points:moons,count=600 --epochs 5 --device cpu --out points");
    for line in [
        "images --noise 0.05 --device cpu",
        "images --noise 0.2",
        "images --noise 0.5 --device cpu",
        "images --hole 8,8,10,10 --device cpu",
        "images --hole 0,0,28,14",
        "told --hole 8,8,10,10",
        "plain --hole 8,8,10,10 --device cpu",
        "plain --noise 0.3 --device cpu",
        "points --noise 0.3",
    ] {
        let done = place.json(&format!(
            "restore {line} --damage --count 60 --json --to {}",
            if line.starts_with("points") { "x.csv" } else { "x.png" }
        ));
        let [damaged, restored] = ["rmse_damaged", "rmse_restored"].map(|name| done[name].as_f64().unwrap());
        let least = if line.starts_with("plain --noise") { 1.0 } else { 0.97 };
        assert!(restored < least * damaged, "{line}: {done}");
    }
    let said = place.done("restore images --noise 0.2 --damage --count 5");
    assert!(said.contains("rmse") && said.contains("of all values, in levels from 0 to 1"), "{said}");
    assert!(said.contains("picture  rows in turn: damaged, restored, as they were"), "{said}");
    // Completions differ where nothing is seen, and nowhere else.
    place.done("restore images --hole 8,8,10,10 --draws 3 --count 2 --to drawn.csv");
    let text = read(&place.path("drawn.csv"));
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 6);
    let (inside, outside) = (12 * 28 + 12, 2 * 28 + 2);
    let at = |row: usize, pixel: usize| rows[row][rows[row].len() - 784 + pixel];
    assert!(at(0, inside) != at(1, inside) && at(0, outside) == at(1, outside) && at(0, outside) == at(2, outside));
}

/// The posterior of a linear decoder is normal and known: what is filled in is its mean, and completions have its spread.
#[test]
fn completions_are_draws_from_the_posterior() {
    use wgvae::apply::restore::{Damage, Restorer, Wanted, hidden};
    if common::gpu().is_none() {
        return;
    }
    let wave = |i: usize, k: usize| ((i * 37 + k * 101) as f32 * 0.7123).sin() * 1.3;
    let row =
        |i: usize| [wave(i, 0) + 0.3 * wave(i, 7), wave(i, 1), wave(i, 0) - wave(i, 1) + 0.2 * wave(i, 5), wave(i, 3)];
    let numbers: Vec<f32> = (0..400).flat_map(row).collect();
    let data = wgvae::InMemory::table("waves", wgvae::Table::of_numbers(["a", "b", "c", "d"], &numbers))
        .kind(wgvae::data::ValueKind::Number)
        .dataset()
        .unwrap();
    let rows = data.test.numbers(0..data.test.rows, 4);
    let mut config = wgvae::Config::for_data(&data).unwrap();
    (config.model.hidden, config.model.latent, config.train.steps) = (Vec::new(), 2, Some(600));
    // Whose posterior has a closed form.
    config.model.likelihood = wgvae::model::Likelihood::GaussianLearned;
    let folder = tempfile::tempdir().unwrap();
    let mut options = wgvae::RunOptions::in_folder(folder.path().join("run"));
    options.device.tune = wgvae::train::Tune::Off;
    let run = wgvae::train(config, data, &options, |_| ()).unwrap().run;
    let file = std::fs::read(folder.path().join("run/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let read = |name: &str| -> Vec<f64> {
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(file.tensor(name).unwrap().data());
        values.into_iter().map(f64::from).collect()
    };
    let (weight, bias, log_sigma) = (read("decoder.0.weight"), read("decoder.0.bias"), read("log_sigma")[0]);

    let gone = [false, true, false, true];
    let seen = hidden(&rows, &gone);
    let mut restorer = Restorer::open(&run, 40, Damage::Missing, None, &options.device, &mut |_| {}).unwrap();
    let draws = 200;
    let found = restorer.restore(&seen, None, Wanted { draws, noisy: true, seed: 3 }).unwrap();
    // The posterior's precision: 1 0 0 1, and w w' / sigma^2 of what is seen.
    let trust = (-2.0 * log_sigma).exp();
    let mut precision = [[1.0, 0.0], [0.0, 1.0]];
    for j in [0, 2] {
        for (a, row) in precision.iter_mut().enumerate() {
            row.iter_mut().enumerate().for_each(|(b, p)| *p += weight[2 * j + a] * weight[2 * j + b] * trust);
        }
    }
    let determinant = precision[0][0] * precision[1][1] - precision[0][1] * precision[1][0];
    let covariance = [
        [precision[1][1] / determinant, -precision[0][1] / determinant],
        [-precision[1][0] / determinant, precision[0][0] / determinant],
    ];
    for j in [1, 3] {
        let w = &weight[2 * j..2 * j + 2];
        let spread: f64 =
            (0..2).flat_map(|a| (0..2).map(move |b| (a, b))).map(|(a, b)| w[a] * covariance[a][b] * w[b]).sum();
        let expected = spread + 1.0 / trust;
        let (mut off, mut variance) = (0.0, 0.0);
        let count = rows.len() / 4;
        for (i, row) in rows.chunks(4).enumerate() {
            let pull = |a: usize| {
                [0, 2].iter().map(|s| weight[2 * s + a] * trust * (f64::from(row[*s]) - bias[*s])).sum::<f64>()
            };
            let z = [0, 1].map(|a| covariance[a][0] * pull(0) + covariance[a][1] * pull(1));
            let mean = w[0] * z[0] + w[1] * z[1] + bias[j];
            off += (f64::from(found.rows[4 * i + j]) - mean).powi(2);
            variance += found.draws.iter().map(|d| (f64::from(d[4 * i + j]) - mean).powi(2)).sum::<f64>();
            assert_eq!(found.rows[4 * i], row[0], "what is seen stays");
        }
        let (off, variance) = ((off / count as f64).sqrt(), variance / (count * draws) as f64);
        // Forty draws of each row that follow each other.
        assert!(off < 0.25 * spread.sqrt() + 1e-3, "column {j}: off by {off}, and the spread is {}", spread.sqrt());
        assert!((variance / expected - 1.0).abs() < 0.05, "column {j}: a variance of {variance}, not {expected}");
    }
}
