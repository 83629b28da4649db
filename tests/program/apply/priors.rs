//! Priors that are learned, beside what is known of them.

use safetensors::SafeTensors;
use wgvae::data::Dataset;

use super::place::{Place, number};

const SIGMA: f64 = 0.2;

/// The mean of `-ln p(x)` of test points under a linear model with one latent dimension and a prior that is a mixture: a mixture of
/// normals, each with covariance `v w w^T + sigma^2`.
fn exact(place: &Place, run: &str, source: &str) -> f64 {
    let of = |name: &str| place.weights(run, name);
    let (w, bias) = (of("decoder.0.weight"), of("decoder.0.bias"));
    let (mu, logvar) = (of("prior.mu"), of("prior.logvar"));
    let density = |point: &[f32], part: usize| {
        let v = logvar[part].exp();
        let [a, b, c] = [v * w[0] * w[0] + SIGMA * SIGMA, v * w[0] * w[1], v * w[1] * w[1] + SIGMA * SIGMA];
        let determinant = a * c - b * b;
        let far = |i: usize| f64::from(point[i]) - bias[i] - w[i] * mu[part];
        let [x, y] = [far(0), far(1)];
        let square = (c * x * x - 2.0 * b * x * y + a * y * y) / determinant;
        (-0.5 * square).exp() / determinant.sqrt() / (2.0 * std::f64::consts::PI)
    };
    let data = Dataset::load(source).unwrap();
    let points = data.test.numbers(0..data.test.rows, 2);
    let nats = |point: &[f32]| -((0..mu.len()).map(|part| density(point, part)).sum::<f64>() / mu.len() as f64).ln();
    points.chunks_exact(2).map(nats).sum::<f64>() / data.test.rows as f64
}

#[test]
fn a_linear_model_with_a_mixture_has_the_likelihood_of_a_mixture() {
    let Some(place) = Place::with_adapter() else { return };
    let source = "points:moons,count=670";
    let train = |prior: &str, out: &str| {
        place.done(&format!(
            "train --preset points --hidden none --latent 1 --sigma {SIGMA} --batch 16 --data {source} --epochs 30 --lr 0.01 {prior} \
             --out {out}"
        ));
    };
    train("--prior mixture --prior-parts 4", "mixture");
    train("", "standard");
    let exact = exact(&place, "mixture", source);
    for (device, draws) in [("adapter", 1001), ("cpu", 3001)] {
        let eval = place.json(&format!("eval mixture --nll {draws} --device {device} --json"));
        let (nll, error) = (number(&eval, "nll"), number(&eval, "nll_deviation_of_draws"));
        assert!((nll - exact).abs() < 4.0 * error && error < 0.01, "{device}: {nll} +- {error}, not {exact}");
        assert!(number(&eval, "elbo") < -nll, "{eval}");
        let parts = place.json(&format!("eval mixture --draws 20 --aggregate --device {device} --json"));
        let sum: f64 = ["mutual_information", "aggregate_kl"].iter().map(|name| number(&parts, name)).sum();
        assert!((sum - number(&parts, "kl")).abs() < 0.15, "{parts}");
        assert!(parts.get("dimension_wise_kl").is_none() && number(&parts, "aggregate_kl") > 0.0, "{parts}");
    }
    // The moons are two, and a mixture knows that.
    let standard = place.json("eval standard --nll 3001 --device cpu --json");
    assert!(number(&standard, "nll") > exact + 0.02, "{exact} {standard}");
}

#[test]
fn learned_priors_are_drawn_from_resumed_and_used_everywhere() {
    let Some(place) = Place::with_adapter() else { return };
    for (prior, flags) in [("mixture", "--prior-parts 9"), ("vamp", "--prior-parts 150")] {
        let train =
            format!("train --data strokes:count=500 --hidden 24 --latent 3 --prior {prior} {flags} --device cpu");
        place.done(&format!("{train} --epochs 4 --out {prior}"));
        // Stopped and gone on with, a run is the same.
        place.done(&format!("{train} --epochs 2 --out {prior}-resumed"));
        place.done(&format!("train --resume {prior}-resumed --epochs 4 --device cpu"));
        let weights = |run: &str| std::fs::read(place.path(run).join("model.safetensors")).unwrap();
        assert!(weights(prior) == weights(&format!("{prior}-resumed")), "{prior}");
        place.done(&format!("sample {prior} --from prior --count 400 --to drawn.npy"));
        place.done(&format!("traverse {prior} --to {prior}/traversal.png"));
        place.done(&format!("restore {prior} --hole 10,10,6,6 --damage --count 10"));
        place.done(&format!("anomaly {prior} --top 2"));
        let config = std::fs::read_to_string(place.path(prior).join("config.toml")).unwrap();
        assert!(config.contains(&format!("prior = \"{prior}\"")), "{config}");
        let page = std::fs::read_to_string(place.path(prior).join("report.html")).unwrap();
        assert!(page.contains(if prior == "vamp" { "VampPrior of 150 rows" } else { "prior of 9 normals" }));
    }
    // The pseudo-inputs of a VampPrior start as rows of the data.
    place.done("train --data strokes:count=500 --hidden 24 --latent 3 --prior vamp --prior-parts 6 --steps 1 --lr 1e-12 --out first");
    let bytes = std::fs::read(place.path("first/model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let inputs = tensors.tensor("prior.inputs").unwrap();
    assert_eq!(inputs.shape(), [6, 784]);
    let data = Dataset::load("strokes:count=500").unwrap();
    let rows = data.train.numbers(0..data.train.rows, 784);
    for input in inputs.data().chunks_exact(4 * 784) {
        let input: Vec<f32> = input.chunks_exact(4).map(|w| f32::from_le_bytes(w.try_into().unwrap())).collect();
        let is_row = |row: &[f32]| row.iter().zip(&input).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(rows.chunks_exact(784).any(is_row));
    }
}
