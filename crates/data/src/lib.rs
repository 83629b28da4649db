//! Reads images, tables, arrays, texts, time series and sounds into a [`Dataset`], and writes results in the form of the data.
//!
//! ```
//! use wgvae_data::{InMemory, Table};
//!
//! let table = Table::new()
//!     .with("age", (0..40).map(|i| f64::from(20 + i)))
//!     .with("member", (0..40).map(|i| i % 3 == 0));
//! let data = InMemory::table("people", table).test_share(0.25).dataset()?;
//! assert_eq!((data.train.rows, data.test.rows), (30, 10));
//! # Ok::<(), wgvae_data::DataError>(())
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`Dataset`] | training and test rows |
//! | [`Options`] | a source, which of its rows are taken, and how it is read |
//! | [`InMemory`], [`Table`] | a data set of rows in memory; a table with typed columns |
//! | [`Columns`], [`Form`] | the columns of a table; how their cells are written, and back |
//! | [`Examples`] | rows as a model takes them, with labels and origins |
//! | [`Vocabulary`] | the tokens of texts: text to numbers, and back |
//! | [`Series`] | the channels of time series, and their scales |
//! | [`Sound`] | how rows stand for sounds or music |
//!
//! A source yields all its rows with their labels and origins. One pipeline chooses rows, splits and standardises them, or
//! brings them to the form that a trained model takes. The package does not depend on the GPU.

mod apply;
mod array;
mod bytes;
mod caught;
mod columns;
mod dataset;
mod described;
mod description;
mod dialect;
#[doc(hidden)]
pub mod disk;
mod error;
mod examples;
pub mod expressions;
mod fingerprints;
mod folder;
mod glyphs;
mod idx;
mod images;
mod invented;
mod load;
mod memory;
mod natural;
mod npy;
mod npz;
mod numbers;
mod options;
mod picture;
mod points;
mod problems;
#[doc(hidden)]
pub mod quote;
mod raw;
mod resize;
mod series;
mod skipped;
mod sound;
mod source;
mod spec;
mod sprites;
mod strokes;
mod table;
mod text;
mod typed;
pub mod waves;
#[doc(hidden)]
pub mod write;

pub use apply::{rows, rows_of_factors, rows_with, table_rows};
pub use bytes::content;
#[doc(hidden)]
pub use caught::panics_are_errors;
pub use columns::{
    Cell, Column, Columns, Details, Form, Grouped, NamedKind, NumberForm, Part, Provenance, TableColumn, TimeForm,
    ValueKind,
};
#[doc(hidden)]
pub use columns::{mean_and_deviation, normal_quantile};
pub use dataset::{Dataset, Description, Rows, Shape};
pub use dialect::{Dialect, Encoding};
pub use error::{DataError, Unit};
#[doc(hidden)]
pub use error::{list, shown};
pub use examples::{Examples, Factors, Origins, Unseen, Values, spread};
pub use fingerprints::Fingerprints;
#[doc(hidden)]
pub use invented::invent;
pub use memory::InMemory;
#[doc(hidden)]
pub use numbers::{file_rows, identifiers, labels, mask, numbers, others};
pub use options::{Channels, Fit, ImageSize, Missing, Options, RowFormat};
pub use raw::ReadProgress;
pub use series::{Channel, Series};
pub use sound::{MEL_BANDS, SAMPLE_RATES, SECONDS, STEPS_PER_BEAT, Sound};
#[doc(hidden)]
pub use source::is_of_folder;
#[doc(hidden)]
pub use table::{FileRows, Identifier};
pub use text::{MOST_TOKENS, NOTHING, TextUnit, Vocabulary};
pub use typed::Table;

/// What stands in place of a number that is missing.
pub const MISSING: f32 = f32::MAX;

/// Whether a value stands for one that is missing.
pub fn is_missing(value: f32) -> bool {
    value >= 3e38
}
