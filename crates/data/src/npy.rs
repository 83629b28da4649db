//! NPY files: a header in Python syntax, then one array.

use std::path::Path;

use super::array::{Array, Element, MAX_AXES, checked_size};
use super::bytes::Content;
use super::raw::Raw;
use super::{DataError, RowFormat};

/// The first bytes of an NPY file.
pub const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Reads a file of one array, its first axis counting the rows.
pub(super) fn file(path: &Path, format: RowFormat) -> Result<Raw, DataError> {
    let mut notes = Vec::new();
    let raw = read(path)?.rows(format, None, &mut notes).map_err(invalid(path))?;
    Ok(Raw { notes, ..raw })
}

/// Reads the array of a file.
pub(super) fn read(path: &Path) -> Result<Array, DataError> {
    parse(Content::open(path)?).map_err(invalid(path))
}

fn invalid(path: &Path) -> impl Fn(String) -> DataError {
    let path = path.to_path_buf();
    move |reason| DataError::Format { path: path.clone(), kind: "NPY file", reason }
}

/// The longest header that is read; NumPy's own are below 1 KiB.
const LONGEST_HEADER: usize = 64 << 10;

/// The header of an array: what its elements are and how many there are.
pub struct ArrayHeader {
    pub extents: Vec<usize>,
    element: Element,
    big_endian: bool,
    by_columns: bool,
}

/// Reads a file's header, and nothing behind it.
pub fn header(content: &mut Content<'_>) -> Result<ArrayHeader, String> {
    let ends = || "it ends within its header".to_string();
    let start = content.next(MAGIC.len() + 4)?;
    if !start.starts_with(MAGIC) {
        return Err("it does not begin with the NPY magic number".into());
    }
    let length = match start[MAGIC.len()..] {
        [1, _, a, b] => usize::from(u16::from_le_bytes([a, b])),
        [2 | 3, _, a, b] => match content.next(2)?[..] {
            [c, d] => u32::from_le_bytes([a, b, c, d]) as usize,
            _ => return Err(ends()),
        },
        [version, ..] if !(1..=3).contains(&version) => {
            return Err(format!("it has version {version}, but only versions 1 to 3 can be read"));
        }
        _ => return Err(ends()),
    };
    let text = content.next(length.min(LONGEST_HEADER))?;
    if text.len() < length {
        let long = format!("its header is longer than {LONGEST_HEADER} bytes");
        return Err(if text.len() == LONGEST_HEADER { long } else { ends() });
    }
    let text = String::from_utf8_lossy(&text);
    let (element, big_endian) = element(value(&text, "descr").ok_or("its header names no type")?)?;
    let by_columns = value(&text, "fortran_order").is_some_and(|order| order.starts_with("True"));
    let extents = extents(value(&text, "shape").ok_or("its header has no shape")?)?;
    Ok(ArrayHeader { extents, element, big_endian, by_columns })
}

/// The array of a file's content.
pub fn parse(mut content: Content<'_>) -> Result<Array, String> {
    let ArrayHeader { extents, element, big_endian, by_columns } = header(&mut content)?;
    let content = content.body(checked_size(&extents, element)?, &extents)?;
    let bytes = if by_columns { by_rows(&content, &extents, element.size()) } else { content };
    Ok(Array { extents, element, big_endian, bytes })
}

/// The header's text after a key.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let place = header.find(&format!("'{key}'"))?;
    let (_, value) = header[place + key.len() + 2..].split_once(':')?;
    Some(value.trim_start())
}

/// `'<f4'`
fn element(text: &str) -> Result<(Element, bool), String> {
    let unknown =
        |what: &str| Err(format!("its elements are {what}, but only numbers, booleans and strings can be read"));
    let Some(kind) = text.strip_prefix('\'').and_then(|text| text.split('\'').next()) else {
        return unknown("records with several fields");
    };
    let big_endian = kind.starts_with('>');
    let kind = kind.trim_start_matches(['<', '>', '|', '=']);
    let size = kind.get(1..).and_then(|size| size.parse().ok()).unwrap_or(0);
    let element = match (kind.chars().next(), size) {
        (Some('b'), 1) => Element::Bool,
        (Some('u'), 1 | 2 | 4 | 8) => Element::Unsigned(size),
        (Some('i'), 1 | 2 | 4 | 8) => Element::Signed(size),
        (Some('f'), 2 | 4 | 8) => Element::Float(size),
        (Some('U'), 1..=4096) => Element::Text(size),
        _ => return unknown(&format!("`{}`", super::error::shown(kind))),
    };
    Ok((element, big_endian))
}

/// `(60000, 28, 28)`
fn extents(text: &str) -> Result<Vec<usize>, String> {
    let inner = text.strip_prefix('(').and_then(|text| text.split_once(')')).ok_or("its shape is not a list")?.0;
    let parts: Vec<&str> = inner.split(',').map(str::trim).filter(|part| !part.is_empty()).take(MAX_AXES + 1).collect();
    if parts.len() > MAX_AXES {
        return Err(format!("its shape has more than {MAX_AXES} axes"));
    }
    parts
        .into_iter()
        .map(|part| {
            let part = part.trim_end_matches('L');
            part.parse().map_err(|_| format!("its shape holds `{}`, which is not a length", super::error::shown(part)))
        })
        .collect()
}

/// Reorders elements from column-major (Fortran) to row-major (C) order.
fn by_rows(content: &[u8], extents: &[usize], size: usize) -> Vec<u8> {
    // Axes of length 1 change nothing, and without them there are no more axes than an index has bits.
    let extents: Vec<usize> = extents.iter().copied().filter(|extent| *extent != 1).collect();
    let count = content.len() / size.max(1);
    let mut sorted = Vec::with_capacity(content.len());
    let mut place = vec![0; extents.len()];
    for _ in 0..count {
        let from = place.iter().zip(&extents).rev().fold(0, |at, (index, extent)| at * extent + index);
        sorted.extend_from_slice(&content[from * size..(from + 1) * size]);
        for axis in (0..extents.len()).rev() {
            place[axis] += 1;
            if place[axis] < extents[axis] {
                break;
            }
            place[axis] = 0;
        }
    }
    sorted
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file of version 1.
    pub fn npy(descr: &str, order: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut file = MAGIC.to_vec();
        file.extend([1, 0]);
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(bytes);
        file
    }

    fn of_bytes(file: &[u8]) -> Result<Array, String> {
        let there = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(there.path(), file).unwrap();
        parse(Content::open(there.path()).unwrap())
    }

    #[test]
    fn arrays_are_read_in_either_order_of_bytes_and_axes() {
        let little: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let big: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_be_bytes()).collect();
        let of = |file: Vec<u8>| of_bytes(&file).unwrap().floats().unwrap();
        assert_eq!(of(npy("<f4", "False", "(2, 3)", &little)), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(of(npy(">f4", "False", "(2, 3)", &big)), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(of(npy("<f4", "True", "(2, 3)", &little)), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        let mut second = npy("|u1", "False", "(3,)", &[7, 8, 9]);
        second[6] = 2;
        second.splice(10..10, [0, 0]);
        assert_eq!(of(second), [7.0, 8.0, 9.0]);
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("z.npy");
        for shape in [vec![6], vec![2, 3], vec![1, 2, 3]] {
            crate::write::write_npy(&path, &shape, &[1.5, -0.0, 3e-39, 4.0, 5.0, f32::MAX]).unwrap();
            let content = std::fs::read(&path).unwrap();
            assert_eq!((content.len() - 24) % 64, 0);
            let array = of_bytes(&content).unwrap();
            assert_eq!(array.extents, shape);
            assert_eq!(array.floats().unwrap(), [1.5, -0.0, 3e-39, 4.0, 5.0, f32::MAX]);
        }
    }

    #[test]
    fn damaged_arrays_are_refused_with_the_reason() {
        let good = npy("<f4", "False", "(1, 2)", &[0; 8]);
        for (file, reason) in [
            (b"text".to_vec(), "does not begin"),
            (good[..8].to_vec(), "ends within its header"),
            (good[..20].to_vec(), "ends within its header"),
            (good[..good.len() - 1].to_vec(), "cut short: the header promises 8 bytes"),
            ([good.clone(), vec![0]].concat(), "too long"),
            (npy("<c8", "False", "(1, 1)", &[0; 8]), "its elements are `c8`"),
            (npy("|O", "False", "(1,)", &[0; 8]), "its elements are `O`"),
            (npy("<f4", "False", "(-1, 2)", &[]), "holds `-1`"),
            (npy("<f4", "False", "(99999999999, 99999999999)", &[]), "too large for any file"),
            (MAGIC.iter().copied().chain([9, 0, 0, 0]).collect(), "version 9"),
        ] {
            let error = of_bytes(&file).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
