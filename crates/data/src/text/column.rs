//! The texts in a column of a table.

use std::path::Path;

use super::super::error::list;
use super::super::raw::{Raw, Request};
use super::super::{DataError, table};
use super::gather::{Gathering, LeftOut, Place};

/// The column that a model of texts takes where none is named.
const TEXT: &str = "text";

/// Reads the texts of a column, and the labels of another one if that is asked for.
pub fn read(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    let options = request.options;
    let mut texts = Gathering::new(path, request);
    table::each_row(
        path,
        |names| {
            let place = |name: &str| {
                let same = names.iter().position(|known| known == name);
                same.or_else(|| names.iter().position(|known| known.eq_ignore_ascii_case(name)))
            };
            let text = match &options.text {
                Some(name) => place(name).ok_or_else(|| {
                    format!("there is no column `{name}` to take texts from; there are {}", list(names))
                })?,
                None => place(TEXT)
                    .or((names.len() == 1).then_some(0))
                    .ok_or_else(|| format!("`data.text` names the column with the texts; there are {}", list(names)))?,
            };
            let label = options.label.as_deref().map(|name| {
                place(name).ok_or_else(|| {
                    format!("there is no column `{name}` to take labels from; there are {}", list(names))
                })
            });
            let label = match label {
                Some(Err(reason)) if request.label_needed => return Err(reason),
                Some(Ok(place)) if place == text => {
                    return Err("the column of the texts cannot be that of the labels, too".into());
                }
                Some(Ok(place)) => Some(place),
                _ => None,
            };
            Ok(std::iter::once(text).chain(label).collect())
        },
        |unit, number, cells| {
            let place = Place::Numbered(unit, number);
            match cells {
                [text, ..] if text.trim().is_empty() => {
                    texts.leave_out(&place, LeftOut::Empty, || "the text is missing".into())
                }
                [text, labels @ ..] => texts.add(text.as_bytes(), place, labels.first().map(AsRef::as_ref), false),
                [] => Ok(()),
            }
        },
    )?;
    texts.finish()
}
