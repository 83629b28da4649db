//! What `wgvae eval` has found of a run, as pages show it.

use serde_json::Value;

use crate::apply::{Run, evaluated};
use crate::kernels::batch::Binarise;
use crate::report::page::{Best, Evaluated, Figure};

/// The distribution that a run's losses are in nats of.
pub fn measure(run: &Run) -> String {
    let name = run.config.model.likelihood.name();
    match run.config.data.binarise {
        Binarise::None => name.into(),
        _ => format!("{name} of zeros and ones"),
    }
}

/// The figures that are kept in the run's folder; none where there are none, or none of the model as it is now.
pub fn found(run: &Run) -> Option<Evaluated> {
    let kept = evaluated::kept(&run.path)?;
    let number = |key: &str| kept.get(key).and_then(Value::as_f64);
    let error = |key: &str| number(&format!("{key}_standard_error"));
    let mut figures = Vec::new();
    let mut add = |name: &str, value: Option<f64>, error: Option<f64>, note: &str, best: Best| {
        figures.extend(value.map(|value| Figure { name: name.into(), value, error, note: note.into(), best }));
    };
    let draws =
        number("samples").map_or(String::new(), |samples| format!("{samples} draws of each row, {}", measure(run)));
    add("-ln p(x), nats per row", number("nll"), error("nll"), &draws, Best::Lowest);
    add("-ln p(x), bits per value", number("nll_bits_per_dimension"), None, &draws, Best::Lowest);
    add("Effective draws of a row", number("effective_samples"), None, "the more, the surer", Best::Neither);
    for (name, key, note) in [
        ("Mutual information", "mutual_information", "of rows and codes, in nats"),
        ("Total correlation", "total_correlation", "of the dimensions, in nats"),
        ("KL of the dimensions", "dimension_wise_kl", "from the prior, in nats"),
        ("KL of all codes", "aggregate_kl", "from the prior, in nats"),
    ] {
        add(name, number(key), error(key), note, Best::Neither);
    }
    if let Some(quality) = kept.get("quality") {
        let count = quality["samples"].as_u64().unwrap_or_default();
        for (of, key) in
            [("samples", "codes"), ("samples of the prior", "prior"), ("training rows, for comparison", "reference")]
        {
            let best = |best: Best| if key == "reference" { Best::Neither } else { best };
            let note =
                format!("{count} {of} beside as many test rows; {}", quality["features"].as_str().unwrap_or_default());
            let of = match key {
                "codes" => "",
                "prior" => " (prior)",
                _ => " (training rows)",
            };
            for (name, field, which) in [
                ("Fréchet distance", "frechet_distance", Best::Lowest),
                ("Precision", "precision", Best::Highest),
                ("Recall", "recall", Best::Highest),
            ] {
                add(&format!("{name}{of}"), quality[key][field].as_f64(), None, &note, best(which));
            }
        }
    }
    let rows = kept.get("rows").and_then(Value::as_u64).unwrap_or_default();
    let of = kept.get("of").and_then(Value::as_str).unwrap_or("test rows");
    (!figures.is_empty()).then(|| Evaluated { rows: format!("{rows} {of}"), figures })
}
