//! Rows onto a stack and back, by what a model says of them.

use wgvae_data::{NOTHING, Vocabulary};
use wgvae_engine::kernels::rng::{Stream, key, threefry2x32};
use wgvae_engine::plan::LOGVAR_RANGE;

use super::alphabet::{Alphabet, Symbol, rows_of, tokens_in};
use super::masses::{Bit, Density, Known, Level, NormalGrid, NormalMasses, Uniform, Weighted};
use super::stack::Stack;
use crate::apply::distribution::scale_of_level;
use crate::apply::{Codes, DecoderOutput, Parameters, PriorMixture, Run, RunError, TrainedModel};
use crate::model::Likelihood;

/// Bits of the place of a latent. A draw takes about so many from the stack, which gives back all but what the encoder knows.
const PLACE_BITS: u32 = 13;

/// How much wider the places of a dimension are spread than the prior: codes of rows may lie far outside of it.
const WIDER: f64 = 2.0;

/// A model with what both ends compute from it.
pub(super) struct Coder<'a> {
    pub model: &'a mut TrainedModel,
    pub alphabet: Alphabet,
    grid: NormalGrid,
    prior: PriorMixture,
    /// The middle and the scale of each dimension's places.
    places: Vec<(f64, f64)>,
    levels: Levels,
    pub classes: u32,
    pub width: usize,
    pub bytes: bool,
}

/// How levels are distributed around what is shown of them.
pub(super) struct Levels {
    shape: Density,
    /// In levels; none where each level has its own.
    scale: Option<f64>,
}

impl Levels {
    pub fn of(model: &TrainedModel) -> Self {
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

    pub fn around(&self, shown: f32, [location, log_scale]: Parameters) -> Level<'_> {
        let (middle, scale) = match self.scale {
            Some(scale) => (shown, scale),
            None => (location, 255.0 * scale_of_level(log_scale)),
        };
        Level { shape: &self.shape, mean: 255.0 * f64::from(middle), scale }
    }
}

/// Rows of a batch as they are on the stack.
pub(super) struct Batch {
    pub symbols: Vec<Symbol>,
    pub classes: Vec<u32>,
}

impl<'a> Coder<'a> {
    pub fn new(run: &Run, model: &'a mut TrainedModel) -> Result<Self, RunError> {
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

    /// The codes `(B, Z)` that places stand for.
    fn codes_of(&self, places: &[u32]) -> Vec<f32> {
        places.iter().enumerate().map(|(i, place)| self.value(i, *place)).collect()
    }

    /// What the decoder shows for places `(B, Z)`.
    fn decode(&mut self, places: &[u32], classes: &[u32]) -> Result<DecoderOutput, RunError> {
        let z = self.codes_of(places);
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
        Weighted::of_logarithms(&self.prior.log_densities(&self.codes_of(places)))
    }

    /// Puts the values of a batch on the stack, given its places.
    fn push_values(&mut self, stack: &mut Stack, batch: &Batch, places: &[u32]) -> Result<(), RunError> {
        if self.alphabet == Alphabet::Tokens {
            return self.push_tokens(stack, batch, places);
        }
        let shown = self.decode(places, &batch.classes)?;
        for (place, symbol) in batch.symbols.iter().copied().map(u32::from).enumerate() {
            let mean = shown.means[place];
            match self.alphabet {
                Alphabet::Levels => stack.push(&self.levels.around(mean, shown.parameters_of(place)), symbol),
                _ => stack.push(&Bit::new(mean), symbol),
            }
        }
        Ok(())
    }

    /// Takes the values of a batch from the stack, given its places.
    fn pop_values(&mut self, stack: &mut Stack, places: &[u32], classes: &[u32]) -> Result<Vec<Symbol>, RunError> {
        if self.alphabet == Alphabet::Tokens {
            return self.pop_tokens(stack, places, classes);
        }
        let shown = self.decode(places, classes)?;
        let value = |place: usize| {
            let mean = shown.means[place];
            match self.alphabet {
                Alphabet::Levels => stack.pop(&self.levels.around(mean, shown.parameters_of(place))),
                _ => stack.pop(&Bit::new(mean)),
            }
        };
        let mut symbols: Vec<Symbol> = (0..shown.means.len()).rev().map(value).map(|symbol| symbol as Symbol).collect();
        symbols.reverse();
        Ok(symbols)
    }

    /// Puts the tokens of texts on the stack, the last ones first: a token is known only after those before it.
    fn push_tokens(&mut self, stack: &mut Stack, batch: &Batch, places: &[u32]) -> Result<(), RunError> {
        let rows: Vec<&[Symbol]> = batch.symbols.chunks(self.width).collect();
        let lengths: Vec<usize> = rows.iter().map(|row| tokens_in(row)).collect();
        let mut all = Vec::new();
        self.each_token(places, &batch.classes, |row, time, masses| match time < lengths[row] {
            true => {
                all.push((Known::of(&masses(), rows[row][time].into()), rows[row][time]));
                Some(rows[row][time])
            }
            false => None,
        })?;
        all.iter().rev().for_each(|(masses, symbol)| stack.push(masses, (*symbol).into()));
        Ok(())
    }

    /// Takes the tokens of texts from the stack.
    fn pop_tokens(&mut self, stack: &mut Stack, places: &[u32], classes: &[u32]) -> Result<Vec<Symbol>, RunError> {
        let width = self.width;
        let mut symbols = vec![Vocabulary::END as Symbol; places.len() / self.latent() * width];
        let mut is_open = vec![true; symbols.len() / width];
        self.each_token(places, classes, |row, time, masses| {
            is_open[row].then(|| {
                let symbol = stack.pop(&masses());
                symbols[row * width + time] = symbol as Symbol;
                is_open[row] = symbol != Vocabulary::END;
                symbol as Symbol
            })
        })?;
        Ok(symbols)
    }

    /// Goes through the tokens of texts with these places, time by time: `each` is given a row, a time and what makes the probabilities of
    /// the token there, and says which one it is, or none behind the end.
    fn each_token(
        &mut self,
        places: &[u32],
        classes: &[u32],
        mut each: impl FnMut(usize, usize, &dyn Fn() -> Weighted) -> Option<Symbol>,
    ) -> Result<(), RunError> {
        let rows = places.len() / self.latent();
        let z = self.codes_of(places);
        self.model.start(&z, classes)?;
        // Rows that have ended go on with their ends, so that both directions compute the same.
        let mut before = vec![NOTHING; self.model.batch()];
        for time in 0..self.width {
            let logits = self.model.next_logits(&before)?;
            let vocabulary = logits.len() / before.len();
            let mut is_over = true;
            for row in 0..rows {
                let logits = &logits[row * vocabulary..][..vocabulary];
                let masses =
                    || Weighted::of_logarithms(&logits.iter().map(|logit| f64::from(*logit)).collect::<Vec<_>>());
                let symbol = each(row, time, &masses);
                is_over &= symbol.is_none();
                before[row] = symbol.map_or(Vocabulary::END as f32, f32::from);
            }
            if is_over {
                break;
            }
        }
        Ok(())
    }

    /// The random mask of a row's draw of one dimension; that of the part is behind the last.
    fn mask(row: usize, i: usize) -> u32 {
        threefry2x32(key(0, Stream::BitsBack, row as u64), [i as u32, 0])[0]
    }

    /// Puts a batch on the stack, of which the first row has a number.
    pub fn push(&mut self, stack: &mut Stack, batch: &Batch, first: usize) -> Result<(), RunError> {
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
        self.push_values(stack, batch, &places)?;
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
    pub fn pop(&mut self, stack: &mut Stack, left: usize) -> Result<Option<Batch>, RunError> {
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
        let symbols = self.pop_values(stack, &places, &classes)?;
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
    pub fn have_room(&self, bits: usize, rows: usize) -> bool {
        let batches = rows.div_ceil(self.model.batch());
        batches as f64 * self.least_bits() <= bits as f64 + self.leeway()
    }

    /// Whether the first batches from the top have cost what they cost at least, where so many bits are left of all.
    pub fn have_paid(&self, all: usize, left: usize, batches: usize) -> bool {
        batches as f64 * self.least_bits() <= all as f64 - left as f64 + self.leeway()
    }

    /// How many rows the next batch has: as many as what is on the stack gives draws for.
    pub fn next_rows(&self, stack: &Stack, left: usize) -> usize {
        let enough = stack.bits() / (PLACE_BITS as usize * self.latent());
        enough.clamp(1, self.model.batch()).min(left)
    }
}
