//! What a model is: plain data, validated by the configuration.

use serde::{Deserialize, Serialize};

use super::Likelihood;
use crate::kernels::Activation;
use crate::kernels::batch::{Augment, Binarise};
use crate::kernels::optimizer::Rule;

/// What is minimised.
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
    /// Numbers of one example.
    pub width: usize,
    /// Widths of the encoder's hidden layers; none for a linear encoder.
    pub encoder: Vec<usize>,
    /// Widths of the decoder's hidden layers.
    pub decoder: Vec<usize>,
    /// Latent dimensions.
    pub latent: usize,
    /// Of the hidden layers.
    pub activation: Activation,
    /// Of an autoencoder's code.
    pub latent_activation: Activation,
    /// How the output explains the data.
    pub likelihood: Likelihood,
    /// Of [`Likelihood::Gaussian`].
    pub sigma: f32,
    /// What is minimised.
    pub objective: Objective,
    /// The decoder uses the encoder's matrices, transposed.
    pub tied: bool,
}

/// How it is trained, as far as the plan knows.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSpec {
    /// Rows of a batch.
    pub batch: usize,
    /// What becomes of grey levels.
    pub binarise: Binarise,
    /// How training images are changed.
    pub augment: Option<Augment>,
    /// The optimiser.
    pub rule: Rule,
    /// Weight decay.
    pub decay: f32,
    /// Largest norm of the gradient.
    pub clip: Option<f32>,
    /// Whether ops are fused; else they run as the graph was lowered.
    pub fuse: bool,
}

/// How much data there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataSpec {
    /// Training rows.
    pub train_rows: usize,
    /// Test rows.
    pub test_rows: usize,
    /// Bytes, read as levels in [0, 1]; else floats.
    pub bytes: bool,
}
