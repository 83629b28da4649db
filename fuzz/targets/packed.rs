//! Tables in Parquet files.
#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let file = wgvae_fuzz::written("table.parquet", content);
    wgvae_fuzz::load(&file, |_| ());
});
