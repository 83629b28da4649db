//! The description of a model: plain data, validated by the configuration.

use serde::{Deserialize, Serialize};

use super::{Likelihood, Step};
use crate::kernels::Activation;
use crate::kernels::batch::{Augment, Binarise};
use crate::kernels::optimizer::Rule;

/// The objective that training minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Reconstruction plus beta times KL.
    Elbo,
    /// Reconstruction alone, through a code without noise.
    Ae,
}

/// The network and its loss.
#[derive(Debug, Clone, PartialEq)]
pub struct VaeSpec {
    /// Values per example.
    pub width: usize,
    /// The encoder's hidden layers; none for a linear encoder.
    pub encoder: Vec<Step>,
    /// The decoder's layers, the last of which makes the output.
    pub decoder: Vec<Step>,
    /// Latent dimensions.
    pub latent: usize,
    /// Activation of the code of an autoencoder.
    pub latent_activation: Activation,
    /// Distribution of the data given the decoder's output.
    pub likelihood: Likelihood,
    /// Standard deviation of a likelihood with a fixed sigma.
    pub sigma: f32,
    /// The objective that training minimises.
    pub objective: Objective,
    /// The decoder uses the encoder's matrices, transposed.
    pub tied: bool,
}

/// The training settings that the plan depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSpec {
    /// Rows per batch.
    pub batch: usize,
    /// How grey levels are turned into 0 and 1.
    pub binarise: Binarise,
    /// Augmentation of training images.
    pub augment: Option<Augment>,
    /// The optimiser.
    pub rule: Rule,
    /// Weight decay.
    pub decay: f32,
    /// The norm that the gradient is clipped to.
    pub clip: Option<f32>,
    /// Whether ops are fused.
    pub fuse: bool,
}

/// The size and type of the data on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataSpec {
    /// Training rows.
    pub train_rows: usize,
    /// Test rows.
    pub test_rows: usize,
    /// Whether values are bytes, read as levels in [0, 1], or floats.
    pub bytes: bool,
}
