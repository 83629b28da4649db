//! The likelihood of rows by importance sampling, beside what it is.

use serde_json::Value;
use wgvae::data::Dataset;

use super::place::{Place, number};

const SIGMA: f64 = 0.2;

/// The mean of `-ln p(x)` of test points under a linear model with one latent dimension: a normal with covariance
/// `w w^T + sigma^2`.
fn exact(place: &Place, run: &str, source: &str) -> f64 {
    let of = |name: &str| place.weights(run, name);
    let (w, mean) = (of("decoder.0.weight"), of("decoder.0.bias"));
    let data = Dataset::load(source).unwrap();
    let [a, b, c] = [w[0] * w[0] + SIGMA * SIGMA, w[0] * w[1], w[1] * w[1] + SIGMA * SIGMA];
    let determinant = a * c - b * b;
    let points = data.test.numbers(0..data.test.rows, 2);
    let nats = |point: &[f32]| {
        let [x, y] = [f64::from(point[0]) - mean[0], f64::from(point[1]) - mean[1]];
        let far = (c * x * x - 2.0 * b * x * y + a * y * y) / determinant;
        0.5 * (far + determinant.ln()) + (2.0 * std::f64::consts::PI).ln()
    };
    points.chunks_exact(2).map(nats).sum::<f64>() / data.test.rows as f64
}

#[test]
fn importance_sampling_finds_the_likelihood_of_a_linear_model() {
    let Some(place) = Place::with_adapter() else { return };
    // 134 test rows: the last batch has six, each of them twice.
    let source = "points:moons,count=670";
    place.done(&format!(
        "train --preset points --hidden none --latent 1 --sigma {SIGMA} --batch 16 --data {source} --epochs 12 --keep 9 \
         --checkpoint-every 4epoch --out linear"
    ));
    let exact = exact(&place, "linear", source);
    for device in ["adapter", "cpu"] {
        let eval = place.json(&format!("eval linear --nll 3001 --checkpoints --device {device} --json"));
        let (nll, error) = (number(&eval, "nll"), number(&eval, "nll_deviation_of_draws"));
        assert!((nll - exact).abs() < 4.0 * error && error < 0.003, "{device}: {nll} +- {error}, not {exact}");
        assert_eq!((number(&eval, "samples"), number(&eval, "rows")), (3001.0, 134.0));
        // The bound lies below, and few draws say less than many.
        assert!(number(&eval, "elbo") < -nll - 0.005, "{eval}");
        let one = place.json(&format!("eval linear --nll 1 --device {device} --json"));
        let has = |key: &str| one.get(key).is_some();
        assert!(number(&one, "nll") > nll && !has("nll_deviation_of_draws"), "{one}");
        assert!(!has("nll_fall_of_last_doubling"), "{one}");
        // Few draws say too much, and the figure says so: what the last doubling took away is about what is left, where the
        // deviation from draws to draws is far smaller.
        let few = place.json(&format!("eval linear --nll 8 --device {device} --json"));
        let (off, fall) = (number(&few, "nll") - exact, number(&few, "nll_fall_of_last_doubling"));
        assert!(
            fall > 0.3 * off && fall < 3.0 * off && off > 0.0,
            "{device}: {off} too high, the last doubling {fall}"
        );
        assert!(number(&eval, "nll_fall_of_last_doubling") < fall / 20.0, "{eval} {few}");
        let effective = number(&eval, "effective_samples");
        assert!((30.0..3001.0).contains(&effective), "{effective}");
        // Points have no unit, so a bit is a share of a nat.
        let bits = nll / std::f64::consts::LN_2 / 2.0;
        assert!((number(&eval, "nll_bits_per_dimension") - bits).abs() < 1e-9, "{eval}");
        let checkpoints = eval["checkpoints"].as_array().unwrap();
        assert!(checkpoints.len() >= 3, "{eval}");
        let falls = |pair: &[Value]| number(&pair[1], "nll") < number(&pair[0], "nll");
        assert!(checkpoints.windows(2).all(falls), "{eval}");
        let parts = place.json(&format!("eval linear --aggregate --device {device} --json"));
        let names = ["mutual_information", "total_correlation", "dimension_wise_kl"];
        let sum: f64 = names.iter().map(|name| number(&parts, name)).sum();
        assert!((sum - number(&parts, "kl")).abs() < 0.15, "{parts}");
        // There is one dimension, and a row tells no more than which of all it is.
        assert!(number(&parts, names[1]).abs() < 1e-4, "{parts}");
        assert!((0.03..134_f64.ln()).contains(&number(&parts, names[0])), "{parts}");
        let all = place.json(&format!("eval linear --nll 20 --train --device {device} --json"));
        assert_eq!(number(&all, "rows"), 670.0);
    }
}

#[test]
fn rows_have_a_likelihood_only_under_one() {
    let Some(place) = Place::with_adapter().map(Place::with_plain) else { return };
    place.done("train --data strokes:count=300 --hidden 16 --latent 3 --binarise draw --epochs 1 --out drawn");
    let eval = place.json("eval drawn --nll 40 --json");
    let bits = number(&eval, "nll") / std::f64::consts::LN_2 / 784.0;
    assert!((number(&eval, "nll_bits_per_dimension") - bits).abs() < 1e-9, "{eval}");
    assert!(place.refused("eval plain --nll 9").1.contains("needs a prior"));
    assert!(place.refused("eval plain --aggregate").1.contains("needs a prior"));
    place.done("train --likelihood mse --hidden 16 --data strokes:count=300 --epochs 1 --out squares");
    let (code, message) = place.refused("eval squares --nll 9");
    assert!(code == 2 && message.contains("mse is no likelihood"), "{message}");
}
