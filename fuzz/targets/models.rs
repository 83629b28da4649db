//! The small files of a run: its record, configuration, description of its data and measurements.
#![no_main]

use std::sync::LazyLock;

use wgvae::train::FileRecord;
use wgvae::{TrainedModel, Config, Dataset, DeviceChoice, DeviceOptions, Run, RunOptions, Tune};

/// The files of a run of two steps.
static FILES: LazyLock<[(&str, Vec<u8>); 5]> = LazyLock::new(|| {
    let made = tempfile::tempdir().unwrap();
    let data = Dataset::load("points:count=100").unwrap();
    let flags = "[model]\nhidden = [8]\n[train]\nbatch = 16\nsteps = 2".parse().unwrap();
    let config = Config::resolve(Some("points"), None, flags).unwrap();
    let options = RunOptions { device: device(), ..RunOptions::in_folder(made.path().join("run")) };
    wgvae::train(config, data, &options, |_| {}).unwrap();
    ["run.json", "config.toml", "data.json", "metrics.jsonl", "model.safetensors"]
        .map(|name| (name, std::fs::read(made.path().join("run").join(name)).unwrap()))
});

fn device() -> DeviceOptions {
    DeviceOptions { device: DeviceChoice::Cpu, tune: Tune::Off, ..DeviceOptions::default() }
}

/// The record of the run, in which a file has the checksum of this content.
fn record_with(name: &str, content: &[u8]) -> Vec<u8> {
    let mut record: serde_json::Value = serde_json::from_slice(&FILES[0].1).unwrap();
    if let Some(key) = [("config.toml", "config"), ("data.json", "data")].iter().find(|(file, _)| *file == name) {
        record[key.1] = serde_json::to_value(FileRecord::of(content)).unwrap();
    }
    record.to_string().into_bytes()
}

/// Opens what is in the folder as `report` does.
fn open() {
    let Ok(run) = Run::open(wgvae_fuzz::folder()) else { return };
    let source = wgvae::data::Options::from("points:count=20");
    let Ok(rows) = wgvae::data::rows(&source, &run.data) else { return };
    let Ok(mut model) = TrainedModel::open(&run, rows.split.rows, &device(), &mut |_| {}) else { return };
    let _ = wgvae::run::page(&run, &rows, &rows.split, &mut model);
}

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    for (name, good) in FILES.iter() {
        wgvae_fuzz::written(name, good);
    }
    for (name, good) in FILES.iter() {
        wgvae_fuzz::written("run.json", &record_with(name, content));
        wgvae_fuzz::written(name, content);
        open();
        wgvae_fuzz::written(name, good);
        wgvae_fuzz::written("run.json", &FILES[0].1);
    }
});
