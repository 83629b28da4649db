//! The flags that describe a model and its training, shared by the commands that take them.

use std::path::PathBuf;

use toml::{Table, Value};
use wgvae::config::{BetaSchedule, Config, Optimizer, PriorKind, Schedule};
use wgvae::model::{Condition, InitScheme, Layer, Likelihood, Objective};
use wgvae_data::{DataError, Dataset};
use wgvae_engine::plan::{Activation, Binarise};

use crate::cli::args::data::{self, DataArgs, name_of, one_of};
use crate::cli::stdin;

/// Widths separated by commas, or `none`.
#[derive(Debug, Clone, PartialEq)]
pub struct Widths(Vec<usize>);

impl std::str::FromStr for Widths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Widths(Vec::new()));
        }
        text.split(',')
            .map(|part| part.trim().parse().ok().filter(|w| *w > 0))
            .collect::<Option<Vec<usize>>>()
            .map(Widths)
            .ok_or_else(|| "widths are whole numbers above 0 separated by commas, or none".into())
    }
}

/// Layers separated by commas.
#[derive(Debug, Clone, PartialEq)]
pub struct Layers(Vec<Layer>);

impl std::str::FromStr for Layers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Layers)
    }
}

#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct ModelArgs {
    /// Start from a preset: dense, deep-dense, conv, keras-conv, burgess, photo, autoencoder, points, table [default: what suits the data]
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Read settings from a TOML file; they override the preset
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// strokes, points[:curve|rings|moons], sprites, a folder of images or IDX files, or a .csv, .tsv, .parquet, .npy,
    /// .npz or IDX file, or - for stdin (at most 1 GiB)
    #[arg(long, value_name = "SPEC", env = "WGVAE_DATA")]
    data: Option<String>,
    #[command(flatten)]
    choice: DataArgs,
    /// Shift training images at random by up to PIXELS in each direction
    #[arg(long, value_name = "PIXELS")]
    shift: Option<usize>,
    /// Mirror training images at random, half of the time
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    flip: Option<bool>,
    /// Add noise of this standard deviation to the levels of training images, which are in [0, 1]
    #[arg(long, value_name = "X")]
    noise: Option<f64>,
    /// Turn grey levels into 0 and 1
    #[arg(long, value_parser = one_of(&Binarise::ALL, Binarise::described))]
    binarise: Option<Binarise>,
    /// Widths of the hidden layers, e.g. 400,200, or none
    #[arg(long, value_name = "WIDTHS")]
    hidden: Option<Widths>,
    /// Widths of the decoder's hidden layers [default: those of --hidden in reverse]
    #[arg(long, value_name = "WIDTHS")]
    decoder_hidden: Option<Widths>,
    /// Layers of the encoder, instead of --hidden, e.g. 'conv 32 k3 s2, conv 64 k3 s2, dense 128'
    #[arg(long, value_name = "LAYERS", conflicts_with = "hidden")]
    encoder: Option<Layers>,
    /// Layers of the decoder, without the last, which follows from the data [default: those of the encoder in reverse]
    #[arg(long, value_name = "LAYERS", conflicts_with = "decoder_hidden")]
    decoder: Option<Layers>,
    /// Latent dimensions
    #[arg(long, value_name = "N")]
    latent: Option<usize>,
    /// Activation of the hidden layers
    #[arg(long, value_parser = one_of(&Activation::ALL, |a| [a.name(), a.formula()]))]
    activation: Option<Activation>,
    /// Activation of the code, for --objective ae
    #[arg(long, value_parser = one_of(&Activation::ALL, |a| [a.name(), a.formula()]))]
    latent_activation: Option<Activation>,
    /// Distribution of the data given the decoder's output
    #[arg(long, value_parser = one_of(&Likelihood::ALL, Likelihood::described))]
    likelihood: Option<Likelihood>,
    /// Standard deviation of the likelihood gaussian; where a scale that is learned starts
    #[arg(long, value_name = "X")]
    sigma: Option<f64>,
    /// elbo: reconstruction plus beta times KL; beta-tc, dip-i, dip-ii, info: and what the codes of a batch cost; iwae: the
    /// importance-weighted bound; ae: a plain autoencoder
    #[arg(long, value_parser = one_of(&Objective::ALL, Objective::described))]
    objective: Option<Objective>,
    /// What codes are drawn to: the standard normal, a mixture of normals that are learned, or one of what the encoder makes of rows
    /// that are learned (VampPrior)
    #[arg(long, value_parser = one_of(&PriorKind::ALL, PriorKind::described))]
    prior: Option<PriorKind>,
    /// Parts of the prior, for --prior mixture and vamp
    #[arg(long, value_name = "N")]
    prior_parts: Option<usize>,
    /// class: a conditional VAE, whose encoder and decoder are told each row's class
    #[arg(long, value_parser = one_of(&Condition::ALL, Condition::described))]
    condition: Option<Condition>,
    /// Weight of the KL term
    #[arg(long, value_name = "X")]
    beta: Option<f64>,
    /// Epochs over which beta rises from 0
    #[arg(long, value_name = "EPOCHS")]
    beta_warmup_epochs: Option<f64>,
    /// How beta rises; cyclical: anew in each of --beta-cycles cycles
    #[arg(long, value_parser = one_of(&BetaSchedule::ALL, BetaSchedule::described))]
    beta_schedule: Option<BetaSchedule>,
    /// Cycles of the run, for --beta-schedule cyclical
    #[arg(long, value_name = "N")]
    beta_cycles: Option<usize>,
    /// Nats that each latent dimension costs at least
    #[arg(long, value_name = "NATS")]
    free_bits: Option<f64>,
    /// Nats that the KL is held at: beta weighs its distance from them
    #[arg(long, value_name = "NATS")]
    capacity: Option<f64>,
    /// Epochs over which the capacity rises from 0
    #[arg(long, value_name = "EPOCHS")]
    capacity_epochs: Option<f64>,
    /// Nats that the KL is held at or under, by a multiplier in place of beta
    #[arg(long, value_name = "NATS")]
    kl_at_most: Option<f64>,
    /// Weight of the total correlation, for --objective beta-tc; the KL has it once
    #[arg(long, value_name = "X")]
    tc_weight: Option<f64>,
    /// Estimate the total correlation by stratified sampling
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    tc_stratified: Option<bool>,
    /// Weight of the covariances between dimensions, for --objective dip-i and dip-ii
    #[arg(long, value_name = "X")]
    dip_off_diagonal: Option<f64>,
    /// Weight of the variances' distances from 1 [default: 10 times the other in dip-i, as much as it in dip-ii]
    #[arg(long, value_name = "X")]
    dip_diagonal: Option<f64>,
    /// Weight of the discrepancy from the prior, for --objective info
    #[arg(long, value_name = "X")]
    mmd_weight: Option<f64>,
    /// Draws of the latent for each row, for --objective iwae
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Groups that these are in, each of which has a bound of its own
    #[arg(long, value_name = "N")]
    sample_groups: Option<usize>,
    /// Share of the ELBO in --objective iwae
    #[arg(long, value_name = "SHARE")]
    elbo_share: Option<f64>,
    /// Use the doubly-reparameterised gradient of --objective iwae
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    doubly_reparameterised: Option<bool>,
    /// Tie the weights: the decoder uses the encoder's matrices, transposed
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    tied: Option<bool>,
    /// How weights and biases start
    #[arg(long, value_parser = one_of(&InitScheme::ALL, InitScheme::described))]
    init: Option<InitScheme>,
    /// Passes over the training data
    #[arg(long, value_name = "N", conflicts_with = "steps")]
    epochs: Option<usize>,
    /// Training steps, instead of epochs
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Stop after this many epochs without a smaller test loss, not counting those in which beta or the capacity rises [default:
    /// train to the end]
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<usize>,
    /// Rows per batch
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// The optimiser
    #[arg(long, value_parser = one_of(&Optimizer::ALL, Optimizer::described))]
    optimizer: Option<Optimizer>,
    /// Learning rate
    #[arg(long, value_name = "X")]
    lr: Option<f64>,
    /// How the learning rate changes
    #[arg(long, value_parser = one_of(&Schedule::ALL, Schedule::described))]
    schedule: Option<Schedule>,
    /// Steps over which the learning rate rises from 0
    #[arg(long, value_name = "STEPS")]
    warmup_steps: Option<u64>,
    /// Epochs between drops of the learning rate, for --schedule step
    #[arg(long, value_name = "EPOCHS")]
    lr_step_epochs: Option<usize>,
    /// Factor for each drop of the learning rate, for --schedule step
    #[arg(long, value_name = "X")]
    lr_gamma: Option<f64>,
    /// Momentum of SGD
    #[arg(long, value_name = "X")]
    momentum: Option<f64>,
    /// Use Nesterov momentum, for --optimizer sgd
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    nesterov: Option<bool>,
    /// Weight decay
    #[arg(long, value_name = "X")]
    weight_decay: Option<f64>,
    /// Clip the gradient to this norm; 0 for no clipping
    #[arg(long, value_name = "NORM")]
    clip: Option<f64>,
    /// Run every op by itself instead of fusing ops
    #[arg(long)]
    no_fuse: bool,
    /// Seed of every random choice (initial weights, order of the rows, draws)
    #[arg(long, value_name = "N", env = "WGVAE_SEED", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
}

/// TOML integers end at i64::MAX; larger counts exceed the limits of every setting anyway.
fn integer(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

impl ModelArgs {
    /// The flags as a table that overrides the configuration file.
    fn table(&self) -> Table {
        let widths = |w: &Widths| {
            let values = w.0.iter().map(|w| integer(*w as u64)).collect();
            Value::Array(values)
        };
        let layers = |layers: &Layers| Value::Array(layers.0.iter().map(|l| Value::String(l.to_string())).collect());
        let float = |x: &f64| Value::Float(*x);
        let count = |n: &usize| integer(*n as u64);
        let mut table = Table::new();
        for (section, key, value) in [
            ("data", "source", self.data.clone().map(Value::String)),
            ("data", "binarise", self.binarise.as_ref().and_then(name_of)),
            ("data", "shift", self.shift.as_ref().map(count)),
            ("data", "flip", self.flip.map(Value::Boolean)),
            ("data", "noise", self.noise.as_ref().map(float)),
            ("model", "hidden", self.hidden.as_ref().map(widths)),
            ("model", "decoder_hidden", self.decoder_hidden.as_ref().map(widths)),
            ("model", "encoder", self.encoder.as_ref().map(layers)),
            ("model", "decoder", self.decoder.as_ref().map(layers)),
            ("model", "latent", self.latent.as_ref().map(count)),
            ("model", "activation", self.activation.as_ref().and_then(name_of)),
            ("model", "latent_activation", self.latent_activation.as_ref().and_then(name_of)),
            ("model", "likelihood", self.likelihood.as_ref().and_then(name_of)),
            ("model", "sigma", self.sigma.as_ref().map(float)),
            ("model", "objective", self.objective.as_ref().and_then(name_of)),
            ("model", "prior", self.prior.as_ref().and_then(name_of)),
            ("model", "prior_parts", self.prior_parts.as_ref().map(count)),
            ("model", "condition", self.condition.as_ref().and_then(name_of)),
            ("model", "beta", self.beta.as_ref().map(float)),
            ("model", "beta_warmup_epochs", self.beta_warmup_epochs.as_ref().map(float)),
            ("model", "beta_schedule", self.beta_schedule.as_ref().and_then(name_of)),
            ("model", "beta_cycles", self.beta_cycles.as_ref().map(count)),
            ("model", "free_bits", self.free_bits.as_ref().map(float)),
            ("model", "capacity", self.capacity.as_ref().map(float)),
            ("model", "capacity_epochs", self.capacity_epochs.as_ref().map(float)),
            ("model", "kl_at_most", self.kl_at_most.as_ref().map(float)),
            ("model", "tc_weight", self.tc_weight.as_ref().map(float)),
            ("model", "tc_stratified", self.tc_stratified.map(Value::Boolean)),
            ("model", "dip_off_diagonal", self.dip_off_diagonal.as_ref().map(float)),
            ("model", "dip_diagonal", self.dip_diagonal.as_ref().map(float)),
            ("model", "mmd_weight", self.mmd_weight.as_ref().map(float)),
            ("model", "samples", self.samples.as_ref().map(count)),
            ("model", "sample_groups", self.sample_groups.as_ref().map(count)),
            ("model", "elbo_share", self.elbo_share.as_ref().map(float)),
            ("model", "doubly_reparameterised", self.doubly_reparameterised.map(Value::Boolean)),
            ("model", "tied", self.tied.map(Value::Boolean)),
            ("model", "init", self.init.as_ref().and_then(name_of)),
            ("train", "epochs", self.epochs.as_ref().map(count)),
            ("train", "steps", self.steps.map(integer)),
            ("train", "patience", self.patience.as_ref().map(count)),
            ("train", "batch", self.batch.as_ref().map(count)),
            ("train", "optimizer", self.optimizer.as_ref().and_then(name_of)),
            ("train", "lr", self.lr.as_ref().map(float)),
            ("train", "schedule", self.schedule.as_ref().and_then(name_of)),
            ("train", "warmup_steps", self.warmup_steps.map(integer)),
            ("train", "lr_step_epochs", self.lr_step_epochs.as_ref().map(count)),
            ("train", "lr_gamma", self.lr_gamma.as_ref().map(float)),
            ("train", "momentum", self.momentum.as_ref().map(float)),
            ("train", "nesterov", self.nesterov.map(Value::Boolean)),
            ("train", "weight_decay", self.weight_decay.as_ref().map(float)),
            ("train", "clip", self.clip.as_ref().map(float)),
            ("train", "seed", self.seed.map(integer)),
            ("kernels", "fuse", self.no_fuse.then_some(Value::Boolean(false))),
        ] {
            if let Some(value) = value {
                let section = table.entry(section).or_insert_with(|| Table::new().into());
                if let Value::Table(section) = section {
                    section.insert(key.to_string(), value);
                }
            }
        }
        let choices = self.choice.entries();
        if !choices.is_empty()
            && let Value::Table(section) = table.entry("data").or_insert_with(|| Table::new().into())
        {
            section.extend(choices.into_iter().map(|(key, value)| (key.to_string(), value)));
        }
        table
    }

    /// Whether flags are of the preset `dense` and its likelihood.
    fn is_dense(&self) -> bool {
        self.hidden.is_some() || self.tied == Some(true) || self.binarise.is_some()
    }

    /// The preset that suits this data and these flags.
    fn suited(&self, data: &Dataset) -> &'static str {
        match Config::suited_preset(data) {
            "photo" if self.is_dense() => "dense",
            suited => suited,
        }
    }

    /// The configuration and its data, checked against each other.
    pub fn resolve(&self) -> anyhow::Result<(Config, Dataset)> {
        let (preset, file) = (self.preset.as_deref(), self.config.as_deref());
        let with = |preset| Config::resolve(preset, file, self.table());
        let mut config = with(preset).or_else(|error| match (preset, file) {
            // The data will decide, and may choose a preset that these flags suit.
            (None, None) => ["table", "points"].into_iter().find_map(|preset| with(Some(preset)).ok()).ok_or(error),
            _ => Err(error),
        })?;
        let data = load(&config)?;
        // Without a preset and a file, the data decides.
        if let Some(suited) = preset.or_else(|| file.is_none().then(|| self.suited(&data))) {
            config = Config::resolve_sized(Some(suited), Config::suited_sizes(suited, &data), file, self.table())?;
        }
        // Who writes layers has chosen a model.
        let is_chosen = preset.is_some() || file.is_some() || self.encoder.is_some() || self.is_dense();
        if let Some(about) = Config::about_suited(&data).filter(|_| !is_chosen) {
            warning!("{about}");
        }
        if self.batch.is_none() && file.is_none() && config.train.batch > data.train.rows {
            warning!("the batch is reduced to {} rows, because the training data has no more", data.train.rows);
            config.train.batch = data.train.rows;
        }
        checked(config, data)
    }

    /// A run's configuration with the flags over it, and its data.
    pub fn over(&self, config: &Config) -> anyhow::Result<(Config, Dataset)> {
        let config = config.with_flags(self.table())?;
        if config.data.source == stdin::NAME && self.data.is_none() {
            let why = "the run was trained on what came through stdin, which is not kept: give it again, with --data";
            return Err(DataError::Unusable { source_name: stdin::NAME.into(), reason: why.into() }.into());
        }
        let data = load(&config)?;
        checked(config, data)
    }

    /// The name of the run.
    pub fn run_name(&self, data: &Dataset) -> String {
        let file =
            self.config.as_deref().and_then(|path| path.file_stem()).map(|stem| stem.to_string_lossy().into_owned());
        let written = || self.encoder.as_ref().map_or(self.suited(data), |_| "layers");
        let model = file.or(self.preset.clone()).unwrap_or_else(|| written().into());
        // The model `points` on the data `points-moons` is named `points-moons`.
        if data.name.starts_with(&model) { data.name.clone() } else { format!("{model}-{}", data.name) }
    }
}

fn load(config: &Config) -> anyhow::Result<Dataset> {
    let data = data::load(&config.data_options())?;
    for note in &data.notes {
        warning!("{note}");
    }
    Ok(data)
}

fn checked(mut config: Config, data: Dataset) -> anyhow::Result<(Config, Dataset)> {
    // An absolute path, so that the saved configuration works from any directory.
    let place = std::path::Path::new(&config.data.source);
    if config.data.source != stdin::NAME && place.exists() {
        config.data.source = std::path::absolute(place)?.display().to_string();
    }
    config.check_data(&data)?;
    Ok((config, data))
}
