//! Whether a file of text is a table.

use std::path::Path;

use super::super::table::is_table_of;
use super::super::{DataError, bytes};

/// Lines that are looked at.
const LINES: usize = 100;

/// How many bytes are looked at.
const LOOKED_AT: usize = 1 << 20;

/// Whether the first lines of a file split by one delimiter into the same two or more fields, one of which is a number
/// in each of them; the first line may be a header.
pub fn is_table(path: &Path) -> Result<bool, DataError> {
    let start = bytes::start(path, LOOKED_AT)?;
    let is_cut = start.len() == LOOKED_AT;
    let text = match start[..] {
        [0xff, 0xfe, ..] => utf16(&start[2..], u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf16(&start[2..], u16::from_be_bytes),
        _ => String::from_utf8_lossy(start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start)).into_owned(),
    };
    // The last line may go on.
    let whole = if is_cut { text.rfind(['\n', '\r']).map_or("", |end| &text[..end]) } else { &text };
    Ok(is_table_of(whole, LINES))
}

fn utf16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}
