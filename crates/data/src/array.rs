//! The arrays of IDX and NPY files, and the interpretation of their rows.

use super::options::LONGEST;
use super::{Shape, Values};

/// The type of an array's elements, with its size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    Bool,
    Unsigned(usize),
    Signed(usize),
    Float(usize),
    /// A string of this many characters of 4 bytes.
    Text(usize),
}

impl Element {
    /// Bytes per element.
    pub fn size(self) -> usize {
        match self {
            Element::Bool => 1,
            Element::Unsigned(n) | Element::Signed(n) | Element::Float(n) => n,
            Element::Text(characters) => 4 * characters,
        }
    }
}

/// An array in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub extents: Vec<usize>,
    pub element: Element,
    pub big_endian: bool,
    pub bytes: Vec<u8>,
}

/// The most axes an array may have; NumPy makes no more.
pub const MAX_AXES: usize = 64;

/// The bytes that an array's elements take, or why no file can hold them.
pub fn checked_size(extents: &[usize], element: Element) -> Result<usize, String> {
    // Lengths of 0 hide behind them what would not fit: the others are multiplied all the same.
    let longest = extents.iter().filter(|extent| **extent > 0).try_fold(element.size(), |all, e| all.checked_mul(*e));
    match longest {
        Some(size) if !extents.contains(&0) => Ok(size),
        Some(_) => Ok(0),
        None => Err(format!("the extents {extents:?} in its header are too large for any file")),
    }
}

/// Class names, and the class of each row.
pub type Classes = (Vec<String>, Vec<u32>);

/// Integer labels below this limit are numbered from 0 even if some do not occur: digits stay 0 to 9 in any file.
const COUNTED: i64 = 256;

impl Array {
    /// Calls `each` with the bytes of every element in order of significance.
    fn each<T>(&self, read: impl Fn([u8; 8]) -> T) -> Vec<T> {
        let size = self.element.size().clamp(1, 8);
        let one = |bytes: &[u8]| {
            let mut word = [0; 8];
            for (i, byte) in bytes.iter().enumerate() {
                word[if self.big_endian { size - 1 - i } else { i }] = *byte;
            }
            read(word)
        };
        self.bytes.chunks_exact(size).map(one).collect()
    }

    /// All elements as floats; none if they are strings.
    pub fn floats(&self) -> Option<Vec<f32>> {
        let low = |word: [u8; 8]| [word[0], word[1], word[2], word[3]];
        Some(match self.element {
            Element::Bool => self.bytes.iter().map(|b| f32::from(u8::from(*b != 0))).collect(),
            Element::Unsigned(_) => self.each(|word| u64::from_le_bytes(word) as f32),
            Element::Signed(size) => self.each(|word| signed(word, size) as f32),
            Element::Float(4) => self.each(|word| f32::from_le_bytes(low(word))),
            Element::Float(8) => self.each(|word| f64::from_le_bytes(word) as f32),
            Element::Float(_) => self.each(|word| half(u16::from_le_bytes([word[0], word[1]]))),
            Element::Text(_) => return None,
        })
    }

    /// All elements as whole numbers below 65535, if they are.
    pub fn places(&self) -> Option<Vec<u16>> {
        // No more memory than that: a file is not to take many times its size.
        let places = match self.element {
            Element::Bool | Element::Unsigned(_) => {
                self.each(|word| u16::try_from(u64::from_le_bytes(word)).unwrap_or(u16::MAX))
            }
            Element::Signed(size) => self.each(|word| u16::try_from(signed(word, size)).unwrap_or(u16::MAX)),
            Element::Float(_) => {
                let whole = |v: &f32| v.fract() == 0.0 && (0.0..f32::from(u16::MAX)).contains(v);
                self.floats()?.iter().map(|v| if whole(v) { *v as u16 } else { u16::MAX }).collect()
            }
            Element::Text(_) => return None,
        };
        (!places.contains(&u16::MAX)).then_some(places)
    }

    fn whole_numbers(&self) -> Option<Vec<i64>> {
        match self.element {
            Element::Bool | Element::Unsigned(_) => {
                self.each(|word| i64::try_from(u64::from_le_bytes(word)).ok()).into_iter().collect()
            }
            Element::Signed(size) => Some(self.each(|word| signed(word, size))),
            Element::Float(_) => {
                let whole = |v: &f32| (v.fract() == 0.0 && v.abs() < 1e9).then_some(*v as i64);
                self.floats()?.iter().map(whole).collect()
            }
            Element::Text(_) => None,
        }
    }

    /// All elements as words, if they are strings.
    pub fn words(&self) -> Option<Vec<String>> {
        let Element::Text(characters) = self.element else { return None };
        let character = |bytes: &[u8]| {
            let mut code = [bytes[0], bytes[1], bytes[2], bytes[3]];
            if self.big_endian {
                code.reverse();
            }
            char::from_u32(u32::from_le_bytes(code)).unwrap_or(char::REPLACEMENT_CHARACTER)
        };
        let word =
            |bytes: &[u8]| bytes.chunks_exact(4).map(character).collect::<String>().trim_end_matches('\0').into();
        Some(self.bytes.chunks_exact((4 * characters).max(1)).map(word).collect())
    }

    /// The shape of the rows, and their values.
    ///
    /// Rank 3 means grey images, unless one axis is far longer than the other: those are no images. Rank 4 with 1 or 3 channels in
    /// the last axis, or before height and width, means images, and so does rank 2 if the numbers of a row are a square of levels. Anything else is a table, NaN where a value is
    /// missing. Image values are read as levels if they are integers from 0 to 255, booleans or multiples of 1/255. Other floats
    /// stay unchanged, and NaN is a pixel that is missing.
    pub fn examples(self, notes: &mut Vec<String>) -> Result<(usize, Shape, Values), String> {
        let [rows, inner @ ..] = &self.extents[..] else { return Err("it holds a single number".into()) };
        let rows = *rows;
        if inner.is_empty() {
            return Err(format!("it holds {rows} single numbers, but an example needs several"));
        }
        let (image, channels_first) = match *inner {
            [h, w] if is_strip(h, w) => (None, false),
            [h, w] => (Some((h, w, 1)), false),
            [h, w, c @ (1 | 3)] => (Some((h, w, c)), false),
            [c @ (1 | 3), h, w] => (Some((h, w, c)), true),
            _ => (None, false),
        };
        // Where all elements are there, as many as the extents say, their product is no larger.
        let width: usize = if self.bytes.is_empty() { 0 } else { inner.iter().product() };
        if rows == 0 || self.bytes.is_empty() {
            let what = if image.is_some() { "images" } else { "rows" };
            return Err(format!("it holds no {what}"));
        }
        let square = if inner.len() == 1 { self.square_of_levels(width) } else { None };
        if let Some(side) = square {
            notes.push(format!("rows of {width} levels were read as grey images of {side}x{side}"));
        }
        let Some((height, columns, channels)) = image.or_else(|| square.map(|side| (side, side, 1))) else {
            notes.extend(about_rows(inner, width));
            return Ok((rows, Shape::Table(width), Values::Floats(self.known(width)?)));
        };
        if height.max(columns) > LONGEST {
            return Err(format!(
                "its images of {height}x{columns} are too large to learn from: sides up to {LONGEST} can be read"
            ));
        }
        let shape = Shape::Image { height, width: columns, channels };
        let mut values = self.levels(width, notes)?;
        if channels_first && channels > 1 {
            match &mut values {
                Values::Bytes(levels) => channels_last(levels, channels, height * columns),
                Values::Floats(numbers) => channels_last(numbers, channels, height * columns),
            }
        }
        Ok((rows, shape, values))
    }

    /// All elements, unchanged, and how many of them a row has.
    pub fn numbers(&self) -> Result<(Vec<f32>, usize), String> {
        let [_, inner @ ..] = &self.extents[..] else { return Err("it holds a single number".into()) };
        let width: usize = inner.iter().product();
        if inner.is_empty() || self.bytes.is_empty() {
            return Err(format!("it holds {:?} numbers, but rows of several are needed", self.extents));
        }
        Ok((self.finite(width)?, width))
    }

    /// The side of the images whose pixels the rows are, if they look like that.
    fn square_of_levels(&self, width: usize) -> Option<usize> {
        const SMALLEST: usize = 8;
        let side = width.isqrt();
        if side < SMALLEST || side * side != width {
            return None;
        }
        let is_level = |v: &f32| (0.0..=1.0).contains(v) && (v * 255.0 - (v * 255.0).round()).abs() < 1e-3;
        let levels = match self.element {
            Element::Bool => true,
            // A few small numbers are counts.
            Element::Unsigned(1) => self.bytes.iter().any(|level| *level >= 128),
            Element::Float(_) => {
                let values = self.floats()?;
                values.iter().all(is_level) && values.iter().any(|value| *value >= 0.5)
            }
            _ => false,
        };
        levels.then_some(side)
    }

    /// All elements, NaN where a value is missing.
    pub fn known(&self, width: usize) -> Result<Vec<f32>, String> {
        let values = self.floats().ok_or("it holds words, not numbers")?;
        match values.iter().position(|value| value.is_infinite()) {
            Some(place) => Err(format!(
                "row {} (counted from 0) holds {}, but only finite numbers can be learned from",
                place / width.max(1),
                values[place]
            )),
            None => Ok(values),
        }
    }

    fn finite(&self, width: usize) -> Result<Vec<f32>, String> {
        let values = self.floats().ok_or("it holds words, not numbers")?;
        match values.iter().position(|v| !v.is_finite()) {
            Some(place) => Err(format!(
                "row {} (counted from 0) holds {}, but only finite numbers can be learned from",
                place / width.max(1),
                values[place]
            )),
            None => Ok(values),
        }
    }

    fn levels(mut self, width: usize, notes: &mut Vec<String>) -> Result<Values, String> {
        if self.element == Element::Unsigned(1) {
            let mut levels = std::mem::take(&mut self.bytes);
            // Masks are stored as 0 and 1; as levels, 1 would look the same as black.
            if levels.iter().all(|level| *level <= 1) && levels.contains(&1) {
                levels.iter_mut().for_each(|level| *level *= 255);
                notes.push("the images hold only 0 and 1, so they were read as black and white".into());
            }
            return Ok(Values::Bytes(levels));
        }
        let values = self.known(width)?;
        let scale = match self.element {
            Element::Bool | Element::Float(_) => 255.0,
            _ => 1.0,
        };
        let level = |v: f32| {
            let level = v * scale;
            ((0.0..=255.0).contains(&level) && (level - level.round()).abs() < 1e-3).then_some(level.round() as u8)
        };
        let levels: Option<Vec<u8>> = values.iter().map(|v| level(*v)).collect();
        let are_whole = !values.iter().any(|value| value.is_nan());
        if levels.is_none() && are_whole {
            notes.push(
                "the images hold floats that are not levels of grey or colour, so their values were kept as they are"
                    .into(),
            );
        }
        Ok(levels.map_or(Values::Floats(values), Values::Bytes))
    }

    /// The classes of an array with one label per row; small integers are used as class numbers directly.
    pub fn classes(&self) -> Result<Classes, String> {
        if let Some(words) = self.words() {
            return Ok(classes_of_words(&words));
        }
        let numbers = self.whole_numbers().ok_or("its labels are not whole numbers")?;
        Ok(classes_of_numbers(&numbers))
    }
}

/// Whether rows of this form are a few series rather than images: 100 steps of 3 numbers.
pub fn is_strip(height: usize, width: usize) -> bool {
    let (short, long) = (height.min(width), height.max(width));
    short <= 4 && long >= 8 * short.max(2)
}

/// What to say of rows with several axes that are no images.
fn about_rows(inner: &[usize], width: usize) -> Option<String> {
    let extents: Vec<String> = inner.iter().map(usize::to_string).collect();
    let extents = extents.join("x");
    match inner {
        [_] => None,
        [h, w, 4] | [4, h, w] if *h.min(w) > 4 => Some(format!(
            "rows of {extents} have 4 channels, and images have 1 or 3, so they were read as a table of {width} columns: leave the \
             fourth channel out to learn from images"
        )),
        [_, _] => Some(format!(
            "rows of {extents} are too narrow for images, so they were read as a table of {width} columns"
        )),
        _ => Some(format!(
            "rows of {extents} are no images of 1 or 3 channels, so they were read as a table of {width} columns"
        )),
    }
}

fn classes_of_numbers(labels: &[i64]) -> Classes {
    let most = labels.iter().max().copied().unwrap_or(0);
    if labels.iter().all(|label| (0..COUNTED).contains(label)) {
        let names = if labels.is_empty() { Vec::new() } else { (0..=most).map(|class| class.to_string()).collect() };
        return (names, labels.iter().map(|label| *label as u32).collect());
    }
    let mut known: Vec<i64> = labels.to_vec();
    known.sort_unstable();
    known.dedup();
    let place = |label: &i64| known.binary_search(label).unwrap_or(0) as u32;
    (known.iter().map(i64::to_string).collect(), labels.iter().map(place).collect())
}

fn classes_of_words(labels: &[String]) -> Classes {
    let mut known: Vec<&String> = labels.iter().collect();
    known.sort_by(|a, b| super::natural::compare(a, b));
    known.dedup();
    let place = |label: &String| known.binary_search_by(|k| super::natural::compare(k, label)).unwrap_or(0) as u32;
    let labels = labels.iter().map(place).collect();
    (known.into_iter().cloned().collect(), labels)
}

fn signed(word: [u8; 8], size: usize) -> i64 {
    let unused = 64 - 8 * size.clamp(1, 8) as u32;
    (i64::from_le_bytes(word) << unused) >> unused
}

/// Converts a 16-bit float.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023) / 1024.0);
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-14),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction) * 2.0_f32.powi(exponent - 15),
    }
}

fn channels_last<T: Copy>(values: &mut [T], channels: usize, pixels: usize) {
    for image in values.chunks_exact_mut(channels * pixels) {
        let planes = image.to_vec();
        for (place, value) in image.iter_mut().enumerate() {
            *value = planes[place % channels * pixels + place / channels];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(extents: &[usize], element: Element, bytes: Vec<u8>) -> Array {
        Array { extents: extents.to_vec(), element, big_endian: false, bytes }
    }

    fn floats(extents: &[usize], values: &[f32]) -> Array {
        array(extents, Element::Float(4), values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    #[test]
    fn every_element_becomes_its_number() {
        let doubles = array(&[2], Element::Float(8), [1.5_f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect());
        assert_eq!(doubles.floats().unwrap(), [1.5, -2.0]);
        let shorts = Array {
            big_endian: true,
            ..array(&[2], Element::Signed(2), [-3_i16, 500].iter().flat_map(|v| v.to_be_bytes()).collect())
        };
        assert_eq!(shorts.floats().unwrap(), [-3.0, 500.0]);
        assert_eq!(array(&[2], Element::Bool, vec![0, 1]).floats().unwrap(), [0.0, 1.0]);
        let halves = array(
            &[4],
            Element::Float(2),
            [0x3c00_u16, 0xc100, 0x0001, 0x7c00].iter().flat_map(|v| v.to_le_bytes()).collect(),
        );
        assert_eq!(halves.floats().unwrap(), [1.0, -2.5, 2.0_f32.powi(-24), f32::INFINITY]);
    }

    #[test]
    fn ranks_say_what_rows_are() {
        let of = |extents: &[usize]| {
            let count = extents.iter().product();
            array(extents, Element::Unsigned(1), (0..count).map(|i| i as u8).collect()).examples(&mut Vec::new())
        };
        assert_eq!(of(&[2, 3]).unwrap().1, Shape::Table(3));
        assert_eq!(of(&[2, 3, 4]).unwrap().1, Shape::Image { height: 3, width: 4, channels: 1 });
        assert_eq!(of(&[2, 3, 4, 3]).unwrap().1, Shape::Image { height: 3, width: 4, channels: 3 });
        let (_, shape, values) = of(&[1, 3, 1, 2]).unwrap();
        assert_eq!(shape, Shape::Image { height: 1, width: 2, channels: 3 });
        assert_eq!(values, Values::Bytes(vec![0, 2, 4, 1, 3, 5]));
        assert_eq!(of(&[2, 4, 5, 2]).unwrap().1, Shape::Table(40));
        // What is no image is said to be none.
        let said = |extents: &[usize]| {
            let mut notes = Vec::new();
            let values = vec![0.5; extents.iter().product()];
            floats(extents, &values).examples(&mut notes).unwrap();
            notes.into_iter().filter(|note| note.contains("table of")).collect::<Vec<_>>()
        };
        let notes = said(&[2, 16, 16, 4]);
        assert!(
            notes.len() == 1
                && notes[0].contains("rows of 16x16x4 have 4 channels")
                && notes[0].contains("1024 columns")
        );
        assert!(
            said(&[2, 4, 16, 16])[0].contains("4 channels") && said(&[2, 4, 5, 2])[0].contains("4x5x2 are no images")
        );
        assert!(said(&[2, 40]).is_empty() && said(&[2, 8, 8]).is_empty() && said(&[2, 3, 4, 3]).is_empty());
        // Series are not images.
        for extents in [[2, 100, 3], [2, 3, 100], [2, 16, 1]] {
            assert_eq!(of(&extents).unwrap().1, Shape::Table(extents[1] * extents[2]), "{extents:?}");
            assert!(said(&extents)[0].contains("too narrow for images"));
        }
        assert_eq!(of(&[2, 100, 8]).unwrap().1, Shape::Image { height: 100, width: 8, channels: 1 });
        // A square of levels is an image.
        assert_eq!(of(&[3, 64]).unwrap().1, Shape::Image { height: 8, width: 8, channels: 1 });
        assert_eq!(of(&[1, 64]).unwrap().1, Shape::Table(64));
        assert!(of(&[5]).unwrap_err().contains("5 single numbers"));
        assert!(of(&[0, 28, 28]).unwrap_err().contains("holds no images"));
    }

    #[test]
    fn images_of_levels_are_bytes_and_others_stay_numbers() {
        let (_, _, values) = floats(&[1, 1, 3], &[0.0, 1.0, 7.0 / 255.0]).examples(&mut Vec::new()).unwrap();
        assert_eq!(values, Values::Bytes(vec![0, 255, 7]));
        let mut notes = Vec::new();
        let (_, _, values) = floats(&[1, 1, 2], &[0.5, 1.5]).examples(&mut notes).unwrap();
        assert_eq!((values, notes.len()), (Values::Floats(vec![0.5, 1.5]), 1));
        let (_, _, values) = array(&[1, 1, 2], Element::Bool, vec![0, 1]).examples(&mut notes).unwrap();
        assert_eq!(values, Values::Bytes(vec![0, 255]));
        let (_, _, values) = array(&[1, 1, 2], Element::Unsigned(1), vec![0, 1]).examples(&mut notes).unwrap();
        assert_eq!(values, Values::Bytes(vec![0, 255]));
        let error = floats(&[2, 2], &[0.0, 1.0, f32::INFINITY, 1.0]).examples(&mut notes).unwrap_err();
        assert!(error.contains("row 1") && error.contains("inf"), "{error}");
        let (_, shape, values) = floats(&[2, 2], &[0.0, 1.0, f32::NAN, 1.0]).examples(&mut notes).unwrap();
        assert!(shape == Shape::Table(2) && values.numbers(0..4)[2].is_nan());
        let (_, shape, values) = floats(&[1, 2, 2], &[0.0, 1.0, f32::NAN, 1.0]).examples(&mut notes).unwrap();
        assert_eq!(shape, Shape::Image { height: 2, width: 2, channels: 1 });
        assert!(values.numbers(0..4)[2].is_nan());
        let error = floats(&[1, 2, 2], &[0.0, 1.0, f32::INFINITY, 1.0]).examples(&mut notes).unwrap_err();
        assert!(error.contains("row 0") && error.contains("inf"), "{error}");
    }

    #[test]
    fn labels_become_classes() {
        assert_eq!(classes_of_numbers(&[7, 1]), ((0..=7).map(|c| c.to_string()).collect(), vec![7, 1]));
        assert_eq!(classes_of_numbers(&[-1, 1, -1]), (vec!["-1".into(), "1".into()], vec![0, 1, 0]));
        let words = Array {
            extents: vec![2],
            element: Element::Text(2),
            big_endian: false,
            bytes: "ca".chars().chain("b\0".chars()).flat_map(|c| (c as u32).to_le_bytes()).collect(),
        };
        assert_eq!(words.classes().unwrap(), (vec!["b".into(), "ca".into()], vec![1, 0]));
    }
}
