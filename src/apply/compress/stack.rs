//! A stack of numbers with known distributions, in little more than the bits that they are worth (asymmetric numeral systems).
//!
//! A number can also be taken from a stack that it was not put on: that gives a draw from its distribution, and putting it back gives
//! back the bits. The first such draws need bits that nothing was put on for: these are drawn from a generator, lie below everything
//! else, and are part of the stack's size.
//!
//! A draw is decided by the uppermost bits, and those are what was put on last. Where that is less evenly distributed than it was said to
//! be, as codes are under a prior that they do not fill, draws would be no draws from their distribution: a model's files were 4 to 9 %
//! larger. So these bits are XORed with a random mask before a draw, and again after it was put back.

use std::borrow::Borrow;
use std::num::NonZeroU32;

use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};
use constriction::stream::stack::AnsCoder;
use constriction::stream::{Decode, Encode};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::masses::{Masses, PRECISION};

/// The least state between two calls.
const MIN_STATE: u64 = 1 << 32;

/// A stack of numbers.
pub struct Stack {
    coder: AnsCoder<u32, u64>,
    /// Where bits come from that lie below everything.
    seed: ChaCha8Rng,
    /// How many words came from there.
    seeded: usize,
}

impl Stack {
    /// An empty one.
    pub fn new() -> Self {
        let mut seed = ChaCha8Rng::seed_from_u64(0);
        let state = seed.random::<u64>() | MIN_STATE;
        Self { coder: AnsCoder::from_raw_parts(Vec::new(), state), seed, seeded: 0 }
    }

    /// A stack from the words of [`Self::into_words`]; none if they are no stack's.
    pub fn of_words(mut words: Vec<u32>) -> Option<Self> {
        let [high, low] = [words.pop()?, words.pop()?].map(u64::from);
        let state = high << 32 | low;
        let coder = (state >= MIN_STATE).then(|| AnsCoder::from_raw_parts(words, state))?;
        Some(Self { coder, seed: ChaCha8Rng::seed_from_u64(0), seeded: 0 })
    }

    /// What it is stored as.
    pub fn into_words(self) -> Vec<u32> {
        let (mut words, state) = self.coder.into_raw_parts();
        words.extend([state as u32, (state >> 32) as u32]);
        words
    }

    /// The bits on it.
    pub fn bits(&self) -> usize {
        32 * self.coder.bulk().len()
    }

    /// Puts a number on it.
    pub fn push(&mut self, masses: &impl Masses, symbol: u32) {
        // Each number has a part of the whole, and a vector takes every word.
        let pushed = self.coder.encode_symbol(symbol, Model(masses));
        debug_assert!(pushed.is_ok());
    }

    /// Takes a draw from a distribution; `mask` are random bits that [`Self::give_back`] is told again.
    pub fn draw(&mut self, masses: &impl Masses, mask: u32) -> u32 {
        self.xor_top(mask);
        self.pop(masses)
    }

    /// Puts back what was drawn.
    pub fn give_back(&mut self, masses: &impl Masses, symbol: u32, mask: u32) {
        self.push(masses, symbol);
        self.xor_top(mask);
    }

    /// XORs the bits that decide on the next draw. The state stays one: it has more bits than these.
    fn xor_top(&mut self, mask: u32) {
        let (words, state) = std::mem::take(&mut self.coder).into_raw_parts();
        self.coder = AnsCoder::from_raw_parts(words, state ^ u64::from(mask >> (u32::BITS - PRECISION as u32)));
    }

    /// Whether more was taken from it than was ever put on it. What comes back then is of no row: at the bottom of a stack that rows
    /// were put on, one word is put under it, and never reached.
    pub fn is_exhausted(&self) -> bool {
        self.seeded > 1
    }

    /// Takes the uppermost number.
    pub fn pop(&mut self, masses: &impl Masses) -> u32 {
        if self.coder.bulk().is_empty() {
            let (mut words, state) = std::mem::take(&mut self.coder).into_raw_parts();
            words.push(self.seed.random());
            self.seeded += 1;
            self.coder = AnsCoder::from_raw_parts(words, state);
        }
        // Decoding from a vector does not fail.
        self.coder.decode_symbol(Model(masses)).unwrap_or_default()
    }
}

struct Model<'a, M>(&'a M);

impl<M: Masses> EntropyModel<PRECISION> for Model<'_, M> {
    type Symbol = u32;
    type Probability = u32;
}

impl<M: Masses> EncoderModel<PRECISION> for Model<'_, M> {
    fn left_cumulative_and_probability(&self, symbol: impl Borrow<u32>) -> Option<(u32, NonZeroU32)> {
        let symbol = *symbol.borrow();
        let from = self.0.below(symbol);
        Some((from, NonZeroU32::new(self.0.below(symbol + 1) - from)?))
    }
}

impl<M: Masses> DecoderModel<PRECISION> for Model<'_, M> {
    fn quantile_function(&self, quantile: u32) -> (u32, u32, NonZeroU32) {
        let symbol = self.0.at(quantile);
        let from = self.0.below(symbol);
        (symbol, from, NonZeroU32::new(self.0.below(symbol + 1) - from).unwrap_or(NonZeroU32::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::super::masses::{Bit, Density, Level, NormalGrid, NormalMasses, Uniform, cost};
    use super::*;

    #[test]
    fn what_was_put_on_comes_back_in_reverse() {
        let mut stack = Stack::new();
        let level = |i: u32| Level { shape: &Density::Normal, mean: f64::from(i % 300), scale: 3.0 };
        for i in 0..5000 {
            stack.push(&level(i), (i * 7) % 256);
            stack.push(&Bit::new(0.01), i % 2);
        }
        let mut stack = Stack::of_words(stack.into_words()).unwrap();
        for i in (0..5000).rev() {
            assert_eq!(stack.pop(&Bit::new(0.01)), i % 2);
            assert_eq!(stack.pop(&level(i)), (i * 7) % 256);
        }
    }

    #[test]
    fn it_is_as_large_as_what_is_on_it_is_worth() {
        let mut stack = Stack::new();
        let bit = Bit::new(0.03);
        let mut nats = 0.0;
        for i in 0..200_000 {
            let symbol = u32::from(i % 33 == 0);
            nats += cost(&bit, symbol);
            stack.push(&bit, symbol);
        }
        let (bits, worth) = (32.0 * stack.into_words().len() as f64, nats / std::f64::consts::LN_2);
        assert!((0.0..130.0).contains(&(bits - worth)), "{bits} {worth}");
    }

    #[test]
    fn draws_give_their_bits_back() {
        let grid = NormalGrid::new(14);
        let mut stack = Stack::new();
        let q = |i: u32| NormalMasses { grid: &grid, mean: f64::from(i % 5) - 2.0, deviation: 0.3 };
        let drawn: Vec<u32> = (0..4000).map(|i| stack.pop(&q(i))).collect();
        // Draws from an empty stack are draws all the same.
        let apart: Vec<f64> = drawn.iter().zip(0..).map(|(place, i)| (grid.value(*place) - q(i).mean) / 0.3).collect();
        let [mean, square] = [1, 2].map(|power| apart.iter().map(|x| x.powi(power)).sum::<f64>() / 4000.0);
        assert!(mean.abs() < 0.06 && (square - 1.0).abs() < 0.08, "{mean} {square}");
        let empty = stack.bits();
        drawn.iter().for_each(|place| stack.push(&Uniform(1 << 14), *place));
        let mut stack = Stack::of_words(stack.into_words()).unwrap();
        for place in drawn.iter().rev() {
            assert_eq!(stack.pop(&Uniform(1 << 14)), *place);
        }
        (0..4000).rev().for_each(|i| stack.push(&q(i), drawn[i as usize]));
        assert!(stack.bits() > empty + 4000 * 10, "{} after {empty}", stack.bits());
        assert!(Stack::of_words(vec![5]).is_none() && Stack::of_words(vec![5, 0]).is_none());
    }

    /// What lies on top is far from what its distribution says: always the last hundredth.
    #[test]
    fn draws_do_not_follow_what_lies_on_top() {
        let grid = NormalGrid::new(13);
        let q = NormalMasses { grid: &grid, mean: 0.4, deviation: 0.3 };
        let mut stack = Stack::new();
        (0..4000).for_each(|i| stack.push(&Uniform(1 << 13), (1 << 13) - 1 - i % 80));
        let before = stack.coder.clone().into_raw_parts();
        let mask = |i: u32| i.wrapping_mul(0x9E37_79B9) ^ (i << 20);
        let drawn: Vec<u32> = (0..3000).map(|i| stack.draw(&q, mask(i))).collect();
        let apart: Vec<f64> = drawn.iter().map(|place| (grid.value(*place) - 0.4) / 0.3).collect();
        let [mean, square] = [1, 2].map(|power| apart.iter().map(|x| x.powi(power)).sum::<f64>() / 3000.0);
        assert!(mean.abs() < 0.07 && (square - 1.0).abs() < 0.1, "{mean} {square}");
        (0..3000).rev().for_each(|i| stack.give_back(&q, drawn[i as usize], mask(i)));
        assert!(stack.coder.clone().into_raw_parts() == before && !stack.is_exhausted());
        (0..40_000).map(|_| stack.pop(&q)).for_each(drop);
        assert!(stack.is_exhausted());
    }
}
