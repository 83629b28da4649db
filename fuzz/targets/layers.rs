//! Layers as they are written: what is read once is read again, and a layer on anything has sizes or a reason.
#![no_main]

use wgvae::model::{Extent, Layer};
use wgvae_engine::plan::Activation;

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let Ok(text) = std::str::from_utf8(content) else { return };
    for layer in text.split(',').filter_map(|text| text.parse::<Layer>().ok()) {
        assert_eq!(layer.to_string().parse::<Layer>().as_ref(), Ok(&layer));
        for from in [Extent::Flat(7), Extent::Image([28, 27, 3]), Extent::Image([1, 1, 1])] {
            let _ = layer.on(from, Activation::Relu);
        }
    }
});
