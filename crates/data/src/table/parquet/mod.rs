//! Parquet files: flat columns of numbers, words, times and truth values, a row at a time.

mod pages;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::{Compression, ConvertedType, LogicalType, TimeUnit, Type as Physical};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use ::parquet::record::reader::RowIter;
use ::parquet::schema::types::Type;

use super::super::bytes::{self, PARQUET};
use super::super::error::{list, on_one_line};
use super::super::raw::MAX_COLUMNS;
use super::super::{Cell, DataError};
use super::layout::Layout;
use super::records::{TableRecord, TableRecords};
use crate::caught::catch_panic;

/// A Parquet file whose schema and sizes have been looked at.
pub struct Parquet {
    path: PathBuf,
    /// The flat columns.
    schema: Type,
    columns: Vec<Column>,
    /// Names of the others, which hold lists or records.
    nested: Vec<String>,
    rows: usize,
}

struct Column {
    name: String,
    is_of_words: bool,
    /// Its integers are nanoseconds since 1970, which the reader does not know as times.
    is_of_nanoseconds: bool,
}

/// Where pandas keeps the names of rows.
const ROW_NAMES: &str = "__index_level_0__";

impl Parquet {
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let (file, length) = bytes::open(path)?;
        let looked = catch_panic(|| Self::looked_at(path, &file, length));
        looked.unwrap_or_else(|| Err("its reader gave up".into())).map_err(|reason| invalid(path, reason))
    }

    fn looked_at(path: &Path, file: &File, length: u64) -> Result<Self, String> {
        let mut start = [0; PARQUET.len()];
        let mut first = file.try_clone().map_err(on_one_line)?;
        if first.read_exact(&mut start).is_err() || start != PARQUET {
            return Err("it is packed once more, with gzip: unpack it first".into());
        }
        let reader = opened(file)?;
        let metadata = reader.metadata();
        let root = metadata.file_metadata().schema();
        if root.get_fields().len() > MAX_COLUMNS {
            let count = root.get_fields().len();
            return Err(format!("it has {count} columns, and no more than {MAX_COLUMNS} can be read"));
        }
        let is_flat = |field: &&Arc<Type>| field.is_primitive() && !is_repeated(field);
        let flat: Vec<Arc<Type>> = root.get_fields().iter().filter(is_flat).cloned().collect();
        let nested: Vec<String> =
            root.get_fields().iter().filter(|field| !is_flat(field)).map(|field| field.name().to_string()).collect();
        if flat.is_empty() {
            return Err("it has no column of numbers or words".into());
        }
        let mut chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
        if let Some(packing) = chunks.find_map(|chunk| unknown_packing(chunk.compression())) {
            return Err(format!("it is packed with {packing}: write it with snappy, zstd, gzip or lz4"));
        }
        // No more is unpacked, and no more room is made, than for any other packed file of this size.
        let limit = bytes::unpacked_limit(length);
        let rows = metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(u64::MAX));
        let rows = rows.fold(0, u64::saturating_add);
        let values = rows.saturating_mul(4 * flat.len() as u64 + 8);
        if values > limit || !pages::are_within(limit, file, metadata)? {
            return Err(format!("it unpacks to more than {limit} bytes: if that is right, write it as CSV"));
        }
        let columns = flat.iter().map(|field| Column {
            name: field.name().to_string(),
            is_of_words: is_of_words(field),
            is_of_nanoseconds: field.get_physical_type() == Physical::INT64
                && matches!(
                    field.get_basic_info().logical_type_ref(),
                    Some(LogicalType::Timestamp(time)) if time.unit == TimeUnit::NANOS
                ),
        });
        let columns = columns.collect();
        let schema = Type::group_type_builder(root.name()).with_fields(flat).build().map_err(said)?;
        Ok(Self { path: path.to_path_buf(), schema, columns, nested, rows: rows as usize })
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.rows
    }

    pub fn is_of_words(&self, column: usize) -> bool {
        self.columns[column].is_of_words
    }

    pub fn layout(&self) -> Layout {
        let mut layout = Layout::named(self.columns.iter().map(|column| column.name.clone()).collect());
        layout.row_names = self.columns.iter().position(|column| column.name == ROW_NAMES);
        if !self.nested.is_empty() {
            let nested = list(&self.nested);
            layout.notes.push(format!("columns of lists or records were left out: {nested}"));
        }
        layout
    }

    /// All rows, in order.
    pub fn rows(&self) -> Result<TableRecords<'_>, DataError> {
        let (file, _) = bytes::open(&self.path)?;
        let rows = catch_panic(|| {
            let reader = opened(&file)?;
            RowIter::from_file_into(Box::new(reader)).project(Some(self.schema.clone())).map_err(said)
        });
        let rows = rows.unwrap_or_else(|| Err("its reader gave up".into()));
        let rows =
            Rows { rows: Some(rows.map_err(|reason| invalid(&self.path, reason))?), read: 0, columns: &self.columns };
        Ok(Box::new(rows.map(|record| record.map_err(|reason| invalid(&self.path, reason)))))
    }
}

fn opened(file: &File) -> Result<SerializedFileReader<File>, String> {
    SerializedFileReader::new(file.try_clone().map_err(on_one_line)?).map_err(said)
}

fn invalid(path: &Path, reason: String) -> DataError {
    DataError::Format { path: path.to_path_buf(), kind: "Parquet file", reason }
}

fn said(error: ParquetError) -> String {
    super::super::error::shortened(on_one_line(error))
}

/// The name of a packing that is not unpacked.
fn unknown_packing(packing: Compression) -> Option<&'static str> {
    match packing {
        Compression::BROTLI(_) => Some("brotli"),
        Compression::LZO => Some("lzo"),
        _ => None,
    }
}

fn is_repeated(field: &Type) -> bool {
    let info = field.get_basic_info();
    info.has_repetition() && info.repetition() == ::parquet::basic::Repetition::REPEATED
}

fn is_of_words(field: &Type) -> bool {
    let is_decimal = field.get_basic_info().converted_type() == ConvertedType::DECIMAL;
    field.get_physical_type() == Physical::BYTE_ARRAY && !is_decimal
}

/// Rows until the first that cannot be read.
struct Rows<'a> {
    rows: Option<RowIter<'static>>,
    read: u64,
    columns: &'a [Column],
}

impl Iterator for Rows<'_> {
    type Item = Result<TableRecord, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rows = self.rows.take()?;
        let columns = self.columns;
        let next = catch_panic(move || {
            let row = rows.next()?;
            let cells = row.map_err(said).and_then(|row| {
                let cells = row.into_columns().into_iter().zip(columns);
                cells.map(|((_, field), column)| cell(field, column)).collect::<Result<Vec<Cell>, String>>()
            });
            Some(cells.map(|cells| (cells, rows)))
        });
        match next.unwrap_or_else(|| Some(Err("its reader gave up".into())))? {
            Ok((cells, rows)) => {
                self.rows = Some(rows);
                self.read += 1;
                Some(Ok(TableRecord::of_cells(self.read, cells)))
            }
            Err(reason) => Some(Err(format!("row {}: {reason}", self.read + 1))),
        }
    }
}

/// A value as text; times have a fraction of a second only if it is not 0.
fn written(field: &Field) -> Cell {
    Cell::Word(field.to_string().replace(".000000 +00:00", " +00:00"))
}

/// Days from 1970 to the year 9999, and as many before.
const MAX_DAYS: u64 = 2_932_896;

fn too_far(column: &Column) -> String {
    format!(
        "the column {} holds a time more than 8,029 years from 1970, which is no date that can be read",
        column.name
    )
}

/// A cell as it would be in a CSV file.
fn cell(field: Field, column: &Column) -> Result<Cell, String> {
    let number = |cell: Cell, number: f64| match number {
        number if number.is_nan() => Cell::Missing,
        // Too large for a float.
        number if !(number as f32).is_finite() => Cell::Word(number.to_string()),
        _ => cell,
    };
    Ok(match field {
        Field::Null => Cell::Missing,
        Field::Str(word) => Cell::Word(word),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(word) => Cell::Word(word.to_string()),
            Err(_) => return Err(format!("the column {} holds bytes that are not text", column.name)),
        },
        Field::Long(time) if column.is_of_nanoseconds => written(&Field::TimestampMicros(time.div_euclid(1000))),
        Field::Float(value) => number(Cell::Number(value), value.into()),
        Field::Double(value) => number(Cell::Exact(value), value),
        Field::Int(value) => Cell::Exact(value.into()),
        // One with more digits than a float has room for keeps them as text.
        Field::Long(value) if value.unsigned_abs() > 1 << 53 => Cell::Word(value.to_string()),
        Field::Long(value) => Cell::Exact(value as f64),
        // Times far from ours have no date in the calendar that they are written in.
        Field::Date(days) if days.unsigned_abs() > MAX_DAYS as u32 => return Err(too_far(column)),
        Field::TimestampMillis(time) if time.unsigned_abs() / 86_400_000 > MAX_DAYS => return Err(too_far(column)),
        Field::TimestampMicros(time) if time.unsigned_abs() / 86_400_000_000 > MAX_DAYS => {
            return Err(too_far(column));
        }
        // Times, decimals and the rarer integers.
        other => written(&other),
    })
}

#[cfg(test)]
mod tests {
    use ::parquet::data_type::{
        ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
    };
    use ::parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
    use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
    use ::parquet::schema::parser::parse_message_type;

    use super::super::super::{Dataset, ValueKind};
    use super::*;

    const ROWS: usize = 40;

    /// A file of the message's columns, in groups of four rows, each filled by its place.
    fn written(
        message: &str,
        properties: WriterPropertiesPtr,
        fill: impl Fn(usize, usize, &mut SerializedColumnWriter),
    ) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(message).unwrap());
        let mut file = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
        for first in (0..ROWS).step_by(4) {
            let mut group = file.next_row_group().unwrap();
            let mut place = 0;
            while let Some(mut column) = group.next_column().unwrap() {
                fill(place, first, &mut column);
                column.close().unwrap();
                place += 1;
            }
            group.close().unwrap();
        }
        file.into_inner().unwrap()
    }

    fn load(content: &[u8]) -> Result<Dataset, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        std::fs::write(&path, content).unwrap();
        Dataset::load(path.to_str().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_of_every_kind_are_read() {
        let message = "message schema {
            optional int64 time (TIMESTAMP(NANOS, true));
            optional binary code (STRING);
            optional float number;
            optional int32 day (DATE);
            optional int32 price (DECIMAL(9, 2));
            optional binary __index_level_0__ (STRING);
            optional fixed_len_byte_array(2) half (FLOAT16);
            repeated int32 list;
        }";
        let fill = |place: usize, first: usize, column: &mut SerializedColumnWriter| {
            let rows = first..first + 4;
            let there = [1_i16; 4];
            match place {
                0 => {
                    let times: Vec<i64> = rows.map(|i| i as i64 * 1_000_000_000).collect();
                    column.typed::<Int64Type>().write_batch(&times, Some(&there), None).unwrap();
                }
                1 | 5 => {
                    let words = rows.map(|i| if place == 1 { format!("0{}", i % 3) } else { format!("row {i}") });
                    let words: Vec<ByteArray> = words.map(|word| ByteArray::from(word.as_str())).collect();
                    column.typed::<ByteArrayType>().write_batch(&words, Some(&there), None).unwrap();
                }
                2 => {
                    // One in four is missing.
                    let numbers: Vec<f32> = rows.take(3).map(|i| i as f32 / 3.0).collect();
                    column.typed::<FloatType>().write_batch(&numbers, Some(&[1, 1, 0, 1]), None).unwrap();
                }
                3 | 4 => {
                    let numbers: Vec<i32> =
                        rows.map(|i| if place == 3 { i as i32 % 2 } else { 150 * i as i32 }).collect();
                    column.typed::<Int32Type>().write_batch(&numbers, Some(&there), None).unwrap();
                }
                6 => {
                    let one = FixedLenByteArray::from(vec![0, 0x3c]);
                    let two = FixedLenByteArray::from(vec![0, 0x40]);
                    let halves = [one.clone(), two, one.clone(), one];
                    column.typed::<FixedLenByteArrayType>().write_batch(&halves, Some(&there), None).unwrap();
                }
                _ => {
                    column
                        .typed::<Int32Type>()
                        .write_batch(&[7, 8, 9], Some(&[1, 1, 1, 0, 0]), Some(&[0, 1, 0, 0, 0]))
                        .unwrap();
                }
            }
        };
        for packing in ["UNCOMPRESSED", "SNAPPY", "GZIP(6)", "ZSTD(3)", "LZ4_RAW"] {
            let packing: Compression = packing.parse().unwrap();
            let properties = Arc::new(WriterProperties::builder().set_compression(packing).build());
            let data = load(&written(message, properties, fill)).unwrap();
            let columns = data.columns.as_ref().unwrap();
            assert_eq!(columns.names(), ["time", "code", "number", "day", "price", "half"]);
            assert_eq!(columns.all[1].words, ["00", "01", "02"]);
            assert_eq!(columns.all[0].form.write(7.0, None), "1970-01-01 00:00:07 +00:00");
            assert_eq!(columns.all[3].form.write(1.0, None), "1970-01-02");
            assert_eq!(columns.all[5].kind, ValueKind::YesNo);
            assert_eq!(data.notes[0], "columns of lists or records were left out: list");
            assert!(data.notes[1].starts_with("time: times such as 1970-01-01 00:00:"), "{:?}", data.notes);
            assert_eq!(data.train.origins.as_ref().unwrap().of(0).unwrap(), "row 1");
        }
    }

    #[test]
    fn dates_far_off_are_said() {
        let message = "message schema { required int32 day (DATE); }";
        let plain = Arc::new(WriterProperties::builder().build());
        for (day, is_far) in [(2_932_000, false), (-719_000, false), (i32::MAX, true), (i32::MIN, true)] {
            let file = written(message, plain.clone(), |_, first, column| {
                let days: Vec<i32> = (first..first + 4).map(|i| if i == 7 { day } else { i as i32 }).collect();
                column.typed::<Int32Type>().write_batch(&days, None, None).unwrap();
            });
            match load(&file) {
                Err(error) if is_far => assert!(error.ends_with("row 8: the column day holds a time more than 8,029 years from 1970, which is no date that can be read"), "{error}"),
                outcome => assert!(!is_far && outcome.is_ok(), "{day}: {:?}", outcome.err()),
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let plain = Arc::new(WriterProperties::builder().build());
        let fill = |_: usize, first: usize, column: &mut SerializedColumnWriter| {
            let numbers: Vec<i64> = (first..first + 4).map(|i| i as i64).collect();
            column.typed::<Int64Type>().write_batch(&numbers, None, None).unwrap();
        };
        let file = written("message schema { required int64 x; }", plain.clone(), fill);
        assert_eq!(load(&file).unwrap().train.rows, ROWS - ROWS / 10);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, &file).unwrap();
        let error = load(&packed.finish().unwrap()).unwrap_err();
        assert!(error.ends_with("it is packed once more, with gzip: unpack it first"), "{error}");
        let error = load(&file[..file.len() - 9]).unwrap_err();
        assert!(error.contains("rows.parquet is not a valid Parquet file: "), "{error}");
        let bytes = |_: usize, _: usize, column: &mut SerializedColumnWriter| {
            let words =
                [ByteArray::from(vec![0xff, 0xfe]), ByteArray::from("a"), ByteArray::from("b"), ByteArray::from("c")];
            column.typed::<ByteArrayType>().write_batch(&words, None, None).unwrap();
        };
        let error = load(&written("message schema { required binary x; }", plain, bytes)).unwrap_err();
        assert!(error.ends_with("row 1: the column x holds bytes that are not text"), "{error}");
    }
    /// A file of 40 floats from 0 on, in one page with a checksum. It was written by Arrow for C++.
    fn with_checksum() -> Vec<u8> {
        let bytes = |hex: &str| -> Vec<u8> {
            let digits: Vec<u8> = hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
            digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
        };
        let head = bytes("50415231150015cc0215cc0215c2a793810f1c15501500150615061c000000020000005001");
        let tail = bytes(
            "1504192c35001806736368656d6115020015082502180161001650191c191c26001c1508192506001918016115001650 \
             1682031682032608491c150015001502003c29061926005000000016820316502608168203002820706172717565742d \
             6370702d6172726f772076657273696f6e2032362e302e31191c1c0000007e00000050415231",
        );
        let page = (0..40_u8).flat_map(|number| f32::from(number).to_le_bytes());
        head.into_iter().chain(page).chain(tail).collect()
    }

    #[test]
    fn a_page_that_has_changed_is_refused() {
        let file = with_checksum();
        assert_eq!(load(&file).unwrap().train.rows, 36);
        for place in [37, 94, 196] {
            let mut changed = file.clone();
            changed[place] ^= 1;
            let error = load(&changed).unwrap_err();
            assert!(error.contains("Page CRC checksum mismatch"), "{error}");
        }
    }
}
