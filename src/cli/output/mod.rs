//! How results, errors and progress are written.

pub mod anomalies;
pub mod closeness;
pub mod drawn;
pub mod errors;
pub mod flags;
pub mod numbers;
pub mod place;
pub mod progress;
pub mod series;
pub mod sheet;
pub mod sounds;
pub mod terminal;
pub mod texts;
