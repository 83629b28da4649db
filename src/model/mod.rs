//! From a model's description to the plans that train and apply it. Does not depend on the GPU.

mod check;
mod coder;
pub mod layer;
pub mod layers;
mod likelihood;
mod network;
mod objective;
mod prior;
mod regulariser;
pub mod sequence;
mod spec;
pub mod stack;
pub mod step;
mod vae;

#[doc(hidden)]
pub use check::check_model;
pub use layer::{Extent, Layer, SizedLayer, SizedOperation, TimesKernel};
pub use likelihood::{DISPERSION, LOG_FREEDOM, LOG_SCALE, Likelihood};
pub use objective::cost_of_kl;
pub(crate) use regulariser::aggregate;
pub use spec::{
    Bucket, Condition, DataSpec, Importance, InitScheme, Objective, Penalty, Prior, Regulariser, TableSpec, TrainSpec,
    VaeSpec,
};
pub use vae::{ApplyingPlans, Generation, Inference, Labels, Seen, TrainingPlans, Vae};

/// Data mark what is missing as the engine's likelihoods expect it.
const _: () = assert!(wgvae_data::MISSING.to_bits() == wgvae_engine::plan::MISSING.to_bits());
