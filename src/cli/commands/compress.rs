//! `wgvae compress`: rows in few bytes, from which they come back bit for bit.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;
use wgvae::apply::Run;
use wgvae::apply::compress::{self, Alphabet};
use wgvae_data::Examples;

use crate::cli::args::run::{RowsArgs, RunArgs, counting, print_written};
use crate::cli::output::place::place_in;
use crate::cli::output::sheet::write_file;
use crate::cli::output::terminal;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("wgvae compress runs/dense-sprites --to sprites.wgz", "the test rows, with a model of zeros and ones"),
    ("wgvae compress runs/conv-photos photos/ --to photos.wgz", "images of a folder, level by level"),
    ("wgvae compress runs/text-grammar", "texts, token by token"),
];

#[derive(Debug, clap::Args)]
// What the processor computes is the same on many machines.
#[command(mut_arg("data", |data| data.long(None).value_name("DATA")), mut_arg("device", |device| device.default_value("cpu")))]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// The file to write [default: rows.wgz in the run's folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Serialize)]
struct Figures {
    run: String,
    to: String,
    rows: usize,
    dimensions: usize,
    /// All of the file.
    bytes: usize,
    bits_per_dimension: f64,
    /// What the model's negative ELBO says.
    elbo_bits_per_dimension: f64,
    /// The rows as they are: a bit for 0 or 1, a byte for a level, a text as it is with a line break.
    raw_bytes: usize,
}

/// Draws of the latent for each row in the ELBO: so many in all.
const DRAWS: usize = 20_000;

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let alphabet = Alphabet::of(&run)?;
    let rows = args.rows.rows(&run)?.split;
    let mut model = args.run.model(&run, 1)?;
    let bar = counting("rows", 2 * rows.rows);
    let file = compress::compress(&run, &mut model, &rows, &mut |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let bytes = file.to_bytes();
    let draws = (DRAWS / rows.rows).clamp(1, 100);
    let dimensions = model.width();
    let (values, raw_bytes) = sizes(&run, alphabet, &rows);
    let to = place_in(&run, args.to.as_deref(), "rows.wgz")?;
    let figures = Figures {
        run: run.files.to_string(),
        to: to.display().to_string(),
        rows: rows.rows,
        dimensions,
        bytes: bytes.len(),
        bits_per_dimension: 8.0 * bytes.len() as f64 / values as f64,
        elbo_bits_per_dimension: compress::elbo_bits(&run, &mut model, &rows, draws)? * rows.rows as f64
            / values as f64,
        raw_bytes,
    };
    write_file(&to, &bytes)?;
    if to == std::path::Path::new("-") {
        return Ok(());
    }
    let mut out = terminal::out();
    if args.run.json {
        writeln!(out, "{}", serde_json::to_string(&figures)?)?;
        return Ok(());
    }
    let f = &figures;
    match alphabet {
        Alphabet::Bits => writeln!(out, "rows            {} of {} zeros and ones", f.rows, f.dimensions)?,
        Alphabet::Levels => writeln!(out, "rows            {} of {} levels", f.rows, f.dimensions)?,
        Alphabet::Tokens => writeln!(out, "rows            {} of at most {} tokens", f.rows, f.dimensions)?,
    }
    let times = f.raw_bytes as f64 / f.bytes as f64;
    writeln!(out, "bytes           {}, of {} as they are: {times:.2} times fewer", f.bytes, f.raw_bytes)?;
    let (bits, elbo) = (f.bits_per_dimension, f.elbo_bits_per_dimension);
    let of = if alphabet == Alphabet::Tokens { "bits per token " } else { "bits per value " };
    writeln!(out, "{of} {bits:.4}, where the model's negative ELBO is {elbo:.4}")?;
    writeln!(out, "checked         all rows came back as they were")?;
    drop(out);
    print_written(&to)?;
    Ok(())
}

/// How many values rows have, and the bytes that they take as they are.
fn sizes(run: &Run, alphabet: Alphabet, rows: &Examples) -> (usize, usize) {
    let values = rows.rows * run.data.shape.len();
    match alphabet {
        Alphabet::Bits => (values, values.div_ceil(8)),
        Alphabet::Levels => (values, values),
        Alphabet::Tokens => {
            let texts = run.texts(rows).unwrap_or_default();
            (run.count_tokens(rows), texts.iter().map(|text| text.len() + 1).sum())
        }
    }
}
