//! The rows of a table, each with its number in the file.

use std::borrow::Cow;

use super::super::Cell;
use super::dialect::Separator;
use super::field::{self, Field};

/// A row's fields.
pub struct Record {
    /// The line in the file, or the row, counted from 1.
    pub number: u64,
    fields: Fields,
}

enum Fields {
    Csv(csv::StringRecord),
    Words(Vec<String>),
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "only Parquet files have them"))]
    Cells(Vec<Cell>),
}

impl Record {
    /// A row whose numbers have been read.
    #[cfg(feature = "parquet")]
    pub fn of_cells(number: u64, cells: Vec<Cell>) -> Self {
        Self { number, fields: Fields::Cells(cells) }
    }

    pub fn len(&self) -> usize {
        match &self.fields {
            Fields::Csv(record) => record.len(),
            Fields::Words(words) => words.len(),
            Fields::Cells(cells) => cells.len(),
        }
    }

    /// The words of a field; none of a number.
    pub fn words(&self, place: usize) -> &str {
        let words = match &self.fields {
            Fields::Csv(record) => record.get(place),
            Fields::Words(words) => words.get(place).map(String::as_str),
            Fields::Cells(cells) => match cells.get(place) {
                Some(Cell::Word(word)) => Some(word.as_str()),
                _ => None,
            },
        };
        words.unwrap_or_default()
    }

    /// What a field holds.
    pub fn field(&self, place: usize, decimal_comma: bool) -> Field<'_> {
        if let Fields::Cells(cells) = &self.fields {
            match cells.get(place) {
                Some(Cell::Number(number)) => return Field::Number(f64::from(*number)),
                Some(Cell::Exact(number)) => return Field::Number(*number),
                Some(Cell::Missing) => return Field::Missing,
                Some(Cell::Word(_)) | None => {}
            }
        }
        field::read(self.words(place), decimal_comma)
    }

    /// A field as text, without surrounding spaces and quotes.
    pub fn text(&self, place: usize) -> Cow<'_, str> {
        if let Fields::Cells(cells) = &self.fields {
            match cells.get(place) {
                Some(Cell::Number(number)) => return number.to_string().into(),
                Some(Cell::Exact(number)) => return number.to_string().into(),
                _ => {}
            }
        }
        field::bare(self.words(place)).into()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|place| self.words(place))
    }

    /// Fields, without empty ones at the end.
    pub fn filled(&self) -> usize {
        match &self.fields {
            Fields::Cells(cells) => cells.len(),
            _ => (0..self.len()).rev().find(|place| !self.words(*place).trim().is_empty()).map_or(0, |place| place + 1),
        }
    }
}

/// All rows that are not empty.
pub fn records(text: &str, separator: Separator) -> Box<dyn Iterator<Item = Result<Record, String>> + '_> {
    let Separator::Byte(byte) = separator else {
        return Box::new(text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(i, line)| {
            let words = Separator::Space.split(line).into_iter().map(String::from).collect();
            Ok(Record { number: i as u64 + 1, fields: Fields::Words(words) })
        }));
    };
    let reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(byte).from_reader(text.as_bytes());
    let records = reader.into_records().map(move |record| {
        let record = record.map_err(super::super::error::on_one_line)?;
        let line = record.position().map_or(1, |position| {
            // The reader starts a row right after the previous one, so empty lines between them count towards it.
            let start = text.as_bytes().get(position.byte() as usize..).unwrap_or_default();
            let empty = start.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
            position.line() + empty.filter(|byte| **byte == b'\n').count() as u64
        });
        Ok(Record { number: line, fields: Fields::Csv(record) })
    });
    Box::new(records.filter(|record| record.as_ref().map_or(true, |record| record.filled() > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_know_their_lines() {
        let text = "a,b\r\n\r\n1,\"x\r\ny\"\r\n\r\n\r\n3,4\r\n,\r\n\r\n";
        let rows: Vec<Record> = records(text, Separator::Byte(b',')).map(Result::unwrap).collect();
        let lines: Vec<u64> = rows.iter().map(|r| r.number).collect();
        assert_eq!(lines, [1, 3, 7]);
        assert_eq!(rows[1].words(1), "x\r\ny");
        let rows: Vec<Record> = records("\n 1  2\n\n3 \"a b\"\n", Separator::Space).map(Result::unwrap).collect();
        assert_eq!((rows[0].number, rows[1].number, rows[1].words(1)), (2, 4, "\"a b\""));
    }
}
