//! Preset, file and flags, merged key by key.

use std::path::Path;

use toml::{Table, Value};
use wgvae_data::disk;

use super::{Config, ConfigError, MAX_BYTES, PRESETS};

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
        ("model", "hidden", &["decoder_hidden", "encoder", "decoder"][..]),
        ("model", "encoder", &["hidden", "decoder_hidden", "decoder"]),
        ("model", "likelihood", &["sigma"]),
        ("model", "prior", &["prior_parts"]),
        (
            "model",
            "objective",
            &[
                "beta",
                "beta_warmup_epochs",
                "beta_schedule",
                "beta_cycles",
                "free_bits",
                "capacity",
                "capacity_epochs",
                "kl_at_most",
                "tc_weight",
                "tc_stratified",
                "dip_off_diagonal",
                "dip_diagonal",
                "mmd_weight",
                "samples",
                "sample_groups",
                "elbo_share",
                "doubly_reparameterised",
                "latent_activation",
            ],
        ),
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

/// Where the encoder's layers are written, there are no widths.
fn settle(table: &mut Table) {
    if let Some(Value::Table(model)) = table.get_mut("model")
        && model.contains_key("encoder")
    {
        model.entry("hidden").or_insert_with(|| Value::Array(Vec::new()));
    }
}

pub(super) fn parse(origin: &str, text: &str) -> Result<Table, ConfigError> {
    let invalid = |reason: String| ConfigError::Syntax { origin: origin.to_string(), reason };
    // Each file is checked before it is merged, so that an error names a line of the file.
    toml::from_str::<Config>(text).map_err(|e| invalid(with_nearest(one_line(&e))))?;
    text.parse::<Table>().map_err(|e| invalid(one_line(&e)))
}

/// A TOML error as one sentence with its line.
fn one_line(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let place = text.lines().next().and_then(|first| first.strip_prefix("TOML parse error at ")).unwrap_or_default();
    let message = one_number(&text, error.message()).unwrap_or_else(|| error.message().replace('\n', ", "));
    match place {
        "" => message,
        _ => format!("{place}: {message}"),
    }
}

/// What to say where a list stands for a number, by the line that the error shows: `2 | latent = [8, 16]`.
fn one_number(text: &str, message: &str) -> Option<String> {
    let expected = message.strip_prefix("invalid type: sequence, expected ")?;
    let is_number = ["usize", "u16", "u32", "u64", "i64", "f32", "f64"].contains(&expected.trim());
    let (_, line) = text.lines().nth(2)?.split_once('|')?;
    let (key, list) = line.split_once('=')?;
    is_number.then(|| format!("{}: one number, and `{}` is a list", key.trim(), list.trim()))
}

/// Adds `did you mean b?` to `unknown field a, expected one of b, c` where one of the names is similar enough.
fn with_nearest(message: String) -> String {
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

    /// This configuration with flags over it.
    pub fn with_flags(&self, flags: Table) -> Result<Self, ConfigError> {
        let invalid = |reason: String| ConfigError::Syntax { origin: "flags".into(), reason };
        let mut table = Table::try_from(self).map_err(|e| invalid(e.to_string()))?;
        supersede(&mut table, &flags);
        overlay(&mut table, flags);
        settle(&mut table);
        let config: Config = table.try_into().map_err(|e: toml::de::Error| invalid(one_line(&e)))?;
        config.validate()?;
        Ok(config)
    }

    /// [`Config::resolve`] with sizes derived from the data set over the preset, and under the file and the flags.
    pub fn resolve_sized(
        preset: Option<&str>,
        sized: Table,
        file: Option<&Path>,
        flags: Table,
    ) -> Result<Self, ConfigError> {
        let read = |path: &Path| match disk::read_text(path, MAX_BYTES) {
            Ok(text) => Ok((path.display().to_string(), text)),
            Err(error) => Err(ConfigError::Read { path: path.to_path_buf(), source: error.into() }),
        };
        Self::resolve_over(preset, sized, file.map(read).transpose()?, flags)
    }

    /// The configuration that a file's text is, of the file of this name.
    pub(crate) fn resolve_text(origin: &str, text: &str) -> Result<Self, ConfigError> {
        Self::resolve_over(None, Table::new(), Some((origin.into(), text.into())), Table::new())
    }

    fn resolve_over(
        preset: Option<&str>,
        sized: Table,
        file: Option<(String, String)>,
        flags: Table,
    ) -> Result<Self, ConfigError> {
        let name = preset.unwrap_or("dense");
        let (_, text) = PRESETS
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| ConfigError::Preset { name: name.into() })?;
        let mut table = parse(name, text)?;
        overlay(&mut table, sized);
        if let Some((origin, text)) = file {
            let over = parse(&origin, &text)?;
            supersede(&mut table, &over);
            overlay(&mut table, over);
        }
        supersede(&mut table, &flags);
        overlay(&mut table, flags);
        settle(&mut table);
        let config: Config = table
            .try_into()
            .map_err(|e: toml::de::Error| ConfigError::Syntax { origin: "flags".into(), reason: one_line(&e) })?;
        config.validate()?;
        Ok(config)
    }
}
