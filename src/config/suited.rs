//! Choosing a configuration for data.

use std::collections::HashSet;

use toml::{Table, Value};
use wgvae_data::{Columns, Dataset, Shape, Sound, TextUnit, Values, spread};

use super::{Config, ConfigError};

/// Steps of a run at least, where nobody says how long it is: 1,600 images for ten epochs would be 125.
const MIN_STEPS: usize = 1500;
/// Epochs at most, where data is very small.
const MAX_EPOCHS: usize = 2000;

/// Units of each layer of the preset `table`, and its latent dimensions at most.
const TABLE_WIDTH: usize = 256;
const TABLE_LATENT: usize = 12;
/// Steps of the preset `table`, and the epochs in which beta rises: at most so many, and this share. (In 289 epochs, 111 rows were learned
/// by heart before the KL counted: their missing cells were filled no better than by means.)
const TABLE_STEPS: usize = 5000;
const TABLE_WARMUP: f64 = 20.0;
const TABLE_WARMUP_SHARE: f64 = 0.3;

/// Steps from which on the layers of a series take all of them at once: a recurrent layer computes one after another, and the
/// samples of a sound are thousands.
const LONG_SERIES: usize = 1000;
const LONG_WIDTH: usize = 256;

/// Rows that are looked at, to see whether they are photographs.
const LOOKED_AT: usize = 64;

/// The sides of images that the preset `photo` is chosen for: three convolutions halve them.
const PHOTO_SIDES: [fn(usize) -> bool; 2] = [|side| side >= 16, |side| side.is_multiple_of(8)];

/// Whether rows are images of so many different colours that they must be photographs: drawings and icons have few.
fn are_photographs(data: &Dataset) -> bool {
    let (Shape::Image { channels: 3, .. }, Values::Bytes(levels)) = (data.shape, &data.train.values) else {
        return false;
    };
    let picked = spread(data.train.rows, LOOKED_AT);
    let row = data.shape.len();
    let (mut colours, mut pixels) = (0, 0);
    for image in picked.iter().map(|i| &levels[i * row..(i + 1) * row]) {
        let of_image: HashSet<&[u8]> = image.chunks_exact(3).collect();
        colours += of_image.len();
        pixels += image.len() / 3;
    }
    4 * colours > pixels && pixels > 0
}

impl Config {
    /// A preset, unchanged.
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        Self::resolve(Some(name), None, Table::new())
    }

    /// A configuration for this data: a suitable preset, sized to it. Its section `data` and its seed say how the data was loaded, so
    /// that the run can find it again, with the same test rows; of rows in memory, the source is their name.
    pub fn for_data(data: &Dataset) -> Result<Self, ConfigError> {
        let preset = Self::suited_preset(data);
        let mut config = Self::resolve_sized(Some(preset), Self::suited_sizes(preset, data), None, Table::new())?;
        config.data.load_as(&data.options);
        config.train.seed = data.options.seed;
        config.train.batch = config.train.batch.min(data.train.rows);
        Ok(config)
    }

    /// The preset that suits this data: `points` for 2-D points, `words` for texts of words and `text` for others, `music` for piano
    /// rolls and `series` for others, `sound` for log-mel pictures, `photo` for photographs in colour of a size that it takes, `dense`
    /// for other images of levels, `table` for other numbers.
    pub fn suited_preset(data: &Dataset) -> &'static str {
        match data.shape {
            Shape::Point(2) => "points",
            Shape::Text { .. } if data.options.tokens == TextUnit::Words => "words",
            Shape::Text { .. } => "text",
            Shape::Series { .. } if matches!(data.sound, Some(Sound::PianoRoll { .. })) => "music",
            Shape::Series { .. } => "series",
            Shape::Image { .. } if data.sound.is_some() => "sound",
            Shape::Image { height, width, .. }
                if PHOTO_SIDES.iter().all(|takes| takes(height) && takes(width)) && are_photographs(data) =>
            {
                "photo"
            }
            _ if data.is_bytes() || data.missing && data.is_levels() => "dense",
            _ => "table",
        }
    }

    /// Returns advice on the preset that was chosen for this data, where another one has its merits.
    pub fn about_suited(data: &Dataset) -> Option<&'static str> {
        match Self::suited_preset(data) {
            "photo" => Some(
                "these are photographs in colour, so the preset photo was chosen: it takes minutes without a GPU, and the preset dense \
                 is fast and blurred",
            ),
            "series" if matches!(data.shape, Shape::Series { length: LONG_SERIES.., .. }) => Some(
                "these series are long, so layers that take all steps at once were chosen: recurrent ones would take a thousand times                  as many turns",
            ),
            "dense" if are_photographs(data) => Some(
                "these are photographs in colour, which the preset photo learns better than dense: resize them to sides that 8 \
                 divides, with `data.image_size = \"64x64\"` for instance, and it is chosen",
            ),
            _ => None,
        }
    }

    /// Sizes that depend on the data. The preset `table` gets wide layers, as many latent dimensions as columns up to a dozen, small
    /// batches for small tables, about 5,000 steps, and a beta that rises in the first of them. The other presets get more epochs where
    /// theirs would be fewer than 1,500 steps, and `series` dense layers for series of 1,000 steps or more.
    pub fn suited_sizes(preset: &str, data: &Dataset) -> Table {
        let rows = data.train.rows;
        if rows == 0 {
            return Table::new();
        }
        let epochs_for = |steps: usize, batch: usize| (steps * batch).div_ceil(rows);
        if preset != "table" {
            // An unknown preset is refused elsewhere.
            let Ok(Self { train, .. }) = Self::preset(preset) else { return Table::new() };
            let least = epochs_for(MIN_STEPS, train.batch.min(rows)).min(MAX_EPOCHS);
            let epochs = Value::Integer(train.epochs.max(least) as i64);
            let train = Table::from_iter([("epochs".to_string(), epochs)]);
            let mut sizes = Table::from_iter([("train".to_string(), Value::Table(train))]);
            if let (Shape::Series { length: LONG_SERIES.., .. }, "series") = (data.shape, preset) {
                let dense = || Value::Array(vec![format!("dense {LONG_WIDTH}").into()]);
                let model = ["encoder", "decoder"].map(|key| (key.to_string(), dense()));
                sizes.insert("model".into(), Value::Table(model.into_iter().collect()));
            }
            return sizes;
        }
        let columns = data.columns.as_ref().map_or(data.shape.len(), Columns::len);
        let batch = if rows < 2000 { 32 } else { 128 }.min(rows);
        let epochs = epochs_for(TABLE_STEPS, batch).clamp(10, MAX_EPOCHS);
        let number = |n: usize| Value::Integer(n as i64);
        let model = [
            ("hidden", Value::Array(vec![number(TABLE_WIDTH), number(TABLE_WIDTH)])),
            ("latent", number(columns.clamp(2, TABLE_LATENT))),
            ("beta_warmup_epochs", Value::Float(TABLE_WARMUP.min((TABLE_WARMUP_SHARE * epochs as f64).ceil()))),
        ];
        let train = [("batch", number(batch)), ("epochs", number(epochs))];
        let section = |entries: Vec<(&str, Value)>| -> Value {
            Value::Table(entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect())
        };
        [("model".to_string(), section(model.into())), ("train".to_string(), section(train.into()))]
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Likelihood;
    use wgvae_data::{InMemory, Options};

    #[test]
    fn every_kind_of_data_has_a_configuration_that_takes_it() {
        let (characters, words) = (TextUnit::Characters, TextUnit::Words);
        for (source, tokens, preset, latent) in [
            ("strokes:count=50", characters, "dense", 20),
            ("points:count=60", characters, "points", 2),
            ("sprites:count=30", characters, "dense", 20),
            ("expressions:grammar,count=50", characters, "text", 32),
            ("expressions:grammar,count=50", words, "words", 32),
            ("waves:count=30", characters, "series", 16),
        ] {
            let data = Dataset::load(Options { tokens, ..source.into() }).unwrap();
            let config = Config::for_data(&data).unwrap();
            config.check_data(&data).unwrap();
            assert_eq!((Config::suited_preset(&data), config.model.latent), (preset, latent), "{source}");
        }
    }

    #[test]
    fn photographs_in_colour_get_a_model_of_their_own() {
        let images = |side: usize, level: fn(usize) -> u8| {
            let levels: Vec<u8> = (0..20 * side * side * 3).map(level).collect();
            InMemory::images("images", [side, side, 3], levels).dataset().unwrap()
        };
        let photograph = |i: usize| (i as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0];
        let suited = |data: &Dataset| (Config::suited_preset(data), Config::about_suited(data).is_some());
        let photographs = images(32, photograph);
        assert_eq!(suited(&photographs), ("photo", true));
        let config = Config::for_data(&photographs).unwrap();
        config.check_data(&photographs).unwrap();
        assert_eq!((config.model.likelihood, config.train.batch), (Likelihood::GaussianLearned, 18));
        // Images of another size get `dense`, with the advice that `photo` would be better.
        assert_eq!(suited(&images(30, photograph)), ("dense", true));
        assert_eq!(suited(&images(32, |i| if i % 96 < 48 { 255 } else { 10 })), ("dense", false));
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
