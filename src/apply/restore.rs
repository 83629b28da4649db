//! Restoring rows: the codes that explain what is seen of them, and what the decoder shows of these codes where nothing is seen,
//! or weighed against what is seen with noise.

use wgvae_data::{Column, Columns, Examples, Origins, Shape, Table, ValueKind};
use wgvae_engine::plan::{ColumnKind, MISSING, is_missing};

use super::inference::{self, Descent, Draws, Observed};
use super::{Run, RunError, TrainedModel, draws, units};
use crate::model::{Likelihood, Seen};
use crate::train::{DeviceEvent, DeviceOptions};

/// The damage of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Damage {
    /// Some values are missing: marked with [`MISSING`].
    Missing,
    /// Noise of this standard deviation on every number, in the units that the model was trained with.
    Noise(f32),
}

/// What is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Independent completions of each row.
    pub draws: usize,
    /// Whether completions have the noise of the likelihood.
    pub noisy: bool,
    /// The seed of all draws.
    pub seed: u64,
}

/// Rows restored.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// `(N, D)`: the best guess.
    pub rows: Vec<f32>,
    /// `(N, D)` each: completions.
    pub draws: Vec<Vec<f32>>,
}

/// The steps to the likeliest code that is shown, or that one completion each is drawn from; and to one that the mean of many draws
/// starts from, which only has to lie in the right place.
const DESCENT: Descent = Descent { first: 20, then: 120 };
const SHORT_DESCENT: Descent = Descent { first: 8, then: 16 };
/// Draws of the posterior that a best guess of a table is the mean of. Steps follow each other closely, and the decoder shows their
/// codes quickly beside them, so that more draws of each chain than are independent cost little.
const AVERAGED: Draws = Draws { chains: 2, of_each: 20, burn_in: 40, steps: 120 };
/// Steps of a chain that a completion is the end of.
const CHAIN_STEPS: usize = 240;
/// The most rows that the weight of what is seen is fitted to, and rows' worth of all values in that of each.
const MAX_FITTED: usize = 256;
const FEW_ROWS: f64 = 10.0;
/// What is shown of rows `(N, D)`, and draws of their codes.
type Explained = (Vec<f32>, Vec<Vec<f32>>);
/// The smallest residual variance: a value that is always the same says nothing of the noise.
const MIN_VARIANCE: f32 = 1e-6;

impl Damage {
    fn seen(self, likelihood: Likelihood) -> Seen {
        match (self, likelihood) {
            (Damage::Noise(_), likelihood) if !likelihood.is_of_columns() => Seen::WithNoise,
            (Damage::Missing | Damage::Noise(_), _) => Seen::Exactly,
        }
    }
}

/// A run's model on a device, to restore rows of this damage.
pub struct Restorer {
    model: TrainedModel,
    damage: Damage,
    /// `(D)`: the variance that the decoder leaves; of noise alone.
    residual: Vec<f32>,
    /// `(D)`: the weight of what is seen with noise, beside what is shown.
    shares: Vec<f32>,
    /// `(D)`: the column of each value of a table.
    columns: Vec<Column>,
    bytes: bool,
    is_image: bool,
    takes_missing: bool,
}

impl Restorer {
    /// Opens the model. Against noise, `train`, rows that it was trained on, say how far off reconstructions are; a table's columns
    /// know it themselves.
    pub fn open(
        run: &Run,
        rows: usize,
        damage: Damage,
        train: Option<&Examples>,
        device: &DeviceOptions,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<Self, RunError> {
        let likelihood = run.config.model.likelihood;
        let rows = rows.max(train.map_or(0, |train| train.rows));
        let mut model = TrainedModel::open_to_infer(run, rows, damage.seen(likelihood), device, watch)?;
        let residual = match (damage, train) {
            (Damage::Missing, _) => Vec::new(),
            (Damage::Noise(_), Some(train)) => residual_variances(&mut model, train)?,
            (Damage::Noise(_), None) => {
                return Err(RunError::Unfit(
                    "to weigh what is seen, rows that the model was trained on are needed".into(),
                ));
            }
        };
        let of_values = |columns: &Columns| {
            let width = |column: &Column| std::iter::repeat_n(column.clone(), column.width());
            columns.all.iter().flat_map(width).collect()
        };
        let mut restorer = Self {
            model,
            damage,
            shares: Vec::new(),
            columns: run.data.columns.as_ref().map_or_else(Vec::new, of_values),
            bytes: run.data.bytes,
            is_image: matches!(run.data.shape, Shape::Image { .. }),
            takes_missing: run.data.has_missing(),
            residual,
        };
        if let Damage::Noise(noise) = damage {
            let by_variance = |variance: &f32| variance / (variance + noise * noise);
            restorer.shares = restorer.residual.iter().map(by_variance).collect();
            if let Some(train) = train {
                restorer.shares = restorer.fitted_shares(train, noise)?;
            }
        }
        Ok(restorer)
    }

    /// The weights of what is seen with noise that bring rows that the model was trained on closest to what they are: what is shown
    /// of a code that was inferred from noise is further off than a reconstruction, and noise on levels is cut off at 0 and 1.
    fn fitted_shares(&mut self, train: &Examples, noise: f32) -> Result<Vec<f32>, RunError> {
        let width = self.model.width();
        let some = train.some(MAX_FITTED, 0);
        let rows = some.rows;
        let whole = some.numbers(0..rows, width);
        let level = |v: f32| if self.bytes { v.clamp(0.0, 1.0) } else { v };
        let drawn = draws::prior(whole.len(), 1, 1, noise);
        let noisy = |(i, (x, noise)): (usize, (&f32, f32))| match is_missing(*x) || !self.is_noisy(i % width) {
            true => *x,
            false => level(x + noise),
        };
        let seen: Vec<f32> = whole.iter().zip(drawn).enumerate().map(noisy).collect();
        let (shown, _) = self.shown(&seen, some.labels.as_deref(), 0, 1, &mut |_, _| {})?;
        // The share in x - shown = share (seen - shown), by least squares; where there is little to go by, the share of all values.
        let (mut both, mut square) = (vec![0.0_f64; width], vec![0.0_f64; width]);
        for (i, ((x, seen), shown)) in
            whole.iter().zip(&seen).zip(&shown).enumerate().filter(|(_, ((x, _), _))| !is_missing(**x))
        {
            let apart = f64::from(seen - shown);
            both[i % width] += f64::from(x - shown) * apart;
            square[i % width] += apart * apart;
        }
        let [all_both, all_square] = [&both, &square].map(|sums| sums.iter().sum::<f64>() / width as f64);
        let few = FEW_ROWS / rows as f64;
        let share = |(both, square): (&f64, &f64)| {
            let share = (both + few * all_both) / (square + few * all_square).max(f64::MIN_POSITIVE);
            share.clamp(0.0, 1.0) as f32
        };
        Ok(both.iter().zip(&square).map(share).collect())
    }

    /// Fills in the missing cells of a table. All else comes back as it was: the rows, the other columns, and cells that hold what the
    /// model has not seen. A row without any value stays as it is.
    pub fn restore_table(&mut self, table: &Table, class: Option<&str>) -> Result<Table, RunError> {
        let run = self.model.run().clone();
        let columns = run.columns()?;
        let rows = run.with_classes(run.table_rows(table)?, class)?.split;
        let before = rows.numbers(0..rows.rows, columns.width());
        let wanted = Wanted { draws: 0, noisy: false, seed: 0 };
        let restored = self.restore(&before, rows.labels.as_deref(), wanted)?.rows;
        let found = columns.table(columns.cells_filled(&restored, &before));
        let mut filled = table.clone();
        let numbers: Vec<usize> = match &rows.origins {
            Some(Origins::Numbered(_, numbers)) => numbers.iter().map(|number| *number as usize - 1).collect(),
            _ => (0..rows.rows).collect(),
        };
        let by_name: std::collections::HashMap<&str, &Column> =
            columns.all.iter().map(|column| (column.table_name(), column)).collect();
        for (name, cells) in filled.columns_mut() {
            let Some((column, found)) = by_name.get(name).zip(found.column(name)) else { continue };
            for (row, restored) in numbers.iter().zip(found) {
                if cells[*row].is_missing() || column.is_blank(&cells[*row].to_string()) {
                    cells[*row] = restored.clone();
                }
            }
        }
        Ok(filled)
    }

    /// Restores rows `(N, D)`, whose classes a conditional model must know.
    pub fn restore(&mut self, rows: &[f32], classes: Option<&[u32]>, wanted: Wanted) -> Result<Restored, RunError> {
        self.restore_with(rows, classes, wanted, &mut |_, _| {})
    }

    /// [`Restorer::restore`] with a progress callback: how many evaluations of codes are done, and of how many.
    pub fn restore_with(
        &mut self,
        rows: &[f32],
        classes: Option<&[u32]>,
        wanted: Wanted,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Restored, RunError> {
        let width = self.model.width().max(1);
        let with_missing: Vec<usize> = rows
            .chunks(width)
            .enumerate()
            .filter(|(_, row)| row.iter().any(|value| is_missing(*value)))
            .map(|(number, _)| number)
            .collect();
        if self.damage != Damage::Missing || with_missing.len() * width == rows.len() {
            return self.restore_all(rows, classes, wanted, progress);
        }
        // Rows of which nothing is missing stay as they are.
        let span = |row: usize| row * width..(row + 1) * width;
        let some: Vec<f32> = with_missing.iter().flat_map(|row| &rows[span(*row)]).copied().collect();
        let of_some: Option<Vec<u32>> = classes.map(|classes| with_missing.iter().map(|row| classes[*row]).collect());
        let found = self.restore_all(&some, of_some.as_deref(), wanted, progress)?;
        let whole = |some: &[f32]| {
            let mut all = rows.to_vec();
            for (row, restored) in with_missing.iter().zip(some.chunks(width)) {
                all[span(*row)].copy_from_slice(restored);
            }
            all
        };
        Ok(Restored { rows: whole(&found.rows), draws: found.draws.iter().map(|drawn| whole(drawn)).collect() })
    }

    fn restore_all(
        &mut self,
        rows: &[f32],
        classes: Option<&[u32]>,
        wanted: Wanted,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Restored, RunError> {
        let (shown, codes) = self.shown(rows, classes, wanted.draws, wanted.seed, progress)?;
        // Draws from the posterior have no range.
        let distribution = self.model.distribution().without_ranges();
        let mut draws = Vec::with_capacity(codes.len());
        for (number, z) in codes.iter().enumerate() {
            let mut shown = self.model.decoder_output(z, classes.unwrap_or_default())?;
            if wanted.noisy {
                distribution.draw(&mut shown, wanted.seed.wrapping_add(number as u64))?;
            }
            draws.push(self.weighed(rows, &shown.means));
        }
        Ok(Restored { rows: self.weighed(rows, &shown), draws })
    }

    /// What is shown of the codes of rows `(N, D)`, and draws of their codes.
    fn shown(
        &mut self,
        rows: &[f32],
        classes: Option<&[u32]>,
        chains: usize,
        seed: u64,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Explained, RunError> {
        let width = self.model.width();
        let encoded = {
            let filled = self.filled(rows, classes)?;
            let split =
                Examples { labels: classes.map(<[u32]>::to_vec), ..Examples::of_numbers(&filled, self.bytes, width) };
            self.model.encode(&split)?
        };
        let there: Vec<f32> = rows.iter().map(|value| if is_missing(*value) { 0.0 } else { *value }).collect();
        let trust = self.trust(rows);
        let loss_inputs = self.loss_inputs(rows);
        let of =
            Observed { seen: &there, loss_inputs: loss_inputs.as_deref(), trust: &trust, classes, encoded: &encoded };
        let draws = Draws { chains, of_each: 1, burn_in: CHAIN_STEPS / 2, steps: CHAIN_STEPS };
        // The posterior of a row of a few numbers is wide, that of an image is not.
        let averaged = (!self.is_image && self.model.has_prior()).then_some(AVERAGED);
        let descent = if averaged.is_some() && chains == 0 { SHORT_DESCENT } else { DESCENT };
        let (count, batch) = (encoded.rows(), self.model.batch());
        let all = descent.evaluations(count, batch)
            + draws.evaluations(count, batch)
            + averaged.map_or(0, |averaged| averaged.evaluations(count, batch));
        let mut done = 0;
        let mut evaluated = || {
            done += 1;
            progress(done, all);
        };
        if chains > 0 && !self.model.has_prior() {
            return Err(RunError::Unfit(
                "a plain autoencoder has no distribution of codes to draw from: restore without draws".into(),
            ));
        }
        let likeliest = inference::likeliest(&mut self.model, &of, descent, seed, &mut evaluated)?;
        let drawn = inference::draw(&mut self.model, &of, &likeliest, draws, seed, &mut evaluated)?;
        let classes = classes.unwrap_or_default();
        let shown = match averaged {
            Some(averaged) => {
                let seed = seed.wrapping_add(1);
                let averaged = inference::draw(&mut self.model, &of, &likeliest, averaged, seed, &mut evaluated)?;
                self.mean_of(&averaged, classes)?
            }
            None => self.model.decode_as(&likeliest, classes)?,
        };
        Ok((shown, drawn))
    }

    /// The mean of what the decoder shows of several codes of each row: of numbers whose logarithms or scores it shows, that of
    /// themselves.
    fn mean_of(&mut self, codes: &[Vec<f32>], classes: &[u32]) -> Result<Vec<f32>, RunError> {
        let width = self.model.width();
        let mut sum: Vec<f64> = Vec::new();
        for z in codes {
            let shown = self.model.decoder_output(z, classes)?;
            sum.resize(shown.means.len(), 0.0);
            for (i, (sum, mean)) in sum.iter_mut().zip(&shown.means).enumerate() {
                *sum += match self.in_units(i % width) {
                    Some(column) => {
                        let (distribution, parameters) = (self.model.distribution(), shown.parameters_of(i));
                        units::mean(column, distribution, i % width, f64::from(*mean), parameters)
                    }
                    None => f64::from(*mean),
                };
            }
        }
        let mean = |(i, sum): (usize, f64)| {
            let mean = sum / codes.len() as f64;
            self.in_units(i % width).map_or(mean, |column| column.to_value(mean)) as f32
        };
        Ok(sum.into_iter().enumerate().map(mean).collect())
    }

    /// The column of a value whose logarithm or score the decoder shows; none of another value.
    fn in_units(&self, value: usize) -> Option<&Column> {
        self.columns
            .get(value)
            .filter(|column| matches!(column.kind, ValueKind::Positive | ValueKind::Quantile | ValueKind::Count))
    }

    /// Rows with something in place of missing values, for an encoder that does not know which are: what the decoder shows of the
    /// middle of the prior.
    fn filled(&mut self, rows: &[f32], classes: Option<&[u32]>) -> Result<Vec<f32>, RunError> {
        if self.takes_missing || !rows.iter().any(|value| is_missing(*value)) {
            return Ok(rows.to_vec());
        }
        let count = rows.len() / self.model.width().max(1);
        let middle = vec![0.0; count * self.model.latent()];
        let shown = self.model.decode_as(&middle, classes.unwrap_or_default())?;
        Ok(rows.iter().zip(shown).map(|(value, shown)| if is_missing(*value) { shown } else { *value }).collect())
    }

    /// What the loss takes in addition to each value, of a model that knows intervals: with noise, those of numbers are wider, with its
    /// variance.
    fn loss_inputs(&self, rows: &[f32]) -> Option<Vec<f32>> {
        let columns = self.model.intervals()?;
        let mut loss_inputs = columns.loss_inputs(rows);
        if let Damage::Noise(noise) = self.damage {
            let width = self.model.width();
            for (i, half) in loss_inputs.iter_mut().enumerate() {
                if self.is_noisy(i % width) {
                    *half = half.hypot(3.0_f32.sqrt() * noise);
                }
            }
        }
        Some(loss_inputs)
    }

    /// What the loss of each value is multiplied by.
    fn trust(&self, rows: &[f32]) -> Vec<f32> {
        let width = self.model.width();
        let seen = |i: usize| if is_missing(rows[i]) { 0.0 } else { 1.0 };
        match (self.damage, self.model.distribution().likelihood()) {
            // The slope of a squared error is that of a normal of this variance.
            (Damage::Noise(noise), likelihood) if !likelihood.is_of_columns() => {
                (0..rows.len()).map(|i| seen(i) / (self.residual[i % width] + noise * noise)).collect()
            }
            _ => (0..rows.len()).map(seen).collect(),
        }
    }

    /// Whether noise is on a value: words and counts are what they are.
    fn is_noisy(&self, value: usize) -> bool {
        let distribution = self.model.distribution();
        !distribution.likelihood().is_of_columns() || distribution.kind(value) == ColumnKind::Number
    }

    /// What is seen, with what is shown where it is missing; or both, weighed.
    fn weighed(&self, rows: &[f32], shown: &[f32]) -> Vec<f32> {
        let width = self.model.width();
        let value = |(i, (seen, shown)): (usize, (&f32, &f32))| match self.damage {
            _ if is_missing(*seen) => *shown,
            Damage::Missing => *seen,
            Damage::Noise(_) if !self.is_noisy(i % width) => *seen,
            Damage::Noise(_) => shown + self.shares[i % width] * (seen - shown),
        };
        let mut all: Vec<f32> = rows.iter().zip(shown).enumerate().map(value).collect();
        if self.bytes {
            all.iter_mut().for_each(|level| *level = level.clamp(0.0, 1.0));
        }
        all
    }
}

/// `(D)`: the mean squared error of the reconstruction of each value.
fn residual_variances(model: &mut TrainedModel, rows: &Examples) -> Result<Vec<f32>, RunError> {
    let width = model.width();
    let mut sums = vec![(0.0_f64, 0.0_f64); width];
    model.reconstruct_each(rows, |row, shown, _| {
        let x = rows.numbers(row..row + 1, width);
        for ((sum, count), (x, shown)) in
            sums.iter_mut().zip(x.iter().zip(shown)).filter(|(_, (x, _))| !is_missing(**x))
        {
            *sum += f64::from(x - shown).powi(2);
            *count += 1.0;
        }
    })?;
    Ok(sums.into_iter().map(|(sum, count)| ((sum / count.max(1.0)) as f32).max(MIN_VARIANCE)).collect())
}

/// Marks values as missing.
pub fn hidden(rows: &[f32], gone: &[bool]) -> Vec<f32> {
    rows.iter().zip(gone.iter().cycle()).map(|(value, gone)| if *gone { MISSING } else { *value }).collect()
}
