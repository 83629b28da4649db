//! From a model's description to the plans that train and apply it. Does not depend on the GPU.

mod custom;
pub mod layers;
mod likelihood;
mod network;
mod spec;
mod vae;

pub use custom::{CustomModel, Definition};
pub use likelihood::Likelihood;
pub use spec::{DataSpec, Objective, TrainSpec, VaeSpec};
pub use vae::{Apply, Plan, Vae};
