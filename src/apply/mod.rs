//! A finished run applied to rows: codes, reconstructions, scores, draws.

pub mod draws;
mod model;
pub(crate) mod record;
pub mod restore;
mod run;
pub mod statistics;

pub use model::{Applied, Codes, Score};
pub use run::{Run, RunError};
pub use statistics::Evaluation;
