//! `wgvae report`: the HTML page of a run.

use std::path::PathBuf;

use wgvae::apply::mixture;
use wgvae_data::{Examples, Values};

use crate::cli::args::run::{RowsArgs, RunArgs};
use crate::cli::output::place::place_in;
use crate::cli::output::sheet::write_file;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[("wgvae report runs/dense-strokes --to page.html", "the page of a run")];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// Where to write the page [default: report.html in the run's folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    // Samples of a table are compared with training rows; where these cannot be read, with none.
    let none = || Examples::of(0, Values::Floats(Vec::new()));
    let (rows, train) = match run.data.columns {
        Some(_) => {
            let (rows, train) = args.rows.rows_and_train_rows(&run, mixture::MAX_ROWS)?;
            (rows, train.map_or_else(|_| none(), |train| train.split))
        }
        None => (args.rows.rows(&run)?, none()),
    };
    let mut model = args.run.model(&run, rows.split.rows)?;
    let to = place_in(&run, args.to.as_deref(), "report.html")?;
    write_file(&to, wgvae::run::page(&run, &rows, &train, &mut model)?.as_bytes())?;
    args.run.print_written(&[&to])
}
