//! Texts: lines, JSON lines, columns of tables and folders of files, as rows of token numbers.
//!
//! Every source gives its texts to [`gather::Gathering`], which numbers tokens as it meets them. When the rows are
//! split, [`numbering::RawTokens`] keeps the tokens that are frequent in the training rows. Rows for a trained model
//! get the numbers of its [`Vocabulary`] at once.

mod column;
mod files;
mod gather;
mod lines;
mod look;
mod numbering;
mod vocabulary;
mod words;

#[cfg(test)]
mod tests;

use std::path::Path;

use super::raw::{Raw, Request};
use super::{DataError, Options, Unit};
pub(super) use column::read as column;
pub(super) use files::read as files;
pub(super) use gather::{Gathering, Place, refuse_fields};
pub(super) use lines::{file, json};
pub(super) use look::is_table;
pub(super) use numbering::RawTokens;
pub use vocabulary::MOST_TOKENS;
pub use vocabulary::{NOTHING, TextUnit, Vocabulary};

/// Reads texts in memory.
pub(super) fn in_memory(options: &Options, texts: &[String]) -> Result<Raw, DataError> {
    let progress = &|_, _| {};
    let request = Request {
        options,
        progress,
        label_needed: true,
        like: None,
        texts: None,
        series: None,
        sound: None,
        is_own: true,
    };
    let mut all = Gathering::new(Path::new(&options.source), &request);
    for (text, number) in texts.iter().zip(1..) {
        all.add(text.as_bytes(), Place::Numbered(Unit::Row, number), None, false)?;
    }
    all.finish()
}

/// The most tokens that a text may have.
pub(super) const LONGEST_TEXT: usize = 65_535;

/// The vocabulary of a model that rows are for, and the length of its rows.
pub(super) struct KnownTexts<'a> {
    pub vocabulary: &'a Vocabulary,
    pub length: usize,
}
