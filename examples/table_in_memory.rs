//! Trains on a table in memory without leaving a file, draws new rows, fills in what is missing, and keeps the model as bytes.
//!
//!     cargo run --release --example table_in_memory

use wgvae::apply::restore::{Damage, Restorer};
use wgvae::{Config, Error, InMemory, Run, RunOptions, Table, TrainedModel, Tune};

/// Synthetic flats: their size decides the rent, and the part of town whether there is a lift. One rent in ten is not known.
fn flats(rows: usize) -> Table {
    let wave = |row: usize, speed: f64| (row as f64 * speed).sin();
    let size = |row: usize| (60.0 + 25.0 * wave(row, 0.7)).round();
    let is_central = |row: usize| wave(row, 1.3) > 0.2;
    let rent =
        |row: usize| (200.0 + 14.0 * size(row) + 300.0 * f64::from(is_central(row)) + 60.0 * wave(row, 7.1)).round();
    Table::new()
        .with("part", (0..rows).map(|row| if is_central(row) { "centre" } else { "suburb" }))
        .with("size", (0..rows).map(size))
        .with("lift", (0..rows).map(|row| is_central(row) || row % 5 == 0))
        .with("rent", (0..rows).map(|row| (row % 10 > 0).then(|| rent(row))))
}

fn main() -> Result<(), Error> {
    let data = InMemory::table("flats", flats(1500)).dataset()?;
    data.notes.iter().for_each(|note| println!("{note}"));
    let config = Config::for_data(&data)?;
    let mut options = RunOptions::in_memory();
    options.device.tune = Tune::Off;
    // A watcher returns nothing, or a result of an error type of its own, which ends the run.
    let finished = wgvae::train(config, data, &options, |_| ())?;

    let bytes = finished.run.to_bytes()?;
    println!("the model is {} bytes", bytes.len());
    let run = Run::from_bytes(&bytes)?;
    let mut model = TrainedModel::open(&run, 1, &options.device, &mut |_| {})?;
    println!("\nnew flats:\n{}", model.sample_table(5, 1)?.to_csv());

    let offers = Table::new()
        .with("address", ["Mill Lane 3", "Quay 12"])
        .with("part", [Some("centre"), None])
        .with("size", [55, 80])
        .with("lift", [None, Some(false)])
        .with("rent", [None, Some(1290.0)]);
    let mut restorer = Restorer::open(&run, offers.rows(), Damage::Missing, None, &options.device, &mut |_| {})?;
    let filled = restorer.restore_table(&offers, None)?;
    println!("filled in:\n{}", filled.to_csv());
    if let Some(rent) = filled.cell(0, "rent").and_then(|cell| cell.number()) {
        println!("the first should cost about {rent:.0}");
    }
    Ok(())
}
