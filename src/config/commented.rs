//! A configuration as TOML with an explanation of every key.

use super::{Activation, Config, ConfigError, Likelihood};

/// Every key in the order of the file: its section, its name, its explanation, and an example for keys without a value.
const KEYS: &[(&str, &str, &str, &str)] = &[
    ("data", "source", "strokes, points[:curve|rings|moons], sprites, a folder of images or IDX files, or a file", ""),
    ("data", "binarise", "how to turn grey levels into 0 and 1: none, threshold, draw", ""),
    ("data", "label", "column of a table that holds the class", "\"class\""),
    ("data", "columns", "columns of a table to learn from; all but the label if left out", "[\"a\", \"b\"]"),
    ("data", "drop_columns", "columns of a table to leave out", "[\"id\"]"),
    (
        "data",
        "kinds",
        "kinds of columns, where the kind that was found is not the right one; ignore leaves one out",
        "[\"visits=count\"]",
    ),
    (
        "data",
        "missing_words",
        "words that stand for missing values, in place of the usual ones; COLUMN=WORD is one more of a column",
        "[\"unknown\", \"age=999\"]",
    ),
    (
        "data",
        "relations",
        "look for relations between columns of a table, and keep them in rows that are drawn or filled",
        "",
    ),
    ("data", "rare", "words of a smaller share of a column's cells are grouped", "0.005"),
    ("data", "missing", "keep learns from rows of a table with missing values, drop leaves them out", ""),
    ("data", "keep_label", "keep only rows of these classes", "[\"1\"]"),
    ("data", "drop_label", "drop rows of these classes", "[\"0\"]"),
    ("data", "test_share", "share of the rows held out for testing, if the source has no test rows of its own", ""),
    ("data", "limit", "use at most this many training rows", "1000"),
    ("data", "shift", "shift training images at random by up to this many pixels in each direction", ""),
    ("data", "flip", "mirror training images at random, half of the time", ""),
    ("data", "noise", "standard deviation of noise added to the levels of training images, which are in [0, 1]", ""),
    ("data", "balance", "balance the classes: repeat training rows of the rarer ones", ""),
    ("data", "strict", "fail on files and rows that cannot be used, instead of skipping them", ""),
    ("data", "image_size", "resize images to this size: height, then width", "\"64x64\""),
    ("data", "channels", "read images as: grey, rgb; if left out, grey if all images are grey", "\"rgb\""),
    ("data", "fit", "how to resize images of another shape: fit, crop, stretch", ""),
    ("model", "hidden", "widths of the encoder's hidden layers; [] for none", ""),
    (
        "model",
        "decoder_hidden",
        "widths of the decoder's hidden layers; those of the encoder in reverse if left out",
        "[200, 400]",
    ),
    (
        "model",
        "encoder",
        "layers of the encoder, instead of hidden: dense N, dense HxWxC, conv or conv-t N kK sS pP",
        "[\"conv 32 k3 s2\", \"conv 64 k3 s2\"]",
    ),
    (
        "model",
        "decoder",
        "layers of the decoder, without the last, which follows from the data; those of the encoder in reverse if left out",
        "[\"dense 7x7x64\", \"conv-t 32 k3 s2\"]",
    ),
    ("model", "latent", "latent dimensions", ""),
    ("model", "activation", "activation of the hidden layers: ACTIVATIONS", ""),
    ("model", "latent_activation", "activation of the code, for objective ae", ""),
    ("model", "likelihood", "distribution of the data around the output: LIKELIHOODS", ""),
    ("model", "sigma", "standard deviation of gaussian; where a scale that is learned starts", ""),
    ("model", "condition", "class: encoder and decoder are told each row's class", ""),
    (
        "model",
        "objective",
        "elbo: reconstruction plus beta times KL; beta-tc, dip-i, dip-ii, info: and what codes of a batch cost; iwae: the importance-weighted bound; ae: a plain autoencoder",
        "",
    ),
    (
        "model",
        "prior",
        "what codes are drawn to: standard, mixture, vamp (what the encoder makes of learned rows)",
        "\"vamp\"",
    ),
    ("model", "prior_parts", "parts of the prior, for mixture and vamp", "50"),
    ("model", "beta", "weight of the KL term", ""),
    ("model", "beta_warmup_epochs", "epochs over which beta rises from 0", ""),
    ("model", "beta_schedule", "how beta rises: linear, sigmoid, cyclical (anew in each of beta_cycles cycles)", ""),
    ("model", "beta_cycles", "cycles of the run, for beta_schedule cyclical", ""),
    ("model", "free_bits", "nats that each latent dimension costs at least", "0.1"),
    ("model", "capacity", "nats that the KL is held at: beta weighs its distance from them", "25.0"),
    ("model", "capacity_epochs", "epochs over which the capacity rises from 0", ""),
    ("model", "kl_at_most", "nats that the KL is held at or under, by a multiplier in place of beta", "20.0"),
    ("model", "tc_weight", "weight of the total correlation, for objective beta-tc; the KL has it once", ""),
    ("model", "tc_stratified", "estimate the total correlation by stratified sampling", ""),
    ("model", "dip_off_diagonal", "weight of covariances between dimensions, for objectives dip-i and dip-ii", ""),
    (
        "model",
        "dip_diagonal",
        "weight of the variances' distances from 1; 10 times the other in dip-i if left out",
        "100.0",
    ),
    ("model", "mmd_weight", "weight of the discrepancy from the prior, for objective info", ""),
    ("model", "samples", "draws of the latent for each row, for objective iwae", ""),
    ("model", "sample_groups", "groups that these are in, each of which has a bound of its own", ""),
    ("model", "elbo_share", "share of the ELBO in objective iwae", ""),
    ("model", "doubly_reparameterised", "use the doubly-reparameterised gradient of objective iwae", ""),
    ("model", "tied", "the decoder uses the encoder's matrices, transposed", ""),
    ("model", "init", "how weights and biases start: torch, glorot (as in Keras), kaiming (for relu)", ""),
    ("train", "epochs", "passes over the training data", ""),
    ("train", "steps", "training steps, instead of epochs", "10000"),
    ("train", "patience", "epochs without a smaller test loss, beta having risen, after which training stops", "20"),
    ("train", "batch", "rows per batch", ""),
    ("train", "optimizer", "optimiser: sgd, adam, adamw", ""),
    ("train", "lr", "learning rate", ""),
    ("train", "schedule", "how the learning rate changes: constant, cosine, step", ""),
    ("train", "warmup_steps", "steps over which the learning rate rises from 0", ""),
    ("train", "lr_step_epochs", "epochs between drops of the learning rate, for schedule step", "10"),
    ("train", "lr_gamma", "factor for each drop of the learning rate, for schedule step", ""),
    ("train", "momentum", "momentum of sgd", ""),
    ("train", "nesterov", "use Nesterov momentum, for optimizer sgd", ""),
    ("train", "beta1", "Adam's decay of the first moment", ""),
    ("train", "beta2", "Adam's decay of the second moment", ""),
    ("train", "epsilon", "added to Adam's denominator", ""),
    ("train", "weight_decay", "weight decay", ""),
    ("train", "clip", "clip the gradient to this norm", "1.0"),
    ("train", "seed", "seed of every random choice (initial weights, order of the rows, draws)", ""),
];

impl Config {
    /// The configuration as TOML with an explanation of each key; keys without a value are commented out.
    pub fn to_commented_toml(&self, name: &str) -> Result<String, ConfigError> {
        let table: toml::Table = self.to_toml()?.parse().map_err(|e| ConfigError::Value(format!("{e}")))?;
        let mut text = format!("# The preset {name}. Use it: wgvae train --config FILE\n");
        let mut open = "";
        let activations = Activation::ALL.map(Activation::name).join(", ");
        let likelihoods = Likelihood::ALL.map(Likelihood::name).join(", ");
        for (section, key, about, instead) in KEYS {
            let about = about.replace("ACTIVATIONS", &activations).replace("LIKELIHOODS", &likelihoods);
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
    use super::super::PRESETS;
    use super::super::merge::parse;
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
