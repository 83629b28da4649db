//! Images of every kind, which is told by their first bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    wgvae_fuzz::written("1.png", content);
    wgvae_fuzz::written("2.png", content);
    let resized = |options: &mut wgvae::data::Options| options.image_size = "8x8".parse().ok();
    wgvae_fuzz::load(wgvae_fuzz::folder(), resized);
});
