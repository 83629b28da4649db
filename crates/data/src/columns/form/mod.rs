//! How the cells of a column are written, so that what is read can be written again.

mod number;
mod time;

use serde::{Deserialize, Serialize};

pub use number::{Negative, NumberForm};
pub(crate) use number::{marks, parts, value};
pub use time::TimeForm;
pub(crate) use time::{Times, parse};

/// How the cells of a column are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Cells are words.
    Words,
    /// Cells are numbers.
    Number(NumberForm),
    /// Cells are days or times.
    Time(TimeForm),
}

impl Default for Form {
    fn default() -> Self {
        Form::Number(NumberForm::default())
    }
}

impl Form {
    /// The number that a text is; none of a word.
    pub fn read(&self, text: &str) -> Option<f64> {
        match self {
            Form::Words => None,
            Form::Number(form) => form.read(text),
            Form::Time(form) => form.read(text),
        }
    }

    /// The text of a number.
    pub fn write(&self, number: f64, decimals: Option<u8>) -> String {
        match self {
            Form::Words => number.to_string(),
            Form::Number(form) => form.write(number, decimals),
            Form::Time(form) => form.write(number),
        }
    }

    /// Whether its cells are days or times.
    pub fn is_time(&self) -> bool {
        matches!(self, Form::Time(_))
    }

    /// Whether its cells are numbers.
    pub fn is_number(&self) -> bool {
        matches!(self, Form::Number(_))
    }

    /// Whether its numbers are written as programs write them, with no digits that are always there.
    pub fn is_default(&self) -> bool {
        matches!(self, Form::Words) || *self == Form::default()
    }

    /// Without digits that are always there, for means.
    pub fn loose(&self) -> Self {
        match self {
            Form::Number(form) => Form::Number(NumberForm { digits: None, ..form.clone() }),
            other => other.clone(),
        }
    }

    /// Whether a program reads its numbers as they are written.
    pub fn is_plain(&self) -> bool {
        matches!(self, Form::Number(form) if form.is_plain())
    }
}
