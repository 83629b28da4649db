//! The whole configuration, and the choices that its keys have.

use serde::{Deserialize, Serialize};
use wgvae_data::{Options, described};
use wgvae_engine::wgsl::TuningTable;

use super::keys::{DataConfig, ModelConfig, TrainConfig};

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

described! {
    /// The optimisers.
    pub enum Optimizer {
        Sgd = "sgd": "Stochastic gradient descent",
        Adam = "adam": "Adam",
        Adamw = "adamw": "Adam with decoupled weight decay",
    }
}

impl DataConfig {
    /// The options to load the data with; the seed chooses the split.
    pub fn options(&self, seed: u64) -> Options {
        Options {
            source: self.source.clone(),
            format: self.format,
            text: self.text.clone(),
            series: self.series.clone(),
            tokens: self.tokens,
            vocabulary: self.vocabulary,
            max_length: self.max_length,
            sample_rate: self.sample_rate,
            mel_bands: self.mel_bands,
            seconds: self.seconds,
            steps_per_beat: self.steps_per_beat,
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
    pub fn load_as(&mut self, options: &Options) {
        let Options { source, label, columns, drop_columns, kinds, missing_words, rare, relations, .. } =
            options.clone();
        let Options { missing, keep_label, drop_label, test_share, limit, balance, strict, .. } = options.clone();
        let (image_size, channels, fit) = (options.image_size, options.channels, options.fit);
        let Options { format, text, series, tokens, vocabulary, max_length, .. } = options.clone();
        let Options { sample_rate, mel_bands, seconds, steps_per_beat, .. } = *options;
        *self = Self {
            source,
            format,
            text,
            series,
            tokens,
            vocabulary,
            max_length,
            sample_rate,
            mel_bands,
            seconds,
            steps_per_beat,
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
///
/// ```
/// use wgvae::Config;
///
/// let mut config = Config::preset("dense")?;
/// config.model.latent = 8;
/// assert!(config.to_toml()?.contains("latent = 8"));
/// # Ok::<(), wgvae::ConfigError>(())
/// ```
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
