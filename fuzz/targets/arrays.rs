//! NPY, NPZ and IDX files, plain or gzipped: what they are is told by their first bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    wgvae_fuzz::load(&wgvae_fuzz::written("x.npy", content), |_| ());
    wgvae_fuzz::load(&wgvae_fuzz::written("x-images-idx3-ubyte", content), |_| ());
});
