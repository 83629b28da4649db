//! Preset, file and flags, merged key by key.

use std::path::Path;

use toml::{Table, Value};
use wgvae_data::disk;

use super::keys::{self, Key, Section, ValueType};
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

/// Removes what an upper layer leaves behind: keys of the lower ones that belong to a choice which it changes, or that
/// are reset by it.
fn supersede(base: &mut Table, over: &Table) {
    for section in Section::ALL {
        let Some(above) = over.get(section.name()).and_then(Value::as_table) else { continue };
        let Some(Value::Table(below)) = base.get_mut(section.name()) else { continue };
        let is_changed = |key: &str| above.contains_key(key) && above.get(key) != below.get(key);
        let is_left = |key: &&Key| !above.contains_key(key.name) && key.is_reset_by().any(is_changed);
        let left: Vec<&Key> = keys::all().filter(|key| key.section == section).filter(is_left).collect();
        for key in left {
            below.remove(key.name);
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
    let message = wrong_type(&text, error.message()).unwrap_or_else(|| shortened(error.message()));
    match place {
        "" => message,
        _ => format!("{place}: {message}"),
    }
}

/// Explains a value of the wrong type, from the line that the error shows: `2 | latent = [8, 16]`.
fn wrong_type(text: &str, message: &str) -> Option<String> {
    let (found, _) = message.strip_prefix("invalid type: ")?.split_once(", expected ")?;
    let (_, line) = text.lines().nth(2)?.split_once('|')?;
    let (key, value) = line.split_once('=')?;
    let (key, value) = (keys::find(key.trim())?, value.trim());
    let is_list = found.starts_with("sequence");
    // Where it is an element of a list that has another type, the line does not say which.
    if value.starts_with('[') && !is_list {
        return None;
    }
    let takes = match key.value_type {
        ValueType::Whole | ValueType::Number if is_list => "one number",
        value_type => value_type.name(),
    };
    Some(shortened(&match is_list {
        true => format!("{}: {takes}, and `{value}` is a list", key.name),
        false => format!("{}: {takes}, and not `{value}`", key.name),
    }))
}

/// The most characters of a word between backticks.
const MAX_WORD: usize = 200;

/// A message on one line. What it quotes may be as long as the file, and is cut.
fn shortened(message: &str) -> String {
    let parts = message.split('`').enumerate().map(|(place, part)| match place % 2 == 1 && part.len() > MAX_WORD {
        true => wgvae_data::shown(part),
        false => part.replace('\n', ", "),
    });
    parts.collect::<Vec<_>>().join("`")
}

/// Adds `did you mean b?` to `unknown field a, expected one of b, c` where one of the names is similar enough, or the
/// section that the key belongs in.
fn with_nearest(message: String) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (Some((unknown, known)), true) = (quoted.split_first(), message.contains("unknown ")) else { return message };
    let (before, after) = message.split_once(", expected").unwrap_or((&message, ""));
    if let Some(key) = keys::find(unknown).filter(|_| message.contains("unknown field")) {
        return format!("{before}: it belongs in `[{}]`, expected{after}", key.section.name());
    }
    let nearest =
        known.iter().map(|name| (strsim::jaro_winkler(unknown, name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, name)) if likeness > 0.8 => format!("{before}: did you mean `{name}`? expected{after}"),
        _ => message,
    }
}

impl Config {
    /// Merges preset, file and flags; each overrides the one before.
    pub fn resolve(preset: Option<&str>, file: Option<&Path>, flags: Table) -> Result<Self, ConfigError> {
        Self::resolve_sized(preset, Table::new(), file, flags)
    }

    /// Returns this configuration, with the keys that flags set.
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
