//! The lines of a run's measurements.

use std::path::Path;

use serde::Serialize;
use wgvae_data::disk::{Lines, NotRead};

use super::files::{MAX_LINE, METRICS};
use super::identity::unread;
use super::{MetricsLine, TrainError};

/// A measurement as a line of `metrics.jsonl`.
pub(super) fn line(event: &impl Serialize) -> Result<Vec<u8>, TrainError> {
    let failed = |e: serde_json::Error| TrainError::Write { path: METRICS.into(), reason: e.to_string() };
    let mut line = serde_json::to_vec(event).map_err(failed)?;
    line.push(b'\n');
    Ok(line)
}

/// The lines of a folder's `metrics.jsonl` up to a step, and of so many epochs at most: one that was cut short goes on and is reported
/// when it ends. A torn line and what is behind it are left out.
pub fn lines_until(folder: &Path, step: u64, epochs: usize) -> Result<Vec<u8>, TrainError> {
    let path = folder.join(METRICS);
    let unread = |error: NotRead| unread(&path)(error.into());
    let lines = match Lines::open(&path, MAX_LINE) {
        Err(NotRead::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        lines => lines.map_err(unread)?,
    };
    let mut failed = None;
    let whole = whole_lines(lines.map_while(|line| known(line, &mut failed)), step, epochs);
    failed.map_or(Ok(whole), |error| Err(unread(error)))
}

/// A line, if it could be read. One that is too long is as one that is torn; an error of the system says nothing of what it kept back.
fn known(line: Result<Vec<u8>, NotRead>, failed: &mut Option<NotRead>) -> Option<Vec<u8>> {
    match line {
        Ok(line) => Some(line),
        Err(error @ NotRead::Io(_)) => {
            *failed = Some(error);
            None
        }
        Err(_) => None,
    }
}

/// The lines of a text, with their ends.
pub(super) fn split(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec)
}

pub(super) fn whole_lines(lines: impl Iterator<Item = Vec<u8>>, step: u64, epochs: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    for line in lines {
        let is_before = match serde_json::from_slice(&line) {
            _ if !line.ends_with(b"\n") => break,
            Ok(MetricsLine::Step(report)) => report.step <= step,
            Ok(MetricsLine::Epoch(report)) => report.step <= step && report.epoch <= epochs,
            Ok(MetricsLine::Diagnosis(diagnosis)) => diagnosis.step <= step && diagnosis.epoch <= epochs,
            Ok(MetricsLine::Rollback(rollback)) => rollback.step <= step,
            Ok(MetricsLine::Done(_)) => false,
            Err(_) => break,
        };
        if is_before {
            kept.extend(line);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_lines_and_lines_of_later_steps_go() {
        let line = |step: u64| {
            format!(
                "{{\"event\":\"step\",\"step\":{step},\"epoch\":1.0,\"loss\":1.5,\"recon\":1.0,\"kl\":0.5,\"lr\":0.1,\"beta\":1.0}}\n"
            )
        };
        let whole = [line(50), line(100), line(150)].concat();
        let kept = [line(50), line(100)];
        for cut in 0..=whole.len() {
            let lines = whole[..cut].matches('\n').count().min(2);
            let found = whole_lines(split(&whole.as_bytes()[..cut]), 100, 1);
            assert_eq!(String::from_utf8(found).unwrap(), kept[..lines].concat(), "{cut}");
        }
    }
}
