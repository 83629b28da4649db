//! Presets, a TOML file and flags become one [`Config`], validated once.

mod commented;
mod sections;
mod suited;

use std::path::{Path, PathBuf};

use toml::{Table, Value};

pub use crate::kernels::{Activation, TuningTable, batch::Binarise};
pub use crate::model::{Likelihood, Objective};
pub use sections::{Config, DataConfig, KernelsConfig, ModelConfig, Optimizer, Schedule, TrainConfig};

use crate::data::{Dataset, Shape};
use crate::kernels::batch::{self, Augment};
use crate::kernels::optimizer::Rule;
use crate::model::{DataSpec, TrainSpec, VaeSpec};
use crate::plan::{STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT};

/// The presets, by name: the files under `presets/`, built in.
pub const PRESETS: &[(&str, &str)] = &[
    ("dense", include_str!("../../presets/dense.toml")),
    ("deep-dense", include_str!("../../presets/deep-dense.toml")),
    ("autoencoder", include_str!("../../presets/autoencoder.toml")),
    ("points", include_str!("../../presets/points.toml")),
    ("table", include_str!("../../presets/table.toml")),
];

/// Limit on steps, so that steps times rows fits in 64 bits with room to spare.
const MOST_STEPS: u64 = 1 << 40;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no preset of this name.
    #[error("there is no preset `{name}`; there are {}", preset_names())]
    Preset {
        /// What was asked for.
        name: String,
    },
    /// The configuration file could not be read.
    #[error("the configuration {path} could not be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The configuration file is not TOML, or has unknown keys or values of the wrong type.
    #[error("{origin}: {reason}")]
    Syntax {
        /// Which file, preset or flag.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value that is out of range, or values that contradict each other.
    #[error("{0}")]
    Value(String),
}

/// Keys of older versions: section, old name, new name.
const RENAMED: &[(&str, &str, &str)] = &[
    ("data", "valid", "test_share"),
    ("model", "beta_warmup", "beta_warmup_epochs"),
    ("train", "warmup", "warmup_steps"),
    ("train", "lr_step", "lr_step_epochs"),
    ("kernels", "layouts", "variants"),
];

fn preset_names() -> String {
    let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// Gives old keys their new names, so that an old key in one layer and the new one in another are the same key. Where
/// one layer has both, both stay, and reading it fails with a duplicate field.
fn rename_old_keys(table: &mut Table) {
    for (section, old, new) in RENAMED {
        let Some(Value::Table(section)) = table.get_mut(*section) else { continue };
        if !section.contains_key(*new)
            && let Some(value) = section.remove(*old)
        {
            section.insert((*new).to_string(), value);
        }
    }
}

/// Sets every key of `over` in `base`, section by section.
fn overlay(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Removes settings of the lower layers that no longer apply where an upper layer changes the choice they belong to:
/// the decoder's widths where the encoder's change, steps where epochs are given, sigma where the likelihood changes.
fn supersede(base: &mut Table, over: &Table) {
    for (section, key, overruled) in [
        ("model", "hidden", &["decoder_hidden"][..]),
        ("model", "likelihood", &["sigma"]),
        ("model", "objective", &["beta", "beta_warmup_epochs", "latent_activation"]),
        ("train", "epochs", &["steps"]),
        ("train", "optimizer", &["momentum", "nesterov"]),
        ("train", "schedule", &["lr_step_epochs"]),
    ] {
        let Some(above) = over.get(section).and_then(Value::as_table) else { continue };
        let Some(Value::Table(below)) = base.get_mut(section) else { continue };
        if above.contains_key(key) && above.get(key) != below.get(key) {
            for key in overruled.iter().filter(|key| !above.contains_key(**key)) {
                below.remove(*key);
            }
        }
    }
}

fn parse(origin: &str, text: &str) -> Result<Table, ConfigError> {
    let invalid = |reason: String| ConfigError::Syntax { origin: origin.to_string(), reason };
    // Each file is checked before it is merged, so that an error names a line of the file.
    toml::from_str::<Config>(text).map_err(|e| invalid(with_nearest(one_line(&e))))?;
    let mut table = text.parse::<Table>().map_err(|e| invalid(one_line(&e)))?;
    rename_old_keys(&mut table);
    Ok(table)
}

/// A TOML error as one sentence with its line.
fn one_line(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let place = text.lines().next().and_then(|first| first.strip_prefix("TOML parse error at ")).unwrap_or_default();
    match place {
        "" => error.message().replace('\n', ", "),
        _ => format!("{place}: {}", error.message().replace('\n', ", ")),
    }
}

/// The message without old keys among those it expects.
fn without_old_keys(message: String) -> String {
    let Some((unknown, expected)) = message.split_once(", expected") else { return message };
    let expected =
        RENAMED.iter().fold(expected.to_string(), |text, (_, old, _)| text.replace(&format!("`{old}`, "), ""));
    format!("{unknown}, expected{expected}")
}

/// Adds `did you mean b?` to `unknown field a, expected one of b, c` where one of the names is similar enough.
fn with_nearest(message: String) -> String {
    let message = without_old_keys(message);
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (Some((unknown, known)), true) = (quoted.split_first(), message.contains("unknown ")) else { return message };
    let nearest =
        known.iter().map(|name| (strsim::jaro_winkler(unknown, name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, name)) if likeness > 0.8 => {
            let (before, after) = message.split_once(", expected").unwrap_or((&message, ""));
            format!("{before}: did you mean `{name}`? expected{after}")
        }
        _ => message,
    }
}

impl Config {
    /// Merges preset, file and flags; each overrides the one before.
    pub fn resolve(preset: Option<&str>, file: Option<&Path>, flags: Table) -> Result<Self, ConfigError> {
        Self::resolve_sized(preset, Table::new(), file, flags)
    }

    /// [`Config::resolve`] with sizes derived from the data set over the preset, and under the file and the flags.
    pub(crate) fn resolve_sized(
        preset: Option<&str>,
        sized: Table,
        file: Option<&Path>,
        mut flags: Table,
    ) -> Result<Self, ConfigError> {
        rename_old_keys(&mut flags);
        let name = preset.unwrap_or("dense");
        let (_, text) = PRESETS
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| ConfigError::Preset { name: name.into() })?;
        let mut table = parse(name, text)?;
        overlay(&mut table, sized);
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
            let over = parse(&path.display().to_string(), &text)?;
            supersede(&mut table, &over);
            overlay(&mut table, over);
        }
        supersede(&mut table, &flags);
        overlay(&mut table, flags);
        let config: Config = table
            .try_into()
            .map_err(|e: toml::de::Error| ConfigError::Syntax { origin: "flags".into(), reason: one_line(&e) })?;
        config.validate()?;
        Ok(config)
    }

    /// The configuration as TOML.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string(self).map_err(|e| ConfigError::Value(e.to_string()))
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let (m, t) = (&self.model, &self.train);
        let decoder = self.decoder_widths();
        // Shaders compute with these values and their squares in f32: neither may underflow or overflow.
        let positive = |x: f64| (1e-15..=1e15).contains(&x);
        let fraction = |x: f32| (0.0..1.0).contains(&x);
        let sgd = t.optimizer == Optimizer::Sgd;
        let ae = m.objective == Objective::Ae;
        let mirrored: Vec<usize> = m.hidden.iter().rev().copied().collect();
        let largest = 1 << 20;
        for (wrong, message) in [
            (m.latent == 0, "latent is 0, but the latent space needs at least one dimension"),
            (
                m.hidden.contains(&0) || decoder.contains(&0),
                "a hidden layer has width 0, so no data can pass through it: remove that layer",
            ),
            (
                m.latent > largest || m.hidden.iter().chain(&decoder).any(|w| *w > largest),
                "a layer may be at most 1048576 wide: choose smaller widths",
            ),
            (
                !(self.data.test_share > 0.0 && self.data.test_share < 1.0),
                "test_share must be a share of the rows, above 0 and below 1",
            ),
            (
                !(self.data.noise >= 0.0 && self.data.noise <= 1.0),
                "noise must be from 0 to 1: it is the standard deviation of noise added to levels in [0, 1]",
            ),
            (self.data.shift > 4096, "shift may be at most 4096 pixels"),
            (self.data.limit == Some(0), "limit must be at least one row"),
            (t.batch == 0, "batch is 0, but a batch needs at least one row"),
            (
                t.batch > 65_535,
                "batch may be at most 65535, because each row needs one of the 65535 workgroups of a dispatch",
            ),
            (
                t.epochs == 0 && t.steps.is_none(),
                "epochs is 0, so there is nothing to do: set epochs or steps to at least 1",
            ),
            (t.epochs > 1_000_000, "epochs may be at most 1000000"),
            (t.steps.is_some_and(|s| s > MOST_STEPS), "steps may be at most 1099511627776"),
            (t.warmup_steps > MOST_STEPS, "warmup_steps may be at most 1099511627776 steps"),
            (t.steps == Some(0), "steps is 0, so there is nothing to do: set it to at least 1, or leave it out"),
            (!positive(t.lr), "the learning rate must be a positive number, from 1e-15 to 1e15"),
            (!(m.beta >= 0.0 && m.beta.is_finite()), "beta must be 0 or a positive number"),
            (
                !(m.beta_warmup_epochs >= 0.0 && m.beta_warmup_epochs.is_finite()),
                "beta_warmup_epochs must be 0 or a positive number of epochs",
            ),
            (!positive(m.sigma.into()), "sigma must be a positive number, from 1e-15 to 1e15"),
            (
                m.sigma != 1.0 && !m.likelihood.takes_sigma(),
                "sigma applies only to a likelihood with a fixed sigma: choose likelihood gaussian, or leave sigma out",
            ),
            (
                ae && (m.beta != 1.0 || m.beta_warmup_epochs > 0.0),
                "an autoencoder (objective ae) has no KL term, so beta has no effect: leave beta out, or choose elbo",
            ),
            (
                !ae && m.latent_activation != Activation::Identity,
                "latent_activation applies only to an autoencoder's code: choose objective ae, or leave latent_activation out",
            ),
            (m.tied && decoder != mirrored, "tied weights need a decoder whose hidden widths mirror the encoder's"),
            (!fraction(t.momentum), "momentum must lie in [0, 1)"),
            (!(fraction(t.beta1) && fraction(t.beta2)), "beta1 and beta2 must lie in [0, 1)"),
            (!positive(t.epsilon.into()), "epsilon must be a positive number, from 1e-15 to 1e15"),
            (
                t.momentum > 0.0 && !sgd,
                "momentum applies only to sgd: choose optimizer sgd, or use beta1, which is Adam's equivalent",
            ),
            (
                t.nesterov && !(sgd && t.momentum > 0.0),
                "nesterov needs sgd with a momentum above 0: set both, or leave nesterov out",
            ),
            (!(t.weight_decay >= 0.0 && t.weight_decay.is_finite()), "weight_decay must be 0 or a positive number"),
            (
                t.clip.is_some_and(|c| c != 0.0 && !positive(c.into())),
                "clip must be a positive number from 1e-15 to 1e15, or 0 for no clipping",
            ),
            (
                (t.schedule == Schedule::Step) != t.lr_step_epochs.is_some(),
                "schedule step and lr_step_epochs (epochs between drops) go together: set both or neither",
            ),
            (t.lr_step_epochs == Some(0), "lr_step_epochs must be at least 1 epoch"),
            (!positive(t.lr_gamma), "lr_gamma must be a positive number, from 1e-15 to 1e15"),
        ] {
            if wrong {
                return Err(ConfigError::Value(message.into()));
            }
        }
        Ok(())
    }

    /// Checks the configuration, by itself and against the data it is to be used with.
    pub fn check_data(&self, data: &Dataset) -> Result<(), ConfigError> {
        self.validate()?;
        let refuse = |message: String| Err(ConfigError::Value(message));
        if self.train.batch > data.train.rows {
            return refuse(format!(
                "a batch of {} rows is larger than the training data, which has {}: choose a smaller batch",
                self.train.batch, data.train.rows
            ));
        }
        let image_of_bytes = matches!(data.shape, Shape::Image { .. }) && data.is_bytes();
        if self.augments() && !image_of_bytes {
            return refuse(format!(
                "shift, flip and noise apply only to images of grey levels or colours, and {} has no such images: leave them out",
                data.name
            ));
        }
        if let Shape::Image { height, width, .. } = data.shape
            && self.data.shift >= height.min(width)
        {
            return refuse(format!(
                "a shift of {} pixels would move images of {height}x{width} out of the frame: choose a smaller shift",
                self.data.shift
            ));
        }
        if !data.is_bytes() {
            if self.model.likelihood == Likelihood::Bernoulli {
                return refuse(format!(
                    "the bernoulli likelihood needs levels in [0, 1], but the values of {} are not limited to that range: choose gaussian, mse or gaussian-learned, or the preset points or table",
                    data.name
                ));
            }
            if self.data.binarise != Binarise::None {
                return refuse(format!(
                    "binarise needs levels in [0, 1], but the values of {} are not limited to that range: leave binarise out",
                    data.name
                ));
            }
        }
        Ok(())
    }

    /// Widths of the decoder's hidden layers.
    pub fn decoder_widths(&self) -> Vec<usize> {
        let mirrored = || self.model.hidden.iter().rev().copied().collect();
        self.model.decoder_hidden.clone().unwrap_or_else(mirrored)
    }

    /// The network for data with `width` values per row.
    #[doc(hidden)]
    pub fn vae_spec(&self, width: usize) -> VaeSpec {
        let m = &self.model;
        VaeSpec {
            width,
            encoder: m.hidden.clone(),
            decoder: self.decoder_widths(),
            latent: m.latent,
            activation: m.activation,
            latent_activation: m.latent_activation,
            likelihood: m.likelihood,
            sigma: m.sigma,
            objective: m.objective,
            tied: m.tied,
        }
    }

    /// The part of the training settings that the plan depends on, without augmentation.
    #[doc(hidden)]
    pub fn train_spec(&self) -> TrainSpec {
        let t = &self.train;
        TrainSpec {
            batch: t.batch,
            binarise: self.data.binarise,
            augment: None,
            rule: match t.optimizer {
                Optimizer::Sgd => Rule::Sgd { momentum: t.momentum, nesterov: t.nesterov },
                Optimizer::Adam | Optimizer::Adamw => Rule::Adam {
                    beta1: t.beta1,
                    beta2: t.beta2,
                    epsilon: t.epsilon,
                    decoupled: t.optimizer == Optimizer::Adamw,
                },
            },
            decay: t.weight_decay,
            clip: t.clip.filter(|c| *c > 0.0),
            fuse: self.kernels.fuse,
        }
    }

    /// [`Config::train_spec`] with the augmentation of training images of this shape.
    #[doc(hidden)]
    pub fn train_spec_on(&self, shape: Shape) -> TrainSpec {
        let d = &self.data;
        let augment = match shape {
            Shape::Image { height, width, channels } if self.augments() => {
                Some(Augment { height, image_width: width, channels, shift: d.shift, flip: d.flip, noise: d.noise })
            }
            _ => None,
        };
        TrainSpec { augment, ..self.train_spec() }
    }

    fn augments(&self) -> bool {
        self.data.shift > 0 || self.data.flip || self.data.noise > 0.0
    }

    /// The part of the data that the plan depends on, where all rows are on the device.
    #[doc(hidden)]
    pub fn data_spec(data: &Dataset) -> DataSpec {
        DataSpec { train_rows: data.train.rows, test_rows: data.test.rows, bytes: data.is_bytes() }
    }

    /// [`Config::data_spec`] for buffers of at most `most` bytes: training rows that do not fit are streamed through a
    /// ring of two halves, each holding the rows of several steps; test rows through a buffer of several batches.
    pub(crate) fn data_spec_within(&self, data: &Dataset, most: u64) -> DataSpec {
        let whole = Self::data_spec(data);
        let held = |rows: usize, most: u64| self.rows_held(rows, data.shape.len(), whole.bytes, most);
        let half = held(whole.train_rows, most / SUBMITS_IN_FLIGHT as u64).min(STEPS_PER_SUBMIT * self.train.batch);
        DataSpec {
            train_rows: match held(whole.train_rows, most) {
                all if all == whole.train_rows => all,
                _ => SUBMITS_IN_FLIGHT * half,
            },
            test_rows: held(whole.test_rows, most),
            ..whole
        }
    }

    /// `rows` if they fit into `most` bytes; else the rows of as many whole batches as fit, and at least one batch.
    pub(crate) fn rows_held(&self, rows: usize, width: usize, bytes: bool, most: u64) -> usize {
        let row = 4 * if bytes { batch::words_per_row(width) } else { width } as u64;
        match rows as u64 * row <= most {
            true => rows,
            false => ((most / row) as usize / self.train.batch).max(1) * self.train.batch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(toml: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        Config::resolve(None, Some(file.path()), Table::new())
    }

    fn flags(toml: &str) -> Table {
        toml.parse().unwrap()
    }

    #[test]
    fn every_preset_resolves_and_its_toml_makes_it_again() {
        for (name, _) in PRESETS {
            let config = Config::resolve(Some(name), None, Table::new()).unwrap();
            assert_eq!(resolve(&config.to_toml().unwrap()).unwrap(), config, "{name}");
        }
    }

    #[test]
    fn the_default_preset_is_the_default_configuration() {
        let config = Config::resolve(None, None, Table::new()).unwrap();
        assert_eq!(config, Config::default());
    }

    #[test]
    fn flags_go_over_the_file_and_the_file_over_the_preset() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[train]\nbatch = 32\nlr = 0.5\nsteps = 7").unwrap();
        let over = flags("[train]\nlr = 0.25\nepochs = 3");
        let config = Config::resolve(Some("deep-dense"), Some(file.path()), over).unwrap();
        assert_eq!(config.train.batch, 32);
        assert_eq!(config.train.lr, 0.25);
        assert_eq!(config.model.latent, 16);
        // Epochs from a flag remove the file's steps.
        assert_eq!((config.train.epochs, config.train.steps), (3, None));
    }

    #[test]
    fn old_keys_are_read_as_the_new_ones() {
        let old =
            "[data]\nvalid = 0.2\n[model]\nbeta_warmup = 3.0\n[train]\nwarmup = 5\nschedule = \"step\"\nlr_step = 4";
        let values =
            |c: &Config| (c.data.test_share, c.model.beta_warmup_epochs, c.train.warmup_steps, c.train.lr_step_epochs);
        let config = resolve(old).unwrap();
        assert_eq!(values(&config), (0.2, 3.0, 5, Some(4)));
        let text = config.to_toml().unwrap();
        for new in ["test_share = 0.2", "beta_warmup_epochs = 3.0", "warmup_steps = 5", "lr_step_epochs = 4"] {
            assert!(text.contains(new), "{text}");
        }
        // An old key overridden by a new one, and a new key by an old one.
        let file = tempfile::NamedTempFile::new().unwrap();
        let new = "[data]\ntest_share = 0.3\n[model]\nbeta_warmup_epochs = 1.0\n[train]\nwarmup_steps = 6\nlr_step_epochs = 7";
        std::fs::write(file.path(), old).unwrap();
        let config = Config::resolve(None, Some(file.path()), flags(new)).unwrap();
        assert_eq!(values(&config), (0.3, 1.0, 6, Some(7)));
        std::fs::write(file.path(), new).unwrap();
        let config = Config::resolve(None, Some(file.path()), flags(old)).unwrap();
        assert_eq!(values(&config), (0.2, 3.0, 5, Some(4)));
        // A new schedule removes `lr_step_epochs` of the file's schedule under its old name, too.
        std::fs::write(file.path(), old).unwrap();
        let config = Config::resolve(None, Some(file.path()), flags("[train]\nschedule = \"cosine\"")).unwrap();
        assert_eq!(config.train.lr_step_epochs, None);
        // Old keys are not suggested for a mistyped one.
        let error = resolve("[train]\nwarmp = 5").unwrap_err().to_string();
        assert!(error.contains("did you mean `warmup_steps`?") && !error.contains("`warmup`"), "{error}");
        let error = resolve("[train]\nwarmup = 5\nwarmup_steps = 6").unwrap_err().to_string();
        assert!(error.contains("duplicate field `warmup_steps`"), "{error}");
    }

    #[test]
    fn a_new_choice_overrules_what_belonged_to_the_old_one() {
        let with = |preset: &str, over: &str| Config::resolve(Some(preset), None, flags(over));
        let config = with("points", "[model]\nlikelihood = \"gaussian-learned\"").unwrap();
        assert_eq!(config.model.sigma, 1.0);
        assert_eq!(with("points", "[model]\nlikelihood = \"gaussian\"").unwrap().model.sigma, 0.1);
        assert!(with("points", "[model]\nlikelihood = \"mse\"\nsigma = 0.2").is_err());
        let config = with("deep-dense", "[model]\nobjective = \"ae\"").unwrap();
        assert_eq!(config.model.beta, 1.0);
        let config = with("autoencoder", "[model]\nobjective = \"elbo\"").unwrap();
        assert_eq!(config.model.latent_activation, Activation::Identity);
    }

    #[test]
    fn the_decoder_mirrors_the_encoder_unless_told_otherwise() {
        let config = resolve("[model]\nhidden = [3, 2]").unwrap();
        assert_eq!(config.decoder_widths(), [2, 3]);
        let config = resolve("[model]\nhidden = [3, 2]\ndecoder_hidden = []").unwrap();
        assert_eq!(config.decoder_widths(), [0; 0]);
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (toml, reason) in [
            ("[model]\nlatent = 0", "at least one dimension"),
            ("[model]\nhidden = [0]", "has width 0"),
            ("[train]\nbatch = 0", "at least one row"),
            ("[train]\nepochs = 0", "nothing to do"),
            ("[train]\nsteps = 0", "nothing to do"),
            ("[train]\nlr = -1.0", "learning rate"),
            ("[train]\nlr = nan", "learning rate"),
            ("[model]\nbeta = -1.0", "beta must be"),
            ("[model]\nsigma = 0.5", "sigma applies only to"),
            ("[model]\nobjective = \"ae\"\nbeta = 4.0", "no KL term"),
            ("[model]\nlatent_activation = \"relu\"", "autoencoder's code"),
            ("[model]\ntied = true\ndecoder_hidden = [3]", "mirror"),
            ("[train]\nmomentum = 0.9", "applies only to sgd"),
            ("[train]\nnesterov = true", "nesterov needs sgd"),
            ("[train]\nclip = -1.0", "clip must be"),
            ("[train]\nepochs = 2000000", "at most 1000000"),
            ("[train]\nsteps = 9000000000000000000", "steps may be at most"),
            ("[train]\nlr = 1e-46", "from 1e-15"),
            ("[train]\nschedule = \"step\"", "go together"),
            ("[train]\nbeta2 = 1.0", "must lie in [0, 1)"),
            ("[model]\nlatnet = 3", "line 2, column 1: unknown field `latnet`: did you mean `latent`? expected one of"),
            ("[model]\nactivation = \"rleu\"", "unknown variant `rleu`: did you mean `relu`?"),
            ("[model", "line 1"),
        ] {
            let error = resolve(toml).unwrap_err().to_string();
            assert!(error.contains(reason), "{toml}: {error}");
            assert!(!error.contains('\n'), "{toml}: {error}");
        }
        let error = Config::resolve(Some("dnse"), None, Table::new()).unwrap_err();
        assert!(error.to_string().contains("there are dense, deep-dense"));
    }
}
