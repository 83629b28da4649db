//! The small files of a run: its record, configuration, description of its data and measurements.
#![no_main]

use std::sync::LazyLock;

use wgvae::{Applied, Config, Dataset, DeviceChoice, DeviceOptions, Run, RunOptions, Tune};

/// The files of a run of two steps without checksums, which older versions did not write.
static FILES: LazyLock<[(&str, Vec<u8>); 5]> = LazyLock::new(|| {
    let made = tempfile::tempdir().unwrap();
    let data = Dataset::load("points:count=100").unwrap();
    let flags = "[model]\nhidden = [8]\n[train]\nbatch = 16\nsteps = 2".parse().unwrap();
    let config = Config::resolve(Some("points"), None, flags).unwrap();
    let options = RunOptions { device: device(), ..RunOptions::in_folder(made.path().join("run")) };
    wgvae::train(config, data, &options, &mut |_| Ok(())).unwrap();
    ["run.json", "config.toml", "data.json", "metrics.jsonl", "model.safetensors"].map(|name| {
        let content = std::fs::read(made.path().join("run").join(name)).unwrap();
        (name, if name == "run.json" { without_checksums(&content) } else { content })
    })
});

fn device() -> DeviceOptions {
    DeviceOptions { device: DeviceChoice::Cpu, tune: Tune::Off, ..DeviceOptions::default() }
}

fn without_checksums(record: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(record.to_vec()).unwrap();
    text.replace("\"config\":", "\"was_config\":").replace("\"data\":", "\"was_data\":").into_bytes()
}

/// Opens what is in the folder as `report` does.
fn open() {
    let Ok(run) = Run::open(wgvae_fuzz::folder()) else { return };
    let source = wgvae::data::Options::from("points:count=20");
    let Ok(rows) = wgvae::data::rows(&source, &run.data) else { return };
    let Ok(mut model) = Applied::open(&run, rows.split.rows, &device(), &mut |_| {}) else { return };
    let _ = wgvae::run::page(&run, &rows, &mut model);
}

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    for (name, good) in FILES.iter() {
        wgvae_fuzz::written(name, good);
    }
    for (name, good) in FILES.iter() {
        wgvae_fuzz::written(name, content);
        open();
        wgvae_fuzz::written(name, good);
    }
});
