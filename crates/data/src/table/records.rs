//! The rows of a table, each with its number in the file.

use std::borrow::Cow;

use super::super::{Cell, DataError};
use super::dialect::{Separator, line_ends, lines};
use super::field;

/// Rows, in order.
pub type TableRecords<'a> = Box<dyn Iterator<Item = Result<TableRecord, DataError>> + 'a>;

/// A row's fields.
pub struct TableRecord {
    /// The line in the file, or the row, counted from 1.
    pub number: u64,
    fields: Fields,
}

enum Fields {
    Csv(csv::StringRecord),
    Words(Vec<String>),
    Cells(Vec<Cell>),
}

impl TableRecord {
    /// A row whose numbers have been read.
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
                Some(Cell::Truth(truth)) => Some(if *truth { "true" } else { "false" }),
                _ => None,
            },
        };
        words.unwrap_or_default()
    }

    /// The number of a field in a file that has types.
    pub fn typed(&self, place: usize) -> Option<f64> {
        let Fields::Cells(cells) = &self.fields else { return None };
        match cells.get(place) {
            Some(Cell::Number(number)) => Some(f64::from(*number)),
            Some(Cell::Exact(number)) => Some(*number),
            _ => None,
        }
    }

    /// Whether a field of a file that has types holds nothing.
    pub fn is_missing(&self, place: usize) -> bool {
        matches!(&self.fields, Fields::Cells(cells) if matches!(cells.get(place), Some(Cell::Missing) | None))
    }

    /// A field as text, without surrounding spaces and quotes.
    pub fn text(&self, place: usize) -> Cow<'_, str> {
        match self.raw(place) {
            Cow::Borrowed(text) => field::bare(text).into(),
            number => number,
        }
    }

    /// A field as it stands in the file.
    pub fn raw(&self, place: usize) -> Cow<'_, str> {
        if let Fields::Cells(cells) = &self.fields {
            match cells.get(place) {
                Some(Cell::Number(number)) => return number.to_string().into(),
                Some(Cell::Exact(number)) => return number.to_string().into(),
                _ => {}
            }
        }
        self.words(place).into()
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
pub fn records(text: &str, separator: Separator) -> Box<dyn Iterator<Item = Result<TableRecord, String>> + '_> {
    let Separator::Byte(byte) = separator else {
        return Box::new(lines(text).filter(|(_, line)| !line.trim().is_empty()).map(|(number, line)| {
            let words = Separator::Space.split(line).into_iter().map(String::from).collect();
            Ok(TableRecord { number, fields: Fields::Words(words) })
        }));
    };
    let bytes = text.as_bytes();
    let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(byte).from_reader(bytes);
    // Where the row before began, and its line. The reader counts line feeds alone.
    let (mut before, mut line) = (0, 1);
    let records = copied(reader, text, byte).map(move |record| {
        let record = record.map_err(super::super::error::on_one_line)?;
        let start = record.position().map_or(before, |position| position.byte() as usize).min(bytes.len());
        // The reader starts a row right after the previous one, so empty lines between them count towards it.
        let start = start + bytes[start..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        line += line_ends(&bytes[before.min(start)..start]);
        before = start;
        Ok(TableRecord { number: line, fields: Fields::Csv(record) })
    });
    Box::new(records.filter(|record| record.as_ref().map_or(true, |record| record.filled() > 0)))
}

/// Fields from which on a row is wide.
const WIDE: usize = 4096;

/// The rows that a reader finds. Where they are wide, there is room for one at once: while a vector grows to such a size again and again,
/// an allocator keeps room of all the sizes between.
fn copied<'a>(
    mut reader: csv::Reader<&'a [u8]>,
    text: &str,
    separator: u8,
) -> Box<dyn Iterator<Item = csv::Result<csv::StringRecord>> + 'a> {
    let first = text.split(['\n', '\r']).next().unwrap_or_default();
    let fields = first.bytes().filter(|byte| *byte == separator).count() + 1;
    if fields < WIDE {
        return Box::new(reader.into_records());
    }
    let mut room = csv::StringRecord::with_capacity(first.len(), fields + 1);
    let copy = |record: &csv::StringRecord| {
        let mut copy = csv::StringRecord::with_capacity(record.as_slice().len(), record.len());
        record.iter().for_each(|field| copy.push_field(field));
        copy.set_position(record.position().cloned());
        copy
    };
    Box::new(std::iter::from_fn(move || match reader.read_record(&mut room) {
        Ok(true) => Some(Ok(copy(&room))),
        Ok(false) => None,
        Err(error) => Some(Err(error)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_know_their_lines() {
        let text = "a,b\r\n\r\n1,\"x\r\ny\"\r\n\r\n\r\n3,4\r\n,\r\n\r\n";
        let rows: Vec<TableRecord> = records(text, Separator::Byte(b',')).map(Result::unwrap).collect();
        let lines: Vec<u64> = rows.iter().map(|r| r.number).collect();
        assert_eq!(lines, [1, 3, 7]);
        assert_eq!(rows[1].words(1), "x\r\ny");
        let text = "a,b\r1,2\r3,4\n5,6\r\n\r7,9\r";
        let lines = records(text, Separator::Byte(b',')).map(|row| row.unwrap().number);
        assert_eq!(lines.collect::<Vec<_>>(), [1, 2, 3, 4, 6]);
        let rows: Vec<TableRecord> = records("\n 1  2\n\n3 \"a b\"\n", Separator::Space).map(Result::unwrap).collect();
        assert_eq!((rows[0].number, rows[1].number, rows[1].words(1)), (2, 4, "\"a b\""));
    }
}
