//! Reading the folder of a run.

use std::path::{Path, PathBuf};

use wgvae_data::write::decoded;
use wgvae_data::{Columns, DataError, Description, Examples, NOTHING, Options, Provenance, Rows, Table, list};
use wgvae_engine::exec::DeviceError;
use wgvae_engine::exec::gpu::GpuError;
use wgvae_engine::plan::{ParamTable, PlanError};
use wgvae_engine::session::SessionError;

use super::archive;
use crate::config::{Config, ConfigError, MAX_BYTES};
use crate::model::Objective;
use crate::train::{
    CODES, CONFIG, Checkpoint, DATA, EVALUATION, FileRecord, Files, Identity, LoadError, MAX_DATA, METRICS, MODEL,
    PAGE, RECORD, checkpoints,
};

/// Why a run could not be read back or applied.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The folder holds no run.
    #[error("{path} holds no finished run (there is no {file}): give a folder written by `wgvae train`")]
    Missing {
        /// The folder.
        path: PathBuf,
        /// The missing file.
        file: &'static str,
    },
    /// What a file holds is not what it says.
    #[error("{0}")]
    Content(String),
    /// A file is damaged or cannot be read.
    #[error("{path} could not be read: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is not as training wrote it.
    #[error(
        "{path} could not be read: it is not as training wrote it: it was edited or cut; resuming the run writes it again"
    )]
    Edited {
        /// The file.
        path: PathBuf,
    },
    /// Rows for a conditional model have no classes.
    #[error(
        "this model was trained with classes ({classes}), and these rows have none: name the column that says which, \
         `data.label`, or the class of all rows"
    )]
    NoClasses {
        /// The classes that the model knows, listed.
        classes: String,
    },
    /// A request does not match the model or its data.
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
    /// The run's configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The weights could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The data could not be read or converted.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device could not be opened or used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A session was used in a way that it is not made for.
    #[error(transparent)]
    Session(SessionError),
}

impl From<SessionError> for RunError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Plan(error) => RunError::Plan(error),
            SessionError::Device(error) => RunError::Device(error),
            error => RunError::Session(error),
        }
    }
}

impl From<GpuError> for RunError {
    fn from(error: GpuError) -> Self {
        RunError::Device(error.into())
    }
}

/// The files that are packed into the bytes of a run.
const PACKED: [&str; 8] = [RECORD, CONFIG, DATA, METRICS, MODEL, CODES, EVALUATION, PAGE];

/// A run: its files, configuration and a description of its data.
///
/// ```
/// use wgvae::{Config, Dataset, DeviceChoice, Run, RunOptions};
///
/// # fn main() -> Result<(), wgvae::Error> {
/// let data = Dataset::load("points:count=200")?;
/// let mut config = Config::for_data(&data)?;
/// config.train.epochs = 2;
/// let mut options = RunOptions::in_memory();
/// options.device.device = DeviceChoice::Cpu;
/// let run = wgvae::train(config, data, &options, |_| {})?.run;
/// let bytes = run.to_bytes()?; // Run::open reads a folder
/// assert_eq!(Run::from_bytes(&bytes)?.config, run.config);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Run {
    /// Its files.
    #[doc(hidden)]
    pub files: Files,
    /// Its configuration.
    pub config: Config,
    /// Description of its data.
    pub data: Description,
}

impl Run {
    /// Reads the configuration of the run in a folder, and the description of its data.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        Self::of(Files::Folder(path.to_path_buf()))
    }

    /// Reads the configuration of a run, and the description of its data.
    pub(crate) fn of(files: Files) -> Result<Self, RunError> {
        if let Some(file) = [RECORD, CONFIG, DATA, MODEL].into_iter().find(|file| !files.has(file)) {
            return Err(match files.folder() {
                Some(folder) => RunError::Missing { path: folder.to_path_buf(), file },
                None => RunError::Unfit(format!("these are not the bytes of a run: there is no {file}")),
            });
        }
        let identity = Identity::read(&files).ok_or_else(|| RunError::Damaged {
            path: files.path(RECORD),
            reason: "it is not the record of a run".into(),
        })?;
        // A file that was cut at the end of a line would be filled up with defaults.
        let config = checked(&files, CONFIG, MAX_BYTES, &identity.config)?;
        let config = Config::resolve_text(&files.path(CONFIG).display().to_string(), &config)?;
        let text = checked(&files, DATA, MAX_DATA, &identity.data)?;
        let damaged = |e: serde_json::Error| RunError::Damaged { path: files.path(DATA), reason: e.to_string() };
        let data = serde_json::from_str(&text).map_err(damaged)?;
        Ok(Self { files, config, data })
    }

    /// Refuses a file that is too small for a model's weights, before room is made for them.
    pub(super) fn expect_weights(&self, params: &ParamTable) -> Result<(), RunError> {
        let damaged = |reason: String| RunError::Damaged { path: self.files.path(MODEL), reason };
        let length = self.files.length(MODEL).map_err(|e| damaged(e.to_string()))?;
        let needed = params.iter().fold(0_u64, |all, param| all.saturating_add(4 * param.len() as u64));
        match needed <= length {
            true => Ok(()),
            false => Err(damaged(format!(
                "it has {length} bytes, but the weights of the model that config.toml and data.json describe have {needed}"
            ))),
        }
    }

    /// The folder that it is in; none of a run in memory.
    pub fn folder(&self) -> Option<&Path> {
        self.files.folder()
    }

    /// The name of the folder; of a run in memory, that of its data.
    pub fn name(&self) -> String {
        let Some(folder) = self.folder() else { return self.data.name.clone() };
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        absolute.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned())
    }

    /// The run's checkpoints, the oldest first; a run in memory has none.
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        let mut all = self.folder().map_or_else(Vec::new, checkpoints);
        all.reverse();
        all
    }

    /// The run as bytes, for [`Run::from_bytes`]: a zip archive of its files. Unpacked into a folder, they are a run for the program,
    /// too, which can be applied but not resumed.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RunError> {
        archive::pack(&self.files, &PACKED)
    }

    /// Reads a run from the bytes of [`Run::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RunError> {
        Self::of(archive::unpack(bytes, &PACKED)?)
    }

    /// The source the run was trained on, with its options.
    pub fn source(&self) -> Options {
        self.config.data_options()
    }

    /// Converts rows in memory to the form the model takes: `(N, D)` numbers, levels in [0, 1], NaN where a pixel is missing; of a table
    /// `(N, columns)` in its own units, NaN where a value is missing.
    pub fn rows(&self, numbers: &[f32]) -> Result<Examples, RunError> {
        let columns = self.data.columns.as_ref();
        let width = columns.map_or(self.data.shape.len(), Columns::len);
        if width == 0 || !numbers.len().is_multiple_of(width) {
            let why = format!("each row has {width} numbers, and {} is not a multiple of that", numbers.len());
            return Err(RunError::Unfit(why));
        }
        match columns {
            Some(columns) => columns.rows(numbers).map_err(RunError::Unfit),
            None => {
                if numbers.iter().any(|number| number.is_nan()) && !self.data.missing {
                    let why = "some values are missing, and the model was trained on rows without missing values";
                    return Err(RunError::Unfit(why.into()));
                }
                let mut split = Examples::of_numbers(numbers, self.data.bytes, width);
                split.mark_missing();
                Ok(split)
            }
        }
    }

    /// Rows of a table in memory in the form the model takes: those with any value. Columns are found by their names.
    pub fn table_rows(&self, table: &Table) -> Result<Rows, RunError> {
        Ok(wgvae_data::table_rows(table, self.config.data.label.as_deref(), &self.data)?)
    }

    /// Rows of values `(N, D)` as a typed table, in its own units.
    pub fn table(&self, values: &[f32], of: Provenance) -> Result<Table, RunError> {
        let columns = self.columns()?;
        Ok(columns.table(columns.cells(values, of)))
    }

    /// The texts of rows of tokens; none where the run is not on texts.
    pub fn texts(&self, rows: &Examples) -> Option<Vec<String>> {
        let (vocabulary, width) = (self.data.vocabulary.as_ref()?, self.data.shape.len());
        Some(decoded(&rows.numbers(0..rows.rows, width), width, vocabulary))
    }

    /// How many tokens texts have together, their ends among them.
    pub fn count_tokens(&self, rows: &Examples) -> usize {
        let tokens = rows.numbers(0..rows.rows, self.data.shape.len());
        tokens.into_iter().filter(|token| *token != NOTHING).count()
    }

    /// The columns of a table.
    pub(super) fn columns(&self) -> Result<&Columns, RunError> {
        let none = || RunError::Unfit(format!("{} was not trained on a table, but on {}", self.files, self.data.shape));
        self.data.columns.as_ref().ok_or_else(none)
    }

    /// What the column of classes is called in results: as in the table that was trained on.
    pub fn class_column(&self) -> &str {
        self.config.data.label.as_deref().unwrap_or("label")
    }

    /// The number of a class that a conditional model knows.
    pub fn class(&self, name: &str) -> Result<u32, RunError> {
        if !self.config.is_conditional() {
            return Err(RunError::Unfit(format!(
                "{} was trained without classes, so it cannot be told one: train with `model.condition = \"class\"`",
                self.files
            )));
        }
        let classes = &self.data.classes;
        let number = classes.iter().position(|class| class == name).or_else(|| same_number(classes, name));
        number.map(|number| number as u32).ok_or_else(|| {
            RunError::Unfit(format!("there is no class `{name}`; the model knows {}", list(&self.data.classes)))
        })
    }

    /// Gives rows the numbers that a conditional model has for their classes; all of them that of `class`, if there is one.
    pub fn with_classes(&self, mut rows: Rows, class: Option<&str>) -> Result<Rows, RunError> {
        if let Some(class) = class {
            rows.split.labels = Some(vec![self.class(class)?; rows.split.rows]);
        } else if self.config.is_conditional() {
            let Some(labels) = &rows.split.labels else {
                return Err(RunError::NoClasses { classes: list(&self.data.classes) });
            };
            // A class that no row has need not be one of the model's.
            let numbers: Vec<Option<u32>> = rows.classes.iter().map(|class| self.class(class).ok()).collect();
            let number = |label: &u32| match (rows.classes.get(*label as usize), numbers.get(*label as usize)) {
                (Some(_), Some(Some(number))) => Ok(*number),
                (Some(class), _) => self.class(class),
                (None, _) => Err(RunError::Unfit(format!("a row is of class number {label}, which has no name"))),
            };
            rows.split.labels = Some(labels.iter().map(number).collect::<Result<_, _>>()?);
        } else {
            return Ok(rows);
        }
        rows.classes.clone_from(&self.data.classes);
        Ok(rows)
    }

    /// How many classes a conditional model has; none if it is not conditional.
    pub fn condition_classes(&self) -> Option<usize> {
        self.config.is_conditional().then_some(self.data.classes.len())
    }

    /// Whether the model has a prior: a plain autoencoder has none.
    pub fn has_prior(&self) -> bool {
        self.config.model.objective != Objective::Ae
    }

    /// An error if the model has no prior; `what` names the command that needs one.
    pub fn expect_prior(&self, what: &str) -> Result<(), RunError> {
        match self.has_prior() {
            true => Ok(()),
            false => Err(RunError::Unfit(format!(
                "{what} needs a prior, but {} is a plain autoencoder (objective ae) and has none: train one with `model.objective = \"elbo\"`",
                self.files
            ))),
        }
    }
}

/// The text of a file, which must be as training wrote it.
fn checked(files: &Files, name: &str, limit: u64, record: &FileRecord) -> Result<String, RunError> {
    let damaged = |reason: String| RunError::Damaged { path: files.path(name), reason };
    let content = files.read(name, limit).map_err(|e| damaged(e.to_string()))?;
    let text = String::from_utf8(content).map_err(|_| damaged("it is not text".into()))?;
    if *record != FileRecord::of(text.as_bytes()) {
        return Err(RunError::Edited { path: files.path(name) });
    }
    Ok(text)
}

/// The class that is the same number as a name, where it is the only one: programs write `2` as `2.0` in a column with missing cells.
/// Digits that begin with a 0 are a name.
fn same_number(classes: &[String], name: &str) -> Option<usize> {
    let number = |text: &str| {
        let is_code = text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<f64>().ok().filter(|number| number.abs() < 2_f64.powi(53) && !is_code)
    };
    let wanted = number(name)?;
    let mut alike = (0..classes.len()).filter(|class| number(&classes[*class]) == Some(wanted));
    alike.next().filter(|_| alike.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_found_by_their_number_where_one_has_it() {
        let classes = ["2", "3.0", "3", "007", "x", "9007199254740992"].map(String::from);
        let found = |name: &str| same_number(&classes, name);
        assert_eq!((found("2.0"), found("2e0"), found("3.00"), found("7")), (Some(0), Some(0), None, None));
        assert_eq!((found("02"), found("x"), found("9007199254740993"), found("nan")), (None, None, None, None));
    }
}
