//! `wgvae data`: a description of a data source.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wgvae::report;
use wgvae_data::{
    Cell, DataError, Dataset, Examples, Form, Shape, Sound, ValueKind, Values, list, mean_and_deviation, shown, write,
};
use wgvae_engine::plan::is_missing;

use crate::cli::args::data::SourceArgs;
use crate::cli::commands::data_export;
use crate::cli::commands::data_series::SeriesReport;
use crate::cli::commands::data_texts::TextReport;
use crate::cli::output::flags::with_flags;
use crate::cli::output::numbers::short;
use crate::cli::output::terminal;

/// Images in the preview.
const PREVIEW: usize = 100;

/// How many classes or columns are listed before the rest is only counted.
const LISTED: usize = 40;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("wgvae data rows.csv --label class", "columns, classes, ranges"),
    ("wgvae data lines.txt", "tokens, lengths, examples of texts"),
    ("wgvae data export strokes:count=100 --to images --format png", "as files"),
];

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    source: SourceArgs,
    /// Where to write a picture of some examples [default: runs/data-NAME/preview.png]
    #[arg(long, value_name = "FILE")]
    preview: Option<PathBuf>,
    /// Draw no picture
    #[arg(long, conflicts_with = "preview")]
    no_preview: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write a source as IDX, PNG, CSV, text or NPY files
    Export(data_export::Args),
}

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    shape: Shape,
    /// How rows stand for sounds or music.
    #[serde(skip_serializing_if = "Option::is_none")]
    sound: Option<Sound>,
    bytes: bool,
    train_rows: usize,
    test_rows: usize,
    /// The range of the values that a model sees: levels in [0, 1], standardised columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    texts: Option<TextReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<SeriesReport<'a>>,
    classes: Vec<Class<'a>>,
    columns: Vec<Column<'a>>,
    #[serde(skip)]
    column_count: usize,
    factors: Vec<Factor<'a>>,
    notes: Vec<Cow<'a, str>>,
    preview: Option<PathBuf>,
}

#[derive(Serialize)]
struct Range {
    min: f32,
    max: f32,
    mean: f64,
}

#[derive(Serialize)]
struct Class<'a> {
    name: &'a str,
    train: usize,
    test: usize,
}

/// In the source's own units.
#[derive(Serialize)]
struct Column<'a> {
    name: &'a str,
    kind: ValueKind,
    #[serde(skip)]
    form: &'a Form,
    /// How many rows have no value.
    missing: usize,
    #[serde(flatten)]
    values: ColumnValues<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ColumnValues<'a> {
    Numbers { mean: f64, deviation: f64, min: f64, max: f64 },
    Words { words: Vec<Counted<'a>> },
}

#[derive(Serialize)]
struct Counted<'a> {
    word: &'a str,
    rows: usize,
}

#[derive(Serialize)]
struct Factor<'a> {
    name: &'a str,
    values: usize,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(Command::Export(export)) = &args.command {
        return data_export::run(export);
    }
    let data = args.source.load()?;
    let preview = if args.no_preview { None } else { preview(&data, args.preview.as_deref())? };
    let report = Report {
        name: &data.name,
        shape: data.shape,
        sound: data.sound,
        bytes: data.is_bytes(),
        train_rows: data.train.rows,
        test_rows: data.test.rows,
        range: data.vocabulary.is_none().then(|| range(&data)),
        texts: TextReport::of(&data),
        series: SeriesReport::of(&data),
        classes: classes(&data),
        columns: columns(&data, if args.json { usize::MAX } else { LISTED }),
        column_count: data.columns.as_ref().map_or(0, |columns| columns.len()),
        factors: factors(&data),
        notes: data.notes.iter().map(|note| with_flags(note)).collect(),
        preview,
    };
    let mut out = terminal::out();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(())
}

fn print(out: &mut impl Write, r: &Report<'_>) -> std::io::Result<()> {
    let what = r.sound.map_or_else(|| r.shape.to_string(), |sound| sound.described(r.shape));
    writeln!(out, "data     {}: {} training and {} test {what}", r.name, r.train_rows, r.test_rows)?;
    let kind = match (r.bytes, r.columns.is_empty() && r.series.is_none()) {
        (true, _) => "levels of 8 bits, scaled",
        (false, true) => "numbers",
        (false, false) => "as a model sees them",
    };
    if let Some(Range { min, max, mean }) = r.range {
        writeln!(out, "values   {kind} from {} to {}, mean {mean:.4}", short(min.into()), short(max.into()))?;
    }
    if let Some(texts) = &r.texts {
        texts.print(out)?;
    }
    if let Some(series) = &r.series {
        match r.sound {
            Some(Sound::PianoRoll { .. }) => series.print_keys(out)?,
            _ => series.print(out)?,
        }
    }
    let more = |out: &mut dyn Write, all: usize| match all.saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(out, "         and {more} more"),
    };
    if !r.classes.is_empty() {
        let width = r.classes.iter().take(LISTED).map(|c| shown(c.name).chars().count()).max().unwrap_or(0).max(5);
        writeln!(out, "classes  {:width$}  {:>8}  {:>8}", "", "training", "test")?;
        for class in r.classes.iter().take(LISTED) {
            writeln!(out, "         {:width$}  {:>8}  {:>8}", shown(class.name), class.train, class.test)?;
        }
        more(out, r.classes.len())?;
    }
    if !r.columns.is_empty() {
        let width = r.columns.iter().take(LISTED).map(|c| shown(c.name).chars().count()).max().unwrap_or(0);
        let numbers = ["mean", "deviation", "min", "max"].map(|name| format!("{name:>11}")).join(" ");
        writeln!(out, "columns  {:width$}  {:8} {:>7} {numbers}", "", "kind", "missing")?;
        for c in r.columns.iter().take(LISTED) {
            let values = match &c.values {
                ColumnValues::Numbers { mean, deviation, min, max } => {
                    // Days and times as the file has them.
                    let said = |v: f64| if c.form.is_time() { c.form.write(v, None) } else { short(v) };
                    [said(*mean), short(*deviation), said(*min), said(*max)].map(|v| format!("{v:>11}")).join(" ")
                }
                ColumnValues::Words { words } => {
                    let words: Vec<String> = words.iter().map(|w| format!("{} {}", shown(w.word), w.rows)).collect();
                    format!("  {}", list(&words))
                }
            };
            writeln!(out, "         {:width$}  {:8} {:>7} {values}", shown(c.name), c.kind.name(), c.missing)?;
        }
        more(out, r.column_count)?;
    }
    if !r.factors.is_empty() {
        let factors: Vec<String> = r.factors.iter().map(|f| format!("{} {}", f.name, f.values)).collect();
        writeln!(out, "factors  {}", factors.join(", "))?;
    }
    for note in &r.notes {
        writeln!(out, "note     {note}")?;
    }
    if let Some(path) = &r.preview {
        writeln!(out, "preview  {}", path.display())?;
    }
    Ok(())
}

fn range(data: &Dataset) -> Range {
    let mut range = Range { min: f32::INFINITY, max: f32::NEG_INFINITY, mean: 0.0 };
    let mut count = 0_usize;
    for split in [&data.train, &data.test] {
        let mut add = |value: f32| {
            range.min = range.min.min(value);
            range.max = range.max.max(value);
            range.mean += f64::from(value);
            count += 1;
        };
        match &split.values {
            Values::Bytes(levels) => levels.iter().for_each(|level| add(f32::from(*level) / 255.0)),
            Values::Floats(values) => values.iter().filter(|value| !is_missing(**value)).for_each(|value| add(*value)),
        }
    }
    range.mean /= count.max(1) as f64;
    range
}

fn classes(data: &Dataset) -> Vec<Class<'_>> {
    let count = |split: &Examples| {
        let mut counts = vec![0; data.classes.len()];
        for label in split.labels.iter().flatten() {
            if let Some(count) = counts.get_mut(*label as usize) {
                *count += 1;
            }
        }
        counts
    };
    let counts = count(&data.train).into_iter().zip(count(&data.test));
    data.classes.iter().zip(counts).map(|(name, (train, test))| Class { name, train, test }).collect()
}

fn columns(data: &Dataset, most: usize) -> Vec<Column<'_>> {
    let Some(columns) = &data.columns else { return Vec::new() };
    columns.by_column(&[&data.train, &data.test], most, |place, cells| {
        let column = &columns.all[place];
        let words = &column.words;
        let number = |cell: &Cell| match cell {
            Cell::Number(number) => Some(f64::from(*number)),
            Cell::Exact(number) => Some(*number),
            Cell::Word(word) => column.form.read(word),
            Cell::Truth(_) | Cell::Missing => None,
        };
        let numbers: Vec<f64> = cells.iter().filter_map(number).collect();
        let values = match words.is_empty() {
            true => {
                let (mean, deviation) = mean_and_deviation(numbers.iter().copied());
                ColumnValues::Numbers {
                    mean,
                    deviation,
                    min: numbers.iter().copied().fold(f64::INFINITY, f64::min),
                    max: numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                }
            }
            false => {
                let mut rows: HashMap<&str, usize> = HashMap::new();
                for cell in cells {
                    if let Cell::Word(word) = cell {
                        *rows.entry(word).or_default() += 1;
                    }
                }
                let first = column.grouped.first().map(|grouped| grouped.word.as_str());
                // Words that are grouped are named by the most frequent of them.
                let met = |word: &str| rows.get(word).copied().unwrap_or(0);
                let mut counted: Vec<Counted> = words
                    .iter()
                    .enumerate()
                    .map(|(place, word)| {
                        let is_group = first.is_some() && place + 1 == words.len();
                        Counted { word, rows: met(first.filter(|_| is_group).unwrap_or(word)) }
                    })
                    .collect();
                counted.sort_by_key(|counted| std::cmp::Reverse(counted.rows));
                ColumnValues::Words { words: counted }
            }
        };
        let missing = cells.iter().filter(|cell| **cell == Cell::Missing).count();
        Column { name: &column.name, kind: column.kind, form: &column.form, missing, values }
    })
}

fn factors(data: &Dataset) -> Vec<Factor<'_>> {
    let Some(factors) = &data.train.factors else { return Vec::new() };
    factors.names.iter().zip(&factors.counts).map(|(name, values)| Factor { name, values: *values }).collect()
}

/// A grid of images spread over the training rows, or a plot of 2-D points.
fn preview(data: &Dataset, path: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    let train = &data.train;
    let picture = match data.shape {
        Shape::Image { height, width, channels } => {
            let stride = data.shape.len();
            let shown = train.rows.min(PREVIEW);
            let rows = (0..shown).map(|i| i * train.rows / shown);
            let mut levels: Vec<f32> =
                rows.flat_map(|row| train.values.numbers(row * stride..(row + 1) * stride)).collect();
            if !data.is_bytes() {
                stretch(&mut levels);
            }
            report::grid(&levels, (height, width, channels), 10)
        }
        Shape::Point(2) => {
            let shown = train.rows.min(5000);
            report::scatter(&train.values.numbers(0..2 * shown), &[])
        }
        _ => return Ok(None),
    };
    let path = path
        .map_or_else(|| Path::new("runs").join(format!("data-{}", data.name)).join("preview.png"), Path::to_path_buf);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|source| DataError::Write { path: folder.to_path_buf(), source })?;
    }
    let size = (picture.height() as usize, picture.width() as usize, usize::from(picture.color().channel_count()));
    write::write_png(&path, size, picture.as_bytes())?;
    Ok(Some(path))
}

/// Scales numbers of any range to [0, 1].
fn stretch(levels: &mut [f32]) {
    let there = |level: &&mut f32| !is_missing(**level);
    let (low, high) = levels
        .iter()
        .filter(|level| !is_missing(**level))
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
    let span = if high > low { high - low } else { 1.0 };
    levels.iter_mut().filter(there).for_each(|level| *level = (*level - low) / span);
}
