//! The rows of recordings: what is known of each, and which are held out.

use std::collections::HashMap;

use super::super::folder::FolderFile;
use super::super::load::held_out;
use super::super::raw::Request;
use super::super::{DataError, Examples, Origins, Values};

/// A file whose rows were read.
pub struct Recording {
    pub file: FolderFile,
    pub is_test: bool,
    /// Where each of its rows begins, in words; that of a single one needs none.
    pub places: Vec<String>,
}

/// Training rows, and test rows if there are any: `values` are those of the recordings, in order. Rows of one recording are alike, so
/// recordings of several rows are held out as a whole, unless the folder says which.
pub fn rows(
    recordings: Vec<Recording>,
    values: Values,
    classes: &[String],
    request: &Request<'_>,
    notes: &mut Vec<String>,
) -> Result<(Examples, Option<Examples>), DataError> {
    let numbers: HashMap<&String, u32> = classes.iter().zip(0..).collect();
    let number = |recording: &Recording| recording.file.class.as_ref().and_then(|class| numbers.get(class).copied());
    let mut origins = Vec::new();
    for Recording { file, places, .. } in &recordings {
        match &places[..] {
            [_] => origins.push(file.origin.clone()),
            all => origins.extend(all.iter().map(|place| format!("{}, {place}", file.origin))),
        }
    }
    let of_rows = |recording: &Recording| std::iter::repeat_n(number(recording), recording.places.len());
    let mut all =
        Examples { labels: recordings.iter().flat_map(of_rows).collect(), ..Examples::of(origins.len(), values) };
    all.origins = Some(Origins::Files(origins));
    let mut tests: Vec<bool> = recordings.iter().map(|recording| recording.is_test).collect();
    let has_long = recordings.iter().any(|recording| recording.places.len() > 1);
    if request.is_own && has_long && recordings.len() > 1 && !tests.contains(&true) {
        tests = held_out(request.options, recordings.len())?;
        let count = tests.iter().filter(|is_test| **is_test).count();
        notes.push(format!(
            "{count} of {} files are held out for testing, each with all its rows; `data.test_share` chooses how many",
            recordings.len()
        ));
    }
    let of_rows = |(recording, is_test): (&Recording, &bool)| std::iter::repeat_n(*is_test, recording.places.len());
    let is_test: Vec<bool> = recordings.iter().zip(&tests).flat_map(of_rows).collect();
    let keep = vec![true; all.rows];
    let test = all.take_test(&keep, is_test);
    Ok((all, test))
}
