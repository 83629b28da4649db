//! How fast steps are done.

use std::time::Duration;

/// Seconds after which steps count for a third of what new ones do.
const MEMORY: f64 = 1.0;

/// Steps and the time they took, of which the old ones fade. A single submit says little: the processor has done all that was sent
/// when the first of it is collected, so that the rest comes in no time at all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Speed {
    steps: f64,
    seconds: f64,
}

impl Speed {
    /// Counts steps that were collected after so much time of training.
    pub(super) fn add(&mut self, steps: usize, took: Duration) {
        let seconds = took.as_secs_f64();
        let kept = (-seconds / MEMORY).exp();
        self.steps = self.steps * kept + steps as f64;
        self.seconds = self.seconds * kept + seconds;
    }

    /// Steps a second over about the last second of training.
    pub(super) fn steps_per_second(self) -> f64 {
        // A clock that stood still.
        self.steps / self.seconds.max(1e-6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_already_does_not_count_as_fast() {
        let mut speed = Speed::default();
        // Two submits of 20 steps, both done when the first is collected.
        speed.add(20, Duration::from_millis(200));
        speed.add(20, Duration::from_nanos(300));
        assert!((speed.steps_per_second() - 200.0).abs() < 1.0, "{}", speed.steps_per_second());
        // Training that is slower for a while is shown as slower.
        for _ in 0..30 {
            speed.add(5, Duration::from_millis(100));
        }
        assert!((speed.steps_per_second() - 50.0).abs() < 10.0, "{}", speed.steps_per_second());
    }
}
