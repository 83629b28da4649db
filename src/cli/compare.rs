//! `wgvae compare`: several runs side by side.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::run_args::told;
use super::sheet::put;
use crate::apply::record::{Metrics, Record};
use crate::apply::{Run, RunError, test_loss};
use crate::report::compare::{RunMetrics, comparison};
use crate::report::page::Headline;
use crate::run;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of the runs
    #[arg(value_name = "RUN", required = true, num_args = 1..)]
    runs: Vec<PathBuf>,
    /// Where to write the page with the loss curves [default: compare.html in the first run's folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    run: String,
    model: String,
    data: String,
    epochs: usize,
    steps: u64,
    seconds: f64,
    test_loss: f64,
    best_test_loss: f64,
    test_recon: f64,
    test_kl: f64,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let mut pages = Vec::new();
    let mut losses = Vec::new();
    for path in &args.runs {
        let run = Run::open(path)?;
        let (record, metrics) = (Record::of(path)?, Metrics::of(path)?);
        let Some(last) = metrics.epochs.last() else {
            return Err(RunError::Unfit(format!(
                "{} has not finished an epoch, so there is nothing to compare: leave it out",
                path.display()
            ))
            .into());
        };
        losses.push(test_loss(&run.config.model));
        let best = metrics.epochs.iter().map(|e| e.test_loss).fold(f64::INFINITY, f64::min);
        rows.push(Row {
            run: path.display().to_string(),
            model: run::model_line(&run.config, &run.data, record.parameters),
            data: run.data.name.clone(),
            epochs: last.epoch,
            steps: last.step,
            seconds: last.seconds,
            test_loss: last.test_loss,
            best_test_loss: best,
            test_recon: last.test_recon,
            test_kl: last.test_kl,
        });
        let headline = Headline {
            test_loss: Some(last.test_loss),
            reconstruction: Some(last.test_recon),
            kl: run.has_prior().then_some(last.test_kl),
            ..Headline::default()
        };
        pages.push(RunMetrics {
            name: run.name(),
            facts: run::facts(&run, &record, &metrics),
            headline,
            epochs: run::epochs(&metrics),
        });
    }
    if rows.len() == 1 {
        warning!("this is one run: name others to compare it with");
    }
    let mut sources: Vec<&str> = pages.iter().map(|page| page.facts.data.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    if sources.len() > 1 {
        warning!("these runs are of different data, so their losses cannot be compared: {}", sources.join("; "));
    }
    losses.sort_unstable();
    losses.dedup();
    if losses.len() > 1 {
        let losses = losses.join("; ");
        warning!(
            "the test losses of these runs are different things ({losses}): `wgvae eval RUN --nll 500` compares them"
        );
    }
    let to =
        args.to.clone().unwrap_or_else(|| args.runs.first().map_or_else(PathBuf::new, |run| run.join("compare.html")));
    put(&to, comparison(&pages).as_bytes())?;
    if to == Path::new("-") {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        for row in &rows {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        }
    } else {
        writeln!(out, "test loss      best  reconstruction        KL  epochs   steps  seconds  run")?;
        for r in &rows {
            writeln!(
                out,
                "{:>9.3} {:>9.3}  {:>14.3} {:>9.3}  {:>6} {:>7}  {:>7.1}  {} ({}, {})",
                r.test_loss,
                r.best_test_loss,
                r.test_recon,
                r.test_kl,
                r.epochs,
                r.steps,
                r.seconds,
                r.run,
                r.model,
                r.data
            )?;
        }
    }
    drop(out);
    if !args.json {
        told(&to)?;
    }
    Ok(())
}
