//! The tables of a configuration and their defaults.

use serde::{Deserialize, Serialize};

use crate::data::{Channels, Fit, ImageSize, Options};
use crate::kernels::batch::Binarise;
use crate::kernels::{Activation, TuningTable};
use crate::model::{Likelihood, Objective};

/// How the learning rate changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// Down to 0 along half a cosine.
    Cosine,
    /// Multiplied by `lr_gamma` every `lr_step_epochs` epochs.
    Step,
}

/// The optimisers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    Adamw,
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// `strokes`, `points` or `sprites`, a folder of images or of IDX files, or a file.
    pub source: String,
    /// What becomes of grey levels.
    pub binarise: Binarise,
    /// The column with the class, of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Columns to learn from, of a table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Classes to keep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep_label: Vec<String>,
    /// Classes to leave out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop_label: Vec<String>,
    /// Share of the rows kept for testing, where the source has no test rows.
    #[serde(alias = "valid")]
    pub test_share: f64,
    /// At most so many training rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Most pixels that a training image moves either way, anew each time it is seen.
    pub shift: usize,
    /// Mirror half of the training images.
    pub flip: bool,
    /// Deviation of the noise on the levels of training images.
    pub noise: f32,
    /// Give each class the same weight.
    pub balance: bool,
    /// Files and rows that cannot be used are an error.
    pub strict: bool,
    /// What images are brought to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<ImageSize>,
    /// Colours of images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// How images of another shape are brought to size.
    pub fit: Fit,
}

impl DataConfig {
    /// The source and what of it is wanted; the seed decides on the split.
    pub fn options(&self, seed: u64) -> Options {
        Options {
            source: self.source.clone(),
            label: self.label.clone(),
            columns: self.columns.clone(),
            keep_label: self.keep_label.clone(),
            drop_label: self.drop_label.clone(),
            test_share: self.test_share,
            limit: self.limit,
            balance: self.balance,
            seed,
            strict: self.strict,
            image_size: self.image_size,
            channels: self.channels,
            fit: self.fit,
        }
    }
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Widths of the encoder's hidden layers.
    pub hidden: Vec<usize>,
    /// Widths of the decoder's; the encoder's in reverse where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_hidden: Option<Vec<usize>>,
    /// Latent dimensions.
    pub latent: usize,
    /// Of the hidden layers.
    pub activation: Activation,
    /// Of an autoencoder's code.
    pub latent_activation: Activation,
    /// How the output explains the data.
    pub likelihood: Likelihood,
    /// Of the gaussian likelihood.
    pub sigma: f32,
    /// What is minimised.
    pub objective: Objective,
    /// Weight of the KL term.
    pub beta: f32,
    /// Epochs over which beta rises from 0.
    #[serde(alias = "beta_warmup")]
    pub beta_warmup_epochs: f64,
    /// The decoder uses the encoder's matrices, transposed.
    pub tied: bool,
}

/// `[train]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training data.
    pub epochs: usize,
    /// Steps, instead of epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Rows of a batch.
    pub batch: usize,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Learning rate.
    pub lr: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// Steps over which it rises from 0.
    #[serde(alias = "warmup")]
    pub warmup_steps: u64,
    /// Epochs between drops, for `step`.
    #[serde(alias = "lr_step", skip_serializing_if = "Option::is_none")]
    pub lr_step_epochs: Option<usize>,
    /// Factor of a drop.
    pub lr_gamma: f64,
    /// SGD's momentum.
    pub momentum: f32,
    /// SGD with a look ahead.
    pub nesterov: bool,
    /// Adam's decay of the first moment.
    pub beta1: f32,
    /// Adam's decay of the second moment.
    pub beta2: f32,
    /// Added to Adam's denominator.
    pub epsilon: f32,
    /// Weight decay.
    pub weight_decay: f32,
    /// Largest norm of the gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f32>,
    /// Of everything random.
    pub seed: u64,
}

/// `[kernels]`: written with a run, so that the same run has the same kernels, and with them the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelsConfig {
    /// The adapter they were chosen on.
    pub adapter: String,
    /// The variant of each of the step's matrix products.
    #[serde(alias = "layouts")]
    pub variants: TuningTable,
    /// Whether ops are fused.
    #[serde(skip_serializing_if = "is_true")]
    pub fuse: bool,
}

fn is_true(value: &bool) -> bool {
    *value
}

impl KernelsConfig {
    fn is_empty(&self) -> bool {
        self.variants.is_empty() && self.fuse
    }
}

impl Default for KernelsConfig {
    fn default() -> Self {
        Self { adapter: String::new(), variants: TuningTable::default(), fuse: true }
    }
}

/// Everything a run is made of. Written to the run's folder, it makes the same run again.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data.
    pub data: DataConfig,
    /// The model.
    pub model: ModelConfig,
    /// The training.
    pub train: TrainConfig,
    /// What was chosen on the adapter.
    #[serde(skip_serializing_if = "KernelsConfig::is_empty")]
    pub kernels: KernelsConfig,
}

impl Default for DataConfig {
    fn default() -> Self {
        let options = Options::default();
        Self {
            source: options.source,
            binarise: Binarise::None,
            label: None,
            columns: Vec::new(),
            keep_label: Vec::new(),
            drop_label: Vec::new(),
            test_share: options.test_share,
            limit: None,
            shift: 0,
            flip: false,
            noise: 0.0,
            balance: false,
            strict: false,
            image_size: None,
            channels: None,
            fit: options.fit,
        }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            hidden: vec![400],
            decoder_hidden: None,
            latent: 20,
            activation: Activation::Relu,
            latent_activation: Activation::Identity,
            likelihood: Likelihood::Bernoulli,
            sigma: 1.0,
            objective: Objective::Elbo,
            beta: 1.0,
            beta_warmup_epochs: 0.0,
            tied: false,
        }
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 10,
            steps: None,
            batch: 128,
            optimizer: Optimizer::Adam,
            lr: 1e-3,
            schedule: Schedule::Constant,
            warmup_steps: 0,
            lr_step_epochs: None,
            lr_gamma: 0.1,
            momentum: 0.0,
            nesterov: false,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip: None,
            seed: 0,
        }
    }
}
