//! Drawn rows of a table beside the rows that the model was trained on: their missing cells, names for them, and whether any is a copy.

use std::path::Path;

use wgvae::apply::quality::closeness::Closeness;
use wgvae::apply::quality::records::Records;
use wgvae::apply::{DecoderOutput, Run, RunError, TrainedModel, missing};
use wgvae_data::{DataError, Dataset, Identifier};

use crate::cli::args::run::{DrawArgs, known_columns, own_data};
use crate::cli::output::sheet::Sheet;

/// What is known of rows that were drawn.
pub struct Drawn<'a> {
    draws: &'a DrawArgs,
    table: Option<Table<'a>>,
    is_drawn: bool,
    /// How close rows of a table come to those that were trained on.
    pub closeness: Option<Closeness>,
}

impl<'a> Drawn<'a> {
    /// Draws rows that were decoded from codes `(N, Z)`, with missing cells if they are asked for.
    pub fn of(
        run: &'a Run,
        draws: &'a DrawArgs,
        model: &mut TrainedModel,
        z: &[f32],
        shown: &mut DecoderOutput,
        seed: u64,
    ) -> Result<Self, RunError> {
        let table = Table::of(run, draws)?;
        let is_drawn = draws.apply(run, model, shown, seed)?;
        if let Some(table) = &table {
            table.leave_missing(draws, model, z, shown, seed)?;
        }
        let closeness = table.as_ref().filter(|_| is_drawn).and_then(|table| table.closeness(draws, shown));
        Ok(Self { draws, table, is_drawn, closeness })
    }

    /// The rows, with names of their own where the table has some.
    pub fn sheet(
        &self,
        run: &Run,
        model: &TrainedModel,
        shown: DecoderOutput,
        rows: usize,
        seed: u64,
    ) -> Result<Sheet, DataError> {
        let sheet = self.draws.sheet(run, model, shown, self.is_drawn);
        match &self.table {
            Some(table) => table.named(sheet, rows, seed),
            None => Ok(sheet),
        }
    }
}

/// The table that a run was trained on, read again.
struct Table<'a> {
    run: &'a Run,
    data: Dataset,
}

impl<'a> Table<'a> {
    /// Reads the table of a run. There is none if the run is not on a table, or if the table cannot be read, which is a warning; with
    /// `--gaps` both are errors.
    fn of(run: &'a Run, draws: &DrawArgs) -> Result<Option<Self>, RunError> {
        if run.data.columns.is_none() {
            return match draws.gaps {
                true => {
                    Err(RunError::Unfit("--gaps is for rows of a table: nothing else has cells to leave empty".into()))
                }
                false => Ok(None),
            };
        }
        match own_data(run) {
            Ok(data) => Ok(Some(Self { run, data })),
            Err(error) if draws.gaps => Err(error),
            Err(error) => {
                warning!(
                    "whether drawn rows are copies is not known, and columns that name rows are left out: {error}"
                );
                Ok(None)
            }
        }
    }

    /// Leaves cells empty, if that is asked for.
    fn leave_missing(
        &self,
        draws: &DrawArgs,
        model: &mut TrainedModel,
        z: &[f32],
        shown: &mut DecoderOutput,
        seed: u64,
    ) -> Result<(), RunError> {
        match (&self.run.data.columns, draws.gaps) {
            (Some(columns), true) => missing::take_over(model, columns, &self.data.train, z, &mut shown.means, seed),
            _ => Ok(()),
        }
    }

    /// Gives rows names of their own, in the columns that name rows in the table.
    fn named(&self, mut sheet: Sheet, rows: usize, seed: u64) -> Result<Sheet, DataError> {
        let path = Path::new(&self.run.config.data.source);
        let columns = wgvae_data::identifiers(path, &known_columns(self.run), None)?;
        let is_name = |column: &Identifier| !column.words.iter().any(|word| is_measured(word));
        // The last first, so that the places of the others stay.
        for column in columns.iter().rev().filter(|column| is_name(column)) {
            sheet.insert(column.place, &column.name, wgvae_data::invent(&column.words, rows, seed));
        }
        Ok(sheet)
    }

    /// How close drawn rows come to training rows.
    fn closeness(&self, draws: &DrawArgs, drawn: &DecoderOutput) -> Option<Closeness> {
        let columns = self.run.data.columns.as_ref()?;
        let drawn = Records::of_draws(columns, &drawn.means, draws.provenance());
        let [held_out, train] = [&self.data.test, &self.data.train].map(|rows| Records::of_split(columns, rows));
        Some(Closeness::of(&drawn, &held_out, &train))
    }
}

/// Whether a cell is a number with a fraction, which is measured and names nothing.
fn is_measured(word: &str) -> bool {
    word.replace(',', ".").parse::<f64>().is_ok_and(|number| number.fract() != 0.0)
}
