//! Configurations, as a user may write them.
#![no_main]

use wgvae::Config;

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let file = wgvae_fuzz::written("config.toml", content);
    for preset in [None, Some("points")] {
        if let Ok(config) = Config::resolve(preset, Some(&file), Default::default()) {
            // What was accepted once is accepted when it is read back.
            let again = wgvae_fuzz::written("again.toml", config.to_toml().unwrap().as_bytes());
            assert_eq!(Config::resolve(None, Some(&again), Default::default()).unwrap(), config);
        }
    }
});
