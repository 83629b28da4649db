//! `wgvae report`: a run's page.

use std::path::{Path, PathBuf};

use super::run_args::{RowsArgs, RunArgs, place_in, told};
use super::run_page;
use super::sheet::put;
use crate::apply::record::{Metrics, Record};
use crate::apply::{Applied, Run, RunError};
use crate::data::Rows;
use crate::report::page;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// The page [default: report.html in the run's folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let rows = args.rows.rows(&run)?;
    let mut model = args.run.model(&run, rows.split.rows)?;
    let to = place_in(&run, args.to.as_deref(), "report.html");
    write(&run, &rows, &mut model, &to)?;
    told(&to);
    Ok(())
}

/// Writes a run's page, with these rows for its pictures.
pub fn write(run: &Run, rows: &Rows, model: &mut Applied, to: &Path) -> Result<(), RunError> {
    let (record, metrics) = (Record::of(&run.path)?, Metrics::of(&run.path)?);
    let page = run_page::page(run, &record, &metrics, rows, model)?;
    put(to, page::html(&page).as_bytes())
}
