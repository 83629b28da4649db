//! Tables of text and numbers, written in the format that the file's extension names.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::run_args::place_in;
use crate::apply::{Applied, Run, RunError, Shown, units};
use crate::data::write::{self, Block};
use crate::data::{Cell, Columns, Dialect, Form, Provenance, Shape, TableColumn};
use crate::report;
use crate::run::png;

/// A table: some columns of text, then columns of values.
#[derive(Debug, Default)]
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
            None => Self { numbers: values, ..Self::without_columns(run) },
        }
    }

    /// Means of rows that the decoder shows, in the data's own units.
    pub fn of_means(run: &Run, model: &Applied, shown: Shown) -> Self {
        match (&run.data.columns, units::cells(run, model, &shown)) {
            (Some(columns), Some(cells)) => Self::of_cells(run, columns, cells, Provenance::Mean),
            _ => Self { numbers: shown.means, ..Self::without_columns(run) },
        }
    }

    fn without_columns(run: &Run) -> Self {
        let extents = match run.data.shape {
            Shape::Image { height, width, channels: 1 } => vec![height, width],
            Shape::Image { height, width, channels } => vec![height, width, channels],
            Shape::Point(_) | Shape::Table(_) => Vec::new(),
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
        let (forms, extents) = (first.forms.clone(), first.extents.clone());
        Self { text, names, numbers, cells, forms, dialect: first.dialect, extents }
    }

    /// Adds a text column before the others.
    pub fn with(mut self, name: &str, values: Vec<String>) -> Self {
        self.text.push((name.to_string(), values));
        self
    }

    fn rows(&self) -> usize {
        match (self.names.len(), &self.cells, self.text.first()) {
            (0, _, text) => text.map_or(0, |(_, values)| values.len()),
            (columns, Some(cells), _) => cells.len() / columns,
            (columns, None, _) => self.numbers.len() / columns,
        }
    }

    fn blocks(&self) -> Vec<Block<'_>> {
        let words = self.text.iter().map(|(name, words)| Block::Words { name, words });
        let (names, values) = (&self.names[..], &self.numbers[..]);
        let last = match &self.cells {
            Some(cells) => Block::Cells { names, cells, forms: &self.forms },
            None => Block::Numbers { names, values },
        };
        words.chain([last]).collect()
    }

    fn value(&self, place: usize) -> serde_json::Value {
        match self.cells.as_ref().map(|cells| &cells[place]) {
            None => number(&self.numbers[place].to_string()),
            Some(Cell::Number(value)) => number(&value.to_string()),
            Some(Cell::Exact(value)) => number(&value.to_string()),
            // `4` is a number, `04` is a word.
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
        let row = |row: usize| -> serde_json::Map<String, serde_json::Value> {
            let text = self.text.iter().map(|(name, values)| (name.clone(), values[row].clone().into()));
            let values = self.names.iter().enumerate().map(|(i, name)| (name.clone(), self.value(row * width + i)));
            text.chain(values).collect()
        };
        let mut out = String::from("[");
        for i in 0..self.rows() {
            out += if i == 0 { "\n" } else { ",\n" };
            out += &serde_json::Value::Object(row(i)).to_string();
        }
        out + "\n]\n"
    }

    /// Writes CSV, Parquet, JSON or NPY; NPY has the numbers alone. `-` is stdout, as CSV.
    pub fn write(&self, to: &Path) -> anyhow::Result<()> {
        if to == Path::new("-") {
            return Ok(write::csv_to(std::io::stdout().lock(), self.rows(), &self.blocks(), &self.dialect)?);
        }
        make_folder_of(to)?;
        match extension(to).as_str() {
            "csv" | "tsv" | "txt" => write::write_csv(to, self.rows(), &self.blocks(), &self.dialect)?,
            "parquet" => write::write_parquet(to, self.rows(), &self.blocks())?,
            "json" => put(to, self.json().as_bytes())?,
            "npy" => {
                let width = self.numbers.len() / self.rows().max(1);
                let of_row = if self.extents.is_empty() { vec![width] } else { self.extents.clone() };
                write::write_npy(to, &[vec![self.rows()], of_row].concat(), &self.numbers)?;
            }
            _ => {
                let reason = format!(
                    "the name {} does not say which format to write: end it in .csv, .parquet, .json or .npy",
                    to.display()
                );
                return Err(RunError::Unfit(reason).into());
            }
        }
        Ok(())
    }
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
        (_, None) => (0..shape.len()).map(|i| format!("x_{i}")).collect(),
    }
}

/// The extension of a file's name in lower case.
pub fn extension(path: &Path) -> String {
    path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Creates the parent folder of a path.
pub fn make_folder_of(file: &Path) -> Result<(), RunError> {
    let failed = |e: std::io::Error| RunError::Write { path: file.to_path_buf(), reason: e.to_string() };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), std::fs::create_dir_all).map_err(failed)
}

/// Writes a file atomically; `-` is stdout.
pub fn put(to: &Path, content: &[u8]) -> anyhow::Result<()> {
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

/// Writes rows to `to`, or else as PNG where there is a picture and as CSV where there is none; returns the path.
pub fn write_rows(
    run: &Run,
    to: Option<&Path>,
    stem: &str,
    sheet: impl FnOnce() -> Sheet,
    picture: Option<image::DynamicImage>,
) -> anyhow::Result<PathBuf> {
    let default = format!("{stem}.{}", if picture.is_some() { "png" } else { "csv" });
    let to = place_in(run, to, &default);
    match (extension(&to).as_str(), picture) {
        ("png", Some(picture)) => put(&to, &png(&picture)?)?,
        ("png", None) => {
            return Err(RunError::Unfit(format!(
                "these rows cannot be drawn as a picture: end {} in .csv, .parquet, .json or .npy instead",
                to.display()
            ))
            .into());
        }
        _ => sheet().write(&to)?,
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_cells_as_a_table_has_them() {
        let names = ["z", "whole", "number", "code", "word", "gone"].map(String::from).to_vec();
        let word = |word: &str| Cell::Word(word.into());
        let cells = vec![Cell::Number(88_696.54), Cell::Exact(72.0), word("4"), word("04"), word("inf"), Cell::Missing];
        let sheet = Sheet { names, numbers: vec![0.0; 6], cells: Some(cells), ..Sheet::default() };
        let expected = r#"{"z":88696.54,"whole":72,"number":4,"code":"04","word":"inf","gone":null}"#;
        assert_eq!(sheet.json(), format!("[\n{expected}\n]\n"));
    }
}
