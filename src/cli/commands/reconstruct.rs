//! `wgvae reconstruct`: rows and their reconstructions.

use std::path::PathBuf;

use wgvae::report;
use wgvae::run::pictured;
use wgvae_data::Shape;

use crate::cli::args::run::{RowsArgs, RunArgs};
use crate::cli::commands::encode::with_names;
use crate::cli::output::sheet::{Sheet, write_rows};

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] =
    &[("wgvae reconstruct runs/dense-strokes", "test images, and below them what the model makes of them")];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// Decode the rows' codes as rows of this class, for a model that was trained with --condition class
    #[arg(long, value_name = "CLASS")]
    as_class: Option<String>,
    /// How many rows to draw in the picture, from all over the rows [default: 50 images, 2000 points]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// A .png, .csv, .parquet, .json, .npy or .npz file, or - for CSV on stdout [default: reconstructions.png, .csv for tables and
    /// texts, .wav or .mid for sounds]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let rows = args.rows.rows(&run)?;
    let mut model = args.run.model(&run, rows.split.rows)?;
    let mut shown = match &args.as_class {
        Some(class) => model.reconstruct_as(&rows.split, run.class(class)?)?,
        None => model.reconstruct_shown(&rows.split)?,
    };
    if let Some(series) = &run.data.series {
        series.cut(
            &mut shown.means,
            &rows.split.numbers(0..rows.split.rows, run.data.shape.len()),
            run.data.shape.len(),
        );
    }
    let pictured = |most: u64| pictured(&rows.split, &shown.means, args.count.unwrap_or(most) as usize);
    let picture = match run.data.shape {
        Shape::Image { height, width, channels } => {
            let (x, mean) = pictured(50);
            Some(report::reconstructions(&x, &mean, (height, width, channels)))
        }
        Shape::Point(2) => {
            let (x, mean) = pictured(2000);
            Some(report::scatter(&x, &mean))
        }
        _ => None,
    };
    let sheet = || {
        let mut sheet = Sheet::of_means(&run, &model, shown.clone());
        // A text says little of its reconstruction without the original beside it.
        if let Some(texts) = run.texts(&rows.split) {
            sheet = sheet.with("original", texts);
        }
        Ok(with_names(sheet, &run, args.rows.source(&run), &rows)?)
    };
    let to = write_rows(&run, args.to.as_deref(), "reconstructions", sheet, picture)?;
    args.run.print_written(&[&to])
}
