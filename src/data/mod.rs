//! Data sources, all of which are read into a [`Dataset`]. Does not depend on the GPU.
//!
//! A source yields all its rows with their labels and origins; one pipeline chooses rows, splits and
//! standardises them, or converts them to the form that a trained model takes.

mod apply;
mod array;
mod bytes;
mod columns;
mod dataset;
mod description;
mod error;
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
mod raw;
mod resize;
mod source;
mod spec;
mod sprites;
mod strokes;
mod table;
mod typed;
#[doc(hidden)]
pub mod write;

pub use apply::{rows, rows_of_factors, rows_with, table_rows};
pub use bytes::content;
pub(crate) use columns::normal_quantile;
pub use columns::{
    Cell, Column, Columns, Details, Form, Grouped, Kind, NamedKind, NumberForm, Part, Provenance, TableColumn, TimeForm,
};
pub use dataset::{Dataset, Description, Factors, Origins, Rows, Shape, Split, Unseen, Values, spread};
pub(crate) use error::list;
pub(crate) use error::shown;
pub use error::{DataError, Unit};
pub use fingerprints::Fingerprints;
#[doc(hidden)]
pub use invented::invent;
pub use memory::InMemory;
#[doc(hidden)]
pub use numbers::{file_rows, identifiers, labels, mask, numbers, others};
pub use options::{Channels, Fit, ImageSize, Missing, Options};
pub use raw::Progress;
#[doc(hidden)]
pub use source::is_of_folder;
pub use table::{Dialect, Encoding};
#[doc(hidden)]
pub use table::{FileRows, Identifier};
pub use typed::Table;
