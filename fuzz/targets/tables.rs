//! Tables, plain or gzipped, whatever separates them.
#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let file = wgvae_fuzz::written("table.csv", content);
    wgvae_fuzz::load(&file, |_| ());
    wgvae_fuzz::load(&file, |options| options.label = Some("c".into()));
});
