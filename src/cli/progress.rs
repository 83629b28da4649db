//! Progress of a training run for a person: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::device_args;
use super::signals::Phase;
use crate::config::RowSpec;
use crate::run::model_line;
use crate::train::{DeviceEvent, EpochReport, Event, Start};

/// Seconds between plain progress lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// Seconds between lines of epochs: a small model has hundreds in a second.
const EPOCH_EVERY: Duration = Duration::from_secs(1);

/// What is said of a run while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The run and its epochs.
    Lines,
    /// The lines of `metrics.jsonl`.
    Json,
    /// Only what is wrong.
    Nothing,
}

/// Shows events. A reader who has left does not end a run: writing that fails is left at that.
pub struct Progress {
    told: Told,
    phase: Phase,
    device: Box<dyn FnMut(DeviceEvent<'_>)>,
    epochs: usize,
    bar: Option<ProgressBar>,
    last_line: Instant,
    /// When the last line of an epoch was printed.
    last_epoch: Option<Instant>,
    /// The training loss of each epoch.
    losses: Vec<f64>,
    /// The last epoch that was looked at, and how many latent dimensions were active.
    active: Option<(usize, usize)>,
}

impl Progress {
    /// The phase is told of the begin and end of training.
    pub fn new(told: Told, phase: Phase) -> Self {
        Self {
            told,
            phase,
            device: if told == Told::Nothing { Box::new(|_| ()) } else { Box::new(device_args::shown()) },
            epochs: 0,
            bar: None,
            last_line: Instant::now(),
            last_epoch: None,
            losses: Vec::new(),
            active: None,
        }
    }

    /// The training loss of each epoch so far.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    fn start(&mut self, start: &Start<'_>) {
        let shows = self.told == Told::Lines;
        if shows {
            let _ = header(start);
        }
        self.phase.training();
        self.epochs = start.epochs;
        self.last_line = Instant::now();
        self.bar = (shows && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(start.steps).with_position(start.done);
            if let Ok(style) = ProgressStyle::with_template("{bar:28} {percent:>3}%  {msg}  {eta} left") {
                bar.set_style(style);
            }
            bar
        });
    }

    fn epoch_line(&self, r: &EpochReport) -> String {
        let active = match self.active {
            Some((epoch, active)) if epoch == r.epoch => format!("  {active} active"),
            _ => String::new(),
        };
        format!(
            "epoch {:>3}/{}  train {:.2}  test {:.2} (reconstruction {:.2}, KL {:.2}){active}  {:.0} steps/s",
            r.epoch, self.epochs, r.train_loss, r.test_loss, r.test_recon, r.test_kl, r.steps_per_second
        )
    }

    fn aside(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| warning!("{text}")),
            None => warning!("{text}"),
        }
    }

    /// Shows one event.
    pub fn show(&mut self, event: Event<'_>) {
        if self.told == Told::Json
            && let Some(line) = event.line()
            && let Ok(line) = serde_json::to_string(&line)
        {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
        match event {
            Event::Device(event) => (self.device)(event),
            Event::Start(start) => self.start(&start),
            Event::Progress { report, total, steps_per_second } if self.told == Told::Lines => {
                let message = format!(
                    "loss {:.2}  reconstruction {:.2}  KL {:.2}  {steps_per_second:.0} steps/s",
                    report.loss, report.recon, report.kl
                );
                if let Some(bar) = &self.bar {
                    bar.set_position(report.step);
                    bar.set_message(message);
                } else if self.last_line.elapsed() >= PLAIN_EVERY {
                    self.last_line = Instant::now();
                    warning!("step {}/{total}  {message}", report.step);
                }
            }
            Event::Diagnosis(diagnosis) => self.active = Some((diagnosis.epoch, diagnosis.active_units)),
            Event::Epoch(epoch) if self.told == Told::Lines => {
                self.losses.push(epoch.report.train_loss);
                let is_last = epoch.report.epoch == self.epochs;
                if !is_last && self.last_epoch.is_some_and(|last| last.elapsed() < EPOCH_EVERY) {
                    return;
                }
                self.last_line = Instant::now();
                self.last_epoch = Some(self.last_line);
                let line = self.epoch_line(&epoch.report);
                let print = || {
                    let _ = writeln!(std::io::stdout(), "{line}");
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
            Event::Warning(text) => self.aside(text),
            Event::Done(_) => {
                self.phase.saved();
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
            }
            Event::Fitting(rows) if self.told == Told::Lines => {
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

/// Describes the run before its first step.
fn header(s: &Start<'_>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
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
            RowSpec { extent: s.shape.into(), classes: s.classes, table: None, gaps: false, rows: 0 },
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
    match s.done {
        0 => writeln!(out, "run      {}", s.folder.display()),
        done => writeln!(out, "run      {}, from step {done}", s.folder.display()),
    }
}
