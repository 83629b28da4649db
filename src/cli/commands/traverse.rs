//! `wgvae traverse`: decoded steps along each latent dimension, or rows along each factor.

use std::path::PathBuf;

use wgvae::apply::record::Metrics;
use wgvae::apply::{RunError, draws, statistics};
use wgvae::report;
use wgvae_data::Shape;

use crate::cli::args::run::{RowsArgs, RunArgs};
use crate::cli::output::sheet::{Sheet, picture, write_rows};

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("wgvae traverse runs/dense-strokes", "each dimension from -3 to 3"),
    ("wgvae traverse runs/burgess-sprites --factors", "each known factor through its values"),
];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// Start from the code of this row, counted from 0 [default: the mean of the prior]
    #[arg(long, value_name = "ROW")]
    row: Option<usize>,
    /// How far to go in either direction, in standard deviations of the prior
    #[arg(long, value_name = "X", default_value = "3")]
    range: f32,
    /// Show rows in which one known factor goes through its values, and below them what the model makes of them, instead of dimensions;
    /// --row says from which row on [default: 0]
    #[arg(long, conflicts_with = "range")]
    factors: bool,
    /// How many steps along each dimension
    #[arg(long, value_name = "N", default_value = "11", value_parser = clap::value_parser!(u64).range(2..=1000))]
    steps: u64,
    /// A .png, .csv, .parquet, .json, .npy or .npz file, or - for CSV on stdout [default: traversal.png, factors.png, or .csv for rows of a
    /// table]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    if !(args.range > 0.0 && args.range.is_finite()) {
        return Err(RunError::Unfit("--range must be a positive number".into()).into());
    }
    let steps = args.steps as usize;
    if args.factors {
        let row = args.row.unwrap_or(0);
        return super::factors::traverse(&run, (&args.run, &args.rows), row, steps, args.to.as_deref());
    }
    // A plain autoencoder has no prior: the spread of the rows' codes gives the width of each dimension.
    let needs_rows = args.row.is_some() || !run.has_prior();
    let rows = if needs_rows { Some(args.rows.rows(&run)?) } else { None };
    let mut model = args.run.model(&run, rows.as_ref().map_or(1, |r| r.split.rows))?;
    let latent = model.latent();
    let (mut start, mut spread) = model.prior().middle();
    if let Some(rows) = &rows {
        let codes = model.encode(&rows.split)?;
        if !run.has_prior() {
            start = statistics::mean_code(&codes).into_iter().map(|m| m as f32).collect();
            spread = statistics::mean_variances(&codes).into_iter().map(|v| v.sqrt() as f32).collect();
        }
        if let Some(row) = args.row {
            start = codes.row(row)?.mu;
        }
    }
    let all: Vec<usize> = (0..latent).collect();
    let z = draws::traversal(&start, &spread, &all, args.range, steps);
    let of_row = rows.as_ref().zip(args.row).and_then(|(rows, row)| Some(rows.split.labels.as_ref()?[row]));
    let named = args.rows.class.as_deref().map(|class| run.class(class)).transpose()?;
    let class = named.or(of_row).unwrap_or(0);
    if model.is_conditional() && named.or(of_row).is_none() {
        warning!("rows of class {}: --class chooses another", run.data.classes[0]);
    }
    let shown = model.decoder_output(&z, &vec![class; z.len() / latent])?;
    // What was known when training looked at the epoch that the model is of; of an older run, or of a prior with parts, it is not known.
    let metrics = Metrics::of(&run).unwrap_or_else(|error| {
        warning!("what each dimension costs is left out: {error}");
        Metrics::default()
    });
    let kl = metrics.diagnosis_of_model().map_or(&[][..], |diagnosis| &diagnosis.kl_per_dimension);
    let picture = match run.data.shape {
        Shape::Image { height, width, channels } => {
            let name = |i: usize| match kl.get(i) {
                Some(kl) => format!("dim {i} KL {kl:.2}"),
                None => format!("dim {i}"),
            };
            let names: Vec<String> = (0..latent).map(name).collect();
            Some(report::labelled(&shown.means, (height, width, channels), steps, &names))
        }
        shape => picture(shape, &shown.means, &shown.means, steps),
    };
    let sheet = || {
        let at = |i: usize| z[i * latent + i / steps];
        let dimension = (0..latent * steps).map(|i| (i / steps).to_string()).collect();
        let value = (0..latent * steps).map(|i| at(i).to_string()).collect();
        let sheet = Sheet::of_means(&run, &model, shown.clone()).with("dimension", dimension).with("value", value);
        Ok(match kl.len() == latent {
            true => sheet.with("kl", (0..latent * steps).map(|i| kl[i / steps].to_string()).collect()),
            false => sheet,
        })
    };
    let to = write_rows(&run, args.to.as_deref(), "traversal", sheet, picture)?;
    args.run.print_written(&[&to])
}
