//! What `wgvae eval` has found of a run and kept in its folder. Figures that one call finds stand beside those of earlier ones: of the
//! same rows with them, of other rows under `others`.

use serde_json::{Map, Value};
use wgvae_data::DataError;
use wgvae_data::disk::NotRead;

use super::RunError;
use crate::train::{EVALUATION, Files, MODEL};

/// The most bytes that are read of what was kept.
const MAX_BYTES: u64 = 4 << 20;

/// Figures by their names.
pub type Figures = Map<String, Value>;

/// The keys of the rows that figures are of, of the model's file, and of figures of other rows.
const ROWS: [&str; 2] = ["of", "rows"];
const OF_MODEL: &str = "model";
const OTHERS: &str = "others";

/// Which call of `eval` a figure is from; nothing where every call finds it.
fn part(key: &str) -> &str {
    let starts = |with: &[&str]| with.iter().any(|start| key.starts_with(start));
    match key {
        "samples" => "nll",
        _ if starts(&["nll", "effective"]) => "nll",
        _ if starts(&["mutual_information", "total_correlation", "dimension_wise_kl", "aggregate_kl"]) => "aggregate",
        "factors" | "quality" | "checkpoints" => key,
        _ => "",
    }
}

/// Figures of all rows: first those of the last call, each with `of` and `rows`.
pub fn sets(mut kept: Figures) -> Vec<Figures> {
    let others = match kept.remove(OTHERS) {
        Some(Value::Array(others)) => others,
        _ => Vec::new(),
    };
    let others = others.into_iter().filter_map(|other| match other {
        Value::Object(figures) => Some(figures),
        _ => None,
    });
    std::iter::once(kept).chain(others).collect()
}

/// The checksum of a run's model.
fn model(files: &Files) -> Result<Value, RunError> {
    let damaged = |reason: String| RunError::Damaged { path: files.path(MODEL), reason };
    let record = files.record(MODEL).map_err(|e| damaged(e.to_string()))?;
    serde_json::to_value(record).map_err(|e| damaged(e.to_string()))
}

/// What is kept of a run, if it is of the model as it is now.
pub fn kept(run: &Files) -> Option<Figures> {
    found_before(run).ok().flatten()
}

/// What is kept of a run; an error where that cannot be known now, so that it is not replaced by less.
fn found_before(run: &Files) -> Result<Option<Figures>, RunError> {
    let text = match run.read(EVALUATION, MAX_BYTES) {
        Err(NotRead::Io(error)) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(DataError::Read { path: run.path(EVALUATION), source: error }.into());
        }
        Err(_) => return Ok(None),
        Ok(text) => text,
    };
    let Ok(figures) = serde_json::from_slice::<Figures>(&text) else { return Ok(None) };
    let now = model(run)?;
    Ok((figures.get(OF_MODEL) == Some(&now)).then_some(figures))
}

/// Figures as they are to be kept: with the model and the rows they are of, and what was found of the model before by other calls.
pub fn joined(run: &Files, of: &str, found: Figures) -> Result<Figures, RunError> {
    let mut all = found;
    all.insert(ROWS[0].into(), of.into());
    all.insert(OF_MODEL.into(), model(run)?);
    let mut others = Vec::new();
    for before in sets(found_before(run)?.unwrap_or_default()) {
        let is_same = ROWS.iter().all(|key| before.get(*key) == all.get(*key));
        let known: Vec<String> = all.keys().map(|key| part(key).to_string()).collect();
        let is_more = |key: &str| !part(key).is_empty() && !known.iter().any(|known| known == part(key));
        let rows: Figures = ROWS.iter().filter_map(|key| Some((key.to_string(), before.get(*key)?.clone()))).collect();
        let more: Figures = before.into_iter().filter(|(key, _)| is_more(key)).collect();
        match is_same {
            true => all.extend(more),
            false if more.is_empty() => {}
            false => others.push(Value::Object(rows.into_iter().chain(more).collect())),
        }
    }
    if !others.is_empty() {
        all.insert(OTHERS.into(), others.into());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(json: &str) -> Figures {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn figures_stand_beside_earlier_ones_of_the_same_rows_and_model() {
        let folder = tempfile::tempdir().unwrap();
        let run = &Files::Folder(folder.path().to_path_buf());
        std::fs::write(run.path(MODEL), "weights").unwrap();
        let keep = |of: &str, json: &str| {
            let all = joined(run, of, figures(json)).unwrap();
            std::fs::write(run.path(EVALUATION), serde_json::to_string(&all).unwrap()).unwrap();
            all
        };
        keep("test rows", r#"{"rows":9,"loss":5,"nll":4,"nll_deviation_of_draws":0.1,"samples":10}"#);
        let all = keep("test rows", r#"{"rows":9,"loss":6,"quality":{"noise":true}}"#);
        assert!(all["nll"] == 4 && all["loss"] == 6 && all["quality"]["noise"] == true && all["samples"] == 10);
        // What is found anew replaces all of its kind.
        let all = keep("test rows", r#"{"rows":9,"nll":3,"samples":1}"#);
        assert!(all["nll"] == 3 && all.get("nll_deviation_of_draws").is_none() && all.contains_key("quality"));
        // Figures of other rows stand apart, and the last call for a figure counts.
        let all = keep("training rows", r#"{"rows":9,"loss":1,"mutual_information":2}"#);
        assert!(
            !all.contains_key("nll") && all["others"][0]["nll"] == 3 && all["others"][0]["of"] == "test rows",
            "{all:?}"
        );
        assert!(all["others"][0].get("loss").is_none());
        let all = keep("test rows", r#"{"rows":8,"nll":2}"#);
        assert!(all["nll"] == 2 && !all.contains_key("mutual_information"));
        let others: Vec<(&Value, bool)> =
            all["others"].as_array().unwrap().iter().map(|other| (&other["of"], other.get("nll").is_some())).collect();
        assert_eq!(others, [(&"training rows".into(), false), (&"test rows".into(), false)]);
        assert_eq!(sets(all).len(), 3);
        // Nothing is left of figures of another model.
        keep("test rows", r#"{"rows":9,"nll":3}"#);
        std::fs::write(run.path(MODEL), "other weights").unwrap();
        assert!(kept(run).is_none() && !keep("test rows", r#"{"rows":9}"#).contains_key("nll"));
    }
}
