//! Cells of a table as it has them, for results that stay beside its rows.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::super::{Cell, DataError};
use super::content::Content;
use super::field::{Field, is_code};
use super::reader::retain_in_rows;

/// The cells `(lines, columns)` of some columns on some lines, as exactly as the table has them.
pub fn exact(path: &Path, columns: &[String], lines: &[u64]) -> Result<Vec<Cell>, DataError> {
    let content = Content::open(path)?;
    let layout = content.layout()?;
    let changed = || DataError::unusable(path.display(), "it changed while it was read");
    let places: HashMap<&str, usize> = layout.names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let places: Option<Vec<usize>> = columns.iter().map(|name| places.get(name.as_str()).copied()).collect();
    let places = places.ok_or_else(changed)?;
    let wanted: HashSet<u64> = lines.iter().copied().collect();
    let mut rows: HashMap<u64, Vec<Cell>> = HashMap::with_capacity(wanted.len());
    for record in content.rows(&layout)? {
        let record = record?;
        if wanted.contains(&record.number) {
            let cell = |place: &usize| match record.field(*place, content.decimal_comma()) {
                Field::Missing => Cell::Missing,
                Field::Number(number) => {
                    let text = record.text(*place);
                    match content.is_of_words(*place) || is_code(&text) {
                        true => Cell::Word(text.into_owned()),
                        // What its digits say: of a float of 0.1 not 0.10000000149011612.
                        false => Cell::Exact(text.parse().unwrap_or(number)),
                    }
                }
                Field::Word(word) => Cell::Word(word.to_string()),
            };
            rows.insert(record.number, places.iter().map(cell).collect());
        }
    }
    let mut cells = Vec::with_capacity(lines.len() * columns.len());
    for line in lines {
        cells.extend_from_slice(rows.get(line).ok_or_else(changed)?);
    }
    Ok(cells)
}

/// The columns that name rows, and what stands there on some lines: of the columns that are not those of a model, all whose cells
/// are filled and different from each other.
pub fn identifiers(path: &Path, known: &[&str], lines: &[u64]) -> Result<Vec<(String, Vec<String>)>, DataError> {
    let content = Content::open(path)?;
    let layout = content.layout()?;
    let known: HashSet<&str> = known.iter().copied().collect();
    let mut others: Vec<usize> =
        (0..layout.names.len()).filter(|place| !known.contains(layout.names[*place].as_str())).collect();
    let mut met: Vec<HashSet<String>> = vec![HashSet::new(); others.len()];
    let mut of_lines: HashMap<u64, Vec<String>> = HashMap::new();
    let wanted: HashSet<u64> = lines.iter().copied().collect();
    for record in content.rows(&layout)? {
        let record = record?;
        let cells: Vec<String> = others.iter().map(|place| record.text(*place).into_owned()).collect();
        let different: Vec<bool> =
            cells.iter().zip(&mut met).map(|(cell, met)| !cell.is_empty() && met.insert(cell.clone())).collect();
        if wanted.contains(&record.number) {
            of_lines.insert(record.number, cells);
        }
        if different.contains(&false) {
            retain_in_rows(&mut others, &different);
            retain_in_rows(&mut met, &different);
            of_lines.values_mut().for_each(|cells| retain_in_rows(cells, &different));
        }
    }
    let column = |(place, column): (usize, &usize)| {
        let cells = lines.iter().map(|line| of_lines.get(line).map_or(String::new(), |cells| cells[place].clone()));
        (layout.names[*column].clone(), cells.collect())
    };
    Ok(others.iter().enumerate().map(column).collect())
}

/// Columns, whichever are wanted, as the table has them in every row.
pub fn others(path: &Path, wanted: impl Fn(&[String]) -> Vec<usize>) -> Result<Vec<(String, Vec<String>)>, DataError> {
    let content = Content::open(path)?;
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
