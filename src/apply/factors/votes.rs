//! The scores of beta-VAE (Higgins et al., 2017) and of FactorVAE (Kim and Mnih, 2018): which factor is the same in several rows is
//! guessed from their codes. The rows are drawn from those that there are, so the other factors vary as they do in the data.

use rand::RngExt;
use rand::seq::{IndexedRandom, index};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::linear::Classifier;
use super::{Factor, Known, rng};
use crate::apply::RunError;

/// Votes that are fitted to, and votes that are guessed.
const FITTED: usize = 4000;
const GUESSED: usize = 2000;
/// Pairs of rows, or rows, of a vote.
const OF_VOTE: usize = 64;
/// The streams of the seed.
const PAIRS: u64 = 0x7061_6972;
const ALIKE: u64 = 0x616c_696b;

/// How often the factor that is the same in several rows is guessed right.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Votes {
    /// The share of guesses that are right.
    pub score: f64,
    /// What guesses without the codes would have: one over the number of factors.
    pub chance: f64,
    /// How it was computed.
    pub estimator: &'static str,
    /// How many dimensions were looked at.
    pub dimensions: usize,
}

/// From the mean absolute differences of pairs of codes, by a linear classifier.
pub fn beta_vae(known: &Known, seed: u64) -> Result<Votes, RunError> {
    let mut rng = rng(seed, PAIRS);
    let groups = groups(known)?;
    let mut draw = |count: usize| -> (Vec<f64>, Vec<usize>) {
        let (mut differences, mut factors) = (Vec::with_capacity(count * known.latent), Vec::with_capacity(count));
        for _ in 0..count {
            let place = rng.random_range(0..groups.len());
            let mut sums = vec![0.0; known.latent];
            for _ in 0..OF_VOTE {
                let alike = groups[place].some(&mut rng);
                let [a, b] = pair(alike, &mut rng);
                for (dimension, sum) in sums.iter_mut().enumerate() {
                    *sum += (known.at(a, dimension) - known.at(b, dimension)).abs() / OF_VOTE as f64;
                }
            }
            differences.extend(sums);
            factors.push(place);
        }
        (differences, factors)
    };
    let (fitted, guessed) = (draw(FITTED), draw(GUESSED));
    let classifier = Classifier::fit(&fitted.0, known.latent, &fitted.1, groups.len());
    let right = guessed.0.chunks_exact(known.latent).zip(&guessed.1);
    let right = right.filter(|(differences, factor)| classifier.class(differences) == **factor).count();
    Ok(Votes {
        score: right as f64 / GUESSED as f64,
        chance: 1.0 / groups.len() as f64,
        estimator: "softmax regression on the mean absolute difference of 64 pairs of latent means with one factor in common: 4,000 \
                    votes fitted, 2,000 others guessed",
        dimensions: known.latent,
    })
}

/// From the dimension that varies least in several codes, beside how it varies in all, by the majority of votes.
pub fn factor_vae(known: &Known, seed: u64) -> Result<Votes, RunError> {
    let mut rng = rng(seed, ALIKE);
    let groups = groups(known)?;
    let dimensions: Vec<usize> = (0..known.latent).filter(|dimension| known.active[*dimension]).collect();
    let mut vote = || {
        let place = rng.random_range(0..groups.len());
        let alike = groups[place].some(&mut rng);
        let rows: Vec<usize> = match alike.len() <= OF_VOTE {
            true => alike.to_vec(),
            false => index::sample(&mut rng, alike.len(), OF_VOTE).iter().map(|i| alike[i]).collect(),
        };
        let share = |dimension: usize| variance(known, &rows, dimension) / known.variances[dimension];
        let least = dimensions.iter().copied().min_by(|a, b| share(*a).total_cmp(&share(*b)));
        // Where no dimension says anything, all votes are the same.
        (least.unwrap_or(0), place)
    };
    let mut counts = vec![vec![0_usize; groups.len()]; known.latent];
    for _ in 0..FITTED {
        let (dimension, factor) = vote();
        counts[dimension][factor] += 1;
    }
    let majority: Vec<usize> =
        counts.iter().map(|counts| (0..groups.len()).rev().max_by_key(|factor| counts[*factor]).unwrap_or(0)).collect();
    let right = (0..GUESSED).map(|_| vote()).filter(|(dimension, factor)| majority[*dimension] == *factor).count();
    Ok(Votes {
        score: right as f64 / GUESSED as f64,
        chance: 1.0 / groups.len() as f64,
        estimator: "majority of votes for the active latent mean with the least variance, in units of that over all rows, among up to 64 \
                    rows with one factor in common: 4,000 votes fitted, 2,000 others guessed",
        dimensions: dimensions.len(),
    })
}

/// Rows by their value of a factor.
struct Groups {
    /// The rows of each value.
    alike: Vec<Vec<usize>>,
    /// Values of which there are several rows, one for each of these rows, so that values are drawn as often as they occur.
    values: Vec<usize>,
}

impl Groups {
    fn of(factor: &Factor) -> Self {
        let mut alike = vec![Vec::new(); factor.count];
        factor.classes.iter().enumerate().for_each(|(row, class)| alike[*class].push(row));
        let values = factor.classes.iter().copied().filter(|class| alike[*class].len() > 1).collect();
        Self { alike, values }
    }

    /// All rows of a value.
    fn some(&self, rng: &mut ChaCha8Rng) -> &[usize] {
        self.values.choose(rng).map_or(&[], |value| &self.alike[*value])
    }
}

fn groups(known: &Known) -> Result<Vec<Groups>, RunError> {
    let of_factor = |factor: &Factor| {
        let groups = Groups::of(factor);
        match groups.values.is_empty() {
            false => Ok(groups),
            true => Err(RunError::Unfit(format!(
                "no two of these rows have the same {}, so codes cannot be scored by what they have in common: take more rows",
                factor.name
            ))),
        }
    };
    known.factors.iter().map(of_factor).collect()
}

/// Two different rows of several.
fn pair(alike: &[usize], rng: &mut ChaCha8Rng) -> [usize; 2] {
    let first = rng.random_range(0..alike.len());
    let other = rng.random_range(0..alike.len() - 1);
    [alike[first], alike[other + usize::from(other >= first)]]
}

/// The variance of a dimension over several rows.
fn variance(known: &Known, rows: &[usize], dimension: usize) -> f64 {
    let values = || rows.iter().map(|row| known.at(*row, dimension));
    let mean = values().sum::<f64>() / rows.len() as f64;
    values().map(|value| (value - mean).powi(2)).sum::<f64>() / (rows.len() as f64 - 1.0)
}
