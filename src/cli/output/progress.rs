//! Progress of a training run for a person: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use wgvae::config::RowSpec;
use wgvae::model::Bucket;
use wgvae::run::model_line;
use wgvae::train::{DeviceEvent, EpochReport, Event, Start};

use crate::cli::args::device;
use crate::cli::output::flags::with_flags;
use crate::cli::output::terminal;
use crate::cli::signals::Phase;

/// Seconds between plain progress lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// Seconds between lines of epochs: a small model has hundreds in a second.
const EPOCH_EVERY: Duration = Duration::from_secs(1);

/// The width of a terminal that lines of epochs fit.
const COLUMNS: usize = 80;

/// How a run is shown while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressFormat {
    /// The run and its epochs.
    Lines,
    /// The lines of `metrics.jsonl`.
    Json,
    /// Only what is wrong.
    Nothing,
}

/// Shows events. A reader who has left does not end a run: writing that fails is left at that.
pub struct ProgressDisplay {
    format: ProgressFormat,
    phase: Phase,
    device: Box<dyn FnMut(DeviceEvent<'_>)>,
    epochs: usize,
    bar: Option<ProgressBar>,
    last_line: Instant,
    /// When the last line of an epoch was printed.
    last_epoch: Option<Instant>,
    /// The test loss of each epoch.
    losses: Vec<f64>,
    /// The last epoch that was looked at, and how many latent dimensions were active.
    active: Option<(usize, usize)>,
    /// The mutual information of texts and codes that was found last, in nats.
    information: Option<f64>,
}

impl ProgressDisplay {
    /// The phase gets to know when training begins and ends.
    pub fn new(format: ProgressFormat, phase: Phase) -> Self {
        Self {
            format,
            phase,
            device: if format == ProgressFormat::Nothing { Box::new(|_| ()) } else { Box::new(device::shown()) },
            epochs: 0,
            bar: None,
            last_line: Instant::now(),
            last_epoch: None,
            losses: Vec::new(),
            active: None,
            information: None,
        }
    }

    /// The test loss of each epoch so far.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    fn start(&mut self, start: &Start<'_>) {
        let shows = self.format == ProgressFormat::Lines;
        if shows {
            let _ = header(start);
        }
        self.phase.training();
        self.epochs = start.epochs;
        self.last_line = Instant::now();
        self.bar = (shows && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(start.steps).with_position(start.done);
            if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent:>3}%  {msg}  {eta} left") {
                bar.set_style(style);
            }
            bar
        });
    }

    fn epoch_line(&self, r: &EpochReport) -> String {
        let [train, test, recon, kl] = [r.train_loss, r.test_loss, r.test_recon, r.test_kl].map(short);
        let epochs = self.epochs;
        let mut line = format!("epoch {:>3}/{epochs}  train {train}  test {test}  recon {recon}  KL {kl}", r.epoch);
        let mut add = |part: String| {
            let fits = line.len() + part.len() <= COLUMNS;
            if fits {
                line += &part;
            }
            fits
        };
        if let Some((_, active)) = self.active.filter(|(epoch, _)| *epoch == r.epoch) {
            add(format!("  {active} active"));
            // What codes tell of texts matters more than the speed.
            if let Some(nats) = self.information {
                add(format!("  MI {nats:.2}"));
            }
        }
        // What there is no room for is in `metrics.jsonl`.
        if !add(format!("  {:.0} steps/s", r.steps_per_second)) {
            add(format!("  {:.0}/s", r.steps_per_second));
        }
        line
    }

    fn aside(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| warning!("{text}")),
            None => warning!("{text}"),
        }
    }

    /// Shows one event.
    pub fn show(&mut self, event: Event<'_>) {
        if self.format == ProgressFormat::Json
            && let Some(line) = event.line()
            && let Ok(line) = serde_json::to_string(&line)
        {
            let _ = writeln!(terminal::out(), "{line}");
        }
        match event {
            Event::Device(event) => (self.device)(event),
            Event::Start(start) => self.start(&start),
            Event::Progress { report, total, steps_per_second } if self.format == ProgressFormat::Lines => {
                let [loss, recon, kl] = [report.loss, report.recon, report.kl].map(short);
                let message = format!("loss {loss}  recon {recon}  KL {kl}  {steps_per_second:.0} steps/s");
                if let Some(bar) = &self.bar {
                    bar.set_position(report.step);
                    bar.set_message(message);
                } else if self.last_line.elapsed() >= PLAIN_EVERY {
                    self.last_line = Instant::now();
                    warning!("step {}/{total}  {message}", report.step);
                }
            }
            Event::Diagnosis(diagnosis) => {
                self.active = Some((diagnosis.epoch, diagnosis.active_units));
                self.information = diagnosis.mutual_information;
            }
            Event::Epoch(epoch) if self.format == ProgressFormat::Lines => {
                self.losses.push(epoch.report.test_loss);
                let is_last = epoch.report.epoch == self.epochs;
                if !is_last && self.last_epoch.is_some_and(|last| last.elapsed() < EPOCH_EVERY) {
                    return;
                }
                self.last_line = Instant::now();
                self.last_epoch = Some(self.last_line);
                let line = self.epoch_line(&epoch.report);
                let print = || {
                    let _ = writeln!(terminal::out(), "{line}");
                };
                match &self.bar {
                    Some(bar) => bar.suspend(print),
                    None => print(),
                }
            }
            Event::Rollback(r) => self.aside(&format!(
                "training diverged at step {}: going on from step {} with {} of the learning rate",
                r.diverged, r.step, r.lr_factor
            )),
            Event::Warning(text) => self.aside(&with_flags(text)),
            Event::Done(_) => {
                self.phase.saved();
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
            }
            Event::Fitting(rows) if self.format == ProgressFormat::Lines => {
                warning!("codes    fitting the mixture that samples are drawn from to those of {rows} training rows");
            }
            // The last lines of the command list all paths.
            Event::Progress { .. }
            | Event::Step(_)
            | Event::Epoch(_)
            | Event::Picture(_)
            | Event::Fitting(_)
            | Event::Page(_) => {}
        }
    }
}

/// A loss in at most eight characters, but for those that no model has.
fn short(value: f64) -> String {
    match value.abs() {
        size if size < 1e3 => format!("{value:.2}"),
        size if size < 1e4 => format!("{value:.1}"),
        size if size < 1e7 => format!("{value:.0}"),
        _ => format!("{value:.1e}"),
    }
}

/// Describes the run before its first step.
fn header(s: &Start<'_>) -> std::io::Result<()> {
    let mut out = terminal::out();
    writeln!(out, "adapter  {} ({}, {})", s.device.name, s.device.kind, s.device.backend)?;
    writeln!(out, "data     {}: {} training and {} test {}", s.data, s.train_rows, s.test_rows, s.shape)?;
    if let Some(most) = s.streamed {
        let all = s.train_rows + s.test_rows;
        writeln!(out, "         streamed: {most} of {all} rows on the device at a time")?;
    }
    writeln!(
        out,
        "model    {}",
        model_line(
            s.config,
            RowSpec { extent: s.shape.into(), classes: s.classes, table: None, missing: false, rows: 0 },
            s.parameters
        )
    )?;
    writeln!(
        out,
        "step     {} dispatches in {} stages, {:.0} MFLOP",
        s.totals.dispatches,
        s.totals.stages,
        s.totals.flops as f64 / 1e6
    )?;
    if !s.buckets.is_empty() {
        // A text has an end behind its tokens, as the line on the data counts them.
        let of = |bucket: &Bucket| {
            let share = 100.0 * bucket.rows.len() as f64 / s.train_rows as f64;
            format!("{} ({share:.0} %)", bucket.tokens.saturating_sub(1))
        };
        let of_all: Vec<String> = s.buckets.iter().map(of).collect();
        writeln!(out, "buckets  steps of texts of at most so many tokens: {}", of_all.join(", "))?;
    }
    let folder = s.folder.map_or_else(|| "in memory".into(), |folder| folder.display().to_string());
    match s.done {
        0 => writeln!(out, "run      {folder}"),
        done => writeln!(out, "run      {folder}, from step {done}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::signals;

    #[test]
    fn lines_of_epochs_fit_a_terminal_of_80_columns() {
        let mut progress = ProgressDisplay::new(ProgressFormat::Lines, signals::Phase::default());
        let report = |loss: f64, kl: f64, steps_per_second: f64| EpochReport {
            epoch: 3,
            step: 9,
            train_loss: loss,
            test_loss: loss,
            test_recon: loss - kl,
            test_kl: kl,
            seconds: 1.0,
            steps_per_second,
        };
        (progress.epochs, progress.active) = (10, Some((3, 18)));
        let line = progress.epoch_line(&report(104.12, 25.3, 62.4));
        assert_eq!(line, "epoch   3/10  train 104.12  test 104.12  recon 78.82  KL 25.30  18 active  62/s");
        progress.active = None;
        assert!(progress.epoch_line(&report(4.1, 2.5, 62.4)).ends_with("KL 2.50  62 steps/s"));
        for (epochs, active) in [(1, 2), (300, 20), (1500, 128), (1_000_000, 4096)] {
            (progress.epochs, progress.active) = (epochs, Some((3, active)));
            for loss in [0.0, -0.5, 104.12, -999.994, 12_345.6, -123_456.7, 1e9, -3e22, f64::NAN, f64::NEG_INFINITY] {
                for rate in [0.1, 134.0, 134_762.0] {
                    let line = progress.epoch_line(&report(loss, 25.3, rate));
                    assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
                }
            }
        }
    }
}
