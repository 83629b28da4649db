//! What a person sees of a training run: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::train::{EpochReport, Event};

/// Seconds between plain progress lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Shows events.
pub struct Progress {
    epochs: usize,
    json: bool,
    bar: Option<ProgressBar>,
    last_line: Instant,
    /// The training loss of each epoch.
    losses: Vec<f64>,
}

impl Progress {
    /// For so many epochs; with `json`, events go to stdout as they are.
    pub fn new(epochs: usize, total: u64, json: bool) -> Self {
        let bar = (!json && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(total);
            if let Ok(style) = ProgressStyle::with_template("{bar:28} {percent:>3}%  {msg}  {eta} left") {
                bar.set_style(style);
            }
            bar
        });
        Self { epochs, json, bar, last_line: Instant::now(), losses: Vec::new() }
    }

    /// The training loss of each epoch so far.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    fn epoch_line(&self, r: &EpochReport) -> String {
        format!(
            "epoch {:>3}/{}  train {:.2}  test {:.2} (reconstruction {:.2}, KL {:.2})  {:.0} steps/s",
            r.epoch, self.epochs, r.train_loss, r.test_loss, r.test_recon, r.test_kl, r.steps_per_second
        )
    }

    /// Shows one event. Where nobody reads stdout any more, there is nobody to tell.
    pub fn show(&mut self, event: &Event) {
        if let Event::Epoch(report) = event {
            self.losses.push(report.train_loss);
        }
        if self.json {
            if !matches!(event, Event::Progress { .. })
                && let Ok(line) = serde_json::to_string(event)
            {
                let _ = writeln!(std::io::stdout(), "{line}");
            }
            return;
        }
        match event {
            Event::Progress { report, total, steps_per_second } => {
                let message = format!(
                    "loss {:.2}  reconstruction {:.2}  KL {:.2}  {steps_per_second:.0} steps/s",
                    report.loss, report.recon, report.kl
                );
                if let Some(bar) = &self.bar {
                    bar.set_position(report.step);
                    bar.set_message(message);
                } else if self.last_line.elapsed() >= PLAIN_EVERY {
                    self.last_line = Instant::now();
                    eprintln!("step {}/{total}  {message}", report.step);
                }
            }
            Event::Step(_) => {}
            Event::Epoch(report) => {
                self.last_line = Instant::now();
                let line = self.epoch_line(report);
                let print = || {
                    let _ = writeln!(std::io::stdout(), "{line}");
                };
                match &self.bar {
                    Some(bar) => bar.suspend(print),
                    None => print(),
                }
            }
            Event::Done(_) => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
            }
        }
    }
}
