//! The check of a description that was read from a file, which anyone may have edited.

use serde::Deserialize;

use super::options::LONGEST;
use super::{Columns, Description, Fingerprints, Shape};

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
    trained: Option<Fingerprints>,
}

impl TryFrom<Unchecked> for Description {
    type Error = String;

    fn try_from(read: Unchecked) -> Result<Self, String> {
        let Unchecked { name, shape, bytes, classes, columns, trained } = read;
        let fits = match shape {
            Shape::Image { height, width, channels } => {
                [height, width].iter().all(|side| (1..=LONGEST).contains(side)) && [1, 3].contains(&channels)
            }
            Shape::Point(width) | Shape::Table(width) => (1..=MOST_NUMBERS).contains(&width),
        };
        if !fits {
            return Err(format!("it describes {shape}, which no model can be trained on"));
        }
        if let Some(columns) = &columns {
            let Columns { names, mean, deviation } = columns;
            if [names.len(), mean.len(), deviation.len()] != [shape.len(); 3] {
                return Err(format!(
                    "it has {} names, {} means and {} deviations of columns for {shape}",
                    names.len(),
                    mean.len(),
                    deviation.len()
                ));
            }
            let is_scale = |deviation: &f32| deviation.is_finite() && *deviation > 0.0;
            if !mean.iter().all(|mean| mean.is_finite()) || !deviation.iter().all(is_scale) {
                return Err("a column has no finite mean, or no deviation above 0".into());
            }
        }
        if bytes && (columns.is_some() || matches!(shape, Shape::Table(_))) {
            return Err(format!("it describes {shape} as levels of grey, which only images and points can be"));
        }
        Ok(Self { name, shape, bytes, classes, columns, trained })
    }
}
