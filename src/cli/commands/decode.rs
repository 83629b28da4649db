//! `wgvae decode`: latent codes to rows.

use std::path::{Path, PathBuf};

use wgvae::apply::compress::RoundedCodes;
use wgvae::apply::{Run, RunError};

use crate::cli::args::run::RunArgs;
use crate::cli::output::sheet::{Sheet, extension, picture, write_rows};

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] =
    &[("wgvae decode runs/dense-strokes codes.csv --to decoded.npy", "codes that `encode` wrote")];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Latent codes: a .npy file of shape (N, Z), or a CSV or Parquet file with columns mu_0, mu_1, ... or z_0, z_1, ..., or with
    /// any Z columns; or a .wgc file that `encode --bits` wrote
    #[arg(value_name = "FILE")]
    latents: PathBuf,
    /// The class of all rows, for a model that was trained with --condition class [default: the column `label` of the file]
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// A .png, .csv, .parquet, .json, .npy or .npz file, or - for CSV on stdout [default: decoded.png, .csv for rows of a table, .wav
    /// or .mid for sounds]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Images per row of the picture
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=1000))]
    across: u64,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let mut model = args.run.model(&run, 1)?;
    let rounded = packed(&args.latents)?;
    let packed = rounded.is_some();
    let z = match rounded {
        Some(rounded) => rounded.values_for(&mut model)?,
        None => latents(&run, &args.latents)?,
    };
    let shown = model.decoder_output(&z, &classes(args, &run, z.len() / model.latent())?)?;
    let picture = picture(run.data.shape, &shown.means, &shown.means, args.across as usize);
    // What the file says of the rows beside their codes stays with them.
    let sheet = || {
        let kept = match packed {
            true => Vec::new(),
            false => wgvae_data::others(&args.latents, LATENTS, MAX_KEPT)?,
        };
        let sheet = Sheet::of_means(&run, &model, shown);
        Ok(kept.into_iter().fold(sheet, |sheet, (name, words)| sheet.with(&name, words)))
    };
    let to = write_rows(&run, args.to.as_deref(), "decoded", sheet, picture)?;
    args.run.print_written(&[&to])
}

/// The most columns beside the codes that stay with the rows.
const MAX_KEPT: usize = 8;

/// The columns that hold codes start with one of these.
const LATENTS: &[&str] = &["mu", "z"];

/// The classes of the rows, for a conditional model: those of the flag, or else of the file.
fn classes(args: &Args, run: &Run, rows: usize) -> Result<Vec<u32>, RunError> {
    if let Some(class) = &args.class {
        return Ok(vec![run.class(class)?; rows]);
    }
    if !run.config.is_conditional() {
        return Ok(Vec::new());
    }
    if packed(&args.latents)?.is_some() {
        return Err(RunError::Unfit(format!(
            "this model was trained with classes ({}), which {} does not have: say which class to decode with --class",
            wgvae_data::list(&run.data.classes),
            args.latents.display()
        )));
    }
    match wgvae_data::labels(&args.latents, "label")? {
        Some(labels) => labels.iter().map(|label| run.class(label)).collect(),
        None => Err(RunError::Unfit(format!(
            "this model was trained with classes ({}), and {} has no column `label`: say which class to decode with --class",
            wgvae_data::list(&run.data.classes),
            args.latents.display()
        ))),
    }
}

/// The most bytes that are read of a file of codes of few bits.
const MAX_BYTES: u64 = 4 << 30;

/// Codes of few bits, if the file has them.
fn packed(path: &Path) -> Result<Option<RoundedCodes>, RunError> {
    if extension(path) != "wgc" {
        return Ok(None);
    }
    let damaged = |reason: String| RunError::Damaged { path: path.to_path_buf(), reason };
    RoundedCodes::of_bytes(&wgvae_data::content(path, MAX_BYTES)?).map(Some).map_err(damaged)
}

/// Reads `(N, Z)` codes: the columns `mu_*` where the file has any of them, else `z_*`, else all columns.
fn latents(run: &Run, path: &Path) -> Result<Vec<f32>, RunError> {
    let latent = run.config.model.latent;
    let (z, width) = wgvae_data::numbers(path, LATENTS)?;
    match width == latent {
        true => Ok(z),
        false => Err(RunError::Unfit(format!(
            "{} has {width} numbers per row, but the latents of this model have {latent}: give a file with as many",
            path.display()
        ))),
    }
}
