//! Time series: rows of numbers at each of some steps, from arrays, tables in the long form and `.ts` files.
//!
//! A row is `(T, D)`: D channels at each step, NaN where a value is missing and behind the row's last step. Every source gives
//! its series as such rows. [`tidy`] leaves out those that nothing can be learned from. When rows are split, [`Series`] measures
//! the channels of the training rows and standardises all of them.

mod array;
mod gather;
mod known;
mod long;
mod time;
mod ts;

#[cfg(test)]
mod tests;

pub(super) use array::of_array;
pub use known::{Channel, Series};
pub(super) use long::read as long;
pub(super) use ts::{folder, read as ts};

use super::raw::Raw;
use super::skipped::Skipped;
use super::{DataError, Examples, Options, Shape, Values};

/// The most steps that a series may have.
pub(super) const LONGEST_SERIES: usize = 65_535;

/// The most channels.
pub(super) const MOST_CHANNELS: usize = 4096;

/// The most numbers that all rows have together: 4 GiB of them.
pub(super) const MOST_NUMBERS: usize = 1 << 30;

/// What is known of series when they are read, beside their numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RawSeries {
    /// The names of the channels.
    pub channels: Vec<String>,
    /// The names of the columns that told series and steps apart, in a table.
    pub columns: Option<[String; 2]>,
    /// The time from a step to the next, where it is the same everywhere.
    pub step: Option<f64>,
}

impl RawSeries {
    /// Channels that have numbers for names.
    pub fn unnamed(count: usize) -> Self {
        let channels = (0..count).map(|channel| format!("x_{channel}")).collect();
        Self { channels, ..Self::default() }
    }
}

/// The number of steps up to the last one with a value.
fn steps(row: &[f32], channels: usize) -> usize {
    row.iter().rposition(|value| !value.is_nan()).map_or(0, |place| place / channels + 1)
}

/// Why a series is left out.
#[derive(Clone, Copy)]
enum LeftOut {
    Empty,
    Short,
    Long,
}

/// Leaves out series without a value, of one step, and of more steps than are taken, and makes rows as long as the longest that
/// is left, or as those of a model.
pub(super) fn tidy(raw: &mut Raw, options: &Options, known: Option<usize>) -> Result<(), DataError> {
    let Shape::Series { length, channels } = raw.shape else { return Ok(()) };
    let most = known.or(options.max_length).unwrap_or(LONGEST_SERIES);
    let mut skipped: [Skipped; 3] = Default::default();
    let (mut longest, mut all) = (0, 0);
    for split in std::iter::once(&mut raw.rows).chain(&mut raw.test) {
        let Values::Floats(values) = &split.values else { continue };
        let mut keep = vec![true; split.rows];
        for (row, keep) in keep.iter_mut().enumerate() {
            let steps = steps(&values[row * length * channels..(row + 1) * length * channels], channels);
            let why = match steps {
                0 => LeftOut::Empty,
                1 if known.is_none() => LeftOut::Short,
                _ if steps > most => LeftOut::Long,
                _ => {
                    longest = longest.max(steps);
                    continue;
                }
            };
            let name = || {
                let origin = split.origins.as_ref().and_then(|origins| origins.of(row));
                origin.unwrap_or_else(|| format!("row {}", row + 1))
            };
            if options.strict {
                return Err(DataError::unusable(&options.source, format!("{}: {}", name(), reason(why, most, known))));
            }
            skipped[why as usize].add(name);
            *keep = false;
        }
        all += keep.len();
        split.retain(&keep);
    }
    if raw.rows.rows == 0 {
        let count = |why: LeftOut| skipped[why as usize].count();
        let why = match (count(LeftOut::Long), count(LeftOut::Short)) {
            (1.., _) => format!(
                "every series has more than {most} steps{}",
                if known.is_some() { ", and the model takes no more" } else { ": choose a higher `data.max_length`" }
            ),
            (_, 1..) => "it has no series of two or more steps, and a single step is no series".into(),
            _ => "it has no series with a value".into(),
        };
        return Err(DataError::unusable(&options.source, why));
    }
    for why in [LeftOut::Empty, LeftOut::Short, LeftOut::Long] {
        raw.notes.extend(skipped[why as usize].note(all, "series", &reason(why, most, known)));
    }
    resize(raw, known.unwrap_or(longest));
    Ok(())
}

fn reason(why: LeftOut, most: usize, known: Option<usize>) -> String {
    match (why, known) {
        (LeftOut::Empty, _) => "no value is there".into(),
        (LeftOut::Short, _) => "a single step is no series".into(),
        (LeftOut::Long, Some(_)) => format!("more steps than the {most} that the model takes"),
        (LeftOut::Long, None) => format!("more than {most} steps"),
    }
}

/// Makes rows longer or shorter at their ends.
fn resize(raw: &mut Raw, to: usize) {
    let Shape::Series { length, channels } = &mut raw.shape else { return };
    let (from, width) = (*length * *channels, to * *channels);
    if from != width {
        for split in std::iter::once(&mut raw.rows).chain(&mut raw.test) {
            let Values::Floats(values) = &mut split.values else { continue };
            let mut resized = Vec::with_capacity(split.rows * width);
            for row in values.chunks(from.max(1)) {
                resized.extend_from_slice(&row[..from.min(width)]);
                resized.resize(resized.len() + width.saturating_sub(from), f32::NAN);
            }
            *values = resized;
        }
    }
    *length = to;
}

/// Makes training and test rows as long as each other.
pub(super) fn same_length(one: &mut Raw, other: &mut Raw) {
    if let (Shape::Series { length: a, .. }, Shape::Series { length: b, .. }) = (one.shape, other.shape) {
        resize(one, a.max(b));
        resize(other, a.max(b));
    }
}

/// The rows of a source of series.
pub(super) fn raw(series: RawSeries, length: usize, rows: Examples) -> Raw {
    let shape = Shape::Series { length, channels: series.channels.len() };
    Raw { series: Some(series), ..Raw::of("", shape, rows) }
}
