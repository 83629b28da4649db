//! How many bytes the pages of a Parquet file unpack to, by what stands before each of them: so much room the reader makes
//! before it has read any of them.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use ::parquet::file::metadata::ParquetMetaData;

/// Whether all pages together unpack to no more than a limit.
pub fn are_within(limit: u64, file: &File, metadata: &ParquetMetaData) -> Result<bool, String> {
    let mut total = 0_u64;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let (start, length) = column.byte_range();
        let mut place = start;
        let mut reader = BufReader::new(file);
        reader.seek(SeekFrom::Start(start)).map_err(|error| error.to_string())?;
        while place < start.saturating_add(length) {
            let mut header = Header { bytes: &mut reader, read: 0, left: size.saturating_sub(place), sizes: [0; 2] };
            header.record(0, true).ok_or_else(|| format!("there is no page at byte {place}"))?;
            let (read, [unpacked, packed]) = (header.read, header.sizes);
            total = total.saturating_add(unpacked);
            if total > limit {
                return Ok(false);
            }
            place = place.saturating_add(read).saturating_add(packed);
            let packed = i64::try_from(packed).map_err(|error| error.to_string())?;
            reader.seek_relative(packed).map_err(|error| error.to_string())?;
        }
    }
    Ok(true)
}

/// A page's header, in Thrift's compact protocol.
struct Header<'a, 'b> {
    bytes: &'a mut BufReader<&'b File>,
    /// How many of its bytes have been read.
    read: u64,
    /// How many bytes the file has from the header on. Every value takes one at least, however many a list says that it has.
    left: u64,
    /// The bytes of the page, unpacked and packed.
    sizes: [u64; 2],
}

/// How deep its records lie in each other. Those of pages have three levels.
const DEEPEST: usize = 16;

/// The fields of a page's header that hold its sizes.
const SIZES: std::ops::RangeInclusive<i64> = 2..=3;

impl Header<'_, '_> {
    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.bytes.read_exact(&mut byte).ok()?;
        self.read += 1;
        (self.read <= self.left).then_some(byte[0])
    }

    /// Seven bits a byte, the lowest first.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Negative numbers lie between positive ones.
    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        // A seek behind the end is no error.
        self.read = self.read.checked_add(count).filter(|read| *read <= self.left)?;
        self.bytes.seek_relative(i64::try_from(count).ok()?).ok()
    }

    /// A record: fields up to a zero. Those of the outermost one may be sizes.
    fn record(&mut self, depth: usize, outermost: bool) -> Option<()> {
        let mut name = 0_i64;
        loop {
            let byte = self.byte()?;
            if byte == 0 {
                return Some(());
            }
            name = match byte >> 4 {
                0 => self.signed()?,
                more => name.checked_add(i64::from(more))?,
            };
            match byte & 15 {
                // Truth values are kinds of their own.
                1 | 2 => {}
                5 if outermost && SIZES.contains(&name) => {
                    self.sizes[(name - SIZES.start()) as usize] = u64::try_from(self.signed()?).ok()?;
                }
                kind => self.value(kind, depth)?,
            }
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match kind {
            1..=3 => self.skip(1),
            4..=6 => self.number().map(|_| ()),
            7 => self.skip(8),
            8 => {
                let length = self.number()?;
                self.skip(length)
            }
            9 | 10 => {
                let start = self.byte()?;
                let count = if start >> 4 == 15 { self.number()? } else { u64::from(start >> 4) };
                (0..count).try_for_each(|_| self.value(start & 15, depth + 1))
            }
            12 => self.record(depth + 1, false),
            _ => None,
        }
    }
}
