//! A finished run applied to rows: codes, reconstructions, scores, draws.

mod aggregate;
pub mod anomaly;
mod archive;
pub mod classes;
mod codes;
mod completed;
pub mod compress;
mod distribution;
pub mod draws;
pub mod evaluated;
mod evaluation;
pub mod factors;
mod forest;
pub mod importance;
pub mod inference;
mod joined;
pub mod missing;
pub mod mixture;
mod model;
mod prior;
pub mod quality;
pub mod record;
pub mod restore;
mod run;
pub mod statistics;
pub mod units;

pub use aggregate::Aggregate;
pub use codes::{Codes, Score};
pub use distribution::{DecoderOutput, Distribution, Parameters};
pub use evaluation::{Evaluation, bits_per_dimension, test_loss};
pub use factors::FactorScores;
pub use mixture::Mixture;
pub use model::{TokenChoice, TrainedModel};
pub use prior::PriorMixture;
pub use run::{Run, RunError};
