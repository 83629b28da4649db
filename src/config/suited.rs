//! Choosing a configuration for data.

use toml::{Table, Value};

use super::{Config, ConfigError};
use crate::data::{Dataset, Shape};

/// Steps of a run at least, where nobody says how long it is: 1,600 images for ten epochs would be 125.
const LEAST_STEPS: usize = 1500;
/// Epochs at most, where data is very small.
const MOST_EPOCHS: usize = 2000;

impl Config {
    /// A preset, unchanged.
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        Self::resolve(Some(name), None, Table::new())
    }

    /// A configuration for this data: a suitable preset, sized to it. `data.source` is set to the data's name; set it
    /// to the path the data was loaded from, so that the run can find the data again.
    pub fn for_data(data: &Dataset) -> Result<Self, ConfigError> {
        let preset = Self::suited_preset(data);
        let mut config = Self::resolve_sized(Some(preset), Self::suited_sizes(preset, data), None, Table::new())?;
        config.data.source.clone_from(&data.name);
        config.train.batch = config.train.batch.min(data.train.rows);
        Ok(config)
    }

    /// The preset that suits this data: `points` for 2-D points, `dense` for images of levels, `table` for other
    /// numbers.
    pub(crate) fn suited_preset(data: &Dataset) -> &'static str {
        match data.shape {
            Shape::Point(2) => "points",
            _ if data.is_bytes() || data.gaps && data.is_levels() => "dense",
            _ => "table",
        }
    }

    /// Sizes that depend on the data. The preset `table` gets layers about twice as wide as a row, small batches for
    /// small tables, and about 5,000 steps. The other presets get more epochs where theirs would be fewer than 1,500 steps.
    pub(crate) fn suited_sizes(preset: &str, data: &Dataset) -> Table {
        let rows = data.train.rows;
        if rows == 0 {
            return Table::new();
        }
        let epochs_for = |steps: usize, batch: usize| (steps * batch).div_ceil(rows);
        if preset != "table" {
            // An unknown preset is refused elsewhere.
            let Ok(Self { train, .. }) = Self::preset(preset) else { return Table::new() };
            let least = epochs_for(LEAST_STEPS, train.batch.min(rows)).min(MOST_EPOCHS);
            let epochs = Value::Integer(train.epochs.max(least) as i64);
            let train = Table::from_iter([("epochs".to_string(), epochs)]);
            return Table::from_iter([("train".to_string(), Value::Table(train))]);
        }
        let width = data.shape.len();
        let first = (2 * width).next_multiple_of(8).clamp(16, 256);
        let batch = if rows < 2000 { 32 } else { 128 }.min(rows);
        let epochs = epochs_for(5000, batch).clamp(10, MOST_EPOCHS);
        let number = |n: usize| Value::Integer(n as i64);
        let model = [
            ("hidden", Value::Array(vec![number(first), number((first / 2).max(8))])),
            ("latent", number(width.div_ceil(4).clamp(2, 16))),
        ];
        let train = [("batch", number(batch)), ("epochs", number(epochs))];
        let section = |entries: [(&str, Value); 2]| -> Value {
            Value::Table(entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect())
        };
        [("model".to_string(), section(model)), ("train".to_string(), section(train))].into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_data_has_a_configuration_that_takes_it() {
        for (source, latent) in [("strokes:count=50", 20), ("points:count=60", 2), ("sprites:count=30", 20)] {
            let data = Dataset::load(source).unwrap();
            let config = Config::for_data(&data).unwrap();
            config.check_data(&data).unwrap();
            assert_eq!(config.model.latent, latent, "{source}");
        }
    }

    #[test]
    fn small_data_gets_more_epochs() {
        let epochs = |source: &str| Config::for_data(&Dataset::load(source).unwrap()).unwrap().train.epochs;
        // 20,000 rows are 1,563 steps of 128 rows.
        assert_eq!(epochs("strokes:count=20000"), 10);
        assert_eq!(epochs("strokes:count=1600"), 120);
        assert_eq!(epochs("strokes:count=10"), 1500);
        assert_eq!(epochs("points:count=600"), 320);
    }
}
