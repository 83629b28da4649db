//! What the test files share: an adapter to test on, or a loud word that there is none; a browser; every variant.
#![allow(dead_code)]

pub mod chromium;
pub mod variants;

use std::io::Write;
use std::sync::{Arc, OnceLock};

use wgvae::gpu::{self, Gpu, Needs};

/// The best adapter's device. Without one the caller's test is skipped, loudly; with WGVAE_REQUIRE_GPU=1 it fails.
pub fn gpu() -> Option<Arc<Gpu>> {
    static DEVICE: OnceLock<Option<Arc<Gpu>>> = OnceLock::new();
    let device = DEVICE.get_or_init(|| {
        let instance = gpu::instance();
        let entry = gpu::list(&instance).into_iter().next()?;
        Some(Gpu::open(&entry, Needs::default()).expect("the adapter opens"))
    });
    if device.is_none() {
        let required = std::env::var("WGVAE_REQUIRE_GPU").is_ok_and(|v| v == "1");
        assert!(!required, "WGVAE_REQUIRE_GPU=1, but there is no adapter");
        skipped("no GPU adapter; install one (Debian: mesa-vulkan-drivers) to run this test");
    }
    device.clone()
}

/// Says that a test did not run, past the harness, which keeps what a passing test prints to itself.
pub fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_string();
    writeln!(std::io::stderr(), "SKIPPED {test}: {why}").expect("stderr is open");
}
