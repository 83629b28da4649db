//! Checkpoints: manifests, and tensors.
#![no_main]

use wgvae_engine::plan::{Init, ParamTable};
use wgvae::train::Checkpoint;

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let path = wgvae_fuzz::written("step-000000000002-0.json", content);
    let file = wgvae_fuzz::written("step-000000000002-0.safetensors", content);
    let mut params = ParamTable::default();
    params.push_block(&[("w", &[3, 5], Init::Uniform(1.0))]);
    let _ = wgvae::train::load(&file, &params);
    let checkpoint = Checkpoint { step: 2, path };
    if let Ok(manifest) = checkpoint.manifest() {
        let _ = checkpoint.state(&manifest, &params, 2);
    }
});
