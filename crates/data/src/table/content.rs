//! What a table holds, however its file writes it down: a header and rows of fields.

use std::path::{Path, PathBuf};

use super::super::dialect::{Dialect, Encoding};
use super::super::error::Unit;
use super::super::raw::MAX_COLUMNS;
use super::super::{DataError, Table, bytes};
use super::dialect::{self, Separator};
use super::layout::Layout;
#[cfg(feature = "parquet")]
use super::parquet::Parquet;
use super::records::{TableRecord, TableRecords, records};

/// A table that can be read, several times if need be.
pub struct TableContent<'a> {
    path: PathBuf,
    form: Form<'a>,
}

enum Form<'a> {
    Text {
        text: String,
        separator: Separator,
        encoding: Encoding,
        /// Whether a mark of the encoding precedes the text.
        mark: bool,
    },
    #[cfg(feature = "parquet")]
    Parquet(Parquet),
    Memory(&'a Table),
}

impl<'a> TableContent<'a> {
    /// A table in memory; the name is that of its source.
    pub fn in_memory(name: &str, table: &'a Table) -> Self {
        Self { path: name.into(), form: Form::Memory(table) }
    }

    pub fn open(path: &Path) -> Result<Self, DataError> {
        // Before all of it is read: a text has no zeros at its beginning, or begins like UTF-16.
        let head = bytes::head(path)?;
        if head.starts_with(&bytes::PARQUET) {
            return Ok(Self { path: path.to_path_buf(), form: parquet(path)? });
        }
        let not_text = || DataError::Format {
            path: path.to_path_buf(),
            kind: "table",
            reason: "it holds bytes that are not text".into(),
        };
        if head.contains(&0) && !matches!(head[..], [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            return Err(not_text());
        }
        let (text, encoding, mark) = dialect::text(bytes::all(path)?).ok_or_else(not_text)?;
        if let Some((line, fields)) = dialect::too_wide(&text, MAX_COLUMNS) {
            return Err(DataError::Row {
                path: path.to_path_buf(),
                unit: Unit::Line,
                number: line,
                reason: format!("it has {fields} fields, and no more than {MAX_COLUMNS} can be read"),
            });
        }
        // The line with it is none of the table's: it stays, empty, so that the others keep their numbers.
        let said = Separator::said(&text);
        let text =
            if said.is_some() { text[text.find(['\n', '\r']).unwrap_or(text.len())..].to_string() } else { text };
        let separator = said.unwrap_or_else(|| Separator::guess(&text));
        Ok(Self { path: path.to_path_buf(), form: Form::Text { text, separator, encoding, mark } })
    }

    /// The names of its columns.
    pub fn layout(&self) -> Result<Layout, DataError> {
        match &self.form {
            Form::Text { text, separator, .. } => Layout::find(&self.path, text, *separator),
            #[cfg(feature = "parquet")]
            Form::Parquet(parquet) => Ok(parquet.layout()),
            Form::Memory(table) => Ok(Layout::named(table.names().map(String::from).collect())),
        }
    }

    /// What stands in the header; the names that columns have here, where there is none.
    pub fn header(&self, layout: &Layout) -> Vec<String> {
        match &self.form {
            Form::Text { text, separator, .. } if layout.has_header => {
                let header = records(text, *separator).nth(layout.above - 1).and_then(Result::ok);
                header.map_or_else(Vec::new, |header| header.iter().map(String::from).collect())
            }
            _ => layout.names.clone(),
        }
    }

    /// All rows below the header.
    pub fn rows(&self, layout: &Layout) -> Result<TableRecords<'_>, DataError> {
        match &self.form {
            Form::Text { text, separator, .. } => {
                let failed = |reason: String| DataError::unusable(self.path.display(), reason);
                let rows = records(text, *separator).skip(layout.above);
                Ok(Box::new(rows.map(move |record| record.map_err(failed))))
            }
            #[cfg(feature = "parquet")]
            Form::Parquet(parquet) => parquet.rows(),
            Form::Memory(table) => Ok(Box::new((0..table.rows()).map(|row| {
                let cells = table.row(row).cloned().collect();
                Ok(TableRecord::of_cells(row as u64 + 1, cells))
            }))),
        }
    }

    /// What its rows are counted in.
    pub fn unit(&self) -> Unit {
        match &self.form {
            Form::Text { .. } => Unit::Line,
            #[cfg(feature = "parquet")]
            Form::Parquet(_) => Unit::Row,
            Form::Memory(_) => Unit::Row,
        }
    }

    /// How the file is written, if it is a text; whether numbers have decimal commas is not known yet.
    pub fn dialect(&self, layout: &Layout) -> Option<Dialect> {
        match &self.form {
            Form::Text { text, separator, encoding, mark } => Some(Dialect {
                separator: match separator {
                    Separator::Byte(byte) => char::from(*byte),
                    Separator::Space => ' ',
                },
                encoding: *encoding,
                mark: *mark,
                header: layout.has_header,
                comma: separator.decimal_comma(),
                returns: text.contains("\r\n"),
            }),
            #[cfg(feature = "parquet")]
            Form::Parquet(_) => None,
            Form::Memory(_) => None,
        }
    }

    /// Whether a comma separates no fields, so that `1,5` may be a number.
    pub fn decimal_comma(&self) -> bool {
        match &self.form {
            Form::Text { separator, .. } => separator.decimal_comma(),
            #[cfg(feature = "parquet")]
            Form::Parquet(_) => false,
            Form::Memory(_) => false,
        }
    }

    /// Whether a column is known to hold words, whatever they look like.
    pub fn is_of_words(&self, column: usize) -> bool {
        match &self.form {
            Form::Text { .. } => false,
            #[cfg(feature = "parquet")]
            Form::Parquet(parquet) => parquet.is_of_words(column),
            Form::Memory(table) => table.is_of_words(column),
        }
    }

    /// No more rows, and no more values in so many columns, than it can have.
    pub fn most(&self, columns: usize) -> (usize, usize) {
        match &self.form {
            Form::Text { text, .. } => {
                let lines = text.bytes().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
                // Each value takes two bytes of the text.
                let fields = text.len() / 2 + 1;
                (lines.min(fields), lines.saturating_mul(columns).min(fields))
            }
            #[cfg(feature = "parquet")]
            Form::Parquet(parquet) => (parquet.count(), parquet.count().saturating_mul(columns)),
            Form::Memory(table) => (table.rows(), table.rows().saturating_mul(columns)),
        }
    }
}

#[cfg(feature = "parquet")]
fn parquet(path: &Path) -> Result<Form<'static>, DataError> {
    Ok(Form::Parquet(Parquet::open(path)?))
}

#[cfg(not(feature = "parquet"))]
fn parquet(path: &Path) -> Result<Form<'static>, DataError> {
    let reason = "it is a Parquet file, which this build cannot read: build it with the feature parquet";
    Err(DataError::unusable(path.display(), reason))
}
