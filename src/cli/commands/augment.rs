//! `wgvae augment`: new examples drawn around existing ones, in the format of the source.

use std::path::{Path, PathBuf};

use wgvae::apply::classes::{self, BalanceError};
use wgvae::apply::{DecoderOutput, Run, RunError, TokenChoice, draws};
use wgvae_data::{Rows, Shape, Sound, write};

use crate::cli::args::run::{DrawArgs, RowsArgs, RunArgs};
use crate::cli::output::drawn::Drawn;
use crate::cli::output::place::place_in;
use crate::cli::output::sheet::{
    FileFormat, Sheet, extension, is_folder, is_own_folder, levels, make_folder_of, write_labels_beside, write_rows,
};
use crate::cli::output::sounds;

/// Formats of the new examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A folder of PNG files, classes in subfolders
    Png,
    /// A folder of IDX files
    Idx,
    /// A CSV file with the class in a column
    Csv,
    /// A Parquet file with the class in a column
    Parquet,
    /// A JSON file with the class in a field of each example
    Json,
    /// A NPY file, and a second one for the numbers of the classes
    Npy,
    /// A NPZ file: the examples as x, their classes as y
    Npz,
    /// WAV files of sounds, MIDI files of music: one file, or a folder with classes in subfolders
    Sound,
}

impl Format {
    /// The format of a file; none for a folder.
    fn of_file(self) -> Option<FileFormat> {
        match self {
            Format::Png | Format::Idx | Format::Sound => None,
            Format::Csv => Some(FileFormat::Csv),
            Format::Parquet => Some(FileFormat::Parquet),
            Format::Json => Some(FileFormat::Json),
            Format::Npy => Some(FileFormat::Npy),
            Format::Npz => Some(FileFormat::Npz),
        }
    }

    fn from(file: FileFormat) -> Self {
        match file {
            FileFormat::Csv => Format::Csv,
            FileFormat::Parquet => Format::Parquet,
            FileFormat::Json => Format::Json,
            FileFormat::Npy => Format::Npy,
            FileFormat::Npz => Format::Npz,
        }
    }
}

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] =
    &[("wgvae augment runs/dense-strokes --count 200 --balance", "more rows of the rarer classes")];

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
    /// Format of the new examples [default: what --to says, or that of the run's source]
    #[arg(long)]
    format: Option<Format>,
    /// A .csv, .parquet, .json, .npy or .npz file, a folder for images, or - for CSV on stdout [default: augmented in the run's folder]
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    run.expect_prior("augmenting")?;
    draws::expect_temperature(args.temperature)?;
    // Texts are written as other commands write them, if no format is named.
    let is_plain = run.data.vocabulary.is_some() && args.format.is_none();
    let placed = if is_plain { None } else { Some(place(args, &run)?) };
    let rows = args.rows.train_rows(&run)?;
    let models = models(&rows, args)?;
    let mut model = args.run.model(&run, rows.split.rows)?;
    let codes = model.encode(&rows.split)?.of(models.iter().copied());
    let labels: Option<Vec<u32>> =
        rows.split.labels.as_ref().map(|labels| models.iter().map(|row| labels[*row]).collect());
    let z = draws::around(&codes, args.seed, args.temperature);
    let classes = labels.as_deref().unwrap_or_default();
    let mut shown = match model.is_of_texts() {
        true => DecoderOutput {
            means: model.decode_tokens(&z, classes, TokenChoice::as_it_is(args.seed), &[])?,
            parameters: Vec::new(),
        },
        false => model.decoder_output(&z, classes)?,
    };
    let drawn = Drawn::of(&run, &args.draws, &mut model, &z, &mut shown, args.seed)?;
    let shown = drawn.sheet(&run, &model, shown, models.len(), args.seed)?;
    let written = match placed {
        Some((format, to)) => write_as(format, &run, &rows.classes, shown, labels, to)?,
        None => {
            let sheet = with_labels(shown, &run, &rows.classes, labels.as_deref());
            vec![write_rows(&run, args.to.as_deref(), "augmented", || Ok(sheet), None)?]
        }
    };
    args.run.print_drawn(&written.iter().map(PathBuf::as_path).collect::<Vec<_>>(), drawn.closeness)
}

/// What is written, and where: the name of a file says its format.
fn place(args: &Args, run: &Run) -> Result<(Format, PathBuf), RunError> {
    let unfit = |reason: String| Err(RunError::Unfit(reason));
    let is_image = matches!(run.data.shape, Shape::Image { .. });
    let only_images = || {
        unfit("only images can be written one by one, as png or idx: choose csv, parquet, json, npy or npz".to_string())
    };
    let Some(to) = &args.to else {
        let format = args.format.unwrap_or_else(|| own_format(run));
        let name = match format {
            Format::Png | Format::Idx if !is_image => return only_images(),
            Format::Png | Format::Idx => "augmented",
            Format::Sound => {
                return Ok((format, place_in(run, None, &format!("augmented.{}", sound_of(run)?.extension()))?));
            }
            Format::Csv => "augmented.csv",
            Format::Parquet => "augmented.parquet",
            Format::Json => "augmented.json",
            Format::Npy => "augmented.npy",
            Format::Npz => "augmented.npz",
        };
        return Ok((format, place_in(run, None, name)?));
    };
    let to = place_in(run, Some(to), "")?;
    let is_sound = run.data.sound.is_some_and(|sound| sounds::takes(sound, &to));
    if args.format == Some(Format::Sound) || args.format.is_none() && is_sound {
        return match is_sound {
            true => Ok((Format::Sound, to)),
            false => unfit(format!("name a folder, or end {} in .{}", to.display(), sound_of(run)?.extension())),
        };
    }
    let (named, is_folder) = (FileFormat::of(&to).filter(|_| !is_own_folder(&to)).map(Format::from), is_folder(&to));
    let shown = to.display();
    let format = match (args.format, named) {
        (None, Some(named)) => named,
        (None, None) if is_folder && is_image => match own_format(run) {
            Format::Idx => Format::Idx,
            _ => Format::Png,
        },
        (None, None) if is_folder => {
            return unfit(format!(
                "{shown} would be a folder, and these rows are no images: end the name in .csv, .parquet, .json, .npy or .npz"
            ));
        }
        (None, None) => {
            let or = if is_image { ", or name a folder" } else { "" };
            return unfit(format!("{}{or}", FileFormat::unknown(&to)));
        }
        (Some(wanted), Some(named)) if wanted != named => {
            let what = extension(&to);
            let what = if what.is_empty() { "csv" } else { &what };
            return unfit(format!(
                "{shown} takes {what}, which is not the --format that was asked for: leave one of the two out"
            ));
        }
        (Some(wanted), _) => wanted,
    };
    match format {
        Format::Png | Format::Idx if !is_image => only_images(),
        Format::Csv | Format::Parquet | Format::Json | Format::Npy | Format::Npz if is_own_folder(&to) => {
            unfit(format!("{shown} is a folder: name a file in it"))
        }
        format => Ok((format, to)),
    }
}

/// The form of a run's sounds.
fn sound_of(run: &Run) -> Result<Sound, RunError> {
    run.data.sound.ok_or_else(|| RunError::Unfit(format!("this run is on {}, not on sounds or music", run.data.shape)))
}

/// The rows that the new examples are drawn around.
fn models(rows: &Rows, args: &Args) -> Result<Vec<usize>, RunError> {
    let count = args.count.map(|count| count as usize);
    if !args.rows.balanced() {
        return Ok(classes::any(rows.split.rows, count.unwrap_or(100), args.seed));
    }
    classes::balanced(rows, count, args.seed).map_err(|error| {
        let advice = match error {
            BalanceError::NoLabels => "leave --balance out",
            BalanceError::Balanced { .. } => "say with --count how many more there are to be",
        };
        RunError::Unfit(format!("{error}: {advice}"))
    })
}

/// The format of the run's source.
fn own_format(run: &Run) -> Format {
    let source = Path::new(&run.config.data.source);
    let names_idx = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("idx"));
    let holds_idx =
        || std::fs::read_dir(source).is_ok_and(|mut all| all.any(|entry| entry.is_ok_and(|e| names_idx(&e.path()))));
    if run.data.sound.is_some() {
        return Format::Sound;
    }
    match (run.data.shape, extension(source).as_str()) {
        // An NPY file has no place for classes.
        (_, "npy" | "npz") if !run.data.classes.is_empty() => Format::Npz,
        (_, "npy" | "npz") => Format::Npy,
        (_, "parquet") => Format::Parquet,
        (Shape::Image { .. }, _) if source.is_file() && names_idx(source) || holds_idx() => Format::Idx,
        (Shape::Image { .. }, _) => Format::Png,
        _ => Format::Csv,
    }
}

/// Writes the examples, and returns what was written.
fn write_as(
    format: Format,
    run: &Run,
    classes: &[String],
    sheet: Sheet,
    labels: Option<Vec<u32>>,
    to: PathBuf,
) -> anyhow::Result<Vec<PathBuf>> {
    if let (Format::Sound, Some(sound)) = (format, run.data.sound) {
        let sheet = with_labels(sheet, run, classes, labels.as_deref());
        sounds::write_sounds(run, sound, &to, &sheet.numbers, sheet.classes())?;
        return Ok(vec![to]);
    }
    make_folder_of(&to)?;
    let file = match (format.of_file(), run.data.shape) {
        (Some(file), _) => file,
        (None, Shape::Image { height, width, channels }) => {
            let (size, levels) = ((height, width, channels), levels(&sheet.numbers));
            write::whole_folder(&to, |folder| match format {
                Format::Idx => {
                    write::write_idx_images(&folder.join("train-images-idx3-ubyte"), size, &levels)?;
                    let place = folder.join("train-labels-idx1-ubyte");
                    labels.as_ref().map_or(Ok(()), |labels| write::write_idx_labels(&place, labels))
                }
                _ => write::write_class_folders(folder, size, &levels, labels.as_deref(), classes),
            })?;
            return Ok(vec![to]);
        }
        (None, _) => return Ok(Vec::new()),
    };
    if let (FileFormat::Npy, Some(labels)) = (file, &labels) {
        let labels_file = write_labels_beside(run, &to, labels)?;
        sheet.write_as(file, &to)?;
        return Ok(vec![to, labels_file]);
    }
    with_labels(sheet, run, classes, labels.as_deref()).write_as(file, &to)?;
    Ok(vec![to])
}

/// The examples with their classes, where they have some.
fn with_labels(sheet: Sheet, run: &Run, classes: &[String], labels: Option<&[u32]>) -> Sheet {
    let Some(labels) = labels else { return sheet };
    let class = |label: &u32| classes.get(*label as usize).cloned().unwrap_or_else(|| label.to_string());
    sheet.with_classes(run.class_column(), labels.iter().map(class).collect())
}
