//! Tables of text and numbers, written in the format that the file's extension names.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use wgvae::apply::{DecoderOutput, Run, RunError, TrainedModel, units};
use wgvae::report;
use wgvae::run::png;
use wgvae_data::disk::Destination;
use wgvae_data::write::{self, Block, NpzArray};
use wgvae_data::{Cell, Columns, Dialect, Form, Provenance, Series, Shape, TableColumn};

use crate::cli::output::place::place_in;
pub use crate::cli::output::place::{extension, is_folder, is_own_folder, make_folder_of};
use crate::cli::output::sounds;
use crate::cli::output::terminal;

/// Whether CSV is written for spreadsheets.
static IS_SAFE: AtomicBool = AtomicBool::new(false);

/// Has CSV written so that a spreadsheet computes nothing of it, as the flag of a command says.
pub fn write_safely(is_safe: bool) {
    IS_SAFE.store(is_safe, Ordering::Relaxed);
}

/// A word as a spreadsheet takes it for text: a number is one, and what begins as a formula does gets a quote.
pub fn as_text(word: String) -> String {
    let is_formula = word.starts_with(['=', '+', '-', '@', '\t', '\r']) && word.trim().parse::<f64>().is_err();
    if is_formula { format!("'{word}") } else { word }
}

/// Makes the word in a cell one that a spreadsheet takes for text: see [`as_text`].
pub fn cell_as_text(cell: &mut Cell) {
    if let Cell::Word(word) = cell {
        *word = as_text(std::mem::take(word));
    }
}

/// A table: some columns of text, then columns of values.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    /// Names and values of the text columns.
    pub text: Vec<(String, Vec<String>)>,
    /// Names of the other columns.
    pub names: Vec<String>,
    /// `(N, names)`, or the columns of a model: numbers, row by row.
    pub numbers: Vec<f32>,
    /// `(N, names)`: what they are in the data's own table.
    pub cells: Option<Vec<Cell>>,
    /// How the file of that table has the numbers of each column.
    pub forms: Vec<Form>,
    /// How that file is written.
    pub dialect: Dialect,
    /// The extents of a row in an array; none for a row of numbers.
    pub extents: Vec<usize>,
    /// The name of the text column that holds classes; none if it is empty.
    pub class: String,
    /// Whether the rows are texts: the numbers are those of their tokens.
    pub is_text: bool,
    /// How the rows are written step by step, where they are series.
    pub series: Option<SeriesForm>,
}

/// How rows are series.
#[derive(Debug, Clone)]
pub struct SeriesForm {
    /// The channels, and what names a series and a time.
    pub series: Series,
    /// The steps of a row.
    pub steps: usize,
}

impl Sheet {
    /// An empty one, which will be written as the file of a run's table is; columns always have names.
    pub fn like(run: &Run) -> Self {
        let dialect = run.data.columns.as_ref().and_then(|columns| columns.dialect).unwrap_or_default();
        Self { dialect: Dialect { header: true, ..dialect }, ..Self::default() }
    }

    /// Rows of a model's data, in the data's own units.
    pub fn of(run: &Run, values: Vec<f32>, of: Provenance) -> Self {
        match &run.data.columns {
            Some(columns) => Self::of_cells(run, columns, columns.cells(&values, of), of),
            None => match Self::of_texts(run, &values).or_else(|| Self::of_series(run, &values)) {
                Some(sheet) => sheet,
                None => Self { numbers: values, ..Self::without_columns(run) },
            },
        }
    }

    /// Means of rows that the decoder shows, in the data's own units.
    pub fn of_means(run: &Run, model: &TrainedModel, shown: DecoderOutput) -> Self {
        match (&run.data.columns, units::cells(run, model, &shown)) {
            (Some(columns), Some(cells)) => Self::of_cells(run, columns, cells, Provenance::Mean),
            _ => Self::of(run, shown.means, Provenance::Mean),
        }
    }

    fn without_columns(run: &Run) -> Self {
        let extents = match run.data.shape {
            Shape::Image { height, width, channels: 1 } => vec![height, width],
            Shape::Image { height, width, channels } => vec![height, width, channels],
            Shape::Series { length, channels } => vec![length, channels],
            Shape::Point(_) | Shape::Table(_) | Shape::Text { .. } => Vec::new(),
        };
        Self { names: names_of(run.data.shape, None), extents, ..Self::default() }
    }

    /// Cells `(N, C)` of a model's columns, as its table has them.
    fn of_cells(run: &Run, columns: &Columns, cells: Vec<Cell>, of: Provenance) -> Self {
        let numbers = columns.numbers_of(&cells);
        let of_table = columns.of_table();
        let names = of_table.iter().map(|column| column.name.to_string()).collect();
        let form = |column: &TableColumn| {
            let form = &columns.all[column.columns.start].form;
            if of == Provenance::Mean { form.loose() } else { form.clone() }
        };
        let forms = of_table.iter().map(form).collect();
        let dialect = columns.dialect.unwrap_or_default();
        let cells = columns.joined(cells);
        Self { names, numbers, cells: Some(cells), forms, dialect, ..Self::like(run) }
    }

    /// The rows of several sheets, the first of each before the second of any, numbered in a text column.
    pub fn in_turn(name: &str, all: Vec<Self>) -> Self {
        let (count, sheets) = (all.first().map_or(0, Self::rows), all.len());
        let Some(names) = all.first().map(|sheet| sheet.names.clone()) else { return Self::default() };
        let width = names.len();
        let order = || (0..count).flat_map(|row| (0..sheets).map(move |sheet| (row, sheet)));
        let span = |row: usize| row * width..(row + 1) * width;
        // Numbers are of a model's columns, which may be more.
        let of_model = all[0].numbers.len() / count.max(1);
        let mut text = vec![(name.to_string(), order().map(|(_, sheet)| sheet.to_string()).collect())];
        for (column, (name, _)) in all[0].text.iter().enumerate() {
            text.push((name.clone(), order().map(|(row, sheet)| all[sheet].text[column].1[row].clone()).collect()));
        }
        let numbers = order()
            .flat_map(|(row, sheet)| all[sheet].numbers[row * of_model..(row + 1) * of_model].iter().copied())
            .collect();
        let cells = all.iter().map(|sheet| sheet.cells.as_ref()).collect::<Option<Vec<_>>>();
        let cells = cells.map(|cells| order().flat_map(|(row, sheet)| cells[sheet][span(row)].to_vec()).collect());
        let first = &all[0];
        let (forms, extents, class) = (first.forms.clone(), first.extents.clone(), first.class.clone());
        let series = first.series.clone();
        Self {
            text,
            names,
            numbers,
            cells,
            forms,
            dialect: first.dialect,
            extents,
            class,
            is_text: first.is_text,
            series,
        }
    }

    /// Adds a text column before the others.
    pub fn with(mut self, name: &str, values: Vec<String>) -> Self {
        self.text.push((name.to_string(), values));
        self
    }

    /// Adds a column of text among those of a table.
    pub fn insert(&mut self, place: usize, name: &str, words: Vec<String>) {
        let place = place.min(self.names.len());
        let Some(cells) = self.cells.take() else { return };
        let width = self.names.len().max(1);
        let mut joined = Vec::with_capacity(cells.len() + words.len());
        for (row, word) in cells.chunks(width).zip(words) {
            joined.extend_from_slice(&row[..place]);
            joined.push(Cell::Word(word));
            joined.extend_from_slice(&row[place..]);
        }
        self.cells = Some(joined);
        self.names.insert(place, name.into());
        self.forms.insert(place, Form::default());
    }

    /// The classes of the rows, if the sheet has them.
    pub fn classes(&self) -> Option<&[String]> {
        let class = if self.class.is_empty() { "label" } else { &self.class };
        self.text.iter().find(|(name, _)| name == class).map(|(_, words)| &words[..])
    }

    /// Adds the column of classes before the others.
    pub fn with_classes(self, name: &str, values: Vec<String>) -> Self {
        Self { class: name.to_string(), ..self.with(name, values) }
    }

    fn rows(&self) -> usize {
        match (self.names.len(), &self.cells, self.text.first()) {
            (0, _, text) => text.map_or(0, |(_, values)| values.len()),
            (columns, Some(cells), _) => cells.len() / columns,
            (columns, None, _) => self.numbers.len() / columns,
        }
    }

    /// The names of the text columns, none of which is that of another column, then those of the others: these are as they are where they
    /// are a file's own, which may have one twice.
    fn heads(&self, are_apart: bool) -> (Vec<String>, Vec<String>) {
        let mut names = Vec::with_capacity(self.names.len());
        let mut taken: HashSet<String> = if are_apart { HashSet::new() } else { self.names.iter().cloned().collect() };
        for name in &self.names {
            let name = if are_apart { write::apart(name, |name| taken.contains(name)) } else { name.clone() };
            taken.insert(name.clone());
            names.push(name);
        }
        let mut text = Vec::with_capacity(self.text.len());
        for (name, _) in &self.text {
            let name = write::apart(name, |name| taken.contains(name));
            taken.insert(name.clone());
            text.push(name);
        }
        (text, names)
    }

    fn blocks<'a>(&'a self, (text, names): &'a (Vec<String>, Vec<String>)) -> Vec<Block<'a>> {
        let words = text.iter().zip(&self.text).map(|(name, (_, words))| Block::Words { name, words });
        let values = &self.numbers[..];
        let last = match &self.cells {
            Some(cells) => Block::Cells { names, cells, forms: &self.forms },
            None => Block::Numbers { names, values },
        };
        // The numbers of tokens say nothing to a reader.
        words.chain([last].into_iter().filter(|_| !self.is_text)).collect()
    }

    fn value(&self, place: usize) -> serde_json::Value {
        match self.cells.as_ref().map(|cells| &cells[place]) {
            None => number(&self.numbers[place].to_string()),
            Some(Cell::Number(value)) => number(&value.to_string()),
            Some(Cell::Exact(value)) => number(&value.to_string()),
            // `4` is a number, with all of its digits; `04` is a word.
            Some(Cell::Word(word)) if word.parse::<i64>().is_ok_and(|n| n.to_string() == *word) => number(word),
            Some(Cell::Word(word)) if word.parse::<f64>().is_ok_and(|n| n.is_finite() && n.to_string() == *word) => {
                number(word)
            }
            Some(Cell::Word(word)) => word.clone().into(),
            Some(Cell::Truth(truth)) => (*truth).into(),
            Some(Cell::Missing) => serde_json::Value::Null,
        }
    }

    fn json(&self) -> String {
        let width = self.names.len();
        let (text, names) = self.heads(true);
        let row = |row: usize| -> serde_json::Map<String, serde_json::Value> {
            let text =
                text.iter().zip(&self.text).map(|(name, (_, values))| (name.clone(), values[row].clone().into()));
            let values = names.iter().enumerate().map(|(i, name)| (name.clone(), self.value(row * width + i)));
            text.chain(values).collect()
        };
        let mut out = String::from("[");
        for i in 0..self.rows() {
            out += if i == 0 { "\n" } else { ",\n" };
            out += &serde_json::Value::Object(row(i)).to_string();
        }
        out + "\n]\n"
    }

    /// A copy of the rows that has no formulas for a spreadsheet.
    fn safe(&self) -> Self {
        let mut sheet = self.clone();
        for (name, words) in &mut sheet.text {
            words.iter_mut().chain([name]).for_each(|word| *word = as_text(std::mem::take(word)));
        }
        sheet.names.iter_mut().for_each(|name| *name = as_text(std::mem::take(name)));
        sheet.cells.iter_mut().flatten().for_each(cell_as_text);
        sheet
    }

    /// Writes text: with a header, or as rows that follow others.
    pub fn text_to(&self, out: impl Write, is_first: bool) -> std::io::Result<()> {
        let safe = IS_SAFE.load(Ordering::Relaxed).then(|| self.safe());
        let sheet = safe.as_ref().unwrap_or(self);
        let heads = sheet.heads(false);
        let Dialect { header, mark, .. } = sheet.dialect;
        let dialect = Dialect { header: header && is_first, mark: mark && is_first, ..sheet.dialect };
        write::csv_to(out, sheet.rows(), &sheet.blocks(&heads), &dialect)
    }

    /// Writes the format that the name says; `-` is stdout, as CSV.
    pub fn write(&self, to: &Path) -> anyhow::Result<()> {
        if self.is_text {
            return self.write_texts(to);
        }
        if self.series.is_some() {
            return self.write_series(to);
        }
        match FileFormat::of(to) {
            Some(format) => self.write_as(format, to),
            None => Err(FileFormat::unknown(to).into()),
        }
    }

    /// Writes CSV, Parquet, JSON, NPY or NPZ. NPY has the numbers alone; NPZ has them as `x`, classes as `y`, and other text by its name.
    pub fn write_as(&self, format: FileFormat, to: &Path) -> anyhow::Result<()> {
        match format == FileFormat::Csv && IS_SAFE.load(Ordering::Relaxed) {
            true => self.safe().write_as_it_is(format, to),
            false => self.write_as_it_is(format, to),
        }
    }

    fn write_as_it_is(&self, format: FileFormat, to: &Path) -> anyhow::Result<()> {
        if to == Path::new("-") {
            let heads = self.heads(false);
            let (rows, blocks) = (self.rows(), self.blocks(&heads));
            return Ok(write::csv_to(terminal::results(), rows, &blocks, &self.dialect)?);
        }
        make_folder_of(to)?;
        let width = self.numbers.len() / self.rows().max(1);
        let of_row = if self.extents.is_empty() { vec![width] } else { self.extents.clone() };
        let shape = [vec![self.rows()], of_row].concat();
        match format {
            FileFormat::Csv => write::write_csv(to, self.rows(), &self.blocks(&self.heads(false)), &self.dialect)?,
            FileFormat::Parquet => write::write_parquet(to, self.rows(), &self.blocks(&self.heads(true)))?,
            FileFormat::Json => write_file(to, self.json().as_bytes())?,
            FileFormat::Npy => write::write_npy(to, &shape, &self.numbers)?,
            FileFormat::Npz => {
                let name = |name: &String| if *name == self.class { "y".to_string() } else { name.clone() };
                let names: Vec<String> = self.text.iter().map(|(text, _)| name(text)).collect();
                let x = NpzArray::Numbers { shape: &shape, values: &self.numbers };
                let text =
                    names.iter().zip(&self.text).map(|(name, (_, words))| (name.as_str(), NpzArray::Words(words)));
                // Two arrays of one name are one file for whoever unpacks them.
                let mut arrays = vec![("x", x)];
                text.for_each(|(name, words)| {
                    if arrays.iter().all(|(known, _)| *known != name) {
                        arrays.push((name, words));
                    }
                });
                write::write_npz(to, &arrays)?;
            }
        }
        Ok(())
    }
}

/// The formats of rows in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    Csv,
    Parquet,
    Json,
    Npy,
    Npz,
}

impl FileFormat {
    /// The format that a name says. Descriptors, devices and pipes whose names say none get CSV, as stdout does.
    pub fn of(to: &Path) -> Option<Self> {
        match extension(to).as_str() {
            _ if to == Path::new("-") => Some(FileFormat::Csv),
            "csv" | "tsv" | "txt" => Some(FileFormat::Csv),
            "parquet" => Some(FileFormat::Parquet),
            "json" => Some(FileFormat::Json),
            "npy" => Some(FileFormat::Npy),
            "npz" => Some(FileFormat::Npz),
            _ => Destination::of(to).is_stream().then_some(FileFormat::Csv),
        }
    }

    /// The name says none.
    pub fn unknown(to: &Path) -> RunError {
        RunError::Unfit(format!(
            "the name {} does not say which format to write: end it in .csv, .parquet, .json, .npy or .npz",
            to.display()
        ))
    }
}

/// Writes the class numbers of rows beside an NPY file, which has no place for them; returns where.
pub fn write_labels_beside(run: &Run, to: &Path, labels: &[u32]) -> anyhow::Result<PathBuf> {
    if Destination::of(to).is_stream() {
        let reason = format!("{} is no file that labels could be written beside: end the name in .npz", to.display());
        return Err(RunError::Unfit(reason).into());
    }
    const LONGEST: usize = 255;
    const END: &str = "-labels.npy";
    let mut stem = to.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    while stem.len() + END.len() > LONGEST {
        stem.pop();
    }
    let labels_file = place_in(run, Some(&to.with_file_name(stem + END)), "")?;
    write::write_npy_labels(&labels_file, labels)?;
    Ok(labels_file)
}

/// A number as JSON has it: in the shortest form that is read as the same one, and whole where it is.
fn number(text: &str) -> serde_json::Value {
    match text.parse::<i64>() {
        Ok(whole) => whole.into(),
        Err(_) => text.parse::<f64>().map_or(serde_json::Value::Null, Into::into),
    }
}

/// Values as levels from 0 to 255.
pub fn levels(values: &[f32]) -> Vec<u8> {
    values.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect()
}

/// Names of a row's columns, or of its numbers.
pub fn names_of(shape: Shape, columns: Option<&Columns>) -> Vec<String> {
    match (shape, columns) {
        (_, Some(columns)) => columns.names(),
        (Shape::Point(2), None) => vec!["x".into(), "y".into()],
        (Shape::Image { .. }, None) => (0..shape.len()).map(|i| format!("pixel_{i}")).collect(),
        (Shape::Series { channels, .. }, None) => {
            (0..shape.len()).map(|i| format!("step_{}_{}", i / channels, i % channels)).collect()
        }
        (_, None) => (0..shape.len()).map(|i| format!("x_{i}")).collect(),
    }
}

/// Writes a file atomically; `-` is stdout.
pub fn write_file(to: &Path, content: &[u8]) -> anyhow::Result<()> {
    if to == Path::new("-") {
        return Ok(std::io::stdout().write_all(content)?);
    }
    make_folder_of(to)?;
    Ok(write::whole(to, |out| out.write_all(content))?)
}

/// A picture of rows: a grid of images, or points on top of those they are compared with.
pub fn picture(shape: Shape, values: &[f32], ground: &[f32], columns: usize) -> Option<image::DynamicImage> {
    match shape {
        Shape::Image { height, width, channels } => Some(report::grid(values, (height, width, channels), columns)),
        Shape::Point(2) => Some(report::scatter(ground, values)),
        _ => None,
    }
}

/// Writes rows to `to`, or else as sounds or music where they are some, as PNG where there is a picture, and as CSV where there is none;
/// returns the path.
pub fn write_rows(
    run: &Run,
    to: Option<&Path>,
    stem: &str,
    sheet: impl FnOnce() -> anyhow::Result<Sheet>,
    picture: Option<image::DynamicImage>,
) -> anyhow::Result<PathBuf> {
    if let Shape::Text { .. } = run.data.shape {
        let sheet = sheet()?;
        let to = place_in(run, to, &format!("{stem}.{}", sheet.extension_of_texts()))?;
        sheet.write(&to)?;
        return Ok(to);
    }
    if let Some(sound) = run.data.sound {
        let to = place_in(run, to, &format!("{stem}.{}", sound.extension()))?;
        if sounds::takes(sound, &to) {
            let sheet = sheet()?;
            sounds::write_sounds(run, sound, &to, &sheet.numbers, sheet.classes())?;
            return Ok(to);
        }
    }
    let default = format!("{stem}.{}", if picture.is_some() { "png" } else { "csv" });
    let to = place_in(run, to, &default)?;
    match (extension(&to).as_str(), picture) {
        ("png", Some(picture)) => write_file(&to, &png(&picture)?)?,
        ("png", None) => {
            return Err(RunError::Unfit(format!(
                "these rows cannot be drawn as a picture: end {} in .csv, .parquet, .json, .npy or .npz instead",
                to.display()
            ))
            .into());
        }
        _ => sheet()?.write(&to)?,
    }
    Ok(to)
}

#[cfg(test)]
mod tests;
