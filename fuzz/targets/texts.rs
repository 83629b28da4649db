//! Texts: lines, JSON lines, and columns of tables, in each kind of token.
#![no_main]

use wgvae::data::TextUnit;

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    for name in ["lines.txt", "lines.jsonl", "texts.csv"] {
        let file = wgvae_fuzz::written(name, content);
        for unit in TextUnit::ALL {
            wgvae_fuzz::load(&file, |options| {
                options.tokens = unit;
                options.text = name.ends_with("csv").then(|| "text".into());
            });
        }
    }
});
