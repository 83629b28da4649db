//! `wgvae report`: the HTML page of a run.

use std::path::PathBuf;

use super::run_args::{RowsArgs, RunArgs, place_in};
use super::sheet::put;

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
    let rows = args.rows.rows(&run)?;
    let mut model = args.run.model(&run, rows.split.rows)?;
    let to = place_in(&run, args.to.as_deref(), "report.html")?;
    put(&to, crate::run::page(&run, &rows, &mut model)?.as_bytes())?;
    args.run.told(&[&to])
}
