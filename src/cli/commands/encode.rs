//! `wgvae encode`: rows to latent codes.

use std::path::{Path, PathBuf};

use wgvae::apply::compress::{MAX_BITS, RoundedCodes};
use wgvae::apply::{Codes, Run, RunError, TrainedModel, draws};
use wgvae_data::{DataError, Examples, Identifier, Rows};
use wgvae_engine::plan::is_missing;

use crate::cli::args::run::{RowsArgs, RunArgs, known_columns};
use crate::cli::output::place::place_in;
use crate::cli::output::sheet::{Sheet, write_file, write_labels_beside};

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

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] =
    &[("wgvae encode runs/dense-strokes --to codes.csv", "means and variances of the test rows")];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// Which parts of the codes to write [default: all; mu for a .npy file]
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Round the means to this many bits each: to places that are equally probable under the prior; from 1 to 12. A .wgc file has nothing
    /// else
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_BITS)))]
    bits: Option<u32>,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// A .csv, .parquet, .json or .npz file, a .npy file (class numbers go to a second file next to it), with --bits a .wgc file, or - for
    /// CSV on stdout [default: codes.csv in the run's folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Adds the origins and labels of rows from a source, where they are known, and what names them in a table.
pub fn with_names(mut sheet: Sheet, run: &Run, source: &str, rows: &Rows) -> Result<Sheet, DataError> {
    if let Some(origins) = &rows.split.origins {
        sheet = sheet.with("origin", (0..rows.split.rows).map(|row| origins.of(row).unwrap_or_default()).collect());
    }
    let identifiers = match run.data.vocabulary {
        // Lines of texts are no rows of a table.
        Some(_) => Vec::new(),
        None => wgvae_data::identifiers(Path::new(source), &known_columns(run), Some(&rows.split))?,
    };
    for Identifier { name, words, .. } in identifiers {
        sheet = sheet.with(&name, words);
    }
    if let Some(labels) = &rows.split.labels {
        let name = |label: &u32| rows.classes.get(*label as usize).cloned().unwrap_or_else(|| label.to_string());
        sheet = sheet.with_classes("label", labels.iter().map(name).collect());
    }
    Ok(sheet)
}

fn sheet(run: &Run, codes: &Codes, parts: &[Part], seed: u64) -> Sheet {
    let wanted = |part: Part| parts.is_empty() || parts.contains(&part);
    let z = draws::around(codes, seed, 1.0);
    let mut kept: Vec<(&str, &[f32])> = Vec::new();
    if wanted(Part::Mu) {
        kept.push(("mu", &codes.mu));
    }
    // An autoencoder's code has no variance.
    if wanted(Part::Logvar) && !codes.logvar.is_empty() {
        kept.push(("logvar", &codes.logvar));
    }
    if wanted(Part::Z) && !codes.logvar.is_empty() {
        kept.push(("z", &z));
    }
    let latent = codes.latent;
    let names = kept.iter().flat_map(|(name, _)| (0..latent).map(move |i| format!("{name}_{i}"))).collect();
    let row = |r: usize| kept.iter().flat_map(move |(_, all)| &all[r * latent..(r + 1) * latent]).copied();
    Sheet { names, numbers: (0..codes.rows()).flat_map(row).collect(), ..Sheet::like(run) }
}

/// Says how many bytes rounded codes take, and how far rows are from what the decoder makes of codes, before they were rounded and after.
fn said(
    run: &Run,
    model: &mut TrainedModel,
    rows: &Examples,
    codes: [&[f32]; 2],
    rounded: &RoundedCodes,
) -> anyhow::Result<()> {
    let width = run.data.shape.len();
    let x = rows.numbers(0..rows.rows, width);
    let classes = rows.labels.clone().filter(|_| model.is_conditional()).unwrap_or_default();
    let mut far = |z: &[f32]| -> Result<f64, RunError> {
        let shown = model.decode_as(z, &classes)?;
        let squares = shown.iter().zip(&x).filter(|(_, x)| !is_missing(**x)).map(|(a, b)| f64::from(a - b).powi(2));
        Ok(squares.clone().sum::<f64>() / squares.count().max(1) as f64)
    };
    let (before, after) = (far(codes[0])?, far(codes[1])?);
    let (bits, all) = (rounded.bits, rounded.bits as usize * rounded.latent);
    warning!(
        "rounded  to {bits} bits a dimension, {:.1} bytes a row: rows are {after:.5} away (mean square), {before:.5} without rounding",
        all as f64 / 8.0
    );
    Ok(())
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    if args.bits.is_some() {
        run.expect_prior("rounding codes to places of the prior")?;
        if args.only.iter().any(|part| *part != Part::Mu) {
            let what = "--bits rounds the means, and there is nothing else of such codes: leave --only out";
            return Err(RunError::Unfit(what.into()).into());
        }
    }
    let rows = args.rows.rows(&run)?;
    let mut model = args.run.model(&run, rows.split.rows)?;
    let mut codes = model.encode(&rows.split)?;
    let to = place_in(&run, args.to.as_deref(), "codes.csv")?;
    let is_packed = crate::cli::output::sheet::extension(&to) == "wgc";
    if is_packed && args.bits.is_none() {
        return Err(RunError::Unfit("a .wgc file has codes of few bits: say how many with --bits".into()).into());
    }
    if let Some(bits) = args.bits {
        let rounded = RoundedCodes::of(&mut model, &codes.mu, bits)?;
        let values = rounded.values(model.prior());
        said(&run, &mut model, &rows.split, [&codes.mu, &values], &rounded)?;
        (codes.mu, codes.logvar) = (values, Vec::new());
        if is_packed {
            write_file(&to, &rounded.to_bytes())?;
            return args.run.print_written(&[&to]);
        }
    }
    let only_mu = args.only.is_empty() && crate::cli::output::sheet::extension(&to) == "npy";
    let parts = if only_mu { &[Part::Mu][..] } else { &args.only };
    let sheet = with_names(sheet(&run, &codes, parts, args.seed), &run, args.rows.source(&run), &rows)?;
    // An NPY file has no column for words, so class numbers go to a second file.
    if crate::cli::output::sheet::extension(&to) == "npy"
        && let Some(labels) = &rows.split.labels
    {
        let labels = write_labels_beside(&run, &to, labels)?;
        sheet.write(&to)?;
        return args.run.print_written(&[&to, &labels]);
    }
    sheet.write(&to)?;
    args.run.print_written(&[&to])
}
