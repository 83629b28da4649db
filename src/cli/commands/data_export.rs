//! `wgvae data export`: a source as files.

use std::io::Write;
use std::path::{Path, PathBuf};

use wgvae_data::write::{self, Block, TextFormat};
use wgvae_data::{Cell, DataError, Dataset, Dialect, Examples, Form, Provenance, Shape, Values, Vocabulary};
use wgvae_engine::plan::is_missing;

use crate::cli::args::data::SourceArgs;
use crate::cli::output::sheet::{as_text, cell_as_text, extension};
use crate::cli::output::terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Folder to create; it must not exist yet, or be empty
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Format of the files [default: idx for images, txt for texts without classes, csv for everything else]
    #[arg(long)]
    format: Option<Format>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// In CSV files, write cells that begin with =, +, - or @ as text, with a ' before them, so that a spreadsheet computes nothing
    #[arg(long, hide_short_help = true)]
    csv_safe: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum Format {
    /// Images and labels in the format of MNIST
    Idx,
    /// One file per image, one subfolder per class
    Png,
    /// One row per line
    Csv,
    /// Columns of numbers and words
    Parquet,
    /// Arrays of floats
    Npy,
    /// One text per line
    Txt,
    /// Texts, with their classes, as one JSON object per line
    Jsonl,
}

impl Format {
    /// The format of texts that it is.
    fn of_texts(self) -> Option<TextFormat> {
        match self {
            Format::Txt => Some(TextFormat::Lines),
            Format::Jsonl => Some(TextFormat::JsonLines),
            _ => None,
        }
    }
}

/// The format that a data set is written in where none is asked for.
fn usual_format(data: &Dataset, is_image: bool) -> Format {
    match (is_image, data.vocabulary.is_some() && data.train.labels.is_none()) {
        (true, _) => Format::Idx,
        (_, true) => Format::Txt,
        _ => Format::Csv,
    }
}

/// Refuses formats that cannot hold such rows.
fn check(format: Format, data: &Dataset, is_image: bool) -> Result<(), DataError> {
    let refused = |kinds: &str, hold: &str| {
        let reason = format!("must be {kinds} for this source: {hold}, and it has {}", data.shape);
        Err(DataError::Option { option: "--format", reason })
    };
    let is_text = data.vocabulary.is_some();
    match format {
        Format::Idx | Format::Png if !is_image => {
            let kinds = if is_text { "txt, jsonl, csv, parquet or npy" } else { "csv, parquet or npy" };
            refused(kinds, "idx and png hold only images of grey levels or colours")
        }
        Format::Txt | Format::Jsonl if !is_text => refused(
            if is_image { "idx, png, csv, parquet or npy" } else { "csv, parquet or npy" },
            "txt and jsonl hold only texts",
        ),
        _ => Ok(()),
    }
}

/// The texts of a split; none of other rows.
fn texts(data: &Dataset, split: &Examples) -> Option<Vec<String>> {
    let vocabulary = data.vocabulary.as_ref()?;
    let values = split.values.numbers(0..split.values.len());
    let unknown = values.iter().filter(|value| **value == Vocabulary::UNKNOWN as f32).count();
    if unknown > 0 {
        let unit = vocabulary.unit.name();
        warning!("{unknown} {unit} that are not in the vocabulary are written as unknown ones");
    }
    Some(write::decoded(&values, data.shape.len(), vocabulary))
}

#[derive(serde::Serialize)]
struct Done<'a> {
    to: &'a Path,
    format: Format,
    train_rows: usize,
    test_rows: usize,
}

/// Refuses the name of a file: what is written is a folder.
fn expect_folder(to: &Path) -> Result<(), DataError> {
    let formats = ["csv", "tsv", "txt", "jsonl", "parquet", "npy", "npz", "png", "json"];
    let extension = extension(to);
    if to.is_dir() || !formats.contains(&extension.as_str()) {
        return Ok(());
    }
    let reason = format!(
        "would make a folder of the name {}, with a file of training rows and one of test rows: leave the .{extension} out, and say the \
         format with --format",
        to.display()
    );
    Err(DataError::Option { option: "--to", reason })
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    expect_folder(&args.to)?;
    let mut data = args.source.load_with_all_tokens()?;
    let is_image = matches!(data.shape, Shape::Image { .. }) && data.is_bytes();
    let format = args.format.unwrap_or_else(|| usual_format(&data, is_image));
    check(format, &data, is_image)?;
    // Files hold the source's own values: a table's as they stand there.
    let [train, test] =
        [&data.train, &data.test].map(|split| Table::of(&args.source, &data, split, format == Format::Csv));
    let (mut train, mut test) = (train?, test?);
    let [mut train_texts, mut test_texts] = [&data.train, &data.test].map(|split| texts(&data, split));
    if args.csv_safe && format == Format::Csv {
        let all = [&mut train_texts, &mut test_texts].into_iter().flatten().flatten();
        all.for_each(|text| *text = as_text(std::mem::take(text)));
        data.classes.iter_mut().for_each(|class| *class = as_text(std::mem::take(class)));
        for table in [&mut train, &mut test].into_iter().flatten() {
            table.names.iter_mut().for_each(|name| *name = as_text(std::mem::take(name)));
            table.cells.iter_mut().for_each(cell_as_text);
        }
    }
    write::whole_folder(&args.to, |folder| {
        let train = ("train", "train", &data.train, train.as_ref(), train_texts.as_deref());
        let test = ("test", "t10k", &data.test, test.as_ref(), test_texts.as_deref());
        for (name, idx_name, split, table, texts) in [train, test] {
            match format {
                Format::Txt | Format::Jsonl => of_texts(folder, name, format, &data, split, texts)?,
                Format::Idx => idx(folder, idx_name, &data, split)?,
                Format::Png => png(&folder.join(name), &data, split)?,
                Format::Csv => columns(&data, split, table, texts, |rows, blocks, dialect| {
                    write::write_csv(&folder.join(format!("{name}.csv")), rows, blocks, dialect)
                })?,
                Format::Parquet => columns(&data, split, table, texts, |rows, blocks, _| {
                    write::write_parquet(&folder.join(format!("{name}.parquet")), rows, blocks)
                })?,
                Format::Npy => npy(folder, name, &data, split, table)?,
            }
            if let Some(factors) = split.factors.as_ref().filter(|_| !matches!(format, Format::Csv | Format::Parquet)) {
                let block = Block::Places { names: &factors.names, values: &factors.values };
                write::write_csv(
                    &folder.join(format!("{name}-factors.csv")),
                    split.rows,
                    &[block],
                    &Dialect::default(),
                )?;
            }
        }
        Ok(())
    })?;
    let mut out = terminal::out();
    let done = Done { to: &args.to, format, train_rows: data.train.rows, test_rows: data.test.rows };
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&done)?)?;
    } else {
        let Done { train_rows, test_rows, .. } = done;
        writeln!(out, "written  {}: {train_rows} training and {test_rows} test {}", args.to.display(), data.shape)?;
    }
    Ok(())
}

/// An image's size and a split's levels.
fn levels(shape: Shape, split: &Examples) -> ((usize, usize, usize), &[u8]) {
    let size = match shape {
        Shape::Image { height, width, channels } => (height, width, channels),
        Shape::Point(n) | Shape::Table(n) | Shape::Text { length: n, .. } => (1, n, 1),
    };
    match &split.values {
        Values::Bytes(levels) => (size, levels),
        Values::Floats(_) => (size, &[]),
    }
}

fn idx(folder: &Path, name: &str, data: &Dataset, split: &Examples) -> Result<(), DataError> {
    let (size, levels) = levels(data.shape, split);
    let rank = if size.2 == 1 { 3 } else { 4 };
    write::write_idx_images(&folder.join(format!("{name}-images-idx{rank}-ubyte")), size, levels)?;
    match &split.labels {
        Some(labels) => write::write_idx_labels(&folder.join(format!("{name}-labels-idx1-ubyte")), labels),
        None => Ok(()),
    }
}

fn png(folder: &Path, data: &Dataset, split: &Examples) -> Result<(), DataError> {
    let (size, levels) = levels(data.shape, split);
    write::write_class_folders(folder, size, levels, split.labels.as_deref(), &data.classes)
}

/// The rows of a table in its own units: of a file, as they stand there.
struct Table {
    names: Vec<String>,
    /// `(rows, names)`
    cells: Vec<Cell>,
    forms: Vec<Form>,
    dialect: Dialect,
    /// `(rows, C)`: the model's columns as numbers, NaN where one is missing; of words, their places.
    numbers: Vec<f32>,
    width: usize,
}

impl Table {
    fn of(source: &SourceArgs, data: &Dataset, split: &Examples, is_text: bool) -> Result<Option<Self>, DataError> {
        let Some(columns) = &data.columns else { return Ok(None) };
        let values = split.values.numbers(0..split.values.len());
        let of_table = columns.of_table();
        let mut cells = columns.joined(columns.cells(&values, Provenance::Kept));
        let mut numbers = columns.cell_numbers(&values, Provenance::Kept);
        if let Some(file) = wgvae_data::file_rows(&source.path(), Some(split))? {
            let place = |name: &str| file.names.iter().position(|known| known == name);
            for (column, of) in of_table.iter().enumerate() {
                let Some(place) = place(of.name) else { continue };
                let first = &columns.all[of.columns.start];
                for row in 0..split.rows {
                    let exact = match file.cell(row, place) {
                        Cell::Word(_) if first.is_blank(&file.text(row, place)) => Cell::Missing,
                        // Formats with types have numbers as numbers.
                        Cell::Word(word) if !is_text && of.columns.len() == 1 => match first.form.read(word.trim()) {
                            // One that a float has no room for keeps its digits.
                            Some(number) if first.form.is_number() && number.abs() <= 2_f64.powi(53) => {
                                Cell::Exact(number)
                            }
                            _ => Cell::Word(file.text(row, place)),
                        },
                        Cell::Word(_) => Cell::Word(file.text(row, place)),
                        other => other,
                    };
                    if let (Cell::Exact(number), 1) = (&exact, of.columns.len()) {
                        numbers[row * columns.len() + of.columns.start] = *number as f32;
                    }
                    cells[row * of_table.len() + column] = exact;
                }
            }
        }
        Ok(Some(Self {
            names: of_table.iter().map(|column| column.name.to_string()).collect(),
            cells,
            forms: of_table.iter().map(|column| columns.all[column.columns.start].form.clone()).collect(),
            dialect: Dialect { header: true, ..columns.dialect.unwrap_or_default() },
            numbers,
            width: columns.len(),
        }))
    }
}

fn columns(
    data: &Dataset,
    split: &Examples,
    table: Option<&Table>,
    texts: Option<&[String]>,
    write: impl FnOnce(usize, &[Block<'_>], &Dialect) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let names: Vec<String> = (0..data.shape.len()).map(|column| format!("x{column}")).collect();
    let values = numbers(split);
    let mut blocks = vec![match (table, texts) {
        (Some(Table { names, cells, forms, .. }), _) => Block::Cells { names, cells, forms },
        (None, Some(words)) => Block::Words { name: "text", words },
        (None, None) => Block::Numbers { names: &names, values: &values },
    }];
    // A column of the table may have the same name.
    let is_of_table = |name: &str| table.is_some_and(|table| table.names.iter().any(|known| known == name));
    let label = write::apart("label", is_of_table);
    if let Some(labels) = &split.labels {
        blocks.push(Block::Classes { name: &label, labels, classes: &data.classes });
    }
    let is_taken = |name: &str| is_of_table(name) || split.labels.is_some() && name == label;
    let factors = split.factors.as_ref();
    let factor_names: Vec<String> =
        factors.iter().flat_map(|factors| &factors.names).map(|name| write::apart(name, is_taken)).collect();
    if let Some(factors) = factors {
        blocks.push(Block::Places { names: &factor_names, values: &factors.values });
    }
    write(split.rows, &blocks, &table.map_or_else(Dialect::default, |table| table.dialect))
}

fn of_texts(
    folder: &Path,
    name: &str,
    format: Format,
    data: &Dataset,
    split: &Examples,
    texts: Option<&[String]>,
) -> Result<(), DataError> {
    let (Some(of_texts), Some(texts)) = (format.of_texts(), texts) else { return Ok(()) };
    let classes = &data.classes;
    let label = split.labels.as_ref().map(|labels| Block::Classes { name: "label", labels, classes });
    let extension = if of_texts == TextFormat::Lines { "txt" } else { "jsonl" };
    let path = folder.join(format!("{name}.{extension}"));
    write::write_texts(&path, of_texts, texts, label.as_slice(), &Dialect::default())
}

/// The values as they were given: NaN where one is missing.
fn numbers(split: &Examples) -> Vec<f32> {
    let mut numbers = split.values.numbers(0..split.values.len());
    numbers.iter_mut().filter(|value| is_missing(**value)).for_each(|value| *value = f32::NAN);
    numbers
}

fn npy(folder: &Path, name: &str, data: &Dataset, split: &Examples, table: Option<&Table>) -> Result<(), DataError> {
    let shape = match (data.shape, table) {
        (_, Some(table)) => vec![split.rows, table.width],
        (Shape::Image { height, width, channels: 1 }, _) => vec![split.rows, height, width],
        (Shape::Image { height, width, channels }, _) => vec![split.rows, height, width, channels],
        (Shape::Point(n) | Shape::Table(n) | Shape::Text { length: n, .. }, _) => vec![split.rows, n],
    };
    let values = numbers(split);
    write::write_npy(&folder.join(format!("{name}.npy")), &shape, table.map_or(&values, |table| &table.numbers))?;
    match &split.labels {
        Some(labels) => write::write_npy_labels(&folder.join(format!("{name}-labels.npy")), labels),
        None => Ok(()),
    }
}
