//! `wgvae interpolate`: decoded steps between the codes of two rows.

use std::path::PathBuf;

use wgvae::apply::{RunError, draws};

use crate::cli::args::run::{RowsArgs, RunArgs};
use crate::cli::output::sheet::{Sheet, picture, write_rows};

/// The path between two codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Interpolation {
    /// Straight line between the codes
    Linear,
    /// Spherical interpolation between the codes
    Spherical,
}

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] =
    &[("wgvae interpolate runs/dense-strokes --between 3,17 --way spherical", "between two test rows")];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// The two rows, counted from 0
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 1, default_value = "0,1")]
    between: Vec<usize>,
    /// How to interpolate between the codes
    #[arg(long, value_name = "WAY", default_value = "linear")]
    way: Interpolation,
    /// How many steps, both ends included
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u64).range(2..=10_000))]
    steps: u64,
    /// A .png, .csv, .parquet, .json, .npy or .npz file, or - for CSV on stdout [default: interpolation.png, .csv for tables, .wav or
    /// .mid for sounds]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let [from, to] = args.between[..] else {
        return Err(RunError::Unfit("--between takes two rows, such as 3,17".into()).into());
    };
    let rows = args.rows.rows(&run)?;
    let mut model = args.run.model(&run, rows.split.rows)?;
    let codes = model.encode(&rows.split)?;
    let (start, end) = (codes.row(from)?.mu, codes.row(to)?.mu);
    let steps = args.steps as usize;
    let z = match args.way {
        Interpolation::Linear => draws::line(&start, &end, steps),
        Interpolation::Spherical => draws::arc(&start, &end, steps),
    };
    // Each end is of its own class, and so is the way to the middle.
    let class = |row: usize| rows.split.labels.as_ref().map_or(0, |labels| labels[row]);
    let classes: Vec<u32> = (0..steps).map(|step| class(if 2 * step < steps { from } else { to })).collect();
    let shown = model.decoder_output(&z, &classes)?;
    let ground = rows.split.numbers(0..rows.split.rows.min(2000), model.width());
    let picture = picture(run.data.shape, &shown.means, &ground, steps.min(10));
    let to =
        write_rows(&run, args.to.as_deref(), "interpolation", || Ok(Sheet::of_means(&run, &model, shown)), picture)?;
    args.run.print_written(&[&to])
}
