//! The flags of the commands that apply a finished run's model, and what they come to.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::data_args::{DataArgs, load, with_bar};
use super::device_args::AdapterArgs;
use crate::apply::{Applied, Run, RunError};
use crate::data::{self, DataError, Dataset, Options, Rows};

#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// A run's folder
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    #[command(flatten)]
    adapter: AdapterArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Which rows a model is applied to.
#[derive(Debug, clap::Args)]
pub struct RowsArgs {
    /// Rows of another source, named as for `train` [default: the run's test rows]
    #[arg(long, value_name = "SPEC")]
    pub data: Option<String>,
    #[command(flatten)]
    choice: DataArgs,
}

impl RunArgs {
    /// Reads the run back.
    pub fn open(&self) -> Result<Run, RunError> {
        Run::open(&self.run)
    }

    /// The run's model on a device, for so many rows at a time.
    pub fn model(&self, run: &Run, rows: usize) -> anyhow::Result<Applied> {
        let plans = Applied::plans(run, rows)?;
        let executor = self.adapter.apply(&run.config.kernels, &plans)?;
        Ok(Applied::new(run, plans, executor)?)
    }
}

impl RowsArgs {
    /// Whether classes shall have the same weight.
    pub fn balanced(&self) -> bool {
        self.choice.balance
    }

    /// The rows that were asked for, as the model takes them.
    pub fn rows(&self, run: &Run) -> Result<Rows, RunError> {
        let rows = match &self.data {
            Some(source) => {
                let mut options = Options { source: source.clone(), label: run.source().label, ..Options::default() };
                self.choice.fill(&mut options);
                with_bar(|progress| data::rows_with(&options, &run.data, progress))?
            }
            None => self.test_rows(run)?,
        };
        for note in &rows.notes {
            eprintln!("{note}");
        }
        if rows.split.rows == 0 {
            return Err(RunError::Unfit("no rows are left to apply the model to".into()));
        }
        Ok(rows)
    }

    /// The rows the run was trained with, where no others were asked for.
    pub fn train_rows(&self, run: &Run) -> Result<Rows, RunError> {
        if self.data.is_some() {
            return self.rows(run);
        }
        let data = self.own(run)?;
        Ok(Rows { split: data.train, classes: data.classes, notes: Vec::new() })
    }

    /// The rows the run was tested with.
    fn test_rows(&self, run: &Run) -> Result<Rows, RunError> {
        let data = self.own(run)?;
        Ok(Rows { split: data.test, classes: data.classes, notes: data.notes })
    }

    /// The run's own data, as it is now.
    fn own(&self, run: &Run) -> Result<Dataset, RunError> {
        let mut options = run.source();
        self.choice.fill(&mut options);
        let data = load(&options).map_err(|error| match error {
            DataError::Missing { .. } => RunError::Unfit(format!("{error} (the run's own data; --data names another)")),
            error => error.into(),
        })?;
        if data.shape != run.data.shape {
            return Err(RunError::Unfit(format!(
                "{} is no longer what {} was trained on: it was {:?} and is {:?}",
                data.name,
                run.path.display(),
                run.data.shape,
                data.shape
            )));
        }
        Ok(data)
    }
}

/// Where a result goes: what was asked for, or a file of the run's folder.
pub fn place_in(run: &Run, to: Option<&Path>, name: &str) -> PathBuf {
    to.map_or_else(|| run.path.join(name), Path::to_path_buf)
}

/// Tells where a result is; on stderr where stdout has the result itself.
pub fn told(path: &Path) {
    if path != Path::new("-") {
        let _ = writeln!(std::io::stdout(), "written  {}", path.display());
    }
}
