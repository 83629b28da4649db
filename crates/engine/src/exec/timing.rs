//! Times by the host's clock.

use std::time::Duration;

use crate::platform::Instant;

/// Seconds of one of what `run(count)` does `count` times, at most so many at once: the best of as many batches as fit into
/// `patience`, at least one.
pub fn best_of<E>(patience: Duration, most: usize, mut run: impl FnMut(usize) -> Result<(), E>) -> Result<f64, E> {
    let mut batch = |count: usize| -> Result<f64, E> {
        let started = Instant::now();
        run(count)?;
        Ok(started.elapsed().as_secs_f64() / count as f64)
    };
    // The first run is not timed: it may still be compiling.
    let first = batch(1)?;
    let started = Instant::now();
    let mut best = if first > patience.as_secs_f64() { first } else { batch(1)? };
    // Several per batch, so that waiting for the end of the batch costs little.
    let count = (patience.as_secs_f64() / 5.0 / best.max(1e-6)).clamp(1.0, most as f64) as usize;
    while started.elapsed() < patience {
        best = best.min(batch(count)?);
    }
    Ok(best)
}
