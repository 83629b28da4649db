//! `wgvae eval`: loss, KL and other figures of a model on given rows.

use std::io::Write;

use serde::Serialize;

use super::run_args::{RowsArgs, RunArgs, place_in, told};
use super::sheet::put;
use crate::apply::Evaluation;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// Latent draws per row; the first is the one that training evaluates with
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    draws: u64,
    /// Where to write the figures [default: eval.json in the run's folder]
    #[arg(long, value_name = "FILE")]
    to: Option<std::path::PathBuf>,
}

#[derive(Serialize)]
struct Record<'a> {
    run: String,
    #[serde(flatten)]
    figures: &'a Evaluation,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let rows = args.rows.rows(&run)?;
    let mut model = args.run.model(&run, rows.split.rows)?;
    let codes = model.encode(&rows.split)?;
    let scores = model.score(&rows.split, args.draws as usize)?;
    let figures = Evaluation::of(&run, &rows.split, &codes, &scores, args.draws as usize);
    let record = Record { run: run.path.display().to_string(), figures: &figures };
    let to = place_in(&run, args.to.as_deref(), "eval.json");
    let written = put(&to, (serde_json::to_string_pretty(&record)? + "\n").as_bytes());
    let is_written = written.is_ok();
    match (written, &args.to) {
        // The figures are printed in any case, and the file can be written again.
        (Err(error), None) => warning!("{error:#}"),
        (written, _) => written?,
    }
    if to == std::path::Path::new("-") {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    if args.run.json {
        writeln!(out, "{}", serde_json::to_string(&record)?)?;
        return Ok(());
    }
    let f = &figures;
    writeln!(out, "rows            {} with {} each", f.rows, draws(f.draws))?;
    let [loss, recon, kl] = [
        (f.loss, f.loss_standard_error),
        (f.reconstruction, f.reconstruction_standard_error),
        (f.kl, f.kl_standard_error),
    ]
    .map(|(mean, error)| format!("{mean:.3} +- {error:.3}"));
    if let (Some(elbo), Some(error), Some(beta)) = (f.elbo, f.elbo_standard_error, f.beta) {
        writeln!(out, "elbo            {elbo:.3} +- {error:.3} nats per row, and the standard error of the mean")?;
        let sum = if beta == 1.0 { "reconstruction + KL".into() } else { format!("reconstruction + {beta} KL") };
        writeln!(out, "loss            {loss}: {sum}, as in training")?;
        writeln!(out, "reconstruction  {recon}")?;
        writeln!(out, "KL              {kl}")?;
        let mut sorted: Vec<(usize, f64)> = f.kl_per_dimension.iter().copied().enumerate().collect();
        sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
        let listed: Vec<String> = sorted.iter().map(|(i, kl)| format!("{i}: {kl:.3}")).collect();
        writeln!(out, "KL by dimension {}", listed.join("  "))?;
    } else {
        writeln!(out, "loss            {loss} per row, the reconstruction alone, and the standard error of the mean")?;
    }
    writeln!(out, "active units    {} of {}", f.active_units, codes.latent)?;
    match (f.bits_per_dimension, f.no_bits) {
        (Some(bits), _) => writeln!(out, "bits per value  {bits:.4}")?,
        (None, why) => writeln!(out, "bits per value  none: {}", why.unwrap_or_default())?,
    }
    drop(out);
    if is_written {
        told(&to)?;
    }
    Ok(())
}

fn draws(count: usize) -> String {
    if count == 1 { "one latent draw".into() } else { format!("{count} latent draws") }
}
