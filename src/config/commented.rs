//! A configuration as TOML with an explanation of every key.

use super::keys::{self, Section};
use super::{Config, ConfigError};

impl Config {
    /// The configuration as TOML with an explanation of each key; keys without a value are commented out. The first
    /// line says what the file is: `about`, which is one line.
    pub fn to_commented_toml(&self, about: &str) -> Result<String, ConfigError> {
        let table: toml::Table = self.to_toml()?.parse().map_err(|e| ConfigError::Value(format!("{e}")))?;
        let mut text = format!("# {about}\n");
        for section in Section::ALL {
            text += &format!("\n[{}]\n", section.name());
            for key in keys::all().filter(|key| key.section == section) {
                let value = table.get(section.name()).and_then(|section| section.get(key.name));
                let (about, name) = (key.comment(), key.name);
                text += &match value {
                    Some(value) => format!("# {about}\n{name} = {value}\n"),
                    None => format!("# {about}\n# {name} = {}\n", key.example_text()),
                };
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::PRESETS;
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
}
