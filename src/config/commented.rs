//! A configuration as a file that explains itself.

use super::{Config, ConfigError};

/// Every key in the order of the file: its section, its name, what it is for, and what to write where it has no value.
const KEYS: &[(&str, &str, &str, &str)] = &[
    ("data", "source", "strokes, points[:curve|rings|moons], sprites, a folder of images or IDX files, or a file", ""),
    ("data", "binarise", "what becomes of grey levels: none, threshold, draw", ""),
    ("data", "label", "the column with the class, of a table", "\"class\""),
    ("data", "columns", "columns to learn from, of a table; all but the label where left out", "[\"a\", \"b\"]"),
    ("data", "keep_label", "only rows of these classes", "[\"1\"]"),
    ("data", "drop_label", "no rows of these classes", "[\"0\"]"),
    ("data", "test_share", "share of the rows kept for testing, where the source has no test rows of its own", ""),
    ("data", "limit", "at most so many training rows", "1000"),
    ("data", "shift", "most pixels that a training image moves either way, anew each time it is seen", ""),
    ("data", "flip", "mirror half of the training images", ""),
    ("data", "noise", "deviation of the noise on the levels of training images, in [0, 1]", ""),
    ("data", "balance", "give each class the same weight: rows of the rarer ones are repeated", ""),
    ("data", "strict", "fail at files and rows that cannot be used, instead of leaving them out", ""),
    ("data", "image_size", "bring images to this size: height, then width", "\"64x64\""),
    ("data", "channels", "colours of images: grey, rgb; grey where left out and all files are", "\"rgb\""),
    ("data", "fit", "how images of another shape are brought to size: fit, crop, stretch", ""),
    ("model", "hidden", "widths of the encoder's hidden layers; [] for none", ""),
    ("model", "decoder_hidden", "widths of the decoder's; the encoder's in reverse where left out", "[200, 400]"),
    ("model", "latent", "latent dimensions", ""),
    (
        "model",
        "activation",
        "of the hidden layers: identity, relu, leaky-relu, elu, softplus, sigmoid, tanh, silu, gelu",
        "",
    ),
    ("model", "latent_activation", "of an autoencoder's code", ""),
    ("model", "likelihood", "how the output explains the data: bernoulli, gaussian, mse, gaussian-learned", ""),
    ("model", "sigma", "of the gaussian likelihood", ""),
    ("model", "objective", "elbo: reconstruction plus beta times KL; ae: a plain autoencoder", ""),
    ("model", "beta", "weight of the KL term", ""),
    ("model", "beta_warmup_epochs", "epochs over which beta rises from 0", ""),
    ("model", "tied", "the decoder uses the encoder's matrices, transposed", ""),
    ("train", "epochs", "passes over the training data", ""),
    ("train", "steps", "steps, instead of epochs", "10000"),
    ("train", "batch", "rows of a batch", ""),
    ("train", "optimizer", "sgd, adam, adamw", ""),
    ("train", "lr", "learning rate", ""),
    ("train", "schedule", "how it changes: constant, cosine, step", ""),
    ("train", "warmup_steps", "steps over which it rises from 0", ""),
    ("train", "lr_step_epochs", "epochs between drops, for schedule step", "10"),
    ("train", "lr_gamma", "factor of a drop", ""),
    ("train", "momentum", "of sgd", ""),
    ("train", "nesterov", "sgd with a look ahead along the momentum", ""),
    ("train", "beta1", "Adam's decay of the first moment", ""),
    ("train", "beta2", "Adam's decay of the second moment", ""),
    ("train", "epsilon", "added to Adam's denominator", ""),
    ("train", "weight_decay", "weight decay", ""),
    ("train", "clip", "clip the gradient to this norm", "1.0"),
    ("train", "seed", "of everything random", ""),
];

impl Config {
    /// The configuration as TOML in which each key is explained; keys without a value stand there as comments.
    pub fn to_commented_toml(&self, name: &str) -> Result<String, ConfigError> {
        let table: toml::Table = self.to_toml()?.parse().map_err(|e| ConfigError::Value(format!("{e}")))?;
        let mut text = format!("# The preset {name}. Use it: wgvae train --config FILE\n");
        let mut open = "";
        for (section, key, about, instead) in KEYS {
            if *section != open {
                open = section;
                text += &format!("\n[{section}]\n");
            }
            let value = table.get(*section).and_then(|section| section.get(*key));
            text += &match value {
                Some(value) => format!("# {about}\n{key} = {value}\n"),
                None => format!("# {about}\n# {key} = {instead}\n"),
            };
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PRESETS, parse};
    use super::*;

    #[test]
    fn every_preset_is_written_and_read_back() {
        for (name, _) in PRESETS {
            let config = Config::resolve(Some(name), None, toml::Table::new()).unwrap();
            let text = config.to_commented_toml(name).unwrap();
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &text).unwrap();
            assert_eq!(Config::resolve(None, Some(file.path()), toml::Table::new()).unwrap(), config, "{name}");
        }
    }

    /// Fails where a section has a key that `KEYS` lacks, or an example in `KEYS` is refused.
    #[test]
    fn every_key_is_explained() {
        let whole: toml::Table = Config::default().to_toml().unwrap().parse().unwrap();
        for (section, keys) in whole {
            for key in keys.as_table().unwrap().keys() {
                assert!(KEYS.iter().any(|(s, k, ..)| *s == section && k == key), "{section}.{key}");
            }
        }
        for (section, key, _, instead) in KEYS.iter().filter(|key| !key.3.is_empty()) {
            parse("example", &format!("[{section}]\n{key} = {instead}")).unwrap();
        }
        for section in ["data", "model", "train"] {
            let unknown = parse("example", &format!("[{section}]\nx = 1")).unwrap_err().to_string();
            let known = unknown.matches('`').count() / 2 - 1;
            assert_eq!(known, KEYS.iter().filter(|key| key.0 == section).count(), "{unknown}");
        }
    }
}
