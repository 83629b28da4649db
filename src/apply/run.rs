//! A run's folder, read back.

use std::path::{Path, PathBuf};

use toml::Table;

use super::restore::split_of;
use crate::config::{Config, ConfigError};
use crate::data::{DataError, Description, Options, Split};
use crate::executor::DeviceError;
use crate::gpu::GpuError;
use crate::model::Objective;
use crate::plan::PlanError;
use crate::train::LoadError;

/// Why a run could not be read back or applied.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The folder holds no run.
    #[error("{path} holds no finished run (there is no {file}): give the folder that `wgvae train` has written")]
    Missing {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        file: &'static str,
    },
    /// A file is not what it should be.
    #[error("{path} could not be read: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What was asked for does not fit the model or its data.
    #[error("{0}")]
    Unfit(String),
    /// A result could not be written.
    #[error("{path} could not be written: {reason}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The run's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The weights.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl From<GpuError> for RunError {
    fn from(error: GpuError) -> Self {
        RunError::Device(error.into())
    }
}

/// What a run was made from.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its folder.
    pub path: PathBuf,
    /// Its configuration.
    pub config: Config,
    /// What its data was.
    pub data: Description,
}

impl Run {
    /// Reads a run's configuration and the description of its data.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        for file in ["config.toml", "data.json", "model.safetensors"] {
            if !path.join(file).is_file() {
                return Err(RunError::Missing { path: path.to_path_buf(), file });
            }
        }
        let config = Config::resolve(None, Some(&path.join("config.toml")), Table::new())?;
        let file = path.join("data.json");
        let damaged = |reason: String| RunError::Damaged { path: file.clone(), reason };
        let text = std::fs::read_to_string(&file).map_err(|e| damaged(e.to_string()))?;
        let data = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
        Ok(Self { path: path.to_path_buf(), config, data })
    }

    /// What the folder is called.
    pub fn name(&self) -> String {
        let absolute = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        absolute.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned())
    }

    /// The run's own source, as it was trained on.
    pub fn source(&self) -> Options {
        self.config.data.options(self.config.train.seed)
    }

    /// Rows that are in memory as the model takes them: `(N, D)` numbers in the data's own units, levels in [0, 1].
    pub fn rows(&self, numbers: &[f32]) -> Result<Split, RunError> {
        let width = self.data.shape.len();
        if width == 0 || !numbers.len().is_multiple_of(width) {
            let why = format!("each row has {width} numbers, and {} is not a multiple of that", numbers.len());
            return Err(RunError::Unfit(why));
        }
        let mut numbers = numbers.to_vec();
        if let Some(columns) = &self.data.columns {
            columns.standardise(&mut numbers);
        }
        Ok(split_of(&numbers, self.data.bytes, width))
    }

    /// Whether the model has a prior: a plain autoencoder has none.
    pub fn has_prior(&self) -> bool {
        self.config.model.objective == Objective::Elbo
    }

    /// Says so where a command needs a prior and the model has none.
    pub fn expect_prior(&self, what: &str) -> Result<(), RunError> {
        match self.has_prior() {
            true => Ok(()),
            false => Err(RunError::Unfit(format!(
                "{what} needs a prior, but {} is a plain autoencoder (objective ae) and has none: train one with --objective elbo",
                self.path.display()
            ))),
        }
    }
}
