//! Reading files, plain or gzipped, without taking more memory than they can need.
//!
//! What a header promises is compared with what can follow before room is made for it, and no stream is unpacked any
//! further than that.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::DataError;
use super::error::on_one_line;
use crate::disk::{self, NotRead};

/// The first bytes of a Parquet file, and its last ones.
pub const PARQUET: [u8; 4] = *b"PAR1";

/// The first bytes of a gzip stream.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How many times its size a packed stream may unpack to. Tables and images of real data stay below 20.
const MAX_PACKED: u64 = 32;
/// What a packed stream of any size may unpack to.
const ALWAYS_UNPACKED: u64 = 32 << 20;

/// The most bytes that are unpacked from this many.
pub fn unpacked_limit(packed: u64) -> u64 {
    packed.saturating_mul(MAX_PACKED).max(ALWAYS_UNPACKED)
}

fn too_packed(limit: u64) -> String {
    format!("it unpacks to more than {limit} bytes, {MAX_PACKED} times its size: if that is right, unpack it first")
}

fn invalid_gzip(path: &Path, reason: String) -> DataError {
    DataError::Format { path: path.to_path_buf(), kind: "gzip file", reason }
}

/// Opens a regular file and returns its length. Reading from anything else might never end.
pub fn open(path: &Path) -> Result<(File, u64), DataError> {
    disk::open(path).map_err(|error| match error {
        NotRead::NotAFile(what) => DataError::NotAFile { path: path.to_path_buf(), what },
        other => DataError::read(path)(other.into()),
    })
}

/// All of a regular file of at most this many bytes.
pub fn content(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    disk::read(path, limit).map_err(|error| match error {
        NotRead::NotAFile(what) => DataError::NotAFile { path: path.to_path_buf(), what },
        other => DataError::read(path)(other.into()),
    })
}

/// What may still follow in a stream.
enum Left {
    /// Just this many bytes.
    Known(u64),
    /// No more than this, because the stream is packed.
    AtMost(u64),
}

/// A file or an entry of an archive, read from its beginning and unpacked on the way.
pub struct Content<'a> {
    stream: Box<dyn Read + 'a>,
    left: Left,
}

impl Content<'static> {
    /// Opens a file, plain or gzipped.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let (file, length) = open(path)?;
        let stream = BufReader::new(file);
        match is_gzip(path)? {
            true => Ok(Self::packed(MultiGzDecoder::new(stream), length)),
            false => Ok(Self { stream: Box::new(stream.take(length)), left: Left::Known(length) }),
        }
    }
}

impl<'a> Content<'a> {
    /// A stream that was unpacked from this many bytes.
    pub fn packed(stream: impl Read + 'a, packed: u64) -> Self {
        Self { stream: Box::new(stream), left: Left::AtMost(unpacked_limit(packed)) }
    }

    /// All that is left, as a stream.
    pub fn stream(self) -> impl Read + 'a {
        let (Left::Known(left) | Left::AtMost(left)) = self.left;
        self.stream.take(left)
    }

    /// The next bytes; fewer at the end.
    pub fn next(&mut self, count: usize) -> Result<Vec<u8>, String> {
        let (Left::Known(left) | Left::AtMost(left)) = &mut self.left;
        let count = (count as u64).min(*left);
        let mut bytes = Vec::new();
        // The room is reserved at once where it is known to be needed, and grows with the content where it is not.
        let room = if matches!(self.left, Left::Known(_)) { count } else { count.min(1 << 20) };
        bytes.try_reserve_exact(room as usize).map_err(|_| format!("{count} bytes do not fit into memory"))?;
        self.stream.by_ref().take(count).read_to_end(&mut bytes).map_err(damaged)?;
        let (Left::Known(left) | Left::AtMost(left)) = &mut self.left;
        *left -= bytes.len() as u64;
        Ok(bytes)
    }

    /// All that is left, which must be as many bytes as the header promises for an array of these extents.
    pub fn body(mut self, promised: usize, extents: &[usize]) -> Result<Vec<u8>, String> {
        let differs = |how: &str, found: String| {
            let extents = super::error::list(&extents.iter().map(usize::to_string).collect::<Vec<_>>());
            Err(format!("it is {how}: the header promises {promised} bytes for [{extents}], {found}"))
        };
        match self.left {
            Left::Known(left) if left < promised as u64 => return differs("cut short", format!("{left} follow")),
            Left::Known(left) if left > promised as u64 => return differs("too long", format!("{left} follow")),
            Left::AtMost(limit) if limit < promised as u64 => return Err(too_packed(limit)),
            _ => {}
        }
        let bytes = self.next(promised)?;
        if bytes.len() < promised {
            return differs("cut short", format!("{} follow", bytes.len()));
        }
        let mut more = [0];
        match self.stream.read(&mut more).map_err(damaged)? {
            0 => Ok(bytes),
            _ => differs("too long", "more follow".into()),
        }
    }
}

fn damaged(error: std::io::Error) -> String {
    format!("the packed stream is damaged or cut short ({})", on_one_line(error))
}

/// Whether a file is a gzip stream.
pub fn is_gzip(path: &Path) -> Result<bool, DataError> {
    let mut start = Vec::new();
    let (file, _) = open(path)?;
    file.take(GZIP.len() as u64).read_to_end(&mut start).map_err(DataError::read(path))?;
    Ok(start == GZIP)
}

/// The first bytes of a file, unpacked.
pub fn head(path: &Path) -> Result<Vec<u8>, DataError> {
    start(path, 64)
}

/// The first bytes of a file, up to so many, unpacked.
pub fn start(path: &Path, most: usize) -> Result<Vec<u8>, DataError> {
    Content::open(path)?.next(most).map_err(|reason| invalid_gzip(path, reason))
}

/// A whole file, unpacked, for content that has no header to say how long it is.
pub fn all(path: &Path) -> Result<Vec<u8>, DataError> {
    let (file, length) = open(path)?;
    let length = if is_gzip(path)? {
        // Unpacked twice: to count, and only if it is not too much, to keep.
        let limit = unpacked_limit(length);
        let mut counted = MultiGzDecoder::new(BufReader::new(file)).take(limit + 1);
        let count = std::io::copy(&mut counted, &mut std::io::sink());
        match count.map_err(|error| invalid_gzip(path, damaged(error)))? {
            count if count > limit => return Err(invalid_gzip(path, too_packed(limit))),
            count => count,
        }
    } else {
        length
    };
    let mut content = Content::open(path)?;
    content.left = Left::Known(length);
    content.next(usize::try_from(length).unwrap_or(usize::MAX)).map_err(|reason| invalid_gzip(path, reason))
}
