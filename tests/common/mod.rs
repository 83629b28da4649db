//! Shared by the test files: an adapter to test on, a browser, every kernel variant.
#![allow(dead_code)]

pub mod chromium;
pub mod variants;

use std::io::Write;
use std::sync::{Arc, OnceLock};

use wgvae::gpu::{self, Gpu, Needs};

/// The best adapter's device. Without one the test is skipped with a message, or fails with WGVAE_REQUIRE_GPU=1.
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

/// Reports a skipped test on stderr directly, because the test harness hides the output of a passing test.
pub fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_string();
    writeln!(std::io::stderr(), "SKIPPED {test}: {why}").expect("stderr is open");
}
