//! Series in arrays `(N, T, D)`.

use super::super::array::{Array, Element, is_strip};
use super::super::raw::Raw;
use super::super::{Examples, RowFormat, Shape, Values};
use super::{LONGEST_SERIES, MOST_CHANNELS, RawSeries, raw};

/// The series of an array: `inner` is `(T, D)`, or `(T)` of series with one channel. Behind the length of each, values are missing.
pub fn of_array(rows: usize, inner: &[usize], mut values: Vec<f32>, lengths: Option<&[usize]>) -> Result<Raw, String> {
    let (length, channels) = match *inner {
        [length] => (length, 1),
        [length, channels] => (length, channels),
        _ => {
            let extents: Vec<String> = inner.iter().map(usize::to_string).collect();
            return Err(format!("rows of {} are no series: an array of series is (N, T, D)", extents.join("x")));
        }
    };
    if length > LONGEST_SERIES || channels > MOST_CHANNELS {
        return Err(format!(
            "its series have {length} steps of {channels} channels, and up to {LONGEST_SERIES} steps of {MOST_CHANNELS} can be read"
        ));
    }
    if length < 2 {
        return Err(
            "its series have a single step, and a series needs two or more: `data.format = \"table\"` reads a table"
                .into(),
        );
    }
    if let Some(place) = values.iter().position(|value| value.is_infinite()) {
        let row = place / (length * channels);
        return Err(format!(
            "row {row} (counted from 0) holds {}, but only finite numbers can be learned from",
            values[place]
        ));
    }
    if let Some(lengths) = lengths {
        if lengths.len() != rows {
            return Err(format!("there are {} lengths for {rows} series", lengths.len()));
        }
        if let Some(row) = lengths.iter().position(|own| *own > length) {
            return Err(format!(
                "row {row} (counted from 0) has the length {}, and rows have {length} steps",
                lengths[row]
            ));
        }
        for (row, own) in values.chunks_mut(length * channels).zip(lengths) {
            row[own * channels..].fill(f32::NAN);
        }
    }
    Ok(raw(RawSeries::unnamed(channels), length, Examples::of(rows, Values::Floats(values))))
}

impl Array {
    /// All rows, as what was asked for or as what they look like; of series, the steps of each, if they are known.
    pub fn rows(self, format: RowFormat, lengths: Option<&[usize]>, notes: &mut Vec<String>) -> Result<Raw, String> {
        let is_series = match format {
            RowFormat::Series => true,
            RowFormat::Auto => lengths.is_some() || self.looks_like_series(),
            _ => false,
        };
        if !is_series {
            let (rows, shape, values) = match format {
                RowFormat::Table => self.flat()?,
                _ => self.examples(notes)?,
            };
            return Ok(Raw::of_array(shape, Examples::of(rows, values)));
        }
        let [rows, inner @ ..] = &self.extents[..] else { return Err("it holds a single number".into()) };
        if self.bytes.is_empty() || inner.is_empty() {
            return Err("it holds no series".into());
        }
        if let (RowFormat::Auto, [length, channels]) = (format, inner) {
            let turned = match is_strip(*length, *channels) && length < channels {
                true => "; with the channels first, swap the last two axes",
                false => "",
            };
            notes.push(format!(
                "rows of {length}x{channels} numbers were read as series of {length} steps of {channels} channels; \
                 `data.format = \"images\"` reads images{turned}"
            ));
        }
        let values = self.floats().ok_or("it holds words, not numbers")?;
        of_array(*rows, inner, values, lengths)
    }

    /// Whether rows of two axes are series rather than images: strips that are far longer than wide, and numbers that are no levels.
    fn looks_like_series(&self) -> bool {
        let [_, height, width] = self.extents[..] else { return false };
        if height < 2 || self.bytes.is_empty() || matches!(self.element, Element::Text(_)) {
            return false;
        }
        if is_strip(height, width) {
            return true;
        }
        if matches!(self.element, Element::Bool | Element::Unsigned(1)) {
            return false;
        }
        // Levels as floats are 0 to 1 in steps of 1/255, or whole numbers to 255. A few small numbers are counts, and zeros and ones
        // may be marks in time.
        let Some(values) = self.floats() else { return false };
        let all = |is: fn(f32) -> bool| values.iter().all(|value| value.is_nan() || is(*value));
        let any = |is: fn(f32) -> bool| values.iter().any(|value| is(*value));
        let are_shares = all(|v| (0.0..=1.0).contains(&v) && (v * 255.0 - (v * 255.0).round()).abs() < 1e-3);
        let are_marks = all(|v| v == 0.0 || v == 1.0);
        let are_levels = all(|v| (0.0..=255.0).contains(&v) && v.fract() == 0.0) && any(|v| v >= 128.0);
        !(are_levels || are_shares && (!are_marks || height == width))
    }

    /// The rows as those of a table.
    fn flat(self) -> Result<(usize, Shape, Values), String> {
        let [rows, inner @ ..] = &self.extents[..] else { return Err("it holds a single number".into()) };
        let width: usize = if self.bytes.is_empty() { 0 } else { inner.iter().product() };
        if inner.is_empty() || width == 0 {
            return Err(format!("it holds {:?} numbers, but rows of several are needed", self.extents));
        }
        Ok((*rows, Shape::Table(width), Values::Floats(self.known(width)?)))
    }
}
