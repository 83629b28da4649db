//! What `wgvae eval` has found of a run, as pages show it.

use serde_json::Value;
use wgvae_engine::kernels::batch::Binarise;

use crate::apply::Run;
use crate::apply::evaluated::{self, Figures};
use crate::report::page::{Best, Figure};

/// The distribution that a run's losses are in nats of.
pub fn measure(run: &Run) -> String {
    let name = run.config.model.likelihood.name();
    match run.config.data.binarise {
        Binarise::None => name.into(),
        _ => format!("{name} of zeros and ones"),
    }
}

/// The figures that are kept in the run's folder; none where there are none, or none of the model as it is now.
pub fn found(run: &Run) -> Vec<Figure> {
    let kept = evaluated::kept(&run.files).unwrap_or_default();
    evaluated::sets(kept).iter().flat_map(|set| of_rows(run, set)).collect()
}

/// The figures of some rows.
fn of_rows(run: &Run, kept: &Figures) -> Vec<Figure> {
    let number = |key: &str| kept.get(key).and_then(Value::as_f64);
    let error = |key: &str| number(&format!("{key}_standard_error"));
    let count = number("rows").unwrap_or_default();
    let rows = format!("{count} {}", kept.get("of").and_then(Value::as_str).unwrap_or("test rows"));
    let mut figures = Vec::new();
    let mut add = |name: &str, value: Option<f64>, error: Option<f64>, note: &str, best: Best| {
        let note = if note.is_empty() { rows.clone() } else { format!("{rows}, {note}") };
        figures.extend(value.map(|value| Figure { name: name.into(), value, error, note, best }));
    };
    let draws = format!("{} draws each, {}", number("samples").unwrap_or_default(), measure(run));
    add("-ln p(x), nats per row", number("nll"), error("nll"), &draws, Best::Lowest);
    add("-ln p(x), bits per value", number("nll_bits_per_dimension"), None, &draws, Best::Lowest);
    add("Effective draws of a row", number("effective_samples"), None, &draws, Best::Neither);
    add(
        "Fall of -ln p(x) with the last doubling of draws",
        number("nll_fall_of_last_doubling"),
        None,
        "the figure is still about as much too high, or more",
        Best::Neither,
    );
    for (name, key) in [
        ("Mutual information of rows and codes, nats", "mutual_information"),
        ("Total correlation of the dimensions, nats", "total_correlation"),
        ("KL of the dimensions from the prior, nats", "dimension_wise_kl"),
        ("KL of all codes from the prior, nats", "aggregate_kl"),
    ] {
        add(name, number(key), error(key), "", Best::Neither);
    }
    let Some(quality) = kept.get("quality") else { return figures };
    let samples = quality["samples"].as_u64().unwrap_or_default();
    let features = quality["features"].as_str().unwrap_or_default();
    for (of, key) in [("samples", "codes"), ("samples of the prior", "prior"), ("training rows", "reference")] {
        let note = format!("with {samples} {of}; features: {features}");
        for (name, field, best) in [
            ("Fréchet distance", "frechet_distance", Best::Lowest),
            ("Precision", "precision", Best::Highest),
            ("Recall", "recall", Best::Highest),
        ] {
            let best = if key == "reference" { Best::Neither } else { best };
            add(&format!("{name} of {of}"), quality[key][field].as_f64(), None, &note, best);
        }
    }
    let told_apart = &quality["told_apart"];
    let note = format!(
        "ROC-AUC of a random forest, {} samples and as many rows",
        told_apart["rows"].as_u64().unwrap_or_default()
    );
    add("Told apart", told_apart["auc"].as_f64(), None, &note, Best::Lowest);
    figures
}
