//! Tables in memory, whose columns have types.

use super::Cell;

/// A table in memory: columns of numbers, words or truth values, each with a name and a cell for each row. Cells may be missing.
///
/// ```
/// use wgvae_data::{Cell, Table};
///
/// let table = Table::new()
///     .with("age", [43.0, f64::NAN])
///     .with("city", [Some("Oslo"), None])
///     .with("member", [true, false]);
/// assert_eq!(table.rows(), 2);
/// assert_eq!(table.cell(0, "city"), Some(&Cell::from("Oslo")));
/// assert!(table.cell(1, "age").is_some_and(Cell::is_missing));
/// assert_eq!(table.cell(1, "member").and_then(Cell::truth), Some(false));
/// assert_eq!(table.to_csv(), "age,city,member\n43,Oslo,true\n,,false\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    columns: Vec<(String, Vec<Cell>)>,
}

impl Table {
    /// A table without columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column. A cell is made of a number, a word or a truth value; NaN and `None` are missing ones.
    pub fn with<C: Into<Cell>>(mut self, name: impl Into<String>, cells: impl IntoIterator<Item = C>) -> Self {
        self.columns.push((name.into(), cells.into_iter().map(Into::into).collect()));
        self
    }

    /// Numbers `(N, columns)`, row by row; NaN is a missing one.
    pub fn of_numbers<S: Into<String>>(names: impl IntoIterator<Item = S>, numbers: &[f32]) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let width = names.len().max(1);
        let column =
            |(place, name)| (name, numbers.iter().skip(place).step_by(width).map(|n| Cell::from(*n)).collect());
        Self { columns: names.into_iter().enumerate().map(column).collect() }
    }

    /// How many rows there are: as many as the longest column has.
    pub fn rows(&self) -> usize {
        self.columns.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0)
    }

    /// The names of the columns, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// The cells of a column.
    pub fn column(&self, name: &str) -> Option<&[Cell]> {
        self.columns.iter().find(|(known, _)| known == name).map(|(_, cells)| cells.as_slice())
    }

    /// A cell, by its row and column.
    pub fn cell(&self, row: usize, column: &str) -> Option<&Cell> {
        self.column(column)?.get(row)
    }

    /// The cells of a row, in the order of the columns.
    pub fn row(&self, row: usize) -> impl Iterator<Item = &Cell> {
        self.columns.iter().map(move |(_, cells)| cells.get(row).unwrap_or(&Cell::Missing))
    }

    /// The table as text: a header, and a line a row.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        // Writing to memory does not fail.
        let _ = writer.write_record(self.names());
        for row in 0..self.rows() {
            let _ = writer.write_record(self.row(row).map(ToString::to_string));
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }

    /// The columns, to be changed.
    pub fn columns_mut(&mut self) -> impl Iterator<Item = (&str, &mut Vec<Cell>)> {
        self.columns.iter_mut().map(|(name, cells)| (name.as_str(), cells))
    }

    /// Whether a column holds words and nothing else: they are words, whatever they look like.
    pub(super) fn is_of_words(&self, column: usize) -> bool {
        let mut cells = self.columns[column].1.iter().filter(|cell| !cell.is_missing()).peekable();
        cells.peek().is_some() && cells.all(|cell| matches!(cell, Cell::Word(_)))
    }

    /// Why nothing can be learned from it, whatever is in its rows.
    pub(super) fn refusal(&self) -> Option<String> {
        let rows = self.rows();
        if self.columns.is_empty() {
            return Some("rows need at least one number".into());
        }
        self.columns.iter().enumerate().find_map(|(place, (name, cells))| {
            let number = |(row, cell): (usize, &Cell)| match cell.number() {
                Some(number) if !(number as f32).is_finite() => Some((row, number)),
                _ => None,
            };
            if self.columns[..place].iter().any(|(other, _)| other == name) {
                Some(format!("it has two columns `{name}`"))
            } else if cells.len() != rows {
                Some(format!("its column `{name}` has {} cells, and another one {rows}", cells.len()))
            } else {
                let (row, number) = cells.iter().enumerate().find_map(number)?;
                Some(format!("{number} in row {row} of the column `{name}` cannot be learned from"))
            }
        })
    }
}

impl Cell {
    /// Its number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Cell::Number(number) => Some((*number).into()),
            Cell::Exact(number) => Some(*number),
            _ => None,
        }
    }

    /// Its word, if it is one.
    pub fn word(&self) -> Option<&str> {
        match self {
            Cell::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Its truth value, if it is one.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Cell::Truth(truth) => Some(*truth),
            _ => None,
        }
    }

    /// Whether nothing is there.
    pub fn is_missing(&self) -> bool {
        *self == Cell::Missing
    }
}

/// A cell as text; nothing of a missing one.
impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cell::Number(number) => number.fmt(f),
            Cell::Exact(number) => number.fmt(f),
            Cell::Truth(truth) => truth.fmt(f),
            Cell::Word(word) => word.fmt(f),
            Cell::Missing => Ok(()),
        }
    }
}

impl From<f32> for Cell {
    fn from(number: f32) -> Self {
        if number.is_nan() { Cell::Missing } else { Cell::Number(number) }
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        if number.is_nan() { Cell::Missing } else { Cell::Exact(number) }
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {
        $(impl From<$type> for Cell {
            fn from(number: $type) -> Self {
                Cell::Exact(number as f64)
            }
        })*
    };
}

whole_numbers!(i8, i16, i32, i64, u8, u16, u32, u64, isize, usize);

impl From<bool> for Cell {
    fn from(truth: bool) -> Self {
        Cell::Truth(truth)
    }
}

impl From<&str> for Cell {
    fn from(word: &str) -> Self {
        Cell::Word(word.into())
    }
}

impl From<String> for Cell {
    fn from(word: String) -> Self {
        Cell::Word(word)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(cell: Option<T>) -> Self {
        cell.map_or(Cell::Missing, Into::into)
    }
}
