//! The flags that describe a model and its training, shared by the commands that take them.

use std::path::PathBuf;

use toml::{Table, Value};
use wgvae::config::Config;
use wgvae_data::{DataError, Dataset};

use crate::cli::args::data;
use crate::cli::args::keys::{KeyFlags, OfAll};
use crate::cli::stdin;

#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct ModelArgs {
    /// Start from a preset, e.g. conv or table
    ///
    /// The presets are dense, deep-dense, conv, keras-conv, burgess, photo, autoencoder, points, text, series, sound, music and table [default: what suits the data]
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Read settings from a TOML file
    ///
    /// They override the preset.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyFlags<OfAll>,
    /// Run every op by itself instead of fusing ops
    #[arg(long, hide_short_help = true)]
    no_fuse: bool,
}

impl ModelArgs {
    /// The flags as a table that overrides the configuration file.
    fn table(&self) -> Table {
        let mut table = self.keys.table();
        if self.no_fuse {
            table.insert("kernels".into(), Table::from_iter([("fuse".to_string(), Value::Boolean(false))]).into());
        }
        table
    }

    fn has(&self, key: &str) -> bool {
        self.keys.get(key).is_some()
    }

    /// Whether flags are of the preset `dense` and its likelihood.
    fn is_dense(&self) -> bool {
        self.has("hidden") || self.keys.get("tied") == Some(&Value::Boolean(true)) || self.has("binarise")
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
        // The data decides where neither a preset nor a file is given.
        if let Some(suited) = preset.or_else(|| file.is_none().then(|| self.suited(&data))) {
            config = Config::resolve_sized(Some(suited), Config::suited_sizes(suited, &data), file, self.table())?;
        }
        // Who writes layers has chosen a model.
        let is_chosen = preset.is_some() || file.is_some() || self.has("encoder") || self.is_dense();
        if let Some(about) = Config::about_suited(&data).filter(|_| !is_chosen) {
            warning!("{about}");
        }
        if !self.has("batch") && file.is_none() && config.train.batch > data.train.rows {
            warning!("the batch is reduced to {} rows, because the training data has no more", data.train.rows);
            config.train.batch = data.train.rows;
        }
        checked(config, data)
    }

    /// A run's configuration with the flags over it, and its data.
    pub fn over(&self, config: &Config) -> anyhow::Result<(Config, Dataset)> {
        let config = config.with_flags(self.table())?;
        if config.data.source == stdin::NAME && !self.has("source") {
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
        let written = || if self.has("encoder") { "layers" } else { self.suited(data) };
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
