//! Compressed rows and codes: files as they are, and made-up ones whose checksums are right.
#![no_main]

use std::cell::RefCell;

use wgvae::apply::compress::{self, CompressedFile, RoundedCodes};
use wgvae::{TrainedModel, Config, Dataset, DeviceChoice, DeviceOptions, Run, RunOptions, Tune};

/// A run of two steps, its model, and a file of some rows.
fn made() -> (Run, TrainedModel, CompressedFile) {
    let data = Dataset::load("strokes:count=40").unwrap();
    let flags = "[data]\nbinarise = \"threshold\"\n[model]\nhidden = [4]\nlatent = 2\n[train]\nbatch = 10\nsteps = 2"
        .parse()
        .unwrap();
    let config = Config::resolve(None, None, flags).unwrap();
    let device = DeviceOptions { device: DeviceChoice::Cpu, tune: Tune::Off, ..DeviceOptions::default() };
    let options = RunOptions { device: device.clone(), ..RunOptions::in_folder(wgvae_fuzz::folder().join("run")) };
    let rows = data.test.clone();
    let run = wgvae::train(config, data, &options, |_| {}).unwrap().run;
    let mut model = TrainedModel::open(&run, rows.rows, &device, &mut |_| {}).unwrap();
    let file = compress::compress(&run, &mut model, &rows, &mut |_| {}).unwrap();
    (run, model, file)
}

thread_local! {
    static MADE: RefCell<(Run, TrainedModel, CompressedFile)> = RefCell::new(made());
}

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    MADE.with_borrow_mut(|(run, model, good)| {
        let _ = CompressedFile::of_bytes(content);
        if let Ok(codes) = RoundedCodes::of_bytes(content) {
            let _ = codes.values_for(model);
        }
        let Some((rows, words)) = content.split_first_chunk::<4>() else { return };
        let words =
            words.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
        let file = CompressedFile { rows: u32::from_le_bytes(*rows) as usize, words, ..good.clone() };
        let _ = compress::decompress(run, model, file, &mut |_| {});
    });
});
