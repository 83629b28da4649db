//! Presets, a TOML file and flags become one [`Config`], validated once.

mod commented;
pub mod keys;
mod merge;
#[cfg(test)]
mod reference;
mod rules;
mod sections;
mod specs;
mod suited;
mod validate;

use std::path::PathBuf;

pub use crate::model::{Condition, Likelihood, Objective};
pub use keys::{DataConfig, ModelConfig, TrainConfig};
pub use sections::{BetaSchedule, Config, KernelsConfig, Optimizer, PriorKind, Schedule};
#[doc(hidden)]
pub use specs::RowSpec;
pub use wgvae_engine::kernels::{Activation, batch::Binarise};
pub use wgvae_engine::wgsl::TuningTable;

/// The presets, by name: the files under `presets/`, built in.
pub const PRESETS: &[(&str, &str)] = &[
    ("dense", include_str!("../../presets/dense.toml")),
    ("deep-dense", include_str!("../../presets/deep-dense.toml")),
    ("conv", include_str!("../../presets/conv.toml")),
    ("keras-conv", include_str!("../../presets/keras-conv.toml")),
    ("burgess", include_str!("../../presets/burgess.toml")),
    ("photo", include_str!("../../presets/photo.toml")),
    ("autoencoder", include_str!("../../presets/autoencoder.toml")),
    ("points", include_str!("../../presets/points.toml")),
    ("text", include_str!("../../presets/text.toml")),
    ("words", include_str!("../../presets/words.toml")),
    ("series", include_str!("../../presets/series.toml")),
    ("sound", include_str!("../../presets/sound.toml")),
    ("music", include_str!("../../presets/music.toml")),
    ("table", include_str!("../../presets/table.toml")),
];

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No preset has this name.
    #[error("there is no preset `{name}`; there are {}", preset_names())]
    Preset {
        /// The name that was given.
        name: String,
    },
    /// The configuration file could not be read.
    #[error("the configuration {path} could not be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The configuration file is not TOML, or has unknown keys or values of the wrong type.
    #[error("{origin}: {reason}")]
    Syntax {
        /// The file, preset or flag that the keys come from.
        origin: String,
        /// The reason why it is refused.
        reason: String,
    },
    /// A value that is out of range, or values that contradict each other or the data.
    #[error("{reason}")]
    Refused {
        /// The keys that must change, of which the reason tells.
        keys: Vec<&'static str>,
        /// The reason, and what to do.
        reason: String,
    },
    /// An error that no single key causes: layers that do not fit, a configuration that is too long.
    #[error("{0}")]
    Value(String),
}

impl ConfigError {
    /// Makes the error for these keys, with the reason.
    pub(crate) fn refused(keys: &[&'static str], reason: impl Into<String>) -> Self {
        ConfigError::Refused { keys: keys.to_vec(), reason: reason.into() }
    }
}

/// The longest configuration: its parser takes some hundred times as much memory.
pub const MAX_BYTES: u64 = 256 << 10;

fn preset_names() -> String {
    let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

impl Config {
    /// The configuration as TOML.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        let text = toml::to_string(self).map_err(|e| ConfigError::Value(e.to_string()))?;
        match text.len() as u64 > MAX_BYTES {
            // A configuration that is too long could not be read again.
            true => Err(ConfigError::Value(format!(
                "the configuration has {} bytes, and no more than {MAX_BYTES} can be read again: name fewer columns or layers",
                text.len()
            ))),
            false => Ok(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use toml::Table;

    use super::*;
    use crate::model::Extent;

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
    fn a_new_choice_overrules_what_belonged_to_the_old_one() {
        let with = |preset: &str, over: &str| Config::resolve(Some(preset), None, flags(over));
        let config = with("points", "[model]\nlikelihood = \"gaussian-learned\"").unwrap();
        assert_eq!(config.model.sigma, 1.0);
        assert_eq!(with("points", "[model]\nlikelihood = \"gaussian\"").unwrap().model.sigma, 0.1);
        assert!(with("points", "[model]\nlikelihood = \"mse\"\nsigma = 0.2").is_err());
        let config = with("deep-dense", "[model]\nobjective = \"ae\"").unwrap();
        assert_eq!(config.model.beta, 1.0);
        // The preset text holds the KL at some nats, and table lets beta rise.
        let config = with("text", "[model]\nbeta = 0.5").unwrap();
        assert_eq!((config.model.kl_at_most, config.model.beta), (None, 0.5));
        let config = with("text", "[model]\nfree_bits = 0.1").unwrap();
        assert_eq!((config.model.kl_at_most, config.model.free_bits), (None, Some(0.1)));
        assert_eq!(with("text", "[model]\nobjective = \"iwae\"\nsamples = 5").unwrap().model.kl_at_most, None);
        assert_eq!(with("table", "[model]\nkl_at_most = 3.0").unwrap().model.beta_warmup_epochs, 0.0);
        assert!(with("text", "[model]\nkl_at_most = 3.0\nbeta = 0.5").is_err());
        let config = with("autoencoder", "[model]\nobjective = \"elbo\"").unwrap();
        assert_eq!(config.model.latent_activation, Activation::Identity);
    }

    #[test]
    fn the_decoder_mirrors_the_encoder_unless_told_otherwise() {
        let decoder = |toml: &str| -> Vec<String> {
            let steps = resolve(toml).unwrap().vae_spec(Extent::Image([8, 8, 1])).unwrap().decoder;
            steps.iter().map(|step| step.to.to_string()).collect()
        };
        assert_eq!(decoder("[model]\nhidden = [3, 2]"), ["2", "3", "64"]);
        assert_eq!(decoder("[model]\nhidden = [3, 2]\ndecoder_hidden = []"), ["64"]);
        assert_eq!(decoder("[model]\nencoder = [\"conv 4 s2\", \"dense 9\"]"), ["9", "4x4x4", "8x8x1"]);
        let both = "[model]\nencoder = [\"conv 4 s2\"]\ndecoder = [\"dense 2x2x3\"]";
        assert_eq!(decoder(both), ["2x2x3", "8x8x1"]);
        // Widths over layers, and layers over widths.
        let config = Config::resolve(Some("conv"), None, flags("[model]\nhidden = [7]")).unwrap();
        assert_eq!((config.model.encoder, config.model.hidden), (None, vec![7]));
        let config = Config::resolve(Some("deep-dense"), None, flags("[model]\nencoder = [\"conv 4\"]")).unwrap();
        assert_eq!(config.model.hidden, [0; 0]);
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        let words = "x".repeat(100_000);
        let long = [
            format!("[model]\nhidden = \"{words}\""),
            format!("[model]\n{words} = 1"),
            format!("[model]\nactivation = \"{words}\""),
        ];
        for (toml, reason) in [
            ("[model]\nlatent = 0", "at least one dimension"),
            ("[model]\nhidden = [0]", "layer of width 0"),
            ("[train]\nbatch = 0", "at least one row"),
            ("[train]\nepochs = 0", "nothing to do"),
            ("[train]\nsteps = 0", "nothing to do"),
            ("[train]\nlr = -1.0", "lr is -1.0, and must be a positive number, from 1e-15 to 1e15"),
            ("[train]\nlr = nan", "lr is NaN, and must be a positive number"),
            ("[model]\nbeta = -1.0", "beta is -1.0, and must be 0 or a positive number"),
            (
                "[model]\nsigma = 0.5",
                "sigma is of the likelihoods gaussian, gaussian-learned, laplace, student-t, logistic and columns, which have a scale, and likelihood is bernoulli: choose one of them, or leave sigma out",
            ),
            ("[model]\nobjective = \"ae\"\nbeta = 4.0", "which have a KL term, and objective is ae"),
            (
                "[model]\nlatent_activation = \"relu\"",
                "latent_activation is of the objective ae, and objective is elbo: choose ae, or leave latent_activation out",
            ),
            ("[model]\nobjective = \"iwae\"", "needs several draws"),
            ("[model]\nobjective = \"iwae\"\nbeta = 2.0", "which have a KL term, and objective is iwae"),
            (
                "[model]\nobjective = \"iwae\"\nfree_bits = 0.1",
                "free_bits is of the objective elbo, and objective is iwae",
            ),
            ("[model]\ntc_weight = 3.0", "tc_weight is of the objective beta-tc"),
            (
                "[model]\nobjective = \"dip-i\"\nmmd_weight = 3.0",
                "mmd_weight is of the objective info, and objective is dip-i",
            ),
            ("[model]\nobjective = \"dip-i\"\ndip_diagonal = -3.0", "must be 0 or a positive number"),
            ("[model]\nfree_bits = 0.1\ncapacity = 3.0", "choose one of them"),
            ("[model]\ncapacity = -3.0", "capacity is -3.0, and must be a positive number"),
            ("[model]\nkl_at_most = 3.0\nbeta = 2.0", "a multiplier in place of beta"),
            ("[model]\ncapacity_epochs = 3.0", "needs a capacity"),
            ("[model]\nbeta_schedule = \"sigmoid\"", "set beta_warmup_epochs"),
            ("[model]\nbeta_cycles = 3", "beta_cycles is of the beta_schedule cyclical, and beta_schedule is linear"),
            ("[model]\nsamples = 3", "samples is of the objective iwae"),
            ("[model]\nobjective = \"iwae\"\nsamples = 5\nsample_groups = 2", "a multiple of"),
            (
                "[model]\nobjective = \"iwae\"\nsamples = 2\nelbo_share = 1.0",
                "elbo_share is 1.0, and must be at least 0 and below 1",
            ),
            ("[model]\nobjective = \"iwae\"\nsamples = 2\ntied = true\ndoubly_reparameterised = true", "leave tied"),
            ("[model]\nhidden = [3]\nencoder = [\"conv 4\"]", "leave one of them out"),
            ("[model]\nencoder = [\"cnov 4\"]", "`cnov 4` is not a layer"),
            (
                "[train]\nmomentum = 0.9",
                "momentum is of the optimizer sgd (Adam has beta1 in its place), and optimizer is adam",
            ),
            ("[train]\nnesterov = true", "nesterov needs sgd"),
            ("[train]\nclip = -1.0", "clip is -1.0, and must be 0 or a positive number"),
            ("[train]\nepochs = 2000000", "epochs is 2000000, and must be from 0 to 1000000"),
            (
                "[train]\nsteps = 9000000000000000000",
                "steps is 9000000000000000000, and must be from 1 to 1099511627776",
            ),
            ("[train]\nlr = 1e-46", "lr is 1e-46, and must be a positive number, from 1e-15"),
            ("[train]\nschedule = \"step\"", "go together"),
            ("[train]\nbeta2 = 1.0", "must be at least 0 and below 1"),
            ("[model]\nlatnet = 3", "line 2, column 1: unknown field `latnet`: did you mean `latent`? expected one of"),
            ("[train]\nlatent = 3", "unknown field `latent`: it belongs in `[model]`, expected one of `epochs`"),
            ("[model]\nactivation = \"rleu\"", "unknown variant `rleu`: did you mean `relu`?"),
            ("[model]\nlatent = [8, 16]", "line 2, column 10: latent: one number, and `[8, 16]` is a list"),
            ("[train]\nlr = \"fast\"", "line 2, column 6: lr: a number, and not `\"fast\"`"),
            ("[model]\nhidden = 4", "hidden: a list of whole numbers, and not `4`"),
            (
                long[0].as_str(),
                "hidden: a list of whole numbers, and not `\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...`",
            ),
            (long[1].as_str(), "unknown field `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...`"),
            (long[2].as_str(), "unknown variant `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...`"),
            ("[data]\ncolumns = [1]", "invalid type: integer `1`, expected a string"),
            ("[model]\nbeta = [0.5]", "beta: one number, and `[0.5]` is a list"),
            ("[model", "line 1"),
        ] {
            let error = resolve(toml).unwrap_err().to_string();
            assert!(error.contains(reason), "{toml}: {error}");
            assert!(!error.contains('\n') && error.len() < 3000, "{toml}: {error}");
        }
        let tied = resolve("[model]\ntied = true\ndecoder_hidden = [3]").unwrap();
        assert!(tied.vae_spec(9).unwrap_err().to_string().contains("mirrors"));
        let error = Config::resolve(Some("dnse"), None, Table::new()).unwrap_err();
        assert!(error.to_string().contains("there are dense, deep-dense"));
    }
}
