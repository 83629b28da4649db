//! `wgvae decompress`: the rows of a file that `wgvae compress` wrote.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::run_args::{RunArgs, counting, place_in};
use super::sheet::{Sheet, is_folder, make_folder_of};
use crate::apply::compress::{self, File};
use crate::apply::{Run, RunError};
use crate::data::{self, Provenance, Shape, Split, Values, write};

#[derive(Debug, clap::Args)]
#[command(mut_arg("device", |device| device.default_value("cpu")))]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// The file, or - for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A .npy, .npz, .csv, .parquet or .json file, a name that ends in -ubyte for IDX, as that of MNIST, a folder for one PNG file an image, or
    /// - for CSV on stdout [default: decompressed.npy in the run's folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// The most bytes that are read from stdin, which may never end; of a file four times as many.
const MOST_BYTES: u64 = 1 << 30;

fn read(path: &Path) -> Result<File, RunError> {
    let damaged = |reason: String| RunError::Damaged { path: path.to_path_buf(), reason };
    let content = match path == Path::new("-") {
        true => {
            let mut content = Vec::new();
            let mut stdin = std::io::stdin().lock().take(MOST_BYTES + 1);
            stdin.read_to_end(&mut content).map_err(|error| damaged(error.to_string()))?;
            content
        }
        false => data::content(path, 4 * MOST_BYTES)?,
    };
    if path == Path::new("-") && content.len() as u64 > MOST_BYTES {
        return Err(damaged("stdin has more than 1 GiB: write it into a file first".into()));
    }
    File::of_bytes(&content).map_err(damaged)
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let file = read(&args.file)?;
    let mut model = args.run.model(&run, 1)?;
    let bar = counting("rows", file.rows);
    let rows = compress::decompress(&run, &mut model, &file, &mut |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let to = place_in(&run, args.to.as_deref(), "decompressed.npy")?;
    write(&run, &to, rows)?;
    args.run.told(&[&to])
}

/// Writes rows in the format that the name of the file says.
fn write(run: &Run, to: &Path, rows: Split) -> anyhow::Result<()> {
    let size = match run.data.shape {
        Shape::Image { height, width, channels } => Some((height, width, channels)),
        Shape::Point(_) | Shape::Table(_) => None,
    };
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (is_idx, is_folder) = (name.ends_with("-ubyte"), is_folder(to));
    match (size, &rows.values) {
        (Some(size), Values::Bytes(levels)) if is_idx => {
            make_folder_of(to)?;
            write::write_idx_images(to, size, levels)?;
        }
        (Some(size), Values::Bytes(levels)) if is_folder => write::whole_folder(to, |folder| {
            write::write_class_folders(folder, size, levels, rows.labels.as_deref(), &run.data.classes)
        })?,
        _ => {
            let sheet = Sheet::of(run, rows.numbers(0..rows.rows, run.data.shape.len()), Provenance::Kept);
            let class = |label: &u32| run.data.classes.get(*label as usize).cloned().unwrap_or_default();
            match &rows.labels {
                Some(labels) => sheet.with_classes("label", labels.iter().map(class).collect()).write(to)?,
                None => sheet.write(to)?,
            }
        }
    }
    Ok(())
}
