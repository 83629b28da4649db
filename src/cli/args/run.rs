//! The flags shared by the commands that apply a finished run's model, and the rows they select.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use wgvae::apply::quality::closeness::Closeness;
use wgvae::apply::{DecoderOutput, Run, RunError, TrainedModel};
use wgvae::train::is_training;
use wgvae_data::{Column, DataError, Dataset, Examples, Options, Provenance, Rows, Shape};

use crate::cli::args::data::with_bar;
use crate::cli::args::device::AdapterArgs;
use crate::cli::args::keys::{KeyFlags, OfRows};
use crate::cli::output::closeness;
use crate::cli::output::sheet::Sheet;
use crate::cli::output::terminal;
use crate::cli::stdin;

#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    #[command(flatten)]
    pub adapter: AdapterArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// In CSV files, write cells that begin with =, +, - or @ as text, with a ' before them, so that a spreadsheet computes nothing
    #[arg(long, hide_short_help = true)]
    pub csv_safe: bool,
}

/// Keys that change how a source is read, not which of its rows are chosen.
const OF_READING: [&str; 5] = ["label", "text", "format", "strict", "fit"];

/// Which rows a model is applied to.
#[derive(Debug, clap::Args)]
pub struct RowsArgs {
    /// Use these rows [default: the run's test rows]
    ///
    /// The source is named as for `train`; - is stdin.
    #[arg(long, value_name = "SPEC")]
    pub data: Option<String>,
    /// Tell a model that was trained with --condition class that rows are of this class, whatever they say themselves
    #[arg(long, value_name = "CLASS", hide_short_help = true)]
    pub class: Option<String>,
    #[command(flatten)]
    keys: KeyFlags<OfRows>,
}

impl RunArgs {
    /// Reads the run back.
    pub fn open(&self) -> Result<Run, RunError> {
        crate::cli::output::sheet::write_safely(self.csv_safe);
        let run = Run::open(&self.run)?;
        if is_training(&self.run) {
            warning!("a training is going on in {}: its model is the best one so far", self.run.display());
        }
        Ok(run)
    }

    /// Opens the run's model on a device, for `rows` rows at a time.
    pub fn model(&self, run: &Run, rows: usize) -> anyhow::Result<TrainedModel> {
        self.adapter.model(run, rows)
    }
}

impl RowsArgs {
    /// Whether classes get equal weight.
    pub fn balanced(&self) -> bool {
        self.keys.get("balance").is_some()
    }

    /// The selected rows, in the form the model takes.
    pub fn rows(&self, run: &Run) -> Result<Rows, RunError> {
        let rows = match &self.data {
            Some(source) => {
                let source = stdin::spooled(source)?;
                let mut options = Options {
                    source: source.into(),
                    label: run.source().label,
                    text: run.source().text,
                    series: run.source().series,
                    ..Options::default()
                };
                self.keys.fill(&mut options)?;
                with_bar(|progress| wgvae_data::rows_with(&options, &run.data, progress))?
            }
            None => self.test_rows(run)?,
        };
        self.ready(run, rows)
    }

    /// The selected rows, with those of a table or images where values are missing, whatever the model was trained on.
    pub fn rows_with_missing(&self, run: &Run) -> Result<Rows, RunError> {
        let mut like = run.clone();
        if let Some(columns) = &mut like.data.columns {
            columns.missing = true;
        }
        if let Some(series) = &mut like.data.series {
            series.missing = true;
        }
        like.data.missing |= matches!(like.data.shape, Shape::Image { .. });
        self.rows(if self.data.is_some() { &like } else { run })
    }

    /// Where the rows come from.
    pub fn source<'a>(&'a self, run: &'a Run) -> &'a str {
        stdin::place(self.data.as_deref().unwrap_or(&run.config.data.source))
    }

    /// Gives rows the classes that the model knows; there must be some rows.
    fn ready(&self, run: &Run, rows: Rows) -> Result<Rows, RunError> {
        let rows = run.with_classes(rows, self.class.as_deref())?;
        for note in &rows.notes {
            warning!("{note}");
        }
        if rows.split.rows == 0 {
            return Err(RunError::Unfit(
                "no rows are left to apply the model to: choose other classes or another source".into(),
            ));
        }
        Ok(rows)
    }

    /// The selected rows, and some of the run's training rows to compare them with, or why there are none.
    pub fn rows_and_train_rows(&self, run: &Run, most: usize) -> Result<(Rows, Result<Rows, RunError>), RunError> {
        let of_training = |split: Examples, classes: Vec<String>| {
            let split = split.some(most, run.config.train.seed);
            run.with_classes(Rows { split, classes, notes: Vec::new() }, None)
        };
        if self.data.is_some() {
            let train = own_data(run).and_then(|data| of_training(data.train, data.classes));
            return Ok((self.rows(run)?, train));
        }
        let mut train = None;
        let rows = self.own(run, |data| {
            train = Some((data.train, data.classes.clone()));
            (data.test, data.classes, data.notes)
        })?;
        let missing = || RunError::Unfit("the run has no training rows".into());
        let train_rows = train.ok_or_else(missing).and_then(|(split, classes)| of_training(split, classes));
        Ok((self.ready(run, rows)?, train_rows))
    }

    /// The run's training rows, unless `--data` names other rows.
    pub fn train_rows(&self, run: &Run) -> Result<Rows, RunError> {
        match self.data {
            Some(_) => self.rows(run),
            None => {
                run.with_classes(self.own(run, |data| (data.train, data.classes, Vec::new()))?, self.class.as_deref())
            }
        }
    }

    /// The run's test rows.
    fn test_rows(&self, run: &Run) -> Result<Rows, RunError> {
        self.own(run, |data| (data.test, data.classes, data.notes))
    }

    /// Rows of the run's own data, loaded again. It is split and scaled as for training before rows are chosen, so that
    /// training rows never end up among the test rows.
    fn own(
        &self,
        run: &Run,
        part: impl FnOnce(Dataset) -> (Examples, Vec<String>, Vec<String>),
    ) -> Result<Rows, RunError> {
        if let Some(flag) = OF_READING.iter().find(|name| self.keys.get(name).is_some()) {
            return Err(RunError::Unfit(format!(
                "--{flag} changes how a source is read, so it cannot be used with the run's own data: leave it out, or name another source of rows"
            )));
        }
        let data = own_data(run)?;
        let (split, classes, notes) = part(data);
        let mut rows = Rows { split, classes, notes };
        let mut options = Options::from(run.config.data.source.as_str());
        self.keys.fill(&mut options)?;
        rows.choose(&options)?;
        Ok(rows)
    }
}

/// Whether rows are drawn with the noise of the likelihood, or are means.
#[derive(Debug, clap::Args)]
pub struct DrawArgs {
    /// Give means instead of drawing rows of a table
    ///
    /// Means are less different from each other than rows are.
    #[arg(long, conflicts_with = "draw")]
    mean: bool,
    /// Draw values of images and points, too
    ///
    /// They are drawn with the noise of the likelihood.
    #[arg(long)]
    draw: bool,
    /// Draw numbers of a table beyond the range that was seen as well
    #[arg(long, conflicts_with = "mean", hide_short_help = true)]
    beyond_range: bool,
    /// Leave cells of a table empty as often as they are in the data
    #[arg(long)]
    pub gaps: bool,
}

impl DrawArgs {
    /// Rows of a sheet: drawn, if that is asked for or they are those of a table, or else means.
    pub fn sheet(&self, run: &Run, model: &TrainedModel, shown: DecoderOutput, is_drawn: bool) -> Sheet {
        match is_drawn {
            true => Sheet::of(run, shown.means, self.provenance()),
            false => Sheet::of_means(run, model, shown),
        }
    }

    /// Returns the provenance of drawn rows.
    pub fn provenance(&self) -> Provenance {
        if self.beyond_range { Provenance::DrawnBeyond } else { Provenance::Drawn }
    }

    /// Draws rows in place of their means, if that is asked for or rows are those of a table; whether it did.
    pub fn apply(
        &self,
        run: &Run,
        model: &TrainedModel,
        shown: &mut DecoderOutput,
        seed: u64,
    ) -> Result<bool, RunError> {
        let is_table = run.data.columns.is_some() && model.distribution().can_draw();
        let draws = self.draw || is_table && !self.mean;
        if self.beyond_range && run.data.columns.is_none() {
            let reason =
                "--beyond-range is for rows of a table: images and points have no range of their own to go beyond";
            return Err(RunError::Unfit(reason.into()));
        }
        if draws {
            match self.beyond_range {
                true => model.distribution().without_ranges().draw(shown, seed)?,
                false => model.distribution().draw(shown, seed)?,
            }
        }
        Ok(draws)
    }
}

/// The columns that a run's model knows of its table, and that of labels.
pub fn known_columns(run: &Run) -> Vec<&str> {
    let columns = run.data.columns.iter().flat_map(|columns| columns.all.iter().map(Column::table_name));
    columns.chain(run.config.data.label.as_deref()).collect()
}

/// A run's own data, loaded again as for training.
pub fn own_data(run: &Run) -> Result<Dataset, RunError> {
    if run.config.data.source == stdin::NAME {
        return Err(RunError::Unfit(format!(
            "{} was trained on what came through stdin, which is not kept: name rows with --data",
            run.files
        )));
    }
    // Each row once: to balance its classes, training had copies of some.
    let options = Options { balance: false, ..run.source() };
    let columns = run.data.columns.as_ref();
    let data = with_bar(|progress| Dataset::load_known(options, columns, progress)).map_err(|error| match error {
        DataError::Missing { .. } => {
            RunError::Unfit(format!("{error}; this is the data of the run, and --data SPEC uses other data"))
        }
        error => error.into(),
    })?;
    // A table's rows are known by their content.
    let is_same = match (&data.columns, &run.data.trained) {
        (Some(_), Some(trained)) => trained.are_of(&data.train),
        (columns, _) => {
            let is_like = columns.is_some() == run.data.columns.is_some();
            is_like
                && data.vocabulary == run.data.vocabulary
                && data.series == run.data.series
                && data.sound == run.data.sound
        }
    };
    if data.shape != run.data.shape || !is_same {
        return Err(RunError::Unfit(format!(
            "{} has changed since {} was trained on it (it had {}, now {}, or its rows are others): use --data to apply the model to it as it is now",
            data.name, run.files, run.data.shape, data.shape
        )));
    }
    Ok(data)
}

/// The names of the files that a command has written, for `--json`.
#[derive(Serialize)]
struct Written {
    written: Vec<String>,
    /// How close drawn rows of a table come to the rows that were trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    closeness: Option<Closeness>,
}

/// Prints where a result was written, unless it went to stdout.
pub fn print_written(path: &Path) -> std::io::Result<()> {
    match path == Path::new("-") {
        true => Ok(()),
        false => writeln!(terminal::out(), "written  {}", path.display()),
    }
}

impl RunArgs {
    /// A bar on stderr for so many of something; none with `--json`, or where nobody sees it.
    pub fn counting(&self, what: &'static str, count: usize) -> ProgressBar {
        if self.json { ProgressBar::hidden() } else { counting(what, count) }
    }

    /// Prints where several files were written, for a command that has nothing else to print: with `--json` as an object.
    pub fn print_written(&self, files: &[&Path]) -> anyhow::Result<()> {
        self.print_drawn(files, None)
    }

    /// Prints where drawn rows were written, and how close they come to training rows.
    pub fn print_drawn(&self, files: &[&Path], closeness: Option<Closeness>) -> anyhow::Result<()> {
        let written: Vec<&Path> = files.iter().copied().filter(|file| *file != Path::new("-")).collect();
        match self.json && !written.is_empty() {
            true => {
                let written = written.iter().map(|file| file.display().to_string()).collect();
                let written = Written { written, closeness };
                writeln!(terminal::out(), "{}", serde_json::to_string(&written)?)?;
            }
            false => {
                written.into_iter().try_for_each(print_written)?;
                closeness.iter().for_each(closeness::print);
            }
        }
        Ok(())
    }
}

/// A bar on stderr for so many of something; none where nobody sees it.
pub fn counting(what: &'static str, count: usize) -> ProgressBar {
    let bar = ProgressBar::hidden();
    if std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template(&format!("{what:8} {{bar:28}} {{percent}} %  {{msg}}  {{eta}} left"))
        {
            bar.set_style(style);
        }
    }
    bar.set_length(count as u64);
    bar
}
