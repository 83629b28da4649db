//! Trains a model on rows in memory, and scores how anomalous other rows are.
//!
//!     cargo run --release --example your_data

use wgvae::{Config, Error, InMemory, RunOptions, Table, TrainedModel, Tune};

/// Synthetic readings of four thermometers in the cellar, in the kitchen, under the roof and outside: they follow the
/// sun, with noise. Any table works; pictures are a `Vec<u8>`, for `InMemory::images`.
fn readings(rows: usize) -> Table {
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
    let numbers: Vec<f32> = (0..rows).flat_map(reading).collect();
    Table::of_numbers(["cellar", "kitchen", "roof", "outside"], &numbers)
}

fn main() -> Result<(), Error> {
    let data = InMemory::table("readings", readings(2000)).dataset()?;
    let mut config = Config::for_data(&data)?;
    config.model.latent = 1;
    config.train.steps = Some(1500);

    let mut options = RunOptions::in_folder(std::env::temp_dir().join("wgvae-readings"));
    // What an earlier call of this example left there.
    options.replace = true;
    // Measuring the fastest kernels takes some seconds at first use, more than they would save in such a short run.
    options.device.tune = Tune::Off;
    let finished = wgvae::train(config, data, &options, |_| ())?;
    println!("trained: {:.2} nats per test row", finished.summary.test_loss);

    let run = &finished.run;
    let mut model = TrainedModel::open(run, 2, &options.device, &mut |_| {})?;
    // A normal morning, and a kitchen that is as cold as the night while the sun heats the roof.
    let mornings = Table::new()
        .with("cellar", [14.2, 14.2])
        .with("kitchen", [20.8, 12.0])
        .with("roof", [24.4, 27.0])
        .with("outside", [15.6, 12.0]);
    let rows = run.table_rows(&mornings)?.split;
    let scores = model.score_by_content(&rows, 16)?;
    let expected = model.reconstruct_table(&rows)?;
    for (row, score) in scores.iter().enumerate() {
        let degrees: Vec<String> =
            expected.row(row).filter_map(|cell| cell.number()).map(|degrees| format!("{degrees:.1}")).collect();
        let degrees = degrees.join(", ");
        println!("anomaly score {:>7.2} nats; the model expects {degrees} degrees", score.negative_elbo());
    }
    Ok(())
}
