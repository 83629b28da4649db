//! Codes for `decode`, and masks.
#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    for name in ["codes.csv", "codes.npy"] {
        let _ = wgvae::data::numbers(&wgvae_fuzz::written(name, content), &["mu", "z"]);
    }
    let _ = wgvae::data::mask(&wgvae_fuzz::written("mask.png", content), 8, 8);
});
