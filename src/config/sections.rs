//! The sections of a configuration and their defaults.

use serde::{Deserialize, Serialize};
use wgvae_data::{Channels, Fit, ImageSize, Missing, NamedKind, Options, described};
use wgvae_engine::kernels::Activation;
use wgvae_engine::kernels::batch::Binarise;
use wgvae_engine::wgsl::TuningTable;

use crate::model::{Condition, InitScheme, Layer, Likelihood, Objective};

described! {
    /// How the learning rate changes.
    pub enum Schedule {
        Constant = "constant": "It stays constant",
        Cosine = "cosine": "It falls to 0 along half a cosine",
        Step = "step": "It is multiplied by `lr_gamma` every `lr_step_epochs` epochs",
    }
}

described! {
    /// How beta changes.
    #[derive(Default)]
    pub enum BetaSchedule {
        #[default]
        Linear = "linear": "It rises in a line over `beta_warmup_epochs`",
        Sigmoid = "sigmoid": "It rises along a sigmoid over `beta_warmup_epochs`",
        Cyclical = "cyclical": "It rises in a line over the first half of each of `beta_cycles` cycles and stays for the second",
    }
}

described! {
    /// The distribution that codes are drawn to.
    #[derive(Default)]
    pub enum PriorKind {
        #[default]
        Standard = "standard": "The standard normal",
        Mixture = "mixture": "A mixture of `prior_parts` normals that are learned",
        Vamp = "vamp": "A mixture of what the encoder makes of `prior_parts` rows that are learned (VampPrior)",
    }
}

impl PriorKind {
    fn is_standard(&self) -> bool {
        *self == PriorKind::Standard
    }
}

/// Parts of a prior that is a mixture, if nothing else is said.
pub(super) const PRIOR_PARTS: usize = 50;

fn is_usual(parts: &usize) -> bool {
    *parts == PRIOR_PARTS
}

described! {
    /// The optimisers.
    pub enum Optimizer {
        Sgd = "sgd": "Stochastic gradient descent",
        Adam = "adam": "Adam",
        Adamw = "adamw": "Adam with decoupled weight decay",
    }
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The data source: `strokes`, `points` or `sprites`, a folder of images or of IDX files, or a file.
    pub source: String,
    /// How grey levels are turned into 0 and 1.
    pub binarise: Binarise,
    /// The column of a table that holds the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The columns of a table to learn from; if empty, all but the label.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The columns of a table to leave out, where none are chosen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop_columns: Vec<String>,
    /// The kinds of columns of a table, as `name=kind`, where they are not those that suit their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<NamedKind>,
    /// Words that stand for missing values, in place of the usual ones; `column=word` is one more of a column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_words: Vec<String>,
    /// Words of a smaller share of a column's cells are grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rare: Option<f64>,
    /// Whether relations between columns of a table are looked for, and kept in rows that are drawn or filled.
    pub relations: bool,
    /// Whether rows of a table with missing values are learned from.
    pub missing: Missing,
    /// Classes to keep; if empty, all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep_label: Vec<String>,
    /// Classes to drop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop_label: Vec<String>,
    /// Share of the rows held out for testing, if the source has no test rows of its own.
    pub test_share: f64,
    /// The largest number of training rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Training images are shifted at random by up to this many pixels in each direction.
    pub shift: usize,
    /// Mirror training images at random, half of the time.
    pub flip: bool,
    /// Standard deviation of noise added to the levels of training images, which are in [0, 1].
    pub noise: f32,
    /// Repeat training rows of rarer classes, so that all classes have the same weight.
    pub balance: bool,
    /// Fail on files and rows that cannot be used, instead of skipping them.
    pub strict: bool,
    /// The size that images are resized to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<ImageSize>,
    /// Colour channels of images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// How images of another shape are resized.
    pub fit: Fit,
}

impl DataConfig {
    /// The options to load the data with; the seed chooses the split.
    pub fn options(&self, seed: u64) -> Options {
        Options {
            source: self.source.clone(),
            label: self.label.clone(),
            columns: self.columns.clone(),
            drop_columns: self.drop_columns.clone(),
            kinds: self.kinds.clone(),
            missing_words: self.missing_words.clone(),
            rare: self.rare,
            relations: self.relations,
            kind: None,
            missing: self.missing,
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

    /// Takes how data was loaded.
    pub(crate) fn load_as(&mut self, options: &Options) {
        let Options { source, label, columns, drop_columns, kinds, missing_words, rare, relations, .. } =
            options.clone();
        let Options { missing, keep_label, drop_label, test_share, limit, balance, strict, .. } = options.clone();
        let (image_size, channels, fit) = (options.image_size, options.channels, options.fit);
        *self = Self {
            source,
            label,
            columns,
            drop_columns,
            kinds,
            missing_words,
            rare,
            relations,
            missing,
            keep_label,
            drop_label,
            test_share,
            limit,
            balance,
            strict,
            image_size,
            channels,
            fit,
            ..self.clone()
        };
    }
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Widths of the encoder's hidden layers.
    pub hidden: Vec<usize>,
    /// Widths of the decoder's hidden layers; by default those of the encoder in reverse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_hidden: Option<Vec<usize>>,
    /// The encoder's layers, instead of widths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<Vec<Layer>>,
    /// The decoder's layers; by default those of the encoder in reverse. The layer to the data follows from the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<Vec<Layer>>,
    /// Latent dimensions.
    pub latent: usize,
    /// Activation of the hidden layers.
    pub activation: Activation,
    /// Activation of the code of an autoencoder.
    pub latent_activation: Activation,
    /// Distribution of the data given the decoder's output.
    pub likelihood: Likelihood,
    /// Standard deviation of the likelihood gaussian; where the scale of others starts that learn theirs.
    pub sigma: f32,
    /// The objective that training minimises.
    pub objective: Objective,
    /// The distribution that codes are drawn to.
    #[serde(skip_serializing_if = "PriorKind::is_standard")]
    pub prior: PriorKind,
    /// Parts of the prior, where it is a mixture.
    #[serde(skip_serializing_if = "is_usual")]
    pub prior_parts: usize,
    /// What the model gets with each row.
    pub condition: Condition,
    /// Weight of the KL term.
    pub beta: f32,
    /// Epochs over which beta rises from 0.
    pub beta_warmup_epochs: f64,
    /// How beta rises.
    pub beta_schedule: BetaSchedule,
    /// Cycles of a run, for [`BetaSchedule::Cyclical`].
    pub beta_cycles: u32,
    /// Nats that each latent dimension costs at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bits: Option<f32>,
    /// Nats that the KL is held at: the loss has beta times its distance from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<f32>,
    /// Epochs over which the capacity rises from 0.
    pub capacity_epochs: f64,
    /// Nats that the KL is held at or under, by a multiplier in place of beta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl_at_most: Option<f32>,
    /// Weight of the total correlation, for objective beta-tc; the KL has it once.
    pub tc_weight: f32,
    /// Estimate the total correlation by stratified sampling.
    pub tc_stratified: bool,
    /// Weight of the covariances between dimensions, for objectives dip-i and dip-ii.
    pub dip_off_diagonal: f32,
    /// Weight of the variances' distances from 1; if left out, 10 times the other in dip-i, as much as it in dip-ii.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dip_diagonal: Option<f32>,
    /// Weight of the discrepancy from the prior, for objective info.
    pub mmd_weight: f32,
    /// Draws of the latent for each row, for objective iwae.
    pub samples: usize,
    /// Groups that these are in, each of which has a bound of its own.
    pub sample_groups: usize,
    /// The share of the ELBO in the objective iwae.
    pub elbo_share: f32,
    /// Use the doubly-reparameterised gradient of the objective iwae.
    pub doubly_reparameterised: bool,
    /// The decoder uses the encoder's matrices, transposed.
    pub tied: bool,
    /// How weights and biases start.
    pub init: InitScheme,
}

/// `[train]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training data.
    pub epochs: usize,
    /// Training steps, instead of epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Epochs without a smaller test loss after which training stops; it does not if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// Rows per batch.
    pub batch: usize,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Learning rate.
    pub lr: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises from 0.
    pub warmup_steps: u64,
    /// Epochs between drops of the learning rate, for [`Schedule::Step`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_step_epochs: Option<usize>,
    /// Factor for each drop of the learning rate, for [`Schedule::Step`].
    pub lr_gamma: f64,
    /// Momentum of SGD.
    pub momentum: f32,
    /// Use Nesterov momentum.
    pub nesterov: bool,
    /// Adam's decay of the first moment.
    pub beta1: f32,
    /// Adam's decay of the second moment.
    pub beta2: f32,
    /// Added to Adam's denominator.
    pub epsilon: f32,
    /// Weight decay.
    pub weight_decay: f32,
    /// The norm that the gradient is clipped to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f32>,
    /// Seed of every random choice.
    pub seed: u64,
}

/// `[kernels]`: saved with a run, so that repeating it uses the same kernels and gives the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelsConfig {
    /// The adapter that the variants were chosen on.
    pub adapter: String,
    /// The GEMM variant of each matrix product.
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

/// The whole configuration of a run. It is saved in the run's folder, and training with it repeats the run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data.
    pub data: DataConfig,
    /// The model.
    pub model: ModelConfig,
    /// The training.
    pub train: TrainConfig,
    /// The kernels chosen on the adapter.
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
            drop_columns: Vec::new(),
            kinds: Vec::new(),
            missing_words: Vec::new(),
            rare: None,
            relations: options.relations,
            missing: Missing::default(),
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
            encoder: None,
            decoder: None,
            latent: 20,
            activation: Activation::Relu,
            latent_activation: Activation::Identity,
            likelihood: Likelihood::Bernoulli,
            sigma: 1.0,
            objective: Objective::Elbo,
            prior: PriorKind::Standard,
            prior_parts: PRIOR_PARTS,
            condition: Condition::None,
            beta: 1.0,
            beta_warmup_epochs: 0.0,
            beta_schedule: BetaSchedule::Linear,
            beta_cycles: 4,
            free_bits: None,
            capacity: None,
            capacity_epochs: 0.0,
            kl_at_most: None,
            tc_weight: 6.0,
            tc_stratified: false,
            dip_off_diagonal: 10.0,
            dip_diagonal: None,
            mmd_weight: 100.0,
            samples: 1,
            sample_groups: 1,
            elbo_share: 0.0,
            doubly_reparameterised: false,
            tied: false,
            init: InitScheme::Torch,
        }
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 10,
            steps: None,
            patience: None,
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
