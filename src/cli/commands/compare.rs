//! `wgvae compare`: several runs side by side.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wgvae::apply::record::{Metrics, Record};
use wgvae::apply::{Run, RunError, test_loss};
use wgvae::report::compare::{RunMetrics, comparison};
use wgvae::report::page::Headline;
use wgvae::report::with_error;
use wgvae::run;

use crate::cli::args::run::print_written;
use crate::cli::output::place::as_stdout;
use crate::cli::output::sheet::write_file;
use crate::cli::output::terminal;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] =
    &[("wgvae compare runs/dense-strokes runs/table-rows", "losses side by side, and a page")];

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
    /// What the losses are, in words.
    loss: String,
    epochs: usize,
    steps: u64,
    seconds: f64,
    /// The epoch that the saved model is of, and its losses.
    model_epoch: usize,
    test_loss: f64,
    test_recon: f64,
    test_kl: f64,
    /// The loss after the last epoch.
    last_test_loss: f64,
    /// What `wgvae eval` has found, by names.
    evaluated: serde_json::Map<String, serde_json::Value>,
    /// What must be known.
    notices: Vec<String>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let mut pages = Vec::new();
    for path in &args.runs {
        let run = Run::open(path)?;
        let (record, metrics) = (Record::of(&run)?, Metrics::of(&run)?);
        let Some((last, saved)) = metrics.epochs.last().zip(metrics.of_model()) else {
            return Err(RunError::Unfit(format!(
                "{} has not finished an epoch, so there is nothing to compare: leave it out",
                path.display()
            ))
            .into());
        };
        let loss = format!("{} ({})", test_loss(&run.config.model), run::measure(&run));
        let (notices, evaluated) = (run::notices(&run, &metrics), run::found(&run));
        rows.push(Row {
            run: path.display().to_string(),
            model: run::model_line(&run.config, &run.data, record.parameters),
            data: run.data.name.clone(),
            loss: loss.clone(),
            epochs: last.epoch,
            steps: last.step,
            seconds: last.seconds,
            model_epoch: saved.epoch,
            test_loss: saved.test_loss,
            test_recon: saved.test_recon,
            test_kl: saved.test_kl,
            last_test_loss: last.test_loss,
            evaluated: evaluated.iter().map(|figure| (figure.name.clone(), figure.value.into())).collect(),
            notices: notices.iter().map(|notice| notice.headline.clone()).collect(),
        });
        let active = metrics.diagnosis_of_model().map(|diagnosis| (diagnosis.active_units, run.config.model.latent));
        let headline = Headline {
            test_loss: Some(saved.test_loss),
            reconstruction: Some(saved.test_recon),
            kl: run.has_prior().then_some(saved.test_kl),
            active,
            mutual_information: metrics.diagnosis_of_model().and_then(|diagnosis| diagnosis.mutual_information),
            ..Headline::default()
        };
        pages.push(RunMetrics {
            name: run.name(),
            facts: run::facts(&run, &record, &metrics),
            loss,
            epoch: saved.epoch,
            headline,
            notices,
            evaluated,
            epochs: run::epochs(&metrics),
            pictures: run::drawn(&run, saved.epoch).unwrap_or_else(|error| {
                warning!("the pictures of {} are left out: {error}", run.name());
                Vec::new()
            }),
        });
    }
    if rows.len() == 1 {
        warning!("this is one run: name others to compare it with");
    }
    let distinct = |of: fn(&RunMetrics) -> &str| {
        let mut all: Vec<&str> = pages.iter().map(of).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let sources = distinct(|page| &page.facts.data);
    if sources.len() > 1 {
        warning!("these runs are of different data, so their losses cannot be compared: {}", sources.join("; "));
    }
    let losses = distinct(|page| &page.loss);
    if losses.len() > 1 {
        let losses = losses.join("; ");
        warning!(
            "the test losses of these runs are different things ({losses}): `wgvae eval RUN --nll 500` compares them"
        );
    }
    let to = args
        .to
        .as_deref()
        .map_or_else(|| args.runs.first().map_or_else(PathBuf::new, |run| run.join("compare.html")), as_stdout);
    write_file(&to, comparison(&pages).as_bytes())?;
    if to == Path::new("-") {
        return Ok(());
    }
    let mut out = terminal::out();
    if args.json {
        for row in &rows {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        }
    } else {
        lines(&mut out, &rows, &pages)?;
    }
    drop(out);
    if !args.json {
        print_written(&to)?;
    }
    Ok(())
}

/// The figures of the saved models, a line each, with what was found of them below.
fn lines(out: &mut impl Write, rows: &[Row], pages: &[RunMetrics]) -> std::io::Result<()> {
    writeln!(out, "test loss  reconstruction        KL  of epoch   steps  seconds  run")?;
    for (r, page) in rows.iter().zip(pages) {
        let (loss, recon, kl) = (r.test_loss, r.test_recon, r.test_kl);
        let epochs = format!("{}/{}", r.model_epoch, r.epochs);
        let of = (&r.run, &r.model, &r.data);
        writeln!(
            out,
            "{loss:>9.3}  {recon:>14.3} {kl:>9.3} {epochs:>9} {:>7} {:>8.1}  {} ({}, {})",
            r.steps, r.seconds, of.0, of.1, of.2
        )?;
        for notice in &r.notices {
            writeln!(out, "           {notice}")?;
        }
        for figure in &page.evaluated {
            writeln!(out, "           {}: {} ({})", figure.name, with_error(figure), figure.note)?;
        }
    }
    Ok(())
}
