//! The rows of a table's text, each with its line in the file.

use super::dialect::Separator;

/// A row's fields.
pub struct Record {
    /// The line in the file, counted from 1.
    pub line: u64,
    fields: Fields,
}

enum Fields {
    Csv(csv::StringRecord),
    Words(Vec<String>),
}

impl Record {
    pub fn len(&self) -> usize {
        match &self.fields {
            Fields::Csv(record) => record.len(),
            Fields::Words(words) => words.len(),
        }
    }

    pub fn get(&self, place: usize) -> &str {
        let field = match &self.fields {
            Fields::Csv(record) => record.get(place),
            Fields::Words(words) => words.get(place).map(String::as_str),
        };
        field.unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|place| self.get(place))
    }

    /// Fields, without empty ones at the end.
    pub fn filled(&self) -> usize {
        (0..self.len()).rev().find(|place| !self.get(*place).trim().is_empty()).map_or(0, |place| place + 1)
    }
}

/// All rows that are not empty.
pub fn records(text: &str, separator: Separator) -> Box<dyn Iterator<Item = Result<Record, String>> + '_> {
    let Separator::Byte(byte) = separator else {
        return Box::new(text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(i, line)| {
            let words = Separator::Space.split(line).into_iter().map(String::from).collect();
            Ok(Record { line: i as u64 + 1, fields: Fields::Words(words) })
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
        Ok(Record { line, fields: Fields::Csv(record) })
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
        let lines: Vec<u64> = rows.iter().map(|r| r.line).collect();
        assert_eq!(lines, [1, 3, 7]);
        assert_eq!(rows[1].get(1), "x\r\ny");
        let rows: Vec<Record> = records("\n 1  2\n\n3 \"a b\"\n", Separator::Space).map(Result::unwrap).collect();
        assert_eq!((rows[0].line, rows[1].line, rows[1].get(1)), (2, 4, "\"a b\""));
    }
}
