//! What depends on where the program runs: the clock, the cores, and how one waits for a device. A browser has no threads, and nobody
//! may wait in it: there the answers of a device come by themselves.

pub use std::time::Duration;
pub use web_time::Instant;

use crate::exec::gpu::{Gpu, GpuError};

/// Receives the result of mapping a buffer.
pub(crate) type Answer = futures_intrusive::channel::shared::OneshotReceiver<Result<(), wgpu::BufferAsyncError>>;

/// How many threads can run at a time.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Makes the device go on until a submission is done.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) async fn done(gpu: &Gpu, submission: &wgpu::SubmissionIndex) -> Result<(), GpuError> {
    gpu.wait(submission.clone())
}

/// A browser makes the device go on by itself; the answer of a mapping says that a submission is done.
#[cfg(target_arch = "wasm32")]
pub(crate) async fn done(gpu: &Gpu, _: &wgpu::SubmissionIndex) -> Result<(), GpuError> {
    gpu.check()
}

/// Waits for the result of mapping a buffer whose work is done. The callback runs at once, or on the thread that is polling this device
/// for another executor. After the device is lost it may never run.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) async fn answered(gpu: &Gpu, answer: Answer) -> Result<(), GpuError> {
    use std::task::{Context, Poll, Waker};
    let mut answer = std::pin::pin!(answer.receive());
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(()))) => return Ok(()),
            Poll::Ready(Some(Err(error))) => return Err(GpuError::Lost(error.to_string())),
            Poll::Pending if Instant::now() < patience => std::thread::yield_now(),
            _ => return Err(GpuError::Lost("a mapping was never answered".into())),
        }
        gpu.check()?;
    }
}

/// Waits for the result of mapping a buffer.
#[cfg(target_arch = "wasm32")]
pub(crate) async fn answered(gpu: &Gpu, answer: Answer) -> Result<(), GpuError> {
    match answer.receive().await {
        Some(Ok(())) => gpu.check(),
        Some(Err(error)) => Err(GpuError::Lost(error.to_string())),
        None => Err(GpuError::Lost("a mapping was never answered".into())),
    }
}
