//! Rows as Parquet: truth values, whole numbers, numbers and words, a column of each kind, packed with Snappy.

use std::io::{Error, Write};
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::types::Type;

use super::super::DataError;
use super::block::{Block, Entry};

/// Writes a Parquet file of `rows` rows.
pub fn write_parquet(path: &Path, rows: usize, blocks: &[Block<'_>]) -> Result<(), DataError> {
    let columns = blocks.iter().flat_map(|block| {
        let column = move |(place, name)| Column { name, block, place, rows };
        block.names().into_iter().enumerate().map(column)
    });
    let columns: Vec<Column> = columns.collect();
    super::whole(path, |out| parquet_to(out, &columns).map_err(unwritten))
}

/// The error of the system, where there is one within that of the writer.
fn unwritten(error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => source.downcast::<Error>().map_or_else(Error::other, |source| *source),
        error => Error::other(error),
    }
}

fn parquet_to(out: impl Write + Send, columns: &[Column]) -> Result<(), ParquetError> {
    let kinds: Vec<Kind> = columns.iter().map(Column::kind).collect();
    let fields = columns.iter().zip(&kinds).map(|(column, kind)| column.field(*kind));
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?);
    let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
    let mut writer = SerializedFileWriter::new(out, schema, properties)?;
    let mut group = writer.next_row_group()?;
    for (column, kind) in columns.iter().zip(kinds) {
        column.write(kind, &mut group)?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

/// A column and how many rows it has.
struct Column<'a> {
    name: &'a str,
    block: &'a Block<'a>,
    place: usize,
    rows: usize,
}

/// What a column can be written as.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Truth,
    Whole,
    Float,
    Double,
    Words,
}

impl<'a> Column<'a> {
    fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        (0..self.rows).map(|row| self.block.entry(row, self.place))
    }

    /// The narrowest kind that holds every entry, in whatever order they come.
    fn kind(&self) -> Kind {
        let is_truth = |entry: Entry| matches!(entry, Entry::Word("true" | "false") | Entry::Missing);
        if self.entries().all(is_truth) && self.entries().any(|entry| entry != Entry::Missing) {
            return Kind::Truth;
        }
        let (mut are_whole, mut fit_floats, mut fit_doubles) = (true, true, true);
        let fits = |number: f64| number == f64::from(number as f32);
        for entry in self.entries() {
            match entry {
                Entry::Number(number) => are_whole &= is_whole(number.into()),
                Entry::Exact(number) | Entry::Written(number, ..) => {
                    are_whole &= is_whole(number);
                    fit_floats &= is_whole(number) && fits(number);
                }
                Entry::Whole(number) => fit_floats &= fits(number.into()),
                Entry::Word(word) => match whole(word) {
                    Some(number) => {
                        fit_floats &= fits(number as f64);
                        fit_doubles &= number.unsigned_abs() <= 1 << 53;
                    }
                    None => return Kind::Words,
                },
                Entry::Missing => {}
            }
        }
        match (are_whole, fit_floats) {
            (true, _) => Kind::Whole,
            _ if !fit_doubles => Kind::Words,
            (false, true) => Kind::Float,
            (false, false) => Kind::Double,
        }
    }

    fn field(&self, kind: Kind) -> Result<Arc<Type>, ParquetError> {
        let (physical, logical) = match kind {
            Kind::Truth => (Physical::BOOLEAN, None),
            Kind::Whole => (Physical::INT64, None),
            Kind::Float => (Physical::FLOAT, None),
            Kind::Double => (Physical::DOUBLE, None),
            Kind::Words => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let field = Type::primitive_type_builder(self.name, physical).with_repetition(Repetition::OPTIONAL);
        Ok(Arc::new(field.with_logical_type(logical).build()?))
    }

    fn write<W: Write + Send>(
        &self,
        kind: Kind,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let number = |entry: Entry| match entry {
            // The number that its shortest digits say, as a CSV file has it, not 11354.845703125 for 11354.846.
            Entry::Number(number) => number.to_string().parse().unwrap_or_else(|_| f64::from(number)),
            Entry::Exact(number) | Entry::Written(number, ..) => number,
            Entry::Whole(number) => f64::from(number),
            Entry::Word(word) => whole(word).map_or(f64::NAN, |number| number as f64),
            Entry::Missing => f64::NAN,
        };
        match kind {
            Kind::Truth => self.write_column::<BoolType, _>(group, |entry| entry == Entry::Word("true")),
            Kind::Whole => self.write_column::<Int64Type, _>(group, |entry| match entry {
                Entry::Word(word) => whole(word).unwrap_or_default(),
                other => number(other) as i64,
            }),
            Kind::Float => self.write_column::<FloatType, _>(group, |entry| number(entry) as f32),
            Kind::Double => self.write_column::<DoubleType, _>(group, number),
            Kind::Words => self.write_column::<ByteArrayType, _>(group, |entry| match entry {
                Entry::Word(word) => ByteArray::from(word),
                Entry::Number(number) => ByteArray::from(number.to_string().as_str()),
                other => ByteArray::from(number(other).to_string().as_str()),
            }),
        }
    }

    fn write_column<T: DataType, W: Write + Send>(
        &self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        value: impl Fn(Entry) -> T::T,
    ) -> Result<(), ParquetError> {
        let values: Vec<T::T> = self.entries().filter(|entry| *entry != Entry::Missing).map(value).collect();
        let is_there: Vec<i16> = self.entries().map(|entry| i16::from(entry != Entry::Missing)).collect();
        let mut column =
            group.next_column()?.ok_or_else(|| ParquetError::General("there is one column less".into()))?;
        column.typed::<T>().write_batch(&values, Some(&is_there), None)?;
        column.close()
    }
}

/// The whole number that a word says, such as the name of a class or of a row; `04` is none.
fn whole(word: &str) -> Option<i64> {
    word.parse().ok().filter(|number: &i64| number.to_string() == word)
}

/// Whether a number is written as a whole one without loss. Negative zero is none.
fn is_whole(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() < 1e15 && !(number == 0.0 && number.is_sign_negative())
}

#[cfg(test)]
mod tests {
    use super::super::super::{Cell, Dataset, Options, Origins, Unit, file_rows};
    use super::*;

    #[test]
    fn what_is_written_is_read_with_every_digit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        let names = ["whole", "float", "double", "word"].map(String::from);
        let row = |i: usize| {
            let word = |word: &str| Cell::Word(word.into());
            let missing = |cell: Cell| if i == 3 { Cell::Missing } else { cell };
            let x = i as f32 / 3.0;
            [
                missing(Cell::Exact(i as f64 - 2.0)),
                Cell::Number(x),
                Cell::Exact(i as f64 / 7.0),
                word(["a\nb", "a \"q\"", "é"][i % 3]),
            ]
        };
        let cells: Vec<Cell> = (0..30).flat_map(row).collect();
        let class = Block::Classes { name: "class", labels: &[0, 1].repeat(15), classes: &["no".into(), "yes".into()] };
        write_parquet(&path, 30, &[Block::Cells { names: &names, cells: &cells, forms: &[] }, class]).unwrap();
        let options = Options { label: Some("class".into()), test_share: 1.0 / 30.0, ..path.to_str().unwrap().into() };
        let data = Dataset::load(options).unwrap();
        assert_eq!((data.classes.as_slice(), data.train.rows), (["no".into(), "yes".into()].as_slice(), 29));
        assert_eq!(data.columns.as_ref().unwrap().names(), names);
        for split in [&data.train, &data.test] {
            let Some(Origins::Numbered(Unit::Row, numbers)) = &split.origins else { panic!("{:?}", split.origins) };
            let read = file_rows(&path, Some(split)).unwrap().unwrap();
            let written = numbers.iter().map(|number| &cells[4 * (*number as usize - 1)..][..4]);
            for (row, written) in written.enumerate() {
                for (place, written) in written.iter().enumerate() {
                    match (read.cell(row, place), written) {
                        (Cell::Exact(read), Cell::Number(written)) => assert_eq!(read as f32, *written),
                        (read, written) => assert_eq!(read, *written),
                    }
                }
            }
        }
    }

    #[test]
    fn a_column_has_room_for_all_of_its_numbers() {
        let kind = |cells: &[Cell]| {
            let names = ["x".to_string()];
            let block = Block::Cells { names: &names, cells, forms: &[] };
            Column { name: "x", block: &block, place: 0, rows: cells.len() }.kind()
        };
        let (large, half) = (Cell::Exact(16_777_217.0), Cell::Number(0.5));
        assert!(
            kind(&[large.clone(), half.clone()]) == Kind::Double
                && kind(&[half.clone(), large.clone()]) == Kind::Double
        );
        assert!(
            kind(&[large.clone(), Cell::Missing]) == Kind::Whole && kind(std::slice::from_ref(&half)) == Kind::Float
        );
        assert!(
            kind(&[Cell::Exact(0.5)]) == Kind::Double && kind(&[half, Cell::Word("16777217".into())]) == Kind::Double
        );
        assert!(kind(&[large, Cell::Word("04".into())]) == Kind::Words);
        let digits = Cell::Word("9007199254740993".into());
        assert!(
            kind(&[digits.clone(), Cell::Exact(2.0)]) == Kind::Whole
                && kind(&[digits, Cell::Exact(0.5)]) == Kind::Words
        );
        let truth = |word: &str| Cell::Word(word.into());
        assert!(kind(&[truth("true"), Cell::Missing, truth("false")]) == Kind::Truth);
        assert!(kind(&[truth("true"), truth("TRUE")]) == Kind::Words && kind(&[Cell::Missing]) == Kind::Whole);
    }
}
