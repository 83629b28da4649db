//! Sounds as log-mel pictures and as samples, and music.
#![no_main]

use wgvae::data::RowFormat;

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    for (name, format) in [("x.wav", RowFormat::Auto), ("x.wav", RowFormat::Series), ("x.mid", RowFormat::Auto)] {
        let file = wgvae_fuzz::written(name, content);
        wgvae_fuzz::load(&file, |options| {
            options.format = format;
            match name.ends_with("wav") {
                true => options.seconds = Some(0.02),
                false => options.max_length = Some(4),
            }
        });
    }
});
