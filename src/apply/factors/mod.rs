//! Scores of disentanglement: how far each latent dimension stands for one of the factors that rows are known to be made of.
//!
//! All of them look at the means of codes, and at the factors that vary in the rows. What is fitted is scored on rows, or on draws of
//! rows, that it was not fitted to. docs/factors.md has the equations.

mod dci;
mod linear;
mod mig;
mod sap;
mod sweep;
mod votes;

use rand::seq::SliceRandom;
use serde::Serialize;

pub use dci::Dci;
pub use mig::Mig;
pub use sap::Sap;
pub use sweep::Sweep;
pub use votes::Votes;

use super::draws::rng;
use super::statistics::{active, explained, mean_variances};
use super::{Codes, PriorMixture, RunError};
use wgvae_data::{Examples, Factors};

/// Rows that scores are computed from at least.
const MIN_ROWS: usize = 50;
/// The stream of the seed that halves the rows.
const HALVES: u64 = 0x6861_6c66;

/// Scores of codes beside the factors of their rows. All of them are better the larger they are, and at most 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FactorScores {
    /// Rows that they are computed from.
    pub rows: usize,
    /// The factors, in the order of all figures of each of them.
    pub names: Vec<String>,
    /// Factors that have one value in all of these rows, of which nothing can be said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constant: Vec<String>,
    /// The mutual information gap.
    pub mig: Mig,
    /// The separated attribute predictability.
    pub sap: Sap,
    /// Disentanglement, completeness and informativeness.
    pub dci: Dci,
    /// The score of beta-VAE.
    pub beta_vae: Votes,
    /// The score of FactorVAE.
    pub factor_vae: Votes,
}

impl FactorScores {
    /// Scores codes by the factors of their rows; depends on these and the seed alone.
    pub fn of(codes: &Codes, prior: &PriorMixture, factors: &Factors, seed: u64) -> Result<Self, RunError> {
        let known = Known::of(codes, prior, factors)?;
        let halves = known.halves(seed);
        Ok(Self {
            rows: known.rows,
            names: known.factors.iter().map(|factor| factor.name.clone()).collect(),
            constant: known.constant.clone(),
            mig: Mig::of(&known),
            sap: Sap::of(&known, &halves),
            dci: Dci::of(&known, &halves, seed),
            beta_vae: votes::beta_vae(&known, seed)?,
            factor_vae: votes::factor_vae(&known, seed)?,
        })
    }
}

/// The factors of rows, which not all data has.
pub fn expect(rows: &Examples) -> Result<&Factors, RunError> {
    rows.factors.as_ref().ok_or_else(|| {
        RunError::Unfit(
            "these rows have no known factors to compare codes with: the built-in `sprites` have, and NPZ files with whole numbers \
             (N, factors) in an array `factors` or `latents_classes`"
                .into(),
        )
    })
}

/// Codes beside the factors that vary, in the form that scores take.
struct Known {
    rows: usize,
    latent: usize,
    /// `(N, Z)`: means of the codes.
    z: Vec<f64>,
    /// `(Z)`: their variances over the rows.
    variances: Vec<f64>,
    /// `(Z)`: whether a dimension says anything of rows.
    active: Vec<bool>,
    factors: Vec<Factor>,
    constant: Vec<String>,
}

/// A factor that varies.
struct Factor {
    name: String,
    /// Whether its values are in an order.
    ordered: bool,
    /// `(N)`: its value in each row.
    values: Vec<f64>,
    /// `(N)`: the place of that among the values that occur.
    classes: Vec<usize>,
    /// How many occur.
    count: usize,
}

/// Rows that are fitted to, and those that are held out.
struct Halves {
    fitted: Vec<usize>,
    held: Vec<usize>,
}

impl Known {
    fn of(codes: &Codes, prior: &PriorMixture, factors: &Factors) -> Result<Self, RunError> {
        let (latent, width) = (codes.latent, factors.names.len());
        let rows = if latent == 0 { 0 } else { codes.rows() };
        let unfit = |why: String| Err(RunError::Unfit(why));
        if factors.values.len() != rows * width || factors.counts.len() != width || factors.ordered.len() != width {
            return unfit(format!("{} values of {width} factors do not belong to {rows} rows", factors.values.len()));
        }
        if rows < MIN_ROWS {
            return unfit(format!("{rows} rows are too few to score codes by their factors: take {MIN_ROWS} at least"));
        }
        if let Some(place) = codes.mu.iter().position(|value| !value.is_finite()) {
            return unfit(format!("the code of row {} is not finite, so it cannot be scored", place / latent));
        }
        let (mut varying, mut constant) = (Vec::new(), Vec::new());
        for (place, name) in factors.names.iter().enumerate() {
            let values: Vec<u16> = factors.values.iter().skip(place).step_by(width).copied().collect();
            let mut occur = values.clone();
            occur.sort_unstable();
            occur.dedup();
            if occur.len() < 2 {
                constant.push(name.clone());
                continue;
            }
            let classes = values.iter().map(|value| occur.partition_point(|other| other < value)).collect();
            varying.push(Factor {
                name: name.clone(),
                ordered: factors.ordered[place],
                values: values.iter().map(|value| f64::from(*value)).collect(),
                classes,
                count: occur.len(),
            });
        }
        if varying.is_empty() {
            return unfit("all of these rows have the same factors, so codes cannot be scored by them".into());
        }
        Ok(Self {
            rows,
            latent,
            z: codes.mu.iter().map(|value| f64::from(*value)).collect(),
            variances: mean_variances(codes),
            active: active(codes, prior),
            factors: varying,
            constant,
        })
    }

    fn halves(&self, seed: u64) -> Halves {
        let mut rng = rng(seed, HALVES);
        let mut fitted: Vec<usize> = (0..self.rows).collect();
        fitted.shuffle(&mut rng);
        let held = fitted.split_off(self.rows.div_ceil(2));
        Halves { fitted, held }
    }

    /// A dimension of a row's code.
    fn at(&self, row: usize, dimension: usize) -> f64 {
        self.z[row * self.latent + dimension]
    }
}

/// The place of the largest of some numbers, how large it is, and how far above the next largest, or above 0.
fn gap(numbers: &[f64]) -> (usize, f64, f64) {
    let (mut first, mut best, mut next) = (0, f64::NEG_INFINITY, f64::NEG_INFINITY);
    for (place, number) in numbers.iter().enumerate() {
        if *number > best {
            (first, best, next) = (place, *number, best);
        } else if *number > next {
            next = *number;
        }
    }
    (first, best, best - next.max(0.0))
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}
