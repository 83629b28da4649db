//! When a run is saved, and what for.

use std::str::FromStr;
use std::time::Duration;

use super::checkpoint::Origin;
use super::state::Progress;
use wgvae_engine::platform::Instant;

/// Seconds between checkpoints, where nothing else is asked for: syncing a small model after each of its short epochs would
/// take longer than training it.
const AT_MOST_EVERY: Duration = Duration::from_secs(10);
/// Seconds between checkpoints within a long epoch: at most so much work is lost.
const AT_LEAST_EVERY: Duration = Duration::from_secs(300);

/// When checkpoints are written; always at the end of a run, and when it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CheckpointInterval {
    /// Checkpoints are written at ends of epochs, at most every ten seconds, and every five minutes within a long
    /// epoch.
    #[default]
    Auto,
    /// A checkpoint is written at the end of every so many epochs.
    Epochs(usize),
    /// A checkpoint is written after every so many steps.
    Steps(u64),
    /// After so much time.
    Time(Duration),
}

impl FromStr for CheckpointInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(CheckpointInterval::Auto);
        }
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at(digits);
        let count: u64 = count.parse().ok().filter(|count| (1..=1_000_000_000).contains(count)).ok_or(EXPECTED)?;
        match unit.trim() {
            "epoch" | "epochs" => Ok(CheckpointInterval::Epochs(count as usize)),
            "step" | "steps" => Ok(CheckpointInterval::Steps(count)),
            "s" => Ok(CheckpointInterval::Time(Duration::from_secs(count))),
            "min" => Ok(CheckpointInterval::Time(Duration::from_secs(60 * count))),
            _ => Err(EXPECTED.into()),
        }
    }
}

const EXPECTED: &str = "give a count and a unit: 1epoch, 500steps, 30s or 5min";

/// The last checkpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastCheckpoint {
    pub step: u64,
    pub epoch: usize,
    pub at: Instant,
}

impl LastCheckpoint {
    pub fn now(progress: &Progress) -> Self {
        Self { step: progress.step, epoch: progress.epoch, at: Instant::now() }
    }
}

impl CheckpointInterval {
    /// The step after which the next checkpoint is due, if steps decide.
    pub(super) fn steps_due(self, saved: &LastCheckpoint) -> Option<u64> {
        match self {
            CheckpointInterval::Steps(steps) => Some((saved.step / steps + 1) * steps),
            _ => None,
        }
    }

    /// When the next checkpoint is due, if time decides.
    pub(super) fn time_due(self, saved: &LastCheckpoint) -> Option<Instant> {
        match self {
            CheckpointInterval::Time(time) => Some(saved.at + time),
            CheckpointInterval::Auto => Some(saved.at + AT_LEAST_EVERY),
            _ => None,
        }
    }

    pub(super) fn is_due(self, progress: &Progress, saved: &LastCheckpoint) -> bool {
        let at_end_of_epoch = progress.epoch > saved.epoch;
        match self {
            CheckpointInterval::Auto => {
                let since = saved.at.elapsed();
                at_end_of_epoch && (saved.step == 0 || since >= AT_MOST_EVERY) || since >= AT_LEAST_EVERY
            }
            CheckpointInterval::Epochs(epochs) => at_end_of_epoch && progress.epoch.is_multiple_of(epochs),
            CheckpointInterval::Steps(_) => self.steps_due(saved).is_some_and(|due| progress.step >= due),
            CheckpointInterval::Time(time) => saved.at.elapsed() >= time,
        }
    }
}

/// How a run is saved.
#[derive(Debug, Clone)]
pub struct Saving {
    /// The origin that all checkpoints of the run name.
    pub origin: Origin,
    /// When checkpoints are written.
    pub every: CheckpointInterval,
    /// How many of the newest checkpoints are kept, beside the best one.
    pub keep: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_count_and_a_unit() {
        assert_eq!("1epoch".parse(), Ok(CheckpointInterval::Epochs(1)));
        assert_eq!("500steps".parse(), Ok(CheckpointInterval::Steps(500)));
        assert_eq!("5 min".parse(), Ok(CheckpointInterval::Time(Duration::from_secs(300))));
        for wrong in ["", "0epochs", "epoch", "5", "5m", "-1steps", "1.5min", "99999999999steps"] {
            assert_eq!(wrong.parse::<CheckpointInterval>(), Err(EXPECTED.into()), "{wrong}");
        }
    }
}
