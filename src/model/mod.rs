//! From a model's description to the plans that train and use it. Knows no GPU.

mod build;
mod network;
mod plan_ids;
mod spec;

pub use build::{Apply, Plan, Vae};
pub use spec::{DataSpec, Likelihood, Objective, TrainSpec, VaeSpec};
