//! Rows in few bytes, and back bit for bit: bits-back coding with a stack (Townsend, Bird and Barber, 2019).
//!
//! For a row, the stack first gives a draw of the latent from what the encoder says, then takes the row's values given the draw, and then
//! the draw given the prior. What it gave for the draw comes back when the row is read, so a row costs its negative ELBO. The latent has
//! places (`masses::Grid`); rows go in batches, so that a network is run once for many. Nothing has to be equal but the numbers that the
//! network makes, which both ends test ([`File::numbers`]).

mod codes;
mod file;
mod masses;
mod spool;
mod stack;

pub use codes::{MAX_BITS, RoundedCodes};
pub use file::CompressedFile;
pub use spool::Unpacked;

use std::path::Path;

use wgvae_data::{Examples, Values};
use wgvae_engine::kernels::batch::Binarise;
use wgvae_engine::kernels::rng::{Stream, key, threefry2x32};
use wgvae_engine::plan::LOGVAR_RANGE;

use super::distribution::scale_of_level;
use super::{Codes, DecoderOutput, Parameters, PriorMixture, Run, RunError, TrainedModel, draws};
use crate::model::Likelihood;
use masses::{Bit, Density, Level, NormalGrid, NormalMasses, Uniform, Weighted, cost};
use spool::Spool;
use stack::Stack;

/// Bits of the place of a latent. A draw takes about so many from the stack, which gives back all but what the encoder knows.
const PLACE_BITS: u32 = 13;

/// How much wider the places of a dimension are spread than the prior: codes of rows may lie far outside of it.
const WIDER: f64 = 2.0;

/// More values than anybody's memory holds.
const MAX_VALUES: u128 = 1 << 36;

/// What each value of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// 0 or 1.
    Bits,
    /// A level from 0 to 255.
    Levels,
}

impl Alphabet {
    /// The alphabet of a run's likelihood.
    pub fn of(run: &Run) -> Result<Self, RunError> {
        run.expect_prior("compression")?;
        let is_levels = run.data.bytes && !run.data.missing;
        match run.config.model.likelihood {
            Likelihood::Bernoulli => Ok(Alphabet::Bits),
            likelihood if likelihood.is_density() && run.config.data.binarise != Binarise::None => {
                Err(RunError::Unfit(format!(
                    "{} was trained on zeros and ones with a density ({}), under which they have no probabilities: train with bernoulli",
                    run.files,
                    likelihood.name()
                )))
            }
            likelihood if likelihood.is_density() || likelihood == Likelihood::Logistic => match is_levels {
                true => Ok(Alphabet::Levels),
                false => Err(RunError::Unfit(format!(
                    "{} was trained on numbers that have no finite set of values: compression is for images of levels and for zeros and ones",
                    run.files
                ))),
            },
            Likelihood::Mse => Err(RunError::Unfit(format!(
                "mse is no likelihood, so rows have no probabilities under {}: train with gaussian-learned, or with bernoulli and \
                 --binarise",
                run.files
            ))),
            _ => Err(RunError::Unfit(format!(
                "{} has the likelihood of a table: compression is for images of levels and for zeros and ones",
                run.files
            ))),
        }
    }

    /// The bits of a value as it is.
    pub fn raw_bits(self) -> usize {
        match self {
            Alphabet::Bits => 1,
            Alphabet::Levels => 8,
        }
    }
}

/// The rows that are compressed: those given; where training binarises them, the zeros and ones that it evaluates with.
pub fn prepared(run: &Run, rows: &Examples) -> Examples {
    match run.config.data.binarise {
        Binarise::None => rows.clone(),
        Binarise::Draw => draws::binarised_as_evaluated(rows, run.config.train.batch, run.config.train.seed),
        Binarise::Threshold => {
            let width = run.data.shape.len();
            let is_one = |x: f32| if x >= 0.5 { 1.0 } else { 0.0 };
            let numbers: Vec<f32> = rows.numbers(0..rows.rows, width).into_iter().map(is_one).collect();
            Examples { labels: rows.labels.clone(), ..Examples::of_numbers(&numbers, run.data.bytes, width) }
        }
    }
}

/// The values of rows `(N, D)` as symbols.
fn symbols(alphabet: Alphabet, rows: &Examples, width: usize) -> Result<Vec<u8>, RunError> {
    match (alphabet, &rows.values) {
        (Alphabet::Levels, Values::Bytes(levels)) => Ok(levels.clone()),
        _ => {
            let between = "the likelihood bernoulli is one of zeros and ones, and these rows have values between: train with --binarise, \
                           or with gaussian-learned";
            let bit = |x: f32| match x {
                0.0 => Ok(0),
                1.0 => Ok(1),
                _ => Err(RunError::Unfit(between.into())),
            };
            rows.numbers(0..rows.rows, width).into_iter().map(bit).collect()
        }
    }
}

/// Rows of symbols, with their classes, as a model takes them.
fn rows_of(alphabet: Alphabet, symbols: &[u8], classes: &[u32], bytes: bool, width: usize) -> Examples {
    let rows = symbols.len() / width;
    let values = match (alphabet, bytes) {
        (Alphabet::Levels, _) => Values::Bytes(symbols.to_vec()),
        (Alphabet::Bits, true) => Values::Bytes(symbols.iter().map(|bit| bit * 255).collect()),
        (Alphabet::Bits, false) => Values::Floats(symbols.iter().map(|bit| f32::from(*bit)).collect()),
    };
    Examples { labels: (!classes.is_empty()).then(|| classes.to_vec()), ..Examples::of(rows, values) }
}

/// A model with what both ends compute from it.
struct Coder<'a> {
    model: &'a mut TrainedModel,
    alphabet: Alphabet,
    grid: NormalGrid,
    prior: PriorMixture,
    /// The middle and the scale of each dimension's places.
    places: Vec<(f64, f64)>,
    levels: Levels,
    classes: u32,
    width: usize,
    bytes: bool,
}

/// How levels are distributed around what is shown of them.
struct Levels {
    shape: Density,
    /// In levels; none where each level has its own.
    scale: Option<f64>,
}

impl Levels {
    fn of(model: &TrainedModel) -> Self {
        let distribution = model.distribution();
        let shape = match distribution.likelihood() {
            Likelihood::Laplace => Density::Laplace,
            Likelihood::StudentT => Density::student_t(distribution.freedom()),
            Likelihood::Logistic => Density::Logistic,
            _ => Density::Normal,
        };
        let has_scale = distribution.likelihood() != Likelihood::Logistic;
        Self { shape, scale: has_scale.then(|| 255.0 * distribution.sigma(0, [0.0; 2])) }
    }

    fn around(&self, shown: f32, [location, log_scale]: Parameters) -> Level<'_> {
        let (middle, scale) = match self.scale {
            Some(scale) => (shown, scale),
            None => (location, 255.0 * scale_of_level(log_scale)),
        };
        Level { shape: &self.shape, mean: 255.0 * f64::from(middle), scale }
    }
}

/// Rows of a batch as they are on the stack.
struct Batch {
    symbols: Vec<u8>,
    classes: Vec<u32>,
}

impl<'a> Coder<'a> {
    fn new(run: &Run, model: &'a mut TrainedModel) -> Result<Self, RunError> {
        let alphabet = Alphabet::of(run)?;
        let prior = model.prior().clone();
        let (mean, deviation) = prior.moments();
        let places: Vec<(f64, f64)> =
            mean.into_iter().zip(deviation.iter().map(|deviation| WIDER * deviation)).collect();
        if !places.iter().all(|(mean, deviation)| mean.is_finite() && deviation.is_normal()) {
            return Err(RunError::Unfit(format!("the prior of {} is not finite", run.files)));
        }
        let levels = Levels::of(model);
        let (width, classes) = (model.width(), run.condition_classes().unwrap_or(0) as u32);
        Ok(Self {
            model,
            alphabet,
            grid: NormalGrid::new(PLACE_BITS),
            prior,
            places,
            levels,
            classes,
            width,
            bytes: run.data.bytes,
        })
    }

    fn latent(&self) -> usize {
        self.places.len()
    }

    /// What the encoder says of a batch.
    fn encode(&mut self, batch: &Batch) -> Result<Codes, RunError> {
        let rows = rows_of(self.alphabet, &batch.symbols, &batch.classes, self.bytes, self.width);
        let codes = self.model.encode(&rows)?;
        match codes.mu.iter().chain(&codes.logvar).all(|x| x.is_finite()) {
            true => Ok(codes),
            false => Err(RunError::Unfit("the model's codes of some rows are not finite".into())),
        }
    }

    /// What the decoder shows for places `(B, Z)`.
    fn decode(&mut self, places: &[u32], classes: &[u32]) -> Result<DecoderOutput, RunError> {
        let z: Vec<f32> = places.iter().enumerate().map(|(i, place)| self.value(i, *place)).collect();
        self.model.decoder_output(&z, classes)
    }

    /// The number that a place stands for.
    fn value(&self, i: usize, place: u32) -> f32 {
        let (mean, deviation) = self.places[i % self.latent()];
        (mean + deviation * self.grid.value(place)) as f32
    }

    /// A normal over the places of a dimension.
    fn normal(&self, i: usize, mean: f64, deviation: f64) -> NormalMasses<'_> {
        let (middle, scale) = self.places[i % self.latent()];
        NormalMasses { grid: &self.grid, mean: (mean - middle) / scale, deviation: deviation / scale }
    }

    /// The encoder's normal of a code's number.
    fn posterior(&self, codes: &Codes, i: usize) -> NormalMasses<'_> {
        let logvar = f64::from(codes.logvar[i].clamp(LOGVAR_RANGE.0, LOGVAR_RANGE.1));
        self.normal(i, codes.mu[i].into(), libm::exp(0.5 * logvar))
    }

    /// How probable each part of the prior is for the places of a row.
    fn parts_of(&self, places: &[u32]) -> Weighted {
        let z: Vec<f32> = places.iter().enumerate().map(|(i, place)| self.value(i, *place)).collect();
        Weighted::of_logarithms(&self.prior.log_densities(&z))
    }

    fn push_value(&self, stack: &mut Stack, shown: &DecoderOutput, place: usize, symbol: u8) {
        let mean = shown.means[place];
        match self.alphabet {
            Alphabet::Bits => stack.push(&Bit::new(mean), symbol.into()),
            Alphabet::Levels => stack.push(&self.levels.around(mean, shown.parameters_of(place)), symbol.into()),
        }
    }

    fn pop_value(&self, stack: &mut Stack, shown: &DecoderOutput, place: usize) -> u8 {
        let mean = shown.means[place];
        let symbol = match self.alphabet {
            Alphabet::Bits => stack.pop(&Bit::new(mean)),
            Alphabet::Levels => stack.pop(&self.levels.around(mean, shown.parameters_of(place))),
        };
        symbol as u8
    }

    /// The random mask of a row's draw of one dimension; that of the part is behind the last.
    fn mask(row: usize, i: usize) -> u32 {
        threefry2x32(key(0, Stream::BitsBack, row as u64), [i as u32, 0])[0]
    }

    /// Puts a batch on the stack, of which the first row has a number.
    fn push(&mut self, stack: &mut Stack, batch: &Batch, first: usize) -> Result<(), RunError> {
        let codes = self.encode(batch)?;
        let latent = self.latent();
        let mut places = Vec::with_capacity(codes.mu.len());
        let mut parts = Vec::with_capacity(codes.rows());
        let count = self.prior.parts().len();
        for row in 0..codes.rows() {
            for i in 0..latent {
                places.push(stack.draw(&self.posterior(&codes, row * latent + i), Self::mask(first + row, i)));
            }
            // Which part of the prior the draw is of is drawn, too, so that it costs nothing either.
            let mut part = || stack.draw(&self.parts_of(&places[row * latent..]), Self::mask(first + row, latent));
            parts.push(if count > 1 { part() } else { 0 });
        }
        let shown = self.decode(&places, &batch.classes)?;
        for (place, symbol) in batch.symbols.iter().enumerate() {
            self.push_value(stack, &shown, place, *symbol);
        }
        for (row, part) in parts.iter().enumerate() {
            let of_part = &self.prior.parts()[*part as usize];
            for i in 0..latent {
                let masses = self.normal(i, of_part.mean[i], of_part.deviation[i]);
                stack.push(&masses, places[row * latent + i]);
            }
            if count > 1 {
                stack.push(&Uniform(count as u32), *part);
            }
            if self.classes > 0 {
                stack.push(&Uniform(self.classes), batch.classes[row]);
            }
        }
        stack.push(&Uniform(self.model.batch() as u32), codes.rows() as u32 - 1);
        Ok(())
    }

    /// Takes the uppermost batch from the stack, of `left` rows: everything that [`Self::push`] does, backwards. None where there are
    /// fewer rows.
    fn pop(&mut self, stack: &mut Stack, left: usize) -> Result<Option<Batch>, RunError> {
        let latent = self.latent();
        let rows = stack.pop(&Uniform(self.model.batch() as u32)) as usize + 1;
        let Some(first) = left.checked_sub(rows) else { return Ok(None) };
        let count = self.prior.parts().len();
        let (mut classes, mut parts) = (vec![0; rows], vec![0; rows]);
        let mut places = vec![0; rows * latent];
        for row in (0..rows).rev() {
            if self.classes > 0 {
                classes[row] = stack.pop(&Uniform(self.classes));
            }
            if count > 1 {
                parts[row] = stack.pop(&Uniform(count as u32));
            }
            let of_part = &self.prior.parts()[parts[row] as usize];
            for i in (0..latent).rev() {
                let masses = self.normal(i, of_part.mean[i], of_part.deviation[i]);
                places[row * latent + i] = stack.pop(&masses);
            }
        }
        classes.truncate(if self.classes > 0 { rows } else { 0 });
        let shown = self.decode(&places, &classes)?;
        let places_of_values = (0..shown.means.len()).rev();
        let mut symbols: Vec<u8> = places_of_values.map(|place| self.pop_value(stack, &shown, place)).collect();
        symbols.reverse();
        let batch = Batch { symbols, classes };
        let codes = self.encode(&batch)?;
        for row in (0..rows).rev() {
            let of_row = row * latent..(row + 1) * latent;
            if count > 1 {
                stack.give_back(&self.parts_of(&places[of_row.clone()]), parts[row], Self::mask(first + row, latent));
            }
            for i in (0..latent).rev() {
                let at = of_row.start + i;
                stack.give_back(&self.posterior(&codes, at), places[at], Self::mask(first + row, i));
            }
        }
        Ok((!stack.is_exhausted()).then_some(batch))
    }

    /// Bits that each batch costs at least: its number of rows is on the stack.
    fn least_bits(&self) -> f64 {
        (self.model.batch() as f64).log2().max(1.0 / 64.0)
    }

    /// Bits of the draws of a batch, which batches may cost less than they should, by chance and all together.
    fn leeway(&self) -> f64 {
        (2 * PLACE_BITS as usize * self.latent() * self.model.batch() + 256) as f64
    }

    /// Whether so many bits have room for so many rows.
    fn have_room(&self, bits: usize, rows: usize) -> bool {
        let batches = rows.div_ceil(self.model.batch());
        batches as f64 * self.least_bits() <= bits as f64 + self.leeway()
    }

    /// Whether the first batches from the top have cost what they cost at least, where so many bits are left of all.
    fn have_paid(&self, all: usize, left: usize, batches: usize) -> bool {
        batches as f64 * self.least_bits() <= all as f64 - left as f64 + self.leeway()
    }

    /// How many rows the next batch has: as many as what is on the stack gives draws for.
    fn next_rows(&self, stack: &Stack, left: usize) -> usize {
        let enough = stack.bits() / (PLACE_BITS as usize * self.latent());
        enough.clamp(1, self.model.batch()).min(left)
    }
}

/// Compresses rows, and restores them again to see that they are the same. `watch` is told how many rows are done, each twice.
pub fn compress(
    run: &Run,
    model: &mut TrainedModel,
    rows: &Examples,
    watch: &mut dyn FnMut(usize),
) -> Result<CompressedFile, RunError> {
    let rows = prepared(run, rows);
    let mut coder = Coder::new(run, model)?;
    let width = coder.width;
    let symbols = symbols(coder.alphabet, &rows, width)?;
    let classes = rows.labels.filter(|_| coder.classes > 0).unwrap_or_default();
    let mut stack = Stack::new();
    let mut done = 0;
    while done < rows.rows {
        let next = done..done + coder.next_rows(&stack, rows.rows - done);
        let of_batch = classes.get(next.clone()).unwrap_or_default().to_vec();
        let batch = Batch { symbols: symbols[next.start * width..next.end * width].to_vec(), classes: of_batch };
        coder.push(&mut stack, &batch, done)?;
        done = next.end;
        watch(done);
    }
    let mut file = CompressedFile::new(coder.model, rows.rows, checksum(&symbols, &classes), stack.into_words())?;
    let words = file.words.clone();
    let is_same = |first: usize, batch: &Batch| {
        let next = first..first + batch.symbols.len() / width;
        batch.symbols == symbols[next.start * width..next.end * width]
            && batch.classes == classes.get(next).unwrap_or_default()
    };
    let mut all = true;
    let mut see = |first: usize, batch: &Batch| {
        all &= is_same(first, batch);
        Ok(())
    };
    let came_back = unpacked(&mut coder, &mut file, &mut see, &mut |restored| watch(done + restored));
    match came_back {
        Ok(()) if all => {}
        Err(error) if !matches!(error, RunError::Content(_)) => return Err(error),
        _ => {
            return Err(RunError::Unfit(
                "the rows did not come back as they were, so nothing was written: this device does not compute the same numbers each time"
                    .into(),
            ));
        }
    }
    file.words = words;
    Ok(file)
}

/// The rows of a file, as the model takes them.
pub fn decompress(
    run: &Run,
    model: &mut TrainedModel,
    file: CompressedFile,
    watch: &mut dyn FnMut(usize),
) -> Result<Examples, RunError> {
    let rows = file.rows;
    unpack(run, model, file, &std::env::temp_dir(), watch)?.rows(0..rows)
}

/// The rows of a file in another file, `folder` of which has room for them: the last ones come first, and there may be more than memory
/// holds. That file has no name that anybody could open, and is gone with the result.
pub fn unpack(
    run: &Run,
    model: &mut TrainedModel,
    mut file: CompressedFile,
    folder: &Path,
    watch: &mut dyn FnMut(usize),
) -> Result<Unpacked, RunError> {
    file.expect(model)?;
    let mut coder = Coder::new(run, model)?;
    if file.rows == 0 {
        return Err(RunError::Content(
            "the file says that it has no rows, and none is written without: it is made up".into(),
        ));
    }
    if file.rows as u128 * coder.width as u128 > MAX_VALUES || !coder.have_room(file.bits(), file.rows) {
        return Err(RunError::Content(format!(
            "the file says that it has {} rows, for which its {} bytes have no room: it is made up",
            file.rows,
            file.bits() / 8
        )));
    }
    let (width, has_classes) = (coder.width, coder.classes > 0);
    let mut unpacked_rows = Unpacked {
        spool: Spool::new(folder)?,
        count: file.rows,
        width,
        alphabet: coder.alphabet,
        bytes: coder.bytes,
        has_classes,
    };
    let mut keep = |first: usize, batch: &Batch| unpacked_rows.write_batch(first, batch);
    unpacked(&mut coder, &mut file, &mut keep, watch)?;
    match unpacked_rows.checksum()? == file.checksum {
        true => Ok(unpacked_rows),
        false => Err(made_up()),
    }
}

fn made_up() -> RunError {
    RunError::Content(
        "the rows do not come back as the file's checksum says, although this device computes the numbers that they were compressed with: \
         the file is damaged or made up; nothing was written"
            .into(),
    )
}

/// Takes all batches of a file from its stack, the last one first, and gives them away with the numbers of their first rows.
fn unpacked(
    coder: &mut Coder<'_>,
    file: &mut CompressedFile,
    give: &mut dyn FnMut(usize, &Batch) -> Result<(), RunError>,
    watch: &mut dyn FnMut(usize),
) -> Result<(), RunError> {
    let bits = file.bits();
    let mut stack = Stack::of_words(std::mem::take(&mut file.words)).ok_or_else(made_up)?;
    let (mut left, mut batches) = (file.rows, 0);
    while left > 0 {
        let batch = coder.pop(&mut stack, left)?.ok_or_else(made_up)?;
        left -= batch.symbols.len() / coder.width;
        batches += 1;
        // What costs nothing was not put there by rows.
        if !coder.have_paid(bits, stack.bits(), batches) {
            return Err(made_up());
        }
        give(left, &batch)?;
        watch(file.rows - left);
    }
    Ok(())
}

fn checksum(symbols: &[u8], classes: &[u32]) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(symbols);
    classes.iter().for_each(|class| hash.update(&class.to_le_bytes()));
    hash.digest()
}

/// The negative ELBO of rows in bits for each value: what they should cost. Of levels, the likelihood is that of the level, not the
/// density that training uses.
pub fn elbo_bits(run: &Run, model: &mut TrainedModel, rows: &Examples, draws: usize) -> Result<f64, RunError> {
    let rows = prepared(run, rows);
    let scores = model.score(&rows, draws)?;
    let count = scores.len() as f64;
    let kl = scores.iter().map(|score| score.kl).sum::<f64>() / count;
    // A density of levels is not what they cost.
    let recon = match Alphabet::of(run)? {
        Alphabet::Levels if run.config.model.likelihood.is_density() => {
            let codes = model.encode(&rows)?;
            let classes = rows.labels.clone().unwrap_or_default();
            let symbols = symbols(Alphabet::Levels, &rows, model.width())?;
            let levels = Levels::of(model);
            let mut nats = 0.0;
            for draw in 0..draws as u64 {
                let shown = model.decoder_output(&draws::around(&codes, draw, 1.0), &classes)?;
                let around = |place: usize| levels.around(shown.means[place], shown.parameters_of(place));
                nats += (0..symbols.len()).map(|i| cost(&around(i), symbols[i].into())).sum::<f64>();
            }
            nats / count / draws as f64
        }
        _ => scores.iter().map(|score| score.recon).sum::<f64>() / count,
    };
    Ok((recon + kl) / std::f64::consts::LN_2 / model.width() as f64)
}
