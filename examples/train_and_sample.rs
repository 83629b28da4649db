//! Trains a model of handwritten digits and samples new ones.
//!
//!     cargo run --release --example train_and_sample

use wgvae::{Config, Dataset, Error, Event, RunOptions, TrainedModel, Tune};

fn main() -> Result<(), Error> {
    // The source may also be the path of a folder of images, a table or an array.
    let data = Dataset::load("strokes:count=2000")?;

    // A configuration that suits the data; every field can be changed.
    let mut config = Config::for_data(&data)?;
    config.model.hidden = vec![128];
    config.model.latent = 8;
    config.train.epochs = 8;
    config.train.batch = 64;
    config.train.lr = 3e-3;

    let mut options = RunOptions::in_folder(std::env::temp_dir().join("wgvae-digits"));
    // What an earlier call of this example left there.
    options.replace = true;
    // Measuring the fastest kernels takes some seconds at first use, more than they would save in such a short run.
    options.device.tune = Tune::Off;

    let finished = wgvae::train(config, data, &options, |event| match event {
        Event::Start(start) => println!("{} parameters on {}", start.parameters, start.device.name),
        Event::Epoch(epoch) => {
            println!("epoch {}: {:.1} nats per test image", epoch.report.epoch, epoch.report.test_loss);
        }
        _ => {}
    })?;

    // Run::open(path) opens the model of any earlier run.
    let mut model = TrainedModel::open(&finished.run, 1, &options.device, &mut |_| {})?;
    let digits = model.sample(4, 1)?;
    for y in 0..28 {
        let row = digits.chunks(28 * 28).flat_map(|image| &image[y * 28..(y + 1) * 28]);
        let line: String = row.map(|level| [' ', '.', 'o', '#'][(level * 3.9) as usize]).collect();
        println!("{}", line.trim_end());
    }
    if let Some(folder) = finished.run.folder() {
        println!("the page of the run: {}", folder.join("report.html").display());
    }
    Ok(())
}
