//! Cells of a table as it has them, for results that stay beside its rows.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::super::dialect::Dialect;
use super::super::error::{Unit, shown};
use super::super::{Cell, DataError};
use super::content::TableContent;
use super::records::TableRecord;
use super::rows::retain_in_rows;

/// Rows of a table's file as they stand there, with all its columns.
pub struct FileRows {
    /// The names of the columns, each another.
    pub names: Vec<String>,
    /// What the file's own header says.
    pub header: Vec<String>,
    /// Whether it has one.
    pub has_header: bool,
    /// How the file is written, if it is a text.
    pub dialect: Option<Dialect>,
    /// The line or row of each.
    pub numbers: Vec<u64>,
    rows: Vec<TableRecord>,
}

impl FileRows {
    /// How many fields a row has.
    pub fn len_of(&self, row: usize) -> usize {
        self.rows[row].len()
    }

    /// What stands in a field: text as it is, and numbers of files that have types.
    pub fn cell(&self, row: usize, place: usize) -> Cell {
        let record = &self.rows[row];
        match record.typed(place) {
            Some(number) => Cell::Exact(number),
            None if record.is_missing(place) => Cell::Missing,
            None => Cell::Word(record.raw(place).into_owned()),
        }
    }

    /// A field without spaces and quotes around it.
    pub fn text(&self, row: usize, place: usize) -> String {
        self.rows[row].text(place).into_owned()
    }
}

/// Some rows of a table, by their lines, or all of them.
pub fn file_rows(path: &Path, lines: Option<&[u64]>) -> Result<FileRows, DataError> {
    let content = TableContent::open(path)?;
    let layout = content.layout()?;
    let changed = || DataError::unusable(path.display(), "it changed while it was read");
    let wanted: Option<HashSet<u64>> = lines.map(|lines| lines.iter().copied().collect());
    let mut rows = Vec::new();
    for record in content.rows(&layout)? {
        let record = record?;
        if wanted.as_ref().is_none_or(|wanted| wanted.contains(&record.number)) {
            rows.push(record);
        }
    }
    if let Some(lines) = lines {
        let mut by_line: HashMap<u64, TableRecord> = rows.into_iter().map(|row| (row.number, row)).collect();
        rows = lines.iter().map(|line| by_line.remove(line)).collect::<Option<_>>().ok_or_else(changed)?;
    }
    let numbers = rows.iter().map(|row| row.number).collect();
    let (header, dialect) = (content.header(&layout), content.dialect(&layout));
    Ok(FileRows { has_header: layout.has_header, names: layout.names, header, dialect, numbers, rows })
}

/// A column that names the rows of a table.
pub struct Identifier {
    /// Its name.
    pub name: String,
    /// How many of the columns of a model stand before it.
    pub place: usize,
    /// What stands there.
    pub words: Vec<String>,
}

/// The columns that name rows, and what stands there on some lines, or on all: of the columns that are not those of a model, all whose
/// cells are filled and different from each other.
pub fn identifiers(path: &Path, known: &[&str], lines: Option<&[u64]>) -> Result<Vec<Identifier>, DataError> {
    let content = TableContent::open(path)?;
    let layout = content.layout()?;
    let known: HashSet<&str> = known.iter().copied().collect();
    let is_known = |place: &usize| known.contains(layout.names[*place].as_str());
    let mut others: Vec<usize> = (0..layout.names.len()).filter(|place| !is_known(place)).collect();
    let mut met: Vec<HashSet<String>> = vec![HashSet::new(); others.len()];
    let mut of_lines: HashMap<u64, Vec<String>> = HashMap::new();
    let mut all = Vec::new();
    let wanted: Option<HashSet<u64>> = lines.map(|lines| lines.iter().copied().collect());
    for record in content.rows(&layout)? {
        let record = record?;
        let cells: Vec<String> = others.iter().map(|place| record.text(*place).into_owned()).collect();
        let different: Vec<bool> =
            cells.iter().zip(&mut met).map(|(cell, met)| !cell.is_empty() && met.insert(cell.clone())).collect();
        if wanted.as_ref().is_none_or(|wanted| wanted.contains(&record.number)) {
            of_lines.insert(record.number, cells);
            all.push(record.number);
        }
        if different.contains(&false) {
            retain_in_rows(&mut others, &different);
            retain_in_rows(&mut met, &different);
            of_lines.values_mut().for_each(|cells| retain_in_rows(cells, &different));
        }
    }
    let lines = lines.unwrap_or(&all);
    let column = |(place, column): (usize, &usize)| Identifier {
        name: layout.names[*column].clone(),
        place: (0..*column).filter(is_known).count(),
        words: lines
            .iter()
            .map(|line| of_lines.get(line).map_or(String::new(), |cells| cells[place].clone()))
            .collect(),
    };
    Ok(others.iter().enumerate().map(column).collect())
}

/// Columns, whichever are wanted, as the table has them in every row.
pub fn others(path: &Path, wanted: impl Fn(&[String]) -> Vec<usize>) -> Result<Vec<(String, Vec<String>)>, DataError> {
    let content = TableContent::open(path)?;
    let layout = content.layout()?;
    let mut columns: Vec<(usize, Vec<String>)> =
        wanted(&layout.names).into_iter().map(|place| (place, Vec::new())).collect();
    for record in content.rows(&layout)? {
        let record = record?;
        for (place, words) in &mut columns {
            words.push(record.text(*place).into_owned());
        }
    }
    Ok(columns.into_iter().map(|(place, words)| (layout.names[place].clone(), words)).collect())
}

/// The cells of some columns in a row.
pub struct RowCells<'a> {
    record: &'a TableRecord,
    places: &'a [usize],
    has_commas: bool,
    /// What rows are counted in.
    pub unit: Unit,
    /// The number of the row, counted from 1.
    pub number: u64,
}

impl RowCells<'_> {
    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// A cell as it stands in the file.
    pub fn raw(&self, column: usize) -> Cow<'_, str> {
        self.record.raw(self.places[column])
    }

    /// A cell without surrounding spaces and quotes.
    pub fn text(&self, column: usize) -> Cow<'_, str> {
        self.record.text(self.places[column])
    }

    /// A number as programs write it: digits, a point and an exponent, and a comma for the point where commas separate no fields.
    pub fn plain_number(&self, column: usize) -> Option<f64> {
        let parsed = || {
            let text = self.text(column);
            if self.has_commas { text.replace(',', ".").parse().ok() } else { text.parse().ok() }
        };
        let number = self.record.typed(self.places[column]).or_else(parsed);
        number.filter(|number| (*number as f32).is_finite())
    }
}

/// Calls `each` with the cells of some columns in every row. `wanted` says by the names of all columns which ones these are, and gives
/// what `each` needs to know of them.
pub fn each_row<T>(
    path: &Path,
    wanted: impl FnOnce(&[String]) -> Result<(Vec<usize>, T), String>,
    mut each: impl FnMut(&T, RowCells<'_>) -> Result<(), DataError>,
) -> Result<T, DataError> {
    let content = TableContent::open(path)?;
    let layout = content.layout()?;
    let (places, known) = wanted(&layout.names).map_err(|reason| DataError::unusable(path.display(), reason))?;
    let has_commas = content.decimal_comma();
    for record in content.rows(&layout)? {
        let record = record?;
        super::plan::check(path, &content, &layout, &record)?;
        let (unit, number) = (content.unit(), record.number);
        each(&known, RowCells { record: &record, places: &places, has_commas, unit, number })?;
    }
    Ok(known)
}

/// The numbers `(N, C)` of some columns, row by row. Whatever else stands there, a unit, a date or a word, is an error and not guessed at:
/// see [`RowCells::plain_number`].
pub fn plain_numbers(
    path: &Path,
    wanted: impl Fn(&[String]) -> Result<Vec<usize>, String>,
) -> Result<(Vec<f32>, usize), DataError> {
    let mut numbers = Vec::new();
    let wanted = |names: &[String]| {
        let places = wanted(names)?;
        let wanted: Vec<String> = places.iter().map(|place| names[*place].clone()).collect();
        Ok((places, wanted))
    };
    let names = each_row(path, wanted, |names, row| {
        for (column, name) in names.iter().enumerate() {
            let Some(number) = row.plain_number(column) else {
                let (name, text) = (shown(name), row.text(column));
                let reason = match text.is_empty() {
                    true => format!("the column `{name}` has no value"),
                    false => format!(
                        "the column `{name}` holds `{}`, which is not a plain number, and such numbers are taken as they are",
                        shown(&text)
                    ),
                };
                return Err(DataError::Row { path: path.to_path_buf(), unit: row.unit, number: row.number, reason });
            };
            numbers.push(number as f32);
        }
        Ok(())
    })?;
    Ok((numbers, names.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes are taken as they are or not at all: each of these was read as another number, or as the place of a word.
    #[test]
    fn numbers_are_plain_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codes.csv");
        let all = |names: &[String]| Ok((0..names.len()).collect());
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            plain_numbers(&path, all).map_err(|error| error.to_string())
        };
        assert_eq!(read("z_0,z_1\n0.5,-1e-3\n 2 ,\"3\"\n").unwrap(), (vec![0.5, -1e-3, 2.0, 3.0], 2));
        assert_eq!(read("z_0;z_1\n0,53;1\n-0,5;2\n").unwrap(), (vec![0.53, 1.0, -0.5, 2.0], 2));
        for cell in ["\"0,53\"", "\"1,000\"", "word", "2024-01-01", "true", "$5", "7%", "inf", "1e999", "5 kg", "NA"] {
            let error = read(&format!("z_0,z_1\n{cell},1\n{cell},2\n")).unwrap_err();
            assert!(
                error.contains("line 2: the column `z_0` holds") && error.contains("not a plain number"),
                "{cell}: {error}"
            );
        }
        let error = read("z_0,z_1\n1,\n2,2\n").unwrap_err();
        assert!(error.ends_with("line 2: the column `z_1` has no value"), "{error}");
    }
}
