//! The check of a description that was read from a file, which anyone may have edited.

use serde::Deserialize;

use super::columns::MOST_WORDS;
use super::options::LONGEST;
use super::{Columns, Description, Fingerprints, Kind, Shape};

/// The most numbers of an example: a colour image of the largest size.
const MOST_NUMBERS: usize = 3 * LONGEST * LONGEST;

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
    gaps: bool,
    trained: Option<Fingerprints>,
}

impl TryFrom<Unchecked> for Description {
    type Error = String;

    fn try_from(read: Unchecked) -> Result<Self, String> {
        let Unchecked { name, shape, bytes, classes, columns, gaps, trained } = read;
        let fits = match shape {
            Shape::Image { height, width, channels } => {
                [height, width].iter().all(|side| (1..=LONGEST).contains(side)) && [1, 3].contains(&channels)
            }
            Shape::Point(width) | Shape::Table(width) => (1..=MOST_NUMBERS).contains(&width),
        };
        if !fits {
            return Err(format!("it describes {shape}, which no model can be trained on"));
        }
        let columns = columns.map(|columns| checked(columns, shape)).transpose()?;
        if bytes && (columns.is_some() || matches!(shape, Shape::Table(_))) {
            return Err(format!("it describes {shape} as levels of grey, which only images and points can be"));
        }
        if gaps && (bytes || !matches!(shape, Shape::Image { .. })) {
            return Err(format!(
                "it describes {shape} of which some pixels are missing, which only images of floats can be"
            ));
        }
        Ok(Self { name, shape, bytes, classes, columns, gaps, trained })
    }
}

/// Columns that fit together. Those of older versions do not say of what kind they are: all are numbers.
fn checked(columns: Columns, shape: Shape) -> Result<Columns, String> {
    let count = columns.names.len();
    let Columns { mean, deviation, .. } = &columns;
    if [mean.len(), deviation.len()] != [count; 2] {
        return Err(format!(
            "it has {count} names, {} means and {} deviations of columns",
            mean.len(),
            deviation.len()
        ));
    }
    let is_scale = |deviation: &f32| deviation.is_finite() && *deviation > 0.0;
    if !mean.iter().all(|mean| mean.is_finite()) || !deviation.iter().all(is_scale) {
        return Err("a column has no finite mean, or no deviation above 0".into());
    }
    let columns = match columns.kinds.is_empty() {
        true => Columns::numbers(columns.names, columns.mean, columns.deviation),
        false => columns,
    };
    let Columns { kinds, words, decimals, .. } = &columns;
    if [kinds.len(), words.len(), decimals.len()] != [count; 3] {
        return Err(format!(
            "it has {count} names, {} kinds, {} lists of words and {} numbers of decimals of columns",
            kinds.len(),
            words.len(),
            decimals.len()
        ));
    }
    let fits = |(kind, words): (&Kind, &Vec<String>)| match kind {
        Kind::Category => (1..=MOST_WORDS).contains(&words.len()),
        Kind::YesNo => words.len() == 2,
        Kind::Number | Kind::Positive | Kind::Count => words.is_empty(),
    };
    if !kinds.iter().zip(words).all(fits) {
        return Err("a column has no words, or more than its kind can have".into());
    }
    if columns.width() != shape.len() {
        return Err(format!("its {count} columns have {} values, and it describes {shape}", columns.width()));
    }
    Ok(columns)
}
