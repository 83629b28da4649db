//! `wgvae augment`: new examples drawn around existing ones, in the format of the source.

use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::drawn::Table;
use super::run_args::{DrawArgs, RowsArgs, RunArgs, place_in};
use super::sheet::{Sheet, levels, make_folder_of};
use crate::apply::{Run, RunError, draws, statistics};
use crate::data::{Rows, Shape, write};

/// Formats of the new examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A folder of PNG files, classes in subfolders
    Png,
    /// A folder of IDX files
    Idx,
    /// A CSV file with the class in a column
    Csv,
    /// The same as Parquet
    Parquet,
    /// A NPY file, without classes
    Npy,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// How many examples to write [default: 100; with --balance as many as the classes lack]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    count: Option<u64>,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    #[command(flatten)]
    draws: DrawArgs,
    /// Multiply the standard deviation of the draws around each example's code
    #[arg(long, value_name = "X", default_value = "1", allow_negative_numbers = true)]
    temperature: f32,
    /// Format of the new examples [default: that of the run's source]
    #[arg(long)]
    format: Option<Format>,
    /// Folder or file to write [default: augmented in the run's folder]
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    run.expect_prior("augmenting")?;
    draws::expect_temperature(args.temperature)?;
    let format = args.format.unwrap_or_else(|| own_format(&run));
    let is_image = matches!(run.data.shape, Shape::Image { .. });
    if !is_image && matches!(format, Format::Png | Format::Idx) {
        let reason = "only images can be written as png or idx: choose --format csv, parquet or npy".to_string();
        return Err(RunError::Unfit(reason).into());
    }
    let rows = args.rows.train_rows(&run)?;
    let models = models(&rows, args)?;
    let mut model = args.run.model(&run, rows.split.rows)?;
    let codes = model.encode(&rows.split)?.of(models.iter().copied());
    let labels: Option<Vec<u32>> =
        rows.split.labels.as_ref().map(|labels| models.iter().map(|row| labels[*row]).collect());
    let z = draws::around(&codes, args.seed, args.temperature);
    let mut shown = model.show(&z, labels.as_deref().unwrap_or_default())?;
    let table = Table::of(&run, &args.draws)?;
    let is_drawn = args.draws.apply(&run, &model, &mut shown, args.seed)?;
    if let Some(table) = &table {
        table.leave_gaps(&args.draws, &mut model, &z, &mut shown, args.seed)?;
    }
    let closeness = table.as_ref().filter(|_| is_drawn).and_then(|table| table.closeness(&args.draws, &shown));
    let name = match format {
        Format::Png | Format::Idx => "augmented",
        Format::Csv => "augmented.csv",
        Format::Parquet => "augmented.parquet",
        Format::Npy => "augmented.npy",
    };
    let to = place_in(&run, args.to.as_deref(), name);
    let shown = args.draws.sheet(&run, &model, shown, is_drawn);
    let shown = if let Some(table) = &table { table.named(shown, models.len(), args.seed) } else { shown };
    write_as(format, &run, &rows.classes, shown, labels, &to)?;
    args.run.told_with(&[&to], closeness)
}

/// The rows that the new examples are drawn around. With `--balance` the smallest classes get theirs first, until all have as
/// many as the largest.
fn models(rows: &Rows, args: &Args) -> Result<Vec<usize>, RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    let wanted = args.count.map(|count| count as usize);
    if !args.rows.balanced() {
        return Ok((0..wanted.unwrap_or(100)).map(|_| rng.random_range(0..rows.split.rows)).collect());
    }
    let Some(labels) = &rows.split.labels else {
        return Err(RunError::Unfit(
            "the rows have no labels, so there are no classes to balance: leave --balance out".into(),
        ));
    };
    let of = |class: usize| -> Vec<usize> { (0..labels.len()).filter(|row| labels[*row] as usize == class).collect() };
    let members: Vec<Vec<usize>> = (0..rows.classes.len()).map(of).filter(|rows| !rows.is_empty()).collect();
    let sizes: Vec<usize> = members.iter().map(Vec::len).collect();
    let most = sizes.iter().copied().max().unwrap_or(0);
    let lacking: usize = sizes.iter().map(|size| most - size).sum();
    let count = match wanted {
        Some(count) => count,
        None if lacking == 0 => {
            return Err(RunError::Unfit(format!(
                "every class has {most} rows already: say with --count how many more there are to be"
            )));
        }
        None => lacking,
    };
    let added = statistics::levelled(&sizes, count);
    let rows = members.iter().zip(added).flat_map(|(class, added)| std::iter::repeat_n(class, added));
    Ok(rows.map(|class| class[rng.random_range(0..class.len())]).collect())
}

/// The format of the run's source.
fn own_format(run: &Run) -> Format {
    let source = Path::new(&run.config.data.source);
    let names_idx = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("idx"));
    let holds_idx =
        || std::fs::read_dir(source).is_ok_and(|mut all| all.any(|entry| entry.is_ok_and(|e| names_idx(&e.path()))));
    match run.data.shape {
        _ if matches!(super::sheet::extension(source).as_str(), "npy" | "npz") => Format::Npy,
        _ if super::sheet::extension(source) == "parquet" => Format::Parquet,
        Shape::Image { .. } if source.is_file() && names_idx(source) || holds_idx() => Format::Idx,
        Shape::Image { .. } => Format::Png,
        _ => Format::Csv,
    }
}

fn write_as(
    format: Format,
    run: &Run,
    classes: &[String],
    sheet: Sheet,
    labels: Option<Vec<u32>>,
    to: &Path,
) -> anyhow::Result<()> {
    make_folder_of(to)?;
    match (format, run.data.shape) {
        (Format::Png, Shape::Image { height, width, channels }) => write::whole_folder(to, |folder| {
            write::write_class_folders(
                folder,
                (height, width, channels),
                &levels(&sheet.numbers),
                labels.as_deref(),
                classes,
            )
        })?,
        (Format::Idx, Shape::Image { height, width, channels }) => write::whole_folder(to, |folder| {
            write::write_idx_images(
                &folder.join("train-images-idx3-ubyte"),
                (height, width, channels),
                &levels(&sheet.numbers),
            )?;
            match &labels {
                Some(labels) => write::write_idx_labels(&folder.join("train-labels-idx1-ubyte"), labels),
                None => Ok(()),
            }
        })?,
        (Format::Npy, _) => sheet.write(&to.with_extension("npy"))?,
        _ => {
            let mut sheet = sheet;
            if let Some(labels) = &labels {
                let class = |label: &u32| classes.get(*label as usize).cloned().unwrap_or_else(|| label.to_string());
                let name = run.config.data.label.as_deref().unwrap_or("label");
                sheet = sheet.with(name, labels.iter().map(class).collect());
            }
            sheet.write(to)?;
        }
    }
    Ok(())
}
