//! `wgvae decompress`: the rows of a file that `wgvae compress` wrote.

use std::io::Read;
use std::path::{Path, PathBuf};

use wgvae::apply::compress::{self, CompressedFile, Unpacked};
use wgvae::apply::{Run, RunError};
use wgvae_data::disk;
use wgvae_data::{Examples, Provenance, Shape, Values, write};

use crate::cli::args::run::{RunArgs, counting};
use crate::cli::output::place::place_in;
use crate::cli::output::sheet::{Sheet, extension, is_folder, make_folder_of};

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] =
    &[("wgvae decompress runs/conv-photos photos.wgz --to restored", "as a folder of PNG files")];

#[derive(Debug, clap::Args)]
#[command(mut_arg("device", |device| device.default_value("cpu")))]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// The file, or - for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A .npy, .npz, .csv, .parquet or .json file, a name that ends in -ubyte for IDX, as that of MNIST, a folder for one PNG file an
    /// image, or
    /// - for CSV on stdout [default: decompressed.npy, or .txt for texts, in the run's folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// The most bytes that are read from stdin, which may never end; of a file four times as many.
const MAX_BYTES: u64 = 1 << 30;

fn read(path: &Path) -> Result<CompressedFile, RunError> {
    let damaged = |reason: String| RunError::Damaged { path: path.to_path_buf(), reason };
    let content = match path == Path::new("-") {
        true => {
            let mut content = Vec::new();
            let mut stdin = std::io::stdin().lock().take(MAX_BYTES + 1);
            stdin.read_to_end(&mut content).map_err(|error| damaged(error.to_string()))?;
            content
        }
        false => wgvae_data::content(path, 4 * MAX_BYTES)?,
    };
    if path == Path::new("-") && content.len() as u64 > MAX_BYTES {
        return Err(damaged("stdin has more than 1 GiB: write it into a file first".into()));
    }
    CompressedFile::of_bytes(&content).map_err(damaged)
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let file = read(&args.file)?;
    let mut model = args.run.model(&run, 1)?;
    let name = if run.data.vocabulary.is_some() { "decompressed.txt" } else { "decompressed.npy" };
    let to = place_in(&run, args.to.as_deref(), name)?;
    // Rows wait where there is to be room for the result.
    let is_special = to == Path::new("-") || disk::Destination::of(&to).is_stream();
    let folder = if is_special { std::env::temp_dir() } else { disk::folder_of(&to).to_path_buf() };
    if !is_special {
        make_folder_of(&to)?;
    }
    let bar = counting("rows", file.rows);
    let mut rows = compress::unpack(&run, &mut model, file, &folder, &mut |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    drop(model);
    write(&run, &to, &mut rows)?;
    args.run.print_written(&[&to])
}

/// The sheet of some rows.
fn sheet(run: &Run, rows: &Examples) -> Sheet {
    let numbers = rows.numbers(0..rows.rows, run.data.shape.len());
    let sheet = Sheet::of(run, numbers, Provenance::Kept);
    let class = |label: &u32| run.data.classes.get(*label as usize).cloned().unwrap_or_default();
    match &rows.labels {
        Some(labels) => sheet.with("label", labels.iter().map(class).collect()),
        None => sheet,
    }
}

/// Writes rows in the format that the name of the file says: of numbers, text and IDX some at a time.
fn write(run: &Run, to: &Path, rows: &mut Unpacked) -> anyhow::Result<()> {
    let size = match run.data.shape {
        Shape::Image { height, width, channels } => Some((height, width, channels)),
        Shape::Point(_) | Shape::Table(_) | Shape::Text { .. } | Shape::Series { .. } => None,
    };
    let (count, at_once) = (rows.len(), rows.at_once());
    let parts = (0..count).step_by(at_once).map(|first| first..count.min(first + at_once));
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (is_idx, is_folder) = (name.ends_with("-ubyte"), is_folder(to));
    match (size, run.data.bytes) {
        (Some(size), true) if is_idx => {
            let mut parts = parts;
            let next = || parts.next().map(|part| levels(rows, part)).transpose().map_err(std::io::Error::other);
            write::write_idx_parts(to, size, count, next)?;
        }
        (Some(size), true) if is_folder => {
            let all = rows.rows(0..count)?;
            let Values::Bytes(levels) = &all.values else { return Ok(()) };
            write::whole_folder(to, |folder| {
                write::write_class_folders(folder, size, levels, all.labels.as_deref(), &run.data.classes)
            })?;
        }
        _ if run.data.vocabulary.is_some() => sheet(run, &rows.rows(0..count)?).write(to)?,
        _ if to == Path::new("-") => {
            let mut is_first = true;
            for part in parts {
                sheet(run, &rows.rows(part)?).text_to(std::io::stdout().lock(), is_first)?;
                is_first = false;
            }
        }
        _ if ["csv", "tsv", "txt"].contains(&extension(to).as_str()) => write::whole(to, |out| {
            let mut is_first = true;
            for part in parts {
                let rows = rows.rows(part).map_err(std::io::Error::other)?;
                sheet(run, &rows).text_to(&mut *out, is_first)?;
                is_first = false;
            }
            Ok(())
        })?,
        _ if extension(to) == "npy" => {
            let mut parts = parts;
            let width = run.data.shape.len();
            let numbers = |part: std::ops::Range<usize>| {
                let rows = rows.rows(part)?;
                Ok::<_, RunError>(sheet(run, &rows).numbers)
            };
            let mut numbers = numbers;
            let next = || parts.next().map(&mut numbers).transpose().map_err(std::io::Error::other);
            let extents = sheet(run, &Examples::of_numbers(&[], run.data.bytes, width)).extents;
            let of_row = if extents.is_empty() { vec![width] } else { extents };
            write::write_npy_parts(to, &[vec![count], of_row].concat(), next)?;
        }
        _ => {
            let all = rows.rows(0..count)?;
            sheet(run, &all).write(to)?;
        }
    }
    Ok(())
}

/// The levels of some rows.
fn levels(rows: &mut Unpacked, part: std::ops::Range<usize>) -> Result<Vec<u8>, RunError> {
    match rows.rows(part)?.values {
        Values::Bytes(levels) => Ok(levels),
        Values::Floats(_) => Err(RunError::Content("the rows have no levels".into())),
    }
}
