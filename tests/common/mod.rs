//! Shared by the test files: an adapter to test on, a browser, every kernel variant.
#![allow(dead_code)]

pub mod chromium;
pub mod folder;
pub mod full;
pub mod variants;

use std::io::Write;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

use wgvae::model::Vae;
use wgvae::train::{StepMetrics, StepSchedule};
use wgvae_engine::exec::gpu::{self, Gpu, Needs};
use wgvae_engine::exec::{Executor, OpenDevice};

/// A device of the best adapter, for each thread one of as many as there are cores: a software adapter compiles the shaders of
/// a device on one of them. Without an adapter the test is skipped with a message, or fails with WGVAE_REQUIRE_GPU=1.
pub fn gpu() -> Option<Arc<Gpu>> {
    static DEVICES: OnceLock<Vec<Arc<Gpu>>> = OnceLock::new();
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static THREAD: usize = THREADS.fetch_add(1, Relaxed);
    }
    let devices = DEVICES.get_or_init(|| {
        let instance = gpu::instance();
        let Some(entry) = wgvae_engine::exec::list_adapters(&instance).into_iter().next() else { return Vec::new() };
        let count = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
        (0..count).map(|_| Gpu::open(&entry, Needs::default()).expect("the adapter opens")).collect()
    });
    if devices.is_empty() {
        let required = std::env::var("WGVAE_REQUIRE_GPU").is_ok_and(|v| v == "1");
        assert!(!required, "WGVAE_REQUIRE_GPU=1, but there is no adapter");
        skipped("no GPU adapter; install one (Debian: mesa-vulkan-drivers) to run this test");
        return None;
    }
    Some(devices[THREAD.with(|thread| thread % devices.len())].clone())
}

/// What the last step that an executor ran reports, in slot 0, where beta and the capacity are those of a schedule's step.
pub fn reported(executor: &mut Executor, vae: &Vae, schedule: &StepSchedule, step: u64) -> StepMetrics {
    let metrics = vae.program.metrics.as_ref().unwrap();
    let row: Vec<f64> =
        executor.read(metrics.ring).unwrap()[..metrics.names.len()].iter().map(|x| f64::from(*x)).collect();
    let capacity = schedule.capacity(step);
    StepMetrics::of(&row, vae.metrics, schedule.beta(step), (capacity > 0.0).then_some(capacity))
}

/// What is compared with the oracle: the processor, and the adapter where there is one.
pub fn devices() -> impl Iterator<Item = OpenDevice> {
    [OpenDevice::Cpu].into_iter().chain(gpu().map(OpenDevice::Adapter))
}

/// Set by `scripts/soak`. A software adapter compiles a shader for a quarter of a second, and there are thousands: where two shaders
/// differ in nothing that a test is about, CI compiles one of them.
pub fn every_shader() -> bool {
    std::env::var_os("WGVAE_EVERY_SHADER").is_some()
}

/// Reports a skipped test on stderr directly, because the test harness hides the output of a passing test.
pub fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_string();
    writeln!(std::io::stderr(), "SKIPPED {test}: {why}").expect("stderr is open");
}
