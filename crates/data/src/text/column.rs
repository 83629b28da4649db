//! The texts in a column of a table.

use std::path::Path;

use super::super::DataError;
use super::super::error::list;
use super::super::raw::{Raw, Request};
use super::super::table::{self, Places};
use super::super::write::TEXT;
use super::gather::{Gathering, LeftOut, Place};

/// Reads the texts of a column, and the labels of another one if that is asked for.
pub fn read(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    let options = request.options;
    let mut texts = Gathering::new(path, request);
    table::each_row(
        path,
        |names| {
            let places = Places::of_names(names);
            let text = match &options.text {
                Some(name) => places.of(name).ok_or_else(|| {
                    format!("there is no column `{name}` to take texts from; there are {}", list(names))
                })?,
                None => places
                    .of(TEXT)
                    .or((names.len() == 1).then_some(0))
                    .ok_or_else(|| format!("`data.text` names the column with the texts; there are {}", list(names)))?,
            };
            let label = options.label.as_deref().map(|name| {
                places.of(name).ok_or_else(|| {
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
            Ok((std::iter::once(text).chain(label).collect(), ()))
        },
        |(), row| {
            let (place, text) = (Place::Numbered(row.unit, row.number), row.raw(0));
            if text.trim().is_empty() {
                return texts.leave_out(&place, LeftOut::Empty, || "the text is missing".into());
            }
            let label = (row.len() > 1).then(|| row.raw(1));
            texts.add(text.as_bytes(), place, label.as_deref(), false)
        },
    )?;
    texts.finish()
}
