//! Trains a model on rows in memory, and scores how anomalous other rows are.
//!
//!     cargo run --release --example your_data

use wgvae::data::Provenance;
use wgvae::{Applied, Config, Error, InMemory, RunOptions, Tune};

/// Synthetic readings of four thermometers in the cellar, in the kitchen, under the roof and outside: they follow the
/// sun, with noise. Any `Vec<f32>` works; pictures are a `Vec<u8>`, for `InMemory::images`.
fn readings(rows: usize) -> Vec<f32> {
    let reading = |row: usize| {
        let sun = (row as f32 * 0.7).sin();
        let noise = |k: usize| ((row * 7919 + k * 104_729) % 1000) as f32 / 1000.0 - 0.5;
        [
            14.0 + 0.5 * sun + noise(1),
            20.0 + 2.0 * sun + noise(2),
            22.0 + 6.0 * sun + noise(3),
            12.0 + 9.0 * sun + noise(4),
        ]
    };
    (0..rows).flat_map(reading).collect()
}

fn main() -> Result<(), Error> {
    let data = InMemory::table("readings", ["cellar", "kitchen", "roof", "outside"], readings(2000)).dataset()?;
    let mut config = Config::for_data(&data)?;
    config.model.latent = 1;
    config.train.steps = Some(1500);

    let mut options = RunOptions::in_folder(std::env::temp_dir().join("wgvae-readings"));
    // What an earlier call of this example left there.
    options.replace = true;
    // Measuring the fastest kernels takes some seconds at first use, more than they would save in such a short run.
    options.device.tune = Tune::Off;
    let finished = wgvae::train(config, data, &options, &mut |_| Ok(()))?;
    println!("trained: {:.2} nats per test row", finished.summary.test_loss);

    let run = &finished.run;
    let mut model = Applied::open(run, 2, &options.device, &mut |_| {})?;
    // A normal morning, and a kitchen that is as cold as the night while the sun heats the roof.
    let rows = run.rows(&[14.2, 20.8, 24.4, 15.6, 14.2, 12.0, 27.0, 12.0])?;
    let scores = model.score_by_content(&rows, 16)?;
    let mut expected = model.reconstruct(&rows)?;
    if let Some(columns) = &run.data.columns {
        expected = columns.cell_numbers(&expected, Provenance::Kept);
    }
    for (score, expected) in scores.iter().zip(expected.chunks(4)) {
        println!("anomaly score {:>7.2} nats; the model expects {expected:.1?} degrees", score.negative_elbo());
    }
    Ok(())
}
