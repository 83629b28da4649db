//! `wgvae encode`: rows to latent codes.

use std::path::{Path, PathBuf};

use super::run_args::{RowsArgs, RunArgs, place_in, told};
use super::sheet::Sheet;
use crate::apply::{Codes, Run, draws};
use crate::data::{self, Rows, write};

/// The parts of a code that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The means
    Mu,
    /// The logarithms of the variances
    Logvar,
    /// One draw from each code's distribution
    Z,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// Which parts of the codes to write [default: all; mu for a .npy file]
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// A .csv, .parquet or .json file, a .npy file (class numbers go to a second file next to it), or - for CSV
    /// on stdout [default: codes.csv in the run's folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Adds the origins and labels of rows from a source, where they are known, and what names them in a table.
pub fn with_names(mut sheet: Sheet, run: &Run, source: &str, rows: &Rows) -> Sheet {
    if let Some(origins) = &rows.split.origins {
        sheet = sheet.with("origin", (0..rows.split.rows).map(|row| origins.of(row).unwrap_or_default()).collect());
    }
    let known = run.data.columns.iter().flat_map(|columns| &columns.names).chain(&run.config.data.label);
    let known: Vec<&str> = known.map(String::as_str).collect();
    // They were read a moment ago; what cannot be read now only names the rows.
    for (name, words) in data::identifiers(Path::new(source), &known, &rows.split).unwrap_or_default() {
        sheet = sheet.with(&name, words);
    }
    if let Some(labels) = &rows.split.labels {
        let name = |label: &u32| rows.classes.get(*label as usize).cloned().unwrap_or_else(|| label.to_string());
        sheet = sheet.with("label", labels.iter().map(name).collect());
    }
    sheet
}

fn sheet(run: &Run, codes: &Codes, parts: &[Part], seed: u64) -> Sheet {
    let wanted = |part: Part| parts.is_empty() || parts.contains(&part);
    let z = draws::around(codes, seed, 1.0);
    let mut kept: Vec<(&str, &[f32])> = Vec::new();
    if wanted(Part::Mu) {
        kept.push(("mu", &codes.mu));
    }
    // An autoencoder's code has no variance.
    if wanted(Part::Logvar) && run.has_prior() {
        kept.push(("logvar", &codes.logvar));
    }
    if wanted(Part::Z) && run.has_prior() {
        kept.push(("z", &z));
    }
    let latent = codes.latent;
    let names = kept.iter().flat_map(|(name, _)| (0..latent).map(move |i| format!("{name}_{i}"))).collect();
    let row = |r: usize| kept.iter().flat_map(move |(_, all)| &all[r * latent..(r + 1) * latent]).copied();
    Sheet { names, numbers: (0..codes.rows()).flat_map(row).collect(), ..Sheet::default() }
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let rows = args.rows.rows(&run)?;
    let mut model = args.run.model(&run, rows.split.rows)?;
    let codes = model.encode(&rows.split)?;
    let to = place_in(&run, args.to.as_deref(), "codes.csv");
    let only_mu = args.only.is_empty() && super::sheet::extension(&to) == "npy";
    let parts = if only_mu { &[Part::Mu][..] } else { &args.only };
    let sheet = with_names(sheet(&run, &codes, parts, args.seed), &run, args.rows.source(&run), &rows);
    sheet.write(&to)?;
    told(&to)?;
    // An NPY file has no column for words, so class numbers go to a second file.
    if super::sheet::extension(&to) == "npy"
        && let Some(labels) = &rows.split.labels
    {
        let stem = to.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let beside = to.with_file_name(format!("{stem}-labels.npy"));
        write::write_npy_labels(&beside, labels)?;
        told(&beside)?;
    }
    Ok(())
}
