//! Series: tables by a series and a time, and `.ts` files.
#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    for name in ["steps.csv", "series.ts"] {
        let file = wgvae_fuzz::written(name, content);
        wgvae_fuzz::load(&file, |options| {
            if name.ends_with("csv") {
                options.series = vec!["id".into(), "time".into()];
            }
        });
    }
});
