//! The check of a description that was read from a file, which anyone may have edited.

use serde::Deserialize;

use super::columns::MAX_WORDS;
use super::options::LONGEST;
use super::series::{LONGEST_SERIES, MOST_CHANNELS};
use super::text::LONGEST_TEXT;
use super::{Column, Columns, Description, Fingerprints, Series, Shape, Sound, ValueKind, Vocabulary};

/// The most numbers of an example: a colour image of the largest size.
const MAX_NUMBERS: usize = 3 * LONGEST * LONGEST;

/// A [`Description`] as it stands in a file.
#[derive(Deserialize)]
#[serde(rename = "Description")]
pub(super) struct Unchecked {
    name: String,
    shape: Shape,
    bytes: bool,
    classes: Vec<String>,
    columns: Option<Columns>,
    #[serde(default)]
    vocabulary: Option<Vocabulary>,
    #[serde(default)]
    series: Option<Series>,
    #[serde(default)]
    sound: Option<Sound>,
    #[serde(default)]
    missing: bool,
    trained: Option<Fingerprints>,
}

impl TryFrom<Unchecked> for Description {
    type Error = String;

    fn try_from(read: Unchecked) -> Result<Self, String> {
        let Unchecked { name, shape, bytes, classes, columns, vocabulary, series, sound, missing, trained } = read;
        let fits = match shape {
            Shape::Image { height, width, channels } => {
                [height, width].iter().all(|side| (1..=LONGEST).contains(side)) && [1, 3].contains(&channels)
            }
            Shape::Point(width) | Shape::Table(width) => (1..=MAX_NUMBERS).contains(&width),
            Shape::Text { length, .. } => (2..=LONGEST_TEXT + 1).contains(&length),
            Shape::Series { length, channels } => {
                (2..=LONGEST_SERIES).contains(&length) && (1..=MOST_CHANNELS).contains(&channels)
            }
        };
        if !fits {
            return Err(format!("it describes {shape}, which no model can be trained on"));
        }
        let tokens = if let Shape::Text { tokens, .. } = shape { Some(tokens) } else { None };
        if tokens != vocabulary.as_ref().map(Vocabulary::len) {
            let found = vocabulary.map_or(0, |vocabulary| vocabulary.len());
            return Err(format!("it describes {shape}, and {found} tokens, which do not belong together"));
        }
        let fits = match (shape, &series) {
            (Shape::Series { channels, .. }, Some(series)) => series.fits(channels),
            (shape, series) => series.is_none() && !matches!(shape, Shape::Series { .. }),
        };
        if !fits {
            let found = series.map_or(0, |series| series.channels.len());
            return Err(format!("it describes {shape}, and {found} channels, which do not belong together"));
        }
        if sound.is_some_and(|sound| !sound.fits(shape)) {
            return Err(format!("it describes {shape} as sounds or music, which they cannot be"));
        }
        let is_sequence = matches!(shape, Shape::Text { .. } | Shape::Series { .. });
        if is_sequence && columns.is_some() {
            return Err(format!("it describes {shape} as columns of a table, which they are not"));
        }
        let columns = columns.map(|columns| checked(columns, shape)).transpose()?;
        if bytes && (columns.is_some() || is_sequence || matches!(shape, Shape::Table(_))) {
            return Err(format!("it describes {shape} as levels of grey, which only images and points can be"));
        }
        if missing && (bytes || !matches!(shape, Shape::Image { .. })) {
            return Err(format!(
                "it describes {shape} of which some pixels are missing, which only images of floats can be"
            ));
        }
        Ok(Self { name, shape, bytes, classes, columns, vocabulary, series, sound, missing, trained })
    }
}

/// Columns that fit together.
fn checked(columns: Columns, shape: Shape) -> Result<Columns, String> {
    for column in &columns.all {
        let Column { mean, deviation, offset, range, seen, .. } = column;
        let quantiles = &column.quantiles;
        let are_finite = [mean, offset].iter().all(|number| number.is_finite());
        let are_above_0 = [*deviation, column.scale].iter().all(|number| number.is_finite() && *number > 0.0);
        if !(are_finite && are_above_0) {
            return Err("a column has no finite mean, or no deviation or scale above 0".into());
        }
        let are_ordered = [range, seen].iter().all(|[least, most]| least <= most);
        if !are_ordered || !quantiles.is_whole() || (column.kind == ValueKind::Quantile) == quantiles.is_empty() {
            return Err("the numbers of a column have no range, or no quantiles in order".into());
        }
        let fits = match column.kind {
            ValueKind::Category => (1..=MAX_WORDS).contains(&column.words.len()),
            ValueKind::YesNo => column.words.len() == 2,
            _ => column.words.is_empty(),
        };
        if !fits || !column.grouped.is_empty() && column.kind != ValueKind::Category {
            return Err("a column has no words, or more than its kind can have".into());
        }
    }
    let has_levels = |column: &Column| column.levels.is_empty() || column.levels.len() == column.words.len();
    if !columns.all.iter().all(has_levels) || !columns.relations.iter().all(|relation| relation.fits(&columns.all)) {
        return Err("its columns have other levels than words, or relations to columns that are not there".into());
    }
    if columns.width() != shape.len() {
        return Err(format!("its {} columns have {} values, and it describes {shape}", columns.len(), columns.width()));
    }
    Ok(columns)
}
